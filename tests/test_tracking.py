"""Tracking: the same results twice add nothing, and a store that breaks stops no sweep."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rsft import layout
from rsft.errors import StorageError
from rsft.records import Checkpoint, Estimate
from rsft.spec import DataSpec, EvalSpec, ModelSpec, SweepSpec, TrainSpec, Trial
from rsft.spec.data import GeneratedRows
from rsft.storage import Storage
from rsft.tracking import names, store, ui
from rsft.tracking.tracker import SilentTracker, Tracker

opens_a_store = pytest.mark.mlflow

BEGIN = """
import sys
from rsft.storage import Storage
from rsft.tracking.mlflow_tracker import MlflowTracker
MlflowTracker(None, Storage(sys.argv[1])).begin("first", {})
"""


def trials(**axes: Any) -> list[Trial]:
    spec = SweepSpec(
        name="study",
        models=(ModelSpec(source="nano-3m"),),
        data=tuple(
            DataSpec(
                name=f"countdown-{word}",
                source=GeneratedRows(task="countdown", style=style),
                rows=512,
            )
            for word, style in (("cot", "long-cot"), ("answer", "answer-only"))
        ),
        lengths_steps=(12, 24),
        train=TrainSpec(batch_sequences=16, workers=1, device="cpu", learning_rate=1e-3),
        evaluation=EvalSpec(benchmarks=("countdown", "gcd")),
        **axes,
    )
    return list(spec.trials(lambda model: "0123abcd"))


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [
        {"step": step, "loss": 3.0 / step, "lr": 1e-3, "grad_norm": 1.0, "data": "a hash"}
        for step in range(first, last + 1)
    ]


def checkpoint(trial: Trial, step: int) -> Checkpoint:
    return Checkpoint(trial_id=trial.id, step=step, path=f"/weights/{step}", target_tokens=step)


def estimates(accuracy: float) -> list[Estimate]:
    shared: dict[str, Any] = {"stderr": 0.02, "ci_low": 0.0, "ci_high": 1.0}
    shared |= {"problems": 200, "samples": 400, "truncated": 0.03}
    return [
        Estimate(metric="accuracy", value=accuracy, **shared),
        Estimate(metric="pass@2", value=accuracy, **shared),
        Estimate(metric="truncated", value=0.03, **shared),
    ]


def play(tracker: Tracker, sweep: str, html: Path) -> None:
    """A whole sweep, as a first run or a replay tells it."""
    tracker.begin(sweep, {"spec": {"name": sweep}})
    for trial in trials()[1:3]:
        tracker.trial(trial)
        tracker.dataset(trial.id, trial.data.name, "d" * 40, trial.data.rows, "# rows")
        tracker.training(trial.id, rows(1, trial.steps))
        for step in (0, trial.steps // 2, trial.steps):
            for benchmark in ("countdown", "gcd"):
                value = step / trial.steps
                tracker.cell(trial.id, checkpoint(trial, step), benchmark, estimates(value))
        tracker.finish_trial(trial.id, "done")
    tracker.report(str(html))


# --- without a store ---


def test_a_silent_tracker_takes_every_call(tmp_path: Path) -> None:
    tracker: Tracker = SilentTracker()
    play(tracker, "study", tmp_path / "index.html")


def test_run_names_are_readable_and_show_what_differs() -> None:
    plain = trials()[0]
    tuned = trials(overrides=({"data": "countdown-cot", "train": {"learning_rate": 0.01}},))[0]

    assert names.run_name(plain) == "nano-3m countdown-cot 12st s0"
    assert names.run_name(tuned) == "nano-3m countdown-cot 12st s0 learning_rate=0.01"


def test_only_accuracy_brings_its_error_and_every_key_is_legal() -> None:
    points = dict(names.cell_points("gcd", estimates(0.5)))

    assert set(points) == {
        "eval/gcd/accuracy",
        "eval/gcd/accuracy_stderr",
        "eval/gcd/pass_at_2",
        "eval/gcd/truncated",
    }


def test_a_bucket_needs_a_tracking_server() -> None:
    bucket = Storage("mock:///bucket")

    with pytest.raises(StorageError, match="--tracking-uri or MLFLOW_TRACKING_URI"):
        store.locate(None, bucket)
    server = store.locate("http://tracking:5000", bucket)
    assert server.artifact_root is None
    database = store.locate("postgresql://me:secret@db/mlflow", bucket)
    assert database.artifact_root == "mock:///bucket/mlflow-artifacts"
    assert "secret" not in database.shown


def test_the_ui_is_local_and_serves_this_sweep_alone(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_bytes(layout.MLFLOW_DB, b"")

    argv = ui.command(storage, 5001)

    assert argv[:4] == [sys.executable, "-m", "mlflow", "server"]
    options = dict(zip(argv[4::2], argv[5::2], strict=True))
    assert options == {
        "--backend-store-uri": f"sqlite:///{tmp_path}/mlflow.db",
        "--default-artifact-root": f"file://{tmp_path}/mlflow-artifacts",
        "--host": "127.0.0.1",
        "--port": "5001",
        "--workers": "1",
    }


def test_the_ui_makes_no_store_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"holds no mlflow\.db"):
        ui.command(Storage(tmp_path), 5001)
    assert not list(tmp_path.iterdir())


# --- on a real SQLite store ---


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store made by another process, since its tables take seconds, and what that one printed."""
    root = tmp_path_factory.mktemp("sweep")
    done = subprocess.run(
        [sys.executable, "-c", BEGIN, str(root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return root, done.stdout + done.stderr


@pytest.fixture
def root(first: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that store for one test."""
    shutil.copy(first[0] / layout.MLFLOW_DB, tmp_path / layout.MLFLOW_DB)
    return tmp_path


@pytest.fixture
def html(tmp_path: Path) -> Path:
    page = tmp_path / "index.html"
    page.write_text("<h1>Report</h1>")
    return page


def begun(root: Path, sweep: str = "study") -> Any:
    from rsft.tracking.mlflow_tracker import MlflowTracker

    tracker = MlflowTracker(None, Storage(root))
    tracker.begin(sweep, {})
    return tracker


def client(root: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")


def run_of(root: Path, trial: Trial, sweep: str = "study") -> Any:
    experiment = client(root).get_experiment_by_name(sweep)
    (run,) = client(root).search_runs([experiment.experiment_id], f"tags.`{names.TRIAL_TAG}` = '{trial.id}'")
    return run


def curve(root: Path, trial: Trial, key: str) -> list[int]:
    history = client(root).get_metric_history(run_of(root, trial).info.run_id, key)
    return sorted(metric.step for metric in history)


def content(root: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(root / layout.MLFLOW_DB)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: sorted(db.execute(f"SELECT * FROM {name}"), key=str) for (name,) in tables}


@pytest.fixture
def broken(root: Path) -> Iterator[Any]:
    """Breaks and mends the store of a test."""

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(root / layout.MLFLOW_DB)) as db:
            db.execute(f"ALTER TABLE {old} RENAME TO {new}")
            db.commit()

    yield rename


@opens_a_store
def test_opening_a_store_prints_nothing_and_leaves_one_file(first: tuple[Path, str]) -> None:
    root, printed = first

    assert printed == ""
    assert sorted(p.name for p in root.iterdir()) == ["mlflow-artifacts", "mlflow.db"]


@opens_a_store
def test_a_replay_adds_nothing(root: Path, html: Path) -> None:
    from rsft.tracking.mlflow_tracker import MlflowTracker

    play(MlflowTracker(None, Storage(root)), "study", html)
    before = content(root)
    play(MlflowTracker(None, Storage(root)), "study", html)

    assert content(root) == before
    assert len(before["runs"]) == 2 + 2  # this sweep's and the fixture's parent, and two trials
    assert len(before["logged_models"]) == 2 * 3
    assert curve(root, trials()[1], "train/loss") == list(range(1, 25))
    assert curve(root, trials()[1], "eval/gcd/accuracy") == [0, 12, 24]


@opens_a_store
def test_a_replay_fills_holes_before_the_last_step(root: Path) -> None:
    trial = trials()[0]
    tracker = begun(root)
    tracker.trial(trial)
    tracker.training(trial.id, rows(5, 8))
    tracker.training(trial.id, rows(1, 6))

    again = begun(root)
    again.trial(trial)
    again.training(trial.id, rows(1, 12))

    assert curve(root, trial, "train/loss") == list(range(1, 13))


@opens_a_store
def test_late_evaluations_land_on_their_own_step(root: Path) -> None:
    trial = trials()[0]
    tracker = begun(root)
    tracker.trial(trial)
    for step in (12, 0, 6):
        tracker.cell(trial.id, checkpoint(trial, step), "gcd", estimates(step / 12))

    assert curve(root, trial, "eval/gcd/accuracy") == [0, 6, 12]
    assert run_of(root, trial).data.metrics["eval/gcd/accuracy"] == 1.0  # of the last step


@opens_a_store
def test_long_training_is_logged_in_batches(root: Path) -> None:
    trial = trials()[0]
    tracker = begun(root)
    tracker.trial(trial)
    tracker.training(trial.id, rows(1, 700))

    assert curve(root, trial, "train/grad_norm") == list(range(1, 701))
    assert "train/data" not in run_of(root, trial).data.metrics


@opens_a_store
def test_trials_are_found_by_every_axis_and_carry_their_settings(root: Path, html: Path) -> None:
    from rsft.tracking.mlflow_tracker import MlflowTracker

    tracker = MlflowTracker(None, Storage(root))
    play(tracker, "study", html)
    found = client(root).search_runs(
        [tracker.experiment_id],
        "tags.base = 'nano-3m' and tags.data = 'countdown-answer' and tags.length = '12st'"
        " and tags.length_steps = '12' and tags.seed = '0' and params.learning_rate = '0.001'",
    )
    (parent,) = client(root).search_runs([tracker.experiment_id], f"tags.`{names.KIND_TAG}` = 'sweep'")

    assert [run.info.run_name for run in found] == ["nano-3m countdown-answer 12st s0"]
    assert found[0].data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert found[0].inputs.dataset_inputs[0].dataset.name == "countdown-answer"
    artifacts = client(root).list_artifacts(parent.info.run_id, "report")
    assert [item.path for item in artifacts] == ["report/index.html"]
    figures = html.parent / "whole" / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for ending in ("svg", "pdf"):
        (figures / f"gains.{ending}").write_text("drawn")
    tracker.report(str(figures.parent))
    kept = client(root).list_artifacts(parent.info.run_id, "report/figures")
    assert {item.path for item in kept} == {"report/figures/gains.svg", "report/figures/gains.pdf"}
    of_trial = client(root).list_artifacts(found[0].info.run_id)
    assert "certificate.md" in [item.path for item in of_trial]
    assert ui.address(Storage(root), 5001).startswith(
        f"http://127.0.0.1:5001/#/experiments/{tracker.experiment_id}/runs?"
    )


@opens_a_store
def test_checkpoints_are_found_by_their_metrics(root: Path) -> None:
    trial = trials()[0]
    tracker = begun(root)
    tracker.trial(trial)
    for step, accuracy in ((0, 0.4), (6, 0.1), (12, 0.8)):
        for benchmark in ("gcd", "countdown"):
            tracker.cell(trial.id, checkpoint(trial, step), benchmark, estimates(accuracy))

    dips = client(root).search_logged_models([tracker.experiment_id], "metrics.`eval/gcd/accuracy` < 0.3")

    assert [(model.params["step"], model.params["path"]) for model in dips] == [("6", "/weights/6")]
    assert dips[0].source_run_id == run_of(root, trial).info.run_id
    assert dips[0].status == "READY"
    assert "200 problems, 400 answers, 3.0% cut" in dips[0].tags["eval/gcd"]
    outputs = run_of(root, trial).outputs.model_outputs
    assert sorted(output.step for output in outputs) == [0, 6, 12]


@opens_a_store
@pytest.mark.parametrize(
    ("state", "status"), [("done", "FINISHED"), ("failed", "FAILED"), ("open", "KILLED")]
)
def test_an_ended_trial_runs_again_when_training_goes_on(root: Path, state: Any, status: str) -> None:
    trial = trials()[0]
    tracker = begun(root)
    tracker.trial(trial)
    tracker.training(trial.id, rows(1, 2))
    tracker.finish_trial(trial.id, state)
    assert run_of(root, trial).info.status == status

    again = begun(root)
    again.trial(trial)
    again.training(trial.id, rows(1, 2))
    assert run_of(root, trial).info.status == status
    again.training(trial.id, rows(3, 4))
    assert run_of(root, trial).info.status == "RUNNING"


# --- stores that break ---


@opens_a_store
def test_a_damaged_store_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / layout.MLFLOW_DB).write_text("not a database " * 100)
    started = time.monotonic()

    with pytest.raises(StorageError, match=r"file is not a database.*`rsft track`") as caught:
        begun(tmp_path)

    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 60, "MLflow's own retries take minutes"


@opens_a_store
def test_an_absent_server_ends_the_start_without_showing_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from rsft.tracking.mlflow_tracker import MlflowTracker

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = MlflowTracker("http://me:secret@127.0.0.1:9", Storage(tmp_path))

    with pytest.raises(StorageError, match=r"cannot be opened.*--tracking-uri") as caught:
        tracker.begin("study", {})

    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@opens_a_store
def test_a_store_that_breaks_later_is_a_warning_and_can_be_filled(
    root: Path,
    broken: Any,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trial = trials()[0]
    tracker = begun(root)
    tracker.trial(trial)
    tracker.training(trial.id, rows(1, 4))

    broken("metrics", "gone")
    with caplog.at_level(logging.WARNING):
        tracker.training(trial.id, rows(5, 8))
        tracker.rests_until = 0.0
        tracker.cell(trial.id, checkpoint(trial, 6), "gcd", estimates(0.5))
    assert [record.name for record in caplog.records] == ["rsft.tracking.watching"] * 2
    assert "no such table: metrics" in caplog.text and "rsft track" in caplog.text
    assert capfd.readouterr() == ("", "")

    broken("gone", "metrics")
    tracker.rests_until = 0.0
    tracker.training(trial.id, rows(1, 8))
    tracker.cell(trial.id, checkpoint(trial, 6), "gcd", estimates(0.5))
    assert curve(root, trial, "train/loss") == list(range(1, 9))
    assert curve(root, trial, "eval/gcd/accuracy") == [6]
    assert len(content(root)["logged_models"]) == 1


@opens_a_store
def test_after_a_slow_failure_the_tracker_rests(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trial = trials()[0]
    tracker = begun(root)
    tracker.trial(trial)

    def slow(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.2)
        raise ConnectionError("server gone")

    monkeypatch.setattr(tracker._client, "log_batch", slow)
    for _ in range(3):
        tracker.training(trial.id, rows(1, 2))

    assert len(caplog.records) == 1  # the second and third call did not even try
    assert tracker.lost == 3


@opens_a_store
def test_a_trial_unknown_to_a_lost_store_is_made_later(root: Path, broken: Any) -> None:
    trial = trials()[0]
    tracker = begun(root)
    broken("runs", "gone")
    tracker.trial(trial)
    broken("gone", "runs")
    tracker.rests_until = 0.0
    tracker.training(trial.id, rows(1, 2))

    assert curve(root, trial, "train/loss") == [1, 2]
