"""Markers of a sweep as they were at one moment, for questions about all of it."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterable, Sequence
from typing import Any

from rsft.storage import Storage

LARGE = 10_000
"""Files from which on the collector leaves them alone for the rest of the process."""


class Snapshot(Storage):
    """A storage of which some JSON files have been read, in one go; all else is read when it is asked for.

    Thousands of trials have a hundred thousand markers, and a report asks several questions about each. Who
    waits for a marker to appear must not use it: those that were read stay as they were.
    """

    def __init__(self, storage: Storage, files: Iterable[str], without: Sequence[str] = ()) -> None:
        """
        Args:
            storage: to read.
            files: JSON files of it; those that do not exist are known to be missing.
            without: fields to leave out.
        """
        super().__init__(storage.root)
        self.without = tuple(without)
        every = list(dict.fromkeys(files))
        collecting = gc.isenabled()
        gc.disable()  # JSON has no cycles, and looking for them takes longer than reading a large sweep
        try:
            found = storage.read_json_each(every, without)
        finally:
            if collecting:
                gc.enable()
        if len(every) >= LARGE:
            gc.freeze()  # nor is what was read walked through again and again while a report is made of it
            atexit.register(gc.unfreeze)  # extension modules look at what is left when the process ends
        self._known: dict[str, Any] = dict(zip(every, found, strict=True))

    def read_json_or_none(self, relative: str) -> Any:
        """The JSON value as it was, or None when the file did not exist. It is shared: do not change it."""
        if relative in self._known:
            return self._known[relative]
        return super().read_json_or_none(relative)
