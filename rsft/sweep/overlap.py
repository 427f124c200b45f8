"""Which benchmark problems the training rows of each trial contain, and what scores are without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from rsft import layout
from rsft.cores import each
from rsft.data.contamination import Index, Question
from rsft.records import Estimate, Score
from rsft.scoring.estimators import estimates
from rsft.spec.base import content_hash
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.means import AT_ONCE, MANY
from rsft.sweep.plan import Plan

Scan = Callable[[Storage, str, Index, int], pa.Table]
"""(storage, name of prepared rows, problems, number of rows) -> flags."""


def questions_key(plan: Plan) -> str:
    """Hash of the problems that are looked for."""
    return content_hash([(question.card.facts(), question.problems) for question in plan.questions])


def questions(plan: Plan) -> Iterator[Question]:
    """All problems that this sweep asks."""
    for question in plan.questions:
        for row in plan.storage.read_lines(layout.problems(question.key))[: question.problems]:
            yield Question(
                benchmark=question.card.name, problem=row["id"], text=row["question"], answer=row["gold"]
            )


def find_overlaps(plan: Plan, scan: Scan, say: Callable[[str], None]) -> None:
    """Scans the prepared rows of every trial once per set of problems; what is known is kept."""
    key = questions_key(plan)
    index: Index | None = None
    for name in prepared_names(plan):
        place = layout.overlap(name, key)
        if plan.storage.exists(place):
            continue
        index = index or Index(questions(plan))
        rows = plan.storage.read_json(layout.manifest(name))["rows_kept"]
        order = [(column, "ascending") for column in ("row", "benchmark", "problem")]
        flags = scan(plan.storage, name, index, rows).sort_by(order)
        plan.storage.write_table(place, flags)
        if len(flags):
            hit = len(set(flags["row"].to_pylist()))
            say(f"note: {hit} of {rows:,} rows of {name} contain benchmark problems; see the report")


def prepared_names(plan: Plan) -> list[str]:
    """Prepared rows that trials of this plan train on, each once."""
    return list(dict.fromkeys(name for trial in plan.trials if (name := prepared_of(plan, trial))))


def prepared_of(plan: Plan, trial: Trial) -> str:
    """Name of the rows that a trial trains on; empty while that is not settled."""
    record = plan.storage.read_json_or_none(layout.trial_record(trial.id))
    return "" if record is None else str(record["prepared"])


def overlaps(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Prepared name -> flags (dicts of contamination.FLAGS); names not scanned yet are left out."""
    key = questions_key(plan)
    found = {}
    for name in prepared_names(plan):
        if plan.storage.exists(layout.overlap(name, key)):
            found[name] = plan.storage.read_table(layout.overlap(name, key)).to_pylist()
    return found


Flagged = tuple[str, frozenset[str]]
"""Folder of a done cell, and those of its problems that occur in a trial's rows."""


def clean_estimates(plan: Plan, cells: Sequence[Flagged]) -> dict[Flagged, dict[str, Estimate]]:
    """Metric -> estimate over the problems that are not flagged; empty where none is left."""
    every = list(dict.fromkeys(cells))
    found = each(_clean, [(plan.storage.root, *cell) for cell in every], AT_ONCE, MANY)
    return dict(zip(every, found, strict=True))


def _clean(cells: Sequence[tuple[str, str, frozenset[str]]]) -> list[dict[str, Estimate]]:
    found = []
    for root, folder, flagged in cells:
        rows = Storage(root).read_table(layout.scores(folder)).to_pylist()
        kept = [Score(**row) for row in rows if row["problem"] not in flagged]
        found.append({estimate.metric: estimate for estimate in estimates(kept)} if kept else {})
    return found
