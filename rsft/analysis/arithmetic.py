r"""Equations that a trace states, such as `3 * 4 + 2 = 14`, and whether they are true. Exact, no eval.

Read are numbers, + - * / ^, brackets, per cent, and LaTeX's \times, \cdot, \div and \frac of two numbers.
What holds a variable, a unit between numbers, a modulus, another base or a question mark is left alone: a
formula that cannot be judged is not counted. A number with decimals may be rounded or cut at its last digit.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

LONGEST_RUN = 64
"""Tokens between words; a longer run of numbers and signs is a table, no equation."""
_LARGEST_BITS = 256

_FRACTION = re.compile(r"\\[dt]?frac\{(\d{1,12})\}\{(\d{1,12})\}")
_LATEX = (
    ("\\times", " * "),
    ("\\cdot", " * "),
    ("\\div", " / "),
    ("\\left", ""),
    ("\\right", ""),
    ("\\,", ""),
)
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "∗": "*", "[": "(", "]": ")"})
_TOKEN = re.compile(
    r"(?P<number>(?:\d{1,3}(?:,\d{3}){1,5}(?![\d,])|\d{1,15}(?!\d))(?:\.\d{1,12}(?!\d))?(?![\w\\]|\.\d)%?"
    r"|\.\d{1,12}(?!\d)(?!\w))"
    r"|(?P<equals>(?<![<>!=:])==?(?![=>]))|(?P<power>\*\*|\^)|(?P<sign>[+\-*/()])|(?P<blank>[ \t$]+)"
)
_OTHERWISE = re.compile(r"[^\n]{0,20}?(?:\bmod|\\pmod|\\bmod|remainder|\bbase\b|binary|hex|\br ?\d|\?)")
"""What after an equation says that it is none of ordinary numbers, or a question."""
_RESULT = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "~": 3, "^": 4}


@dataclass(frozen=True, slots=True)
class Equation:
    """Two neighbouring sides of one chain of equal signs, of which one or both hold an operation."""

    start: int
    """Where its run of numbers begins in the text that was read."""
    left: tuple[str, ...]
    """Tokens of the left side; numbers without separators."""
    value: Fraction
    """Of the left side, worked out."""
    stated: Fraction
    """Of the right side, as written or worked out."""
    true: bool

    @property
    def numbers(self) -> tuple[Fraction, ...]:
        """The numbers of the left side, in order."""
        return tuple(_number(token) for token in self.left if token[0].isdigit() or token[0] == ".")


def equations(text: str) -> Iterator[Equation]:
    """Every stated equation of a text, in order; linear in its length.

    A chain `a + b = c = d` gives one for each equal sign that has an operation on either side.
    """
    plain = _plain(text)
    for start, end, run in _runs(plain):
        if "=" in run and not _OTHERWISE.match(plain, end):
            yield from _chain(start, run, _opens_alone(plain, start), _ends_alone(plain, end))


def value_of(tokens: tuple[str, ...] | list[str]) -> Fraction | None:
    """What an expression's tokens come to (shunting yard); None for what is no expression, a division by zero
    or a number beyond bounds."""
    numbers: list[Fraction] = []
    signs: list[str] = []
    operand = True  # whether a number is due
    for token in tokens:
        if token[0].isdigit() or token[0] == ".":
            if not operand:
                return None
            numbers.append(_number(token))
            operand = False
        elif token == "(":
            if not operand:
                return None
            signs.append(token)
        elif token == ")":
            if operand:
                return None
            while signs and signs[-1] != "(":
                if not _apply(numbers, signs.pop()):
                    return None
            if not signs:
                return None
            signs.pop()
        elif operand:
            if token not in "+-":
                return None
            signs += ["~"] * (token == "-")
        else:
            while signs and signs[-1] != "(" and _binds(signs[-1], token):
                if not _apply(numbers, signs.pop()):
                    return None
            signs.append(token)
            operand = True
    while signs:
        if signs[-1] == "(" or not _apply(numbers, signs.pop()):
            return None
    return numbers[0] if len(numbers) == 1 and not operand else None


def _number(token: str) -> Fraction:
    if token.isdigit():
        return Fraction(int(token))
    return Fraction(token.removesuffix("%")) / (100 if token.endswith("%") else 1)


def _plain(text: str) -> str:
    if "\\" in text:
        text = _FRACTION.sub(r"(\1/\2)", text)
        for latex, sign in _LATEX:
            text = text.replace(latex, sign)
    return text.translate(_SIGNS)


def _runs(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Runs of arithmetic tokens with nothing but blanks between: start, end, tokens."""
    run: list[str] = []
    start = end = reached = 0
    for match in _TOKEN.finditer(text):
        if match.start() != reached and run:
            yield start, end, run
            run = []
        reached, kind = match.end(), match.lastgroup
        if kind == "blank":
            continue
        start, end = start if run else match.start(), reached
        if len(run) <= LONGEST_RUN:
            run.append({"power": "^", "equals": "="}.get(kind or "", match.group().replace(",", "")))
    if run:
        yield start, end, run


def _opens_alone(text: str, start: int) -> bool:
    """Whether nothing before a run belongs to it: no variable, function or other formula."""
    before = text[max(0, start - 3) : start]
    glued = before[-1:].isalnum() or before[-1:] in ("_", "\\", "}", "{", "^", "|", "!", ".", "'", "√", "%")
    if glued:
        return False
    if text[start] in "+-*/^=)":
        word = before.rstrip(" $")[-1:]
        return not (word.isalnum() or word in ("}", "]", ")", "|", "!", "'"))
    return True


def _ends_alone(text: str, end: int) -> bool:
    after = text[end : end + 2]
    return not (
        after[:1].isalnum() or after[:1] in ("\\", "_", "{", "!", "√", "|", "^") or after[:2] in ("°",)
    )


def _chain(start: int, run: list[str], opens: bool, ends: bool) -> Iterator[Equation]:
    if len(run) > LONGEST_RUN:
        return
    sides: list[list[str]] = [[]]
    for token in run:
        if token == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    if sides[-1] and sides[-1][-1] in "+-*/^(":  # `= 7 - x`: not the whole side
        ends = False
    if not ends:
        sides[-1] = []
    if not opens:
        sides[0] = []
    for left, right in itertools.pairwise(sides):
        if len(left) < 2 and len(right) < 2:
            continue
        right = _balanced(right) if right is sides[-1] else right
        left = _balanced(left, opening=True) if left is sides[0] else left
        value, stated = value_of(left), value_of(right)
        if value is None or stated is None or not _operates(left, right):
            continue
        loose = _last_place(right) if len(right) <= 2 else Fraction(0)
        yield Equation(start, tuple(left), value, stated, _agree(value, stated, loose))


def _balanced(side: list[str], *, opening: bool = False) -> list[str]:
    """A side without the brackets of the sentence around it: `(so 3 + 4 = 7)`, `(3 + 4 = 7, fine)`."""
    if opening:
        return side[1:] if side[:1] == ["("] and side.count("(") > side.count(")") else side
    return side[:-1] if side[-1:] == [")"] and side.count(")") > side.count("(") else side


def _operates(*sides: list[str]) -> bool:
    """Whether a side holds an operation: `-5 = -5` states nothing."""
    return any(sum(token[0].isdigit() or token[0] == "." for token in side) > 1 for side in sides)


def _agree(value: Fraction, stated: Fraction, unit: Fraction) -> bool:
    """Equal, or stated with decimals whose last place, one `unit`, is rounded or cut."""
    beyond = abs(value) - abs(stated)
    return value == stated or (value * stated >= 0 and -unit / 2 <= beyond < unit)


def _last_place(side: list[str]) -> Fraction:
    """One unit of the last decimal of a stated number; 0 for a whole one, which must be exact."""
    number = side[-1].removesuffix("%")
    places = len(number.partition(".")[2])
    scale = 100 if side[-1].endswith("%") else 1
    return Fraction(1, 10**places * scale) if places else Fraction(0)


def _binds(before: str, after: str) -> bool:
    """Whether the earlier sign is applied first; powers go from the right, a minus before them after them."""
    if after == "^":
        return False
    return _RANK[before] >= _RANK[after]


def _apply(numbers: list[Fraction], sign: str) -> bool:
    if sign == "~":
        if not numbers:
            return False
        numbers[-1] = -numbers[-1]
        return True
    if len(numbers) < 2:
        return False
    right, left = numbers.pop(), numbers.pop()
    if sign == "/" and right == 0:
        return False
    if sign == "^":
        if right.denominator != 1 or abs(right) > 64 or (left == 0 and right < 0):
            return False
        if abs(right) * max(left.numerator.bit_length(), left.denominator.bit_length()) > _LARGEST_BITS:
            return False
        found = Fraction(left ** int(right))
    else:
        found = _RESULT[sign](left, right)
    if max(found.numerator.bit_length(), found.denominator.bit_length()) > _LARGEST_BITS:
        return False
    numbers.append(found)
    return True
