"""Claims and verdicts on the report's page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rsft.analysis.bootstrap import Interval
from rsft.analysis.claims import Answer
from rsft.analysis.references import Reading
from rsft.analysis.trajectory import Curve, Trajectory, trajectory
from rsft.report.conclusions import claim_rows
from rsft.report.facts import ReportFacts
from rsft.report.page import VERDICTS_OPEN, write_report
from rsft.report.results import COLUMNS
from rsft.spec import Claim, Pick
from rsft.storage import Storage

CLAIM = Claim(
    name="dips", says="It dips <script>", trials=Pick(), benchmarks=("gsm8k",), expects="dip and recovery"
)
ANSWER = Answer(
    claim=CLAIM,
    state="contradicted",
    effect=Interval(0.1, 0.05, 0.15),
    p=0.001,
    parts={},
    trials=1,
    problems=500,
    answers=1_500,
    why="",
)


CELL = dict.fromkeys(COLUMNS, 0) | {
    "trial": "t",
    "base": "b",
    "data": "d",
    "length": "20st",
    "recipe": "default",
    "benchmark": "gsm8k",
    "dimension": "in-domain",
    "metric": "accuracy",
    "value": 0.5,
}


def test_claims_and_verdicts_stand_before_the_scores(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = np.stack([random.permutation(1_000) < 1_000 * mean for mean in (0.5, 0.35, 0.6)])
    found = trajectory(Curve(steps=(0, 10, 20), scores=rows.astype(float)), draws=300)
    status = {"trials": {}, "cells": {}, "failures": []}
    facts = ReportFacts(
        sweep={},
        cells=pd.DataFrame([CELL]),
        status=status,
        answers=[replace(ANSWER, moving=1)],
        trajectories={("t", "gsm8k"): found},
        readings=[Reading(base="big", data="cot", benchmark="math-500", found=found)],
    )
    page = Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")
    assert "assumed: n = 1,500 (500 problems × 3 answers, taken as independent)" in page
    assert page.index('id="claims"') < page.index('id="verdicts"') < page.index('id="scores"')
    assert "It dips &lt;script&gt;" in page and "<script>" not in page
    assert '<span class="change down">contradicted</span>' in page
    assert '<span class="change down">1 contradicted</span>' in page, "the summary comes first"
    assert "10.0 points deep (5.0 to 15.0)" in page and "500 problems, 1,500 answers" in page
    verdict = (
        '<span class="change same">dip and recovery</span><br><small class="caution">not converged</small>'
    )
    assert f"{verdict}</td><td>{found.sentence}<br>" in page
    beside = (tmp_path / "report/tables/published.md").read_text(encoding="utf-8")
    assert "| big | cot | math-500 | n = 1,500 (500 problems × 3 answers" in beside
    assert f"best gain {found.best.points()}; area (mean gain over log steps) {found.area.points()}" in page
    assert "back at step 20 (20 to " in page
    assert "1 curve not converged: do not conclude" in page


def test_decided_curves_come_first_and_undecided_ones_are_folded_but_printed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def curve(*means: float) -> Trajectory:
        rows = np.stack([random.permutation(100) < 100 * mean for mean in means])
        return trajectory(Curve(steps=(0, 10), scores=rows.astype(float)), draws=300)

    found = {"calm": curve(0.5, 0.5), "falls": curve(0.8, 0.3), "still": curve(0.5, 0.49)}
    cells = pd.DataFrame([CELL | {"benchmark": name} for name in found])
    facts = ReportFacts(
        sweep={}, cells=cells, status={}, trajectories={("t", n): c for n, c in found.items()}
    )
    page = Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")
    section = page[page.index('id="verdicts"') : page.index('id="scores"')]
    tallied, shown, folded = section.split('<details class="printed"')
    assert shown.startswith(" open>") and folded.startswith(">")
    assert '<span class="change down">decline</span>' in shown and found["falls"].sentence in shown
    assert all(found[name].sentence in folded for name in ("calm", "still")) and "2 curves" in folded
    assert tallied.index(">decline<") < tallied.index(">undecided<") and "undecided</th><td>2</td>" in tallied
    assert "details.printed::details-content { content-visibility: visible" in page

    few = ReportFacts(sweep={}, cells=cells, status={}, trajectories={("t", "falls"): found["falls"]})
    assert "<summary>Undecided" not in Path(write_report(Storage(tmp_path), few)).read_text("utf-8")


def test_many_decided_curves_are_folded_for_the_pictures_to_come_first(tmp_path: Path) -> None:
    rows = np.stack([np.arange(100) < 100 * mean for mean in (0.8, 0.3)])
    falls = trajectory(Curve(steps=(0, 10), scores=rows.astype(float)), draws=300)
    names = [f"b{number}" for number in range(VERDICTS_OPEN + 1)]
    cells = pd.DataFrame([CELL | {"benchmark": name} for name in names])
    facts = ReportFacts(sweep={}, cells=cells, status={}, trajectories={("t", n): falls for n in names})
    page = Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")
    assert f'<details class="printed">\n<summary>Decided<small>{len(names)} curves' in page


def test_claims_stand_under_the_headings_of_their_families(tmp_path: Path) -> None:
    answers = [
        replace(ANSWER, claim=CLAIM.model_copy(update={"name": name, "family": family}))
        for name, family in (("a", "Dips"), ("b", "Dips"), ("c", "Data <b>"))
    ]
    facts = ReportFacts(sweep={}, cells=pd.DataFrame([CELL]), status={}, answers=answers)
    page = Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")
    heads = ['rowgroup">Dips<', 'id="claim-a"', 'id="claim-b"', 'rowgroup">Data &lt;b&gt;<', 'id="claim-c"']
    assert sorted(heads, key=page.index) == heads and page.count('rowgroup">Dips<') == 1


def test_a_shape_of_several_curves_says_how_many_have_which() -> None:
    parts = {"t a": "no change", "t b": "dip and recovery", "t c": "no change"}
    (row,) = claim_rows([replace(ANSWER, effect=None, parts=parts)])
    assert row["effect"] == "2 no change, 1 dip and recovery"
    (nothing,) = claim_rows([replace(ANSWER, effect=None, moving=2)])
    assert (row["caution"], nothing["caution"]) == ("", "2 curves not converged: do not conclude")
    assert nothing["effect"] == "–"


def test_without_claims_there_is_no_such_section(tmp_path: Path) -> None:
    facts = ReportFacts(sweep={}, cells=pd.DataFrame(), status={})
    page = Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")
    assert 'id="claims"' not in page and 'id="verdicts"' not in page


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("response_tokens", "1,200 tokens (900 to 1,500)"),
        ("thinking_tokens_p95", "1,200 tokens (900 to 1,500)"),
        ("raw", "1,200.00 (900.00 to 1,500.00)"),
        ("accuracy@512 tokens", "120000.0 points (90000.0 to 150000.0)"),
    ],
)
def test_tokens_are_no_points(metric: str, said: str) -> None:
    tokens = CLAIM.model_copy(update={"metric": metric, "expects": "higher"})
    answer = Answer(
        claim=tokens,
        state="undecided",
        effect=Interval(1_200.0, 900.0, 1_500.0),
        p=1.0,
        parts={},
        trials=1,
        problems=0,
        answers=0,
        why="too few",
    )
    (row,) = claim_rows([answer])
    assert (row["effect"], row["n"], row["mark"]) == (said, "–", "same")
