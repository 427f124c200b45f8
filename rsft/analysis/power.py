"""What intervals must support, and how many more problems or samples would let them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from rsft.analysis.bootstrap import LEVEL, SAME, Array, Bootstrap, quantiles

POWER = 0.8
"""Chance that a question is decided with so many, if the effects are what they seem to be."""
FAR = 1_000
"""A need of more than so many times what there is says that no number would do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Condition:
    """A statement about contrasts of rows of scores, that intervals support or do not."""

    weights: Array
    """(contrasts, rows)."""
    limit: float = 0.0
    some_above: bool
    """True: some contrast is above the limit; False: all of them are below it."""

    def supported(self, boot: Bootstrap, level: float) -> bool:
        """Whether the interval at `level` lies on the stated side of the limit."""
        if not len(self.weights):
            return not self.some_above
        if not self.holds(boot.means):  # nor does its interval, which holds what was observed
            return False
        found = boot.largest(self.weights, level=level)
        return found.low > self.limit if self.some_above else found.high < self.limit

    def p(self, boot: Bootstrap) -> float:
        """Two-sided p-value of its opposite."""
        if not len(self.weights):
            return 1.0 if self.some_above else 0.0
        test = boot.p_some_above if self.some_above else boot.p_all_below
        return test(self.weights, self.limit)

    def holds(self, rows: Array) -> bool:
        """Whether it is true of scores (rows,)."""
        found = self.weights @ rows
        return bool((found > self.limit).any() if self.some_above else (found < self.limit).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What would decide an undecided question."""

    problems: int
    """More problems, answered as often as those there are."""
    samples: int | None
    """More samples of each of the same problems; None where these alone would not do, or where one sample
    each does not tell how much of the spread is luck."""
    answers: int
    """More answers per checkpoint, in the cheaper of the two ways."""

    @property
    def words(self) -> str:
        """`needs 3 more samples of each problem (1,500 more answers per checkpoint)`."""
        cost = f" ({self.answers:,} more answers per checkpoint)"
        if self.samples is not None:
            return f"needs {self.samples:,} more samples of each problem{cost}"
        return f"needs {self.problems:,} more problems{cost}"


class Power:
    """The chance that conditions would be supported, had there been other numbers of problems and samples.

    Takes the observed effects for the true ones and the bootstrap's draws for the errors, which shrink with
    the square root of the number of problems. With m samples a contrast's variance is t^2 + luck / m, where
    t^2 is what problems truly differ by (Miller 2024, arXiv:2411.00640, section 3.1).
    """

    def __init__(
        self,
        boot: Bootstrap,
        conditions: Sequence[Condition],
        luck: Array | None,
        samples: int,
        *,
        level: float = LEVEL,
    ) -> None:
        """
        Args:
            boot: of the scores there are.
            conditions: that are to be supported together.
            luck: (rows,) variance within a problem of one sample; None where it is not known.
            samples: of each problem that there are.
            level: of the intervals.
        """
        self.boot, self.luck, self.samples = boot, luck, samples
        self.possible = all(condition.holds(boot.means) for condition in conditions)
        self._conditions, self._level = conditions, level

    @cached_property
    def _tests(self) -> list[tuple[Condition, Array, Array, Array]]:
        """Conditions with values, standard errors and, in the draws, distances of the interval's end."""
        boot, level = self.boot, self._level
        tests = list[tuple[Condition, Array, Array, Array]]()
        for condition in self._conditions:
            if not len(condition.weights):
                continue
            values, stderr, errors = boot.contrast(condition.weights)
            if condition.some_above:
                noise = -errors / np.maximum(stderr, SAME)[:, None]
                away = errors - (quantiles(noise.max(0), (1 + level) / 2) * stderr)[:, None]
            else:
                away = errors + quantiles(errors, (1 + level) / 2)[0][:, None]
            tests.append((condition, values, stderr, away))
        return tests

    def chance(self, problems: float, samples: float) -> float:
        """With so many problems, each answered so often; other samples than there are need `luck`."""
        fine = np.ones(self.boot.draws.shape[1], dtype=bool)
        for condition, values, stderr, away in self._tests:
            shrink = math.sqrt(self.boot.n / problems) * np.ones(len(values))
            if self.luck is not None:
                variance = np.maximum(self.boot.n * stderr**2, SAME)
                within = np.minimum(condition.weights**2 @ self.luck / self.samples, variance)
                shrink *= np.sqrt(1 - within / variance * (1 - self.samples / samples))
            ends = away * shrink[:, None]
            ends += values[:, None]
            if condition.some_above:
                fine &= (ends > condition.limit).any(0)
            else:
                fine &= (ends < condition.limit).all(0)
        return float(fine.mean())

    def need(self, power: float = POWER) -> Need | None:
        """The least more with which that chance is `power`; None where no number up to FAR times of what
        there is would do."""
        n, m = self.boot.n, self.samples
        problems = self._times(power, again=False) if self.possible else None
        if problems is None:
            return None
        more = max(1, math.ceil((problems - 1) * n))
        times = None if self.luck is None else self._times(power, again=True)
        again = None if times is None else max(1, math.ceil((times - 1) * m))
        if again is not None and again * n > 4 * more * m:
            again = None  # asking the same problems over and over is the dearer way by far
        answers = more * m if again is None else again * n
        return Need(problems=more, samples=again, answers=answers)

    def _times(self, power: float, *, again: bool) -> float | None:
        """The least multiple, from 1 to FAR, of problems or, with `again`, of samples that has the chance.

        In each draw an end lies on the stated side once errors have shrunk below value over error, which
        gives the multiple that the draw needs. A contrast that is not on that side itself counts for none.
        """
        needed = np.ones(self.boot.draws.shape[1])
        for condition, values, stderr, away in self._tests:
            side = 1.0 if condition.some_above else -1.0
            true = side * (values - condition.limit)
            good = true > 0
            if not (good.any() if condition.some_above else good.all()):
                return None  # `possible` by rounding alone
            ratios = np.maximum(-side * away[good], 0.0) / true[good, None]
            times = ratios * ratios  # the inverse of the share of variance that may be left
            if again and self.luck is not None:
                variance = np.maximum(self.boot.n * stderr**2, SAME)
                within = np.minimum(condition.weights**2 @ self.luck / self.samples, variance)
                share = (within / variance)[good, None]
                left = 1 - (1 - share) * times
                with np.errstate(divide="ignore", invalid="ignore"):
                    times = np.where(times <= 1, 1.0, np.where(left > 0, share * times / left, np.inf))
            np.maximum(needed, times.min(0) if condition.some_above else times.max(0), out=needed)
        at = max(0, math.ceil(power * len(needed)) - 1)
        found = (1 + SAME) * float(np.partition(needed, at)[at])  # an end on the limit is not beyond it
        return found if found <= FAR else None


def problems_needed(
    effect: float, spread: float, *, level: float = LEVEL, power: float = POWER
) -> int | None:
    """Problems that let a paired test see a mean difference of `effect`; where only errors are known.

    n = ((z_level + z_power) spread / effect)^2 (Miller 2024, l.c., section 5).

    Args:
        effect: distance of the true mean difference from the limit that it is tested against.
        spread: standard deviation of the differences over problems, same unit.
        level: of the two-sided interval.
        power: chance to see it.

    Returns:
        Two or more; None for no effect.
    """
    if abs(effect) < SAME:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    return max(2, math.ceil((z * spread / effect) ** 2))
