"""Evaluation in rounds while training goes on, where a cluster has room for both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

PAUSE_SECONDS = 20.0
"""Between two rounds. A round starts engines anew, so the longer one takes, the more the next one finds."""


class Rounds:
    """Calls `one` again and again in a thread of its own, from entering until leaving the context.

    Leaving waits for the round under way. A round that raises is the last; its error is kept, not raised,
    since what it did not do is found open again by whoever evaluates after training.
    """

    def __init__(self, one: Callable[[], None], pause: float | None = None) -> None:
        self._one, self._pause = one, PAUSE_SECONDS if pause is None else pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name="evaluation", daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> Rounds:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        if kind is None:
            self._thread.join()

    def _go(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                self._one()
            except Exception as error:
                self.error = error
                return
