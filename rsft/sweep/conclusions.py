"""What a storage's scores say: a trajectory per trial and benchmark, an answer per claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rsft import layout
from rsft.analysis.claims import Answer, answer_claims
from rsft.analysis.trajectory import Trajectory, controlled, curve_of, trajectory
from rsft.errors import DataError
from rsft.records import Score
from rsft.sweep.plan import Cell, Plan


def trajectories(plan: Plan) -> dict[tuple[str, str], Trajectory]:
    """By trial id and benchmark, of all curves with the base and a later step, each by itself."""
    read: dict[str, list[Score]] = {}
    found: dict[tuple[str, str], Trajectory] = {}
    for trial in plan.trials:
        curves: dict[str, dict[int, list[Score]]] = {}
        for cell in plan.cells(trial):
            if plan.cell_state(cell) == "done":
                scores = read.setdefault(cell.folder, []) or _scores(plan, cell)
                read[cell.folder] = scores
                curves.setdefault(cell.question.card.name, {})[cell.step] = scores
        for benchmark, steps in curves.items():
            try:
                found[trial.id, benchmark] = trajectory(curve_of(steps))
            except DataError:
                continue  # no base yet, no later step, or a single problem: nothing to say
    return found


def together(curves: dict[tuple[str, str], Trajectory]) -> dict[tuple[str, str], Trajectory]:
    """The same as one family: a verdict that their number alone could explain is undecided. For reading all
    of them; a claim about some is corrected for the number of claims instead."""
    return dict(zip(curves, controlled(list(curves.values())), strict=True))


def answers(
    plan: Plan, cells: Sequence[dict[str, Any]], curves: dict[tuple[str, str], Trajectory]
) -> list[Answer]:
    """Of the claims on the sweep's page, from rows of the tidy table; none where only a part of its trials is
    planned, since a claim may be about the others."""
    known = {trial.id for trial in plan.trials}
    whole = all(
        trial.id in known for trial in plan.sweep.trials(lambda model: plan.bases[model.label].identity)
    )
    return answer_claims(plan.sweep.claims, plan.trials, cells, curves) if whole else []


def _scores(plan: Plan, cell: Cell) -> list[Score]:
    return [Score(**row) for row in plan.storage.read_table(layout.scores(cell.folder)).to_pylist()]
