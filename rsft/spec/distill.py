"""A distilled variant: a teacher's own traces, kept where a grader finds them right."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rsft.spec.base import Spec
from rsft.spec.data import PlainSource
from rsft.spec.evaluation import SamplingSpec
from rsft.spec.model import ModelSpec


class TaskProblems(Spec):
    """Problems of a reasoning-gym benchmark card, from its training block (see rsft.spec.seeds)."""

    kind: Literal["task"] = "task"
    task: str
    """Name of a card whose problems are generated, such as `gcd`."""
    seed: int = Field(default=0, ge=0, lt=1_000)


class RowProblems(Spec):
    """The questions and gold answers of training rows; graded as mathematics."""

    kind: Literal["rows"] = "rows"
    source: PlainSource


class DistillSpec(Spec):
    """Who is asked what, how often, and what is kept."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the folder in the storage and the rows."""

    teacher: ModelSpec
    """The model; with `endpoint`, `source` is its name there."""

    endpoint: str | None = None
    """Address of an OpenAI-compatible server such as http://127.0.0.1:8000/v1; None starts vLLM."""

    problems: Annotated[TaskProblems | RowProblems, Field(discriminator="kind")]

    count: int = Field(gt=0)
    """Problems asked."""

    sampling: SamplingSpec = SamplingSpec(samples=4)
    """The study's teacher: temperature 0.6, top-p 0.95, 32 samples, 16,384 tokens."""

    pick_seed: int = 0
    """Of the choice among a problem's right answers."""

    max_model_tokens: int | None = Field(default=None, gt=0)
    engines: int = Field(default=1, gt=0)
    device: Literal["gpu", "cpu"] = "gpu"
