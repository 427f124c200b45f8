"""Graders lent to threads: whole responses in, verdicts out."""

from __future__ import annotations

import queue
from types import TracebackType
from typing import Any

from rsft.errors import DataError, RsftError, SpecError
from rsft.scoring.reading import answer_part
from rsft.scoring.references import ANSWER_S, Graded, Grader, GraderName, grader_of


class GraderPool:
    """As many graders of one kind as threads ask at the same time. A context manager, which closes them."""

    def __init__(self, name: GraderName, limit_s: float = ANSWER_S) -> None:
        """Starts nothing yet.

        Args:
            name: of the grader.
            limit_s: seconds for one answer, without a grading process's start.

        Raises:
            SpecError: a limit that is not positive.
        """
        if limit_s <= 0:
            raise SpecError(f"grading with limit_s={limit_s} cannot work; give seconds above 0.")
        self._name, self._limit_s = name, limit_s
        self._made: list[Grader] = []
        self._free: queue.SimpleQueue[Grader] = queue.SimpleQueue()

    def __enter__(self) -> GraderPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def grade(self, reference: Any, response: str, cut: bool) -> Graded:
        """The verdict on one response; whatever goes wrong with it alone is its `error`.

        Args:
            reference: what is right, in the grader's form.
            response: thinking included, which is never read for the answer.
            cut: the token limit ended it.

        Raises:
            EngineError: a grading process cannot be started, or code cannot be isolated here.
            MissingEngine: the grader needs a package that is not installed.
        """
        part = answer_part(response)
        if part is None or not part.strip():
            what = "thinking without an end" if part is None else "nothing was answered"
            return Graded("truncated" if cut else "no_answer", detail=what)
        try:
            grader = self._free.get_nowait()
        except queue.Empty:
            grader = grader_of(self._name, self._limit_s)
            self._made.append(grader)
        try:
            return grader.grade(reference, part, cut)
        except DataError as error:
            return Graded("error", detail=str(error))
        except (RsftError, KeyboardInterrupt):
            raise
        except Exception as error:  # a grader's own mistake costs its answer, not the others
            return Graded("error", detail=f"{type(error).__name__}: {error!s:.200}")
        finally:
            self._free.put(grader)

    def kill(self) -> None:
        """Ends the verdicts under way, from any thread; the pool is of no use then."""
        for grader in list(self._made):
            grader.kill()

    def close(self) -> None:
        """Gives back what the graders hold; nobody uses them any more."""
        for grader in self._made:
            grader.close()
        self._made.clear()
