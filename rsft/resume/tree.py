"""A training run in a process tree of its own, of which any part can be killed and nothing survives."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from rsft.errors import EngineError, MissingEngine
from rsft.storage import Storage

try:
    import psutil
except ModuleNotFoundError:
    raise MissingEngine.named("psutil") from None

Process: TypeAlias = psutil.Process

POLL_SECONDS = 0.005
DYING_SECONDS = 30.0


class Run:
    """A subprocess that trains what is open in a storage. A context manager.

    It leads a session of its own. Ray's processes stay in that session when their parents are gone too, so a
    killed run's remains are found, and nobody else's processes are ever meant.
    """

    def __init__(self, storage: Storage) -> None:
        self._command = [sys.executable, "-m", "rsft.resume.train_only", storage.root]
        self.log = Path(storage.path("run.log"))
        """What its processes print."""
        self._leader: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill_all()

    def start(self) -> None:
        """Starts it, or starts it again after `kill_all`."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # A cluster elsewhere would put workers where nobody here can kill them.
        environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        with self.log.open("ab") as log:
            self._leader = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def code(self) -> int | None:
        """The exit code of its first process; None while that runs."""
        if self._leader is None:
            return None
        # Looked at, not collected: until it is, its number, which is the session's, becomes nobody else's.
        found = os.waitid(os.P_PID, self._leader.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return None if found is None else found.si_status

    def last_words(self) -> str:
        """The last line that it printed."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return next(
            (line.strip() for line in reversed(text.split("\n")) if line.strip()), "it printed nothing"
        )

    def members(self, title: str = "") -> list[Process]:
        """Its living processes whose title begins so."""
        if self._leader is None:
            return []
        found: list[Process] = []
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error, OSError):  # gone in the meantime
                if os.getsid(pid) == self._leader.pid:
                    process = psutil.Process(pid)
                    words = process.cmdline() or [""]
                    if not gone(process) and words[0].startswith(title):
                        found.append(process)
        return found

    def freeze(self, first: Sequence[Process] = ()) -> list[Process]:
        """Stops all its processes where they are; none can start another one then.

        Args:
            first: those that must stop at once; finding the others takes milliseconds.
        """
        frozen: dict[int, Process] = {}
        fresh = list(first)
        while fresh or (fresh := [process for process in self.members() if process.pid not in frozen]):
            for process in fresh:
                frozen[process.pid] = process
                _tell(process.suspend)
            fresh = []
        until(lambda: all(_stopped(process) for process in frozen.values()), DYING_SECONDS)
        return list(frozen.values())

    def thaw(self) -> None:
        """Lets its processes go on."""
        for process in self.members():
            _tell(process.resume)

    def kill_all(self) -> int:
        """Kills all its processes as if at one moment; returns how many there were.

        Raises:
            EngineError: one of them would not die.
        """
        if self._leader is None:
            return 0
        frozen = self.freeze()
        kill(frozen)
        self._leader.wait()
        self._leader = None
        return len(frozen)


def kill(processes: list[Process]) -> None:
    """SIGKILL; returns when they are gone.

    Raises:
        EngineError: one of them would not die.
    """
    for process in processes:
        _tell(process.kill)
    if not until(lambda: all(gone(process) for process in processes), DYING_SECONDS):
        left = [process.pid for process in processes if not gone(process)]
        raise EngineError(f"processes {left} outlive SIGKILL; see what holds them, then run again.")


def gone(process: Process) -> bool:
    """Whether it has ended; as a zombie too, since nobody may be there to collect an orphan."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _stopped(process: Process) -> bool:
    try:
        return gone(process) or process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return True


def _tell(signal: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        signal()


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Waits until something is true; whether it became so in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
