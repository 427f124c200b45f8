"""train.jsonl: one line per optimizer step, each step once, also after a resume."""

from __future__ import annotations

import time
from typing import Any

from rsft import layout
from rsft.spec.trial import Trial
from rsft.storage import Storage

FLUSH_SECONDS = 10.0
"""How often the log goes to a bucket, where nothing can be appended."""


class StepLog:
    """The log of a trial, and of the trunk up to where they part."""

    def __init__(self, storage: Storage, trial: Trial, start: int) -> None:
        """Goes on after step `start`: what is known of later ones is forgotten."""
        self._storage, self._trial = storage, trial
        self._path = layout.train_log(layout.trial(trial.id))
        known = {row["step"]: row for row in storage.read_lines(layout.train_log(trial.owner(0)))}
        known |= {row["step"]: row for row in storage.read_lines(self._path)}
        self._rows = [row for step, row in sorted(known.items()) if step <= start]
        self._written = time.monotonic()
        self.flush()

    @property
    def empty(self) -> bool:
        return not self._rows

    def add(self, row: dict[str, Any]) -> None:
        """Appends a row."""
        self._rows.append(row)
        if self._storage.is_local:
            self._storage.append_line(self._path, row)
        elif time.monotonic() - self._written > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes everything; must come before a state that builds on it."""
        self._storage.write_lines(self._path, self._rows)
        self._written = time.monotonic()

    def share(self, owner: str, step: int) -> None:
        """Gives the trunk its log up to a step whose state it is about to keep."""
        shared = [row for row in self._rows if row["step"] <= step]
        self._storage.write_lines(layout.train_log(owner), shared)
