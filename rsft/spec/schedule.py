"""Learning rate as a function of the step. No state, so nothing to save or restore."""

from __future__ import annotations

import math

from rsft.spec.train import TrainSpec


def learning_rate(train: TrainSpec, step: int, steps: int) -> float:
    """Learning rate of optimizer step `step` (from 0) in a run of `steps`.

    Linear warm-up; step 0 already learns. Then the peak for as long as the schedule is stable, and a decay
    to `min_lr_share` of it that is reached at the end of the run.
    """
    warmup = warmup_steps(train, steps)
    if step < warmup:
        return train.learning_rate * (step + 1) / warmup
    if train.schedule == "constant":
        return train.learning_rate
    stable = stable_steps(train, steps) if train.schedule == "wsd" else warmup
    progress = max(step - stable, 0) / max(steps - stable, 1)
    left = 0.5 * (1 + math.cos(math.pi * progress)) if train.schedule == "cosine" else 1 - progress
    return train.learning_rate * (train.min_lr_share + (1 - train.min_lr_share) * left)


def warmup_steps(train: TrainSpec, steps: int) -> int:
    """Steps of warm-up in a run of `steps`."""
    return round(train.warmup_share * steps) if train.warmup_steps is None else train.warmup_steps


def stable_steps(train: TrainSpec, steps: int) -> int:
    """Steps, from the first, whose learning rate would be the same in a longer run with as much warm-up."""
    if train.schedule == "constant":
        return steps
    if train.schedule == "wsd":
        return min(steps, max(warmup_steps(train, steps), steps - round(train.decay_share * steps)))
    return 0
