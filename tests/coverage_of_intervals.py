"""How often 95 % intervals hold the truth, for tests/test_coverage.py and bench/estimators.py.

Problems are drawn from a population without end: a problem's chance to be answered rightly is beta
distributed around the true accuracy (of two checkpoints: probit, with one difficulty), samples are
independent given the problem. Problems and samples are drawn anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from rsft.analysis.paired import bootstrap_interval, paired_difference
from rsft.records import Score
from rsft.scoring.estimators import quantile, ratio, wilson

SPREAD = 2.0
"""Beta(SPREAD p, SPREAD (1 - p)): half of what problems differ by is difficulty."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """One kind of benchmark."""

    accuracy: float
    problems: int
    samples: int


SETTINGS = tuple(
    Setting(accuracy, problems, samples)
    for accuracy in (0.15, 0.5, 0.8)
    for problems, samples in ((30, 8), (100, 4), (500, 1))
)


def _shares(setting: Setting, chances: Array, random: np.random.Generator) -> Array:
    return random.binomial(setting.samples, chances) / setting.samples


def accuracy_held(setting: Setting, random: np.random.Generator) -> tuple[bool, bool]:
    """Whether `wilson` and `bootstrap_interval` hold the true accuracy of one simulated benchmark."""
    p = setting.accuracy
    shares = _shares(setting, random.beta(SPREAD * p, SPREAD * (1 - p), setting.problems), random)
    correct = np.rint(shares * setting.samples).astype(int)
    clusters = [[1.0] * c + [0.0] * (setting.samples - c) for c in correct]
    low, high = wilson(ratio(clusters))
    boot = bootstrap_interval(
        [float(share) for share in shares], seed=int(random.integers(2**31)), draws=1_000
    )
    return low <= p <= high, boot.low <= p <= boot.high


def difference_held(setting: Setting, random: np.random.Generator, gain: float = 0.04) -> bool:
    """Whether `paired_difference` holds the true difference of two checkpoints."""
    normal = NormalDist()
    ease = random.normal(size=setting.problems)
    # Probit chances whose mean is p: Phi(a sqrt(1 + s^2)) averaged over s z is Phi(a).
    chances = [
        np.vectorize(normal.cdf)(normal.inv_cdf(p) * np.sqrt(1 + 1.0) + 1.0 * ease)
        for p in (setting.accuracy, setting.accuracy + gain)
    ]
    rows = [np.rint(_shares(setting, each, random) * setting.samples).astype(int) for each in chances]
    scores = [
        [_score(i, j, j < count) for i, count in enumerate(row) for j in range(setting.samples)]
        for row in rows
    ]
    found = paired_difference(scores[0], scores[1], seed=int(random.integers(2**31)))
    return found.change.low <= gain <= found.change.high


def median_held(setting: Setting, random: np.random.Generator) -> tuple[bool, bool]:
    """Whether the intervals of median and 95th percentile hold those of log-normal lengths."""
    middle = random.normal(7.0, 0.5, size=setting.problems)
    lengths = np.exp(middle[:, None] + random.normal(0.0, 0.5, size=(setting.problems, setting.samples)))
    clusters = [list(map(float, row)) for row in lengths]
    spread = float(np.sqrt(0.5))
    held = []
    for share in (0.5, 0.95):
        truth = float(np.exp(NormalDist(7.0, spread).inv_cdf(share)))
        _, low, high = quantile(clusters, share)
        held.append(low <= truth <= high)
    return held[0], held[1]


def _score(problem: int, sample: int, correct: bool) -> Score:
    return Score(
        problem=f"{problem:04d}",
        sample=sample,
        outcome="correct" if correct else "wrong",
        answer=None,
        where=None,
        raw=float(correct),
        truncated=False,
        tokens=1,
    )


def coverage(setting: Setting, repeats: int, seed: int = 0) -> dict[str, float]:
    """Shares of `repeats` benchmarks whose interval holds the truth, by interval."""
    random = np.random.default_rng((seed, setting.problems, setting.samples, round(100 * setting.accuracy)))
    accuracy = np.array([accuracy_held(setting, random) for _ in range(repeats)]).mean(0)
    difference = np.mean([difference_held(setting, random) for _ in range(max(1, repeats // 4))])
    lengths = np.array([median_held(setting, random) for _ in range(repeats)]).mean(0)
    names = ("accuracy (Wilson)", "accuracy (bootstrap)", "difference", "median", "p95")
    return dict(zip(names, map(float, (*accuracy, difference, *lengths)), strict=True))
