"""How a score moves over training: dip, recovery, gain, convergence; each number with its interval.

A verdict is a list of conditions (rsft.analysis.verdicts), and is given only when intervals support all of
them; see rsft.analysis.bootstrap for the intervals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from rsft.analysis.bootstrap import DRAWS, LEVEL, SAME, Array, Bootstrap, Interval, holm
from rsft.analysis.means import ProblemMeans
from rsft.analysis.power import Condition, Need, Power
from rsft.analysis.verdicts import MARGIN, Verdict, open_conditions, verdict_conditions
from rsft.errors import DataError
from rsft.scoring.agreement import wilson
from rsft.spec.claim import SHAPES

TOKEN_MARGIN = 0.1
"""The smallest change of the response length that matters, as a share of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One trial on one benchmark.

    Raises:
        DataError: not a curve, see the fields.
    """

    steps: tuple[int, ...]
    """Ascending, 0 (the untrained base) first, then one or more."""
    scores: Array
    """(steps, problems): mean over samples of each problem's score, in [0, 1]; two problems or more."""
    tokens: Array | None = None
    """(steps, problems): mean response tokens; None when unknown."""
    samples: int = 1
    """Answers per problem and step."""

    def __post_init__(self) -> None:
        if len(self.steps) < 2 or self.steps[0] != 0 or any(b <= a for a, b in pairwise(self.steps)):
            raise DataError(f"a curve has step 0, the base, and later ones, ascending; got {self.steps}.")
        if self.scores.ndim != 2 or len(self.scores) != len(self.steps) or self.scores.shape[1] < 2:
            raise DataError(
                f"a curve's scores are (steps, problems), {len(self.steps)} steps and 2 problems or more; "
                f"got {self.scores.shape}."
            )
        if not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise DataError("a curve's scores are numbers from 0 to 1; found nan or beyond.")
        if self.tokens is not None:
            if self.tokens.shape != self.scores.shape:
                raise DataError(f"a curve's tokens are {self.scores.shape}; got {self.tokens.shape}.")
            if not (np.isfinite(self.tokens) & (self.tokens >= 0)).all():
                raise DataError("a curve's tokens are numbers of 0 or more; found nan or beyond.")

    @property
    def luck(self) -> Array | None:
        """(steps,) variance within a problem of one right-or-wrong sample; None with one sample each."""
        if self.samples < 2:
            return None
        within = (self.scores * (1 - self.scores)).mean(1) * self.samples / (self.samples - 1)
        return np.asarray(within, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """What a curve shows. Scores and their differences are in units of the score, not points.

    No interval goes beyond what is possible: from an end of the base's own (Wilson's) down to 0 or up to 1.
    """

    margin: float
    problems: int
    samples: int
    steps: tuple[int, ...]
    """Of the curve: 0, the untrained base, first."""
    gains: tuple[Interval, ...]
    """Score minus the base's at each later step, each by itself."""
    dip: Interval
    """The base's score minus the lowest later one; negative when none is below the base."""
    dip_step: Interval
    """The step with the lowest later score."""
    recovery_step: Interval | None
    """First step after the dip's at the base's score or more, and where resamples put it (`high` may be
    inf); None where the curve never was below the base, or never came back."""
    recovered: Interval
    """Final score minus the lowest later one: 0 or more."""
    final: Interval
    """Final score minus the base's."""
    best: Interval
    """Highest later score minus the base's."""
    area: Interval
    """Mean gain over log2(1 + step): trapezoids, divided by log2(1 + last step)."""
    fall: Interval
    """The largest fall from any step, the base too, to any later one."""
    verdict: Verdict
    p: float
    """Two-sided p-value of the verdict: that one of its conditions is not so; 1 when undecided."""
    opens: tuple[tuple[Verdict, float], ...]
    """Verdicts that leave the shape open, what says most first, each with its p-value (`open_conditions`);
    for `controlled`."""
    need: Need | None
    """What would decide an undecided verdict; None where it is decided, or where nothing would."""
    score_drift: Interval
    """Change of the score over the last doubling of steps."""
    token_drift: Interval | None
    """The same of the response length, as a share of its mean there."""
    converged: bool
    """False when a drift lies beyond its margin; True says only that none was seen to."""
    second_rise: bool
    """Response lengths fell from the peak of a trained step and rise again to the end."""
    overfitting: bool
    """They do so while the score falls."""
    withdrawn: Verdict | None = None
    """The shape that this curve alone would have, where its family is too large for it (`controlled`)."""

    @property
    def sentence(self) -> str:
        """One line for the report, in points (hundredths of the score), intervals in brackets."""
        margin, back = f"{100 * self.margin:.1f} points", self.recovery_step
        if self.verdict == "no change":
            found = f"stays within {margin} of the base at every step"
        elif self.dip.low > 0:
            found = f"falls {self.dip.points(' below the base')} by step {self.dip_step.value:.0f}"
            if back is not None:
                found += f", is back at its level at step {back.value:.0f}"
            elif self.dip_step.value > 0 and self.verdict != "dip and recovery":
                found += ", was not seen at its level again"
        elif self.dip.high < self.margin:
            found = f"never falls {margin} below the base"
        else:
            found = f"may fall up to {100 * max(0.0, self.dip.high):.1f} points below the base"
        if self.verdict == "gain, then loss":
            found += f", rises {self.best.points(' above it')} and falls back {self.fall.points()}"
        end = self.final if self.final.value >= 0 else self.final.negative
        found += f", ends {end.points(' above it' if self.final.value >= 0 else ' below it')}"
        if self.verdict not in SHAPES:
            why = "no number of answers would tell" if self.need is None else self.need.words
            if self.withdrawn is not None:
                why = f"{self.withdrawn} if it were the only curve, not after correction for all of them"
            found += f"; {self.verdict.split(', ')[-1]}, {why}"
        if self.second_rise:
            found += "; answers grow longer again"
            found += " while the score falls (overfitting)" if self.overfitting else ""
        return found if self.converged else f"{found}; not converged: do not conclude"


Trajectories = Mapping[tuple[str, str], Trajectory]
"""By trial id and benchmark."""


def mean_gain(gains: Sequence[Interval]) -> Interval:
    """Over benchmarks, which count alike and are independent: distances of ends from values add up as errors
    do (Zou and Donner 2008, Stat. Med. 27:1693)."""
    value = sum(gain.value for gain in gains) / len(gains)
    below = math.hypot(*(gain.value - gain.low for gain in gains)) / len(gains)
    return Interval(value, value - below, value + math.hypot(*(g.high - g.value for g in gains)) / len(gains))


def curve_of(cells: Mapping[int, ProblemMeans]) -> Curve:
    """The curve of a trial on a benchmark, of the problems that were graded at every step.

    Args:
        cells: by step, 0 included.

    Raises:
        DataError: no step 0 or nothing after it, or fewer than two problems in common.
    """
    steps = tuple(sorted(cells))
    common = cells[steps[0]].problems if steps else np.array([])
    for step in steps[1:]:
        if not np.array_equal(common, cells[step].problems):
            common = np.intersect1d(common, cells[step].problems, assume_unique=True)
    found = [cells[step].of_problems(common) for step in steps]
    shape = (len(steps), len(common))
    return Curve(
        steps=steps,
        scores=np.array([one.scores for one in found], dtype=np.float64).reshape(shape),
        tokens=np.array([one.tokens for one in found], dtype=np.float64).reshape(shape),
        samples=int(min((one.samples.min() for one in found if len(common)), default=1)),
    )


def trajectory(
    curve: Curve, *, seed: int = 0, draws: int = DRAWS, level: float = LEVEL, margin: float = MARGIN
) -> Trajectory:
    """What a curve shows, from `draws` resamples of its problems."""
    count, log = len(curve.steps), np.log2(1.0 + np.array(curve.steps))
    end = np.flatnonzero(np.array(curve.steps) >= curve.steps[-1] / 2)
    end = end if len(end) > 1 else np.array([count - 2, count - 1])
    tokens = None if curve.tokens is None else curve.tokens / max(1.0, float(curve.tokens[end].mean()))
    boot = Bootstrap(curve.scores, tokens, seed=seed, draws=draws)
    every = np.eye(len(boot.rows))
    score, length = every[:count], every[count:]
    low, high = wilson(float(boot.n * boot.means[0]), boot.n, NormalDist().inv_cdf((1 + level) / 2))
    least, most = -high, 1.0 - low
    gains = tuple(gain.within(least, most) for gain in boot.intervals(score[1:] - score[0], level))
    earlier, later = np.triu_indices(count, 1)
    dip_step, recovery_step = _turns(boot, curve.steps, level)
    line = log[end] - log[end].mean()
    line *= np.ptp(line) / (line @ line)  # the slope of the fitted line, times the stretch it spans
    over_steps = np.trapezoid(score - score[0], log, axis=0) / log[-1]
    singles = [over_steps, *(line @ rows[end] for rows in (score, length) if len(rows))]
    area, *drifts = boot.intervals(np.stack(singles), level)
    moves = [max(d.low, -d.high) > m for d, m in zip(drifts, (margin, TOKEN_MARGIN), strict=False)]
    verdict, p, needed = _decide(boot, curve, level, margin)
    rises, falls = _second_rise(boot, score, length, level) if len(length) > 3 else (False, False)
    return Trajectory(
        margin=margin,
        problems=boot.n,
        samples=curve.samples,
        steps=curve.steps,
        gains=gains,
        dip=boot.largest(score[0] - score[1:], level=level).within(-most, -least),
        dip_step=dip_step,
        recovery_step=recovery_step,
        recovered=boot.largest(score[-1] - score[1:-1], least=0.0, level=level).within(0.0, 1.0),
        final=gains[-1],
        best=boot.largest(score[1:] - score[0], level=level).within(least, most),
        area=area.within(least, most),
        fall=boot.largest(score[earlier] - score[later], level=level).within(-1.0, 1.0),
        verdict=verdict,
        p=p,
        opens=tuple((name, min(1.0, 2 * c.p(boot))) for name, c in _opens(count, len(boot.rows)).items()),
        need=needed,
        score_drift=drifts[0],
        token_drift=drifts[1] if len(drifts) > 1 else None,
        converged=not any(moves),
        second_rise=rises,
        overfitting=falls,
    )


def controlled(found: Sequence[Trajectory], level: float = LEVEL) -> list[Trajectory]:
    """The same trajectories with verdicts that stand correction for their number: the chance of even one
    wrong one in the family is 1 - level at most.

    Shapes are corrected by Holm's method (see `rsft.analysis.bootstrap.holm`). What is withdrawn or was
    undecided may still be sure of less, such as a loss whose shape is open: a shape that stands hands its
    share of 1 - level on to the other curves, so these have theirs at the number of curves without one
    (Bretz et al. 2009, Stat. Med. 28:586).
    """
    adjusted = holm([one.p for one in found])
    shaped = [p <= 1 - level and one.verdict != "undecided" for one, p in zip(found, adjusted, strict=True)]
    limit = (1 - level) / max(1, shaped.count(False))
    return [one if stands else _less(one, limit) for one, stands in zip(found, shaped, strict=True)]


def _less(one: Trajectory, limit: float) -> Trajectory:
    """Without its shape: the first open verdict with a p-value up to the limit, or undecided."""
    verdict, p = next((each for each in one.opens if each[1] <= limit), ("undecided", 1.0))
    withdrawn = None if one.verdict == "undecided" else one.verdict
    return replace(one, verdict=verdict, p=p, withdrawn=withdrawn)


def _decide(boot: Bootstrap, curve: Curve, level: float, margin: float) -> tuple[Verdict, float, Need | None]:
    """The verdict with its p-value, or what would decide the likeliest."""
    rows, count = len(boot.rows), len(curve.steps)
    candidates = _candidates(count, rows, margin)
    for verdict, conditions in candidates.items():
        if all(condition.supported(boot, level) for condition in conditions):
            return verdict, max(condition.p(boot) for condition in conditions), None
    luck = None if curve.luck is None else np.concatenate([curve.luck, np.zeros(rows - count)])
    needs = [Power(boot, each, luck, curve.samples, level=level).need() for each in candidates.values()]
    return "undecided", 1.0, min((n for n in needs if n), key=lambda n: n.answers, default=None)


# Thousands of curves have as many steps, and so the same conditions.
@lru_cache(maxsize=16)
def _candidates(count: int, rows: int, margin: float) -> dict[Verdict, tuple[Condition, ...]]:
    every = verdict_conditions(count, margin)
    return {verdict: tuple(_wide(one, rows) for one in each) for verdict, each in every.items()}


@lru_cache(maxsize=16)
def _opens(count: int, rows: int) -> dict[Verdict, Condition]:
    return {verdict: _wide(one, rows) for verdict, one in open_conditions(count).items()}


def _wide(condition: Condition, rows: int) -> Condition:
    """A condition on scores as one on all rows, response lengths too."""
    wide = np.zeros((len(condition.weights), rows))
    wide[:, : condition.weights.shape[1]] = condition.weights
    return replace(condition, weights=wide)


def _turns(boot: Bootstrap, steps: Sequence[int], level: float) -> tuple[Interval, Interval | None]:
    """Steps of dip and recovery, as observed and where the middle `level` of resamples put them."""
    count, times = len(steps), np.array([*steps, math.inf])
    means = np.column_stack([boot.means, boot.draws[:-1]])[:count]  # as observed, then the draws
    dip = 1 + means[1:].argmin(0)
    back = (means >= means[0] - SAME) & (np.arange(count)[:, None] >= dip)
    first = np.vstack([back, np.ones((1, len(dip)), dtype=bool)]).argmax(0)
    tails = ((1 - level) / 2, (1 + level) / 2)

    def interval(found: Array) -> Interval:
        # np.quantile(method="inverted_cdf"), of whole numbers by counting them
        reached = np.bincount(found[1:]).cumsum()
        low, high = (int(np.searchsorted(reached, tail * reached[-1])) for tail in tails)
        return Interval(*map(float, times[[int(found[0]), low, high]]))

    returned = dip[0] < first[0] < count
    return interval(dip), interval(first) if returned else None


def _second_rise(boot: Bootstrap, score: Array, length: Array, level: float) -> tuple[bool, bool]:
    """Whether lengths rise again, and whether scores fall meanwhile: since the trough with the most marked
    peak before it and end after it, not counting the base."""
    at = (length @ boot.rows).mean(1)
    depths = {j: min(at[1:j].max(), at[-1]) - at[j] for j in range(2, len(at) - 1)}
    trough = max(depths, key=lambda j: depths[j])
    peak = 1 + int(at[1:trough].argmax())
    fell, rose = boot.intervals(length[[peak, -1]] - length[trough], level)
    (change,) = boot.intervals((score[-1] - score[trough])[None], level)
    rises = min(fell.low, rose.low) > TOKEN_MARGIN
    return rises, rises and change.high < 0
