"""A run of which 30 % of the answers are cut at the limit says so wherever its score stands.

python -m pytest tests/test_planted_truncation.py
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from fakes import FakeGenerator, FakeTrainer, GraderHere, fake_engines
from rich.console import Console

from rsft import layout
from rsft.records import Problem
from rsft.spec import (
    BenchmarkUse,
    DataSpec,
    EvalSpec,
    GeneratedRows,
    ModelSpec,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
)
from rsft.storage import Storage
from rsft.sweep.live import Progress, score_words
from rsft.sweep.plan import make_plan
from rsft.sweep.run import run_sweep
from rsft.sweep.standalone import given_sweep, show_scores
from rsft.tracking.tracker import SilentTracker

PROBLEMS, CUT, RIGHT = 20, 6, 8
"""Of 20 problems 6 are cut, 8 right and 6 wrong, whatever the step: 40 % right, 57.1 % of finished ones."""
EVALUATION = EvalSpec(
    benchmarks=(BenchmarkUse(name="gcd", problems=PROBLEMS),),
    sampling=SamplingSpec(samples=2, max_new_tokens=64),
    checkpoint_steps=(2,),
)
SWEEP = SweepSpec(
    name="planted",
    models=(ModelSpec(source="nano-1m"),),
    data=(DataSpec(name="cot", source=GeneratedRows(task="gsm-symbolic", style="long-cot"), rows=16),),
    lengths_steps=(2,),
    train=TrainSpec(batch_sequences=4, max_tokens=2_000, micro_batch_tokens=4_000, device="cpu", workers=2),
    evaluation=EVALUATION,
)


def planted(problem: Problem, step: int, sample: int) -> str:
    number = int(problem.id)
    if number < CUT:
        return "and on and on and"
    return f"\\boxed{{{problem.gold if number < CUT + RIGHT else -1}}}"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Storage, str, Progress]:
    """The finished sweep, what it printed, and its progress."""
    storage = Storage(tmp_path_factory.mktemp("planted") / "planted")
    said = io.StringIO()
    with (
        patch("rsft.scoring.references.GraderProcess", GraderHere),
        patch("rsft.sweep.live.LINE_SECONDS", -1.0),
        Progress(storage, Console(file=said, width=200)) as progress,
    ):
        engines = fake_engines(FakeTrainer(), FakeGenerator(planted))
        after = run_sweep(SWEEP, storage, engines, SilentTracker(), progress)
    assert after["cells"] == {"done": 2, "failed": 0, "open": 0}
    return storage, said.getvalue(), progress


def test_the_table_of_cells_has_the_share_on_every_row(swept: tuple[Storage, str, Progress]) -> None:
    table = pq.read_table(swept[0].path(layout.CELLS)).to_pandas()
    value = {metric: set(rows.value) for metric, rows in table.groupby("metric")}
    assert value["accuracy"] == {0.4} and value["truncated"] == {0.3}
    assert list(value["accuracy_finished"]) == [pytest.approx(8 / 14)]
    assert value["no_answer"] == {0.0}, "what was cut is not counted as unanswered too"
    beside = table[table.metric.isin(["accuracy", "pass@2", "response_tokens"])].truncated
    assert set(beside) == {0.3}
    finished = table[table.metric == "accuracy_finished"]
    assert (
        set(finished.truncated) == {0.0} and set(finished.samples) == {28} and set(finished.problems) == {14}
    )


def test_the_report_shows_it_in_the_grid_and_at_every_step(swept: tuple[Storage, str, Progress]) -> None:
    page = swept[0].read_text(f"{layout.REPORT}/index.html")
    assert "30% cut" in page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    at_a_step = r"40\.0 ± \d+\.\d [\d.]+ to [\d.]+ 57\.1 30\.0 0\.0 "  # score, interval, finished, cut, none
    assert len(re.findall(at_a_step, text)) >= 2, "step 0 and the last"
    (name,) = [n for n in swept[0].names(f"{layout.REPORT}/tables") if n.endswith(".csv") and "gcd" in n]
    rows = swept[0].read_text(f"{layout.REPORT}/tables/{name}").splitlines()
    at = {head: number for number, head in enumerate(rows[0].split(","))}
    for row in (line.split(",") for line in rows[1:]):
        assert row[at["score"]].startswith("40.0")
        assert (row[at["finished"]], row[at["cut"]]) == ("57.1", "30.0")


def test_the_console_says_it_with_each_score(swept: tuple[Storage, str, Progress]) -> None:
    _, said, progress = swept
    assert (
        len(re.findall(r"gcd of \S+ at step \d: 40\.0 ± \d+\.\d %, 30 % cut, 57\.1 % of finished", said)) == 2
    )
    terminal = Console(file=io.StringIO(), record=True, width=200)
    terminal.print(progress._table())
    assert "30 % cut" in terminal.export_text()


def test_evaluate_says_it_beside_the_score(tmp_path: Path) -> None:
    console, storage = Console(file=io.StringIO(), record=True, width=200), Storage(tmp_path)
    engines = fake_engines(FakeTrainer(), FakeGenerator(planted))
    sweep = given_sweep("planted", ["nano-1m"], EVALUATION, "cpu")
    with (
        patch("rsft.scoring.references.GraderProcess", GraderHere),
        Progress(storage, Console(quiet=True)) as progress,
    ):
        run_sweep(sweep, storage, engines, SilentTracker(), progress)
    show_scores(make_plan(sweep, storage), console)
    shown = console.export_text()
    heads, row = (
        line for line in shown.splitlines() if "truncated" in line or line.strip().startswith("nano-1m")
    )
    assert re.split(r"\s{2,}", heads.strip())[3:6] == ["accuracy", "truncated", "finished"]
    assert re.search(r"gcd\s+40\.0 ± \d+\.\d\s+30 %\s+57\.1\s", row)


def test_a_cell_of_which_all_is_cut_or_which_failed_says_that() -> None:
    estimate: dict[str, Any] = {"value": 0.0, "stderr": 0.0, "truncated": 1.0}
    all_cut = [estimate | {"metric": "accuracy"}, {"metric": "accuracy_finished", "value": float("nan")}]
    assert score_words({"error": "", "errors": 0, "estimates": all_cut}) == "0.0 ± 0.0 %, 100 % cut"
    assert score_words({"error": "", "errors": 2, "first_error": "judge gone"}) == "failed: judge gone"
