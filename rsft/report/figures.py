"""The figures of the report: scores, truncation and response length over steps, training loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rsft.analysis.references import References, assumed_size
from rsft.report.curves import LOSS_POINTS, curves, loss_points, published_curves, steps_of
from rsft.report.drawing import Drawing, drawn_as, file_name
from rsft.report.look import GREY, Look
from rsft.report.panels import draw_curves, panel_grid, panel_row, share_y
from rsft.report.results import Results

SHOWN_TRUNCATION = 0.01
"""Share of truncated answers above which a benchmark gets its panel."""
SMALL_PER_ROW = 5
SMALL: dict[str, Any] = {"font.size": 8, "axes.titlesize": 8.5, "axes.titleweight": "normal"}


def score_figures(results: Results, references: References | None = None) -> list[Drawing]:
    """Score over steps, one figure per benchmark that has a score, one panel per base.

    Args:
        results: of the table of cells.
        references: published scores of trials, drawn as open diamonds.
    """
    look = Look.of(results.trials)
    drawings: list[Drawing] = []
    for column in results.columns:
        name = column.benchmark
        found = curves(results, name, "accuracy")
        if not found:
            continue
        file = file_name(f"score-{name}", {d.file for d in drawings})
        with drawn_as(file):
            figure, panels = panel_row(results.bases, look)
            for base, panel in zip(results.bases, panels, strict=True):
                mine = [curve for curve in found if curve.base == base]
                draw_curves(panel, mine, look, steps=steps_of(found), scale=100, title=base)
            said = published_curves(results, name, references or {})
            for curve in said:
                panel = panels[results.bases.index(curve.base)]
                at, values, _ = zip(*curve.points, strict=True)
                style = {"color": look.line(curve.variant, curve.length)["color"], "ls": "", "marker": "D"}
                panel.plot(at, [100 * value for value in values], **style, ms=4.6, mfc="white", mew=0.9)
            share_y(panels, [*found, *said], scale=100, ceiling=100)
            panels[0].set_ylabel("score (%)")
            look.legend(figure, base=True)
            about = (column.dimension, column.about, column.size, _published(name) if said else "")
            caption = ", ".join(part for part in about if part)
            drawings.append(Drawing.of(figure, file=file, title=name, caption=caption))
    return drawings


def _published(benchmark: str) -> str:
    size = assumed_size(benchmark)
    return f"open diamonds: published{f' (of {size}, as far as is known)' if size else ''}"


def truncation_figure(results: Results) -> Drawing | None:
    """Share of answers cut at the token limit, where it was ever above SHOWN_TRUNCATION."""
    names = [
        column.benchmark
        for column in results.columns
        if any(
            value > SHOWN_TRUNCATION
            for curve in curves(results, column.benchmark, "truncated")
            for _, value, _ in curve.points
        )
    ]
    said = f"Benchmarks where more than {SHOWN_TRUNCATION:.0%} of answers were cut at some step."
    return _small_panels(results, names, "truncated", 100, "cut (%)", "Answers cut at the token limit", said)


def length_figure(results: Results) -> Drawing | None:
    """Mean response tokens over steps, a small panel per base and benchmark."""
    names = [column.benchmark for column in results.columns]
    return _small_panels(
        results, names, "response_tokens", 1, "tokens", "Response length", "Mean response tokens."
    )


def _small_panels(
    results: Results,
    benchmarks: Sequence[str],
    metric: str,
    scale: float,
    unit: str,
    title: str,
    caption: str,
) -> Drawing | None:
    found = {name: curves(results, name, metric) for name in benchmarks}
    shown = [name for name in benchmarks if found[name]]
    if not shown:
        return None
    look = Look.of(results.trials)
    steps = steps_of(curve for name in shown for curve in found[name])
    bands = math.ceil(len(shown) / SMALL_PER_ROW)
    file = file_name(metric.replace("_", "-"), set())
    with drawn_as(file, **SMALL):
        tops_in = [0.5, *[0.28] * (bands - 1)] * len(results.bases)
        figure, grid = panel_grid(tops_in, SMALL_PER_ROW, panel_in=0.9, head_in=look.legend_in, narrow=True)
        for i, base in enumerate(results.bases):
            for j, panel in enumerate(panel for row in grid[i * bands :][:bands] for panel in row):
                if j >= len(shown):
                    panel.remove()
                    continue
                mine = [curve for curve in found[shown[j]] if curve.base == base]
                draw_curves(panel, mine, look, steps=steps, scale=scale, title=shown[j], small=True)
                share_y([panel], found[shown[j]], scale=scale, floor=0)
                if j % SMALL_PER_ROW == 0:
                    panel.set_ylabel(unit)
            top = grid[i * bands][0].get_position().y1 + 0.3 / figure.get_figheight()
            figure.text(0.005, top, base, weight="bold", size=9.5)
        look.legend(figure, base=True)
        return Drawing.of(figure, file=file, title=title, caption=caption)


Logs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows of train.jsonl by trial."""
Points = Sequence[tuple[float, float]]


def loss_figure(results: Results, training: Logs) -> Drawing | None:
    """Training loss of each trial, one panel per base."""
    logs = {trial: points for trial, rows in training.items() if (points := loss_points(rows))}
    caption = f"One line per trial; logs of more than {LOSS_POINTS} rows are averaged in bins."
    return _lines(results, logs, "training-loss.svg", "Training loss", caption, marker="")


def heldout_figures(results: Results, training: Logs) -> list[Drawing]:
    """Loss on every held-out slice, one panel per base; step 0 is the base."""
    slices = sorted({name for rows in training.values() for row in rows for name in row.get("heldout") or ()})
    taken: set[str] = set()
    drawings: list[Drawing | None] = []
    for name in slices:
        logs = {trial: points for trial, rows in training.items() if (points := _heldout_points(rows, name))}
        file = file_name(f"heldout-{name}", taken)
        taken.add(file)
        caption = "Rows that are not trained on; one line per trial, step 0 is the base."
        drawings.append(_lines(results, logs, file, f"Held-out loss: {name}", caption, marker="."))
    return [drawing for drawing in drawings if drawing is not None]


def _heldout_points(rows: Sequence[Mapping[str, Any]], name: str) -> Points:
    return [(row["step"], row["heldout"][name]) for row in rows if name in (row.get("heldout") or ())]


def _lines(
    results: Results, logs: Mapping[str, Points], file: str, title: str, caption: str, marker: str
) -> Drawing | None:
    if not logs:
        return None
    known = {axes.trial: axes for axes in results.trials}
    look = Look.of(results.trials)
    elsewhere = "not evaluated yet"
    homes = {trial: known[trial].base if trial in known else elsewhere for trial in logs}
    names = [name for name in (*results.bases, elsewhere) if name in homes.values()]
    with drawn_as(file):
        figure, panels = panel_row(names, look)
        for name, panel in zip(names, panels, strict=True):
            for trial in (trial for trial, home in homes.items() if home == name):
                style: dict[str, Any] = {"color": GREY, "linestyle": "-"}
                if trial in known:
                    style = look.line(known[trial].variant, known[trial].length)
                panel.plot(*zip(*logs[trial], strict=True), **style | {"marker": marker}, lw=1.1)
            panel.set_title(name)
            panel.set_xlabel("optimizer step")
        low = min(loss for points in logs.values() for _, loss in points)
        high = max(loss for points in logs.values() for _, loss in points)
        for panel in panels:
            panel.set_ylim(low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1))
        panels[0].set_ylabel("loss (nats per target token)")
        if look.variants:
            look.legend(figure, base=False, markers=False)
        return Drawing.of(figure, file=file, title=title, caption=caption)
