"""Open trials through Ray Tune. The door of `ray.tune`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray.tune
from ray.tune.integration.ray_train import TuneReportCallback

from rsft import layout
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.jobs import TrainJob
from rsft.training.launch import fit


def _drive(config: dict[str, Any]) -> None:
    """A trial's driver: builds its trainer and waits. Returns nothing: what is reported is enough."""
    point = config["point"]
    trial = Trial(**point["trial"])
    fit(
        trial,
        point["storage"],
        point["prepared"],
        point["base"],
        callbacks=[TuneReportCallback()],
    )
    # The resumable state has served its purpose: every listed checkpoint has landed.
    Storage(point["storage"]).delete_folder(layout.resume(trial.id))


def train_all(jobs: Sequence[TrainJob], *, concurrent: int, attempt: str) -> dict[str, str]:
    """Trains all jobs, `concurrent` at once; one that fails does not stop the rest.

    Tune gets the open trials as one flat axis. `Tuner.restore` is not used, since it ignores changes of
    the grid: what is done is found in the storage, and each trial resumes by its own name.

    Args:
        jobs: one or more trials of one sweep.
        concurrent: how many fit at once; Tune itself does not count Train's workers.
        attempt: names this run's folder of Tune's own files.

    Returns:
        The error text of each trial that failed, by trial id.
    """
    storage = Storage(jobs[0].storage)
    points = [
        {
            "trial": job.trial.model_dump(mode="json"),
            "storage": job.storage,
            "prepared": job.prepared,
            "base": job.base,
        }
        for job in jobs
    ]
    driver = ray.tune.PlacementGroupFactory([{"CPU": 0.05}])
    tuner = ray.tune.Tuner(
        ray.tune.with_resources(_drive, driver),
        param_space={"point": ray.tune.grid_search(points)},
        tune_config=ray.tune.TuneConfig(
            num_samples=1,
            max_concurrent_trials=concurrent,
            trial_dirname_creator=lambda trial: trial.config["point"]["trial"]["id"],
        ),
        run_config=ray.tune.RunConfig(name=attempt, storage_path=storage.path(layout.TUNE), verbose=0),
    )
    failed: dict[str, str] = {}
    for result in tuner.fit():
        if result.error is not None:
            failed[result.config["point"]["trial"]["id"]] = str(result.error)
    if not failed:
        storage.delete_folder(f"{layout.TUNE}/{attempt}")
    return failed
