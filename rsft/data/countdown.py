"""Worked solutions of the countdown game, written down by a search that really ran.

The search tries a pair of numbers and an operation, goes on with what is left, notes dead ends,
goes back, and checks the expression it found. Nothing in a trace is decoration: a line is there
because the search went there.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import combinations

from rsft.errors import DataError


@dataclass(frozen=True, slots=True)
class Term:
    """A number on the table: its value and how it was made."""

    value: int
    expression: str
    steps: tuple[str, ...] = ()
    """The equations that made it, each after those it needs."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A finished search."""

    text: str
    """The search, a line per thought."""
    steps: tuple[str, ...]
    """The equations that lead to the target, without the search."""
    expression: str
    """An arithmetic expression that uses each number once and equals the target."""
    dead_ends: int
    """Branches that were entered and left without success."""


def _moves(left: Term, right: Term) -> list[tuple[str, Term]]:
    """All useful ways to join two terms: (line as written, result). Division only when exact."""
    big, small = (left, right) if left.value >= right.value else (right, left)
    joined = [("+", big.value + small.value), ("*", big.value * small.value)]
    joined.append(("-", big.value - small.value))
    if small.value and big.value % small.value == 0:
        joined.append(("/", big.value // small.value))
    moves = []
    for sign, value in joined:
        line = f"{big.value} {sign} {small.value} = {value}"
        steps = (*big.steps, *small.steps, line)
        moves.append((line, Term(value, f"({big.expression} {sign} {small.expression})", steps)))
    return moves


def _names(terms: list[Term]) -> str:
    return ", ".join(str(term.value) for term in terms)


def _search(terms: list[Term], target: int, rng: random.Random, lines: list[str]) -> Term | None:
    """Depth first; appends what it does to `lines`; returns the first hit."""
    moves = [
        (i, j, line, result)
        for i, j in combinations(range(len(terms)), 2)
        for line, result in _moves(terms[i], terms[j])
    ]
    rng.shuffle(moves)
    if len(terms) == 2:
        for _, _, line, result in moves:
            if result.value == target:
                lines.append(f"{line}, yes.")
                return result
            lines.append(f"{line}, no.")
        return None
    for i, j, line, result in moves:
        rest = [term for k, term in enumerate(terms) if k not in (i, j)]
        lines.append(f"Try {line}, left {_names([result, *rest])}.")
        found = _search([result, *rest], target, rng, lines)
        if found is not None:
            return found
        lines.append(f"Dead end, back to {_names(terms)}.")
    return None


def solve(
    numbers: list[int], target: int, seed: int, *, max_lines: int = 24, restarts: int = 200
) -> Trace | None:
    """Searches in a random order and writes down the way; None when no order fits in `max_lines`.

    Args:
        numbers: two or more numbers, each to be used exactly once.
        target: the value to reach.
        seed: of the order in which moves are tried; the same seed gives the same trace.
        max_lines: longest search worth showing, in lines; a longer one starts again in another order.
        restarts: orders to try.
    """
    if len(numbers) < 2:
        raise DataError(f"countdown needs two or more numbers, got {numbers}.")
    rng = random.Random(seed)
    for _ in range(restarts):
        lines = [f"Numbers {', '.join(map(str, numbers))}, target {target}."]
        found = _search([Term(n, str(n)) for n in numbers], target, rng, lines)
        if found is None:
            return None
        if len(lines) <= max_lines:
            expression = found.expression[1:-1]
            lines.append(f"Check: {expression} = {target}, all numbers used.")
            dead_ends = sum(line.startswith("Dead end") for line in lines)
            return Trace("\n".join(lines), found.steps, expression, dead_ends)
    return None
