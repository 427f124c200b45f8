"""One optimizer step: rows in, facts out. The same arithmetic on any number of workers."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from deepspeed.accelerator import get_accelerator

from rsft.data.batches import Layout, assign, assign_unpacked, micro_batch
from rsft.data.template import Tokens
from rsft.spec.schedule import learning_rate
from rsft.spec.train import TrainSpec
from rsft.spec.trial import Trial
from rsft.training import ulysses
from rsft.training.engine import Engine
from rsft.training.settings import plain_optimizer


@dataclass(slots=True)
class Stopwatch:
    """Seconds of each part of a step, waiting for the device included."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, part: str) -> None:
        """Books the time since the last lap under `part`."""
        get_accelerator().synchronize()
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._since
        self._since = now


@dataclass(frozen=True, slots=True)
class Sums:
    """Means over the target tokens of a step (or of held-out rows), all workers together."""

    loss: float
    """Nats per target token."""
    accuracy: float
    """Share of target tokens that the model ranks first."""
    entropy: float
    """Of the model's distribution at target positions, nats."""


@dataclass(frozen=True, slots=True)
class Step:
    """What an optimizer step did."""

    sums: Sums
    grad_norm: float
    """Global norm before clipping, over all weights and workers."""
    skipped: bool
    """The gradient was not finite, and the weights stayed as they were."""

    @property
    def finite(self) -> bool:
        return math.isfinite(self.sums.loss) and math.isfinite(self.grad_norm) and not self.skipped


def layout(train: TrainSpec, lengths: Sequence[int], world: int) -> Layout:
    """Which rows of a step go to which worker (or team of them that shares rows) and forward pass."""
    if train.loss_reduction == "microbatch_sum":
        size = train.micro_batch_sequences
        return assign_unpacked(len(lengths), workers=world, micro_batch_sequences=size)
    return assign(
        lengths, workers=world // train.sequence_parallel, micro_batch_tokens=train.micro_batch_tokens
    )


def optimizer_step(
    engine: Engine,
    batch: Sequence[Tokens],
    step: int,
    trial: Trial,
    rank: int,
    world: int,
    pad: int,
    watch: Stopwatch | None = None,
) -> Step:
    """Trains on a batch.

    Args:
        engine: of this worker.
        batch: the rows of the step, all workers' together.
        step: from 0.
        trial: whose settings apply.
        rank: of this worker.
        world: number of workers.
        pad: any token id, for a worker without rows.
        watch: told how long each part took.
    """
    train, inner = trial.train, engine.deepspeed
    watch = watch or Stopwatch()
    targets = sum(tokens.targets for tokens in batch)
    team, place = ulysses.place(train, rank)
    mine = layout(train, [len(tokens) for tokens in batch], world)[team]
    for group in inner.optimizer.param_groups:
        group["lr"] = learning_rate(train, step, trial.steps)
    sums = torch.zeros(3, dtype=torch.float64)
    for number, rows in enumerate(mine):
        documents = [batch[row] for row in rows]
        inputs = on_device(documents, pad, inner.device, place, train.sequence_parallel)
        watch.lap("data")
        nll, facts = inner(*inputs)
        watch.lap("forward")
        inner.set_gradient_accumulation_boundary(number == len(mine) - 1)
        if train.loss_reduction == "microbatch_sum":
            # The study takes the mean of each micro-batch and adds those up.
            scale = 1 / sum(tokens.targets for tokens in documents)
        else:
            # DeepSpeed averages gradients over workers; undoing that makes a sum, and dividing by the
            # step's own targets makes it a mean over tokens, however rows were laid out.
            scale = ulysses.averaged_over(train, world) / targets
        inner.backward(nll * scale, scale_wrt_gas=False)
        watch.lap("backward")
        if number < len(mine) - 1:
            inner.step()
        else:
            norm, skipped = _update(engine, train)
        watch.lap("step")
        sums += torch.cat([nll.detach()[None], facts]).double().cpu()
    return Step(mean(sums, targets, inner.device), norm, skipped)


def _update(engine: Engine, train: TrainSpec) -> tuple[float, bool]:
    """Clips and applies the gradient; its norm, and whether it was not finite and the weights stayed.

    DeepSpeed does all of that except where it leaves the optimizer as it is: without ZeRO, in fp32.
    """
    inner = engine.deepspeed
    if not plain_optimizer(train):
        inner.step()
        return float(inner.get_global_grad_norm()), bool(inner.optimizer.overflow)
    norm = float(torch.nn.utils.clip_grad_norm_(inner.module.parameters(), train.clip_norm))
    if not math.isfinite(norm):
        inner.zero_grad()
        return norm, True
    inner.step()
    return norm, False


def on_device(
    documents: Sequence[Tokens], pad: int, device: Any, place: int = 0, size: int = 1
) -> list[torch.Tensor]:
    """Inputs of one forward pass of `TargetLoss`: the part of worker `place` among `size` that share it."""
    batch = micro_batch(documents, pad)
    if size == 1:
        arrays = [batch.input_ids, batch.position_ids, batch.labels]
    else:
        part, row_positions = ulysses.cut(batch, place, size, pad)
        arrays = [part.input_ids, part.position_ids, part.labels, row_positions]
    return [torch.from_numpy(array).to(device) for array in arrays]


def mean(sums: torch.Tensor, targets: int, device: Any) -> Sums:
    """Adds (3,) sums of all workers up and divides by the number of targets. A collective."""
    total = sums.to(device)
    dist.all_reduce(total)
    return Sums(*(float(value) / targets for value in total))
