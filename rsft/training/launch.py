"""Starts Ray Train for one trial. Runs in the trial's driver, imports neither torch nor DeepSpeed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray.train
from ray.train.torch import TorchTrainer

from rsft import layout
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.training.settings import worker_environment


def _loop(config: dict[str, Any]) -> None:
    from rsft.training.loop import train_loop  # torch and DeepSpeed load in the workers alone

    train_loop(config)


def fit(
    trial: Trial,
    storage_root: str,
    prepared: str,
    base: str,
    callbacks: Sequence[Any] = (),
    max_failures: int = 1,
) -> None:
    """Trains one trial to its end; continues from its newest state when there is one.

    The run is named by the trial's own folder, and Ray Train resumes a run of the same name and place by
    itself. No restore call exists or is needed.

    Args:
        trial: what to train.
        storage_root: of the sweep.
        prepared: name of the prepared rows.
        base: folder or hub id of the base model.
        callbacks: Ray Train user callbacks of the caller.
        max_failures: restarts of the worker group before the trial fails.

    Raises:
        ray.train.TrainingFailedError: the workers failed too often.
    """
    train = trial.train
    gpu = train.device == "gpu"
    trainer = TorchTrainer(
        _loop,
        train_loop_config={
            "trial": trial.model_dump(mode="json"),
            "storage": storage_root,
            "prepared": prepared,
            "base": base,
        },
        scaling_config=ray.train.ScalingConfig(
            num_workers=train.workers, use_gpu=gpu, resources_per_worker=worker_resources(gpu)
        ),
        run_config=ray.train.RunConfig(
            name="resume",
            storage_path=Storage(storage_root).path(layout.trial(trial.id)),
            worker_runtime_env={"env_vars": worker_environment(train.device)},
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
            failure_config=ray.train.FailureConfig(max_failures=max_failures),
            callbacks=list(callbacks),
            logging_config=ray.train.LoggingConfig(log_level="WARNING"),
        ),
    )
    trainer.fit()


def worker_resources(gpu: bool) -> dict[str, float]:
    """What one worker asks of Ray: a core, and a GPU on a GPU cluster."""
    return {"CPU": 1, "GPU": 1} if gpu else {"CPU": 1}
