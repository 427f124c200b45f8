"""Which answers to ask for next: steps and samples where they may decide something, until a budget is spent.

The first round asks, of every trial on every benchmark, the base, the last step, steps between them each four
times the one before, and those that claims name, with a quarter of the samples. Then, round by round, what is
still undecided gets more: kept steps between neighbours where its curve bends, halfway in the logarithm, and
more samples where steps would not do. What is decided gets nothing more.

Looking several times and stopping when it is decided makes false verdicts more frequent (Armitage, McPherson
and Rowe 1969, J. R. Stat. Soc. A 132:235). So each of ROUNDS looks before the last may decide at EARLY, and
the last one at LAST, and these add up to 1 - LEVEL (after Haybittle 1971, Br. J. Radiol. 44:793, and Peto et
al. 1976, Br. J. Cancer 34:585; added up by Bonferroni's inequality, so however dependent they are). When a
look is due is fixed by the budget and not by the data: each further round spends an equal part of what the
first leaves. A budget that is raised afterwards is another chance: its looks have half the former's shares,
so all together stay below twice 1 - LEVEL.

What this does not cover: a verdict is about the steps that were evaluated, and a dip between two neighbours
that show no bend is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from rsft.analysis.bootstrap import LEVEL, Array
from rsft.analysis.power import FAR
from rsft.analysis.trajectory import Curve, Trajectory

ROUNDS = 4
"""After the first."""
EARLY = 0.0025
"""Chance of a false verdict that a look before the last may run, all verdicts or claims together."""
LAST = 1 - LEVEL - ROUNDS * EARLY
APART = 4
"""Times by which neighbouring steps of the first round differ."""
PARTS = 4
"""The first round asks one of so many parts of the samples; a further wish doubles them."""
BEND = 2.0
"""Standard errors from which a change, or a change of slope, counts as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cell that answers can be asked for; several trials may share it."""

    cell: str
    problems: int
    full: int
    """Samples of each problem that the page asks."""
    samples: int = 0
    """That are there, or are promised."""
    ready: bool = True
    """Whether its weights are there; what is not ready is asked nothing, and its part of the first round
    stays reserved."""

    @property
    def first(self) -> int:
        """Samples of the first round."""
        return math.ceil(self.full / PARTS)

    @property
    def more(self) -> int:
        """Samples of the next wish."""
        return min(self.full, max(2 * self.samples, self.first))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """A trial on a benchmark: all its kept steps."""

    steps: tuple[int, ...]
    """Ascending, 0 first."""
    cells: tuple[str, ...]
    """By step."""
    named: frozenset[int] = frozenset()
    """Steps that claims name."""
    curve: Curve | None = None
    """Of the steps that are evaluated; None where these make none."""

    @property
    def coarse(self) -> tuple[str, ...]:
        """Cells of the first round: base, last, for each division of the last by APART the nearest in the
        logarithm (the earlier of two as near), and named ones."""
        last, *before = reversed(self.steps)
        kept, target = {0, last} | (self.named & set(self.steps)), last / APART
        while before[:-1] and target >= self.steps[1]:
            kept.add(min(self.steps[1:], key=lambda step: (abs(math.log(step / target)), step)))
            target /= APART
        return tuple(cell for step, cell in zip(self.steps, self.cells, strict=True) if step in kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is still to be decided: a curve's verdict, or a difference between cells."""

    name: str
    rank: int
    """0: it belongs to a claim; 1: it does not."""
    times: float
    """How many times the answers there are would decide it, if things are as they seem to be."""
    track: Track | None = None
    cells: tuple[str, ...] = ()
    """Of a difference."""


def chance(raised: int = 0, *, last: bool) -> float:
    """Of even one false verdict at a look; `raised`: how often the budget was."""
    return float((LAST if last else EARLY) / 2**raised)


def cap(start: int, budget: int, number: int) -> int:
    """Answers that there may be after a further round: an equal part each of what the first leaves.

    Args:
        start: answers after the first round.
        budget: all.
        number: of the round, from 1 to ROUNDS.
    """
    return start + (budget - start) * number // ROUNDS


def first_round(tracks: Sequence[Track], places: Mapping[str, Place]) -> dict[str, int]:
    """Samples by cell that the first round still has to ask, ready or not."""
    cells = dict.fromkeys(cell for track in tracks for cell in track.coarse)
    return {cell: places[cell].first for cell in cells if places[cell].samples < places[cell].first}


def cost(wanted: Mapping[str, int], places: Mapping[str, Place]) -> int:
    """Answers that come with so many samples of cells beyond those they have."""
    return sum(
        max(0, samples - places[cell].samples) * places[cell].problems for cell, samples in wanted.items()
    )


def next_round(aims: Sequence[Aim], places: Mapping[str, Place], room: int) -> dict[str, int]:
    """Samples by cell that are to be asked next: together at most `room` answers.

    Aims are served in turn, one wish each, again and again until nothing fits: what more samples may decide
    before what seems out of their reach, claims before the rest, what needs least before what needs more, and
    then by name. A wish that does not fit is passed over for smaller ones.
    """
    asked: dict[str, int] = {}
    now = dict(places)
    queue = [(aim, _wishes(aim, now)) for aim in sorted(aims, key=lambda aim: _order(aim, places))]
    while queue and room > 0:
        going = []
        for aim, wishes in queue:
            batch = next(wishes, None)
            if batch is None:
                continue
            going.append((aim, wishes))
            for cell in batch:
                place = now[cell]
                price = (place.more - place.samples) * place.problems
                if place.ready and 0 < price <= room:
                    asked[cell] = place.more
                    now[cell] = replace(place, samples=place.more)
                    room -= price
        queue = going
    return asked


def _order(aim: Aim, places: Mapping[str, Place]) -> tuple[bool, int, float, str]:
    cells = aim.cells if aim.track is None else aim.track.cells
    reach = max((places[c].full / places[c].samples for c in cells if places[c].samples), default=1.0)
    hopeless = aim.times > reach and not (aim.track and bends(aim.track, places))
    return hopeless, aim.rank, aim.times, aim.name


def _wishes(aim: Aim, places: Mapping[str, Place]) -> Iterator[tuple[str, ...]]:
    """Batches of cells that want more, the most useful first. Places change while they are served."""
    if aim.track is None:
        yield from _doublings(aim.cells, places)
        return
    track = aim.track
    if batch := bends(track, places):  # their halves are looked at when these have scores
        yield batch
    if track.curve is not None:
        yield from _doublings(carriers(track.curve, track), places)
    evaluated = tuple(cell for cell in track.cells if places[cell].samples)
    yield from _doublings(evaluated, places)
    yield from _doublings(track.cells, places)


def _doublings(cells: Collection[str], places: Mapping[str, Place]) -> Iterator[tuple[str, ...]]:
    """The cells with the fewest samples, until all have all or none can be served."""
    while low := [cell for cell in cells if places[cell].ready and places[cell].samples < places[cell].full]:
        least = min(places[cell].samples for cell in low)
        batch = tuple(cell for cell in low if places[cell].samples == least)
        yield batch
        if all(places[cell].samples == least for cell in batch):
            return


def bends(track: Track, places: Mapping[str, Place]) -> tuple[str, ...]:
    """Cells halfway between evaluated neighbours where a curve bends, the sharpest bend first.

    A gap counts when the change across it, or the change of slope at one of its ends, is BEND standard errors
    or more; or when it adjoins the lowest trained step and that lies BEND below the base.
    """
    curve = track.curve
    if curve is None:
        return ()
    at = dict(zip(track.steps, track.cells, strict=True))
    log = np.log2(1.0 + np.array(curve.steps))
    count = len(curve.steps)
    slopes = np.zeros((count, count))
    for i in range(1, count - 1):
        left, right = log[i] - log[i - 1], log[i + 1] - log[i]
        slopes[i, i - 1 : i + 2] = 1 / left, -1 / left - 1 / right, 1 / right
    changes = np.eye(count)[1:] - np.eye(count)[:-1]
    turn, change = _errors_away(curve, slopes), _errors_away(curve, changes)
    lowest = 1 + int(curve.scores[1:].mean(1).argmin())
    below = np.zeros((1, count))
    below[0, [0, lowest]] = 1.0, -1.0
    depth = float(_errors_away(curve, below, signed=True)[0])
    found: list[tuple[float, str]] = []
    for i in range(count - 1):
        low, high = curve.steps[i], curve.steps[i + 1]
        inside = [s for s in track.steps if low < s < high and places[at[s]].ready]
        if not inside or any(places[at[s]].samples for s in inside):
            continue
        sharp = max(change[i], turn[i], turn[i + 1], depth if lowest in (i, i + 1) else 0.0)
        if sharp >= BEND:
            middle = (log[i] + log[i + 1]) / 2
            step = min(inside, key=lambda s: (abs(math.log2(1 + s) - middle), s))
            found.append((-sharp, at[step]))
    return tuple(cell for _, cell in sorted(found))


def _errors_away(curve: Curve, weights: Array, *, signed: bool = False) -> Array:
    """Contrasts (m, steps) over their standard errors: (m,). An error is at least what one answer of one
    problem changes."""
    x = weights @ curve.scores
    n = x.shape[1]
    least = np.abs(weights).max(1) / (n * curve.samples)
    error = np.maximum(x.std(1, ddof=1) / math.sqrt(n), np.maximum(least, 1e-12))
    found = x.mean(1) / error
    return np.asarray(found if signed else np.abs(found), dtype=np.float64)


def carriers(curve: Curve, track: Track) -> tuple[str, ...]:
    """Cells that a verdict leans on: base, end, lowest, highest, and the two ends of the largest fall."""
    means = curve.scores.mean(1)
    earlier, later = np.triu_indices(len(means), 1)
    fall = int((means[earlier] - means[later]).argmax())
    trained = means[1:]
    picked = {0, len(means) - 1, 1 + int(trained.argmin()), 1 + int(trained.argmax())}
    steps = {curve.steps[i] for i in picked | {int(earlier[fall]), int(later[fall])}}
    return tuple(cell for step, cell in zip(track.steps, track.cells, strict=True) if step in steps)


def times_of(found: Trajectory, allowed: float, family: int = 1) -> float:
    """How many times the answers there are would decide a curve's verdict; inf where none would.

    Of one sample each, the luck is not known, and samples help no more than as many problems. A verdict that
    its curve alone would have needs as many as make its p-value small enough for its family.

    Args:
        found: by itself, at LEVEL.
        allowed: chance of even one false verdict in its family.
        family: curves, or claims, that are decided together.
    """
    if found.verdict != "undecided":
        normal = NormalDist()
        wanted = -normal.inv_cdf(allowed / max(1, family) / 2)
        return max(1.0, (wanted / max(-normal.inv_cdf(max(found.p, 1e-300) / 2), 1e-6)) ** 2)
    if found.need is None:
        return math.inf
    if found.need.samples is not None:
        return 1 + found.need.samples / found.samples
    return 1 + found.need.problems / found.problems if found.samples == 1 else float(FAR)
