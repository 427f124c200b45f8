"""The program of the sandbox: warder, examiner and candidate, see `rsft.scoring.jail`.

`rsft.scoring.sandbox` starts it with one stream socket, over which it gets the candidate's half of
the job, then the examiner's, and answers with {"begun"} and the verdict, or with {"refused": why}.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from rsft.scoring.jail import candidate, isolation, programs
from rsft.scoring.jail.calls import Calls, Outcome
from rsft.scoring.jail.wire import receive, send


def main(file: int, parent: int) -> NoReturn:
    """Takes namespaces, has the examiner work in them, and ends with it.

    Args:
        file: descriptor of the socket.
        parent: the process that started this one; when it is gone, so is the jail.
    """
    isolation.die_with_parent()
    if os.getppid() != parent:  # it ended before the kernel knew
        os._exit(1)
    channel = socket.socket(fileno=file)
    # Should memory run out, the kernel takes the candidate first.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    try:
        chooses = isolation.enter_namespaces()
        users = (isolation.spare_number(1), isolation.spare_number(2)) if chooses else (None, None)
        child = os.fork()
    except OSError as error:
        send(channel, {"refused": str(error)})
        os._exit(1)
    if child:
        channel.close()
        os.waitpid(child, 0)
        os._exit(0)
    try:
        _examine(channel, users)
    except isolation.Refused as error:
        send(channel, {"refused": str(error)})
    finally:
        os._exit(1)


def _examine(channel: socket.socket, users: tuple[int | None, int | None]) -> NoReturn:
    isolation.die_with_parent()
    # A signal to a process group reaches members outside the namespace, where the user number is the same.
    os.setsid()
    # As first process of its namespace it hears from inside only what it has a handler for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = receive(channel)
    isolation.build_root(job["read_only"])
    control, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            channel.close()
            control.close()
            _spawn(theirs, job, users[1])
        finally:
            os._exit(70)
    theirs.close()
    # Orphans of the candidate come to the first process of a namespace; nobody waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    limits = job["limits"]
    isolation.drop_rights(users[0])
    isolation.die_with_parent()
    isolation.limit(
        cpu_s=math.ceil(limits["wall_s"]) + 5,
        memory_bytes=2 * limits["memory_bytes"],
        file_bytes=0,
        processes=None,
        open_files=64,
    )
    exam = receive(channel)
    sys.path.append(job["installed"])  # tests may compare with numpy, say
    send(channel, {"begun": True})
    outcome = _hold(control, exam, limits["wall_s"])
    send(channel, {"secret": exam["secret"], "status": outcome.status, "why": outcome.why})
    os._exit(0)


def _spawn(control: socket.socket, job: dict[str, Any], user: int | None) -> NoReturn:
    """The candidate's first process: no descriptor but `control`, no way back."""
    os.setsid()
    keep = control.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
    isolation.drop_rights(user)
    limits = job["limits"]

    def enter() -> None:
        isolation.limit(
            cpu_s=math.ceil(limits["wall_s"]) + 1,
            memory_bytes=limits["memory_bytes"],
            file_bytes=limits["file_bytes"],
            # Where the user number is shared, the three of ours count too.
            processes=limits["processes"] + (1 if user is not None else 4),
            open_files=limits["open_files"],
        )

    # The standard library and what is installed; not the folder that this package was found in.
    sys.path[:] = [*sys.path[1:], job["installed"]]
    os.umask(0o022)
    candidate.spawn_for_ever(control, job["parts"], enter)


def _hold(control: socket.socket, exam: dict[str, Any], limit_s: float) -> Outcome:
    if exam["kind"] == "programs":
        return programs.hold(control, exam["tests"], limit_s)
    ours, theirs = socket.socketpair()
    socket.send_fds(control, [b"c"], [theirs.fileno()])
    theirs.close()
    return Calls(ours, limit_s).hold(exam["helpers"], exam["tests"], exam["entry_point"])
