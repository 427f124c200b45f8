"""From generations to scores: reads each answer here, has it graded in a killable process.

Light to import: sympy and reasoning-gym are loaded by that process alone.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from rsft.errors import DataError, SpecError
from rsft.records import Generation, Outcome, Problem, Score
from rsft.scoring.graders import GraderName
from rsft.scoring.process import GraderProcess, Verdict
from rsft.scoring.reading import Reading, read_answer

_Key = tuple[str, str, str, str]
"""Problem id, question, gold and answer: what makes two items the same."""


def grade_all(
    pairs: Sequence[tuple[Problem, Generation]],
    *,
    grader: GraderName,
    limit_s: float = 10.0,
    workers: int = 1,
    process: GraderProcess | None = None,
) -> list[Score]:
    """Scores generations, in the order given.

    An answer that occurs again for the same problem is graded once. A grader that hangs or dies
    twice on an answer makes that score an `error` with its `why`, never `wrong`; the others go on.

    Args:
        pairs: each generation with the problem it answers.
        grader: which grader judges.
        limit_s: seconds for one answer, without the worker's start.
        workers: processes at a time, each on one core.
        process: a standing process of this grader to use instead; it stays open. Starting one costs
            seconds, more than grading a small benchmark does.

    Raises:
        DataError: a generation that answers another problem than the one it is paired with.
        SpecError: a limit or a number of workers that is not positive.
        EngineError: the grading process cannot be started.
    """
    if limit_s <= 0 or workers < 1:
        raise SpecError(
            f"grading with limit_s={limit_s} and workers={workers} cannot work; both are above 0."
        )
    for problem, generation in pairs:
        if generation.problem != problem.id:
            raise DataError(
                f"a generation for problem {generation.problem!r} is paired with {problem.id!r}; "
                "pair each generation with the problem it names."
            )
    readings = [read_answer(generation.text) for _, generation in pairs]
    items: dict[_Key, Problem] = {}
    for (problem, _), reading in zip(pairs, readings, strict=True):
        if reading.answer is not None:
            items.setdefault(_key(problem, reading.answer), problem)
    if process is None:
        verdicts = _verdicts(items, grader, limit_s, workers)
    else:
        verdicts = {key: process.grade(key[-1], p.gold, p.metadata) for key, p in items.items()}
    return [
        _score(generation, reading, verdicts.get(_key(problem, reading.answer or "")))
        for (problem, generation), reading in zip(pairs, readings, strict=True)
    ]


def _key(problem: Problem, answer: str) -> _Key:
    # Not the id alone: it is unique within one benchmark only.
    return problem.id, problem.question, problem.gold, answer


def _verdicts(
    items: dict[_Key, Problem], grader: GraderName, limit_s: float, workers: int
) -> dict[_Key, Verdict]:
    """Grades all items with one thread per worker process."""
    if not items:
        return {}
    waiting: queue.SimpleQueue[_Key] = queue.SimpleQueue()
    for key in items:
        waiting.put(key)
    verdicts: dict[_Key, Verdict] = {}

    def drain(process: GraderProcess) -> None:
        while True:
            try:
                key = waiting.get_nowait()
            except queue.Empty:
                return
            problem, answer = items[key], key[-1]
            verdicts[key] = process.grade(answer, problem.gold, problem.metadata)

    count = min(workers, len(items))
    with ExitStack() as stack:
        processes = [stack.enter_context(GraderProcess(grader, limit_s)) for _ in range(count)]
        pool = stack.enter_context(ThreadPoolExecutor(count))
        for process in processes:
            # Left in reverse order: the kill comes first, or an exception here (Ctrl-C, a worker
            # that cannot start) would wait until the threads have graded all the rest.
            stack.callback(process.kill)
        for done in [pool.submit(drain, process) for process in processes]:
            done.result()
    return verdicts


def _score(generation: Generation, reading: Reading, verdict: Verdict | None) -> Score:
    truncated = generation.finish == "length"
    outcome: Outcome
    if verdict is None:
        outcome = "truncated" if truncated else "no_answer"
    elif verdict.why:
        outcome = "error"
    else:
        outcome = "correct" if verdict.raw == 1.0 else "wrong"
    return Score(
        problem=generation.problem,
        sample=generation.sample,
        outcome=outcome,
        answer=reading.answer,
        where=reading.where,
        raw=verdict.raw if verdict else 0.0,
        truncated=truncated,
        tokens=generation.tokens,
        why=verdict.why if verdict else "",
    )
