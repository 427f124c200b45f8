"""Scores of all done cells by problem, read once for everything that compares checkpoints.

No cell is large, so what takes time is opening a file and reading its footer, whatever the engine: DuckDB and
Polars take as long (bench/report.py), and processes that share the files take less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rsft import layout
from rsft.analysis.means import COLUMNS, ProblemMeans
from rsft.cores import each_begun
from rsft.storage import Storage
from rsft.sweep.plan import Plan

MANY = 2_000
"""Cells from which other processes help: each takes a second to start."""
AT_ONCE = 200
"""Cells that a process is handed at a time."""
HELD_ROWS = 100_000
"""Scores that a process holds at a time."""


def read_means(plan: Plan) -> dict[str, ProblemMeans]:
    """By folder, of every cell of a plan that has scores."""
    return means_begun(plan)()


def means_begun(plan: Plan) -> Callable[[], dict[str, ProblemMeans]]:
    """The same, begun (see `rsft.cores.each_begun`)."""
    cells = {cell.folder: cell for trial in plan.trials for cell in plan.cells(trial)}
    folders = [folder for folder, cell in cells.items() if plan.scored(cell)]
    begun = each_begun(_read, [(plan.storage.root, folder) for folder in folders], AT_ONCE, MANY)
    return lambda: dict(zip(folders, _with_ids_once(begun()), strict=True))


def _read(cells: Sequence[tuple[str, str]]) -> list[ProblemMeans]:
    storages = {root: Storage(root) for root, _ in cells}
    found, held, rows = list[ProblemMeans](), list[pa.Table](), 0
    for root, folder in cells:
        held.append(storages[root].read_table(layout.scores(folder), COLUMNS))
        rows += held[-1].num_rows
        if rows > HELD_ROWS:
            found += ProblemMeans.of_each(held)
            held, rows = [], 0
    return _with_ids_once([*found, *ProblemMeans.of_each(held)])


def _with_ids_once(means: Iterable[ProblemMeans]) -> list[ProblemMeans]:
    """The same, and in memory the ids of a benchmark's problems once."""
    known: dict[tuple[str, ...], npt.NDArray[np.object_]] = {}
    return [replace(one, problems=known.setdefault(tuple(one.problems), one.problems)) for one in means]
