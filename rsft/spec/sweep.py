"""The page of a sweep: axes, cells, exclusions, and what they expand to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rsft.errors import SpecError
from rsft.spec.base import Spec
from rsft.spec.claim import Claim, check_claims
from rsft.spec.data import DataSpec, GivenRows
from rsft.spec.evaluation import EvalSpec
from rsft.spec.given import GivenRun
from rsft.spec.model import ModelSpec
from rsft.spec.train import TrainSpec, hardware_fields
from rsft.spec.trial import Identity, Length, Trial


class Match(Spec):
    """Which cells of the grid a rule is about; a field that is None matches every value."""

    model: str | None = None
    """Label of a base model."""
    data: str | None = None
    """Name of a data variant."""
    steps: int | None = None
    epochs: int | None = None
    seed: int | None = None

    def matches(self, model: ModelSpec, data: DataSpec, length: Length, seed: int) -> bool:
        return (
            self.model in (None, model.label)
            and self.data in (None, data.name)
            and (self.steps is None or length == Length(unit="steps", amount=self.steps))
            and (self.epochs is None or length == Length(unit="epochs", amount=self.epochs))
            and self.seed in (None, seed)
        )


class Override(Match):
    """Other training settings for some cells, such as a smaller learning rate for one base."""

    train: dict[str, Any] = Field(min_length=1)
    """TrainSpec fields and their values; later overrides win."""


class Cell(Spec):
    """One trial listed by hand, beside or instead of the product of the axes."""

    model: str
    data: str
    steps: int | None = Field(default=None, gt=0)
    epochs: int | None = Field(default=None, gt=0)
    seed: int = 0
    train: dict[str, Any] = Field(default_factory=dict)
    """TrainSpec fields that differ in this cell alone."""

    @property
    def length(self) -> Length:
        if self.steps is not None:
            return Length(unit="steps", amount=self.steps)
        return Length(unit="epochs", amount=self.epochs or 0)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise SpecError(
                f"Cell(model={self.model!r}, data={self.data!r}) needs steps or epochs, and just one "
                f"of them; got steps={self.steps}, epochs={self.epochs}."
            )
        return self


class SweepSpec(Spec):
    """A study: every combination of the axes, plus the cells listed by hand, minus the exclusions."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the folder in the storage and the MLflow experiment."""

    models: tuple[ModelSpec, ...] = Field(min_length=1)
    data: tuple[DataSpec, ...] = ()

    lengths_steps: tuple[int, ...] = ()
    """Training lengths in optimizer steps; each is a run of its own, with its own schedule."""

    lengths_epochs: tuple[int, ...] = ()
    """Training lengths in passes over the variant's rows (an incomplete last batch is left out)."""

    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Seeds of the order of rows."""

    cells: tuple[Cell, ...] = ()

    given: tuple[GivenRun, ...] = ()
    """Runs that were trained elsewhere, beside those trained here or instead of them."""

    exclude: tuple[Match, ...] = ()
    overrides: tuple[Override, ...] = ()
    train: TrainSpec
    evaluation: EvalSpec

    claims: tuple[Claim, ...] = ()
    """What the sweep is to find out; the report answers each. Not part of a trial's identity."""

    concurrent_trials: int | None = Field(default=None, gt=0)
    """Trials at once; None means as many as the cluster holds when the sweep starts. State it on a
    cluster that grows on demand. Not part of a trial's identity."""

    heldout: tuple[DataSpec, ...] = ()
    """Slices of rows whose loss is measured before training and at every checkpoint, and that are not trained
    on: one in-domain, one out-of-domain, under names that say which. Not part of a trial's identity; trials
    that are done already get none."""

    keep_weights: Literal["all", "until-evaluated", "log-spaced"] = "all"
    """Which checkpoints keep their weights once every question of the sweep is answered: all; none; or the
    last of each trial and, before it, one per halving of the steps. What is removed is trained again when it
    is asked something new. Not part of a trial's identity."""

    @property
    def lengths(self) -> tuple[Length, ...]:
        return tuple(Length(unit="steps", amount=n) for n in self.lengths_steps) + tuple(
            Length(unit="epochs", amount=n) for n in self.lengths_epochs
        )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _unique("models", [model.label for model in self.models], "give one of them another name")
        _unique("data", [data.name for data in self.data], "give one of them another name")
        _unique("given", [(run.model, run.name) for run in self.given], "give one of them another name")
        _unique("heldout", [data.name for data in self.heldout], "give one of them another name")
        _unique("seeds", list(self.seeds), "remove one of them")
        _unique("lengths", [length.label for length in self.lengths], "remove one of them")
        for length in self.lengths:
            if length.amount < 1:
                raise SpecError(
                    f"SweepSpec.lengths_{length.unit} has {length.amount}; a training length is a "
                    "positive number; remove it or make it positive."
                )
        if not self.data and not self.given:
            raise SpecError("SweepSpec has no data; name a variant, or runs that are `given`.")
        if self.data and not self.lengths and not self.cells:
            raise SpecError("SweepSpec has no training length; set lengths_steps, lengths_epochs or cells.")
        for run in self.given:
            _known("given", "model", run.model, [model.label for model in self.models])
        for data in self.data:
            if isinstance(data.source, GivenRows):
                raise SpecError(f"DataSpec {data.name!r} has no rows; list the run under SweepSpec.given.")
        for cell in self.cells:
            _known("cells", "model", cell.model, [model.label for model in self.models])
            _known("cells", "data", cell.data, [data.name for data in self.data])
        for rule in (*self.exclude, *self.overrides):
            where = "overrides" if isinstance(rule, Override) else "exclude"
            if rule.model is not None:
                _known(where, "model", rule.model, [model.label for model in self.models])
            if rule.data is not None:
                _known(where, "data", rule.data, [data.name for data in self.data])
        if self.train.batch_tokens and (self.lengths_epochs or any(cell.epochs for cell in self.cells)):
            raise SpecError(
                f"TrainSpec.batch_tokens={self.train.batch_tokens} leaves the number of rows per step to the "
                "tokenizer, so an epoch has no step count; use lengths_steps, or batch_sequences."
            )
        for data in self.data:
            if data.target_tokens and self.lengths_epochs:
                raise SpecError(
                    f"DataSpec.target_tokens={data.target_tokens} of {data.name!r} leaves the number of rows "
                    "to the tokenizer, so SweepSpec.lengths_epochs has no step count; use lengths_steps."
                )
        trials = list(self.trials(lambda model: model.source))
        if not trials:
            raise SpecError("SweepSpec.exclude leaves no trial; remove one of its rules.")
        if trained := [trial.steps for trial in trials if trial.given is None]:
            self._check_checkpoint_steps(max(trained))
        check_claims(self.claims, trials, self.evaluation)
        return self

    def _check_checkpoint_steps(self, longest: int) -> None:
        steps = self.evaluation.checkpoint_steps
        if isinstance(steps, tuple) and steps and max(steps) > longest:
            raise SpecError(
                f"EvalSpec.checkpoint_steps has {max(steps)}, beyond the end of the longest trial "
                f"({longest} steps); remove it or train longer."
            )

    def trials(self, base_identity: Callable[[ModelSpec], str]) -> Iterator[Trial]:
        """Yields every trial once, slowest axis first, so that neighbours share a base model.

        Args:
            base_identity: what pins a base's weights (a hash or a hub revision), for trial ids.

        Raises:
            SpecError: an override that TrainSpec refuses, or fewer rows than one batch.
        """
        seen: set[str] = set()
        points: list[tuple[ModelSpec, DataSpec, Length, int, dict[str, Any]]] = [
            (model, data, length, seed, {})
            for model, data, length, seed in product(self.models, self.data, self.lengths, self.seeds)
        ]
        models = {model.label: model for model in self.models}
        variants = {data.name: data for data in self.data}
        listed = [
            (models[cell.model], variants[cell.data], cell.length, cell.seed, cell.train)
            for cell in self.cells
        ]
        # Thousands of trials have few settings and few identities between them.
        settings: dict[str, tuple[TrainSpec, str]] = {}
        identities: dict[tuple[str, str, str], Identity] = {}
        evaluated: dict[int, tuple[int, ...]] = {}
        for model, data, length, seed, own in [*points, *listed]:
            if any(rule.matches(model, data, length, seed) for rule in self.exclude):
                continue
            changes = dict[str, Any]()
            for override in self.overrides:
                if override.matches(model, data, length, seed):
                    changes |= override.train
            changes |= own
            words = repr(sorted(changes.items()))
            if words not in settings:
                settings[words] = self._settings(changes)
            train, recipe = settings[words]
            steps = length.steps(data.rows, train.batch_sequences)
            key = (model.label, data.name, words)
            if key not in identities:
                identities[key] = Identity(model, data, train, base_identity(model))
            identity = identities[key]
            if steps not in evaluated:
                evaluated[steps] = self.evaluation.steps(steps)
            trial_id = identity.trial(steps, seed)
            if trial_id in seen:
                continue
            seen.add(trial_id)
            yield Trial.model_construct(  # of parts that are checked already
                id=trial_id,
                model=model,
                data=data,
                length=length,
                steps=steps,
                seed=seed,
                train=train,
                recipe=recipe,
                base_identity=identity.base,
                checkpoint_steps=evaluated[steps],
                trunk=identity.trunk(steps, seed),
                shared_steps=identity.shared_steps(steps),
            )
        for run in self.given:
            yield run.trial(models[run.model], base_identity(models[run.model]), self.train)

    def _settings(self, changes: dict[str, Any]) -> tuple[TrainSpec, str]:
        """The sweep's TrainSpec with changes, and in words those that matter to what is learned."""
        if not changes:
            return self.train, "default"
        train = TrainSpec(**(self.train.model_dump() | changes))
        resolved = train.model_dump(mode="json")
        usual = self.train.model_dump(mode="json")
        words = sorted(f for f in changes.keys() - hardware_fields(train) if resolved[f] != usual[f])
        return train, " ".join(f"{field}={resolved[field]}" for field in words) or "default"


def _unique(field: str, values: list[Any], fix: str) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise SpecError(f"SweepSpec.{field} has {value!r} twice; {fix}.")


def _known(where: str, axis: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        raise SpecError(
            f"SweepSpec.{where} names {axis}={value!r}, which is not on that axis; "
            f"choose one of: {', '.join(allowed)}."
        )
