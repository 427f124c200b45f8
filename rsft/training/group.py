"""The process group of a trial's workers, as a backend of Ray Train.

Ray Train's own `TorchConfig` imports torch wherever it is unpickled: in the driver, in Tune's process and in
the controller, four seconds each and one after the other, before a worker is even asked for. This one is
plain data until it reaches the workers, and then does what that one does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray.train
from ray.train.backend import Backend, BackendConfig

TIMEOUT = timedelta(minutes=30)
"""For one collective, as in Ray Train: a checkpoint of a large model on a slow disk takes minutes."""


class _Rendezvous(Backend):
    """Tells every worker where the first one listens."""

    share_cuda_visible_devices = True
    """Every worker sees all GPUs of its node that belong to the trial, and takes its own by number."""

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        address, port = worker_group.execute_single(0, _free_address)
        worker_group.execute(_remember, address, port)


@dataclass
class ProcessGroup(BackendConfig):
    """A group of torch.distributed, entered by the workers themselves (`joined`)."""

    @property
    def backend_cls(self) -> type[Backend]:
        return _Rendezvous


def _free_address() -> tuple[str, int]:
    address = ray.util.get_node_ip_address()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return address, int(probe.getsockname()[1])


def _remember(address: str, port: int) -> None:
    os.environ |= {"MASTER_ADDR": address, "MASTER_PORT": str(port)}


@contextmanager
def joined(gpu: bool) -> Iterator[None]:
    """This worker as a member of the group; torch is imported here at the latest."""
    import torch

    context = ray.train.get_context()
    os.environ |= {
        "RANK": str(context.get_world_rank()),
        "WORLD_SIZE": str(context.get_world_size()),
        "LOCAL_RANK": str(context.get_local_rank()),
        "LOCAL_WORLD_SIZE": str(context.get_local_world_size()),
        "NODE_RANK": str(context.get_node_rank()),
    }
    if gpu:
        from ray.train.torch import get_device

        torch.cuda.set_device(get_device())
    torch.distributed.init_process_group("nccl" if gpu else "gloo", timeout=TIMEOUT)
    yield
    # Not after an exception: the others may be gone, and Ray Train ends this process anyway.
    torch.distributed.destroy_process_group()
