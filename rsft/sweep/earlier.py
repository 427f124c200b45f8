"""Scores that are about to be replaced: kept with their marker, where a verdict changes.

A grader or judge that is another one today, whichever command notices it, so leaves the numbers that were
published comparable: the marker says who graded them, with what, and when.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rsft import layout
from rsft.records import Score
from rsft.storage import Storage

Verdicts = dict[tuple[str, int], tuple[str, float]]
"""(problem, sample) -> (outcome, raw)."""

_COLUMNS = ("problem", "sample", "outcome", "raw")


def verdicts(storage: Storage, folder: str) -> Verdicts:
    """Of a cell that has scores."""
    table = storage.read_table(layout.scores(folder), columns=_COLUMNS)
    rows = zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True)
    return {(problem, sample): (outcome, raw) for problem, sample, outcome, raw in rows}


def keep_earlier(storage: Storage, folder: str, new: Sequence[Score]) -> None:
    """Copies a cell's scores and marker to `layout.earlier` before `new` replaces them.

    Nothing is copied where every verdict stays, more samples or not. A fault of a grader is no verdict.
    """
    marker = storage.read_json_or_none(layout.cell_marker(folder))
    if marker is None or not storage.exists(layout.scores(folder)):
        return
    now = {(score.problem, score.sample): (score.outcome, score.raw) for score in new}
    old = verdicts(storage, folder)
    if all(verdict[0] == "error" or now.get(key) == verdict for key, verdict in old.items()):
        return
    content = storage.read_bytes(layout.scores(folder))
    time = re.sub(r"[^0-9A-Za-z]+", "-", marker["graded_at"])
    while storage.exists(layout.earlier(folder, time, "json")):
        if storage.read_bytes(layout.earlier(folder, time, "parquet")) == content:
            return  # kept before a kill
        time += "-again"  # graded twice within a second
    storage.write_bytes(layout.earlier(folder, time, "parquet"), content)
    storage.write_json(layout.earlier(folder, time, "json"), marker)
