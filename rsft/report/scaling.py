"""Gain over the base against the base's size, and what it costs in safety."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes

from rsft.analysis.trajectory import Trajectories, mean_gain
from rsft.report.drawing import Drawing, drawn_as
from rsft.report.look import GREY, Look, shortened
from rsft.report.panels import panel_grid
from rsft.report.results import Results, TrialAxes
from rsft.scoring.estimators import Z_95

NAME_LONG = 18
SIZES_SAID = 12


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean over the benchmarks of a dimension, at a trial's last step."""

    axes: TrialAxes
    value: float
    stderr: float


def gains(results: Results, dimension: str, trajectories: Trajectories) -> list[Gain]:
    """Of finished trials that have all benchmarks of a dimension which their base has; paired by problem."""
    names = [column.benchmark for column in results.columns if column.dimension == dimension]
    found = []
    for axes in results.trials:
        asked = [name for name in names if 0 in results.of(axes.trial, name)]
        known = [trajectories.get((axes.trial, name)) for name in asked]
        whole = [one.final for one in known if one is not None and one.steps[-1] == axes.length_steps]
        if whole and len(whole) == len(asked):
            mean = mean_gain(whole)
            found.append(Gain(axes, mean.value, (mean.high - mean.low) / 2 / Z_95))
    return found


def scaling_figure(
    results: Results, parameters: Mapping[str, int], trajectories: Trajectories
) -> Drawing | None:
    """Final gain against log parameters, a panel per dimension; None below two bases of known size.

    Args:
        results: of the table of cells.
        parameters: number of weights by base.
        trajectories: by trial and benchmark.
    """
    dimensions = list(dict.fromkeys(column.dimension for column in results.columns))
    found = {
        name: [one for one in gains(results, name, trajectories) if one.axes.base in parameters]
        for name in dimensions
    }
    shown = [name for name in dimensions if len({one.axes.base for one in found[name]}) > 1]
    if not shown:
        return None
    bases = sorted(
        {one.axes.base for name in shown for one in found[name]}, key=lambda base: parameters[base]
    )
    at = _apart([math.log10(parameters[base]) for base in bases])
    look = Look.of(results.trials)
    labels = [shortened(base, NAME_LONG) for base in bases]
    foot = 0.055 * max(map(len, labels))
    columns = min(2, len(shown))
    file = "scaling.svg"
    with drawn_as(file):
        tops = [0.32] + [0.32 + foot] * (math.ceil(len(shown) / columns) - 1)
        figure, grid = panel_grid(
            tops, columns, panel_in=1.9, head_in=look.legend_in, gap_in=0.75, foot_in=foot
        )
        panels = [panel for row in grid for panel in row]
        for empty in panels[len(shown) :]:
            empty.remove()
        for name, panel in zip(shown, panels, strict=False):
            panel.set_title(name)
            panel.axhline(0, color=GREY, lw=1, ls="--")
            _by_size(panel, found[name], {base: parameters[base] for base in bases}, look)
            panel.set_xticks([math.log10(parameters[base]) for base in bases], labels=[""] * len(bases))
            edge = 0.06 * max(at[-1] - at[0], 0.3)
            panel.set_xlim(at[0] - edge, at[-1] + edge)
            for place, base, label in zip(at, bases, labels, strict=True):
                true = math.log10(parameters[base])
                panel.annotate(
                    label,
                    (true, 0),
                    (place, -0.05),
                    xycoords=panel.get_xaxis_transform(),
                    textcoords=panel.get_xaxis_transform(),
                    rotation=50,
                    rotation_mode="anchor",
                    ha="right",
                    va="top",
                    size=8,
                    color="#4b5563",
                )
        for panel in panels[: len(shown) : columns]:
            panel.set_ylabel("gain (points)")
        look.legend(figure, base=True)
        caption = (
            "Mean gain over the base at the last step of finished trials, against the number of weights "
            "(logarithmic); bars are one standard error, lines join bases trained on the "
            "same data for as long. "
        )
        said = [f"{base} {size(parameters[base])}" for base in bases[:SIZES_SAID]]
        caption += f"Weights: {', '.join(said)}{', …' if len(bases) > SIZES_SAID else ''}."
        return Drawing.of(figure, file=file, title="Scaling with the base's size", caption=caption)


def size(parameters: int) -> str:
    """`1.7B`, `3.0M`."""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if parameters >= unit:
            return f"{parameters / unit:.3g}{name}"
    return str(parameters)


def _apart(places: Sequence[float]) -> list[float]:
    """Places, ascending, moved to the right where labels would stand on one another."""
    least = 0.055 * max(places[-1] - places[0], 0.3)
    moved = list(places[:1])
    for place in places[1:]:
        moved.append(max(place, moved[-1] + least))
    return moved


def _by_size(panel: Axes, found: Sequence[Gain], parameters: Mapping[str, int], look: Look) -> None:
    """A line per variant and length, means over seeds."""
    lines = sorted(found, key=lambda one: (one.axes.variant, one.axes.length))
    families = [
        (key, list(group))
        for key, group in groupby(lines, key=lambda one: (one.axes.variant, one.axes.length))
    ]
    logs = [math.log10(weights) for weights in parameters.values()]
    apart = min(0.01, 0.05 / max(1, len(families))) * max(max(logs) - min(logs), 0.3)
    for i, ((variant, length), family) in enumerate(families):
        points = []
        for base, weights in parameters.items():
            some = [one for one in family if one.axes.base == base]
            if some:
                mean = sum(one.value for one in some) / len(some)
                spread = sum((one.value - mean) ** 2 for one in some)
                between = math.sqrt(spread / (len(some) - 1) / len(some)) if len(some) > 1 else 0.0
                own = sum(one.stderr for one in some) / len(some)
                shift = apart * (i - (len(families) - 1) / 2)
                points.append((math.log10(weights) + shift, 100 * mean, 100 * max(own, between)))
        at, values, errors = zip(*points, strict=True)
        style = look.line(variant, length)
        panel.plot(at, values, color=style["color"], linestyle=style["linestyle"], lw=0.9, alpha=0.5)
        style["linestyle"] = ""
        panel.errorbar(at, values, yerr=errors, elinewidth=0.8, markersize=4.6, **style)
