"""Which rows are trained on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rsft.spec.base import Spec

TooLong = Literal["drop", "truncate", "fail"]


class GeneratedRows(Spec):
    """Problems of a reasoning-gym task with solutions that are worked out and verified here."""

    kind: Literal["generated"] = "generated"
    task: Literal["gsm-symbolic", "countdown"]
    """A benchmark card whose task has worked solutions."""
    style: Literal["long-cot", "answer-only"]
    """Thinking between think tags, then the answer; or the boxed answer alone."""
    seed: int = Field(default=0, ge=0, lt=1_000)
    """Training block of problems (see rsft.spec.seeds)."""


class HubRows(Spec):
    """A data set of the Hugging Face hub."""

    kind: Literal["hub"] = "hub"
    dataset: str
    """Hub id."""
    revision: str | None = None
    """Commit; None means the newest, which the plan calls unpinned."""
    split: str = "train"


class FileRows(Spec):
    """A local Parquet, JSONL, CSV or Arrow file."""

    kind: Literal["file"] = "file"
    path: str


Source = Annotated[GeneratedRows | HubRows | FileRows, Field(discriminator="kind")]


class DataSpec(Spec):
    """One value of the data axis: a named variant."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """Word for ids, tables and figures."""

    source: Source

    rows: int = Field(gt=0)
    """Rows taken from the source, in its order; steps per epoch are worked out from this number."""

    too_long: TooLong = "drop"
    """What happens to rows above TrainSpec.max_tokens: drop, truncate on the right, or fail. Counted."""
