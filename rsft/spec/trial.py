"""A trial: one fully resolved training run, and its identity."""

from __future__ import annotations

import re
from typing import Literal

from rsft import layout
from rsft.errors import SpecError
from rsft.spec.base import Spec, canonical, joined_hash
from rsft.spec.data import DataSpec, GivenCheckpoint, GivenRows
from rsft.spec.model import ModelSpec
from rsft.spec.schedule import stable_steps, warmup_steps
from rsft.spec.train import TrainSpec, hardware_fields


class Length(Spec):
    """A training length with its unit."""

    unit: Literal["steps", "epochs"]
    amount: int

    @property
    def label(self) -> str:
        if not self.amount:  # a given model by itself
            return "as given"
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
    trunk: str | None = None
    """Id of what it has in common with trials that differ in length alone; None where that is nothing."""
    shared_steps: int = 0
    """Steps on the trunk: until this one, any longer trial of the same trunk goes the same way."""

    @property
    def given(self) -> tuple[GivenCheckpoint, ...] | None:
        """Its checkpoints where it was trained elsewhere; None for a trial that is trained here."""
        return self.data.source.checkpoints if isinstance(self.data.source, GivenRows) else None

    def owner(self, step: int) -> str:
        """Folder that the weights, states and cells of a step lie under; not of a given one."""
        if self.trunk is not None and step <= self.shared_steps:
            return layout.trunk(self.trunk)
        return layout.trial(self.id)


class Identity:
    """What of trials changes their weights, all but length and seed; makes the ids of those that differ in
    these alone. Not the sweep's name, the hardware, or what is evaluated."""

    def __init__(self, model: ModelSpec, data: DataSpec, train: TrainSpec, base: str) -> None:
        """
        Args:
            model: the base, of which the way of writing a conversation counts.
            data: all but its name counts.
            train: all but the hardware counts.
            base: pins the base's weights.
        """
        self.train, self.base = train, base
        self._words = re.sub(r"[^A-Za-z0-9._=-]+", "-", f"{model.label}__{data.name}").lower()
        settings = train.model_dump(mode="json", exclude=set(hardware_fields(train)))
        # How a schedule ends is no matter of the trunk, so constant and wsd trials share one.
        ends = ("schedule", "decay_share", "min_lr_share", "warmup_share", "warmup_steps")
        shared = {field: value for field, value in settings.items() if field not in ends}
        self._settings, self._shared = canonical(settings), canonical(shared)
        facts = {
            "base": base,
            "chat_template": model.chat_template,
            "end_marker": model.end_marker,
            "data": data.model_dump(mode="json", exclude={"name"}),
        }
        self._facts = {name: canonical(value) for name, value in facts.items()}

    def trial(self, steps: int, seed: int) -> str:
        """`<base>__<data>__<steps and seed>__<8 hex>`: same facts, same id, on any machine.

        The words are made from resolved facts alone, so that one epoch of ten steps and ten steps are one
        trial.
        """
        return self._id(f"{steps}st-s{seed}", seed, {"steps": str(steps), "train": self._settings})

    def shared_steps(self, steps: int) -> int:
        """Steps that a longer trial with the same settings would go too."""
        return stable_steps(self.train, steps)

    def trunk(self, steps: int, seed: int) -> str | None:
        """`<base>__<data>__trunk-<seed>__<8 hex>`: all that the shared steps depend on."""
        if not self.shared_steps(steps):
            return None
        warmup = warmup_steps(self.train, steps)
        return self._id(f"trunk-s{seed}", seed, {"warmup": str(warmup), "train": self._shared})

    def _id(self, word: str, seed: int, own: dict[str, str]) -> str:
        return f"{self._words}__{word}"[:100] + f"__{joined_hash(self._facts | own | {'seed': str(seed)})}"
