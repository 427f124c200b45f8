"""What a storage's scores say: a trajectory per trial and benchmark, an answer per claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from rsft.analysis.claims import Answer, answer_claims
from rsft.analysis.means import ProblemMeans
from rsft.analysis.trajectory import Curve, Trajectory, controlled, curve_of, trajectory
from rsft.errors import DataError
from rsft.sweep.effects import harmless
from rsft.sweep.means import each
from rsft.sweep.plan import Plan

Key = tuple[str, str]
"""Trial id and benchmark."""

MANY = 500
"""Curves from which other processes help."""
AT_ONCE = 50
"""Curves that a process is handed at a time."""


def trajectories(plan: Plan, means: Mapping[str, ProblemMeans]) -> dict[Key, Trajectory]:
    """By trial id and benchmark, of all curves with the base and a later step, each by itself.

    Args:
        plan: of the sweep.
        means: of its done cells, by folder.
    """
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
    found = each(_trajectories, list(known.values()), AT_ONCE, MANY)
    return dict(zip(known, found, strict=True))


def _trajectories(curves: Sequence[Curve]) -> list[Trajectory]:
    return [trajectory(curve) for curve in curves]


def together(curves: dict[Key, Trajectory]) -> dict[Key, Trajectory]:
    """The same as one family: where their number alone could explain a verdict, it says less, or nothing. For
    reading all of them; a claim about some is corrected for the number of claims instead."""
    return dict(zip(curves, controlled(list(curves.values())), strict=True))


def answers(plan: Plan, cells: pa.Table, curves: dict[Key, Trajectory]) -> list[Answer]:
    """Of the claims on the sweep's page, from the tidy table; none where only a part of its trials is
    planned, since a claim may be about the others."""
    claims = plan.sweep.claims
    if not claims:
        return []
    known = {trial.id for trial in plan.trials}
    every = plan.sweep.trials(lambda model: plan.bases[model.label].identity)
    if not all(trial.id in known for trial in every):
        return []
    metrics = pa.array({claim.metric for claim in claims})
    rows = cells.filter(pc.is_in(cells["metric"], metrics)).to_pylist()
    return answer_claims(claims, plan.trials, rows, curves, apart=harmless(plan))
