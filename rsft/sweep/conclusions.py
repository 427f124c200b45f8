"""What a storage's scores say: a trajectory per trial and benchmark, an answer per claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from rsft.analysis.bootstrap import LEVEL
from rsft.analysis.claims import Answer, answer_claims, value_key
from rsft.analysis.means import ProblemMeans
from rsft.analysis.trajectory import Curve, Trajectory, controlled, curve_of, trajectory
from rsft.cores import each_begun
from rsft.errors import DataError
from rsft.sweep.plan import Plan

Key = tuple[str, str]
"""Trial id and benchmark."""

CHANCE = 1 - LEVEL
"""Of even one wrong verdict, or wrong answer to a claim, in a report."""
MANY = 500
"""Curves from which other processes help."""
AT_ONCE = 50
"""Curves that a process is handed at a time."""


def trajectories_begun(plan: Plan, means: Mapping[str, ProblemMeans]) -> Callable[[], dict[Key, Trajectory]]:
    """By trial id and benchmark, of all curves with the base and a later step, each by itself; begun (see
    `rsft.cores.each_begun`).

    Args:
        plan: of the sweep.
        means: of its scored cells, by folder.
    """
    return _begun(curves_of(plan, means))


def curves_of(plan: Plan, means: Mapping[str, ProblemMeans]) -> dict[Key, Curve]:
    """By trial id and benchmark, of what has the base and a later step. Arguments as `trajectories_begun`."""
    curves: dict[Key, dict[int, ProblemMeans]] = {}
    for trial in plan.trials:
        for cell in plan.cells(trial):
            if cell.folder in means:
                name = cell.question.card.name
                curves.setdefault((trial.id, name), {})[cell.step] = means[cell.folder]
    known: dict[Key, Curve] = {}
    for key, steps in curves.items():
        with suppress(DataError):  # no base yet, no later step, or a single problem: nothing to say
            known[key] = curve_of(steps)
    return known


def of_curves(known: Mapping[Key, Curve]) -> dict[Key, Trajectory]:
    """What each curve shows, by itself."""
    return _begun(known)()


def _begun(known: Mapping[Key, Curve]) -> Callable[[], dict[Key, Trajectory]]:
    begun = each_begun(_trajectories, list(known.values()), AT_ONCE, MANY)
    return lambda: dict(zip(known, begun(), strict=True))


def _trajectories(curves: Sequence[Curve]) -> list[Trajectory]:
    return [trajectory(curve) for curve in curves]


def together(curves: dict[Key, Trajectory], chance: float = CHANCE) -> dict[Key, Trajectory]:
    """The same as one family: where their number alone could explain a verdict, it says less, or nothing. For
    reading all of them; a claim about some is corrected for the number of claims instead. `chance` is that of
    even one wrong verdict."""
    return dict(zip(curves, controlled(list(curves.values()), 1 - chance), strict=True))


def answers(
    plan: Plan,
    cells: pa.Table,
    curves: dict[Key, Trajectory],
    means: Mapping[str, ProblemMeans],
    chance: float = CHANCE,
) -> list[Answer]:
    """Of the claims on the sweep's page; none where only a part of its trials is planned, since a claim may
    be about the others.

    Args:
        plan: of the sweep.
        cells: the tidy table.
        curves: each by itself.
        means: of the scored cells, by folder.
        chance: of even one wrong answer.
    """
    claims = plan.sweep.claims
    if not claims:
        return []
    known = {trial.id for trial in plan.trials}
    every = plan.sweep.trials(lambda model: plan.bases[model.label].identity)
    if not all(trial.id in known for trial in every):
        return []
    metrics = pa.array({claim.metric for claim in claims})
    rows = cells.filter(pc.is_in(cells["metric"], metrics)).to_pylist()
    by_problem = {
        (*value_key(trial, cell.step, "", "")[:2], cell.question.card.name): means[cell.folder]
        for trial in plan.trials
        for cell in plan.cells(trial)
        if cell.folder in means
    }
    return answer_claims(claims, plan.trials, rows, curves, by_problem, chance=chance)
