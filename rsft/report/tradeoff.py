"""Reasoning gain against safety change, checkpoint by checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from rsft.analysis.asymmetry import Point
from rsft.report.drawing import Drawing, drawn_as
from rsft.report.look import GREY, INK, Look
from rsft.report.panels import panel_grid
from rsft.report.results import Results, TrialAxes

SHOWN = 60
"""Trials; of more, those on the Pareto front first."""


def asymmetry_figure(results: Results, points: Sequence[Point]) -> Drawing | None:
    """A panel per base; below it over-refusal, where it was asked; None without points."""
    known = {axes.trial: axes for axes in results.trials}
    front = dict.fromkeys(p.trial for p in sorted(points, key=lambda p: not p.pareto) if p.trial in known)
    few = set(list(front)[:SHOWN])
    shown = [point for point in points if point.trial in few]
    if not shown:
        return None
    look = Look.of(results.trials)
    bases = [base for base in results.bases if any(point.base == base for point in shown)]
    refusals = any(point.refusal for point in shown)
    columns = min(3, len(bases))
    bands = math.ceil(len(bases) / columns)
    file = "asymmetry.svg"
    with drawn_as(file):
        tops = [0.32, *([0.1] if refusals else [])] * bands
        figure, grid = panel_grid(tops, columns, panel_in=2.1, head_in=look.legend_in + 0.2)
        used = set[Axes]()
        x = _limits(shown, "reasoning")
        kinds = [("safety", "safety change (points)")]
        if refusals:
            kinds.append(("refusal", "harmless refused (points)"))
        for row, (kind, label) in enumerate(kinds):
            y = _limits(shown, kind)
            for i, base in enumerate(bases):
                panel = grid[(i // columns) * len(kinds) + row][i % columns]
                used.add(panel)
                panel.set(xlim=x, ylim=y)
                panel.axhline(0, color=GREY, lw=0.8)
                panel.axvline(0, color=GREY, lw=0.8)
                mine = [point for point in shown if point.base == base]
                _paths(panel, mine, kind, look, known)
                if row == 0:
                    panel.set_title(base)
                    _front(panel, mine)
                if row == len(kinds) - 1:
                    panel.set_xlabel("reasoning gain (points)")
                if i % columns == 0:
                    panel.set_ylabel(label)
                panel.tick_params(labelleft=i % columns == 0, labelbottom=row == len(kinds) - 1)
        for row_of in grid:
            for panel in row_of:
                if panel not in used:
                    panel.remove()
        look.legend(figure, base=False)
        handles = [
            Line2D(
                [],
                [],
                ls="",
                marker="o",
                ms=9,
                mfc="none",
                color=INK,
                label="not beaten in both (Pareto front)",
            ),
            Line2D([], [], ls="", marker="+", ms=8, color=INK, label="untrained base"),
        ]
        low = 1 - look.legend_in / figure.get_figheight()
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0, low),
            ncols=2,
            borderaxespad=0,
            handletextpad=0.3,
        )
        every = [point for point in points if point.trial in known]
        traded = sum(point.traded for point in every)
        caption = (
            "Every checkpoint against its base, joined in order of steps, the last one larger; right is "
            "better reasoning (in-domain and out-of-domain), up is safer. "
            f"At {traded} of {len(every)} checkpoints reasoning rose and safety fell, both beyond their 95% "
            "intervals."
        )
        if len(front) > SHOWN:
            caption += f" Shown are {SHOWN} of {len(front):,} trials, those on the front first."
        if refusals:
            caption += " Below: the change of the share of harmless requests that is refused; up is worse."
        return Drawing.of(figure, file=file, title="Reasoning against safety", caption=caption)


def _limits(points: Sequence[Point], kind: str) -> tuple[float, float]:
    """Of all values, 0, and the intervals at the end of each trial."""
    last = {point.trial: point for point in sorted(points, key=lambda point: point.step)}
    values = [found.value for point in points if (found := getattr(point, kind)) is not None]
    for point in last.values():
        found = getattr(point, kind)
        values += [] if found is None else [found.low, found.high]
    low, high = 100 * min(0.0, *values), 100 * max(0.0, *values)
    room = max(0.06 * (high - low), 1.5)
    return low - room, high + room


def _paths(
    panel: Axes, points: Sequence[Point], kind: str, look: Look, known: Mapping[str, TrialAxes]
) -> None:
    panel.plot(0, 0, marker="+", ms=8, color=INK, zorder=4)
    for trial in dict.fromkeys(point.trial for point in points):
        mine = sorted((p for p in points if p.trial == trial and getattr(p, kind)), key=lambda p: p.step)
        if not mine:
            continue
        axes = known[trial]
        style = look.line(axes.variant, axes.length)
        xs = [0.0, *(100 * point.reasoning.value for point in mine)]
        ys = [0.0, *(100 * getattr(point, kind).value for point in mine)]
        panel.plot(xs, ys, color=style["color"], linestyle=style["linestyle"], lw=0.9, alpha=0.6)
        dots = style | {"linestyle": ""}
        panel.plot(xs[1:-1], ys[1:-1], ms=3, **dots)
        panel.plot(xs[-1:], ys[-1:], ms=5.5, **dots)
        last, end = mine[-1], getattr(mine[-1], kind)
        panel.errorbar(
            100 * last.reasoning.value,
            100 * end.value,
            xerr=[
                [100 * (last.reasoning.value - last.reasoning.low)],
                [100 * (last.reasoning.high - last.reasoning.value)],
            ],
            yerr=[[100 * (end.value - end.low)], [100 * (end.high - end.value)]],
            color=style["color"],
            elinewidth=0.8,
            alpha=0.5,
            fmt="none",
        )


def _front(panel: Axes, points: Sequence[Point]) -> None:
    front = sorted((100 * p.reasoning.value, 100 * p.safety.value) for p in points if p.pareto)
    if front:
        xs, ys = zip(*front, strict=True)
        panel.plot(xs, ys, color=INK, lw=0.8, ls=":", marker="o", ms=9, mfc="none", mew=0.9, zorder=3)
