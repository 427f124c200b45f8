"""Open trials through Ray Tune. The door of `ray.tune`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import ray.tune

from rsft import layout
from rsft.checkpoints import disk_full, over, remove_half_written
from rsft.spec.trial import Trial
from rsft.storage import Storage, out_of_space
from rsft.sweep.jobs import TrainJob
from rsft.sweep.trunks import families, series
from rsft.training.launch import begin_early, fit

DRIVER_FAILURES = 3
"""New drivers in place of killed ones; restarts of workers are Ray Train's."""


def _drive(config: dict[str, Any]) -> None:
    """A driver's work: trains a series. What comes of it is in the storage."""
    point = config["point"]
    storage = Storage(point["storage"])
    trials = {job["trial"]["id"]: Trial(**job["trial"]) for job in point["jobs"]}
    runs = storage.child(f"{layout.TUNE}/{point['attempt']}/train")

    def still_open() -> list[dict[str, Any]]:
        if _full(storage, point["attempt"]) or any(disk_full(storage, trial) for trial in trials.values()):
            return []  # whatever is tried next would fail too
        problems = {name for name in trials if storage.exists(_problem(point["attempt"], name))}
        return [
            job
            for job in point["jobs"]
            if job["trial"]["id"] not in problems and not over(storage, trials[job["trial"]["id"]])
        ]

    while jobs := still_open():
        culprit = jobs[0]["trial"]["id"]
        try:
            fit(trials[culprit].train, jobs, runs, f"{culprit}-{uuid.uuid4().hex[:8]}", point["local"])
        except Exception as error:  # the others may do better
            culprit = next(iter(still_open()), jobs[0])["trial"]["id"]
            storage.write_json(
                _problem(point["attempt"], culprit), {"error": f"{type(error).__name__}: {error}"}
            )
    for name in trials:
        stopped = storage.read_json_or_none(layout.stopped(name))
        if stopped is not None:
            remove_half_written(storage, trials[name])
            storage.write_json(_problem(point["attempt"], name), {"error": stopped["message"]})
            storage.delete(layout.stopped(name))
        elif over(storage, trials[name]):
            # Its states have served their purpose; the trunk's wait for longer trials.
            storage.delete_folder(layout.resume(layout.trial(name)))
    ray.tune.report({"trials": len(trials)})  # Tune prints a remark about a point without any result


def _problem(attempt: str, trial_id: str) -> str:
    return f"{_problems(attempt)}/{trial_id}.json"


def _problems(attempt: str) -> str:
    return f"{layout.TUNE}/{attempt}/problems"


def _full(storage: Storage, attempt: str) -> bool:
    """Whether a trial of this attempt, on whatever driver, has found the disk full."""
    names = storage.names(_problems(attempt))
    return any(out_of_space(storage.read_json(f"{_problems(attempt)}/{name}")["error"]) for name in names)


def train_all(
    jobs: Sequence[TrainJob], *, concurrent: int, attempt: str, slots: int | None = None
) -> dict[str, str]:
    """Trains all jobs, `concurrent` at once; one that fails does not stop the rest.

    Tune gets the open trials as one flat axis. `Tuner.restore` is not used, since it ignores changes of
    the grid: what is done is found in the storage, and each trial resumes from its own states.

    Args:
        jobs: one or more trials of one sweep.
        concurrent: how many fit at once; Tune itself does not count Train's workers.
        attempt: names this run's folder of Tune's own files.
        slots: on a local cluster, groups of workers that all trials are dealt to, since starting one costs
            more than a short trial; None gives every family of trials a group of its own.

    Returns:
        The error text of each trial that failed, by trial id.
    """
    storage = Storage(jobs[0].storage)
    groups = families(jobs) if slots is None else series(jobs, slots)
    points = [
        {
            "name": members[0].trial.id,
            "attempt": attempt,
            "local": slots is not None,
            "storage": storage.root,
            "jobs": [job.config() for job in members],
        }
        for members in groups
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
    begin_early()
    for result in tuner.fit():
        for job in result.config["point"]["jobs"]:
            trial_id = job["trial"]["id"]
            problem = storage.read_json_or_none(_problem(attempt, trial_id))
            if problem is not None or result.error is not None:
                failed[trial_id] = problem["error"] if problem else str(result.error)
    if not failed:
        storage.delete_folder(f"{layout.TUNE}/{attempt}")
    return failed
