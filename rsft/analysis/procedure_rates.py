"""Rates of procedures over the responses of a cell, and their link to being right, within problems.

A rate is a ratio of sums: sentences that hold a procedure per 1,000 thinking tokens of all responses
together, so that a response of five tokens counts as little as it is. Errors are clustered by problem.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsft.analysis.bootstrap import DRAWS, LEVEL, paired_errors, quantiles
from rsft.analysis.functional import Countdown, Worth, worth
from rsft.analysis.procedures import PROCEDURES, read, thinking_of
from rsft.records import Generation, Outcome
from rsft.scoring.estimators import Z_95, Ratio, wilson
from rsft.scoring.verbosity import loop, repetition

THINKING_TOKENS = "thinking_tokens"
LINKED = (*PROCEDURES, THINKING_TOKENS)
"""Measures whose link to being right is looked at; length is among them, as what may explain the others."""
LINK = "link: "
"""Opens the name of a difference of a measure between right and wrong answers."""
SHARES = ("repetition", "loops", "equations_true", "checks_computed", "checks_true", "dead_ends")
MEASURES = (*PROCEDURES, THINKING_TOKENS, *SHARES)
"""Of a cell. `loops`: share of responses whose thinking ends in one; `equations_true`: of the stated
equations; `checks_computed` and `checks_true`: of the sentences that verify; `dead_ends`: of the branches
that were given up (countdown)."""

_READERS = (
    *("procedures.py", "procedure_patterns.py", "procedure_lookalikes.py", "pattern_index.py"),
    *("procedure_rates.py", "arithmetic.py", "functional.py", "../scoring/verbosity.py"),
)


@dataclass(frozen=True, slots=True)
class Trace:
    """What was counted in one response."""

    problem: str
    outcome: Outcome
    tokens: float
    """Of the thinking part, estimated."""
    procedures: Mapping[str, int]
    """Sentences per procedure; those without one are left out."""
    repetition: float
    looped: bool
    worth: Worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number over responses, with its 95 % interval."""

    measure: str
    value: float
    """Per 1,000 thinking tokens, tokens, or a share of 0 to 1; a difference of these for a link."""
    stderr: float
    ci_low: float
    ci_high: float
    problems: int
    responses: int
    """Behind the value."""


def fingerprint() -> str:
    """Hash of all that reads a trace: other patterns, another hash."""
    sources = [(Path(__file__).parent / name).read_bytes() for name in _READERS]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()[:12]


def read_trace(answer: Generation, outcome: Outcome, game: Countdown | None = None) -> Trace:
    """Counts in one response; `game` where it answers a countdown problem."""
    thinking = thinking_of(answer.text, answer.tokens)
    sentences = read(thinking.text)
    found: dict[str, int] = {}
    for sentence in sentences:
        for name in sentence.procedures:
            found[name] = found.get(name, 0) + 1
    return Trace(
        problem=answer.problem,
        outcome=outcome,
        tokens=thinking.tokens,
        procedures=found,
        repetition=repetition(thinking.text),
        looped=loop(thinking.text) is not None,
        worth=worth(sentences, game),
    )


def measures(traces: Sequence[Trace]) -> list[Measure]:
    """Of one cell, in the order of MEASURES; one without anything behind it is left out."""

    def ratio(measure: str, parts: Iterable[tuple[float, float]]) -> Measure | None:
        own = zip(traces, parts, strict=True)
        return _ratio(measure, [(trace.problem, part, whole) for trace, (part, whole) in own])

    worths = [trace.worth for trace in traces]
    found = [
        *(ratio(name, [(1000 * t.procedures.get(name, 0), t.tokens) for t in traces]) for name in PROCEDURES),
        ratio(THINKING_TOKENS, [(t.tokens, 1) for t in traces]),
        ratio("repetition", [(t.repetition, 1) for t in traces]),
        ratio("loops", [(t.looped, 1) for t in traces]),
        ratio("equations_true", [(w.equations_true, w.equations) for w in worths]),
        ratio("checks_computed", [(w.checks_computed, w.checks) for w in worths]),
        ratio("checks_true", [(w.checks_true, w.checks) for w in worths]),
        ratio("dead_ends", [(w.dead_ends, w.branches_left) for w in worths]),
    ]
    return [measure for measure in found if measure is not None]


def differences(traces: Iterable[Trace]) -> dict[str, dict[str, float]]:
    """Per problem with both correct and wrong responses, each linked measure of the correct ones minus that
    of the wrong ones. Cut and unread answers are left out: a cut one is long because it was cut."""
    sides: dict[str, dict[str, list[Trace]]] = defaultdict(lambda: defaultdict(list))
    for trace in traces:
        if trace.outcome in ("correct", "wrong") and trace.tokens > 0:
            sides[trace.problem][trace.outcome].append(trace)
    return {
        problem: {name: _level(of["correct"], name) - _level(of["wrong"], name) for name in LINKED}
        for problem, of in sides.items()
        if len(of) == 2
    }


def link(found: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Measure]:
    """The mean difference of each linked measure over problems, with an interval over resampled problems.

    Args:
        found: per problem its `differences`, one of each cell that has any; one problem alone gives nothing.
    """
    if len(found) < 2:
        return []
    means = np.array(
        [[math.fsum(one[name] for one in each) / len(each) for each in found.values()] for name in LINKED]
    )
    values, errors = means.mean(1), paired_errors(means, seed=0, draws=DRAWS).T
    low, high = values + quantiles(errors, (1 - LEVEL) / 2, (1 + LEVEL) / 2)
    return [
        Measure(
            measure=LINK + name,
            value=float(values[i]),
            stderr=float(errors[i].std()),
            ci_low=float(low[i]),
            ci_high=float(high[i]),
            problems=len(found),
            responses=sum(map(len, found.values())),
        )
        for i, name in enumerate(LINKED)
    ]


def _level(traces: Sequence[Trace], name: str) -> float:
    if name == THINKING_TOKENS:
        return math.fsum(trace.tokens for trace in traces) / len(traces)
    held = sum(trace.procedures.get(name, 0) for trace in traces)
    return 1000 * held / math.fsum(trace.tokens for trace in traces)


def _ratio(measure: str, parts: Iterable[tuple[str, float, float]]) -> Measure | None:
    """Sum of parts over sum of wholes with its linearised, clustered error, as in `estimators.ratio`."""
    by_problem: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    responses = 0
    for problem, part, whole in parts:
        if whole > 0:
            by_problem[problem][0] += part
            by_problem[problem][1] += whole
            responses += 1
    problems, whole = len(by_problem), math.fsum(of[1] for of in by_problem.values())
    if not problems:
        return None
    value = math.fsum(of[0] for of in by_problem.values()) / whole
    stderr = math.nan
    if problems > 1:
        squares = math.fsum((part - value * of) ** 2 for part, of in by_problem.values())
        stderr = math.sqrt(squares * problems / (problems - 1)) / whole
    low, high = max(0.0, value - Z_95 * stderr), value + Z_95 * stderr
    if math.isnan(stderr):
        low = high = math.nan
    elif measure in SHARES:
        low, high = wilson(Ratio(value, stderr, problems, round(whole)))
    return Measure(
        measure=measure,
        value=value,
        stderr=stderr,
        ci_low=low,
        ci_high=high,
        problems=problems,
        responses=responses,
    )
