"""What is done to rows between source and tokens: pure, seeded functions from rows to rows."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import pyarrow as pa

from rsft.benchmarks.cards import card
from rsft.benchmarks.source import problems
from rsft.boxed import last_boxed
from rsft.data.contamination import Index, Question, scan
from rsft.data.rows import Row, Tally, split_thinking
from rsft.errors import DataError
from rsft.scoring.process import GraderProcess
from rsft.spec.data import (
    AnswerOnly,
    Corrupted,
    PairedWith,
    StripThinking,
    Subset,
    Transform,
    Verified,
    WithoutBenchmarks,
)

CHUNK = 256
"""Rows that are looked at together where one row needs others."""

Rows = Iterator[Row]


def apply(transform: Transform, rows: Rows, tally: Tally, partner: Rows | None = None) -> Rows:
    """Sends rows through one transform.

    Args:
        transform: what to do.
        rows: in the source's order, which stays.
        tally: counts what was left out or changed.
        partner: the rows of `PairedWith.source`, for that transform alone.

    Raises:
        DataError: a row that the transform cannot work on.
    """
    if isinstance(transform, StripThinking):
        return _each(rows, tally, strip_thinking, "thinking_stripped")
    if isinstance(transform, AnswerOnly):
        return _each(rows, tally, answer_only, "reduced_to_answer")
    if isinstance(transform, PairedWith):
        assert partner is not None
        return _paired(transform, rows, partner, tally)
    if isinstance(transform, Subset):
        return _subset(transform, rows, tally)
    if isinstance(transform, Verified):
        return _verified(transform, rows, tally)
    if isinstance(transform, Corrupted):
        return _corrupted(transform, rows, tally)
    return _without(transform, rows, tally)


def strip_thinking(row: Row) -> Row | None:
    """The row without its thinking; the answer part stays to the letter. None when nothing is left."""
    _, answer = split_thinking(row.response)
    return replace(row, response=answer) if answer.strip() else None


def answer_only(row: Row) -> Row | None:
    """The row with its boxed answer alone; None when it has none."""
    answer = last_boxed(split_thinking(row.response)[1])
    return None if answer is None else replace(row, response=f"\\boxed{{{answer}}}")


def _each(rows: Rows, tally: Tally, change: Callable[[Row], Row | None], what: str) -> Rows:
    for row in rows:
        changed = change(row)
        if changed is None:
            tally.dropped["no_answer_part"] += 1
            continue
        tally.changed[what] += changed.response != row.response
        yield changed


def _paired(transform: PairedWith, rows: Rows, partner: Rows, tally: Tally) -> Rows:
    def key(row: Row) -> str:
        return row.id if transform.by == "id" else " ".join(row.question.split())

    others: dict[str, Row] = {}
    for other in partner:
        others.setdefault(key(other), other)
    for row in rows:
        found = others.get(key(row))
        if found is None:
            tally.dropped["no_partner"] += 1
            continue
        # The query stays the row's own to the letter; what answers it, and its verdict, are the partner's.
        yield replace(row, response=found.response, verified=found.verified, gold=row.gold or found.gold)


def rank(row: Row, seed: int, purpose: str) -> int:
    """A row's place in a random order of all rows there could be: the same in any set it is part of."""
    text = f"{purpose}\0{seed}\0{row.id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _subset(transform: Subset, rows: Rows, tally: Tally) -> Rows:
    """The rows of lowest rank, in their own order. Raises a DataError if the whole is not there."""
    ranked: list[tuple[int, int, Row]] = []  # a heap of the lowest ranks, highest on top
    number = -1
    for number, row in enumerate(islice(rows, transform.of)):
        entry = (-rank(row, transform.seed, "subset"), number, row)
        if len(ranked) < transform.rows:
            heapq.heappush(ranked, entry)
        elif entry[0] > ranked[0][0]:
            heapq.heapreplace(ranked, entry)
    if number + 1 < transform.of:
        raise DataError(
            f"Subset(rows={transform.rows}, of={transform.of}) got {number + 1} rows only, so it would not "
            f"be the subset it says; set of={number + 1}, or give it more rows."
        )
    tally.dropped["not_in_subset"] += transform.of - transform.rows
    for _, _, row in sorted(ranked, key=lambda entry: entry[1]):
        yield row


def _verified(transform: Verified, rows: Rows, tally: Tally) -> Rows:
    with GraderProcess(transform.grader) as grader:
        for row in rows:
            reason = _fault(grader, row)
            if reason is None:
                yield replace(row, verified=True)
            else:
                tally.dropped[reason] += 1


def _fault(grader: GraderProcess, row: Row) -> str | None:
    """Why a row is not verified; None when it is."""
    if row.gold is None:
        return "no_gold_answer"
    answer = last_boxed(split_thinking(row.response)[1])
    if answer is None:
        return "no_answer_part"
    verdict = grader.grade(answer, row.gold, {})
    if verdict.why:
        return "grader_failed"
    return None if verdict.raw == 1.0 else "wrong_answer"


def _corrupted(transform: Corrupted, rows: Rows, tally: Tally) -> Rows:
    """Rows whose rank lies in the lowest share get the answer of a neighbour that the grader finds wrong."""
    limit = int(transform.share * 2**64)
    with GraderProcess("math") as grader:
        while chunk := list(islice(rows, CHUNK)):
            answers = [last_boxed(split_thinking(row.response)[1]) for row in chunk]
            for row, right in zip(chunk, answers, strict=True):
                if rank(row, transform.seed, "corrupted") >= limit:
                    yield row
                    continue
                wrong = _wrong_answer(grader, row, right, answers, transform.seed)
                if right is None or wrong is None:
                    tally.dropped["not_corruptible"] += 1
                    continue
                tally.changed["answer_corrupted"] += 1
                response = row.response.replace(f"{{{right}}}", f"{{{wrong}}}")
                yield replace(row, response=response, verified=False)


def _wrong_answer(
    grader: GraderProcess, row: Row, right: str | None, answers: list[str | None], seed: int
) -> str | None:
    """Another row's answer that differs from this one's in value."""
    if right is None:
        return None
    others = sorted({answer for answer in answers if answer is not None and answer != right})
    start = rank(row, seed, "answer") % max(len(others), 1)
    for other in (others[start:] + others[:start])[:8]:
        verdict = grader.grade(other, row.gold or right, {})
        if not verdict.why and verdict.raw < 1.0:
            return other
    return None


def _without(transform: WithoutBenchmarks, rows: Rows, tally: Tally) -> Rows:
    index = Index(questions(transform.benchmarks))
    while chunk := list(islice(rows, CHUNK)):
        flagged = set(scan(batch(chunk), index)["row"].to_pylist())
        tally.dropped["benchmark_overlap"] += sum(row.id in flagged for row in chunk)
        yield from (row for row in chunk if row.id not in flagged)


def questions(benchmarks: tuple[str, ...]) -> Iterator[Question]:
    """The problems of benchmarks as contamination looks for them.

    Raises:
        SpecError: an unknown benchmark.
    """
    for name in benchmarks:
        for problem in problems(card(name)):
            yield Question(benchmark=name, problem=problem.id, text=problem.question, answer=problem.gold)


def batch(rows: list[Row]) -> pa.RecordBatch:
    """Rows as `contamination.scan` reads them."""
    said = ["\n".join(turn["content"] for turn in row.messages) for row in rows]
    columns = {"id": [row.id for row in rows], "prompt": said, "response": [row.response for row in rows]}
    return pa.RecordBatch.from_pydict(columns)
