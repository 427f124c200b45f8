"""What a sweep shows while it works: a table on a terminal, plain lines in a log."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rsft import layout
from rsft.scoring.judge import WAITS
from rsft.spec.trial import Trial
from rsft.storage import Storage

POLL_SECONDS = 2.0
LINE_SECONDS = 15.0
"""Shortest distance of two plain lines about the same thing."""


@dataclass(slots=True)
class Row:
    """What is known of one trial."""

    step: int = 0
    loss: float | None = None
    tokens_per_second: float | None = None
    state: str = "open"


@dataclass(slots=True)
class Counts:
    """Work of one phase."""

    done: int = 0
    total: int = 0
    started: float = field(default_factory=time.monotonic)
    before: int = 0
    """Done when the phase began; says nothing about speed."""

    def left(self) -> str:
        """Time left at the speed so far, as ` · m:ss left`; empty when there is none or no speed."""
        worked = self.done - self.before
        if worked <= 0 or self.done >= self.total:
            return ""
        seconds = (time.monotonic() - self.started) / worked * (self.total - self.done)
        return f" · {int(seconds // 60)}:{int(seconds % 60):02d} left"


def score_words(marker: dict[str, Any]) -> str:
    """A cell's score and what belongs to it, such as `40.0 ± 11.2 %, 30 % cut, 57.1 % of finished`; of a cell
    that is not done, why."""
    if marker["errors"] and marker["first_error"] == WAITS:
        return "answered, to be judged"
    if marker["error"] or marker["errors"]:
        return f"failed: {marker['error'] or marker['first_error']}"[:160]
    by = {estimate["metric"]: estimate for estimate in marker["estimates"]}
    accuracy, finished = by["accuracy"], by["accuracy_finished"]["value"]
    words = f"{100 * accuracy['value']:.1f} ± {100 * accuracy['stderr']:.1f} %"
    words += f", {100 * accuracy['truncated']:.0f} % cut"
    return words if math.isnan(finished) else f"{words}, {100 * finished:.1f} % of finished"


class Progress:
    """Follows a sweep. Reads step logs of unfinished trials; everything else it is told."""

    def __init__(self, storage: Storage, console: Console) -> None:
        self._storage, self._console = storage, console
        self._rows: dict[str, Row] = {}
        self._trials: dict[str, Trial] = {}
        self._steps = Counts()
        self._cells = Counts()
        self._phase = "preparing"
        self._said = 0.0
        self._newest = ""
        self._live = Live(console=console, refresh_per_second=1) if console.is_terminal else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.on_rows: Callable[[str, list[dict[str, float]]], None] | None = None
        """Called with the step log of a trial that has grown."""

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        if self._live is not None:
            self._live.update(self._table())
            self._live.stop()

    def say(self, text: str) -> None:
        """One line, above the table on a terminal."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def training(self, trials: list[tuple[Trial, str]]) -> None:
        """The training phase begins with these trials and their states."""
        self._phase = "training"
        self._trials = {trial.id: trial for trial, _ in trials}
        # Put in place in one go, since another thread draws them.
        self._rows = {
            trial.id: Row(step=trial.steps if state == "done" else 0, state=state) for trial, state in trials
        }
        total = sum(trial.steps for trial, _ in trials)
        done = sum(row.step for row in self._rows.values())
        self._steps = Counts(done=done, total=total, before=done)

    def evaluating(self, done: int, total: int) -> None:
        """The evaluation phase begins."""
        self._read_logs()
        self._phase = "evaluating"
        self.cells(done, total)

    def cells(self, done: int, total: int) -> None:
        """Cells will be answered; in the training phase beside it."""
        self._cells = Counts(done=done, total=total, before=done)

    def cell_done(self, what: str, count: int) -> None:
        """`count` cells of the table got their scores, which `what` tells."""
        self._cells.done += count
        self._newest = what
        self._line(f"{what} · {self._cells.done}/{self._cells.total} cells{self._cells.left()}")

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS if self._storage.is_local else 10 * POLL_SECONDS):
            if self._phase == "training":
                self._read_logs()
            if self._live is not None:
                self._live.update(self._table())

    def _read_logs(self) -> None:
        for trial_id, row in self._rows.items():
            if row.state == "done" or row.step >= self._trials[trial_id].steps:
                row.state = "done"
                continue
            rows = self._storage.read_lines(layout.train_log(layout.trial(trial_id)))
            log = [r for r in rows if r["step"]]  # step 0 has held-out losses alone
            if not log or log[-1]["step"] == row.step:
                continue
            row.step, row.loss = log[-1]["step"], log[-1]["loss"]
            row.state = "done" if row.step == self._trials[trial_id].steps else "training"
            recent = log[-10:]
            row.tokens_per_second = sum(r["tokens"] for r in recent) / max(
                sum(r["seconds"] for r in recent), 1e-9
            )
            if self.on_rows is not None:
                self.on_rows(trial_id, rows)
            self._steps.done = sum(r.step for r in self._rows.values())
            self._line(
                f"training {trial_id} · step {row.step}/{self._trials[trial_id].steps} · "
                f"loss {'not finite' if row.loss is None else f'{row.loss:.3f}'} · "
                f"{row.tokens_per_second:.0f} tokens/s · "
                f"{self._steps.done}/{self._steps.total} steps{self._steps.left()}"
            )

    def _line(self, text: str) -> None:
        """A plain line for a log, not too often; a terminal has the table."""
        if self._live is None and time.monotonic() - self._said > LINE_SECONDS:
            self._said = time.monotonic()
            self._console.print(text, highlight=False, soft_wrap=True)

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for name in ("trial", "step", "loss", "tokens/s", "state"):
            table.add_column(name, justify="left" if name in ("trial", "state") else "right")
        for trial_id, row in self._rows.items():
            table.add_row(
                trial_id,
                f"{row.step}/{self._trials[trial_id].steps}",
                "" if row.loss is None else f"{row.loss:.3f}",
                "" if row.tokens_per_second is None else f"{row.tokens_per_second:.0f}",
                row.state,
            )
        parts = [(self._steps, "steps")] if self._phase == "training" else []
        parts += [(self._cells, "cells")] if self._cells.total else []
        counted = (f"{counts.done}/{counts.total} {unit}{counts.left()}" for counts, unit in parts)
        head = f"{self._phase}: {', '.join(counted)}"
        return Group(table, Text(head, style="bold"), *([Text(self._newest)] if self._newest else []))
