"""A grading process from outside: started, given one answer at a time, timed, killed, replaced."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import rsft
from rsft.errors import EngineError
from rsft.scoring.graders import Isolated

START_S = 180.0
"""Time a worker has for its imports, from a slow network disk too; no part of an answer's limit."""

_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TZ", "RSFT_CACHE", "NLTK_DATA")
"""All that a worker gets of our environment beside its module path: no keys, no tokens."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What grading one answer came to."""

    raw: float
    """In [0, 1]; 0.0 when there is a `why`."""
    why: str = ""
    """Why there is no grade; empty when there is one."""
    detail: Any = None
    """What the grader says beside the score."""


class GraderProcess:
    """A worker process that is replaced when it hangs or dies. A context manager.

    It belongs to one thread, except for `kill`. The worker starts with the first answer.
    """

    def __init__(self, grader: Isolated, limit_s: float = 10.0, command: Sequence[str] | None = None) -> None:
        """Starts nothing yet.

        Args:
            grader: which grader the worker loads.
            limit_s: seconds for one answer, counted from when a ready worker is given it.
            command: another program that speaks the lines of `rsft.scoring.worker`.
        """
        ours = (sys.executable, "-P", "-m", "rsft.scoring.worker", grader)
        self._command = tuple(command or ours)
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()  # held while a process number is used or given back

    def __enter__(self) -> GraderProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the worker, which leads a process group of its own; None while there is none."""
        return self._process.pid if self._process else None

    def grade(self, answer: str, gold: str, metadata: dict[str, Any]) -> Verdict:
        """Grades one answer; after a hang or a death once more, in a fresh worker.

        Raises:
            EngineError: no worker can be started, or this one is closed.
        """
        request = {"answer": answer, "gold": gold, "metadata": metadata}
        line = json.dumps(request | {"alarm_s": 2 * self._limit_s + 5}).encode() + b"\n"
        why = ""
        for _ in range(2):
            process = self._ready()
            try:
                reply = _ask(process, line, self._limit_s)
            except TimeoutError:
                self._stop()
                why = f"grader timeout after {self._limit_s:g} s"
            except (EOFError, BrokenPipeError):
                why = f"grader died: {_ending(self._stop())}"
            else:
                if "error" in reply:
                    return Verdict(0.0, reply["error"])
                return Verdict(reply["raw"], detail=reply.get("detail"))
        return Verdict(0.0, why)

    def kill(self) -> None:
        """Ends the worker for good, from any thread; a `grade` under way raises EngineError."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _kill_group(self._process)

    def close(self) -> None:
        """Ends the worker and its whole process group, and gives its pipes back."""
        self._closed = True
        self._stop()

    def _ready(self) -> subprocess.Popen[bytes]:
        """The worker, started and done with its imports."""
        with self._lock:
            if self._closed:
                raise EngineError("this grader is closed; make a new GraderProcess.")
            if self._process is not None:
                return self._process
            process = self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                cwd=os.path.abspath(os.sep),
                start_new_session=True,
            )
        try:
            failed = _read_line(process, START_S).get("failed")
        except TimeoutError:
            failed = f"not ready after {START_S:g} s"
        except EOFError:
            failed = _ending(self._stop())
        if failed is not None:
            self._stop()
            raise EngineError(
                f"the grading process did not start ({failed}); "
                f"run it by hand to see more: {' '.join(self._command)}"
            )
        return process

    def _stop(self) -> int:
        """Kills and forgets the worker; returns its exit code, 0 if there was none."""
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return 0
            _kill_group(process)
            code = process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # the rest of a request nobody will read
                pipe.close()
        return code


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kills the worker and all it started.

    Called before the worker is waited for, since until then no other process can take its number. A
    worker that is dead already keeps its own exit code.
    """
    if process.returncode is None:
        # macOS says PermissionError of a group of dead processes.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _environment() -> dict[str, str]:
    """A few inherited variables, the way to this package, one thread, a fixed hash seed."""
    package = str(Path(rsft.__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [package, *(os.path.abspath(path) for path in inherited if path)]
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": "0",  # the order of sympy's sets, hence its time, depends on hashes
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _ask(process: subprocess.Popen[bytes], line: bytes, limit_s: float) -> dict[str, Any]:
    """Sends a request and waits for its reply.

    Raises:
        TimeoutError: no reply in time.
        EOFError, BrokenPipeError: the worker has died.
    """
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()
    return _read_line(process, limit_s)


def _read_line(process: subprocess.Popen[bytes], limit_s: float) -> dict[str, Any]:
    assert process.stdout is not None
    end, content = time.monotonic() + limit_s, b""
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    while not content.endswith(b"\n"):
        left_s = end - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise TimeoutError
        piece = os.read(process.stdout.fileno(), 1 << 16)
        if not piece:
            raise EOFError
        content += piece
    reply: dict[str, Any] = json.loads(content)
    return reply
