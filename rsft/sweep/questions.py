"""A benchmark as a sweep asks it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from rsft.bases import outputs, resolve
from rsft.benchmarks.cards import Benchmark, HubProblems, card
from rsft.errors import ModelError, SpecError
from rsft.spec.base import content_hash
from rsft.spec.evaluation import BenchmarkUse, EvalSpec
from rsft.sweep.grading import judge_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A benchmark as this sweep asks it."""

    card: Benchmark
    use: BenchmarkUse
    key: str
    """Card name and hash of card and sampling; a changed prompt or temperature is another cell."""
    problems: int
    samples: int
    max_new_tokens: int
    judged_by: str = ""
    """Judge or reward model; empty where rules judge. Another one grades again, on the answers there are."""

    def scored_by(self, marker: dict[str, Any]) -> bool:
        """Whether a cell's marker holds answers to all problems, graded without an error; be it fewer samples
        of each than are asked."""
        return (
            marker.get("judged_by", "") == self.judged_by
            and not marker["error"]
            and not marker["errors"]
            and marker["problems"] >= self.problems
        )

    def answered_by(self, marker: dict[str, Any]) -> bool:
        """Whether a cell's marker holds all that is asked, graded without an error."""
        return self.scored_by(marker) and marker["samples"] >= self.samples

    def unjudged(self, marker: dict[str, Any] | None) -> bool:
        """Whether a cell has all its answers, and lacks verdicts of the judge."""
        return (
            self.card.grader == "judge"
            and marker is not None
            and not marker["error"]
            and not self.answered_by(marker)
            and marker["problems"] >= self.problems
            and marker["samples"] >= self.samples
        )


def questions(evaluation: EvalSpec) -> tuple[Question, ...]:
    """All benchmarks of a sweep.

    Raises:
        SpecError: as `question`; or the same benchmark from two sources, whose numbers no table could tell
            apart.
    """
    found = tuple(question(use, evaluation) for use in evaluation.benchmarks)
    names = [one.card.name for one in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SpecError(f"EvalSpec.benchmarks asks {twice!r} from two sources; leave one of them out.")
    return found


def question(use: BenchmarkUse, evaluation: EvalSpec) -> Question:
    """A benchmark as it is asked.

    Raises:
        SpecError: an unknown benchmark, one that nobody is named to judge, more problems than it has, or a
            revision of one that is not read from the hub.
        ModelError: a judge or reward model that cannot be used.
    """
    benchmark, sampling = card(use.name), evaluation.sampling
    if use.revision is not None:
        if not isinstance(benchmark.source, HubProblems):
            raise SpecError(
                f"evaluation.benchmarks names revision {use.revision!r} of {use.name}, which is not read "
                "from the hub; leave it out."
            )
        benchmark = replace(benchmark, source=replace(benchmark.source, revision=use.revision))
    if use.problems is not None and use.problems > benchmark.problems:
        raise SpecError(
            f"evaluation.benchmarks asks for {use.problems} problems of {use.name}, which has "
            f"{benchmark.problems}; ask for fewer, or leave `problems` out."
        )
    budget = use.max_new_tokens or sampling.max_new_tokens or benchmark.max_new_tokens
    of_card = benchmark.samples if sampling.temperature else 1  # greedy answers are all the same
    facts = {
        "card": benchmark.facts(),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "max_new_tokens": budget,
    }
    return Question(
        card=benchmark,
        use=use,
        key=f"{re.sub(r'[^A-Za-z0-9._-]+', '-', benchmark.name)}__{content_hash(facts)}",
        problems=use.problems or benchmark.problems,
        samples=use.samples or sampling.samples or of_card,
        max_new_tokens=budget,
        judged_by=_judged_by(benchmark, evaluation),
    )


def _judged_by(benchmark: Benchmark, evaluation: EvalSpec) -> str:
    if benchmark.grader == "judge":
        if evaluation.judge is None:
            raise SpecError(
                f"benchmark {benchmark.name} needs a judge and EvalSpec.judge names none; set "
                "judge=JudgeSpec(model=...), with address=... for an endpoint (rsft evaluate: --judge MODEL "
                "or MODEL@ADDRESS), or leave the benchmark out."
            )
        return judge_identity(evaluation.judge)
    if benchmark.grader == "reward":
        if evaluation.reward is None:
            raise SpecError(
                f"benchmark {benchmark.name} needs a reward model and EvalSpec.reward names none; set "
                "reward=ModelSpec(source=...) (rsft evaluate: --reward MODEL), or leave the benchmark out."
            )
        reward = resolve(evaluation.reward)
        if outputs(reward) not in (1, None):
            raise ModelError(
                f"reward model {evaluation.reward.source!r} has {outputs(reward)} outputs, as a language "
                "model has; give a sequence classifier with one."
            )
        return reward.identity
    return ""
