"""What a storage's scores say: a trajectory per trial and benchmark, an answer per claim."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from rsft import layout
from rsft.analysis.claims import Answer, answer_claims
from rsft.analysis.means import COLUMNS, ProblemMeans
from rsft.analysis.trajectory import Trajectory, controlled, curve_of, trajectory
from rsft.errors import DataError
from rsft.storage import Storage
from rsft.sweep.plan import Plan

Key = tuple[str, str]
"""Trial id and benchmark."""
Folders = dict[int, str]
"""Folder of a done cell, by step."""

MANY = 500
"""Curves from which other processes help: each takes a second to start."""
AT_ONCE = 50
"""Curves that a process is handed at a time."""


def trajectories(plan: Plan) -> dict[Key, Trajectory]:
    """By trial id and benchmark, of all curves with the base and a later step, each by itself."""
    plan = plan.at_once()
    curves: dict[Key, Folders] = {}
    for trial in plan.trials:
        for cell in plan.cells(trial):
            if plan.cell_state(cell) == "done":
                curves.setdefault((trial.id, cell.question.card.name), {})[cell.step] = cell.folder
    # Without the base or a later step there is nothing to say.
    steps = {key: folders for key, folders in curves.items() if 0 in folders and len(folders) > 1}
    root, cores = plan.storage.root, len(os.sched_getaffinity(0))
    if len(steps) < MANY or cores == 1:
        found = _each(root, list(steps.values()))
    else:
        # Not forked: the engines have threads.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(cores, mp_context=context) as pool:
            every = list(steps.values())
            parts = [
                pool.submit(_each, root, every[first : first + AT_ONCE])
                for first in range(0, len(every), AT_ONCE)
            ]
            found = [one for part in parts for one in part.result()]
    return {key: one for key, one in zip(steps, found, strict=True) if one is not None}


def _each(root: str, curves: Sequence[Folders]) -> list[Trajectory | None]:
    """The trajectory of each curve; None where it has a single problem."""
    storage, found = Storage(root), list[Trajectory | None]()

    @lru_cache(maxsize=256)  # what trials share: cells of their base, and of their trunk
    def means(folder: str) -> ProblemMeans:
        return ProblemMeans.of(storage.read_table(layout.scores(folder), COLUMNS))

    for folders in curves:
        try:
            curve = curve_of({step: means(folder) for step, folder in folders.items()})
        except DataError:
            found.append(None)
        else:
            found.append(trajectory(curve))
    return found


def together(curves: dict[Key, Trajectory]) -> dict[Key, Trajectory]:
    """The same as one family: a verdict that their number alone could explain is undecided. For reading all
    of them; a claim about some is corrected for the number of claims instead."""
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
    return answer_claims(claims, plan.trials, rows, curves)
