"""Effects read from a storage that fakes filled: the same numbers as its table, shared cells read once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from test_house_in_one_breath import page, run

from rsft import layout
from rsft.analysis.asymmetry import OVER_REFUSAL
from rsft.analysis.claims import benchmarks_of
from rsft.benchmarks.cards import CARDS
from rsft.records import Problem
from rsft.spec import Claim, DataSpec, GeneratedRows, Pick, Subset
from rsft.storage import Storage
from rsft.sweep import effects as module
from rsft.sweep.effects import axis_effects
from rsft.sweep.means import read_means
from rsft.sweep.plan import Plan, make_plan


def later_is_better(problem: Problem, step: int, sample: int) -> str:
    """One more problem of six with each step."""
    return f"\\boxed{{{problem.gold if int(problem.id) < step + sample else -1}}}"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    storage = Storage(tmp_path_factory.mktemp("house") / "house")
    run(page(), storage, answer=later_is_better)
    return make_plan(page(), storage)


def test_effects_are_differences_of_the_tables_scores(plan: Plan) -> None:
    table = pq.read_table(plan.storage.path(layout.CELLS)).to_pandas()
    table = table[(table.metric == "accuracy") & (table.step == table.length_steps)]
    found = {(one.view, one.dimension, one.axes): one for one in axis_effects(plan, read_means(plan))}
    (alike,) = {view for view, _, _ in found} - {"at the end"}
    assert re.fullmatch(r"fixed step \(2\) = fixed epoch \(.+\) = fixed tokens \(.+\)", alike)
    for name in ("in-domain", "out-of-domain"):
        means = table[table.dimension == name].groupby("length").value.mean()
        one = found["at the end", name, ("length",)]
        assert one.levels == (("4st", "2st"),)
        assert one.effect.value == pytest.approx(means["4st"] - means["2st"]) and one.effect.value > 0.1
        assert (one.problems, one.trials, one.answers, one.places) == (6, 4, 4 * 6 * 2, 2)
        assert found[alike, name, ("length",)].effect.value == pytest.approx(0)


def test_a_cell_of_several_trials_is_read_once(plan: Plan) -> None:
    read: list[str] = []

    def counted(self: Storage, place: str, columns: Any = None) -> Any:
        read.append(place)
        return real(self, place, columns)

    real = Storage.read_table
    with patch.object(Storage, "read_table", counted):
        means = read_means(plan)
    every = {cell.folder for trial in plan.trials for cell in plan.cells(trial)}
    assert means.keys() == every and sorted(read) == sorted(map(layout.scores, every))


def test_an_empty_storage_has_no_effects(tmp_path: Path) -> None:
    plan = make_plan(page(), Storage(tmp_path / "none"))
    assert read_means(plan) == {} and axis_effects(plan, {}) == []


def test_subsets_are_one_family_and_words_are_no_recipe(tmp_path: Path) -> None:
    rows = GeneratedRows(task="gsm-symbolic", style="long-cot")
    data = (
        DataSpec(name="all", source=rows, rows=16),
        DataSpec(name="half", source=rows, transforms=(Subset(rows=8, of=16),), rows=8),
        DataSpec(name="other", source=GeneratedRows(task="gsm-symbolic", style="answer-only"), rows=16),
    )
    sweep = page(data=data, overrides=({"data": "other", "train": {"batch_sequences": 4}},))
    found = make_plan(sweep, Storage(tmp_path / "none"))
    runs = {run.data: run for run in (module._run(found, trial, {}) for trial in found.trials)}
    assert runs["all"].family == runs["half"].family != runs["other"].family
    assert (runs["all"].passes, runs["half"].passes) == (4 / 16, 4 / 8)
    assert runs["all"].recipe == runs["other"].recipe, "a batch of 4 is what all have"


def test_what_asks_for_over_refusal_is_no_part_of_safety() -> None:
    of = {name: CARDS[name].dimension for name in ("over-refusal", "strongreject-refusal")}
    assert of == {"over-refusal": OVER_REFUSAL, "strongreject-refusal": "safety"}
    claim = Claim(name="c", says="s", trials=Pick(), dimension="safety", expects="lower")
    assert benchmarks_of(claim, of) == ("strongreject-refusal",)
