"""The sandboxed process that grades: `python -m rsft.scoring.worker GRADER`.

It writes `{"ready": true}` once its imports are done (`{"failed": why}` when they cannot be), then
answers each JSON line on stdin, `{"answer", "gold", "metadata", "alarm_s"}`, with one line on
stdout, `{"raw": 0.0 .. 1.0, "detail"}` or `{"error": why}`.

What holds a hostile answer, from the inside out: the graders' own checks; an audit hook that
refuses to start processes, write files or open connections; resource limits; an environment
without keys and a process group that is killed whole (both by `rsft.scoring.process`).
The hook stops what reaches Python by mistake; it is not a wall against machine code.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import resource
import signal
import sys
from typing import Any, TextIO, get_args

from rsft.errors import DataError
from rsft.scoring.graders import Isolated, grade, preload

ADDRESS_SPACE_BYTES = 4 << 30
"""Of the whole process; the imports alone map less than 1 GiB."""

_REFUSED = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.kill",
    "os.killpg",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.putenv",
    "subprocess.Popen",
    "pty.spawn",
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.getaddrinfo",
    "shutil.rmtree",
    "ctypes.dlopen",
)
"""Audit events (docs.python.org, "Audit events table") that no grader causes."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED or (event == "open" and (arguments[2] or 0) & _WRITES):
        raise PermissionError(f"a grader may not do this: {event}")


def _limit() -> None:
    """Bounds memory and forbids core files and writes to regular files (pipes are not regular)."""
    bounds = {"RLIMIT_AS": ADDRESS_SPACE_BYTES, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0}
    for name, amount in bounds.items():
        # macOS cannot bound the address space, and a machine may have set a lower bound already.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (amount, amount))


def _reserve_stdout() -> TextIO:
    """The pipe to the parent; from here on whatever else is printed goes to stderr."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return pipe


def _answer(grader: Isolated, request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request; whatever the libraries raise is an `error`, not a score."""
    # Should the parent be gone, nobody kills a grader that hangs: the kernel does, since an alarm
    # without a handler ends the process even inside C code.
    signal.alarm(math.ceil(request["alarm_s"]))
    try:
        raw, detail = grade(grader, request["answer"], request["gold"], request["metadata"])
        return {"raw": raw, "detail": detail}
    except DataError as error:
        return {"error": str(error)}
    except BaseException as error:  # SystemExit too: text of the model may have raised it
        return {"error": f"grader raised {type(error).__name__}: {error!s:.200}"}
    finally:
        signal.alarm(0)


def main(grader: Isolated) -> None:
    """Serves requests until stdin ends."""
    pipe = _reserve_stdout()

    def say(reply: dict[str, Any]) -> None:
        pipe.write(json.dumps(reply) + "\n")
        pipe.flush()

    _limit()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a parent may have handed down "ignored"
    logging.disable(logging.CRITICAL)  # math-verify warns that its timeouts are off
    try:
        preload(grader)
    except ImportError as error:
        say({"failed": f"{type(error).__name__}: {error}"})
        return
    sys.addaudithook(_refuse)
    say({"ready": True})
    for line in sys.stdin:
        say(_answer(grader, json.loads(line)))


if __name__ == "__main__":
    chosen = sys.argv[1]
    found = next((one for one in get_args(Isolated) if one == chosen), None)
    if found is None:
        raise SystemExit(f"no grader {chosen!r}; there are {', '.join(get_args(Isolated))}")
    main(found)
