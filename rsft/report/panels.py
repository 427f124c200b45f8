"""The parts that figures over steps are made of: panels, curves, axes of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from rsft.report.curves import Curve
from rsft.report.look import GREY, WIDE_IN, Look

SYMLOG_FROM = 10
"""Last step over first step from which the axis is logarithmic (and linear around step 0)."""

SPREAD_PT = 11.0
"""Points between the first and the last of curves at one step: less than from a step to the next."""


def panel_grid(
    tops_in: Sequence[float],
    columns: int,
    *,
    panel_in: float,
    head_in: float,
    narrow: bool = False,
    gap_in: float | None = None,
    foot_in: float = 0.0,
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of equal panels below a head for the legend.

    All sizes are in inches and none is worked out from the drawing: it is several times faster, and
    panels have the same place in every figure.

    Args:
        tops_in: room for titles above each row of panels.
        columns: panels per row.
        panel_in: height of a panel.
        head_in: height of the head.
        narrow: small margins, for small panels.
        gap_in: between panels side by side, where each has an axis of its own.
        foot_in: more room below the last row.

    Returns:
        The figure and its rows of panels.
    """
    left, bottom, gap = (0.5, 0.3, 0.36) if narrow else (0.6, 0.5, 0.25)
    gap = gap if gap_in is None else gap_in
    height = head_in + sum(tops_in) + len(tops_in) * (panel_in + bottom) + foot_in
    across = min((WIDE_IN - left + 0.5 * gap) / columns, 0.62 * WIDE_IN)
    figure = Figure(figsize=(WIDE_IN, height))
    rows, used = list[list[Axes]](), head_in
    for top in tops_in:
        floor = (height - used - top - panel_in) / height
        size = ((across - gap) / WIDE_IN, panel_in / height)
        rows.append([figure.add_axes(((left + j * across) / WIDE_IN, floor, *size)) for j in range(columns)])
        used += top + panel_in + bottom
    return figure, rows


def panel_row(names: Sequence[str], look: Look) -> tuple[Figure, list[Axes]]:
    """A figure with one panel per name, in rows of at most three, y axes alike."""
    columns = 2 if len(names) == 4 else min(len(names), 3)
    tops_in = [0.3] * math.ceil(len(names) / columns)
    figure, grid = panel_grid(tops_in, columns, panel_in=2.1, head_in=look.legend_in)
    panels = [panel for row in grid for panel in row]
    for empty in panels[len(names) :]:
        empty.remove()
    for i, panel in enumerate(panels[: len(names)]):
        panel.tick_params(labelleft=i % columns == 0)
    return figure, panels[: len(names)]


def draw_curves(
    panel: Axes,
    found: Sequence[Curve],
    look: Look,
    *,
    steps: Sequence[int],
    scale: float,
    title: str,
    small: bool = False,
) -> None:
    """Draws the curves of one base: lines with error bars, its score at step 0 as a dashed band.

    Args:
        panel: where.
        found: the curves, possibly none.
        look: colours and dashes.
        steps: those of the whole figure, ascending: its panels share the axis.
        scale: multiplies values, such as 100 for per cent.
        title: of the panel.
        small: thin lines, no bars, few ticks, no axis label.
    """
    panel.set_title(title)
    if not found:
        panel.text(0.5, 0.5, "nothing yet", transform=panel.transAxes, ha="center", color=GREY)
    starts = [point for curve in found for point in curve.points if point[0] == 0]
    if starts:
        _, value, error = starts[0]
        panel.axhline(scale * value, color=GREY, lw=1, ls="--", zorder=1)
        low, high = scale * (value - error), scale * (value + error)
        panel.axhspan(low, high, color=GREY, alpha=0.12, lw=0, zorder=0)
    for i, curve in enumerate(found):
        # Shifted by points, not by steps: error bars at one step stand side by side on any axis.
        shift = 0.0 if small else min(2.2, SPREAD_PT / max(1, len(found) - 1)) * (i - (len(found) - 1) / 2)
        nudge = ScaledTranslation(shift / 72, 0, panel.figure.dpi_scale_trans)
        at, values, errors = zip(*curve.points, strict=True)
        panel.errorbar(
            at,
            [scale * value for value in values],
            # Step 0 is the base: its error is the band. Bars in small panels would hide the lines.
            yerr=None if small else [scale * e if step else 0 for step, e in zip(at, errors, strict=True)],
            transform=panel.transData + nudge,
            lw=1.1 if small else 1.5,
            elinewidth=0.6 if small else 0.9,
            markersize=2.6 if small else 4.2,
            **look.line(curve.variant, curve.length),
        )
    step_axis(panel, steps, small=small)


def step_axis(panel: Axes, steps: Sequence[int], *, small: bool = False) -> None:
    """An axis of optimizer steps on which step 0 is seen, ticked at evaluated steps.

    Args:
        panel: whose x axis to set.
        steps: evaluated steps, ascending.
        small: leave the label and most ticks out.
    """
    first = next((step for step in steps if step), 1)
    last = max(steps[-1], first)
    logarithmic = last / first > SYMLOG_FROM
    if logarithmic:
        panel.set_xscale("symlog", linthresh=first, base=2, linscale=0.5)

    def place(step: float) -> float:
        """Where a step stands on the axis, from 0 to 1; the first step is one doubling from 0."""
        if not logarithmic:
            return step / last
        doublings = step / first if step <= first else 1 + math.log2(step / first)
        return doublings / (1 + math.log2(last / first))

    ticks: list[int] = []
    for step in (0, last, *steps[::-1]):
        if all(abs(place(step) - place(tick)) > (0.22 if small else 0.1) for tick in ticks):
            ticks.append(step)
    panel.set_xticks(sorted(ticks), labels=[str(tick) for tick in sorted(ticks)])
    panel.minorticks_off()
    left, right = (-0.3 * first, 1.15 * last) if logarithmic else (-0.04 * last, 1.04 * last)
    panel.set_xlim(left, right)
    if not small:
        panel.set_xlabel("optimizer step")


def share_y(
    panels: Sequence[Axes],
    found: Sequence[Curve],
    *,
    scale: float,
    floor: float | None = None,
    lowest: float = 0.0,
    ceiling: float = math.inf,
) -> None:
    """Gives panels the range of all curves with their errors, at least five units high.

    Args:
        panels: which.
        found: the curves.
        scale: multiplies values.
        floor: the lower end, wherever the curves are.
        lowest, ceiling: what no value is beyond, as it is drawn.
    """
    points = [point for curve in found for point in curve.points]
    low = scale * min(value - error for _, value, error in points)
    high = scale * max(value + error for _, value, error in points)
    room = max(0.06 * (high - low), (5 - (high - low)) / 2)
    # Nothing is below the lowest, so no tick is; the little room is for marks that lie on it.
    least = lowest - min(0.01 * scale, 0.02 * max(5, high - low))
    bottom = floor if floor is not None else max(low - room, least)
    top = max(high + room, bottom + 5)
    for panel in panels:
        panel.set_ylim(bottom, min(top, ceiling + 0.01 * scale))
