"""Effects of the axes: estimates with their intervals, one below the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rsft.analysis.effects import Effect
from rsft.analysis.verdicts import MARGIN
from rsft.report.drawing import Drawing, drawn_as
from rsft.report.look import GAIN, GREY, LOSS, MARKERS, WIDE_IN, shortened
from rsft.report.results import DIMENSIONS

SHOWN = 36
"""Rows of a figure; the table has the rest."""
LABEL_LONG = 44
GAP_IN = 0.3
"""Between panels: room for a number at the end of either axis."""
COLOURS = {"higher": GAIN, "lower": LOSS, "same": GREY, "undecided": GREY}
Row = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Axes and levels of an effect."""


def effect_figures(found: Sequence[Effect]) -> list[Drawing]:
    """Main effects, then interactions; none of what there is none of."""
    figures = [
        _forest(
            [effect for effect in found if len(effect.axes) == size],
            f"effects-{word}.svg",
            title,
            said,
        )
        for size, word, title, said in (
            (
                1,
                "main",
                "Main effects",
                "Difference in gain over the base, in points, averaged over the other axes.",
            ),
            (
                2,
                "interactions",
                "Interactions",
                "By how many points a difference is larger at one level than at another.",
            ),
        )
    ]
    return [figure for figure in figures if figure]


def _forest(found: Sequence[Effect], file: str, title: str, said: str) -> Drawing | None:
    if not found:
        return None
    by_row: dict[Row, list[Effect]] = {}
    for effect in found:
        by_row.setdefault((effect.axes, effect.levels), []).append(effect)
    rows = list(by_row)
    if len(rows) > SHOWN:  # the surest ones, in their order
        surest = sorted(rows, key=lambda row: min(_surprise(effect) for effect in by_row[row]))[:SHOWN]
        said += f" The {SHOWN} clearest of {len(rows)}; the table has all."
        rows = [row for row in rows if row in surest]
    views = list(dict.fromkeys(effect.view for effect in found))
    names = {effect.dimension for effect in found}
    dimensions = [*(d for d in DIMENSIONS if d in names), *sorted(names - set(DIMENSIONS))]
    lines = [_label(row) for row in rows]
    row_in = [max(0.15 * (text.count("\n") + 1), 0.11 * len(views)) + 0.1 for text in lines]
    left = 0.2 + 0.075 * max(len(part) for text in lines for part in text.split("\n"))
    head = 0.42 if len(views) > 1 else 0.22
    tall = head + 0.28 + sum(row_in) + 0.48
    with drawn_as(file, **{"axes.grid": False, "font.size": 8.5}):
        figure = Figure(figsize=(WIDE_IN, tall))
        across = (WIDE_IN - left - 0.1) / len(dimensions)
        limits = _limits([effect for row in rows for effect in by_row[row]])
        for j, dimension in enumerate(dimensions):
            panel = figure.add_axes(
                (
                    (left + j * across + GAP_IN / 2) / WIDE_IN,
                    0.48 / tall,
                    (across - GAP_IN) / WIDE_IN,
                    sum(row_in) / tall,
                )
            )
            panel.set(xlim=limits, ylim=(sum(row_in), 0))
            panel.set_title(dimension, size=9)
            panel.axvspan(-100 * MARGIN, 100 * MARGIN, color=GREY, alpha=0.1, lw=0)
            panel.axvline(0, color=GREY, lw=0.9)
            panel.spines["left"].set_visible(False)
            _rows(
                panel, [[e for e in by_row[row] if e.dimension == dimension] for row in rows], row_in, views
            )
            places = [sum(row_in[:i]) + row_in[i] / 2 for i in range(len(rows))]
            panel.set_yticks(places, labels=lines if j == 0 else [])
            panel.tick_params(axis="y", length=0)
            panel.grid(axis="x")
            panel.set_xlabel("points")
        _legend(figure, views)
        caption = (
            f"{said} Bars are 95% intervals, each by itself; filled marks are verdicts that stand after "
        )
        caption += f"correction for all effects of a view; the shade is ±{100 * MARGIN:g} points."
        return Drawing.of(figure, file=file, title=title, caption=caption)


def _surprise(effect: Effect) -> float:
    """Smaller where the interval is farther from 0, in its own widths."""
    width = effect.effect.high - effect.effect.low
    return -abs(effect.effect.value) / width if width > 0 else 0.0


def _label(row: Row) -> str:
    axes, levels = row
    parts = [
        shortened(f"{level} over {reference}" if not i else f"more at {level} than {reference}", LABEL_LONG)
        for i, (level, reference) in enumerate(levels)
    ]
    return "\n".join([f"{axes[0]}: {parts[0]}" if len(axes) == 1 else parts[0], *parts[1:]])


def _limits(found: Sequence[Effect]) -> tuple[float, float]:
    low = 100 * min(0.0, *(effect.effect.low for effect in found))
    high = 100 * max(0.0, *(effect.effect.high for effect in found))
    room = max(0.06 * (high - low), 1.0)
    return math.floor(low - room), math.ceil(high + room)


def _rows(
    panel: Axes, rows: Sequence[Sequence[Effect]], row_in: Sequence[float], views: Sequence[str]
) -> None:
    top = 0.0
    for i, (row, height) in enumerate(zip(rows, row_in, strict=True)):
        if i % 2 == 0:
            panel.axhspan(top, top + height, color="#f8f9fa", lw=0, zorder=0)
        for effect in row:
            at = views.index(effect.view)
            y = top + height / 2 + 0.11 * (at - (len(views) - 1) / 2)
            colour = COLOURS[effect.verdict]
            ends = [100 * effect.effect.low, 100 * effect.effect.high]
            panel.plot(ends, [y, y], color=colour, lw=1.1, solid_capstyle="butt")
            panel.plot(
                100 * effect.effect.value,
                y,
                marker=MARKERS[at % len(MARKERS)],
                ms=4.6,
                color=colour,
                mfc="white" if effect.verdict == "undecided" else colour,
            )
        top += height


def _legend(figure: Figure, views: Sequence[str]) -> None:
    handles = [
        Line2D([], [], ls="", marker=MARKERS[i % len(MARKERS)], ms=5, color=GREY, label=view)
        for i, view in enumerate(views)
    ]
    verdicts = [
        Line2D(
            [],
            [],
            ls="",
            marker="o",
            ms=5,
            color=colour,
            mfc="white" if name == "undecided" else colour,
            label=name,
        )
        for name, colour in COLOURS.items()
    ]
    place = {"loc": "upper left", "borderaxespad": 0, "handletextpad": 0.3, "columnspacing": 1.3}
    figure.legend(handles=verdicts, bbox_to_anchor=(0, 1), ncols=4, **place)
    if len(views) > 1:
        low = 1 - 0.2 / figure.get_figheight()
        figure.legend(handles=handles, bbox_to_anchor=(0, low), ncols=4, **place)
