"""Procedures carried over to out-of-domain traces: python -m pytest tests/test_transfer.py"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_procedures_table import made_up_table
from test_report import made_up_cells, made_up_facts

from rsft.analysis.procedures import PROCEDURES
from rsft.records import Estimate
from rsft.report.page import write_report
from rsft.report.results import Results, TrialAxes
from rsft.report.transfer import SIDES, Transfer, about_sizes, transfers
from rsft.storage import Storage

CHANGES = {"backtracking": (2.0, 1.0), "verification": (2.0, -1.0), "subgoals": (2.0, 0.01)}
"""Sentences per 1,000 tokens more than the base's 1.0, in-domain and out-of-domain; others stay."""


def pooled(*trials: tuple[str, int], stderr: float = 0.1, lift: float = 0.0) -> Results:
    """Trials of a base and a seed, rates at step 0 and step 40; a seed adds `lift` to what is trained."""
    axes = tuple(
        TrialAxes(
            trial=f"{base}-{seed}",
            base=base,
            data="cot",
            length="8ep",
            length_steps=40,
            seed=seed,
            recipe="default",
            variant="cot",
        )
        for base, seed in trials
    )
    series = {
        (one.trial, dimension, name): {
            0: rate(1.0, stderr),
            40: rate(1.0 + CHANGES.get(name, (0.0, 0.0))[side] + lift * one.seed, stderr),
        }
        for one in axes
        for side, dimension in enumerate(SIDES)
        for name in PROCEDURES
    }
    return Results(trials=axes, columns=(), series=series)


def rate(value: float, stderr: float) -> Estimate:
    numbers: dict[str, Any] = dict.fromkeys(("ci_low", "ci_high", "truncated"), math.nan)
    return Estimate(metric="x", value=value, stderr=stderr, problems=9, samples=18, **numbers)


def of(found: list[Transfer], procedure: str) -> Transfer:
    (one,) = [each for each in found if each.procedure == procedure]
    return one


def test_changes_and_verdicts_by_hand() -> None:
    found = transfers(pooled(("small", 0)), {"small": 5})
    one = of(found, "backtracking")
    assert (one.base, one.parameters, one.seeds, one.inside.problems) == ("small", 5, 1, 9)
    assert one.inside.trained.value == 3 and one.inside.change.value == 2 and one.outside.change.value == 1
    # Two errors of 0.1, taken as independent.
    assert one.inside.change.high - 2 == pytest.approx(1.959964 * 0.1 * math.sqrt(2))
    verdicts = {name: of(found, name).verdict for name in PROCEDURES}
    assert verdicts == dict.fromkeys(PROCEDURES, "undecided") | {
        "backtracking": "both rise",
        "verification": "opposite",
        "subgoals": "in-domain alone",
    }


def test_verdicts_stand_correction_and_need_a_spread() -> None:
    # 2.1 standard errors: clear alone (p 0.036), not as one of ten.
    weak = transfers(pooled(("small", 0), stderr=2.0 / 2.1 / math.sqrt(2)), {})
    assert {one.verdict for one in weak} == {"undecided"}
    assert of(weak, "backtracking").inside.change.low > 0
    unknown = transfers(pooled(("small", 0), stderr=math.nan), {})
    assert {one.verdict for one in unknown} == {"undecided"}


def test_seeds_that_differ_widen_a_change() -> None:
    alike, apart = (
        of(transfers(pooled(("b", 0), ("b", 1), lift=lift), {}), "backtracking") for lift in (0.0, 2.0)
    )
    assert alike.seeds == apart.seeds == 2 and apart.inside.change.value == pytest.approx(3.0)
    # Means 3 and 5: their standard error is 1.
    assert apart.inside.trained.high - 4 == pytest.approx(1.959964)
    assert alike.inside.trained.high - 3 == pytest.approx(1.959964 * 0.1)


def test_a_trial_without_base_or_without_one_side_is_left_out() -> None:
    whole = pooled(("b", 0))
    gone = ("b-0", SIDES[1], "subgoals")
    some = {key: one for key, one in whole.series.items() if key != gone}
    assert [one.procedure for one in transfers(replace(whole, series=some), {})] == [
        name for name in PROCEDURES if name != "subgoals"
    ]
    assert transfers(replace(whole, series=some | {gone: {40: rate(1, 0.1)}}), {}) != []


def test_what_is_said_of_size() -> None:
    two = pooled(("large", 0), ("small", 0))
    found = transfers(two, {"large": 50, "small": 5})
    assert [one.base for one in found] == ["small"] * 5 + ["large"] * 5
    assert about_sizes(found).startswith("The smallest base stands on the left")
    assert about_sizes(found[:5]).startswith("Only small was compared")
    assert "not known, or alike" in about_sizes(transfers(two, {"large": 50, "small": 50}))


@pytest.mark.slow
def test_the_page_has_picture_and_table(tmp_path: Path) -> None:
    cells = made_up_cells()
    cells = cells[cells["benchmark"].isin(["countdown", "chain-sum"])]
    table = made_up_table(cells)
    table["parameters"] = table["base"].map({"nano-4m": 4_000_000, "nano-16m": 16_000_000})
    write_report(Storage(tmp_path), made_up_facts(cells, procedures=table))
    page = (tmp_path / "report/index.html").read_text()
    assert "Transfer to out-of-domain traces" in page and "by the size of the base" in page
    assert "<td>4M</td>" in page and page.index("<td>4M</td>") < page.index("<td>16M</td>")
    written = pd.read_csv(tmp_path / "report/tables/procedures-transfer.csv")
    assert len(written) == 2 * 2 * 2 * len(PROCEDURES)
    assert (tmp_path / "report/figures/procedures-transfer.pdf").stat().st_size > 1_000
