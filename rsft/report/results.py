"""Reads the tidy table of cells into trials, benchmarks and series of estimates over steps.

Accuracies and shares are fractions in [0, 1]; response lengths are tokens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from rsft.benchmarks.cards import CARDS
from rsft.errors import DataError
from rsft.records import Estimate

AXES = ("trial", "base", "data", "length", "length_steps", "seed", "recipe")
WHAT = ("step", "benchmark", "dimension", "metric")
NUMBERS = ("value", "stderr", "ci_low", "ci_high", "truncated")
COUNTS = ("problems", "samples")
WHOLE = (*COUNTS, "step", "seed", "length_steps")
COLUMNS = (*AXES, *WHAT, "value", "stderr", "ci_low", "ci_high", *COUNTS, "truncated")
"""Of the tidy table: one row per trial, step, benchmark and metric."""
METRICS = ("accuracy", "accuracy_finished", "truncated", "no_answer", "response_tokens")
"""That the page shows; the table has more."""

DIMENSIONS = ("in-domain", "out-of-domain", "general", "safety", "over-refusal")
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
    """The data, and of the recipe what not all trials of the base have in common; one colour of the
    figures."""


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

    @property
    def recipes(self) -> dict[str, str]:
        """By base, what all of its trials have in common beside the sweep's recipe; mostly nothing."""
        shared = _in_common((axes.base, axes.recipe) for axes in self.trials)
        return {base: ", ".join(settings) for base, settings in shared.items()}

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


def read_cells(cells: pd.DataFrame, parameters: Mapping[str, int] | None = None) -> Results:
    """Indexes METRICS of the tidy table (columns: COLUMNS); an empty or partial one is fine.

    Args:
        cells: the table.
        parameters: number of weights by base, where they are known: small bases come first.

    Raises:
        DataError: rows without one of COLUMNS.
    """
    frame = tidy(cells)
    frame = frame[frame["metric"].isin(METRICS)]
    columns = {name: pd.to_numeric(frame[name]).astype("float64") for name in NUMBERS}
    columns |= {name: pd.to_numeric(frame[name]).fillna(0).astype("int64") for name in WHOLE}
    columns |= {name: frame[name].astype(str) for name in frame.columns if name not in columns}
    frame = frame.assign(**columns)
    known = frame[frame["value"].notna()].sort_values("step", kind="stable")
    names = ("trial", "benchmark", "step", "metric", "value", "stderr", "ci_low", "ci_high")
    # By column, not by row: a large sweep has hundreds of thousands.
    rows = zip(*(known[name].tolist() for name in (*names, *COUNTS, "truncated")), strict=True)
    series: dict[tuple[str, str, str], dict[int, Estimate]] = {}
    for trial, benchmark, step, metric, value, stderr, low, high, problems, samples, truncated in rows:
        series.setdefault((trial, benchmark, metric), {})[step] = Estimate(
            metric=metric,
            value=value,
            stderr=stderr,
            ci_low=low,
            ci_high=high,
            problems=problems,
            samples=samples,
            truncated=truncated,
        )
    return Results(_trials(frame, parameters or {}), _columns(frame, known), series)


def _settings(recipe: str) -> list[str]:
    return [] if recipe == "default" else re.split(r" (?=[a-z_]+=)", recipe)


def _in_common(recipes: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """By base, in their order, the settings that all its recipes have."""
    found: dict[str, list[str]] = {}
    for base, recipe in recipes:
        settings = _settings(recipe)
        found[base] = [one for one in found.get(base, settings) if one in settings]
    return found


def _trials(frame: pd.DataFrame, parameters: Mapping[str, int]) -> tuple[TrialAxes, ...]:
    """Every trial once; bases by size, else as data in the order of the table, then short before long."""
    rows = frame.drop_duplicates("trial")[list(AXES)].to_dict("records")
    usual = _in_common((row["base"], row["recipe"]) for row in rows)
    found = []
    for row in rows:
        own = [setting for setting in _settings(row["recipe"]) if setting not in usual[row["base"]]]
        variant = f"{row['data']} ({', '.join(own)})" if own else row["data"]
        found.append(TrialAxes(**row, variant=variant))
    sized = sorted(found, key=lambda axes: parameters.get(axes.base, math.inf))
    bases = {name: place for place, name in enumerate(dict.fromkeys(axes.base for axes in sized))}
    data = {name: place for place, name in enumerate(dict.fromkeys(axes.data for axes in found))}

    def place(axes: TrialAxes) -> tuple[int, int, str, int, int, str]:
        first, second = bases[axes.base], data[axes.data]
        return first, second, axes.recipe, axes.length_steps, axes.seed, axes.trial

    return tuple(sorted(found, key=place))


def _columns(frame: pd.DataFrame, known: pd.DataFrame) -> tuple[Column, ...]:
    dimensions = dict(
        frame.drop_duplicates("benchmark")[["benchmark", "dimension"]].itertuples(index=False, name=None)
    )
    scores = known[known["metric"] == "accuracy"].drop_duplicates(["benchmark", "problems", "samples"])
    sizes: dict[str, list[tuple[int, int]]] = {}
    for name, problems, samples in scores[["benchmark", "problems", "samples"]].itertuples(
        index=False, name=None
    ):
        sizes.setdefault(name, []).append((problems, samples))
    catalogue = list(CARDS)

    def place(name: str) -> tuple[int, str, int, str]:
        dimension = dimensions[name]
        first = DIMENSIONS.index(dimension) if dimension in DIMENSIONS else len(DIMENSIONS)
        return first, dimension, catalogue.index(name) if name in CARDS else len(CARDS), name

    return tuple(
        Column(
            benchmark=name,
            dimension=dimensions[name],
            size=_size(sizes.get(name, [])),
            about=CARDS[name].about if name in CARDS else "",
        )
        for name in sorted(dimensions, key=place)
    )


def _size(asked: list[tuple[int, int]]) -> str:
    """Of pairs of problems and answers, in words."""
    problems = sorted({each for each, _ in asked if each})
    if not problems:
        return ""
    per_problem = {samples / each for each, samples in asked if each}
    count = f"{problems[0]} to {problems[-1]}" if len(problems) > 1 else str(problems[0])
    if len(per_problem) == 1 and (one := per_problem.pop()).is_integer():
        return f"{count} problems \N{MULTIPLICATION SIGN} {one:.0f}"
    return f"{count} problems, {max(samples for _, samples in asked)} answers"
