"""Learning rate as a function of the step. No state, so nothing to save or restore."""

from __future__ import annotations

import math

from rsft.spec.train import TrainSpec


def learning_rate(train: TrainSpec, step: int, steps: int) -> float:
    """Learning rate of optimizer step `step` (from 0) in a run of `steps`.

    Linear warm-up over `warmup_share` of all steps; step 0 already learns. Then constant, or a half
    cosine down to `min_lr_share` of the peak, reached at the end of the run.
    """
    warmup = round(train.warmup_share * steps)
    if step < warmup:
        return train.learning_rate * (step + 1) / warmup
    if train.schedule == "constant":
        return train.learning_rate
    progress = (step - warmup) / max(steps - warmup, 1)
    share = train.min_lr_share + (1 - train.min_lr_share) * 0.5 * (1 + math.cos(math.pi * progress))
    return train.learning_rate * share
