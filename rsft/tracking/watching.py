"""How a tracker fails: loudly when it is opened, with a warning afterwards, and never for long."""

from __future__ import annotations

import functools
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from rsft.tracking.store import without_password

log = logging.getLogger(__name__)

PAUSE_FACTOR = 10
"""A call that failed in t seconds is followed by 10 t of rest: a dead server costs little time."""

W = TypeVar("W", bound="Watcher")
P = ParamSpec("P")


class Watcher:
    """A tracker with calls that may fail. Threads may share it; its calls take turns."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.rests_until = 0.0
        """Monotonic seconds before which nothing is tried."""
        self.lost = 0
        """Calls that failed, or came while it rested."""


def watching(call: Callable[Concatenate[W, P], None]) -> Callable[Concatenate[W, P], None]:
    """Makes a failure of the call a warning: its numbers are on disk anyway."""

    @functools.wraps(call)
    def safe(self: W, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with self.lock, quiet():
            if (started := time.monotonic()) < self.rests_until:
                self.lost += 1
                return
            try:
                call(self, *args, **kwargs)
            except Exception as error:  # whatever it is: a plot is not worth a sweep
                self.lost += 1
                failed = time.monotonic()
                rest_s = PAUSE_FACTOR * (failed - started)
                self.rests_until = failed + rest_s
                log.warning(
                    "tracking lost a call, %s of %s (%s); next try in %.1f s; results are safe, "
                    "`rsft track` writes what is missing (%d calls lost so far)",
                    call.__name__,
                    args[0] if args and isinstance(args[0], str) else "the sweep",
                    first_line(error),
                    rest_s,
                    self.lost,
                )

    return safe


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps MLflow's log lines and tracebacks from the terminal; we tell failures in our words."""
    loggers = [logging.getLogger(n) for n in ("mlflow", "alembic", "urllib3.connectionpool")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def first_line(error: BaseException) -> str:
    """What went wrong, on one line and without a password.

    Below MLflow's own error often lies the better one, such as a refused connection.
    """
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError | sqlite3.Error):
            error = below
        below = below.__cause__ or below.__context__
    lines = without_password(str(error)).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
