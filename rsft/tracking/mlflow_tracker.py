"""Watches a sweep in MLflow. The only module that imports it.

Experiment = sweep, run = trial, x axis = optimizer step, LoggedModel = checkpoint. Every call names
its run; MLflow's "active run" is never used. The store is asked what it already holds and only what
is missing is written, so a replay of all results adds nothing.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rsft.errors import MissingEngine, StorageError
from rsft.records import Checkpoint, Estimate
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.tracking import names, store
from rsft.tracking.known import KnownRun
from rsft.tracking.tracker import TrialState
from rsft.tracking.watching import Watcher, first_line, quiet, watching

for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read while mlflow is imported, so set before
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own 7 hold up a sweep for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}.items():
    os.environ.setdefault(_name, _value)

try:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param
except ModuleNotFoundError as error:
    if error.name != "mlflow":  # installed, but broken: its own words say how
        raise
    raise MissingEngine.named("mlflow") from None

_BATCH = 1_000
"""Metrics per call; MLflow refuses more."""
_PAGE = 100
_DIGEST = 36
"""Characters of a data set's digest that MLflow accepts."""
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""The UI's pages for training; without it, the UI guesses or asks."""
_STATUS = {"done": "FINISHED", "failed": "FAILED", "open": "KILLED"}
"""By trial state. KILLED: stopped and to be gone on with; RUNNING would look alive for ever."""


class MlflowTracker(Watcher):
    """Tracks on a server, or in `mlflow.db` of the sweep's own storage when `uri` is None.

    One process writes a sweep; its threads may share the tracker.
    """

    def __init__(self, uri: str | None, storage: Storage) -> None:
        """Contacts nothing yet.

        Raises:
            StorageError: no URI is given and the storage cannot hold a SQLite file.
        """
        super().__init__()
        self._store = store.locate(uri, storage)
        self.experiment_id = ""
        self._trials: dict[str, Trial] = {}
        self._runs: dict[str, KnownRun] = {}

    def begin(self, sweep_name: str, resolved: dict[str, Any]) -> None:
        """Opens the store (its tables take seconds to make, once) and makes or finds the sweep.

        Raises:
            StorageError: the store cannot be opened.
        """
        try:
            with self.lock, quiet():
                self._open(sweep_name)
                self._client.log_dict(self._parent.id, resolved, "sweep.json")
        except StorageError:
            raise
        except Exception as error:  # SQL, HTTP and their drivers each raise errors of their own
            raise StorageError(
                f"the tracking store {self._store.shown} cannot be opened ({first_line(error)}); "
                "start or repair it, or give another with --tracking-uri or MLFLOW_TRACKING_URI."
            ) from None

    def _open(self, sweep_name: str) -> None:
        if file := self._store.sqlite_file:
            if not file.exists():
                _make_tables(file)
            store.check_sqlite(file)
        self._client = MlflowClient(tracking_uri=self._store.uri)
        self.experiment_id = self._make_experiment(sweep_name)
        runs = list(_pages(self._client.search_runs, [self.experiment_id], max_results=_PAGE))
        tagged = [(run.data.tags.get(names.TRIAL_TAG), run) for run in runs]
        self._runs = {trial_id: KnownRun.of(run) for trial_id, run in tagged if trial_id}
        for run in runs:
            if run.data.tags.get(names.KIND_TAG) == "sweep":
                self._parent = KnownRun.of(run)
                return
        self._parent = self._make_run("sweep", {names.KIND_TAG: "sweep"})

    def _make_experiment(self, sweep_name: str) -> str:
        found = self._client.get_experiment_by_name(sweep_name)
        if found is None:
            root = self._store.artifact_root
            return self._client.create_experiment(
                sweep_name,
                artifact_location=f"{root}/{sweep_name}" if root else None,
                tags=_EXPERIMENT_TAGS,
            )
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _make_run(self, name: str, tags: dict[str, str]) -> KnownRun:
        source = {
            "mlflow.user": os.environ.get("USER", "unknown"),
            "mlflow.source.name": "rsft",
            "mlflow.source.type": "LOCAL",
        }
        made = self._client.create_run(self.experiment_id, tags=source | tags, run_name=name)
        run = KnownRun.of(made)
        run.models = {}
        return run

    def trial(self, trial: Trial) -> None:
        self._trials[trial.id] = trial  # kept even if the store is away: a later call makes the run
        self._make_trial(trial.id)

    @watching
    def _make_trial(self, trial_id: str) -> None:
        self._run(trial_id)

    def _run(self, trial_id: str) -> KnownRun:
        trial = self._trials[trial_id]
        if trial_id not in self._runs:
            tags = {
                names.TRIAL_TAG: trial_id,
                names.KIND_TAG: "trial",
                "mlflow.parentRunId": self._parent.id,
                **names.axes(trial),
            }
            self._runs[trial_id] = self._make_run(names.run_name(trial), tags)
        run = self._runs[trial_id]
        if not run.described:
            params = [Param(key, value) for key, value in names.params(trial).items()]
            self._client.log_batch(run.id, params=params)
            run.described = True
        return run

    @watching
    def training(self, trial_id: str, rows: Sequence[Mapping[str, float]]) -> None:
        run = self._run(trial_id)
        added = self._write(
            run,
            ((key, int(row["step"]), value) for row in rows for key, value in names.training_points(row)),
        )
        if added and run.status != "RUNNING":  # a failed or stopped trial goes on
            self._client.update_run(run.id, status="RUNNING")
            run.status = "RUNNING"

    @watching
    def cell(
        self, trial_id: str, checkpoint: Checkpoint, benchmark: str, estimates: Sequence[Estimate]
    ) -> None:
        run = self._run(trial_id)
        step = checkpoint.step
        missing = [
            (key, step, value)
            for key, value in names.cell_points(benchmark, estimates)
            if step not in self._steps(run, key)
        ]
        if not missing:
            return
        model_id = self._model(run, trial_id, checkpoint)
        note = {f"eval/{benchmark}": names.cell_note(estimates)}
        self._client.set_logged_model_tags(model_id, note)
        self._write(run, missing, model_id=model_id)

    def _steps(self, run: KnownRun, key: str) -> set[int]:
        """Steps at which the store has a value of the key; asked once, known from then on."""
        if key in run.unread:
            history = self._client.get_metric_history(run.id, key)
            run.steps[key] = {metric.step for metric in history}
            run.unread.discard(key)
        return run.steps.setdefault(key, set())

    def _write(
        self, run: KnownRun, points: Iterable[tuple[str, int, float]], model_id: str | None = None
    ) -> int:
        """Adds those (key, step, value) that the store has not; returns how many."""
        new = {(k, s): v for k, s, v in points if s not in self._steps(run, k)}
        now_ms = int(time.time() * 1_000)
        metrics = [
            Metric(key, value, now_ms, step, model_id=model_id, run_id=run.id)
            for (key, step), value in new.items()
        ]
        for start in range(0, len(metrics), _BATCH):
            batch = metrics[start : start + _BATCH]
            run.unread |= {metric.key for metric in batch}  # unless it succeeds, nobody knows
            self._client.log_batch(run.id, metrics=batch)
            for metric in batch:
                run.steps[metric.key].add(metric.step)
            run.unread -= {metric.key for metric in batch}
        return len(metrics)

    def _model(self, run: KnownRun, trial_id: str, checkpoint: Checkpoint) -> str:
        """The checkpoint's LoggedModel: a pointer with metrics of its own, no copy of weights."""
        if run.models is None:
            found = _pages(
                self._client.search_logged_models,
                [self.experiment_id],
                f"source_run_id = '{run.id}'",
                max_results=_PAGE,
            )
            run.models = {int(model.params["step"]): model.model_id for model in found}
        step = checkpoint.step
        if step not in run.models:
            trial = self._trials[trial_id]
            made = self._client.create_logged_model(
                self.experiment_id,
                name=names.model_name(trial, step),
                source_run_id=run.id,
                tags={"mlflow.model.isExternal": "true", names.TRIAL_TAG: trial_id},
                params=names.model_params(trial, checkpoint),
                model_type="sft-checkpoint",
            )
            run.models[step] = made.model_id
        model_id = run.models[step]
        if model_id not in run.linked:
            self._client.finalize_logged_model(model_id, "READY")
            self._client.log_outputs(run.id, [LoggedModelOutput(model_id, step)])
            run.linked.add(model_id)
        return model_id

    @watching
    def dataset(self, trial_id: str, name: str, digest: str, rows: int, certificate: str) -> None:
        run = self._run(trial_id)
        if (name, digest[:_DIGEST]) in run.datasets:
            return
        described = Dataset(
            name=name,
            digest=digest[:_DIGEST],
            source_type="rsft",
            source=json.dumps({"prepared": name, "digest": digest}),
            profile=json.dumps({"num_rows": rows}),
        )
        tag = InputTag("mlflow.data.context", "train")
        self._client.log_inputs(run.id, [DatasetInput(described, tags=[tag])])
        self._client.log_text(run.id, certificate, "certificate.md")
        run.datasets.add((name, digest[:_DIGEST]))

    @watching
    def finish_trial(self, trial_id: str, state: TrialState) -> None:
        self._end(self._run(trial_id), _STATUS[state])

    @watching
    def report(self, folder_or_html: str) -> None:
        path = Path(folder_or_html)
        for one in sorted(path.iterdir()) if path.is_dir() else [path]:
            # samples.html and its folder stay: they may be as large as the answers themselves.
            if one.is_dir() and one.name != "samples":
                self._client.log_artifacts(self._parent.id, str(one), f"report/{one.name}")
            elif one.is_file() and one.name != "samples.html":
                self._client.log_artifact(self._parent.id, str(one), "report")
        self._end(self._parent, "FINISHED")

    def _end(self, run: KnownRun, status: str) -> None:
        if run.status != status:
            self._client.set_terminated(run.id, status)
            run.status = status


def _pages(search: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = search(*args, **kwargs, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _make_tables(file: Path) -> None:
    """Makes the SQLite file in one piece: a half-made one, left by a kill, never opens again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        MlflowClient(tracking_uri=f"sqlite:///{part}").search_experiments(max_results=1)
        if not file.exists():
            os.rename(part, file)
    finally:
        part.unlink(missing_ok=True)
