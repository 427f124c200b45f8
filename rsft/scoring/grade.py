"""From generations to scores: each answer graded by its benchmark's grader, apart from the engines.

Light to import: sympy and reasoning-gym are loaded by grading processes alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rsft.errors import DataError, SpecError
from rsft.records import Generation, Outcome, Problem, Score
from rsft.scoring.pool import GraderPool
from rsft.scoring.references import Graded, GraderName


def grade_all(
    pairs: Sequence[tuple[Problem, Generation]],
    *,
    grader: GraderName,
    pool: GraderPool | None = None,
    workers: int = 1,
) -> list[Score]:
    """Scores generations, in the order given.

    A grader that hangs or dies twice on an answer makes that score an `error` with its `why`, never `wrong`;
    the others go on.

    Args:
        pairs: each generation with the problem it answers.
        grader: which grader judges.
        pool: standing graders of that name to use; they stay. Starting one costs seconds, more than grading
            a small benchmark does.
        workers: answers at a time, each on one core.

    Raises:
        DataError: a generation that answers another problem than the one it is paired with.
        SpecError: a number of workers that is not positive.
        EngineError: a grading process cannot be started, or code cannot be isolated here.
        MissingEngine: the grader needs a package that is not installed.
    """
    if workers < 1:
        raise SpecError(f"grading with workers={workers} cannot work; give 1 or more.")
    for problem, generation in pairs:
        if generation.problem != problem.id:
            raise DataError(
                f"a generation for problem {generation.problem!r} is paired with {problem.id!r}; "
                "pair each generation with the problem it names."
            )
    if pool is None:
        with GraderPool(grader) as own:
            return grade_all(pairs, grader=grader, pool=own, workers=workers)

    def score(pair: tuple[Problem, Generation]) -> Score:
        problem, generation = pair
        graded = pool.grade(reference(grader, problem), generation.text, generation.finish == "length")
        return scored(problem, generation, graded)

    with ThreadPoolExecutor(workers) as threads:
        found = [threads.submit(score, pair) for pair in pairs]
        try:
            return [future.result() for future in found]
        except BaseException:
            # Ctrl-C, or a grader that cannot start: the rest is not waited for.
            threads.shutdown(wait=False, cancel_futures=True)
            pool.kill()
            raise


def reference(grader: GraderName, problem: Problem) -> Any:
    """What is right, in the form that the grader reads."""
    if grader == "math":
        return problem.gold
    if grader == "choice":
        return {"answer": problem.gold, "choices": problem.metadata.get("choices")}
    if grader == "reasoning_gym":
        known = problem.metadata
        return {"dataset": known.get("task"), "config": known.get("config"), "entry": known.get("entry")}
    if grader == "refusal":
        return {"prompt": problem.question}
    return problem.metadata


def scored(problem: Problem, generation: Generation, graded: Graded) -> Score:
    """A verdict as the score of a generation. `refused` and `complied` are right where the gold says so."""
    outcome: Outcome
    raw, answer, why = graded.score, graded.answer, graded.detail
    if graded.status == "refused" or graded.status == "complied" or graded.status == "unclear":
        outcome = "correct" if graded.status == problem.gold else "wrong"
        raw, answer = float(outcome == "correct"), graded.status
    else:
        outcome = graded.status
    return Score(
        problem=generation.problem,
        sample=generation.sample,
        outcome=outcome,
        answer=answer,
        where=graded.where,
        raw=raw,
        truncated=generation.finish == "length",
        tokens=generation.tokens,
        why=why if isinstance(why, str) else json.dumps(why),
    )
