"""Starts Ray on this machine, or joins the cluster that the sweep was submitted to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayTaskError

from rsft.errors import EngineError, RsftError
from rsft.generation.settings import Device
from rsft.sweep.room import Cluster
from rsft.training.kernels import refuse_without_gpu

LOGICAL_CPUS = 16
"""What a laptop's Ray is told it has. Ray Data's stages and Tune's drivers each ask for a share of a
logical CPU and would wait for one another for ever on two; how much really runs at once is our plan's."""


class LazyCluster:
    """Ray, joined or started when it is first needed: a sweep with nothing open never starts it."""

    def __init__(self, on_start: Callable[[Cluster], None], device: Device = "cpu") -> None:
        self._on_start, self._device = on_start, device
        self._cluster: Cluster | None = None

    def __enter__(self) -> LazyCluster:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cluster is not None:
            ray.shutdown()

    def get(self) -> Cluster:
        """The cluster named by RAY_ADDRESS (a job has it set), or one on this machine.

        Raises:
            SpecError: GPUs are wanted of a machine without any.
        """
        if self._cluster is None:
            refuse_without_gpu(self._device)
            self._cluster = _join_or_start()
            self._on_start(self._cluster)
        return self._cluster


def _join_or_start() -> Cluster:
    joined = bool(os.environ.get("RAY_ADDRESS"))
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if joined:
        context = ray.init(**quiet)
    else:
        logical = max(LOGICAL_CPUS, os.cpu_count() or 1)
        # Nobody preempts this machine, and the watcher is a process per trial.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        # "local": without it Ray would join any cluster that once ran on this machine.
        context = ray.init("local", num_cpus=logical, include_dashboard=False, **quiet)
    resources = ray.cluster_resources()
    cores = resources.get("CPU", 1.0) if joined else float(os.cpu_count() or 1)
    logs = f"{context.address_info['session_dir']}/logs"
    kinds = (name.partition("accelerator_type:") for name in resources)
    accelerators = frozenset(kind for before, mark, kind in kinds if mark and not before)
    return Cluster(cores, resources.get("GPU", 0.0), not joined, accelerators, logs)


def remotely(function: Callable[..., Any], environment: dict[str, str], *arguments: Any) -> Any:
    """Calls a function in a worker process of its own and waits for what it returns.

    Raises:
        RsftError: what it raised; an EngineError that names it where it was none of ours.
    """
    task = ray.remote(num_cpus=1, runtime_env={"env_vars": environment})(function)
    try:
        return ray.get(task.remote(*arguments))
    except RayTaskError as error:
        cause: Any = error.cause
        if isinstance(cause, RsftError):
            raise cause from None
        raise EngineError(f"{type(cause).__name__}: {' '.join(str(cause).split()):.160}") from None
