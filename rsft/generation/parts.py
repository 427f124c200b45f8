"""Answers of a cell that come in parts, from several engines or after an interruption, made whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from rsft import layout
from rsft.generation.requests import CellRequest
from rsft.records import Generation
from rsft.storage import Storage

Key = tuple[str, int]
"""Problem id and number of the sample."""


class Restarts:
    """How often engines were started anew in the midst of each cell.

    An engine that died is known by the first row of its next life, or else by two lives of one actor in a
    cell: of a task that is repeated Ray drops the rows that had come out before.
    """

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._lives: dict[str, dict[str, str]] = {}

    def count(self, row: dict[str, Any]) -> int:
        """Of the row's cell, with this row."""
        cell, (actor, life) = row["folder"], row["life"]
        lives = self._lives.setdefault(cell, {})
        died = life not in lives and (row["died"] or actor in lives.values())
        lives[life] = actor
        self._counts[cell] += row["restarts"] + died
        return self._counts[cell]


def known(storage: Storage, folder: str) -> set[Key]:
    """Which answers of a cell there are, whole or in parts."""
    found: set[Key] = set()
    for file in _files(storage, folder):
        table = storage.read_table(file, columns=["problem", "sample"])
        found |= set(zip(table["problem"].to_pylist(), table["sample"].to_pylist(), strict=True))
    return found


def write(storage: Storage, cell: CellRequest, answers: Sequence[Generation]) -> None:
    """Adds a part's answers. Nothing is written where all of them were there before."""
    if answers:
        file = layout.part(cell.folder, cell.first)
        new = pa.Table.from_pylist([asdict(answer) for answer in answers])
        # The same part may hold fewer samples, asked for earlier.
        old = [storage.read_table(file)] if storage.exists(file) else []
        storage.write_table(file, pa.concat_tables([*old, new]))


def gather(storage: Storage, cell: CellRequest, problems: Sequence[str]) -> bool:
    """Makes one file of a cell's parts once all are there; whether they are.

    Args:
        storage: of the sweep.
        cell: any part of it.
        problems: ids of the problem file.
    """
    asked = problems[cell.begin : cell.begin + (cell.total or cell.problems)]
    there = known(storage, cell.folder)
    if any((problem, sample) not in there for problem in asked for sample in range(cell.samples)):
        return False
    files = _files(storage, cell.folder)
    parts = [file for file in files if file != layout.generations(cell.folder)]
    if parts:
        table = pa.concat_tables([storage.read_table(file) for file in files])
        keys = list(zip(table["problem"].to_pylist(), table["sample"].to_pylist(), strict=True))
        first = dict(zip(reversed(keys), reversed(range(len(keys))), strict=True))
        storage.write_table(
            layout.generations(cell.folder), table.take([first[key] for key in sorted(first)])
        )
        for file in parts:
            storage.delete(file)
    return True


def _files(storage: Storage, folder: str) -> list[str]:
    """The whole file first: a part that was gathered but not deleted in time repeats some of its answers."""
    whole = layout.generations(folder)
    parts = sorted(
        f"{folder}/parts/{name}" for name in storage.names(f"{folder}/parts") if name.endswith(".parquet")
    )
    return [*([whole] if storage.exists(whole) else []), *parts]
