"""Starts Ray Train for one trial. Runs in the trial's driver, imports neither torch nor DeepSpeed."""

from __future__ import annotations

from typing import Any

import ray.train
from ray.train.torch import TorchTrainer

from rsft.spec.train import TrainSpec
from rsft.storage import Storage
from rsft.training.settings import worker_environment


def _loop(config: dict[str, Any]) -> None:
    from rsft.training.loop import train_loop  # torch and DeepSpeed load in the workers alone

    train_loop(config)


def fit(train: TrainSpec, config: dict[str, Any], runs: Storage, name: str, max_failures: int = 2) -> None:
    """Trains one trial to its end; its workers go on from the newest state in its storage.

    Args:
        train: settings of the trial; those of hardware count here.
        config: of `train_loop`.
        runs: where Ray Train keeps its own files, nothing that is read again.
        name: of this run, one that was never used.
        max_failures: restarts of the worker group before the trial fails.

    Raises:
        ray.train.TrainingFailedError: the workers failed too often.
    """
    gpu = train.device == "gpu"
    trainer = TorchTrainer(
        _loop,
        train_loop_config=config,
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
