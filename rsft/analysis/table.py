"""The tidy table: one row per (trial, step, benchmark, metric)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

import pyarrow as pa

from rsft.records import Estimate
from rsft.spec.trial import Trial

SCHEMA = pa.schema(
    [
        ("trial", pa.string()),
        ("base", pa.string()),
        ("data", pa.string()),
        ("length", pa.string()),
        ("length_steps", pa.int64()),
        ("seed", pa.int64()),
        ("recipe", pa.string()),
        ("step", pa.int64()),
        ("target_tokens", pa.int64()),
        ("benchmark", pa.string()),
        ("dimension", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("stderr", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("problems", pa.int64()),
        ("samples", pa.int64()),
        ("truncated", pa.float64()),
        # Problems of the benchmark that occur in the trial's training rows, and the value without them.
        ("flagged", pa.int64()),
        ("value_unflagged", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCell:
    """One evaluated (trial, step, benchmark)."""

    trial: Trial
    step: int
    target_tokens: int
    benchmark: str
    dimension: str
    estimates: Sequence[Estimate]
    flagged: int = 0
    """Problems that occur in the training rows."""
    unflagged: Mapping[str, Estimate] = field(default_factory=dict)
    """Metric -> its estimate without those problems, where there are any."""


_NUMBERS = tuple(field.name for field in fields(Estimate))
_numbers = attrgetter(*_NUMBERS)


def cells_table(cells: Iterable[ScoredCell]) -> pa.Table:
    """The table of all scored cells, sorted; columns as in SCHEMA."""
    # A value of a cell stands once, and `of` says for which rows.
    axes: dict[str, list[Any]] = {}
    of: list[int] = []
    numbers: list[tuple[Any, ...]] = []
    unflagged: list[float | None] = []
    for number, cell in enumerate(cells):
        for name, value in _axes(cell).items():
            axes.setdefault(name, []).append(value)
        for estimate in cell.estimates:
            of.append(number)
            numbers.append(_numbers(estimate))
            without = cell.unflagged.get(estimate.metric) if cell.flagged else estimate
            unflagged.append(None if without is None else without.value)
    rows = pa.array(of, pa.int64())
    columns: dict[str, Sequence[Any]] = dict.fromkeys(SCHEMA.names, ())
    columns |= dict(zip(_NUMBERS, zip(*numbers, strict=True), strict=False))
    columns["value_unflagged"] = unflagged
    arrays = [
        pa.array(axes[field.name], field.type).take(rows)
        if field.name in axes
        else pa.array(columns[field.name], field.type)
        for field in SCHEMA
    ]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    return table.sort_by([("trial", "ascending"), ("benchmark", "ascending"), ("step", "ascending")])


def _axes(cell: ScoredCell) -> dict[str, Any]:
    return {
        "trial": cell.trial.id,
        "base": cell.trial.model.label,
        "data": cell.trial.data.name,
        "length": cell.trial.length.label,
        "length_steps": cell.trial.steps,
        "seed": cell.trial.seed,
        "recipe": cell.trial.recipe,
        "step": cell.step,
        "target_tokens": cell.target_tokens,
        "benchmark": cell.benchmark,
        "dimension": cell.dimension,
        "flagged": cell.flagged,
    }
