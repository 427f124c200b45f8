"""Resampled problems: intervals and p-values of contrasts, and of the largest of several contrasts.

One bootstrap over problems, all steps of a problem together: a problem is one cluster (Miller 2024,
arXiv:2411.00640, section 2.2), and every step is paired with every other. Every number is made of
contrasts, weighted sums of rows of scores, so one set of draws serves all.

Each draw also holds two imaginary problems, which changed up and down by the typical size of a change (after
Bonett and Price 2012, J. Educ. Behav. Stat. 37:479, who add one to either discordant cell): else few changed
answers give too narrow an interval, and none gives one of no width. Intervals are percentile ones (Efron and
Tibshirani 1993, An Introduction to the Bootstrap, ch. 13): paired differences of means are nearly symmetric,
so bias correction would change little.

The largest of several noisy numbers lies above the largest true one. So of `largest`, `value` is
cross-fitted: picked on one half of the problems, measured on the other, averaged over halvings; `low` is
simultaneous, so it holds whichever contrast was picked (Chernozhukov, Lee and Rosen 2013, Econometrica
81:667, with their adaptive selection). The highest of all upper ends would hold whichever is truly largest,
and far too often where several nearly are. So `high` is where the bootstrap of the largest itself puts it,
which takes observed values for true ones and is right where one stands out; but no less than the highest of
one-sided ends at FLOOR, since it is too bold where many are near (Andrews 2000, Econometrica 68:399). So it
may lie below the upper end of one of them. Verdicts rest on p-values, not on `high`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from rsft.errors import DataError

Array = npt.NDArray[np.float64]

LEVEL = 0.95
"""Of all intervals, two-sided."""
DRAWS = 2_000
SAME = 1e-9
"""Means this close differ by rounding only."""
TAIL_DRAWS = 5
"""At least, from which a tail goes on."""
SMALLEST = 1e-300
"""p-value."""
FLOOR = 0.85
"""Level of the one-sided ends that the upper end of the largest is never below; see bench/trajectories.py."""
_FLOOR_ERRORS = NormalDist().inv_cdf(FLOOR)
"""The same in standard errors; that near the middle, the normal quantile is the draws' own."""
_HALVINGS = 50
_BLOCK = 4_000_000
"""Counts of problems held at once while drawing: 32 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number between its ends, in the unit of what it measures."""

    value: float
    low: float
    high: float

    @property
    def negative(self) -> Interval:
        return Interval(-self.value, -self.high, -self.low)

    def within(self, least: float, most: float) -> Interval:
        """With all three numbers in a range."""
        return Interval(*(min(max(each, least), most) for each in (self.value, self.low, self.high)))

    def points(self, where: str = "") -> str:
        """`15.4 points above the base (12.0 to 18.7)`: hundredths of the unit, with true minus signs."""
        value, low, high = (f"{100 * end:z.1f}" for end in (self.value, self.low, self.high))
        return f"{value} points{where} ({low} to {high})".replace("-", "\N{MINUS SIGN}")


class Bootstrap:
    """Resampled means of rows of scores, and what contrasts of them are worth."""

    def __init__(
        self, scores: Array, more: Array | None = None, *, seed: int = 0, draws: int = DRAWS
    ) -> None:
        """Draws problems with replacement.

        Args:
            scores: (rows, problems), such as one row per step; the same problems in every row.
            more: (others, problems), other rows of the same problems, such as response lengths.
            seed: of the draws; same scores and seed, same numbers, whatever the order of problems.
            draws: resamples, some hundreds or more.

        Raises:
            DataError: fewer than two problems.
        """
        self.count, self.n = scores.shape
        if self.n < 2:
            raise DataError(f"a bootstrap over problems needs two or more of them; got {self.n}.")
        rows = scores if more is None else np.vstack([scores, more])
        self.rows: Array = rows[:, np.lexsort(rows)]
        self.means: Array = self.rows.mean(1)
        """(rows,) as observed."""
        changes = np.abs(self.rows[1 : self.count] - self.rows[0])
        self.change = float((changes**2).sum() / changes.sum()) if changes.any() else 1.0
        size = self.n + 2
        table = np.zeros((size, len(rows) + 1))
        table[:-2, :-1], table[-2:, -1] = self.rows.T, (1.0, -1.0)
        times, half = _drawn(self.n, draws, seed)
        self.draws: Array = np.ascontiguousarray(_resampled(table, times).T)
        """(rows + 1, draws): means, and what the imaginary problems add."""
        self._halves: tuple[Array, Array] = (half @ self.rows.T / self.n, ~half @ self.rows.T / self.n)
        self._contrasts: dict[bytes, tuple[Array, Array, Array]] = {}
        self._noises: dict[bytes, tuple[Array, Array, float]] = {}
        self._largest: dict[tuple[bytes, float], tuple[float, float, float]] = {}

    def contrast(self, weights: Array) -> tuple[Array, Array, Array]:
        """Values (m,), standard errors (m,) and errors of the draws (m, draws) of contrasts (m, rows)."""
        key = _key(weights)
        if key not in self._contrasts:  # conditions of several verdicts have contrasts in common
            self._contrasts[key] = self._contrast(weights)
        return self._contrasts[key]

    def _contrast(self, weights: Array) -> tuple[Array, Array, Array]:
        x, n = weights @ self.rows, self.n
        change = np.where(weights[:, : self.count].any(1), self.change, 0.0)
        mean = x.sum(1) / (n + 2)
        variance = ((x * x).sum(1) + 2 * change**2) / (n + 2) - mean**2
        # n - 1 as for any variance of a sample; the imaginary problems add variance, not precision.
        scale = (n + 2) / math.sqrt(n * (n - 1))
        errors = np.column_stack([weights, change]) @ self.draws
        errors -= mean[:, None]  # in place: with thousands of curves memory is what takes time
        errors *= scale
        return x.mean(1), scale * np.sqrt(np.maximum(0.0, variance) / (n + 2)), errors

    def intervals(self, weights: Array, level: float = LEVEL) -> list[Interval]:
        """Of each contrast (m, rows) by itself."""
        values, _, errors = self.contrast(weights)
        low, high = values + quantiles(errors, (1 - level) / 2, (1 + level) / 2)
        return [Interval(*map(float, each)) for each in zip(values, low, high, strict=True)]

    def largest(self, weights: Array, least: float = -math.inf, level: float = LEVEL) -> Interval:
        """Of the largest of `least` and the true values of contrasts (m, rows); see the module's page."""
        if not len(weights):
            return Interval(least, least, least)
        key = (_key(weights), level)
        if key not in self._largest:
            self._largest[key] = self._of_largest(weights, level)
        return Interval(*(max(least, end) for end in self._largest[key]))

    def _of_largest(self, weights: Array, level: float) -> tuple[float, float, float]:
        values, stderr, _ = self.contrast(weights)
        noise, top, sure = self._noise(weights)
        near = self._near(values, stderr, sure)
        stderr, close = np.maximum(stderr, SAME), noise[near]
        (bound,) = quantiles(top if near.all() else close.max(0), (1 + level) / 2)
        low = (values - bound * stderr)[near].max()
        np.subtract(((values - values.max()) / stderr)[near, None], close, out=close)
        (least,) = quantiles(close.max(0), (1 - level) / 2)
        high = (values - min(least, -_FLOOR_ERRORS) * stderr).max()
        (a, b), each = (half @ weights.T for half in self._halves), np.arange(_HALVINGS)
        value = np.clip((a[each, b.argmax(1)] + b[each, a.argmax(1)]).mean(), low, high)
        return float(value), float(low), float(high)

    def p_some_above(self, weights: Array, limit: float = 0.0) -> float:
        """Two-sided p-value of "no contrast (m, rows) is truly above `limit`"; in (0, 1]."""
        values, stderr, _ = self.contrast(weights)
        stderr = np.maximum(stderr, SAME)
        noise, top, sure = self._noise(weights)
        near = self._near(values, stderr, sure)
        return self._p(top if near.all() else noise[near].max(0), float(((values - limit) / stderr).max()))

    def p_all_below(self, weights: Array, limit: float) -> float:
        """Two-sided p-value of "some contrast (m, rows) truly reaches `limit`"; in (0, 1].

        The largest of the contrasts' own p-values: a claim about all of them needs no correction
        (intersection-union test, Berger 1982, Technometrics 24:295).
        """
        values, stderr, errors = self.contrast(weights)
        stderr = np.maximum(stderr, SAME)
        found = zip(errors / stderr[:, None], (limit - values) / stderr, strict=True)
        return max(self._p(noise, float(distance)) for noise, distance in found)

    def _noise(self, weights: Array) -> tuple[Array, Array, float]:
        """Errors of contrasts (m, draws) in standard errors, turned around; largest of each draw (draws,);
        what that hardly ever exceeds (Chernozhukov et al., l.c., section 3)."""
        key = _key(weights)
        if key not in self._noises:  # the same contrasts are asked for intervals and for several p-values
            _, stderr, errors = self.contrast(weights)
            noise = -errors / np.maximum(stderr, SAME)[:, None]
            top = noise.max(0)
            sure = float(quantiles(top, 1 - 0.1 / math.log(max(self.n, 3)))[0])
            self._noises[key] = noise, top, sure
        return self._noises[key]

    def _near(self, values: Array, stderr: Array, sure: float) -> npt.NDArray[np.bool_]:
        """Contrasts that may be the largest; the others are left out (l.c., section 3)."""
        near: npt.NDArray[np.bool_] = values >= (values - sure * stderr).max() - 2 * sure * stderr
        return near

    def _p(self, noise: Array, distance: float) -> float:
        """Twice the share of draws beyond a distance in standard errors, the data counted as one, so never 0
        (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39).

        Beyond the outermost hundredth, counts of draws are coarse and end at one in all draws, too large
        for dozens of comparisons. There Student's t for so many problems goes on from where the draws are
        (the idea of Knijnenburg et al. 2009, Bioinformatics 25:i161, with another tail). Where problems
        changed one way only it comes near the exact sign test, as the normal tail does not.
        """
        draws, tail = len(noise), max(TAIL_DRAWS, len(noise) // 100)
        beyond = int((noise >= distance).sum())
        share = (1 + beyond) / (1 + draws)
        if beyond < tail < draws:
            start = float(np.partition(noise, draws - tail)[draws - tail])
            share = (1 + tail) / (1 + draws)
            share *= float(stdtr(self.n - 1, -distance) / stdtr(self.n - 1, -start))
        return max(SMALLEST, min(1.0, 2 * share))


def paired_errors(differences: Array, *, seed: int, draws: int = DRAWS) -> Array:
    """Errors (draws, rows) of the means of differences (rows, problems), by the same resampled problems.

    As `Bootstrap`, imaginary problems and all; but every row is a comparison of its own, with its own typical
    change.

    Raises:
        DataError: fewer than two problems.
    """
    count, n = differences.shape
    if n < 2:
        raise DataError(f"a bootstrap over problems needs two or more of them; got {n}.")
    # What is left of a difference by rounding is none, and no change to go by.
    rows = np.where(np.abs(differences) < SAME, 0.0, differences)[:, np.lexsort(differences)]
    size, sums = n + 2, np.abs(rows).sum(1)
    typical = np.divide((rows * rows).sum(1), sums, out=np.ones(count), where=sums > 0)
    table = np.vstack([rows.T, typical, -typical])
    errors = _resampled(table, _drawn(n, draws, seed)[0]) - table.mean(0)
    return np.asarray(size / math.sqrt(n * (n - 1)) * errors, dtype=np.float64)


def quantiles(values: Array, *shares: float) -> Array:
    """Of each row (..., draws), interpolated linearly, as (shares, ...): np.quantile without its overhead,
    which takes most of the time where thousands of curves are short."""
    places, ends = _places(shares, values.shape[-1])
    ordered = np.partition(values, ends, axis=-1)
    found = [
        ordered[..., low] + (ordered[..., high] - ordered[..., low]) * part for low, high, part in places
    ]
    return np.asarray(found, dtype=np.float64)


@lru_cache(maxsize=64)
def _places(shares: tuple[float, ...], draws: int) -> tuple[list[tuple[int, int, float]], list[int]]:
    """Of each share the draw below and the one above, and how far between them it lies; and all of these."""
    at = [share * (draws - 1) for share in shares]
    places = [(int(place), min(int(place) + 1, draws - 1), place - int(place)) for place in at]
    return places, sorted({end for low, high, _ in places for end in (low, high)})


def _resampled(table: Array, times: Sequence[Array]) -> Array:
    """Means (draws, columns) of rows of a table, drawn so many times each (see `_drawn`)."""
    return np.concatenate([counts @ table / len(table) for counts in times])


def _key(weights: Array) -> bytes:
    return (weights + 0.0).tobytes()  # -0.0 + 0.0 is 0.0


def _drawn(n: int, draws: int, seed: int) -> tuple[Sequence[Array], npt.NDArray[np.bool_]]:
    """How often each of n problems and the two imaginary ones is drawn, in blocks of (some draws, n + 2); and
    (halvings, n), true where a problem is in the first half. The same for all curves of as many problems."""
    return _kept(n, draws, seed) if draws * (n + 2) <= _BLOCK else _draw(n, draws, seed)


def _draw(n: int, draws: int, seed: int) -> tuple[Sequence[Array], npt.NDArray[np.bool_]]:
    random, size = np.random.default_rng(seed), n + 2
    step, blocks = max(1, _BLOCK // size), list[Array]()
    for start in range(0, draws, step):
        some = min(draws - start, step)
        picks = random.integers(size, size=(some, size)) + size * np.arange(some)[:, None]
        counts = np.bincount(picks.ravel(), minlength=some * size).reshape(some, size)
        blocks.append(counts.astype(np.float64))
    half = random.permuted(np.tile(np.arange(n) < n // 2, (_HALVINGS, 1)), axis=1)
    return blocks, half


_kept = lru_cache(maxsize=16)(_draw)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in the given order (Holm 1979, Scand. J. Stat. 6:65).

    Raises:
        DataError: a p-value outside 0 to 1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise DataError(f"p-values lie in 0 to 1; got {list(p_values)}.")
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        adjusted[i] = least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that those below q hold a share q of false ones on average, in the given order.

    Benjamini and Hochberg (1995, J. R. Stat. Soc. B 57:289); for independent or positively dependent tests.

    Raises:
        DataError: a p-value outside 0 to 1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise DataError(f"p-values lie in 0 to 1; got {list(p_values)}.")
    adjusted, most, count = [0.0] * len(p_values), 1.0, len(p_values)
    for rank, i in reversed(list(enumerate(sorted(range(count), key=lambda i: p_values[i]), 1))):
        adjusted[i] = most = min(most, count / rank * p_values[i])
    return adjusted
