"""A sweep on the real engines: Ray Tune, Ray Train + DeepSpeed, Ray Data + vLLM, MLflow.

One trial runs through undisturbed; the same trial runs again elsewhere with its driver killed in mid-training
and in mid-evaluation. Both must leave the same weights, answers and scores.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

PAGE = Path(__file__).with_name("pages") / "one_trial.py"
STEPS = (2, 6, 10)


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")}
    return kept


def command(storage: Path, page: Path = PAGE) -> list[str]:
    return [sys.executable, str(page), "--storage", str(storage)]


def complete(storage: Path, page: Path = PAGE) -> Path:
    """Runs the page to its end; returns the sweep's root."""
    done = subprocess.run(
        command(storage, page), env=environment(), capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return storage / "one-trial"


def killed_when(storage: Path, pattern: str) -> None:
    """Runs the page and kills its driver as soon as a file of this pattern exists."""
    root = storage / "one-trial"
    log = storage.with_suffix(".log").open("ab")
    driver = subprocess.Popen(
        command(storage), env=environment(), stdout=log, stderr=log, start_new_session=True
    )
    deadline = time.monotonic() + 600
    try:
        while not any(root.glob(pattern)):
            assert driver.poll() is None, storage.with_suffix(".log").read_text()[-3000:]
            assert time.monotonic() < deadline, f"no {pattern} after ten minutes"
            time.sleep(0.05)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        log.close()
    time.sleep(5)  # Ray's processes notice that their driver is gone and end


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return complete(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory, whole: Path) -> Path:
    storage = tmp_path_factory.mktemp("disturbed")
    killed_when(storage, "trials/*/checkpoints/step_000006/checkpoint.json")
    killed_when(storage, "*/*/evals/*/*/cell.json")
    return complete(storage)


def trial_folder(root: Path) -> Path:
    (folder,) = (root / "trials").iterdir()
    return folder


def test_status_says_that_nothing_is_open_or_failed(whole: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rsft.cli", "status", str(whole), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {
        "trials": {"done": 1, "failed": 0, "open": 0},
        "cells": {"done": 8, "failed": 0, "open": 0},
        "failures": [],
    }


def test_the_table_has_all_cells(whole: Path) -> None:
    table = pq.read_table(whole / "tables" / "cells.parquet").to_pandas()
    five = {"accuracy", "accuracy_finished", "truncated", "no_answer", "response_tokens"}
    lengths = {f"{what}_tokens_{part}" for what in ("response", "thinking") for part in ("median", "p95")}
    budgets = {f"accuracy@{tokens} tokens" for tokens in (24, 48)}
    metrics = five | lengths | budgets | {"pass@2", "thinking_tokens", "repetition", "looping"}
    assert set(table.metric) == metrics
    assert len(table) == 2 * (1 + len(STEPS)) * len(metrics)
    assert set(table.step) == {0, *STEPS}
    assert (table[table.metric == "accuracy"].samples == table[table.metric == "accuracy"].problems * 2).all()


def test_training_moved_the_weights_and_lowered_the_loss(whole: Path) -> None:
    lines = (trial_folder(whole) / "train.jsonl").read_text().splitlines()
    log = [json.loads(line) for line in lines]
    assert [row["step"] for row in log] == list(range(1, 11))
    losses = [row["loss"] for row in log]
    assert sum(losses[6:]) / 4 < sum(losses[:6]) / 6  # rows of the first epoch, met again
    weights = {
        (trial_folder(whole) / f"checkpoints/step_{s:06d}/model.safetensors").read_bytes() for s in STEPS
    }
    assert len(weights) == len(STEPS)


def test_mlflow_holds_one_run_per_trial_with_curves_over_optimizer_steps(whole: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{whole}/mlflow.db")
    experiment = client.get_experiment_by_name("one-trial")
    runs = client.search_runs([experiment.experiment_id], "tags.`rsft.kind` = 'trial'")
    assert len(runs) == 1
    run = runs[0]
    assert run.info.status == "FINISHED"
    assert (run.data.tags["base"], run.data.tags["data"]) == ("nano-1m", "countdown-cot")
    curve = client.get_metric_history(run.info.run_id, "eval/letter-counting/accuracy")
    assert sorted(point.step for point in curve) == [0, *STEPS]
    loss = client.get_metric_history(run.info.run_id, "train/loss")
    assert sorted(point.step for point in loss) == list(range(1, 11))


def test_the_report_is_one_page_with_figures(whole: Path) -> None:
    page = (whole / "report" / "index.html").read_text()
    assert "1 of 1 trial done" in page and "<svg" in page


def test_running_again_changes_no_result(whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*.safetensors")}
    before |= {path: path.stat().st_mtime_ns for path in whole.rglob("generations.parquet")}
    complete(whole.parent)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_killed_driver_leaves_the_same_weights_bit_by_bit(whole: Path, disturbed: Path) -> None:
    for step in STEPS:
        name = f"checkpoints/step_{step:06d}/model.safetensors"
        assert (trial_folder(disturbed) / name).read_bytes() == (trial_folder(whole) / name).read_bytes()


def test_a_killed_driver_leaves_each_step_once(whole: Path, disturbed: Path) -> None:
    def log(root: Path) -> list[tuple[int, str, float]]:
        lines = (trial_folder(root) / "train.jsonl").read_text().splitlines()
        return [(r["step"], r["data"], r["loss"]) for r in map(json.loads, lines)]

    assert log(disturbed) == log(whole)


def test_a_killed_driver_leaves_the_same_answers_and_scores(whole: Path, disturbed: Path) -> None:
    names = sorted(p.relative_to(whole) for p in whole.rglob("generations.parquet"))
    assert names == sorted(p.relative_to(disturbed) for p in disturbed.rglob("generations.parquet"))
    for name in names:
        assert pq.read_table(whole / name).equals(pq.read_table(disturbed / name)), name
    tables = [pq.read_table(root / "tables" / "cells.parquet") for root in (whole, disturbed)]
    assert tables[0].equals(tables[1])


def test_its_checkpoints_asked_from_elsewhere_answer_as_they_did(whole: Path, tmp_path: Path) -> None:
    """`rsft evaluate` on the trial's folder: weights, canaries and base are found there."""
    asked = ["--benchmarks", "countdown,letter-counting", "--problems", "8", "--samples", "2"]
    asked += ["--max-new-tokens", "96", "--max-model-tokens", "768", "--device", "cpu"]
    asked += ["--storage", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "rsft.cli", "evaluate", str(trial_folder(whole)), *asked],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pq.read_table(tmp_path / "evaluation" / "tables" / "cells.parquet").to_pandas()
    assert set(zip(table.step, table.benchmark, strict=True)) == {
        (step, name) for step in (0, *STEPS) for name in ("countdown", "letter-counting")
    }

    def answers(place: str, root: Path) -> set[tuple[str, int, str]]:
        (path,) = root.glob(f"{place}/generations.parquet")
        return {(row["problem"], row["sample"], row["text"]) for row in pq.read_table(path).to_pylist()}

    for step in STEPS:
        here = answers(f"trials/*/evals/countdown__*/step_{step:06d}", whole)
        there = answers(f"bases/step_{step:06d}__*/evals/countdown__*/*", tmp_path / "evaluation")
        assert len(here) == len(there) == 16
        # Of the other benchmark fewer problems are asked, and another batch may round another way.
        assert len(here & there) >= 14


def test_a_grown_page_computes_the_new_cells_alone(whole: Path) -> None:
    """A seed, a variant and a benchmark more: the last test, since the sweep is another one afterwards."""
    results = ("*.safetensors", "train.jsonl", "generations.parquet", "scores.parquet", "rows.parquet")
    before = {path: path.stat().st_mtime_ns for name in results for path in whole.rglob(name)}
    assert before
    complete(whole.parent, PAGE.with_name("one_trial_grown.py"))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    table = pq.read_table(whole / "tables" / "cells.parquet").to_pandas()
    cells = table.drop_duplicates(["trial", "step", "benchmark"])
    assert len(cells) == 2 * (1 + len(STEPS)) * 3  # two trials now, three benchmarks
    assert set(zip(cells.data, cells.seed, strict=True)) == {
        ("countdown-cot", 0),
        ("countdown-answer", 1),
    }
    answered = [path for path in whole.rglob("generations.parquet") if path not in before]
    # step 0 is shared: gcd alone is new there; so it is for the old trial; the new one answers all.
    assert len(answered) == 1 + len(STEPS) * (1 + 3)
