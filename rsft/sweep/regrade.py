"""Grading again what a storage holds, after a grader or a judge has changed. Nothing is generated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rsft import layout
from rsft.sweep.earlier import Verdicts, verdicts
from rsft.sweep.grading import CellGrader, Graders
from rsft.sweep.plan import Cell, Plan


@dataclass(frozen=True, slots=True)
class Regraded:
    """What grading again came to."""

    cells: int
    answers: int
    changed: dict[str, Counter[tuple[str, str]]]
    """By benchmark, how many verdicts went from which outcome to which."""
    errors: int
    """Answers that could not be graded this time."""

    @property
    def lines(self) -> list[str]:
        """The same for eyes."""
        ways = {
            benchmark: ", ".join(f"{count} {old} -> {new}" for (old, new), count in moved.most_common())
            for benchmark, moved in sorted(self.changed.items())
        }
        said = [f"{benchmark}: {moved or 'no verdict changed'}" for benchmark, moved in ways.items()]
        return [
            *said,
            f"{self.answers:,} answers in {self.cells:,} cells graded again, {self.errors:,} errors",
        ]

    @property
    def record(self) -> dict[str, Any]:
        """For the report, with the time."""
        moved = {name: found.total() for name, found in self.changed.items() if found}
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return {"at": at, "cells": self.cells, "answers": self.answers, "changed": moved}


def regrade(plan: Plan, say: Callable[[str], None]) -> Regraded:
    """Grades every answered cell of a sweep again, bases and trunks once.

    Where a verdict changes, the scores before stay beside the new ones (`rsft.sweep.earlier`).

    Raises:
        RsftError: a grader cannot be started.
    """
    cells = {cell.folder: (trial.id, cell) for trial in plan.trials for cell in plan.cells(trial)}
    answered = {
        folder: named for folder, named in cells.items() if plan.storage.exists(layout.generations(folder))
    }
    grader = CellGrader(Graders.of(plan.sweep.evaluation, plan.storage, plan.sweep.train.device))
    changed: dict[str, Counter[tuple[str, str]]] = {}
    answers = errors = 0
    try:
        for number, (trial_id, cell) in enumerate(answered.values(), 1):
            marker, moved = _again(plan, trial_id, cell, grader)
            changed.setdefault(cell.question.card.name, Counter()).update(moved)
            answers, errors = answers + marker["answers"], errors + marker["errors"]
            say(f"{number:,} of {len(answered):,} cells, {moved.total():,} verdicts changed in {cell.folder}")
    finally:
        grader.close()
    done = Regraded(len(answered), answers, changed, errors)
    plan.storage.write_json(layout.REGRADED, done.record)
    return done


def _again(
    plan: Plan, trial_id: str, cell: Cell, grader: CellGrader
) -> tuple[dict[str, Any], Counter[tuple[str, str]]]:
    """The new marker of a cell, and which verdicts changed."""
    storage, folder = plan.storage, cell.folder
    before = storage.read_json_or_none(layout.cell_marker(folder))
    old: Verdicts = {}
    if before is not None and storage.exists(layout.scores(folder)):
        old = verdicts(storage, folder)
    known = before or {"owner": cell.owner, "trial_id": trial_id, "step": cell.step}
    row = {name: known[name] for name in ("owner", "trial_id", "step")} | {
        "benchmark": cell.question.card.name,
        "key": cell.question.key,
        "folder": folder,
        "problems": cell.question.problems,
        "samples": cell.question.samples,
        "max_new_tokens": cell.question.max_new_tokens,
        "error": "",
        "restarts": known.get("restarts", 0),
    }
    marker = grader(row)
    new = verdicts(storage, folder)
    moved = Counter((old[key][0], new[key][0]) for key in old if key in new and old[key] != new[key])
    return marker, moved
