"""What a trace's procedures were worth, found in the trace itself: did a check check, was a dead end one.

A check that computes is one with an equation in its own sentence or the next. A branch of countdown is what
is left on the table after the stated steps; where the trace gives it up, a search over what is left says
whether the target could still be reached from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from rsft.analysis.arithmetic import Equation, equations
from rsft.analysis.procedures import Sentence

MOST_LEFT = 4
"""Numbers on the table above which a branch is not searched."""
_BACK_TO = re.compile(r"\b(?:back|return(?:ing)?) to ((?:-?\d{1,9}(?:, ?| and )){1,9}-?\d{1,9})")
_NUMBER = re.compile(r"-?\d{1,9}")

Table = tuple[Fraction, ...]
"""Numbers that are left, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Counts over one trace."""

    equations: int = 0
    equations_true: int = 0
    checks: int = 0
    """Sentences of verification."""
    checks_computed: int = 0
    """Of these, with an equation."""
    checks_true: int = 0
    """Of those, all of whose equations are true; in countdown the last one also comes to the target."""
    branches_left: int = 0
    """Countdown: branches given up whose steps were true equations, and that a search could judge."""
    dead_ends: int = 0
    """Of these, from which the target cannot be reached."""


@dataclass(frozen=True, slots=True)
class Countdown:
    """A countdown problem: reach the target with all of the numbers, each once."""

    numbers: tuple[int, ...]
    target: int


def worth(trace: Sequence[Sentence], game: Countdown | None = None) -> Worth:
    """Reads one thinking part.

    Args:
        trace: its sentences.
        game: the problem, where it is one of countdown.
    """
    stated = [list(equations(sentence.text)) for sentence in trace]
    every = [equation for each in stated for equation in each]
    checks = computed = true = 0
    for i, sentence in enumerate(trace):
        if "verification" not in sentence.procedures:
            continue
        checks += 1
        own = stated[i] or (stated[i + 1] if i + 1 < len(trace) else [])
        computed += bool(own)
        right = bool(own) and all(equation.true for equation in own)
        true += right and (game is None or own[-1].value == game.target)
    left = list(_left(trace, stated, game)) if game else []
    return Worth(
        equations=len(every),
        equations_true=sum(equation.true for equation in every),
        checks=checks,
        checks_computed=computed,
        checks_true=true,
        branches_left=len(left),
        dead_ends=sum(not reachable(table, Fraction(game.target)) for table in left) if game else 0,
    )


def _left(
    trace: Sequence[Sentence], stated: Sequence[Sequence[Equation]], game: Countdown
) -> Iterator[Table]:
    """What was on the table of each branch that the trace gives up."""
    start: Table = tuple(sorted(map(Fraction, game.numbers)))
    way: list[tuple[Table, bool]] = [(start, True)]
    for sentence, its in zip(trace, stated, strict=True):
        if "backtracking" in sentence.procedures and len(way) > 1:
            table, sound = way[-1]
            if sound and len(table) <= MOST_LEFT:
                yield table
            way = _back(way, sentence.text)
        for equation in its:
            after = _step(way[-1][0], equation)
            if after is None and len(equation.numbers) == 2:
                after = _step(start, equation)  # a new try from the beginning, unannounced
                way = way[:1] if after is not None else way
            if after is not None and len(after) > 1:
                way.append((after, way[-1][1] and equation.true))


def _back(way: list[tuple[Table, bool]], sentence: str) -> list[tuple[Table, bool]]:
    """The way up to the numbers that a sentence names, else to its beginning."""
    if named := _BACK_TO.search(sentence):
        numbers = tuple(sorted(Fraction(number) for number in _NUMBER.findall(named[1])))
        for i in range(len(way) - 1, -1, -1):
            if way[i][0] == numbers:
                return way[: i + 1]
    return way[:1]


def _step(table: Table, equation: Equation) -> Table | None:
    """The table after a stated step of two or more of its numbers; None when it is not one."""
    rest, used = list(table), equation.numbers
    if len(used) < 2:
        return None
    for number in used:
        if number not in rest:
            return None
        rest.remove(number)
    return tuple(sorted([*rest, equation.stated]))


@lru_cache(maxsize=100_000)
def reachable(table: Table, target: Fraction) -> bool:
    """Whether + - * / make the target from all numbers of a table, each used once; exact."""
    if len(table) == 1:
        return table[0] == target
    for i in range(len(table)):
        for j in range(i + 1, len(table)):
            a, b = table[i], table[j]
            rest = [*table[:i], *table[i + 1 : j], *table[j + 1 :]]
            made = {a + b, a - b, b - a, a * b}
            made |= {a / b} if b else set()
            made |= {b / a} if a else set()
            if any(reachable(tuple(sorted([*rest, value])), target) for value in made):
                return True
    return False
