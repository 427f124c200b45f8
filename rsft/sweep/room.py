"""How much of a cluster training takes at once, and whether engines have room beside it. Arithmetic alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rsft.spec.train import TrainSpec


@dataclass(frozen=True, slots=True)
class Cluster:
    """What there is to run on."""

    cpus: float
    """Cores that may be kept busy."""
    gpus: float
    local: bool
    """Started by this process, gone with it."""
    accelerators: frozenset[str] = frozenset()
    """Types of GPUs, as Ray names them."""
    logs: str = ""
    """Where Ray's, vLLM's and DeepSpeed's own output goes."""


def trials_at_once(trains: Sequence[TrainSpec], cluster: Cluster, engines: int = 0) -> int:
    """Trials that fit into a cluster beside so many engines, at least one; Tune counts no workers of Train.

    Args:
        trains: settings of the trials.
        cluster: where they run.
        engines: each takes a core, and on a GPU cluster a GPU.
    """
    return max(1, min((_free(train, cluster) - engines) // train.workers for train in trains))


def room_beside(trains: Sequence[TrainSpec], cluster: Cluster, engines: int, at_once: int | None) -> bool:
    """Whether engines have room beside training: on a cluster, never on this machine, where they take turns.

    Args:
        trains: settings of the trials.
        cluster: where they run.
        engines: how many.
        at_once: trials at once, where the page says so.
    """
    if cluster.local:
        return False
    return all(train.workers * (at_once or 1) + engines <= _free(train, cluster) for train in trains)


def _free(train: TrainSpec, cluster: Cluster) -> int:
    return int(cluster.gpus if train.device == "gpu" else cluster.cpus)
