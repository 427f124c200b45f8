"""Starts Ray Train for a series of trials. Runs in their driver and imports neither torch nor DeepSpeed."""

from __future__ import annotations

from typing import Any

import ray.train
from ray.train.v2._internal.execution.scaling_policy.autoscaling_coordinator_client import (
    get_or_create_autoscaling_coordinator,
)
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from rsft.imports import without_unused
from rsft.spec.train import TrainSpec
from rsft.storage import Storage
from rsft.training.group import ProcessGroup, joined
from rsft.training.settings import worker_environment


def _loop(config: dict[str, Any]) -> None:
    device = config["jobs"][0]["trial"]["train"]["device"]
    with without_unused(device):
        if device == "cpu":
            import_uncompiled()
        from rsft.training.loop import train_loop  # torch and DeepSpeed load in the workers alone
    with joined(gpu=device == "gpu"):
        train_loop(config)


def import_uncompiled() -> None:
    """Imports DeepSpeed's Muon, which it looks at whatever the optimizer, without what compiles it: torch's
    compiler takes two of ten seconds to import."""
    import torch

    compiler = torch.compile
    setattr(torch, "compile", lambda function=None, **_: function or (lambda wrapped: wrapped))  # noqa: B010
    try:
        import deepspeed.runtime.zero.muon.muon_optimizer  # noqa: F401
    finally:
        torch.compile = compiler


class _Trainer(DataParallelTrainer):
    """Without processes that have nothing to do."""

    idle: frozenset[str] = frozenset({"DatasetsCallback"})
    """Callbacks left out; this one splits data sets among workers, and ours read their rows themselves."""

    def _create_default_callbacks(self) -> list[Any]:
        return [c for c in super()._create_default_callbacks() if type(c).__name__ not in self.idle]


class _LocalTrainer(_Trainer):
    """For a cluster that dies with its driver, where nothing is left behind to clean up."""

    idle = _Trainer.idle | {"PlacementGroupCleanerCallback"}


def begin_early() -> None:
    """Starts the actor that every controller of Ray Train asks for resources first, three seconds that pass
    while Tune's process starts instead of after it."""
    get_or_create_autoscaling_coordinator()


def fit(
    train: TrainSpec,
    jobs: list[dict[str, Any]],
    runs: Storage,
    name: str,
    local: bool,
    max_failures: int = 2,
) -> None:
    """Trains trials to their end, one after the other on one group of workers.

    Args:
        train: where they run: settings of hardware that all of them share.
        jobs: of `train_loop`.
        runs: where Ray Train keeps its own files, nothing that is read again.
        name: of this run, one that was never used.
        local: the cluster was started by this sweep, on this machine.
        max_failures: restarts of the worker group before `fit` fails.

    Raises:
        ray.train.TrainingFailedError: the workers failed too often.
    """
    gpu = train.device == "gpu"
    trainer = (_LocalTrainer if local else _Trainer)(
        _loop,
        train_loop_config={"jobs": jobs},
        backend_config=ProcessGroup(),
        scaling_config=ray.train.ScalingConfig(
            num_workers=train.workers,
            use_gpu=gpu,
            resources_per_worker=worker_resources(gpu),
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=runs.root,
            worker_runtime_env={"env_vars": worker_environment(train.device)},
            failure_config=ray.train.FailureConfig(max_failures=max_failures),
            logging_config=ray.train.LoggingConfig(log_level="WARNING"),
        ),
    )
    trainer.fit()


def worker_resources(gpu: bool) -> dict[str, float]:
    """What one worker asks of Ray: a core, and a GPU on a GPU cluster."""
    return {"CPU": 1, "GPU": 1} if gpu else {"CPU": 1}
