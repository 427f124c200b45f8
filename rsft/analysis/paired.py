"""The difference between two sets of answers to the same problems, with its interval and p-value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsft.analysis.bootstrap import DRAWS, LEVEL, Bootstrap, Interval
from rsft.analysis.trajectory import curve_of
from rsft.records import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The second minus the first, in units of the score (0 to 1)."""

    first: float
    second: float
    """Mean scores over the problems that both answered."""
    change: Interval
    p: float
    """Two-sided, of no difference; in (0, 1]."""
    problems: int
    differing: int
    """Problems on which the two do not score the same."""


def paired_difference(
    first: Sequence[Score],
    second: Sequence[Score],
    *,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Difference:
    """Of the problems that both sides answered: a problem is a cluster, its samples are averaged.

    Args:
        first: verdicts of one side; `error` counts as not answered.
        second: those of the other side, on problems with the same ids.
        seed: of the bootstrap.
        draws: resamples.
        level: of the interval.

    Raises:
        DataError: fewer than two problems in common.
    """
    scores = curve_of({0: first, 1: second}).scores
    boot = Bootstrap(scores, seed=seed, draws=draws)
    up, down = np.array([[-1.0, 1.0]]), np.array([[1.0, -1.0]])
    return Difference(
        first=float(scores[0].mean()),
        second=float(scores[1].mean()),
        change=boot.intervals(up, level)[0],
        p=min(boot.p_some_above(up), boot.p_some_above(down)),
        problems=scores.shape[1],
        differing=int((scores[0] != scores[1]).sum()),
    )
