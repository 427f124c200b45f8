"""Conclusions from a storage alone, that fakes filled: complete, half-finished, one trial, all failed.

Whatever there is, the report is a whole page that claims no more than the storage holds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fakes import FakeTrainer
from test_house_in_one_breath import page, run
from test_report import Page

from rsft import cores, layout
from rsft.analysis.trajectory import Trajectory
from rsft.records import Problem
from rsft.spec import BenchmarkUse, Claim, EvalSpec, Pick, SamplingSpec, SweepSpec
from rsft.storage import Storage
from rsft.sweep import conclusions, means
from rsft.sweep.conclusions import Key, answers, together, trajectories_begun
from rsft.sweep.means import read_means
from rsft.sweep.plan import Plan, make_plan
from rsft.sweep.results import write_tables_and_report

SAMPLES = 4
CLAIMS = (
    Claim(name="dip", says="It dips.", trials=Pick(steps=4), benchmarks=("gcd",), expects="dip and recovery"),
    Claim(name="gain", says="It gains.", trials=Pick(steps=4), benchmarks=("gcd",), expects="higher"),
)


def asked(**changes: Any) -> SweepSpec:
    evaluation = EvalSpec(
        benchmarks=(BenchmarkUse(name="gsm-symbolic", problems=8), BenchmarkUse(name="gcd", problems=40)),
        sampling=SamplingSpec(samples=SAMPLES, max_new_tokens=64),
        checkpoint_steps=(1, 2, 4),
    )
    return page(**{"evaluation": evaluation, "claims": CLAIMS} | changes)


def dips(problem: Problem, step: int, sample: int) -> str:
    """Right on all problems but some: a tenth at step 1, half before, all of them at the end."""
    right = {0: 5, 1: 1, 2: 5, 4: 10}[step]
    return f"\\boxed{{{problem.gold if int(problem.id) % 10 < right else -1}}}"


def drawn(plan: Plan) -> dict[Key, Trajectory]:
    return trajectories_begun(plan, read_means(plan))()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(tmp_path_factory.mktemp("conclusions") / "house")
    run(asked(), storage, answer=dips)
    return storage


def test_trajectories_are_what_the_tidy_table_says(finished: Storage) -> None:
    table = pq.read_table(finished.path(layout.CELLS)).to_pandas()
    table = table[table.metric == "accuracy"].set_index(["trial", "benchmark", "step"]).value
    plan = make_plan(asked(), finished)
    found = drawn(plan)
    assert found.keys() == {(t.id, name) for t in plan.trials for name in ("gsm-symbolic", "gcd")}
    for (trial, name), one in found.items():
        scores = table[trial, name].sort_index()
        assert one.final.value == pytest.approx(scores.iloc[-1] - scores[0])
        assert [gain.value for gain in one.gains] == pytest.approx(list(scores[scores.index > 0] - scores[0]))
        assert one.samples == SAMPLES and one.problems == {"gcd": 40, "gsm-symbolic": 8}[name]
    long = [found[trial.id, "gcd"] for trial in plan.trials if trial.steps == 4]
    assert {one.verdict for one in long} == {"dip and recovery"}
    assert {one.dip_step.value for one in long} == {1.0}


def test_trajectories_need_scores_and_markers_alone(finished: Storage, tmp_path: Path) -> None:
    copy = Storage(tmp_path / "copy")
    for file in Path(finished.root).rglob("*"):
        if file.name in ("scores.parquet", "cell.json"):
            target = Path(copy.path(file.relative_to(finished.root).as_posix()))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    assert drawn(make_plan(asked(), copy)) == drawn(make_plan(asked(), finished))


def test_cells_are_read_as_they_are_now(finished: Storage, tmp_path: Path) -> None:
    shutil.copytree(finished.root, tmp_path / "copy")
    plan = make_plan(asked(), Storage(tmp_path / "copy"))
    trial = next(trial for trial in plan.trials if trial.steps == 4)
    before = drawn(plan)[trial.id, "gcd"]
    cells = {cell.step: cell for cell in plan.cells(trial) if cell.question.card.name == "gcd"}
    good = plan.storage.read_table(layout.scores(cells[4].folder))
    plan.storage.write_table(layout.scores(cells[1].folder), good)
    after = drawn(plan)[trial.id, "gcd"]
    assert (before.dip.value, after.dip.value) == (pytest.approx(0.4), pytest.approx(0.0, abs=1e-9))

    marker = plan.storage.read_json(layout.cell_marker(cells[1].folder))
    plan.storage.write_json(layout.cell_marker(cells[1].folder), marker | {"errors": 1})
    assert len(drawn(plan)[trial.id, "gcd"].gains) == 2, "a cell that failed is no point of a curve"
    base = layout.cell_marker(cells[0].folder)
    plan.storage.delete(base)
    assert {name for _, name in drawn(plan)} == {"gsm-symbolic"}, "no base, no curve"


def test_a_storages_claims_are_compared_problem_by_problem(finished: Storage) -> None:
    plan = make_plan(asked(), finished)
    table = pq.read_table(finished.path(layout.CELLS))
    paired, apart = (answers(plan, table, drawn(plan), means)[1] for means in (read_means(plan), {}))
    assert paired.effect is not None and apart.effect is not None
    assert paired.effect.value == pytest.approx(apart.effect.value)
    assert (paired.seeds, apart.seeds) == (1, 0)
    assert paired.effect != apart.effect, "the table's errors know nothing of pairs"


@pytest.mark.slow
def test_several_processes_find_the_same(finished: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(asked(), finished)
    alone = drawn(plan)
    monkeypatch.setattr(means, "MANY", 1)
    monkeypatch.setattr(means, "AT_ONCE", 5)
    monkeypatch.setattr(conclusions, "MANY", 1)
    monkeypatch.setattr(conclusions, "AT_ONCE", 3)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda pid: {0, 1})
    assert drawn(plan) == alone


def test_work_that_is_shared_comes_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores.each(list, [3, 1, 2], at_once=1, many=9) == [3, 1, 2]
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda pid: {0})
    assert cores.each(list, [3, 1, 2], at_once=1, many=1) == [3, 1, 2], "a single core gets no help"


def test_many_curves_are_corrected_together() -> None:
    assert together({}) == {}


def reported(sweep: SweepSpec, storage: Storage) -> str:
    plan = make_plan(sweep, storage)
    text = Path(write_tables_and_report(plan).page).read_text(encoding="utf-8")
    parsed = Page(text)
    assert len(parsed.ids) == len(set(parsed.ids)), "no identifier twice"
    assert all(f'id="{at[1:]}"' in text for at in parsed.addresses if at.startswith("#")), (
        "links lead somewhere"
    )
    return text


def first_id(sweep: SweepSpec, storage: Storage) -> str:
    return make_plan(sweep, storage).trials[0].id


Fill = Callable[[SweepSpec, Storage], None]


def _half(sweep: SweepSpec, storage: Storage) -> None:
    broken = first_id(sweep, storage)
    trainer = FakeTrainer(lambda trial: trial == broken)
    run(sweep, storage, trainer, answer=dips, breaks=lambda trial, step: step == 4)


def _whole(sweep: SweepSpec, storage: Storage) -> None:
    run(sweep, storage, answer=dips)


def _untrained(sweep: SweepSpec, storage: Storage) -> None:
    run(sweep, storage, FakeTrainer(lambda trial: True), answer=dips)


def _unanswered(sweep: SweepSpec, storage: Storage) -> None:
    run(sweep, storage, breaks=lambda trial, step: True)


@pytest.mark.parametrize(
    ("fill", "changes", "says", "silent"),
    [
        pytest.param(
            _half,
            {},
            (
                "3 of 4 trials done",
                "1 trial and 4 cells failed",
                "2 cells are not evaluated yet",
                "out of memory",
            ),
            (">supported<", ">contradicted<"),
            id="half-finished",
        ),
        pytest.param(
            _whole,
            {"data": page().data[:1], "lengths_steps": (4,)},
            ("1 of 1 trial done", "nothing failed", ">supported<", "seed 0", "dip and recovery"),
            ("not evaluated yet",),
            id="single trial and seed",
        ),
        pytest.param(
            _untrained,
            {},
            ("0 of 4 trials done", "4 trials failed", "curves are not evaluated yet", "out of memory"),
            (">supported<", ">contradicted<", 'id="verdicts"', "rose clearly"),
            id="all trials failed",
        ),
        pytest.param(
            _unanswered,
            {},
            ("4 of 4 trials done", "cells failed", "No cell is evaluated yet", "engine death"),
            (">supported<", ">contradicted<", 'id="verdicts"', 'id="curves"', "rose clearly"),
            id="all cells failed",
        ),
    ],
)
@pytest.mark.slow
def test_a_report_claims_no_more_than_there_is(
    tmp_path: Path, fill: Fill, changes: dict[str, Any], says: tuple[str, ...], silent: tuple[str, ...]
) -> None:
    sweep, storage = asked(**changes), Storage(tmp_path / "house")
    fill(sweep, storage)
    text = reported(sweep, storage)
    assert [words for words in says if words not in text] == []
    assert [words for words in silent if words in text] == []
