"""Gold answers of benchmarks as reasoning models would give them: for test_golds.py, bench/verdicts.py."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.records import Generation, Problem, Score
from rsft.scoring.grade import grade_all
from rsft.scoring.jail.calls import Outcome
from rsft.scoring.programs import code_reference, grade_code, read_code
from rsft.scoring.reading import answer_part

MATHEMATICS = ("math-500", "gsm8k")
PROGRAMS = ("humaneval", "mbpp")

DRESS: tuple[Callable[[str], str], ...] = (
    lambda gold: gold.replace(r"\frac", r"\dfrac"),
    lambda gold: re.sub(r"([+=]|,(?!\\!)(?!\d{3}))", r" \1 ", gold),
    lambda gold: rf"\displaystyle {gold}",
    lambda gold: f"{gold}.0" if re.fullmatch(r"\d+", gold) else f"${gold}$",
    lambda gold: re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "{,}", gold) if re.fullmatch(r"[\d,]+", gold) else gold,
    lambda gold: f"x = {gold}" if re.fullmatch(r"-?[\d.]+", gold) else f"{gold}.",
)
"""Ways to write an answer otherwise that leave it as it is."""


def asked(benchmark: str, sample: int | None = None, seed: int = 0) -> list[Problem]:
    """Problems of a benchmark, all or a seeded sample."""
    every = problems(CARDS[benchmark])
    return every if sample is None else random.Random(seed).sample(every, sample)


def redressed(problem: Problem, seed: int = 0) -> str:
    """The gold in another notation."""
    return random.Random(f"{seed} {problem.id}").choice(DRESS)(problem.gold)


def response(problem: Problem, answer: str) -> Generation:
    """What a reasoning model would write, with wrong boxes in its thinking."""
    text = (
        f"<think>\nFirst guess: \\boxed{{-17}}. Let me see: {problem.question}\nNo, wait.\n</think>\n"
        f"We work it out step by step.\n\nThe final answer is $\\boxed{{{answer}}}$."
    )
    return Generation(
        problem=problem.id, sample=0, seed=0, text=text, tokens=100, prompt_tokens=1, finish="stop"
    )


def others(found: Sequence[Problem]) -> list[tuple[Problem, str]]:
    """Each problem with the gold of the next one that has another."""
    pairs = []
    for at, problem in enumerate(found):
        rest = [*found[at + 1 :], *found[:at]]
        pairs.append((problem, next(other.gold for other in rest if other.gold != problem.gold)))
    return pairs


def verdicts(answers: Sequence[tuple[Problem, str]], workers: int = 1) -> list[Score]:
    """Mathematics, through the grading processes."""
    pairs = [(problem, response(problem, answer)) for problem, answer in answers]
    return grade_all(pairs, grader="math", workers=workers)


def program(problem: Problem) -> str:
    """A response with the authors' own solution in a fence."""
    thinking = "<think>\n```python\nraise SystemExit\n```\n</think>\n"
    return f"{thinking}Here it is:\n```python\n{solution(problem)}\n```\n"


def solution(problem: Problem) -> str:
    """What the authors wrote, as a whole program."""
    return f"{problem.metadata.get('prompt', '')}{problem.gold}"


def examined(problem: Problem, text: str) -> Outcome:
    """The verdict on a response with code."""
    code = read_code(answer_part(text) or "")
    assert code is not None
    return grade_code(code, code_reference(problem.metadata))
