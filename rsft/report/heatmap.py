"""The grid at a glance: every trial on every benchmark, as gain over its base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rsft.analysis.trajectory import Trajectories
from rsft.report.drawing import Drawing, drawn_as
from rsft.report.look import GREY, INK, WIDE_IN, shortened
from rsft.report.results import Column, Results, TrialAxes
from rsft.report.tables import change, signed

LOSS_TO_GAIN = LinearSegmentedColormap.from_list(
    "loss to gain", ["#b34700", "#f3c39f", "#ffffff", "#9cc9e6", "#005b96"]
)
"""Orange below, blue above: told apart by colour-blind readers; in print without colours by signs."""
WITH_NUMBERS = 60
"""Trials up to which there are numbers in the cells."""
SHOWN = 150
MARKS = {"up": "▲", "down": "▼", "same": ""}
NAME_LONG, LABEL_LONG = 22, 36
_UNKNOWN = "#f1f3f5"
_DARK = 0.55
"""Luma of a colour below which text on it is white."""

Gains = Mapping[tuple[str, str], tuple[float, str]]
"""By trial and benchmark: gain, and `up`, `down` or `same`."""


def gain_map(results: Results, trajectories: Trajectories) -> Drawing | None:
    """Gain at the last evaluated step; None where no trained step is evaluated.

    Args:
        results: of the table of cells.
        trajectories: whose paired intervals decide; where there is none, two combined standard errors do.
    """
    gains = {
        (axes.trial, column.benchmark): found
        for axes in results.trials
        for column in results.columns
        if (found := change(results, trajectories, axes.trial, column.benchmark)) is not None
    }
    every = [
        axes for axes in results.trials if any((axes.trial, c.benchmark) in gains for c in results.columns)
    ]
    rows = every[:SHOWN]
    if not rows:
        return None
    numbers, several = len(rows) <= WITH_NUMBERS, len({axes.seed for axes in rows}) > 1
    labels = [
        shortened(f"{a.variant} · {a.length}" + (f" · seed {a.seed}" if several else ""), LABEL_LONG)
        for a in rows
    ]
    row_in = 0.25 if numbers else 0.1
    left = 0.15 + 0.068 * max(map(len, (*labels, *(axes.base for axes in rows))))
    head = 0.2 + 0.052 * min(NAME_LONG, max(len(c.benchmark) for c in results.columns))
    body = row_in * len(rows) + 0.3 * len({a.base for a in rows})
    width, tall = min(WIDE_IN - left - 0.9, 0.95 * len(results.columns)), head + body + 0.3
    limit = max(0.05, *(abs(gain) for gain, _ in gains.values()))
    file = "gains.svg"
    with drawn_as(file, **{"axes.grid": False}):
        figure = Figure(figsize=(WIDE_IN, tall))
        panel = figure.add_axes((left / WIDE_IN, 0.3 / tall, width / WIDE_IN, body / tall))
        _cells(panel, rows, labels, results.columns, gains, limit, 0.3 / row_in)
        _columns(panel, results.columns)
        bar_in = min(1.6, body)
        bar = figure.add_axes(
            ((left + width + 0.2) / WIDE_IN, (tall - head - bar_in) / tall, 0.12 / WIDE_IN, bar_in / tall)
        )
        for i in range(64):
            bar.add_patch(Rectangle((0, i / 64), 1, 1 / 60, lw=0, color=LOSS_TO_GAIN((i + 0.5) / 64)))
        bar.set(xticks=[], ylim=(0, 1))
        bar.yaxis.tick_right()
        bar.set_yticks([0, 0.5, 1], labels=[signed(100 * v) for v in (-limit, 0, limit)])
        caption = (
            "Points above or below the untrained base at the last evaluated step. ▲ ▼: the 95% interval of "
            "that change leaves out 0, paired by problem, each cell by itself."
        )
        if len(every) > SHOWN:
            caption += f" The first {SHOWN} of {len(every):,} trials."
        return Drawing.of(figure, file=file, title="Gain over the base", caption=caption)


def _cells(
    panel: Axes,
    rows: Sequence[TrialAxes],
    labels: Sequence[str],
    columns: Sequence[Column],
    gains: Gains,
    limit: float,
    gap: float,
) -> None:
    """Rows from the top down; above those of a base a gap of so many rows with its name."""
    numbers, scale, top, places = len(rows) <= WITH_NUMBERS, Normalize(-limit, limit), 0.0, list[float]()
    for base, group in groupby(rows, key=lambda axes: axes.base):
        top += gap
        panel.text(-0.08, top - 0.12 * gap, base, weight="bold", ha="right", va="bottom", size=9)
        for axes in group:
            places.append(top + 0.5)
            for j, column in enumerate(columns):
                gain, decision = gains.get((axes.trial, column.benchmark), (0.0, ""))
                colour = LOSS_TO_GAIN(scale(gain)) if decision else to_rgba(_UNKNOWN)
                panel.add_patch(Rectangle((j, top), 1, 1, facecolor=colour, edgecolor="white", lw=0.8))
                dark = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] < _DARK
                text = f"{MARKS[decision]}{signed(100 * gain)}" if decision else ""
                panel.text(
                    j + 0.5,
                    top + 0.52,
                    text if numbers else MARKS.get(decision, ""),
                    ha="center",
                    va="center",
                    size=(8 if len(columns) <= 8 else 7) if numbers else 4,
                    weight="bold" if decision in ("up", "down") else "normal",
                    color="white" if dark else INK,
                )
            top += 1
    panel.set(xlim=(0, len(columns)), ylim=(top, 0))
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.set_yticks(places, labels=labels, size=8.5 if numbers else 4.5)
    panel.tick_params(length=0)


def _columns(panel: Axes, columns: Sequence[Column]) -> None:
    """Names of benchmarks above, of their dimensions below."""
    panel.xaxis.tick_top()
    names = [shortened(column.benchmark, NAME_LONG) for column in columns]
    places = [j + 0.5 for j in range(len(columns))]
    panel.set_xticks(places, labels=names, rotation=35, ha="left", rotation_mode="anchor")
    first = 0
    for dimension, group in groupby(columns, key=lambda column: column.dimension):
        last = first + len(list(group))
        if first:
            panel.axvline(first, color=GREY, lw=1.2)
        across = panel.get_xaxis_transform()
        short = shortened(dimension, 15 * (last - first))
        panel.text(
            (first + last) / 2, -0.01, short, transform=across, ha="center", va="top", color=GREY, size=8.5
        )
        first = last
