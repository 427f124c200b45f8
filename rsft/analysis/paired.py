"""One checkpoint's mean with a bootstrap interval, and two checkpoints on the same problems.

Answers to one problem by two checkpoints go up and down together, so their difference is taken problem by
problem: its error is that of one mean of differences (Miller 2024, arXiv:2411.00640, section 4.2), smaller
than what the two errors alone would allow.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsft.analysis.bootstrap import DRAWS, LEVEL, Bootstrap, Interval
from rsft.errors import DataError
from rsft.records import Score
from rsft.scoring.estimators import ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much more accurate a second set of answers is than a first, on the problems that both answered."""

    first: float
    second: float
    """Means over those problems of their shares of correct samples."""
    change: Interval
    """The second minus the first, with the 95 % bootstrap interval over problems."""
    stderr: float
    p: float
    """Two-sided, of no difference, by the same bootstrap; correct it where several are looked at."""
    problems: int
    differing: int
    """Problems on which the two do not score the same."""
    left_out: int
    """Problems that only one of the two has a graded answer to."""


def problem_means(scores: Sequence[Score]) -> dict[str, float]:
    """Each problem's share of correct samples, errors left out."""
    outcomes: defaultdict[str, list[bool]] = defaultdict(list)
    for score in scores:
        if score.outcome != "error":
            outcomes[score.problem].append(score.outcome == "correct")
    return {problem: sum(found) / len(found) for problem, found in outcomes.items()}


def paired_difference(
    first: Sequence[Score],
    second: Sequence[Score],
    *,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Difference:
    """Compares two sets of answers to the same benchmark.

    Args:
        first: verdicts of one side; `error` counts as not answered.
        second: those of the other side, on problems with the same ids.
        seed: of the bootstrap.
        draws: resamples.
        level: of the interval.

    Raises:
        DataError: fewer than two problems that both answered.
    """
    one, two = problem_means(first), problem_means(second)
    shared = sorted(one.keys() & two.keys())
    if len(shared) < 2:
        raise DataError(
            f"a paired difference needs two problems that both answered; there are {len(shared)}."
        )
    rows = np.array([[side[name] for name in shared] for side in (one, two)])
    boot, weights = Bootstrap(rows, seed=seed, draws=draws), np.array([[-1.0, 1.0]])
    return Difference(
        first=float(rows[0].mean()),
        second=float(rows[1].mean()),
        change=boot.intervals(weights, level)[0],
        stderr=ratio([[float(value)] for value in rows[1] - rows[0]]).stderr,
        p=min(boot.p_some_above(weights), boot.p_some_above(-weights)),
        problems=len(shared),
        differing=int((rows[0] != rows[1]).sum()),
        left_out=len(one.keys() ^ two.keys()),
    )


def bootstrap_interval(
    values: Sequence[float], *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL
) -> Interval:
    """Percentile interval of a mean over problems (Efron and Tibshirani 1993, ch. 13).

    The draws are scipy.stats.bootstrap's. Deviations are stretched by sqrt(n / (n - 1)): a resample of n
    varies as if there were n - 1.

    Args:
        values: one per problem, such as `problem_means`.
        seed: of the draws; the order of values does not matter.
        draws: resamples.
        level: two-sided.

    Raises:
        DataError: fewer than two values.
    """
    sample = np.sort(np.asarray(values, dtype=np.float64))
    n = len(sample)
    if n < 2:
        raise DataError(f"a bootstrap interval needs two or more problems; got {n}.")
    from scipy.stats import bootstrap  # takes a second to import

    drawn = bootstrap(
        (sample,),
        np.mean,
        n_resamples=draws,
        batch=max(1, 2_000_000 // n),
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    mean, ends = float(sample.mean()), np.array(drawn.confidence_interval)
    low, high = mean + (ends - mean) * math.sqrt(n / (n - 1))
    return Interval(mean, float(low), float(high))
