"""A trial: one fully resolved training run, and its identity."""

from __future__ import annotations

import re
from typing import Literal

from rsft.errors import SpecError
from rsft.spec.base import Spec, content_hash
from rsft.spec.data import DataSpec
from rsft.spec.model import ModelSpec
from rsft.spec.train import TrainSpec, hardware_fields


class Length(Spec):
    """A training length with its unit."""

    unit: Literal["steps", "epochs"]
    amount: int

    @property
    def label(self) -> str:
        return f"{self.amount}{'st' if self.unit == 'steps' else 'ep'}"

    def steps(self, rows: int, batch_sequences: int) -> int:
        """Optimizer steps; an epoch drops its incomplete last batch.

        Raises:
            SpecError: fewer rows than one batch.
        """
        if self.unit == "steps":
            return self.amount
        per_epoch = rows // batch_sequences
        if per_epoch == 0:
            raise SpecError(
                f"DataSpec.rows={rows} is less than one batch of "
                f"TrainSpec.batch_sequences={batch_sequences}; take more rows or a smaller batch."
            )
        return self.amount * per_epoch


class Trial(Spec):
    """One training run, as it is carried to the engines and written to trial.json."""

    id: str
    """Readable words and a hash of everything that changes the weights. Never parsed back."""
    model: ModelSpec
    data: DataSpec
    length: Length
    steps: int
    """Optimizer steps."""
    seed: int
    train: TrainSpec
    recipe: str
    """What differs from the sweep's TrainSpec, in words."""
    base_identity: str
    """Weight hash of a folder, or hub id and revision."""
    checkpoint_steps: tuple[int, ...]
    """Steps whose weights are kept and evaluated, step 0 left out. Not part of the identity."""


def trial_id(
    model: ModelSpec,
    data: DataSpec,
    steps: int,
    seed: int,
    train: TrainSpec,
    base_identity: str,
) -> str:
    """`<base>__<data>__<steps and seed>__<8 hex>`: same facts, same id, on any machine.

    The hex covers what changes the weights: not the sweep's name, the hardware, or what is evaluated. The
    words are made from resolved facts alone, so that one epoch of ten steps and ten steps are one trial.
    """
    facts = {
        "base": base_identity,
        "chat_template": model.chat_template,
        "end_marker": model.end_marker,
        "data": data.model_dump(mode="json", exclude={"name"}),
        "steps": steps,
        "seed": seed,
        "train": train.model_dump(mode="json", exclude=set(hardware_fields(train))),
    }
    readable = "__".join((model.label, data.name, f"{steps}st-s{seed}"))
    return f"{re.sub(r'[^A-Za-z0-9._=-]+', '-', readable).lower()[:100]}__{content_hash(facts)}"
