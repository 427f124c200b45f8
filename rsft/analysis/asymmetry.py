"""What reasoning costs in safety: gain against change, checkpoint by checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rsft.analysis.bootstrap import Interval
from rsft.analysis.trajectory import Trajectories, mean_gain

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
    trajectories: Trajectories,
    dimensions: Mapping[str, str],
    trials: Mapping[str, tuple[str, str]],
) -> list[Point]:
    """Every checkpoint that has both, trial by trial.

    Gains are paired by problem; benchmarks count alike and are independent. Which checkpoints lie on the
    Pareto front is of the values as observed.

    Args:
        trajectories: by trial and benchmark. A checkpoint counts when it was asked all reasoning and safety
            benchmarks that have one in its trial.
        dimensions: of the benchmarks.
        trials: id -> base and data.
    """
    by_trial: dict[str, dict[str, dict[int, Interval]]] = {trial: {} for trial in trials}
    for (trial, benchmark), found in trajectories.items():
        by_trial[trial][benchmark] = dict(zip(found.steps[1:], found.gains, strict=True))

    points: list[Point] = []
    for trial, asked in by_trial.items():
        for step in sorted({step for gains in asked.values() for step in gains}):
            reasoning, safety, answered = (
                _change([gains for name, gains in asked.items() if dimensions[name] in group], step)
                for group in (REASONING, (SAFETY,), (OVER_REFUSAL,))
            )
            if reasoning is None or safety is None:
                continue
            base, data = trials[trial]
            points.append(
                Point(
                    trial=trial,
                    base=base,
                    data=data,
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


def _change(benchmarks: Sequence[Mapping[int, Interval]], step: int) -> Interval | None:
    """Mean gain at a step; None unless there are benchmarks and all have it."""
    found = [gains[step] for gains in benchmarks if step in gains]
    return mean_gain(found) if found and len(found) == len(benchmarks) else None


def _on_front(one: Point, places: set[tuple[float, float]]) -> bool:
    """Whether no other place is at least as good in both."""
    mine = (one.reasoning.value, one.safety.value)
    return not any(at != mine and at[0] >= mine[0] and at[1] >= mine[1] for at in places)
