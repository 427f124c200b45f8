"""How procedures carry over to out-of-domain traces, by the size of the base: changes, a figure, a table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from matplotlib.axes import Axes

from rsft.analysis.bootstrap import LEVEL, Interval, holm
from rsft.analysis.procedures import PROCEDURES
from rsft.records import Estimate
from rsft.report.drawing import Drawing, drawn_as
from rsft.report.exports import Table
from rsft.report.look import GREY, Look, shortened
from rsft.report.panels import panel_grid
from rsft.report.results import DIMENSIONS, Results, TrialAxes
from rsft.report.scaling import size
from rsft.report.tables import DASH, signed

SIDES = DIMENSIONS[:2]
"""In-domain and out-of-domain."""
NAME_LONG = 12
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One procedure in one dimension, in sentences per 1,000 thinking tokens, means over seeds."""

    base: Interval
    """Of the untrained base."""
    trained: Interval
    """At the last step."""
    change: Interval
    """The latter minus the former. Their errors are combined as if independent, although both answered the
    same problems: rather too large."""
    problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What training of one kind did to a procedure where it was trained, and elsewhere."""

    base: str
    parameters: int | None
    variant: str
    length: str
    procedure: str
    seeds: int
    inside: Side
    outside: Side
    verdict: str
    """`both rise`, `both fall`, `opposite`, `in-domain alone`, `out-of-domain alone` (the other may be too
    small to see), or `undecided`; corrected for all changes by Holm's method."""


def transfers(pooled: Results, parameters: Mapping[str, int]) -> list[Transfer]:
    """Of every base, kind of training and procedure that was counted in both dimensions before and after.

    Args:
        pooled: series by trial, dimension and measure, means over benchmarks.
        parameters: number of weights by base, where known; the smallest base goes first.
    """
    kinds: dict[tuple[str, str, str], list[TrialAxes]] = defaultdict(list)
    for axes in pooled.trials:
        kinds[axes.base, axes.variant, axes.length].append(axes)
    found: list[Transfer] = []
    tests: list[tuple[float, float]] = []
    for (base, variant, length), trials in sorted(
        kinds.items(), key=lambda kind: parameters.get(kind[0][0], math.inf)
    ):
        for procedure in PROCEDURES:
            sides = [_side(pooled, trials, dimension, procedure) for dimension in SIDES]
            if sides[0] is None or sides[1] is None:
                continue
            (inside, p), (outside, q) = sides[0], sides[1]
            tests.append((p, q))
            found.append(
                Transfer(
                    base=base,
                    parameters=parameters.get(base),
                    variant=variant,
                    length=length,
                    procedure=procedure,
                    seeds=len(trials),
                    inside=inside,
                    outside=outside,
                    verdict="undecided",
                )
            )
    return list(_together(found, tests))


def _together(found: Sequence[Transfer], tests: Sequence[tuple[float, float]]) -> Iterator[Transfer]:
    adjusted = iter(holm([p for pair in tests for p in pair]))
    for one in found:
        clear = [next(adjusted) <= 1 - LEVEL for _ in SIDES]
        rises = [side.change.value > 0 for side in (one.inside, one.outside)]
        if all(clear):
            word = "opposite" if rises[0] != rises[1] else "both rise" if rises[0] else "both fall"
        else:
            word = f"{SIDES[clear.index(True)]} alone" if any(clear) else "undecided"
        yield replace(one, verdict=word)


def _side(
    pooled: Results, trials: Sequence[TrialAxes], dimension: str, procedure: str
) -> tuple[Side, float] | None:
    """A side, and the two-sided p-value of no change; None where a seed lacks its base or a later step."""
    series = [pooled.of(axes.trial, dimension, procedure) for axes in trials]
    if not all(0 in one and max(one) > 0 for one in series):
        return None
    after = [one[max(one)] for one in series]
    (first, own), (last, error) = _over_seeds([one[0] for one in series]), _over_seeds(after)
    both = math.hypot(own, error)
    side = Side(
        base=_interval(first, own, 0.0),
        trained=_interval(last, error, 0.0),
        change=_interval(last - first, both),
        problems=min(one.problems for one in after),
    )
    # Without a spread, as of one problem alone, nothing is known of chance.
    return side, 2 * NormalDist().cdf(-abs(last - first) / both) if both > 0 else 1.0


def _over_seeds(ends: Sequence[Estimate]) -> tuple[float, float]:
    """Mean and standard error: seeds answer the same problems, so it is no smaller than one seed's own."""
    values, count = [one.value for one in ends], len(ends)
    mean, own = math.fsum(values) / count, math.fsum(one.stderr for one in ends) / count
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, own if count == 1 else max(own, math.sqrt(squares / (count - 1) / count))


def _interval(value: float, error: float, least: float = -math.inf) -> Interval:
    return Interval(value, max(least, value - _Z * error), value + _Z * error)


def transfer_figure(found: Sequence[Transfer], look: Look) -> Drawing | None:
    """Rates at the last step against the base's size: a column per procedure, in-domain above out-of-domain.

    Args:
        found: in the order of the bases.
        look: of all trials.
    """
    if not found:
        return None
    sizes = {one.base: one.parameters for one in found}
    places = {base: i for i, base in enumerate(sizes)}
    labels = [_label(base, sizes) for base in sizes]
    foot = 0.05 * max(map(len, labels))
    file = "procedures-transfer.svg"
    with drawn_as(file, **{"font.size": 8, "axes.titlesize": 8.5, "axes.titleweight": "normal"}):
        figure, grid = panel_grid(
            [0.5, 0.4], len(PROCEDURES), panel_in=1.2, head_in=look.legend_in, narrow=True, foot_in=foot
        )
        for j, procedure in enumerate(PROCEDURES):
            mine = [one for one in found if one.procedure == procedure]
            for i, row in enumerate(grid):
                _draw(row[j], mine, i, places, look)
                row[j].set_title(procedure)
                row[j].set_xticks(list(places.values()), labels=labels if i else [""] * len(labels))
                row[j].tick_params(axis="x", rotation=50)
            highest = max(panel.get_ylim()[1] for panel in (row[j] for row in grid))
            for row in grid:
                row[j].set_ylim(0, max(highest, 1.0))
        for row, dimension in zip(grid, SIDES, strict=True):
            top = row[0].get_position().y1 + 0.24 / figure.get_figheight()
            figure.text(0.005, top, dimension, weight="bold", size=9.5)
            row[0].set_ylabel("per 1,000")
        look.legend(figure, base=True)
        caption = (
            "Sentences per 1,000 thinking tokens that hold a procedure, at the last step, means over the "
            "benchmarks of a dimension; bars are 95% intervals, the grey dashes the untrained bases. "
        ) + about_sizes(found)
        title = "Procedures in-domain and out-of-domain, by the size of the base"
        return Drawing.of(figure, file=file, title=title, caption=caption)


def about_sizes(found: Sequence[Transfer]) -> str:
    """What the bases that were compared allow to say about size."""
    bases = list(dict.fromkeys(one.base for one in found))
    if len(bases) == 1:
        return (
            f"Only {bases[0]} was compared: whether transfer depends on the size of the base cannot be seen."
        )
    known = {one.parameters for one in found if one.parameters is not None}
    if len(known) < 2:
        return "The sizes of the bases are not known, or alike: nothing can be said of size."
    return "The smallest base stands on the left; distances between bases mean nothing."


def _label(base: str, sizes: Mapping[str, int | None]) -> str:
    """Its size, or its name where that is not known or not its own."""
    own = sizes[base]
    alone = own is not None and [size(n) for n in sizes.values() if n].count(size(own)) == 1
    return size(own) if own is not None and alone else shortened(base, NAME_LONG)


def _draw(panel: Axes, found: Sequence[Transfer], side: int, places: Mapping[str, int], look: Look) -> None:
    kinds = list(dict.fromkeys((one.variant, one.length) for one in found))
    for i, kind in enumerate(kinds):
        mine = [one for one in found if (one.variant, one.length) == kind]
        ends = [(one.inside, one.outside)[side] for one in mine]
        shift = (i - (len(kinds) - 1) / 2) * min(0.12, 0.6 / len(kinds))
        style = look.line(*kind)
        at, values = [places[one.base] + shift for one in mine], [one.trained.value for one in ends]
        errors = [(one.trained.value - one.trained.low, one.trained.high - one.trained.value) for one in ends]
        panel.plot(at, values, color=style["color"], linestyle=style["linestyle"], lw=0.8, alpha=0.5)
        style["linestyle"] = ""
        panel.errorbar(
            at, values, yerr=list(zip(*errors, strict=True)), elinewidth=0.7, markersize=3.6, **style
        )
        for one, end in zip(mine, ends, strict=True):
            place = places[one.base]
            panel.plot([place - 0.4, place + 0.4], [end.base.value] * 2, color=GREY, lw=1, ls="--", zorder=1)
    panel.set_xlim(-0.6, len(places) - 0.4)


def transfer_table(found: Sequence[Transfer]) -> Table:
    """For the page and as files."""
    return Table(
        name="procedures-transfer",
        about="Change from the untrained base to the last step, in sentences per 1,000 thinking tokens with "
        "95% intervals; verdicts are corrected for all changes. " + about_sizes(found),
        head=["base", "weights", "data", "length", "seeds", "procedure", *SIDES, "verdict"],
        rows=[
            [
                *(
                    one.base,
                    DASH if one.parameters is None else size(one.parameters),
                    one.variant,
                    one.length,
                ),
                *(str(one.seeds), one.procedure, _said(one.inside), _said(one.outside), one.verdict),
            ]
            for one in found
        ],
    )


def _said(side: Side) -> str:
    """`0.2 → 1.4: +1.2 (+0.3 to +2.1)`."""
    change = [DASH if math.isnan(n) else signed(n) for n in (side.change.low, side.change.high)]
    return (
        f"{side.base.value:.1f} → {side.trained.value:.1f}: {signed(side.change.value)} "
        f"({change[0]} to {change[1]})"
    )
