"""What every checkpoint is asked, and how answers are drawn."""

from __future__ import annotations

import math
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from rsft.errors import SpecError
from rsft.spec.base import Spec
from rsft.spec.model import ModelSpec


class SamplingSpec(Spec):
    """How answers are drawn."""

    temperature: float = Field(default=0.6, ge=0)
    """Softmax temperature; 0 means greedy."""

    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus mass kept at each token."""

    max_new_tokens: int | None = Field(default=None, gt=0)
    """Budget per answer, in tokens; an answer that hits it counts as truncated. None: each card's."""

    samples: int | None = Field(default=None, gt=0)
    """Independent answers per problem (the n of pass@k). None: each card's; one where they are greedy."""

    seed: int = Field(default=0, ge=0)
    """Mixed with benchmark, problem and sample number into each sample's own seed."""

    @model_validator(mode="after")
    def _useful(self) -> Self:
        if self.temperature == 0 and (self.samples or 1) > 1:
            raise SpecError(
                f"SamplingSpec.samples={self.samples} with temperature=0 would draw the same answer "
                f"{self.samples} times; set samples=1, or temperature=0.6."
            )
        return self


class BenchmarkUse(Spec):
    """A benchmark in a sweep: which, and how much of it."""

    name: str
    """A card of the catalogue (`rsft.benchmarks.cards`)."""

    problems: int | None = Field(default=None, gt=1)
    """The first so many problems; None means all."""

    samples: int | None = Field(default=None, gt=0)
    """Answers per problem, instead of SamplingSpec.samples."""

    max_new_tokens: int | None = Field(default=None, gt=0)
    """Budget per answer, instead of SamplingSpec.max_new_tokens."""

    revision: str | None = None
    """Commit of the benchmark's data set on the hub, instead of the card's."""


class JudgeSpec(Spec):
    """Who judges the benchmarks that need a judge: a model behind an OpenAI-compatible endpoint, or one that
    answers in this sweep's own engines, once the checkpoints have answered.

    An endpoint's key comes from the environment variable RSFT_JUDGE_KEY, where it needs one.
    """

    address: str | None = Field(default=None, pattern=r"^https?://[^@]+$")
    """Such as http://127.0.0.1:8000/v1, without a password; None: in our own engines."""

    model: str = Field(min_length=1)
    """Its name there; or of our own engines' model, as `ModelSpec.source`."""

    max_new_tokens: int = Field(default=1_024, gt=0)
    """Budget of a verdict in our own engines."""

    version: str = ""
    """Where the name does not say it. Another judge's verdicts are asked for anew; answers are kept."""

    parallel: int = Field(default=8, gt=0)
    """Requests in flight at an endpoint."""

    limit_s: float = Field(default=120.0, gt=0)
    """For one request to an endpoint, from its start to the last byte."""

    @classmethod
    def named(cls, text: str) -> Self:
        """From MODEL, or from MODEL@ADDRESS.

        Raises:
            SpecError: an address alone.
        """
        model, _, address = text.rpartition("@")
        if "://" in address and not model:
            raise SpecError(f"judge {text!r} names no model; give MODEL@{address}.")
        return cls(model=model, address=address) if model and "://" in address else cls(model=text)


class LogSpaced(Spec):
    """Checkpoint steps that double: dense at the start, where curves dip."""

    count: int = Field(default=8, gt=0)
    """Evaluated steps per trial, the last one included."""

    first: int = Field(default=1, gt=0)
    """Smallest step."""

    def steps(self, last: int) -> tuple[int, ...]:
        """At most `count` different steps from `first` to `last`, evenly spaced in the logarithm."""
        if self.count == 1 or self.first >= last:
            return (last,)
        ratio = math.log(last / self.first) / (self.count - 1)
        spaced = {round(self.first * math.exp(ratio * i)) for i in range(self.count)}
        return tuple(sorted({min(step, last) for step in spaced} | {last}))


class EvalSpec(Spec):
    """Benchmarks, sampling, and the steps at which weights are kept and evaluated."""

    benchmarks: tuple[BenchmarkUse, ...] = Field(min_length=1)
    """Names, or BenchmarkUse for a part of one."""

    sampling: SamplingSpec = SamplingSpec()

    checkpoint_steps: tuple[int, ...] | LogSpaced = LogSpaced()
    """Listed steps (those beyond a shorter trial's end are left out there) or log-spaced ones. The last
    step of every trial is always evaluated, and so is the untrained base, as step 0."""

    max_model_tokens: int | None = Field(default=None, gt=0)
    """Context of the engine; None means the model's own. Not part of a cell's identity."""

    engines: int = Field(default=1, gt=0)
    """Engine actors per base model. Not part of a cell's identity."""

    judge: JudgeSpec | None = None
    """For benchmarks with the grader `judge`. Not part of what is generated."""

    reward: ModelSpec | None = None
    """Reward model, a sequence classifier with one output, for benchmarks with the grader `reward`. Not part
    of what is generated."""

    tensor_parallel: int = Field(default=1, gt=0)
    """GPUs that each engine is spread over. Not part of a cell's identity."""

    adapters_at_once: int = Field(default=1, gt=0)
    """LoRA checkpoints that an engine serves side by side on their base, without a swap; 1: merged weights,
    one after the other, faster on CPU. Not part of a cell's identity."""

    @field_validator("benchmarks", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = (value,)
        return tuple({"name": item} if isinstance(item, str) else item for item in value)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [use.name for use in self.benchmarks]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SpecError(f"EvalSpec.benchmarks names {twice!r} twice; remove one of them.")
        if not isinstance(self.checkpoint_steps, LogSpaced):
            wrong = [step for step in self.checkpoint_steps if step < 1]
            if wrong:
                raise SpecError(
                    f"EvalSpec.checkpoint_steps has {wrong[0]}; steps start at 1 "
                    "(the base, step 0, is always evaluated); remove it."
                )
        if self.sampling.temperature == 0 and any((u.samples or 1) > 1 for u in self.benchmarks):
            raise SpecError(
                "EvalSpec.benchmarks asks for several samples with temperature=0, which would be the "
                "same answer; set samples=1, or temperature=0.6."
            )
        return self

    def steps(self, last: int) -> tuple[int, ...]:
        """Evaluated steps of a trial of `last` optimizer steps, step 0 left out."""
        if isinstance(self.checkpoint_steps, LogSpaced):
            return self.checkpoint_steps.steps(last)
        return tuple(sorted({step for step in self.checkpoint_steps if step < last} | {last}))
