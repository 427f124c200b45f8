"""What length, data and base do to a dimension: intervals and verdicts of contrasts, problem by problem.

The outcome is the gain over a checkpoint's own base, averaged over the benchmarks of a dimension, each
counting alike (rsft.analysis.contrasts says what is compared). All trials answer the same problems, so every
comparison is paired; what both sides share, such as the base, cancels.

Chance has two levels, problems and seeds (rsft.analysis.crossed). Where every setting has one seed, an
interval is about other problems of the same kind, and says nothing of other seeds.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rsft.analysis.bootstrap import LEVEL, SAME, Array, Interval, holm, paired_errors
from rsft.analysis.contrasts import Arm, Contrast, Setting, Steps, contrasts
from rsft.analysis.crossed import DRAWS, Between, Direction, Error
from rsft.analysis.differences import aligned, luck_of
from rsft.analysis.verdicts import MARGIN

_TOGETHER = 500
"""Contrasts whose draws are held at once: 16 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """One checkpoint on one benchmark."""

    problems: npt.NDArray[Any]
    """(problems,) ids, each once, in any order."""
    scores: Array
    """(problems,) mean score of each, in [0, 1]."""
    answers: int
    """Generations behind them."""

    @property
    def row(self) -> tuple[npt.NDArray[Any], Array]:
        return self.problems, self.scores


Answers = Mapping[tuple[str, int, str], Answered]
"""By trial, step and benchmark; step 0 is the trial's base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which effects to look for among which checkpoints."""

    view: str
    """How the checkpoints were chosen, in words (rsft.analysis.views)."""
    arms: Sequence[Arm]
    axes: Sequence[str]
    order: Mapping[str, Sequence[str]]
    """The levels of each axis; the first is the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One difference, in units of the score."""

    view: str
    dimension: str
    axes: tuple[str, ...]
    """One of a main effect, two of an interaction."""
    levels: Steps
    effect: Interval
    p: float
    """Two-sided, of the verdict's opposite, corrected for all effects of the view; 1 when undecided."""
    verdict: Direction
    """`same`: the interval lies within the margin on either side of 0."""
    why: str
    """Why it is undecided, and what would decide it; empty otherwise."""
    problems: int
    """Different ones, of all benchmarks together."""
    answers: int
    """Generations behind it; the bases' too where they do not cancel."""
    trials: int
    places: int
    """Settings of the other axes that it is averaged over."""
    seeds: int
    """Of the setting with the fewest; 1 says that the interval is about these runs."""

    @property
    def name(self) -> str:
        """`8ep over 1ep`; of an interaction `8ep over 1ep, more at long-cot than at answer-only`."""
        (level, reference), *more = self.levels
        return f"{level} over {reference}" + "".join(f", more at {a} than at {b}" for a, b in more)


def effects(
    asked: Sequence[Asked],
    dimensions: Mapping[str, Sequence[str]],
    answers: Answers,
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    seed: int = 0,
    draws: int = DRAWS,
) -> list[Effect]:
    """All effects that the checkpoints allow; those of one view are corrected together by Holm's method.

    A checkpoint that lacks a benchmark of a dimension, which others of its view have, is left out of it.

    Args:
        asked: several of the same view are one family.
        dimensions: dimension -> its benchmarks.
        answers: of the checkpoints and their bases, as far as there are any.
        margin: below which two levels are the same, in [0, 1].
        level: of the intervals; 1 - level is the chance of even one false verdict in a view.
        seed: of the draws.
        draws: some thousands.
    """
    families: dict[str, list[Effect]] = {}
    for one in asked:
        for dimension, names in dimensions.items():
            pool = _Pool.of(one, names, answers)
            found = [] if pool is None else pool.effects(one.view, dimension, margin, level, seed, draws)
            families.setdefault(one.view, []).extend(found)
    return [effect for family in families.values() for effect in _together(family, level)]


def _together(family: Sequence[Effect], level: float) -> list[Effect]:
    adjusted = holm([effect.p for effect in family])
    return [
        replace(effect, p=p)
        if effect.verdict == "undecided" or p <= 1 - level
        else replace(
            effect,
            p=1.0,
            verdict="undecided",
            why=f"not after correction for {len(family)} effects (p {p:.2g})",
        )
        for effect, p in zip(family, adjusted, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Pool:
    """Checkpoints that answered all benchmarks of a dimension, and the contrasts among them."""

    tables: list[Array]
    """Per benchmark (weights, problems)."""
    samples: int
    """Of each problem at least."""
    luck: Array
    """(weights,) variance of a mean that goes when samples of the same problems grow without end."""
    answers: Array
    """(weights,) generations."""
    found: list[tuple[Contrast, dict[int, float]]]
    """Each contrast and its weights on rows of the tables."""
    groups: dict[Setting, tuple[int, ...]]
    """Rows of each setting's seeds."""
    trained: npt.NDArray[np.bool_]
    """(weights,) False for untrained bases."""

    @classmethod
    def of(cls, asked: Asked, names: Sequence[str], answers: Answers) -> _Pool | None:
        """None where there is nothing to compare."""
        known = [name for name in names if any((a.trial, a.step, name) in answers for a in asked.arms)]
        groups: dict[Setting, dict[str, Arm]] = {}
        for arm in asked.arms:
            if all((arm.trial, arm.step, name) in answers for name in known):
                groups.setdefault(arm.setting, {})[arm.weights] = arm
        where: dict[str, tuple[str, int]] = {}
        for seeds in groups.values():
            where |= {key: (arm.trial, arm.step) for key, arm in seeds.items()}
            where |= {
                arm.origin: (arm.trial, 0)
                for arm in seeds.values()
                if all((arm.trial, 0, name) in answers for name in known)
            }
        place = {key: i for i, key in enumerate(where)}
        found: list[tuple[Contrast, dict[int, float]]] = []
        seen = set[frozenset[tuple[int, float]]]()
        for contrast in contrasts(list(groups), asked.axes, asked.order):
            weights: defaultdict[str, float] = defaultdict(float)
            for setting, weight in contrast.weights.items():
                for arm in groups[setting].values():
                    weights[arm.weights] += weight / len(groups[setting])
                    weights[arm.origin] -= weight / len(groups[setting])
            used = {key: weight for key, weight in weights.items() if abs(weight) > SAME}
            if used and used.keys() <= place.keys():
                rows = {place[key]: weight for key, weight in used.items()}
                same = frozenset((row, round(weight, 9)) for row, weight in rows.items())
                if same not in seen:
                    seen.add(same)
                    found.append((contrast, rows))
        if not known or not found:
            return None
        tables = [aligned([answers[*at, name].row for at in where.values()]) for name in known]
        if min(table.shape[1] for table in tables) < 2:
            return None
        found_samples = [min(_samples(answers[*at, name]) for at in where.values()) for name in known]
        lucks = [luck_of(table, samples) for table, samples in zip(tables, found_samples, strict=True)]
        untrained = {arm.origin for seeds in groups.values() for arm in seeds.values()}
        return cls(
            tables,
            min(found_samples),
            np.sum(lucks, axis=0) / len(known) ** 2,
            np.array([sum(answers[*at, name].answers for name in known) for at in where.values()]),
            found,
            {setting: tuple(place[key] for key in seeds) for setting, seeds in groups.items()},
            np.array([key not in untrained for key in where]),
        )

    def effects(
        self, view: str, dimension: str, margin: float, level: float, seed: int, draws: int
    ) -> list[Effect]:
        """Each by itself; not yet corrected for their number."""
        spread = {
            rows: Between.of([table[list(rows)] for table in self.tables])
            for rows in set(self.groups.values())
            if len(rows) > 1
        }
        random = np.random.default_rng([seed, zlib.crc32(f"{view} {dimension}".encode())])
        problems = sum(table.shape[1] for table in self.tables)
        made: list[Effect] = []
        for start in range(0, len(self.found), _TOGETHER):
            some = self.found[start : start + _TOGETHER]
            weights = np.zeros((len(some), len(self.answers)))
            for row, (_, used) in zip(weights, some, strict=True):
                row[list(used)] = list(used.values())
            values, errors = np.zeros(len(some)), np.zeros((draws, len(some)))
            for i, table in enumerate(self.tables):
                differences = weights @ table
                values += differences.mean(1) / len(self.tables)
                own = seed + zlib.crc32(f"{dimension} {i}".encode())
                errors += paired_errors(differences, seed=own, draws=draws) / len(self.tables)
            for j, (contrast, used) in enumerate(some):
                groups = {self.groups[setting] for setting in contrast.weights}
                between = [spread[rows] for rows in groups if rows in spread]
                factor = float((weights[j, self.trained] ** 2).sum())
                error = Error.of(errors[:, j], between, factor, random)
                value = float(values[j])
                state, p = error.verdict(value, margin, level)
                distance = max(abs(value), margin - abs(value))
                most = float(np.maximum(weights[j], 0.0).sum())  # no score is beyond 0 to 1
                made.append(
                    Effect(
                        view=view,
                        dimension=dimension,
                        axes=contrast.axes,
                        levels=contrast.levels,
                        effect=error.interval(value, level).within(-most, most),
                        p=p,
                        verdict=state,
                        why=error.need(
                            distance,
                            level,
                            problems=problems,
                            seeds=min(map(len, groups)),
                            samples=self.samples,
                            luck=float(weights[j] ** 2 @ self.luck),
                        )
                        if state == "undecided"
                        else "",
                        problems=problems,
                        answers=int(self.answers[list(used)].sum()),
                        trials=int(self.trained[list(used)].sum()),
                        places=contrast.places,
                        seeds=min(map(len, groups)),
                    )
                )
        return made


def _samples(one: Answered) -> int:
    """Of each problem, at least on average."""
    return one.answers // max(1, len(one.problems))
