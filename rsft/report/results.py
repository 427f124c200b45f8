"""Reads the tidy table of cells into trials, benchmarks and series of estimates over steps.

Accuracies and shares are fractions in [0, 1]; response lengths are tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rsft.benchmarks.cards import CARDS
from rsft.errors import DataError
from rsft.records import Estimate

AXES = ("trial", "base", "data", "length", "length_steps", "seed", "recipe")
WHAT = ("step", "benchmark", "dimension", "metric")
NUMBERS = ("value", "stderr", "ci_low", "ci_high", "problems", "samples", "truncated")
COLUMNS = (*AXES, *WHAT, *NUMBERS)
"""Of the tidy table: one row per trial, step, benchmark and metric."""

DIMENSIONS = ("in-domain", "out-of-domain", "general", "safety")
"""In the order of the page; any other name comes after them."""

Series = Mapping[int, Estimate]
"""Estimates of one trial, benchmark and metric, by optimizer step, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAxes:
    """A trial and its place in the grid."""

    trial: str
    base: str
    data: str
    length: str
    """Label such as `24st`."""
    length_steps: int
    """The same in optimizer steps; 0 when unknown."""
    seed: int
    recipe: str
    variant: str
    """The data, and the recipe too where a sweep has several; one colour of the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A benchmark as a column of the grid."""

    benchmark: str
    dimension: str
    size: str
    """Problems times answers per problem, in words."""
    about: str
    """The catalogue's line; empty for a benchmark it does not have."""


@dataclass(frozen=True, slots=True)
class Results:
    """The tidy table, indexed. Rows whose value is NaN are left out."""

    trials: tuple[TrialAxes, ...]
    columns: tuple[Column, ...]
    series: Mapping[tuple[str, str, str], Series]
    """By (trial, benchmark, metric)."""

    @property
    def bases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(axes.base for axes in self.trials))

    def of(self, trial: str, benchmark: str, metric: str = "accuracy") -> Series:
        return self.series.get((trial, benchmark, metric), {})


def tidy(cells: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns in order and one row per cell and metric, the last one written.

    Raises:
        DataError: rows without one of COLUMNS.
    """
    missing = [column for column in COLUMNS if column not in cells.columns]
    if missing and len(cells):
        raise DataError(f"the table of cells lacks {', '.join(missing)}; write it again with `rsft report`.")
    frame = cells.reindex(columns=list(COLUMNS))
    return frame.drop_duplicates(["trial", "step", "benchmark", "metric"], keep="last")


def read_cells(cells: pd.DataFrame) -> Results:
    """Indexes the tidy table (columns: COLUMNS); an empty or partial one is fine.

    Raises:
        DataError: rows without one of COLUMNS.
    """
    rows: list[dict[str, Any]] = tidy(cells).to_dict("records")
    collected: dict[tuple[str, str, str], dict[int, Estimate]] = {}
    for row in rows:
        if not math.isnan(_number(row["value"])):
            key = (str(row["trial"]), str(row["benchmark"]), str(row["metric"]))
            collected.setdefault(key, {})[_whole(row["step"])] = _estimate(row)
    series = {key: dict(sorted(steps.items())) for key, steps in collected.items()}
    return Results(_trials(rows), _columns(rows, series), series)


def _number(value: Any) -> float:
    return math.nan if value is None or pd.isna(value) else float(value)


def _whole(value: Any) -> int:
    number = _number(value)
    return 0 if math.isnan(number) else int(number)


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(
        metric=str(row["metric"]),
        value=_number(row["value"]),
        stderr=_number(row["stderr"]),
        ci_low=_number(row["ci_low"]),
        ci_high=_number(row["ci_high"]),
        problems=_whole(row["problems"]),
        samples=_whole(row["samples"]),
        truncated=_number(row["truncated"]),
    )


def _trials(rows: Iterable[Mapping[str, Any]]) -> tuple[TrialAxes, ...]:
    """Every trial once; bases and data in the order of the table, then short before long."""
    by_trial = {str(row["trial"]): row for row in rows}
    several = len({str(row["recipe"]) for row in by_trial.values()}) > 1
    found = [
        TrialAxes(
            trial=trial,
            base=str(row["base"]),
            data=str(row["data"]),
            length=str(row["length"]),
            length_steps=_whole(row["length_steps"]),
            seed=_whole(row["seed"]),
            recipe=str(row["recipe"]),
            variant=f"{row['data']} ({row['recipe']})" if several else str(row["data"]),
        )
        for trial, row in by_trial.items()
    ]
    bases = list(dict.fromkeys(axes.base for axes in found))
    data = list(dict.fromkeys(axes.data for axes in found))

    def place(axes: TrialAxes) -> tuple[int, int, str, int, int, str]:
        first, second = bases.index(axes.base), data.index(axes.data)
        return first, second, axes.recipe, axes.length_steps, axes.seed, axes.trial

    return tuple(sorted(found, key=place))


def _columns(
    rows: Iterable[Mapping[str, Any]], series: Mapping[tuple[str, str, str], Series]
) -> tuple[Column, ...]:
    dimensions = {str(row["benchmark"]): str(row["dimension"]) for row in rows}
    catalogue = list(CARDS)

    def place(name: str) -> tuple[int, str, int, str]:
        dimension = dimensions[name]
        first = DIMENSIONS.index(dimension) if dimension in DIMENSIONS else len(DIMENSIONS)
        return first, dimension, catalogue.index(name) if name in CARDS else len(CARDS), name

    def size(name: str) -> str:
        steps = [s for key, s in series.items() if key[1:] == (name, "accuracy")]
        return _size([estimate for by_step in steps for estimate in by_step.values()])

    return tuple(
        Column(
            benchmark=name,
            dimension=dimensions[name],
            size=size(name),
            about=CARDS[name].about if name in CARDS else "",
        )
        for name in sorted(dimensions, key=place)
    )


def _size(estimates: list[Estimate]) -> str:
    problems = sorted({e.problems for e in estimates if e.problems})
    if not problems:
        return ""
    each = {e.samples / e.problems for e in estimates if e.problems}
    count = f"{problems[0]} to {problems[-1]}" if len(problems) > 1 else str(problems[0])
    if len(each) == 1 and (per_problem := each.pop()).is_integer():
        return f"{count} problems \N{MULTIPLICATION SIGN} {per_problem:.0f}"
    return f"{count} problems, {max(e.samples for e in estimates)} answers"
