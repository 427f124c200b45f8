"""What a sweep is to find out, stated before it runs: trials, steps, benchmarks and a comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rsft.errors import SpecError
from rsft.spec.base import Spec
from rsft.spec.evaluation import EvalSpec
from rsft.spec.trial import Trial

Dimension = Literal["in-domain", "out-of-domain", "general", "safety", "over-refusal"]
"""Of a benchmark's card."""
Direction = Literal["higher", "lower", "same"]
Shape = Literal[
    "dip and recovery",
    "dip, not recovered",
    "monotone gain",
    "no change",
    "decline",
    "gain, then loss",
]
SHAPES: tuple[str, ...] = Shape.__args__  # type: ignore[attr-defined]
"""Verdicts on a trajectory (rsft.analysis.trajectory)."""


_METRIC = re.compile(
    r"accuracy|accuracy_finished|accuracy@\d+ tokens|(pass|maj)@\d+|truncated|no_answer|repetition|looping"
    r"|raw|(response|thinking)_tokens(_median|_p95)?"
)
"""Those of rsft.scoring that the tidy table holds."""


class Pick(Spec):
    """Trials of the sweep by their axes; a field that is None matches every value."""

    model: str | None = None
    """Label of a base model."""
    data: str | None = None
    """Name of a data variant."""
    steps: int | None = None
    """Optimizer steps, however the page states the length."""
    epochs: int | None = None
    seed: int | None = None
    train: dict[str, Any] = Field(default_factory=dict)
    """TrainSpec fields and the values that a trial must have."""

    def matches(self, trial: Trial) -> bool:
        epochs = trial.length.amount if trial.length.unit == "epochs" else None
        return (
            self.model in (None, trial.model.label)
            and self.data in (None, trial.data.name)
            and self.steps in (None, trial.steps)
            and self.epochs in (None, epochs)
            and self.seed in (None, trial.seed)
            and all(getattr(trial.train, field, None) == value for field, value in self.train.items())
        )


class Claim(Spec):
    """A statement that the report answers: supported, contradicted or undecided, with effect and interval.

    Several trials, steps apart, are averaged, and so are benchmarks, each counting alike; a claim about every
    single one of them is several claims.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Word for tables and links; different from the other claims'."""

    says: str = Field(min_length=1)
    """The finding, as a sentence."""

    family: str = ""
    """Heading under which the report lists it with others; no part of what is answered."""

    trials: Pick
    """Whom it is about."""

    step: int | None = Field(default=None, gt=0)
    """At which evaluated step; None means each trial's last."""

    benchmarks: tuple[str, ...] = ()
    """Of the sweep's own; or a `dimension` instead."""

    dimension: Dimension | None = None
    """All benchmarks of the sweep whose cards say so, but for over-refusal, where refusing is bad."""

    metric: str = "accuracy"
    """Of the tidy table, such as `response_tokens`."""

    against: Literal["base"] | Pick = "base"
    """Compared with the trials' own untrained base, or with other trials."""

    against_step: int | None = Field(default=None, gt=0)
    """Step of the other trials; None means each one's last."""

    measure: Literal["score", "gain"] = "score"
    """With other trials, what is compared: scores, or scores minus each one's own base's."""

    expects: Direction | Shape
    """Which way the first differ from the second; or the shape of each trial's curve on each benchmark."""

    by: float = Field(default=0.0, ge=0)
    """By how much at least, in units of the metric; for `same`, by how much at most."""

    @property
    def shape(self) -> bool:
        return self.expects in SHAPES

    @property
    def unit(self) -> Literal["points", "tokens", ""]:
        """Of the metric: hundredths of a share, tokens, or none of a judge's own numbers (`raw`)."""
        if self.metric == "raw":
            return ""
        return "tokens" if self.metric.startswith(("response_tokens", "thinking_tokens")) else "points"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.benchmarks) == (self.dimension is not None):
            raise SpecError(
                f"Claim {self.name!r} needs benchmarks or a dimension, and just one of them; got "
                f"benchmarks={self.benchmarks}, dimension={self.dimension!r}."
            )
        if not _METRIC.fullmatch(self.metric):
            raise SpecError(
                f"Claim {self.name!r} has metric={self.metric!r}, which no table of cells holds; such are "
                "accuracy, accuracy_finished, truncated, response_tokens, thinking_tokens, pass@4, maj@4."
            )
        if self.expects == "same" and self.by == 0:
            raise SpecError(
                f"Claim {self.name!r} expects 'same' by=0, which no measurement can show; set `by`, such as "
                "by=0.03 for 3 points."
            )
        if self.shape and (self.against != "base" or self.step or self.by or self.metric != "accuracy"):
            raise SpecError(
                f"Claim {self.name!r} expects the shape {self.expects!r}, which is about the accuracy of "
                "whole curves against their base; leave against, step, by and metric out."
            )
        if self.against == "base" and (self.against_step or self.measure == "gain"):
            raise SpecError(
                f"Claim {self.name!r} compares with the base, so a difference is a gain already; leave "
                "against_step and measure out, or set against=Pick(...)."
            )
        return self


def check_claims(claims: Sequence[Claim], trials: Sequence[Trial], evaluation: EvalSpec) -> None:
    """Whether a sweep can answer its claims.

    Raises:
        SpecError: two claims of one name, a pick that matches no trial, a benchmark that is not asked, or a
            step at which a trial is not evaluated.
    """
    asked = [use.name for use in evaluation.benchmarks]
    for claim in claims:
        if sum(other.name == claim.name for other in claims) > 1:
            raise SpecError(f"SweepSpec.claims has {claim.name!r} twice; give one of them another name.")
        unknown = [name for name in claim.benchmarks if name not in asked]
        if unknown:
            raise SpecError(
                f"Claim {claim.name!r} names benchmark {unknown[0]!r}, which this sweep does not ask; "
                f"choose one of: {', '.join(asked)}."
            )
        sides = [("trials", claim.trials, claim.step)]
        if isinstance(claim.against, Pick):
            sides.append(("against", claim.against, claim.against_step))
        for field, pick, step in sides:
            found = [trial for trial in trials if pick.matches(trial)]
            if not found:
                given = ", ".join(f"{k}={v!r}" for k, v in pick.model_dump(exclude_defaults=True).items())
                raise SpecError(f"Claim {claim.name!r}.{field} matches no trial ({given}); correct it.")
            lacking = [t for t in found if step is not None and step not in t.checkpoint_steps]
            if lacking:
                raise SpecError(
                    f"Claim {claim.name!r}.{field} is about step {step}, at which {lacking[0].id} is not "
                    f"evaluated; choose one of: {', '.join(map(str, lacking[0].checkpoint_steps))}."
                )
