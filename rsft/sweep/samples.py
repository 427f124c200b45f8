"""Writes the sample browser from storage, one cell at a time, and of it only what has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from rsft import layout
from rsft.cores import each_begun
from rsft.records import Generation, Outcome, Problem, Score
from rsft.report import browser
from rsft.report.browser import Slot
from rsft.spec.base import content_hash
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.plan import Cell, Plan

FORMAT = 2
"""Of the files; another number writes all of them anew."""
BROWSED_CELLS = 3_000
"""Cells that the browser has at most, and that procedures are read of: the study's grid has 2,980. It is half
a minute of writing, and 1.5 GB where all texts are long."""
MANY = 100
"""Families from which other processes help."""
AT_ONCE = 5
"""Families that a process is handed at a time."""


class Family(NamedTuple):
    """Cells of a trial on a benchmark."""

    root: str
    """Of the storage."""
    name: str
    key: str
    """Of the benchmark."""
    cells: tuple[tuple[int, str], ...]
    """Steps and folders."""


class Browsing(NamedTuple):
    """A sample browser that is being written."""

    trials: int
    """That it has."""
    finish: Callable[[], None]
    """Waits for its files, and writes the page."""


def samples_begun(plan: Plan, first: str = "") -> Browsing:
    """Writes report/samples.html and what it loads, elsewhere in `rsft.cores.shared`.

    A trial's files on a benchmark are written anew only when one of its cells is new or was graded anew.
    Files of trials that the page does not list stay, for when it does.

    Args:
        plan: of the sweep.
        first: glob on trial ids; these come before others where BROWSED_CELLS does not allow all.
    """
    storage = plan.storage
    stamps: dict[str, str] = storage.read_json_or_none(browser.STAMPS) or {}
    listed: list[dict[str, Any]] = []
    new: list[Family] = []
    for trial in browsed_trials(plan, first):
        answered: dict[str, list[tuple[Cell, Any]]] = {}
        for cell in plan.cells(trial):
            marker = storage.read_json_or_none(layout.cell_marker(cell.folder))
            if marker is not None and not marker["error"] and marker["answers"]:
                answered.setdefault(f"{trial.id}/{cell.question.key}", []).append((cell, marker))
        for family, found in answered.items():
            stamp = content_hash([FORMAT, [marker for _, marker in found]], 16)
            if stamps.get(family) != stamp:
                cells = [cell for cell, _ in found]
                places = tuple((cell.step, cell.folder) for cell in cells)
                new.append(Family(storage.root, family, cells[0].question.key, places))
                stamps[family] = stamp
        for family in [f for f in stamps if f.startswith(f"{trial.id}/") and f not in answered]:
            storage.delete_folder(browser.family_folder(family))
            del stamps[family]
        if answered:
            keys = [n for n, asked in enumerate(plan.questions) if f"{trial.id}/{asked.key}" in answered]
            listed.append(_axes(trial) | {"benchmarks": keys})
    written = each_begun(_write_families, new, AT_ONCE, MANY)

    def finish() -> None:
        written()
        index = {"trials": listed, "of": len(plan.trials)}
        index |= {"places": browser.PLACES, "benchmarks": _asked(plan)}
        storage.write_text(browser.INDEX, browser.script(browser.INDEX, index))
        storage.write_json(browser.STAMPS, stamps)
        storage.write_text(browser.PAGE, browser.render_samples(plan.sweep.name))

    return Browsing(len(listed), finish)


def browsed_trials(plan: Plan, first: str = "") -> list[Trial]:
    """All trials, or as many as BROWSED_CELLS allows, drawn by a hash of their ids; in the plan's order."""
    drawn, cells = set[str](), 0
    for trial in sorted(plan.trials, key=lambda t: (not fnmatch(t.id, first), content_hash(t.id))):
        cells += (1 + len(trial.checkpoint_steps)) * len(plan.questions)
        if cells <= BROWSED_CELLS or not drawn:
            drawn.add(trial.id)
    return [trial for trial in plan.trials if trial.id in drawn]


def _axes(trial: Trial) -> dict[str, Any]:
    return {
        "id": trial.id,
        "base": trial.model.label,
        "data": trial.data.name,
        "length": trial.length.label,
        "seed": trial.seed,
        "recipe": trial.recipe,
    }


def _asked(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": question.card.name,
            "dimension": question.card.dimension,
            "key": question.key,
            "problems": question.problems,
            "samples": question.samples,
            "temperature": plan.sweep.evaluation.sampling.temperature,
            "limit": question.max_new_tokens,
        }
        for question in plan.questions
    ]


def _write_families(families: Sequence[Family]) -> list[str]:
    """Writes each; returns their names."""
    for family in families:
        _write_family(Storage(family.root), family)
    return [family.name for family in families]


def _write_family(storage: Storage, family: Family) -> None:
    scores = [storage.read_table(layout.scores(folder)) for _, folder in family.cells]
    outcomes = [_outcomes(table) for table in scores]
    slots = browser.choose(outcomes)
    wanted = {problem for problem, _ in slots}
    rows = storage.read_lines(layout.problems(family.key))
    problems = {row["id"]: Problem(**row) for row in rows if row["id"] in wanted}
    for (step, folder), table in zip(family.cells, scores, strict=True):
        verdicts = {(row["problem"], row["sample"]): Score(**row) for row in _rows(table, slots)}
        texts = _rows(storage.read_table(layout.generations(folder)), slots)
        answers = {
            slot: (verdicts[slot], Generation(**row))
            for row in texts
            if (slot := (row["problem"], row["sample"])) in verdicts
        }
        file = browser.cell_file(family.name, step)
        storage.write_text(file, browser.script(file, browser.cell_rows(slots, answers)))
    file = browser.family_file(family.name)
    facts = browser.family_facts([step for step, _ in family.cells], outcomes, slots, problems)
    storage.write_text(file, browser.script(file, facts))


def _outcomes(scores: pa.Table) -> dict[Slot, Outcome]:
    columns = (scores.column(name).to_pylist() for name in ("problem", "sample", "outcome"))
    return {(problem, sample): outcome for problem, sample, outcome in zip(*columns, strict=True)}


def _rows(table: pa.Table, slots: Sequence[Slot]) -> list[dict[str, Any]]:
    """Of these slots alone; the others' texts never become Python."""
    known = set(slots)
    problems = pa.array(sorted({problem for problem, _ in slots}), pa.string())
    found = table.filter(pc.is_in(table.column("problem"), problems)).to_pylist()
    return [row for row in found if (row["problem"], row["sample"]) in known]
