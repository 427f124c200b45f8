"""A small picture per claim: what was found, with its interval, what was said, and what was published."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rsft.analysis.bootstrap import Interval
from rsft.analysis.claims import Answer
from rsft.analysis.references import References
from rsft.analysis.trajectory import Trajectory
from rsft.report.drawing import Drawing, drawn_as, file_name
from rsft.report.look import GAIN, GREY, INK, LOSS, OKABE_ITO, shortened
from rsft.report.panels import step_axis
from rsft.report.results import Results

COLOURS = {"supported": GAIN, "contradicted": LOSS, "undecided": GREY}
CLAIMED = "#e3f4ee"
ACROSS_IN, LEFT_IN = 3.4, 1.15
PARTS, CURVES = 8, 7
"""Benchmarks that get a line of their own, and curves."""
SMALL = {"font.size": 7.5, "axes.labelsize": 7.5, "axes.grid": False}


def claim_figures(
    results: Results,
    answers: Sequence[Answer],
    published: Mapping[str, float],
    references: References,
    trajectories: Mapping[tuple[str, str], Trajectory],
) -> dict[str, Drawing]:
    """By name of the claim, of those that have something to draw.

    Args:
        results: of the table of cells.
        answers: to the claims.
        published: difference by name of the claim, in units of the score.
        references: published scores.
        trajectories: by trial and benchmark.
    """
    found: dict[str, Drawing] = {}
    for one in answers:
        file = file_name(f"claim-{one.claim.name}", {drawing.file for drawing in found.values()})
        with drawn_as(file, **SMALL):
            drawn = (
                _curves(results, one, references, trajectories)
                if one.claim.shape
                else _difference(one, published.get(one.claim.name))
            )
            if drawn is not None:
                caption = f"{one.claim.says} {one.state.capitalize()}."
                found[one.claim.name] = Drawing.of(drawn, file=file, title=one.claim.name, caption=caption)
    return found


def _told_apart(results: Results, keys: Sequence[tuple[str, str]]) -> list[str]:
    """What of each curve is not the same for all; nothing where there is one."""
    axes = {one.trial: one for one in results.trials}
    parts = [
        (name, one.base, one.variant, one.length, f"seed {one.seed}")
        for trial, name in keys
        for one in [axes[trial]]
    ]
    differ = [len(set(values)) > 1 for values in zip(*parts, strict=True)]
    return [" ".join(compress(each, differ)) for each in parts] if any(differ) else []


def _panel(rows_in: float, left: float = LEFT_IN, top: float = 0.0) -> tuple[Figure, Axes]:
    tall = rows_in + 0.42 + top
    figure = Figure(figsize=(ACROSS_IN, tall))
    return figure, figure.add_axes(
        (left / ACROSS_IN, 0.36 / tall, (ACROSS_IN - left - 0.1) / ACROSS_IN, rows_in / tall)
    )


def _difference(one: Answer, published: float | None) -> Figure | None:
    """The effect, its parts by benchmark and the published value, on the axis that the claim is about."""
    if one.effect is None:
        return None
    claim = one.claim
    scale = 100.0 if claim.unit == "points" else 1.0
    parts = {name: part for name, part in one.parts.items() if isinstance(part, Interval)}
    rows: list[tuple[str, Interval, str, float]] = [("found", one.effect, COLOURS[one.state], 5.5)]
    if len(parts) > 1:
        rows += [(shortened(name, 19), part, GREY, 3.5) for name, part in list(parts.items())[:PARTS]]
    if published is not None:
        rows.append(("published", Interval(published, published, published), INK, 5.5))
    figure, panel = _panel(0.19 * len(rows) + 0.06)
    ends = [scale * end for _, part, _, _ in rows for end in (part.low, part.high)]
    limits = {"higher": [claim.by], "lower": [-claim.by]}.get(claim.expects, [-claim.by, claim.by])
    ends += [0.0, *(scale * limit for limit in limits)]
    room = max(0.1 * (max(ends) - min(ends)), 0.5)
    if claim.expects != "same":  # where the claim would be is seen
        ends.append(scale * limits[0] + (3 if claim.expects == "higher" else -3) * room)
    low, high = min(ends) - room, max(ends) + room
    said = {"higher": (scale * claim.by, high), "lower": (low, -scale * claim.by)}.get(
        claim.expects, (-scale * claim.by, scale * claim.by)
    )
    panel.axvspan(*said, color=CLAIMED, lw=0)
    for limit in limits:
        panel.axvline(scale * limit, color="#00664a", lw=1)
    panel.axvline(0, color=GREY, lw=0.7, ls="--")
    for i, (name, part, colour, dot) in enumerate(rows):
        if part.high > part.low:
            panel.plot([scale * part.low, scale * part.high], [i, i], color=colour, lw=1.3)
        empty = name == "published"
        panel.plot(
            scale * part.value,
            i,
            marker="D" if empty else "o",
            ms=dot,
            color=colour,
            mfc="white" if empty else colour,
        )
    panel.set(xlim=(low, high), ylim=(len(rows) - 0.4, -0.6))
    panel.set_yticks(range(len(rows)), labels=[name for name, *_ in rows])
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.set_xlabel(claim.unit or claim.metric)
    return figure


def _curves(
    results: Results,
    one: Answer,
    references: References,
    trajectories: Mapping[tuple[str, str], Trajectory],
) -> Figure | None:
    """Gains over the base with their intervals, and published ones as open diamonds."""
    keys = [key for key in one.curves if key in trajectories and 0 in results.of(*key)][:CURVES]
    if not keys:
        return None
    names = _told_apart(results, keys)
    figure, panel = _panel(1.15, left=0.5, top=0.15 * math.ceil(len(names) / 2))
    if names:
        handles = [
            Line2D([], [], color=colour, lw=2.5, label=shortened(name, 26))
            for colour, name in zip(OKABE_ITO, names, strict=False)
        ]
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.1}
        figure.legend(
            handles=handles, ncols=2, handlelength=1.2, columnspacing=1.2, labelspacing=0.25, **place
        )
    panel.axhline(0, color=GREY, lw=0.8, ls="--")
    steps = sorted({step for key in keys for step in results.of(*key)})
    for colour, key in zip(OKABE_ITO, keys, strict=False):
        trained = [step for step in results.of(*key) if step]
        gains = trajectories[key].gains
        if len(trained) == len(gains):
            at = [0, *trained]
            low, high = ([0.0, *(100 * getattr(gain, end) for gain in gains)] for end in ("low", "high"))
            panel.fill_between(at, low, high, color=colour, alpha=0.18, lw=0)
            panel.plot(
                at, [0.0, *(100 * gain.value for gain in gains)], color=colour, lw=1.2, marker="o", ms=2.5
            )
        said = references.get(key, {})
        if 0 in said:
            panel.plot(
                list(said),
                [100 * (v - said[0]) for v in said.values()],
                ls="",
                marker="D",
                ms=3.8,
                mfc="white",
                color=colour,
            )
    step_axis(panel, steps, small=True)
    panel.set_xlabel("optimizer step")
    panel.set_ylabel("gain (points)")
    return figure
