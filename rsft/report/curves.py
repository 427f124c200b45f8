"""What the figures draw, as numbers: means over seeds by step, and training logs cut to size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsft.analysis.references import References
from rsft.report.results import Results

LOSS_POINTS = 150
"""Longer training logs are averaged in so many bins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a panel."""

    base: str
    variant: str
    length: str
    points: tuple[tuple[int, float, float], ...]
    """Step, mean over seeds, standard error."""


def curves(results: Results, benchmark: str, metric: str) -> list[Curve]:
    """One curve per base, variant and length: at each step the mean over the seeds that reached it.

    The error of a mean over seeds is the larger of two: the seeds' mean standard error (all seeds
    answered the same problems, so the luck of the problems does not average out) and their spread
    over the root of their number.
    """
    families: dict[tuple[str, str, str], dict[int, list[tuple[float, float]]]] = {}
    for axes in results.trials:
        for step, estimate in results.of(axes.trial, benchmark, metric).items():
            family = families.setdefault((axes.base, axes.variant, axes.length), {})
            family.setdefault(step, []).append((estimate.value, estimate.stderr))
    return [
        Curve(
            base=base,
            variant=variant,
            length=length,
            points=tuple((step, *_over_seeds(pairs)) for step, pairs in sorted(steps.items())),
        )
        for (base, variant, length), steps in families.items()
    ]


def steps_of(found: Iterable[Curve]) -> list[int]:
    """Every step at which one of the curves has a point, ascending."""
    return sorted({step for curve in found for step, _, _ in curve.points})


def published_curves(results: Results, benchmark: str, references: References) -> list[Curve]:
    """Published scores of this benchmark as curves without errors, one per base, variant and length."""
    found: dict[tuple[str, str, str], Curve] = {}
    for axes in results.trials:
        steps = references.get((axes.trial, benchmark))
        if steps:
            key = (axes.base, axes.variant, axes.length)
            points = tuple((step, value, 0.0) for step, value in steps.items())
            found[key] = Curve(base=axes.base, variant=axes.variant, length=axes.length, points=points)
    return list(found.values())


def _over_seeds(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    n = len(pairs)
    mean = sum(value for value, _ in pairs) / n
    errors = [error for _, error in pairs if not math.isnan(error)]
    own = sum(errors) / len(errors) if errors else 0.0
    if n == 1:
        return mean, own
    spread = math.sqrt(sum((value - mean) ** 2 for value, _ in pairs) / (n - 1) / n)
    return mean, max(own, spread)


def loss_points(rows: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Step and loss (nats per target token) of a training log, at most LOSS_POINTS of them.

    Rows without a finite loss are left out: they are a failure's matter, not a curve's.
    """
    points = [
        (float(row["step"]), float(row["loss"]))
        for row in rows
        if None not in (row.get("step"), row.get("loss")) and math.isfinite(row["loss"])
    ]
    if len(points) <= LOSS_POINTS:
        return points
    edges = [round(i * len(points) / LOSS_POINTS) for i in range(LOSS_POINTS + 1)]
    bins = [points[a:b] for a, b in itertools.pairwise(edges)]
    return [
        (sum(step for step, _ in group) / len(group), sum(loss for _, loss in group) / len(group))
        for group in bins
    ]
