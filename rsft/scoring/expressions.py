r"""Whether two expressions are equal, by what they evaluate to.

math-verify parses them. Where both can be evaluated, they are equal when they agree to 20 digits at a few
points: an identity that holds there by chance is as good as impossible (Schwartz 1980, J. ACM 27:701), and a
wrong answer is settled in milliseconds, where proving that a difference is not zero takes seconds. Sets,
relations, and what cannot be evaluated are compared by math-verify. Numbers that would fill the memory
(`9^{9^{9^9}}`) are compared as they are written. Importing this takes seconds.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify
from sympy.core.function import AppliedUndef

from rsft.scoring.quantities import GAP, repeating_as_fractions

_READING = (
    LatexExtractionConfig(
        # Units are ours to read: math-verify takes the last letter of `2t`, `5m + g` and `3ab` for one.
        normalization_config=NormalizationConfig(units=False, malformed_operators=True, nits=True)
    ),
    ExprExtractionConfig(),
)
_MANY_DIGITS = 50_000
_DIGITS = 30
_CLOSE = 1e-20
"""Relative distance of values that were computed to 30 digits and are the same."""
_LARGE = 1_000_000
_LAZY = (sympy.Sum, sympy.Product, sympy.Integral, sympy.Limit, sympy.Derivative, AppliedUndef)
"""What may take for ever to be computed, or has no value."""
_POINTS = 5
"""The first three are positive, where roots and logarithms have one meaning."""
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*\^\\circ")
_VAST = re.compile(
    r"\\binom\s*(?:\{[^{}]*\}\s*)?\{[^{}]*(?:\d{6}|\d\s*\^|!)"
    r"|\^\s*\{?\s*-?\s*\d{6}"
    r"|\\(?:sqrt\s*\[|gcd|lcm).*\d\s*\^\s*\{?\s*\d+\s*\^"
)
"""Numbers that the parser or sympy would compute at once: they stay text."""
_GROUPED = re.compile(rf"(?<=\d){GAP}(?=\d{{3}}(?!\d))")
_MIXED = re.compile(r"(?<![\d.^_}a-zA-Z])(?<!frac )(\d+)\s*\\frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d))")
_E_NOTATION = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d{1,4})(?!\w)")


def same_expression(gold: str, answer: str, scale: Fraction = Fraction(1)) -> bool:
    """Whether `gold` times `scale` is `answer`, both in LaTeX.

    Raises:
        ValueError: the gold answer itself cannot be read.
    """
    one, two = _parsed(gold), _parsed(answer)
    if not one:
        raise ValueError(f"math-verify cannot read the gold answer {gold!r:.200}")
    if not two:
        return False
    if scale != 1:
        if not isinstance(one[0], sympy.Expr):
            return False
        one = (one[0] * sympy.Rational(scale.numerator, scale.denominator),)
    if max(_digits(one[0]), _digits(two[0])) > _MANY_DIGITS:
        return bool(one[0] == two[0])
    verdict = _agree(one[0], two[0])
    return _verified(one, two) if verdict is None else verdict


def same_equation(gold: str, answer: str) -> bool:
    """Whether two equations say the same: what they set to zero differs by a constant factor.

    Raises:
        ValueError: the gold answer itself cannot be read.
    """
    one, two = _parsed(gold), _parsed(answer)
    if not one:
        raise ValueError(f"math-verify cannot read the gold answer {gold!r:.200}")
    if two and max(_digits(one[0]), _digits(two[0])) > _MANY_DIGITS:
        return bool(one[0] == two[0])
    if two and _of_numbers(one[0]) and _of_numbers(two[0]):
        zeros = [side.lhs - side.rhs for side in (one[0], two[0])]
        golds, answers = (_at_points(each, zeros) for each in zeros)
        if golds and answers:
            factors = [_number(a / b) for a, b in zip(golds, answers, strict=True) if b != 0]
            if len(factors) == _POINTS and factors[0] and all(_near(factors[0], each) for each in factors):
                return True
    return bool(two) and _verified(one, two)


def _of_numbers(equation: Any) -> bool:
    """Whether it is an equation whose sides can be subtracted: not `P = (3, 4)`, nor of sets or matrices."""
    return isinstance(equation, sympy.Eq) and all(
        isinstance(side, sympy.Expr) and not side.is_Matrix for side in equation.args
    )


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[Any, ...]:
    """What math-verify reads: an object of sympy, then the text; nothing where it can read neither."""
    if _VAST.search(text):
        return (text,)
    text = _GROUPED.sub("", text).replace(GAP, " ")
    text = _DEGREES.sub(r"\\frac{\1\\pi}{180}", repeating_as_fractions(text))
    text = _MIXED.sub(_as_sum, _E_NOTATION.sub(r"\1\\times 10^{\2}", text))
    return tuple(parse(f"\\boxed{{{text}}}", _READING, parsing_timeout=None))


def _as_sum(mixed: re.Match[str]) -> str:
    r"""`1\frac{1}{3}\pi` is no third of pi; a fraction above 1 makes a product."""
    whole, above, below = mixed[1], mixed[2] or mixed[3], mixed[4] or mixed[5]
    return rf"({whole}+\frac{{{above}}}{{{below}}})" if int(above) < int(below) else mixed[0]


def _verified(gold: tuple[Any, ...], answer: tuple[Any, ...]) -> bool:
    """math-verify's own comparison, with floats as exact as they are written."""
    return bool(verify(list(gold), list(answer), float_rounding=12, timeout_seconds=None))


def _agree(one: Any, two: Any) -> bool | None:
    """Whether two expressions have the same values; None where that does not settle it."""
    golds = _at_points(one, (one, two))
    try:
        answers = _at_points(two, (one, two))
        if golds is None or answers is None:
            return None
        agree = [_near(a, b) for a, b in zip(golds, answers, strict=True)]
    except (ArithmeticError, ValueError, TypeError, NotImplementedError, RecursionError):
        for gold in golds or ():
            _number(gold)  # raises again where the gold is at fault
        return False  # what is not defined, such as the square of a column, is no answer
    if False in agree[:3]:
        return False
    return True if all(agree) else None


def _at_points(expression: Any, both: Sequence[Any]) -> list[Any] | None:
    """The expression with numbers for its variables, exact and not yet evaluated.

    Returns:
        One for each point, or a single one where neither of `both` has variables. None for what has
        no number for a value.
    """
    if not isinstance(expression, sympy.Expr) or expression.has(*_LAZY) or expression.is_Matrix:
        return None
    exact = {number: sympy.Rational(str(number)) for number in expression.atoms(sympy.Float)}
    # math-verify has a symbol for the imaginary unit; as an index it is as good as any other number.
    imaginary = {symbol: sympy.I for symbol in expression.free_symbols if symbol.name == "i"}
    free = set().union(*(each.free_symbols for each in both if isinstance(each, sympy.Basic)))
    points = _POINTS if any(symbol.name != "i" for symbol in free) else 1
    found = []
    for point in range(points):
        values = {s: _value(s.name, point) for s in expression.free_symbols - imaginary.keys()}
        found.append(expression.xreplace(exact | imaginary | values).doit())
    return found


def _value(name: str, point: int) -> Any:
    """A number for a variable, the same whatever it stands in; positive at the first three points."""
    chance = random.Random(f"{name} {point}")
    sign = 1 if point < 3 else chance.choice((-1, 1))
    return sympy.Rational(sign * chance.randint(31, 997), 211)


def _near(one: Any, two: Any) -> bool | None:
    """Whether two constant expressions are the same number; None where one of them is none."""
    if one == two:
        return not one.has(sympy.nan)
    if one.is_Rational and two.is_Rational:
        return False
    values = [value for each in (one, two) if (value := _number(each)) is not None]
    size = max(map(abs, values), default=None)
    # The difference of equals is computed with ever more digits, which takes seconds with factorials.
    plain = size is not None and len(values) == 2 and size < _LARGE
    distance = abs(values[0] - values[1]) if plain else _number(one - two)
    if size is None or distance is None:
        return False if one.is_infinite or two.is_infinite else None
    # Large numbers are equal in all their digits or not at all.
    return bool(abs(distance) <= _CLOSE * min(size, _LARGE))


def _number(constant: Any) -> Any:
    """Its value to 30 digits, cancellation taken into account; None if it has none."""
    value = constant.evalf(_DIGITS, maxn=1_000)
    return value if value.is_number and value.is_finite else None


def _digits(expression: Any) -> float:
    """A bound on the digits of every number that occurs when the expression is computed."""
    if isinstance(expression, str):
        return 1.0
    if isinstance(expression, sympy.MatrixBase):
        return float(sum(map(_digits, expression)))
    if not expression.args:
        return 1.0 + (int(expression).bit_length() / 3 if isinstance(expression, sympy.Integer) else 0.0)
    digits: list[float] = [_digits(part) for part in expression.args if isinstance(part, sympy.Basic)]
    name = type(expression).__name__
    if name in ("Pow", "exp"):
        exponent = expression.args[-1]
        return digits[0] * (_size(exponent, digits[-1]) if name == "Pow" else _power_of_ten(digits[0]))
    if "factorial" in name or name in ("gamma", "binomial"):
        return digits[0] * _size(expression.args[0], digits[0])
    return sum(digits)


def _size(expression: Any, digits: float) -> float:
    if isinstance(expression, sympy.Integer):
        return float(min(max(1, abs(int(expression))), 10**9))
    return _power_of_ten(digits)


def _power_of_ten(digits: float) -> float:
    return math.pow(10.0, min(digits, 9.0))
