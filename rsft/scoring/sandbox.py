"""Runs code that a model wrote against tests, where it can neither do harm nor pass by a trick.

Each exam has processes, a file system, a network without devices, limits and a working folder of
its own, and leaves nothing behind; `rsft.scoring.jail` says how. The tests and the verdict stay in a
process that the code cannot see. Needs Linux with namespaces; without them it refuses.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rsft
from rsft.errors import EngineError, SpecError
from rsft.scoring.jail.calls import Outcome
from rsft.scoring.jail.wire import receive, send

START_S = 60.0
"""Time for a jail to stand on a busy machine; no part of an exam's limit."""

_GRACE_S = 2.0
"""The examiner ends an exam that is out of time by itself, unless it is stuck in C code."""

_START = "import sys; sys.path.insert(0, sys.argv[1]); from rsft.scoring.jail.main import main; "
_START += "main(int(sys.argv[2]), int(sys.argv[3]))"

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/box",
    "TMPDIR": "/box",
    "PYTHONHASHSEED": "0",  # the same verdict each time, for answers that lean on the order of sets
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""All that a jail sees of an environment; nothing of it is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one exam may use."""

    wall_s: float = 10.0
    """All runs of one exam together, from when the code starts to run."""
    memory_bytes: int = 1 << 30
    """Address space of one process."""
    file_bytes: int = 16 << 20
    """Of one file; all files together 64 MiB."""
    processes: int = 8
    """Processes and threads at a time."""
    open_files: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTests:
    """Tests that call what the code defines."""

    tests: tuple[str, ...]
    """Python sources, run one after the other in one namespace; they raise when they do not hold."""
    helpers: str = ""
    """Trusted source whose names the tests may use."""
    entry_point: str | None = None
    """The one name taken from the code; None: every name of the tests that nobody else defines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTests:
    """Tests that feed a program and compare the words it prints."""

    pairs: tuple[tuple[str, str], ...]
    """Input and expected output of each."""


def examine(
    parts: Sequence[Sequence[str]], exam: CallTests | ProgramTests, limits: Limits | None = None
) -> Outcome:
    """Runs code against tests.

    Args:
        parts: alternatives of the code, the first that compiles counts. Each is a sequence of
            sources for one namespace, of which all but the last may fail.
        exam: the tests.
        limits: what it may use.

    Returns:
        `passed`, `failed` or `unreadable` (nothing compiles) with a few words; `fault` when the
        tests are broken or the examiner died, which says nothing about the code.

    Raises:
        EngineError: this machine has no isolation; the sentence says how to allow it.
        SpecError: a limit that is not positive.
    """
    limits = limits or Limits()
    if min(asdict(limits).values()) <= 0:
        raise SpecError(f"a sandbox with {limits} cannot work; all limits are above 0.")
    ours, theirs = socket.socketpair()
    package = str(Path(rsft.__file__).resolve().parent.parent)
    command = (sys.executable, "-S", "-s", "-P", "-B", "-c", _START)
    with ours:
        with theirs:
            process = subprocess.Popen(
                (*command, package, str(theirs.fileno()), str(os.getpid())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=_ENVIRONMENT,
                cwd=os.path.abspath(os.sep),
                start_new_session=True,
            )
        try:
            return _verdict(ours, parts, exam, limits)
        finally:
            # The kernel ends the examiner with its parent, and with the examiner all the rest.
            process.kill()
            process.wait()


def _verdict(
    channel: socket.socket,
    parts: Sequence[Sequence[str]],
    exam: CallTests | ProgramTests,
    limits: Limits,
) -> Outcome:
    secret = secrets.token_hex(16)
    job = {
        "parts": [list(part) for part in parts],
        "limits": asdict(limits),
        "read_only": _read_only(),
        "installed": os.path.realpath(sysconfig.get_paths()["purelib"]),
    }
    channel.settimeout(START_S)
    try:
        # Cut off by a refusal, which is there to be read then.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(channel, job)
            send(channel, _tests(exam) | {"secret": secret})
        begun = receive(channel, time.monotonic() + START_S)
    except (EOFError, TimeoutError, ConnectionError) as error:
        raise _refusal(f"its process {'is slow' if isinstance(error, TimeoutError) else 'died'}") from None
    if "refused" in begun:
        raise _refusal(begun["refused"])
    try:
        verdict = receive(channel, time.monotonic() + limits.wall_s + _GRACE_S)
    except TimeoutError:
        return Outcome("fault", f"the test itself ran longer than {limits.wall_s:g} s")
    except (EOFError, ConnectionError):
        return Outcome("fault", "the examiner died")
    if verdict.get("secret") != secret:
        return Outcome("fault", "a verdict without its secret")
    return Outcome(verdict["status"], verdict["why"])


def _tests(exam: CallTests | ProgramTests) -> dict[str, Any]:
    if isinstance(exam, ProgramTests):
        return {"kind": "programs", "tests": [{"input": one, "output": two} for one, two in exam.pairs]}
    return {
        "kind": "calls",
        "helpers": exam.helpers,
        "tests": list(exam.tests),
        "entry_point": exam.entry_point,
    }


def _read_only() -> list[str]:
    """Folders that Python needs beside the system's own."""
    folders = [sys.base_prefix, sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"]]
    return list(dict.fromkeys(os.path.realpath(folder) for folder in folders))


def _refusal(why: str) -> EngineError:
    return EngineError(
        f"code cannot be isolated on this machine ({why}), so it is not run; allow Linux namespaces "
        "(sysctl user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0; in "
        "a container --cap-add SYS_ADMIN --security-opt seccomp=unconfined), or grade elsewhere."
    )
