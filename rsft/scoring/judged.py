"""Scores of answers that a judge has judged."""

from __future__ import annotations

from collections.abc import Sequence

from rsft.records import Generation, Outcome, Problem, Score
from rsft.scoring.judge import Item, Judge, judged_part

Pair = tuple[Problem, Generation]
"""A problem and an answer to it."""


def shown(pairs: Sequence[Pair]) -> list[Pair]:
    """Those that a judge sees: what is empty or never ends its thinking needs no judge."""
    return [pair for pair in pairs if judged_part(pair[1].text)]


def item(pair: Pair) -> Item:
    """A generation as it is judged."""
    problem, generation = pair
    return Item(str(problem.metadata.get("prompt", problem.question)), generation.text, problem.metadata)


def judge_pairs(pairs: Sequence[Pair], judge: Judge) -> list[Score]:
    """Scores of generations, in the order given. What is empty or never ends its thinking is not shown to the
    judge: it is `truncated` or `no_answer`.

    Args:
        pairs: each generation with the problem it answers.
        judge: with the rubric of these problems.

    Raises:
        SpecError: a problem lacks what the rubric needs.
        StorageError: a verdict cannot be kept.
    """
    seen = shown(pairs)
    judged = dict(zip(map(id, seen), judge.judge_all([item(pair) for pair in seen]), strict=True))
    scores = []
    for pair in pairs:
        cut, verdict = pair[1].finish == "length", judged.get(id(pair))
        outcome: Outcome = "truncated" if cut else "no_answer"
        if verdict is not None:
            outcome = "error" if verdict.why else "correct" if judge.good(verdict.raw) else "wrong"
        scores.append(
            Score(
                problem=pair[1].problem,
                sample=pair[1].sample,
                outcome=outcome,
                answer=None,
                where="answer part" if verdict else None,
                raw=verdict.raw if verdict else 0.0,
                truncated=cut,
                tokens=pair[1].tokens,
                why=(verdict.why or verdict.words) if verdict else "",
            )
        )
    return scores
