"""Two storages held against each other: what both have evaluated, paired problem by problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rsft import layout
from rsft.analysis.bootstrap import LEVEL, holm
from rsft.analysis.paired import paired_difference
from rsft.errors import DataError, StorageError
from rsft.records import Score
from rsft.report.comparison import Compared, Comparison
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.plan import Cell, Plan
from rsft.sweep.questions import Question

Pair = tuple[Trial, Trial, str]
"""One trial of either side, and what they have in common: `id` or `axes`."""


def compare(first: Plan, second: Plan) -> Comparison:
    """Every cell that both sides have answered: same trial, benchmark and step, on the same problems.

    Trials are the same by id; those left over by base, data, length, seed and recipe, where that names one on
    either side. A problem is the same when its id, question and gold are. Cells that several trials share,
    such as the base's, are compared once.

    Raises:
        StorageError: nothing that both have answered.
    """
    pairs = pair_trials(first.trials, second.trials)
    asked = {one.card.name: one for one in second.questions}
    questions = [(one, asked[one.card.name]) for one in first.questions if one.card.name in asked]
    same = {one.card.name: _same_problems(first.storage, one, second.storage, two) for one, two in questions}
    rows, lone = list[Compared](), {"A": 0, "B": 0}
    for pair, one, two, cells in _cell_pairs(first, second, pairs, questions):
        done = [plan.scored(cell) for plan, cell in zip((first, second), cells, strict=True)]
        if all(done):
            row = _compared(first, second, pair, one, two, cells, same[one.card.name])
            rows += [row] if row else []
        elif any(done):
            lone["A" if done[0] else "B"] += 1
    if not rows:
        raise StorageError(
            f"storages {first.storage.root!r} and {second.storage.root!r} share no evaluated cell ("
            f"{len(pairs)} trials and {len(questions)} benchmarks in common); give two sweeps that do."
        )
    adjusted = holm([row.difference.p for row in rows])
    both = {pair[0].id for pair in pairs}, {pair[1].id for pair in pairs}
    names = {one.card.name for one, _ in questions}
    return Comparison(
        names=(first.sweep.name, second.sweep.name),
        roots=(first.storage.root, second.storage.root),
        written=tuple(_written(plan.storage) for plan in (first, second)),
        rows=tuple(rows),
        adjusted=tuple(adjusted),
        level=LEVEL,
        only=tuple(
            [f"trial {t.id}" for t in plan.trials if t.id not in known]
            + [f"benchmark {q.card.name}" for q in plan.questions if q.card.name not in names]
            + ([f"{lone[side]} cells of trials that both have"] if lone[side] else [])
            for side, plan, known in zip("AB", (first, second), both, strict=True)
        ),
    )


def pair_trials(first: Sequence[Trial], second: Sequence[Trial]) -> list[Pair]:
    """Trials of both sides that are the same, in the order of the first."""
    by_id = {trial.id: trial for trial in second}
    found = {one.id: (one, by_id[one.id], "id") for one in first if one.id in by_id}
    left = _by_axes([one for one in first if one.id not in found])
    right = _by_axes([one for one in second if one.id not in found])
    for axes in left.keys() & right.keys():
        if len(left[axes]) == len(right[axes]) == 1:
            one, two = left[axes][0], right[axes][0]
            found[one.id] = (one, two, "axes")
    return [found[one.id] for one in first if one.id in found]


def _by_axes(trials: Sequence[Trial]) -> dict[tuple[str, ...], list[Trial]]:
    found: dict[tuple[str, ...], list[Trial]] = {}
    for trial in trials:
        axes = (trial.model.label, trial.data.name, trial.length.label, str(trial.seed), trial.recipe)
        found.setdefault(axes, []).append(trial)
    return found


def _cell_pairs(
    first: Plan, second: Plan, pairs: Sequence[Pair], questions: Sequence[tuple[Question, Question]]
) -> Iterator[tuple[Pair, Question, Question, tuple[Cell, Cell]]]:
    seen = set[tuple[str, str]]()
    for pair in pairs:
        one, two, _ = pair
        later = set(two.checkpoint_steps)
        for step in (0, *(step for step in one.checkpoint_steps if step in later)):
            for asked, other in questions:
                cells = (
                    Cell.of(first.owner(one, step), step, asked),
                    Cell.of(second.owner(two, step), step, other),
                )
                if (key := (cells[0].folder, cells[1].folder)) not in seen:
                    seen.add(key)
                    yield pair, asked, other, cells


def _compared(
    first: Plan,
    second: Plan,
    pair: Pair,
    one: Question,
    two: Question,
    cells: tuple[Cell, Cell],
    same: set[str],
) -> Compared | None:
    """The paired difference; None with fewer than two problems in common."""
    trial, other, by = pair
    sides = [
        [score for score in _scores(plan.storage, cell) if score.problem in same]
        for plan, cell in zip((first, second), cells, strict=True)
    ]
    try:
        difference = paired_difference(*sides)
    except DataError:
        return None
    notes = ["paired by axes: the trials differ in more than these"] if by == "axes" and cells[0].step else []
    notes += ["asked in another way: prompt, sampling or token limit differ"] if one.key != two.key else []
    return Compared(
        trials=(trial.id, other.id),
        base=trial.model.label,
        data=trial.data.name if cells[0].step else "",
        length=trial.length.label if cells[0].step else "",
        seed=trial.seed if cells[0].step else None,
        recipe=trial.recipe if cells[0].step else "",
        step=cells[0].step,
        benchmark=one.card.name,
        dimension=one.card.dimension,
        answers=(len(sides[0]), len(sides[1])),
        difference=difference,
        note="; ".join(notes),
    )


def _scores(storage: Storage, cell: Cell) -> list[Score]:
    return [Score(**row) for row in storage.read_table(layout.scores(cell.folder)).to_pylist()]


def _same_problems(first: Storage, one: Question, second: Storage, two: Question) -> set[str]:
    """Ids of the problems that both benchmarks have, with the same question and gold."""
    left, right = (
        {row["id"]: (row["question"], row["gold"]) for row in storage.read_lines(layout.problems(asked.key))}
        for storage, asked in ((first, one), (second, two))
    )
    return {name for name, problem in left.items() if right.get(name) == problem}


def _written(storage: Storage) -> Mapping[str, Any]:
    found: dict[str, Any] = storage.read_json(layout.SWEEP).get("provenance") or {}
    return found
