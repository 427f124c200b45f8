"""Recipes to start from: the study's trainer, quirks included, and ours; `rsft plan` shows both.

train=STUDY                                        # to repeat the study
train=SANE.model_copy(update={"workers": 4})       # to do better than it
cells=[Cell(model=..., data=..., epochs=OVERFITTING_EPOCHS, train=change) for change in OVERFITTING]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rsft.spec.train import HARDWARE_FIELDS, TrainSpec

STUDY = TrainSpec(
    learning_rate=5e-5,
    schedule="cosine",
    warmup_share=0.1,
    min_lr_share=0.0,
    batch_sequences=256,
    max_tokens=20_000,
    optimizer="adamw",
    betas=(0.9, 0.999),
    epsilon=1e-8,
    weight_decay=0.01,
    clip_norm=1.0,
    nonfinite="skip",
    precision="bf16-pure",
    shuffle=False,
    loss_reduction="microbatch_sum",
    micro_batch_sequences=4,
    workers=8,
    zero_stage=3,
    micro_batch_tokens=80_000,
    gradient_checkpointing=True,
)
"""What the study's trainer did in its main runs, on 8 H200."""

SANE = TrainSpec()
"""Ours: what TrainSpec says where a page says nothing. It keeps the study's learning rate, schedule, batch
and lengths, which are usual for reasoning traces, and leaves out what is an accident of its trainer."""

OVERFITTING_EPOCHS = 16
OVERFITTING: tuple[dict[str, Any], ...] = (
    {"schedule": "cosine", "learning_rate": 5e-5},
    {"schedule": "constant", "learning_rate": 5e-5},
    {"schedule": "constant", "learning_rate": 1e-4},
)
"""The study's stress test, for `Cell.train` or `Override.train`: twice the epochs, then no decay, then twice
the learning rate as well. (What they are compared with is the main run: cosine, 8 epochs.)"""

REASONS: dict[str, str] = {
    "precision": "the study keeps weights, gradients and moments in bf16, where an update 256 times smaller "
    "than its weight is lost; ours keeps fp32 master weights",
    "loss_reduction": "the study adds up means of micro-batches, so its gradient is 8 means at batch 256 "
    "on 8 GPUs and 1 at batch 32, and is clipped accordingly; ours is one mean over target tokens",
    "micro_batch_sequences": "under microbatch_sum part of the result: 4 in the study, 2 for its 20B base",
    "shuffle": "the study reads rows in file order in every epoch; ours draws an order per seed and epoch",
    "nonfinite": "the study skips a step whose gradient is not finite; ours stops and names the rows",
    "workers": "under microbatch_sum part of the result: another number of GPUs is another gradient",
    "micro_batch_tokens": "the study pads 4 rows to 20,000 tokens each; ours packs rows without padding",
    "gradient_checkpointing": "the study always computes activations again; ours does on GPUs",
}
"""Field -> why the study's value is a quirk, or why ours differs."""


def beside(trains: Iterable[TrainSpec]) -> list[dict[str, Any]]:
    """The fields in which the study's recipe, ours and these settings differ, those of hardware last.

    Args:
        trains: settings of a sweep's trials.

    Returns:
        Per field: `field`, `study`, `sane`, `sweep` (different values, in order) and `reason` ("" if there is
        none).
    """
    mine = [train.model_dump(mode="json") for train in trains]
    study, sane = STUDY.model_dump(mode="json"), SANE.model_dump(mode="json")
    rows: list[dict[str, Any]] = []
    for field in sorted(TrainSpec.model_fields, key=lambda name: name in HARDWARE_FIELDS):
        values: list[Any] = []
        for train in mine:
            if train[field] not in values:
                values.append(train[field])
        if values != [study[field]] or study[field] != sane[field]:
            reason = REASONS.get(field, "")
            row = {"field": field, "study": study[field], "sane": sane[field], "sweep": values}
            rows.append(row | {"reason": reason})
    return rows
