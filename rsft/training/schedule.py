"""Learning rate as a function of the step. No state, so nothing to save or restore."""

from __future__ import annotations

import math

from rsft.spec.train import TrainSpec


def learning_rate(train: TrainSpec, step: int, steps: int) -> float:
    """Learning rate of optimizer step `step` (from 0) in a run of `steps`.

    Linear warm-up; step 0 already learns. Then the peak for as long as the schedule is stable, and a decay
    to `min_lr_share` of it that is reached at the end of the run.
    """
    warmup = round(train.warmup_share * steps) if train.warmup_steps is None else train.warmup_steps
    if step < warmup:
        return train.learning_rate * (step + 1) / warmup
    if train.schedule == "constant":
        return train.learning_rate
    stable = max(warmup, steps - round(train.decay_share * steps)) if train.schedule == "wsd" else warmup
    progress = max(step - stable, 0) / max(steps - stable, 1)
    left = 0.5 * (1 + math.cos(math.pi * progress)) if train.schedule == "cosine" else 1 - progress
    return train.learning_rate * (train.min_lr_share + (1 - train.min_lr_share) * left)
