"""Procedures in traces on the page: a figure per base, rates before and after, the link to being right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from rsft.analysis.procedure_rates import LINK, LINKED, MEASURES, SHARES, THINKING_TOKENS
from rsft.analysis.procedures import PROCEDURES
from rsft.cores import begun
from rsft.records import Estimate
from rsft.report.curves import curves, steps_of
from rsft.report.drawing import Drawing, drawn_as, file_name
from rsft.report.exports import Table
from rsft.report.look import Look
from rsft.report.panels import draw_curves, panel_grid, share_y
from rsft.report.results import DIMENSIONS, Results, TrialAxes
from rsft.report.shown import Shown, part
from rsft.report.tables import DASH, signed
from rsft.report.transfer import transfer_figure, transfer_table, transfers

DRAWN = (*PROCEDURES, THINKING_TOKENS, "repetition", "loops")
"""Of the figures, in two rows per dimension: the procedures, and surface verbosity below them."""
PER_ROW = 5
SMALL: dict[str, Any] = {"font.size": 8, "axes.titlesize": 8.5, "axes.titleweight": "normal"}
NAMES = {
    "thinking_tokens": "thinking tokens",
    "repetition": "repeated 8-grams (%)",
    "loops": "ends in a loop (%)",
    "equations_true": "equations true (%)",
    "checks_computed": "checks with an equation (%)",
    "checks_true": "checks that hold (%)",
    "dead_ends": "dead ends that are (%)",
}


@dataclass(frozen=True, slots=True)
class ProcedureSection:
    """What the page shows; empty without a trace."""

    about: str = ""
    """Of how many trials this is; empty where it is all of them."""
    drawn: tuple[Callable[[], Drawing], ...] = ()
    """A figure per base, to be called for."""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[TrialAxes, str, tuple[str, ...]], ...] = ()
    """Trial, dimension, and per measure its value at step 0 and at the last step."""
    link_heads: tuple[str, ...] = ()
    links: tuple[tuple[TrialAxes, str, int, tuple[tuple[str, bool], ...]], ...] = ()
    """Trial, dimension, problems, and per measure the difference with its interval, and whether that is
    clear of 0."""
    transfer: Table | None = None
    """Of procedures from in-domain to out-of-domain traces, with a figure; None where one side is missing."""
    transfer_figure: Drawing | None = None

    @property
    def figures(self) -> tuple[Drawing, ...]:
        return tuple(draw() for draw in self.drawn)

    @property
    def tables(self) -> tuple[Table, ...]:
        """As files, those that have rows."""
        axes = ("base", "data", "length", "seed", "dimension")
        levels = Table(
            name="procedures-levels",
            about="Procedures per 1,000 thinking tokens and what they were worth, base → last step.",
            head=[*axes, *self.heads],
            rows=[[*_named(one), dimension, *cells] for one, dimension, cells in self.rows],
        )
        links = Table(
            name="procedures-links",
            about="Correct minus wrong answers to the same problem at the same step, per 1,000 thinking "
            "tokens, with 95% intervals over problems, not corrected for their number. A link is no cause.",
            head=[*axes, "problems", *self.link_heads],
            rows=[
                [*_named(one), dimension, str(problems), *(cell for cell, _ in cells)]
                for one, dimension, problems, cells in self.links
            ],
        )
        return tuple(one for one in (self.transfer, levels, links) if one is not None and one.rows)


def _named(axes: TrialAxes) -> list[str]:
    return [axes.base, axes.variant, axes.length, str(axes.seed)]


def procedure_section(results: Results, table: pd.DataFrame) -> ProcedureSection:
    """Of the tidy table of procedures; rows of trials that have no score are left out."""
    if table.empty:
        return ProcedureSection()
    sizes = table.drop_duplicates("base").set_index("base")["parameters"].fillna(math.inf).to_dict()
    trials = tuple(sorted(results.trials, key=lambda axes: sizes.get(axes.base, math.inf)))
    pooled = replace(results, trials=trials, series=_over_benchmarks(table))
    dimensions = sorted(
        {dimension for _, dimension, _ in pooled.series},
        key=lambda name: (DIMENSIONS.index(name) if name in DIMENSIONS else len(DIMENSIONS), name),
    )
    traced = part(pooled, {trial for trial, _, _ in pooled.series})
    # The rows of the report say how much of a trial there is to list; what is drawn does not depend on them.
    shown = Shown.of(part(results, {axes.trial for axes in traced.trials}))
    drawn = part(traced, {axes.trial for axes in shown.drawn.trials})
    listed = part(traced, {axes.trial for axes in shown.listed.trials})
    figures = begun([partial(_figure, drawn, base, dimensions) for base in drawn.bases])
    carried = transfers(pooled, {base: int(n) for base, n in sizes.items() if n < math.inf})
    return ProcedureSection(
        transfer=transfer_table(carried) if carried else None,
        transfer_figure=transfer_figure(carried, Look.of(pooled.trials)),
        about=_about(len(traced.trials), len(results.trials), shown),
        heads=tuple(NAMES.get(name, name) for name in MEASURES),
        rows=tuple(_rows(listed, dimensions)),
        link_heads=tuple(NAMES.get(name, name) for name in LINKED),
        links=tuple(_links(listed, dimensions, table)),
        drawn=tuple(figures),
    )


def _about(traced: int, trials: int, shown: Shown) -> str:
    few = (
        f"Read are the traces of {traced:,} of {trials:,} trials, drawn at random." if traced < trials else ""
    )
    return " ".join(said for said in (few, shown.about_listed, shown.about_drawn) if said)


def _over_benchmarks(table: pd.DataFrame) -> Mapping[tuple[str, str, str], Mapping[int, Estimate]]:
    """Per trial, dimension and measure the mean over benchmarks, each alike; their errors are independent."""
    groups: dict[tuple[str, str, str], dict[int, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    levels = table[table["step"].notna() & ~table["measure"].str.startswith(LINK)]
    for row in levels.to_dict("records"):
        groups[row["trial"], row["dimension"], row["measure"]][int(row["step"])].append(row)
    return {
        key: {step: _mean(key[2], rows) for step, rows in sorted(steps.items())}
        for key, steps in groups.items()
    }


def _mean(measure: str, rows: Sequence[Mapping[str, Any]]) -> Estimate:
    value = math.fsum(row["value"] for row in rows) / len(rows)
    stderr = math.hypot(*(row["stderr"] for row in rows)) / len(rows)
    return Estimate(
        metric=measure,
        value=value,
        stderr=stderr,
        ci_low=math.nan,
        ci_high=math.nan,
        problems=sum(row["problems"] for row in rows),
        samples=sum(row["responses"] for row in rows),
        truncated=math.nan,
    )


def _figure(pooled: Results, base: str, dimensions: Sequence[str]) -> Drawing:
    look = Look.of(pooled.trials)
    bands = math.ceil(len(DRAWN) / PER_ROW)
    file = file_name(f"procedures-{base}", set())
    with drawn_as(file, **SMALL):
        tops_in = [0.5, *[0.28] * (bands - 1)] * len(dimensions)
        figure, grid = panel_grid(tops_in, PER_ROW, panel_in=0.9, head_in=look.legend_in, narrow=True)
        for i, dimension in enumerate(dimensions):
            for j, panel in enumerate(panel for row in grid[i * bands :][:bands] for panel in row):
                if j >= len(DRAWN):
                    panel.remove()
                    continue
                scale = 100.0 if DRAWN[j] in SHARES else 1.0
                every = [one for each in dimensions for one in curves(pooled, each, DRAWN[j])]
                mine = [one for one in curves(pooled, dimension, DRAWN[j]) if one.base == base]
                title = NAMES.get(DRAWN[j], DRAWN[j])
                draw_curves(panel, mine, look, steps=steps_of(every), scale=scale, title=title, small=True)
                share_y([panel], every, scale=scale, floor=0)
                if j == 0:
                    panel.set_ylabel("per 1,000")
            top = grid[i * bands][0].get_position().y1 + 0.3 / figure.get_figheight()
            figure.text(0.005, top, dimension, weight="bold", size=9.5)
        look.legend(figure, base=True)
        caption = (
            "Sentences per 1,000 thinking tokens that hold a procedure, and below them how long and how "
            "repetitive the thinking is; means over the benchmarks of a dimension."
        )
        title = f"Procedures in the traces of {base}"
        return Drawing.of(figure, file=file, title=title, caption=caption)


def _rows(pooled: Results, dimensions: Sequence[str]) -> list[tuple[TrialAxes, str, tuple[str, ...]]]:
    rows = []
    for axes in pooled.trials:
        for dimension in dimensions:
            cells = []
            for measure in MEASURES:
                series = pooled.of(axes.trial, dimension, measure)
                last = max(series, default=0)
                ends = (series.get(0), series.get(last) if last else None)
                cells.append(" → ".join(_said(measure, end) for end in ends))
            if any(cell.strip(f"{DASH} →") for cell in cells):
                rows.append((axes, dimension, tuple(cells)))
    return rows


def _links(
    pooled: Results, dimensions: Sequence[str], table: pd.DataFrame
) -> list[tuple[TrialAxes, str, int, tuple[tuple[str, bool], ...]]]:
    linked = table[table["step"].isna() & table["benchmark"].isna()]
    found = {(row["trial"], row["dimension"], row["measure"]): row for row in linked.to_dict("records")}
    rows = []
    for axes in pooled.trials:
        for dimension in dimensions:
            mine = [found.get((axes.trial, dimension, LINK + name)) for name in LINKED]
            if mine[0] is None:
                continue
            cells = tuple(
                (DASH, False)
                if row is None
                else (
                    f"{signed(row['value'])} ({signed(row['ci_low'])} to {signed(row['ci_high'])})",
                    row["ci_low"] > 0 or row["ci_high"] < 0,
                )
                for row in mine
            )
            rows.append((axes, dimension, int(mine[0]["problems"]), cells))
    return rows


def _said(measure: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return DASH
    return f"{(100 if measure in SHARES else 1) * estimate.value:,.{0 if measure == THINKING_TOKENS else 1}f}"
