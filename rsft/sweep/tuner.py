"""Open trials through Ray Tune. The door of `ray.tune`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import ray.tune

from rsft import layout
from rsft.checkpoints import landed
from rsft.errors import EngineError
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.jobs import TrainJob
from rsft.training.launch import fit

DRIVER_FAILURES = 3
"""New drivers in place of killed ones; restarts of workers are Ray Train's."""


def _drive(config: dict[str, Any]) -> None:
    """A driver's work: trains a family, the shortest first. Returns nothing: the storage has it all."""
    point = config["point"]
    for job in point["jobs"]:
        trial, storage = Trial(**job["trial"]), Storage(job["storage"])
        problem = _problem(point["attempt"], trial.id)
        if storage.exists(problem) or all(landed(storage, trial, step) for step in trial.checkpoint_steps):
            continue  # a driver before this one got as far
        try:
            name = f"{trial.id}-{uuid.uuid4().hex[:8]}"
            fit(trial.train, job, storage.child(f"{layout.TUNE}/{point['attempt']}/train"), name)
            stopped = storage.read_json_or_none(layout.stopped(trial.id))
            if stopped is not None:
                storage.delete(layout.stopped(trial.id))
                raise EngineError(stopped["message"])
        except Exception as error:  # the family's other members may do better
            storage.write_json(problem, {"error": f"{type(error).__name__}: {error}"})
            continue
        # Its states have served their purpose; the trunk's wait for longer trials.
        storage.delete_folder(layout.resume(layout.trial(trial.id)))


def _problem(attempt: str, trial_id: str) -> str:
    return f"{layout.TUNE}/{attempt}/problems/{trial_id}.json"


def families(jobs: Sequence[TrainJob]) -> list[list[TrainJob]]:
    """Jobs that share a trunk together, whoever leaves it first first; every other job alone."""
    found: dict[str, list[TrainJob]] = {}
    for job in jobs:
        found.setdefault(job.trial.trunk or job.trial.id, []).append(job)
    return [sorted(members, key=lambda job: job.trial.shared_steps) for members in found.values()]


def train_all(jobs: Sequence[TrainJob], *, concurrent: int, attempt: str) -> dict[str, str]:
    """Trains all jobs, `concurrent` families at once; one that fails does not stop the rest.

    Tune gets the open families as one flat axis. `Tuner.restore` is not used, since it ignores changes of
    the grid: what is done is found in the storage, and each trial resumes from its own states.

    Args:
        jobs: one or more trials of one sweep.
        concurrent: how many fit at once; Tune itself does not count Train's workers.
        attempt: names this run's folder of Tune's own files.

    Returns:
        The error text of each trial that failed, by trial id.
    """
    storage = Storage(jobs[0].storage)
    points = [
        {"name": members[0].trial.id, "attempt": attempt, "jobs": [job.config() for job in members]}
        for members in families(jobs)
    ]
    driver = ray.tune.PlacementGroupFactory([{"CPU": 0.05}])
    tuner = ray.tune.Tuner(
        ray.tune.with_resources(_drive, driver),
        param_space={"point": ray.tune.grid_search(points)},
        tune_config=ray.tune.TuneConfig(
            num_samples=1,
            max_concurrent_trials=concurrent,
            trial_dirname_creator=lambda trial: trial.config["point"]["name"],
        ),
        run_config=ray.tune.RunConfig(
            name=attempt,
            storage_path=storage.path(layout.TUNE),
            failure_config=ray.tune.FailureConfig(max_failures=DRIVER_FAILURES),
            verbose=0,
        ),
    )
    failed: dict[str, str] = {}
    for result in tuner.fit():
        for job in result.config["point"]["jobs"]:
            trial_id = job["trial"]["id"]
            problem = storage.read_json_or_none(_problem(attempt, trial_id))
            if problem is not None or result.error is not None:
                failed[trial_id] = problem["error"] if problem else str(result.error)
    if not failed:
        storage.delete_folder(f"{layout.TUNE}/{attempt}")
    return failed
