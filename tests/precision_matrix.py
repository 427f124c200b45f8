"""Adds one large and eight small gradients up with real DeepSpeed, and prints what arrived at the weights.

    python tests/precision_matrix.py [--whole]     one line of JSON per layout

The small ones are 1/512 of the large one: a sum in bf16 loses each of them. Two gloo workers; SGD with a
learning rate of 1, so that the weights are the negative sum. `--whole` has the layouts whose optimizer
DeepSpeed compiles, with AdamW: there it is only said whether the step was done.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error", "OMP_NUM_THREADS": "1"}

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from rsft.spec import TrainSpec

WORLD = 2
GRADIENTS = [1.0] + [1 / 512] * 8


class Sum(nn.Module):
    """Has the input as its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 64))
        self.other = nn.Parameter(torch.zeros(13))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return (self.weight * inputs).sum() + self.other.sum() * inputs[0, 0]


def layouts(whole: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"precision": "bf16", "zero_stage": stage} for stage in (1, 2, 3)]
    found += [{"precision": "bf16", "zero_stage": stage, "offload": True} for stage in (2, 3)]
    found += [{"precision": "bf16-pure", "zero_stage": stage} for stage in (1, 2, 3)]
    found += [{"precision": "fp32", "zero_stage": stage} for stage in (0, 1, 2, 3)]
    found += [{"precision": "fp32", "zero_stage": stage, "offload": True} for stage in (2, 3)]
    own = [{"precision": "bf16-pure", "zero_stage": stage, "offload": True} for stage in (2, 3)]
    return found + own if whole else found


def worker(rank: int, port: int, whole: bool) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_SIZE": str(WORLD)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD)
    import deepspeed
    from deepspeed.utils import safe_get_full_fp32_param

    from rsft.training import engine, settings

    assert engine.deepspeed is deepspeed  # importing the engine keeps DeepSpeed from compiling
    deepspeed.init_distributed("gloo", auto_mpi_discovery=False)
    for layout in layouts(whole):
        train = TrainSpec(**layout, workers=WORLD, device="cpu", clip_norm=1e9)
        dtype = torch.float32 if train.precision == "fp32" else torch.bfloat16
        weights = list((module := Sum().to(dtype)).parameters())
        inner, *_ = deepspeed.initialize(
            model=module,
            model_parameters=weights,
            optimizer=None if settings.makes_own_optimizer(train) else torch.optim.SGD(weights, lr=1.0),
            config=settings.deepspeed_config(train),
            dist_init_required=False,
        )
        for number, size in enumerate(GRADIENTS):
            loss = inner(torch.full((8, 64), size, dtype=dtype))
            inner.set_gradient_accumulation_boundary(number == len(GRADIENTS) - 1)
            inner.backward(loss, scale_wrt_gas=False)
            inner.step()
        found = weights[0] if settings.plain_optimizer(train) else safe_get_full_fp32_param(weights[0])
        if rank == 0:
            facts = {"sum": -float(found.detach().flatten()[5]), "optimizer": type(inner.optimizer).__name__}
            print("LAYOUT " + json.dumps(layout | facts), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(worker, args=(29_100 + os.getpid() % 300, "--whole" in sys.argv), nprocs=WORLD)
