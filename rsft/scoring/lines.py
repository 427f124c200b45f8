"""Answers made elsewhere, graded line by line: a file of responses in, a file of scores out.

A line of input is `{"id", "reference", "response", "finish_reason": "stop" | "length"}`, one of output
`{"id", "status", "score": 0..1, "answer", "detail"}`. Each score is written as soon as it is known,
so the order is that of completion.
"""

from __future__ import annotations

import codecs
import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, get_args

from rsft.errors import DataError, SpecError, StorageError
from rsft.scoring.pool import GraderPool
from rsft.scoring.references import Graded, GraderName

_AHEAD = 4
"""Lines read ahead for each worker: enough to keep it busy, few enough for files of any length."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of input that can be graded."""

    id: Any
    reference: Any
    response: str
    cut: bool
    """It was ended by the token limit."""


def grade_file(grader: str, source: Path, target: Path, *, workers: int | None = None) -> Counter[str]:
    """Grades a file of responses.

    What is wrong with one line makes that line an `error` with its reason; the others go on.

    Args:
        grader: a `GraderName`.
        source: JSON lines; empty ones are passed over.
        target: replaced.
        workers: lines at a time; None: one for each core.

    Returns:
        How many lines ended with which status.

    Raises:
        SpecError: no such grader, or both files are the same.
        DataError: the source cannot be read.
        StorageError: the target cannot be written.
        EngineError: a grading process cannot be started, or code cannot be isolated here.
        MissingEngine: the grader needs a package that is not installed.
    """
    name = next((one for one in get_args(GraderName) if one == grader), None)
    if name is None:
        raise SpecError(f"there is no grader {grader!r}; there are {', '.join(get_args(GraderName))}.")
    if source.exists() and target.exists() and source.samefile(target):
        raise SpecError(f"input and output are the same file {str(source)!r}; give another --output.")
    workers = workers or os.cpu_count() or 1
    try:
        lines = source.open("rb")
    except OSError as error:
        raise DataError(f"the input {str(source)!r} cannot be read: {error.strerror}.") from None
    with lines:
        try:
            scores = target.open("w", encoding="utf-8")
        except OSError as error:
            raise StorageError(f"the output {str(target)!r} cannot be written: {error.strerror}.") from None
        found: Counter[str] = Counter()
        try:
            with scores:
                for score in _graded(name, lines, workers):
                    scores.write(json.dumps(score) + "\n")
                    scores.flush()
                    found[score["status"]] += 1
        except OSError as error:  # the disk is full
            raise StorageError(f"the output {str(target)!r} cannot be written: {error.strerror}.") from None
        return found


def _graded(grader: GraderName, lines: BinaryIO, workers: int) -> Iterator[dict[str, Any]]:
    """Scores of all lines, as they come."""
    numbered = enumerate(lines, 1)
    with GraderPool(grader) as graders, ThreadPoolExecutor(workers) as pool:
        waiting: set[Future[dict[str, Any]]] = set()
        try:
            while True:
                while len(waiting) < workers * _AHEAD and (item := next(numbered, None)):
                    if item[1].strip():
                        waiting.add(pool.submit(_score_of, graders, *item))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException:
            # Ctrl-C, or a grader that cannot start: the rest is not waited for.
            pool.shutdown(wait=False, cancel_futures=True)
            graders.kill()
            raise


def _score_of(pool: GraderPool, number: int, content: bytes) -> dict[str, Any]:
    known: Any = None
    try:
        line = _parsed(number, content)
        known = line.id
        graded = pool.grade(line.reference, line.response, line.cut)
    except DataError as error:
        known = _id_of(content)
        graded = Graded("error", detail=str(error))
    return {
        "id": known,
        "status": graded.status,
        "score": graded.score,
        "answer": graded.answer,
        "detail": graded.detail or graded.where or "",
    }


def _parsed(number: int, content: bytes) -> Line:
    """A line of input.

    Raises:
        DataError: it is none; the message says which line and why.
    """
    try:
        row = json.loads(content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError as error:
        raise DataError(f"line {number} is not UTF-8 (byte {error.start}).") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"line {number} is not JSON ({error!s:.100}).") from None
    if not isinstance(row, dict):
        raise DataError(f"line {number} is no object.")
    if missing := [name for name in ("id", "response") if name not in row]:
        raise DataError(f"line {number} has no {missing[0]}.")
    if not isinstance(row["response"], str):
        raise DataError(f"line {number}: its response is no text.")
    finish = row.get("finish_reason", "stop")
    if finish not in ("stop", "length"):
        raise DataError(f"line {number}: finish_reason is {finish!r:.80}, neither 'stop' nor 'length'.")
    return Line(row["id"], row.get("reference"), row["response"], finish == "length")


def _id_of(content: bytes) -> Any:
    """The id of a line that cannot be graded, if it has one."""
    try:
        row = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return row.get("id") if isinstance(row, dict) else None
