"""Runs that were trained elsewhere: their checkpoints are asked and compared as those of trials are."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, model_validator

from rsft.errors import SpecError
from rsft.spec.base import Spec, content_hash
from rsft.spec.data import DataSpec, GivenCheckpoint, GivenRows
from rsft.spec.model import ModelSpec
from rsft.spec.train import TrainSpec
from rsft.spec.trial import Length, Trial


class GivenRun(Spec):
    """Checkpoints of one run; without any, the base alone."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """Word for tables and figures, where a trial's data variant stands."""

    model: str
    """Label of its untrained base among the sweep's models: step 0, and how conversations are written."""

    checkpoints: tuple[GivenCheckpoint, ...] = ()
    """In any order."""

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        steps = [checkpoint.step for checkpoint in self.checkpoints]
        if len(set(steps)) < len(steps):
            twice = next(step for step in steps if steps.count(step) > 1)
            raise SpecError(f"GivenRun {self.name!r} has two checkpoints of step {twice}; remove one.")
        return self

    def trial(self, model: ModelSpec, base: str, train: TrainSpec) -> Trial:
        """As a trial that is done. Its id holds however many checkpoints are added.

        Args:
            model: its base.
            base: pins the base's weights.
            train: of the sweep; says on what device it is asked, and nothing of how this run was trained.
        """
        checkpoints = tuple(sorted(self.checkpoints, key=lambda one: one.step))
        steps = tuple(one.step for one in checkpoints)
        words = re.sub(r"[^A-Za-z0-9._=-]+", "-", f"{model.label}__{self.name}").lower()
        facts = [self.name, base, model.chat_template, model.end_marker]
        return Trial(
            id=f"{words[:100]}__given__{content_hash(facts)}",
            model=model,
            data=DataSpec(name=self.name, source=GivenRows(checkpoints=checkpoints), rows=1),
            length=Length(unit="steps", amount=max(steps, default=0)),
            steps=max(steps, default=0),
            seed=0,
            train=train,
            recipe="given",
            base_identity=base,
            checkpoint_steps=steps,
        )
