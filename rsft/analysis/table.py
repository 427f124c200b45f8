"""The tidy table: one row per (trial, step, benchmark, metric)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
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


def cells_table(cells: Iterable[ScoredCell]) -> pa.Table:
    """The table of all scored cells, sorted; columns as in SCHEMA."""
    # A value of a cell stands once, and `of` says for which rows. All by column: of a row made first, a large
    # sweep has a million.
    axes: dict[str, list[Any]] = {}
    of: list[int] = []
    every: list[Estimate] = []
    without: list[Estimate | None] = []
    for number, cell in enumerate(cells):
        for name, value in _axes(cell).items():
            axes.setdefault(name, []).append(value)
        of += [number] * len(cell.estimates)
        every += cell.estimates
        without += [cell.unflagged.get(e.metric) for e in cell.estimates] if cell.flagged else cell.estimates
    rows = pa.array(of, pa.int64())
    columns: dict[str, list[Any]] = {
        field.name: [getattr(estimate, field.name) for estimate in every] for field in fields(Estimate)
    }
    columns["value_unflagged"] = [None if estimate is None else estimate.value for estimate in without]
    arrays = [
        pa.array(axes.get(field.name, []), field.type).take(rows)
        if field.name not in columns
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
