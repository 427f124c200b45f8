"""Published checkpoints, and what they are asked to hold our evaluation against a published one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rsft.spec.base import Spec
from rsft.spec.evaluation import EvalSpec


class PublishedRun(Spec):
    """A training run whose step checkpoints are on the hub, one folder per step."""

    repository: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    """Hub id. Folders are recognised by the number at their end (`step640`, `global_step_640`)."""

    revision: str | None = None
    """Commit; None means the newest."""

    base: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    """Hub id of the untrained base, asked as step 0."""

    data: str = Field(min_length=1)
    """As the published tables of `rsft.analysis.published` name it."""

    epochs: int = Field(default=8, gt=0)
    batch_sequences: int = Field(default=256, gt=0)

    steps: tuple[int, ...] = Field(min_length=1)
    """Checkpoints that are asked; the base, step 0, always is."""

    @property
    def label(self) -> str:
        return self.repository.partition("/")[2]

    @property
    def base_label(self) -> str:
        return self.base.partition("/")[2]


class CalibrationSpec(Spec):
    """What is asked of which published checkpoints."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the folder in the storage."""

    runs: tuple[PublishedRun, ...] = Field(min_length=1)
    evaluation: EvalSpec
    """Its checkpoint_steps are not read: each run names its own."""

    device: Literal["gpu", "cpu"] = "gpu"
