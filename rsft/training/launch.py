"""Starts Ray Train for a series of trials. Runs in their driver and imports neither torch nor DeepSpeed."""

from __future__ import annotations

from typing import Any

import ray.train
from ray.train.torch import TorchTrainer

from rsft.spec.train import TrainSpec
from rsft.storage import Storage
from rsft.training.settings import without_unused, worker_environment


def _loop(config: dict[str, Any]) -> None:
    with without_unused(config["jobs"][0]["trial"]["train"]["device"]):
        from rsft.training.loop import train_loop  # torch and DeepSpeed load in the workers alone
    train_loop(config)


class _Trainer(TorchTrainer):
    """Without processes that have nothing to do."""

    idle: frozenset[str] = frozenset({"DatasetsCallback"})
    """Callbacks left out; this one splits data sets among workers, and ours read their rows themselves."""

    def _create_default_callbacks(self) -> list[Any]:
        return [c for c in super()._create_default_callbacks() if type(c).__name__ not in self.idle]


class _LocalTrainer(_Trainer):
    """For a cluster that dies with its driver, where nothing is left behind to clean up."""

    idle = _Trainer.idle | {"PlacementGroupCleanerCallback"}


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
        scaling_config=ray.train.ScalingConfig(
            num_workers=train.workers, use_gpu=gpu, resources_per_worker=worker_resources(gpu)
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
