"""Pivots the results to one row per trial and sets their numbers in type.

Fractions become per cent on paper. A number that is missing is a dash, never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from rsft.analysis.trajectory import Trajectories
from rsft.records import Estimate
from rsft.report.results import Column, Results, Series, TrialAxes

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
CLEAR_ERRORS = 2.0
"""A change counts when it is more than so many combined standard errors."""
SHOWN_TRUNCATION = 0.05
"""Share of answers cut at the token limit from which a score says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCell:
    """One trial on one benchmark, from step 0 to its last evaluated step, ready to print."""

    base: str
    final: str
    change: str
    """Percentage points with a sign; empty when one end is missing."""
    direction: Literal["up", "down", "same"]
    """`same` unless the change is clear."""
    cut: str
    """Share of truncated answers at the last step, such as `12%`; empty when small."""
    at: str
    """Such as `step 16 of 24`, or `no later step yet`, until the trial's end is evaluated; then empty."""
    spark: str
    """Points of a polyline in a box of 100 x 20, one per step; empty below three steps."""
    spark_base: str
    """Height of the base's score in that box; empty without one."""

    @property
    def notes(self) -> list[str]:
        """What qualifies the score, in words."""
        return [note for note in (f"{self.cut} cut" if self.cut else "", self.at) if note]


@dataclass(frozen=True, slots=True)
class Grid:
    """The pivot: `rows` pairs each trial with one cell per column, None where nothing is known."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[TrialAxes, tuple[GridCell | None, ...]], ...]

    @property
    def dimensions(self) -> list[tuple[str, int]]:
        """Each dimension and how many columns it spans."""
        names = [column.dimension for column in self.columns]
        return [(name, names.count(name)) for name in dict.fromkeys(names)]

    def of(self, trials: Collection[str]) -> Grid:
        """The rows of some trials."""
        return Grid(self.columns, tuple(row for row in self.rows if row[0].trial in trials))

    def count(self, direction: str) -> int:
        """Cells with both ends whose change went that way."""
        cells = [cell for _, row in self.rows for cell in row if cell and cell.change]
        return sum(cell.direction == direction for cell in cells)


def pivot(results: Results, trajectories: Trajectories | None = None) -> Grid:
    """One row per trial, one cell per benchmark: accuracy at step 0 and at the last step."""
    scales = {
        (base, column.benchmark): _scale(results, base, column.benchmark)
        for base in results.bases
        for column in results.columns
    }
    rows = tuple(
        (
            axes,
            tuple(
                _cell(
                    results, trajectories or {}, axes, column.benchmark, scales[axes.base, column.benchmark]
                )
                for column in results.columns
            ),
        )
        for axes in results.trials
    )
    return Grid(results.columns, rows)


def _scale(results: Results, base: str, benchmark: str) -> tuple[float, float]:
    """Lowest and highest score on a benchmark of all trials of a base: their sparklines compare."""
    trials = [axes.trial for axes in results.trials if axes.base == base]
    everyone = [e.value for trial in trials for e in results.of(trial, benchmark).values()]
    return (min(everyone), max(everyone)) if everyone else (0.0, 1.0)


def change(
    results: Results, trajectories: Trajectories, trial: str, benchmark: str
) -> tuple[float, Literal["up", "down", "same"]] | None:
    """From the base to the last step, and which way where its interval, paired by problem, leaves out 0; by
    two combined standard errors where there is no trajectory. None where there are no two ends."""
    series = results.of(trial, benchmark)
    last = max(series, default=0)
    if not last or 0 not in series:
        return None
    found = trajectories.get((trial, benchmark))
    if found is None:
        return series[last].value - series[0].value, direction(series[0], series[last])
    gain = found.final
    return gain.value, "up" if gain.low > 0 else "down" if gain.high < 0 else "same"


def _cell(
    results: Results, trajectories: Trajectories, axes: TrialAxes, benchmark: str, scale: tuple[float, float]
) -> GridCell | None:
    series = results.of(axes.trial, benchmark)
    if not series:
        return None
    base, last = series.get(0), max(series)
    final = series[last] if last else None
    cut = (final or series[last]).truncated
    spark, spark_base = _spark(series, *scale)
    moved = change(results, trajectories, axes.trial, benchmark)
    return GridCell(
        base=plus_minus(base),
        final=plus_minus(final),
        change=signed(100 * moved[0]) if moved else "",
        direction=moved[1] if moved else "same",
        cut=f"{100 * cut:.0f}%" if cut > SHOWN_TRUNCATION else "",
        at=_reached(last, axes.length_steps),
        spark=spark,
        spark_base=spark_base,
    )


def _reached(last: int, steps: int) -> str:
    """What there is of a trial so far; empty when its end, or when its length is none or not known."""
    if not last:
        return "no later step yet" if steps else ""
    return f"step {last} of {steps}" if last < steps else ""


def direction(before: Estimate, after: Estimate) -> Literal["up", "down", "same"]:
    """Which way a score went, if by more than CLEAR_ERRORS combined standard errors.

    The errors are combined as if independent, although both ends answered the same problems: that
    overstates the error of the difference, so that a mark is on the safe side.
    """
    change = after.value - before.value
    error = math.hypot(before.stderr, after.stderr)
    if math.isnan(error) or abs(change) <= CLEAR_ERRORS * error:
        return "same"
    return "up" if change > 0 else "down"


def _spark(series: Series, low: float, high: float) -> tuple[str, str]:
    """Polyline points by order of steps, from low to high, and the height of the base's score."""
    if len(series) < 3:
        return "", ""

    def height(value: float) -> str:
        return f"{18 - 16 * (value - low) / (high - low):.1f}" if high > low else "10.0"

    width = 96 / (len(series) - 1)
    points = [f"{2 + width * i:.1f},{height(e.value)}" for i, e in enumerate(series.values())]
    return " ".join(points), height(series[0].value) if 0 in series else ""


def percent(value: float) -> str:
    return DASH if math.isnan(value) else f"{100 * value:.1f}"


def plus_minus(estimate: Estimate | None, scale: float = 100.0) -> str:
    """`31.2 ± 3.1`, in per cent unless another scale is given; no ± without a standard error."""
    if estimate is None:
        return DASH
    error = "" if math.isnan(estimate.stderr) else f" ± {scale * estimate.stderr:.1f}"
    return f"{scale * estimate.value:.1f}{error}"


def signed(points: float) -> str:
    """`+4.2`, a true minus sign for a loss, plain `0.0` for none."""
    text = f"{abs(points):,.1f}"
    return text if text == "0.0" else f"{'+' if points > 0 else MINUS}{text}"


def full_table(results: Results, benchmark: str) -> list[tuple[TrialAxes, list[list[str]]]]:
    """Every evaluated step of every trial on one benchmark: step, score, 95% interval, score among
    finished answers, share cut, share without answer, response tokens, problems, answers."""
    table = []
    for axes in results.trials:
        series = results.of(axes.trial, benchmark)
        others = [
            results.of(axes.trial, benchmark, name)
            for name in ("accuracy_finished", "truncated", "no_answer")
        ]
        tokens = results.of(axes.trial, benchmark, "response_tokens")
        rows = [
            [
                str(step),
                plus_minus(e),
                DASH if math.isnan(e.ci_low) else f"{percent(e.ci_low)} to {percent(e.ci_high)}",
                *(percent(o[step].value) if step in o else DASH for o in others),
                plus_minus(tokens.get(step), 1.0),
                str(e.problems),
                str(e.samples),
            ]
            for step, e in series.items()
        ]
        if rows:
            table.append((axes, rows))
    return table
