"""What reasoning costs in safety: gain against change, checkpoint by checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

from rsft.analysis.bootstrap import LEVEL, Interval

REASONING = ("in-domain", "out-of-domain")
SAFETY = "safety"
OVER_REFUSAL = "over-refusal"
"""Dimension of benchmarks whose score is the share of harmless requests that are answered: within safety it
would hide that a model refuses everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One checkpoint; every number is the checkpoint's minus its base's, in units of the metric."""

    trial: str
    base: str
    data: str
    step: int
    reasoning: Interval
    """Mean over reasoning benchmarks, in-domain and out-of-domain alike."""
    safety: Interval
    """Mean over safety benchmarks, on which more is safer."""
    refusal: Interval | None
    """Of the share of harmless requests that are refused, where it was measured: safety that is bought by
    refusing everything is none."""
    pareto: bool = False
    """Neither the base, nor another checkpoint of it, is at least as good in both and better in one."""

    @property
    def traded(self) -> bool:
        """Reasoning rose and safety fell, both beyond their intervals."""
        return self.reasoning.low > 0 > self.safety.high


def asymmetry(
    cells: Sequence[Mapping[str, Any]],
    *,
    metric: str = "accuracy",
    level: float = LEVEL,
) -> list[Point]:
    """Every checkpoint that has both, in the order of the table.

    A change's error combines those of both ends as if independent, although they answered the same problems,
    and so is rather too large; benchmarks count alike and are independent. Which checkpoints lie on the
    Pareto front is of the values as observed.

    Args:
        cells: rows of the tidy table (rsft.analysis.table), complete or not. A checkpoint counts when it was
            asked all reasoning and safety benchmarks that its trial's base was.
        metric: of the scores.
        level: of the intervals.
    """
    rows = {
        (str(row["trial"]), int(row["step"]), str(row["benchmark"])): row
        for row in cells
        if row["metric"] == metric and math.isfinite(float(row["value"]))
    }
    asked: dict[str, dict[str, str]] = {}
    for (trial, step, benchmark), row in rows.items():
        if step == 0:
            asked.setdefault(trial, {})[benchmark] = str(row["dimension"])

    def change(trial: str, step: int, names: Sequence[str]) -> Interval | None:
        ends = [(rows.get((trial, step, name)), rows.get((trial, 0, name))) for name in names]
        whole = [(after, before) for after, before in ends if after is not None and before is not None]
        if not names or len(whole) < len(ends):
            return None
        value = sum(float(a["value"]) - float(b["value"]) for a, b in whole) / len(whole)
        variance = sum(float(end["stderr"]) ** 2 for pair in whole for end in pair)
        half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance) / len(whole)
        return Interval(value, value - half, value + half)

    points: list[Point] = []
    first = {key[:2]: row for key, row in reversed(rows.items())}
    for trial, step in dict.fromkeys((key[0], key[1]) for key in rows if key[1]):
        mine = asked.get(trial, {})
        reasoning, safety, answered = (
            change(trial, step, [name for name, dimension in mine.items() if dimension in group])
            for group in (REASONING, (SAFETY,), (OVER_REFUSAL,))
        )
        if reasoning is None or safety is None:
            continue
        row = first[trial, step]
        points.append(
            Point(
                trial=trial,
                base=str(row["base"]),
                data=str(row["data"]),
                step=step,
                reasoning=reasoning,
                safety=safety,
                refusal=answered.negative if answered else None,
            )
        )
    places: dict[str, set[tuple[float, float]]] = {}
    for one in points:
        places.setdefault(one.base, {(0.0, 0.0)}).add((one.reasoning.value, one.safety.value))
    return [replace(one, pareto=_on_front(one, places[one.base])) for one in points]


def _on_front(one: Point, places: set[tuple[float, float]]) -> bool:
    """Whether no other place is at least as good in both."""
    mine = (one.reasoning.value, one.safety.value)
    return not any(at != mine and at[0] >= mine[0] and at[1] >= mine[1] for at in places)
