"""Watches a training run from outside and kills parts of it at chosen moments.

The run knows nothing of it: what is watched are the files that it writes for everybody, and processes are
found by the titles that Ray gives them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rsft import layout
from rsft.errors import EngineError
from rsft.resume.tree import POLL_SECONDS, Process, Run, kill
from rsft.spec.trial import Trial
from rsft.storage import Storage

STALL_SECONDS = 900.0
"""A run that shows nothing new for so long is taken to hang."""

Target = Literal["worker", "driver", "all"]
Moment = Literal["step", "resumed", "state", "checkpoint"]

WRITES: tuple[Moment, ...] = ("state", "checkpoint")
WRITE_POLL_SECONDS = 0.001
"""A nano model's checkpoint is written in milliseconds."""

TITLES: dict[Target, str] = {"worker": "ray::RayTrainWorker", "driver": "ray::ImplicitFunc"}
"""How the titles begin of Ray Train's workers, and of Tune's actor around a driver function."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill: of what, and when."""

    target: Target
    moment: Moment
    """`step`: when so many steps are logged. `resumed`: when the attempt after the last blow has logged one.
    `state`, `checkpoint`: while the newest of those has no marker, and so many steps are logged."""
    step: int = 0

    def __str__(self) -> str:
        return {
            "step": f"after step {self.step}",
            "resumed": "after the first step of a new attempt",
            "state": f"in the midst of a state from step {self.step} on",
            "checkpoint": f"in the midst of a checkpoint from step {self.step} on",
        }[self.moment]


@dataclass(frozen=True, slots=True)
class Landed:
    """A blow that hit."""

    target: Target
    processes: int
    after_step: int
    """Steps that were logged by then."""
    half_written: str | None = None
    """Folder without its marker, as the kill left it."""

    def __str__(self) -> str:
        names = {"worker": "a worker", "driver": "the driver", "all": f"all {self.processes} processes"}
        inside = f", {self.half_written} half written" if self.half_written else ""
        return f"{names[self.target]} after step {self.after_step}{inside}"


class Watched:
    """What can be seen of a trial in its storage, which is a folder of this machine."""

    def __init__(self, storage: Storage, trial: Trial) -> None:
        self._storage, self._trial = storage, trial
        self._own = layout.trial(trial.id)
        self._read: dict[str, tuple[tuple[int, ...], list[dict[str, Any]]]] = {}

    def step(self) -> int:
        """Last step in the log; 0 before the first."""
        return max((int(row["step"]) for row in self._lines(layout.train_log(self._own))), default=0)

    def starts(self) -> list[int]:
        """The step from which each attempt went on, in order."""
        return [int(row["from_step"]) for row in self._lines(layout.attempts(self._own))]

    def _lines(self, name: str) -> list[dict[str, Any]]:
        """A log, read again where it has changed: this is asked hundreds of times in a second."""
        try:
            now = os.stat(self._storage.path(name))
        except FileNotFoundError:
            return []
        state = (now.st_ino, now.st_mtime_ns, now.st_size)
        if name not in self._read or self._read[name][0] != state:
            self._read[name] = state, self._storage.read_lines(name)
        return self._read[name][1]

    def half_written(self, moment: Moment) -> str | None:
        """The newest state or checkpoint where it has no marker."""
        marker_of = layout.state_marker if moment == "state" else layout.checkpoint_marker
        for owner in dict.fromkeys((self._trial.owner(1), self._own)):
            marker = Path(self._storage.path(marker_of(owner, 1)))
            folder = marker.parents[1]
            try:
                names = sorted(os.listdir(folder))
            except FileNotFoundError:
                continue
            if names and not (folder / names[-1] / marker.name).exists():
                return f"{folder.name}/{names[-1]}"
        return None


def strike(run: Run, watched: Watched, blow: Blow, before: int) -> Landed | None:
    """Waits for a blow's moment and kills.

    Args:
        run: that was started.
        watched: its trial.
        blow: what is to be killed, and when.
        before: blows that landed already.

    Returns:
        What was hit; None when the run ended before there was anything to hit.

    Raises:
        EngineError: the run hangs.
    """
    patience, known = _Patience(run), list[Process]()
    while run.code() is None:
        starts, step = watched.starts(), watched.step()
        if patience.news(len(starts), step) and blow.moment in WRITES:
            known = run.members(TITLES["worker"])
        # An attempt writes down its start after it has taken from the log what it will do again.
        if len(starts) > before and _due(watched, blow, starts[-1], step):
            landed = _kill(run, watched, blow, step, known)
            if landed is not None:
                return landed
        time.sleep(WRITE_POLL_SECONDS if blow.moment in WRITES else POLL_SECONDS)
    return None


def finish(run: Run, watched: Watched) -> int:
    """Waits for the end of a run; returns its exit code.

    Raises:
        EngineError: the run hangs.
    """
    patience = _Patience(run)
    while (code := run.code()) is None:
        patience.news(len(watched.starts()), watched.step())
        time.sleep(10 * POLL_SECONDS)
    return code


class _Patience:
    """Gives up on a run of which nothing new is seen."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._last, self._since = (0, 0), time.monotonic()

    def news(self, starts: int, step: int) -> bool:
        """Whether this was not known.

        Raises:
            EngineError: nothing new for too long.
        """
        now = time.monotonic()
        if (starts, step) != self._last:
            self._last, self._since = (starts, step), now
            return True
        if now - self._since > STALL_SECONDS:
            raise EngineError(
                f"training shows nothing new for {STALL_SECONDS:.0f} s after step {step}; "
                f"see {self._run.log}."
            )
        return False


def _due(watched: Watched, blow: Blow, start: int, step: int) -> bool:
    if blow.moment == "resumed":
        return step > start
    if blow.moment == "step":
        return step >= blow.step
    return step >= blow.step and watched.half_written(blow.moment) is not None


def _kill(run: Run, watched: Watched, blow: Blow, step: int, known: Sequence[Process]) -> Landed | None:
    """Kills now; None when the moment has passed, or there is nobody to kill."""
    if blow.target != "all":
        victims = run.members(TITLES[blow.target])
        if not victims:
            return None
        kill([victims[blow.step % len(victims)]])
        return Landed(blow.target, 1, step)
    run.freeze(known)
    writing = watched.half_written(blow.moment) if blow.moment in WRITES else None
    if writing is None and blow.moment in WRITES:  # the marker came while they were stopping
        run.thaw()
        return None
    return Landed("all", run.kill_all(), watched.step(), writing)
