r"""Whether two final answers are the same mathematics.

Answers are taken apart by their notation (`rsft.scoring.notation`) as far as that goes, and rational numbers
are compared exactly. What is left are expressions, see `rsft.scoring.expressions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from rsft.scoring.dress import plain
from rsft.scoring.expressions import same_equation, same_expression
from rsft.scoring.notation import Parts, depth, parts, split
from rsft.scoring.quantities import in_base, marked, rational

_LETTERS = r"(?:[a-zA-Z]|\\[a-z]+)(?:\s*,\s*(?:[a-zA-Z]|\\[a-z]+))"
_NAME = re.compile(
    r"(?:\\(?!frac|sqrt|pi(?![a-zA-Z]))[a-zA-Z]+(?:\s?\{[^{}]*\})?|[a-zA-Z]|[A-Z][a-z]+(?: [a-z]+)*)"
    rf"(?:_(?:\w|\{{[^{{}}]*\}}))?'*(?:\s*\({_LETTERS}*\))?|\(\s*{_LETTERS}+\s*\)"
)
_TEXT = re.compile(r"\(?\s*\\text\s?\{\s*\(?([^{}\\]*?)\)?\s*\}\s*\)?|\(\s*([A-Za-z])\s*\)")
_OPTION = re.compile(r"\\text\s?\{\s*\(([A-E])\)\s*\}\s*\S")
_BARE_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9' -]*")
_NO_LETTERS = re.compile(r"\\text\s?\{[^{}]*\}|\\[a-zA-Z]+|[^a-zA-Z]")
_SUM_OF_LETTERS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z].*[-+]|[-+].*(?<![\\a-zA-Z])[a-zA-Z]")
_RELATION = re.compile(r"(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z]))")
_OF_REGIONS = ("<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\cup", r"\mathbb")
_TURNED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
_MEMBER = re.compile(r"(.*?)\s*\\in(?![a-zA-Z])\s*(.*)", re.DOTALL)
_BUILT = re.compile(r"\\\{\s*(.*?)\s*(?::|\\mid|\||\\vert)\s*(.*)\\\}", re.DOTALL)
_SIZE = re.compile(r"\|\s*([a-zA-Z])\s*\|\s*(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z]))\s*(.*)")
_TIME = re.compile(r"[012]?\d:[0-5]\d")
_POINT = re.compile(r"[A-Z](?:_\w)?'?\s?(?=\()")
_UNEQUAL = re.compile(r"([^=<>]*?)\s*\\ne(?![a-zA-Z])\s*(.*)", re.DOTALL)
_INFINITE = (r"-\infty", r"\infty")
_DEEPER = 12
"""Brackets nested so much deeper than in the gold are no answer; the parser's time grows with them."""
_MATCHED_FREELY = 60
"""Longer lists are compared in order: finding partners takes time with the square of their length."""


def equivalent(gold: str, answer: str) -> bool:
    """Whether an answer is mathematically the gold answer.

    Raises:
        ValueError: the gold answer itself cannot be read.
    """
    gold, answer = plain(gold), plain(answer)
    return depth(answer) <= depth(gold) + _DEEPER and _same(gold, answer)


def _same(gold: str, answer: str) -> bool:
    if gold == answer:
        return True
    for judge in (_same_words, _same_in_base, _same_region, _same_parts):
        verdict = judge(gold, answer)
        if verdict is not None:
            return verdict
    return _same_single(gold, answer)


# Each of these gives None where it is not its business.


def _same_words(gold: str, answer: str) -> bool | None:
    r"""Words, in `\text` or bare; four bare letters and more are a word, fewer may be a product."""
    if (option := _OPTION.match(answer)) and _TEXT.fullmatch(gold):
        answer = rf"\text{{{option[1]}}}"  # (C) before what option C says
    texts = _TEXT.fullmatch(gold), _TEXT.fullmatch(answer)
    words = [_words(one, text) for one, text in zip((gold, answer), texts, strict=True)]
    if words[0] is None or words[1] is None:
        return None
    if not any(texts) and (words[0] != words[1] or len(words[0]) < 4):
        return None
    return words[0] == words[1]


def _words(answer: str, text: re.Match[str] | None) -> str | None:
    found = (text[1] or text[2] or "") if text else answer
    found = found.strip(" .,")
    return " ".join(found.casefold().split()) if _BARE_WORDS.fullmatch(found) else None


def _same_in_base(gold: str, answer: str) -> bool | None:
    based = in_base(gold), in_base(answer)
    return based[0] == based[1] if any(based) else None


_Item = TypeVar("_Item")
_Interval = tuple[str, str, str]
"""Lower end, upper end, fence."""


def _same_region(gold: str, answer: str) -> bool | None:
    """Unions of intervals, and inequalities, which are intervals too."""
    if not any(
        sign in gold + answer for sign in ("<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\cup", r"\mathbb")
    ):
        return None
    one, two = _region(gold), _region(answer)
    if one is None or two is None:
        bounds = bool(_RELATION.match(gold)), bool(_RELATION.match(answer))
        return None if bounds[0] == bounds[1] else False  # at most 5 is not 5
    if one[0] and two[0] and one[0] != two[0]:
        return False
    if _matched(one[1], two[1], _same_interval):
        return True
    if len(one[1]) == len(two[1]) == 1:
        return False
    # Other pieces may still cover the same: (0,1] and (1,2) are (0,2).
    unions = [r" \cup ".join(f"{f[0]}{a},{b}{f[1]}" for a, b, f in region[1]) for region in (one, two)]
    return same_expression(unions[0], unions[1])


def _region(text: str) -> tuple[str, list[_Interval]] | None:
    """Variable (empty where it is not said) and intervals."""
    if (found := _BUILT.fullmatch(text)) and _NAME.fullmatch(found[1].split(r"\in")[0].strip()):
        return _region(found[2])
    if (found := _MEMBER.fullmatch(text)) and _NAME.fullmatch(found[1]):
        inner = _region(found[2])
        return inner and (found[1], inner[1])
    if found := _UNEQUAL.fullmatch(text):
        left_out = _ascending(found[2])
        if left_out is None or not _NAME.fullmatch(found[1]):
            return None
        ends = [_INFINITE[0], *left_out, _INFINITE[1]]
        return found[1], [(low, high, "()") for low, high in pairwise(ends)]
    if found := _SIZE.fullmatch(text):  # |x| < 2 is -2 < x < 2, |x| > 2 what is not -2 <= x <= 2
        name, sign, end = found.groups()
        inside = f"-({end}) {sign} {name} {sign} {end}"
        return _region(
            inside if sign in ("<", r"\le") else f"{name} {_TURNED[sign]} -({end}), {name} {sign} {end}"
        )
    names, intervals = set[str](), list[_Interval]()
    for piece in split(text, r"\cup , and"):
        found_piece = _interval(piece)
        if found_piece is None:
            return None
        names.add(found_piece[0])
        intervals.append(found_piece[1])
    names.discard("")
    return ("".join(names), intervals) if len(names) < 2 else None


def _ascending(text: str) -> list[str] | None:
    """One or several values from the least to the greatest; None where several are no rational numbers."""
    several = parts(text)
    if several is None or several.number:
        return [text]
    numbers = [(value, item) for item in several.items if (value := rational(item)) is not None]
    return [item for _, item in sorted(numbers)] if len(numbers) == len(several.items) else None


def _interval(piece: str) -> tuple[str, _Interval] | None:
    low, high = _INFINITE
    if piece.replace(" ", "") == r"\mathbb{R}":
        return "", (low, high, "()")
    bounds = parts(piece)
    if bounds and bounds.kind == "tuple" and len(bounds.items) == 2:
        return "", (*bounds.items, bounds.fence)
    sides = [side.strip() for side in _RELATION.split(piece)]
    if len(sides) == 3 and _NAME.fullmatch(sides[2]):
        sides = [sides[2], _TURNED[sides[1]], sides[0]]
    if len(sides) == 3 and _NAME.fullmatch(sides[0]):
        name, sign, end = sides
        closed = sign in (r"\le", r"\ge")
        if sign in ("<", r"\le"):
            return name, (low, end, "(]" if closed else "()")
        return name, (end, high, "[)" if closed else "()")
    if len(sides) == 5 and _NAME.fullmatch(sides[2]):
        first, one, name, two, last = sides
        if one in (">", r"\ge"):
            first, one, two, last = last, _TURNED[two], _TURNED[one], first
        if one in ("<", r"\le") and two in ("<", r"\le"):
            return name, (first, last, ("[" if one == r"\le" else "(") + ("]" if two == r"\le" else ")"))
    return None


def _same_interval(gold: _Interval, answer: _Interval) -> bool:
    return gold[2] == answer[2] and all(map(_same, gold[:2], answer[:2]))


def _same_parts(gold: str, answer: str) -> bool | None:
    """Lists, sets, tuples and matrices, by their items; a vector is its coordinates, however they stand."""
    one, two = parts(gold), parts(answer)
    if one and one.number and not _is_list(one, two):
        gold, one = one.number, None
    if two and two.number and not _is_list(two, one):
        answer, two = two.number, None
    if one is None and two is None:
        return _same_single(gold, answer)
    if one is None or two is None:
        single, several = (gold, two) if one is None else (answer, one)
        assert several is not None
        if several.kind == "set" and len(several.items) == 1:
            return _same(gold, several.items[0]) if one is None else _same(several.items[0], answer)
        name, value = _named(single)
        if name:  # (x, y) = (2, 3)
            return _same(value, answer) if one is None else _same(gold, value)
        if several.kind == "tuple" and (point := _POINT.match(single)):  # P(2, 3)
            single = single[point.end() :]
            return _same(single, answer) if one is None else _same(gold, single)
        number = rational(marked(single).core) is not None
        return False if number or several.kind in ("list", "tuple") else None
    kinds = {one.kind, two.kind}
    if kinds == {"list"}:
        return _matched(_named_alike(one.items), _named_alike(two.items), _same)
    if kinds <= {"list", "set"}:
        return _covered(one.items, two.items) and _covered(two.items, one.items)
    if kinds == {"list", "tuple"}:
        return "()" in (one.fence, two.fence) and _pairwise(_values(one), _values(two))
    if len(kinds) == 1 and one.kind in ("tuple", "matrix"):
        return one.fence == two.fence and _pairwise(one.items, two.items)
    if kinds == {"tuple", "matrix"} and "()" in (one.fence, two.fence):
        vector = {one.fence, two.fence} & {f"1x{len(one.items)}", f"{len(one.items)}x1"}
        return bool(vector) and _pairwise(one.items, two.items)
    return False


def _is_list(several: Parts, other: Parts | None) -> bool:
    """Whether commas that may group a number separate, since those of the other answer do.

    Nobody lists a number as 000.
    """
    listed = other is not None and other.kind in ("list", "set") and not other.number
    return listed and not any(item.startswith("0") and item != "0" for item in several.items)


def _named_alike(items: Sequence[str]) -> Sequence[str]:
    """`x = 1, 2` says x of both."""
    names = [_named(item)[0] for item in items]
    return [f"{names[0]} = {_named(item)[1]}" for item in items] if names[0] and not any(names[1:]) else items


def _values(several: Parts) -> Sequence[str]:
    """A tuple's items, or those of `x = 1, y = 2`, whose names say the order."""
    named = [_named(item) for item in several.items]
    names = [name for name, _ in named]
    distinct = several.kind == "list" and all(names) and len(set(names)) == len(names)
    return [value for _, value in named] if distinct else several.items


def _pairwise(gold: Sequence[str], answer: Sequence[str]) -> bool:
    return len(gold) == len(answer) and all(map(_same, gold, answer))


def _covered(ones: Sequence[str], twos: Sequence[str]) -> bool:
    """Whether each item of one set is in the other."""
    if len(ones) * len(twos) > _MATCHED_FREELY**2:
        return set(ones) <= set(twos)
    return all(any(_same(one, two) for two in twos) for one in ones)


def _matched(golds: Sequence[_Item], answers: Sequence[_Item], same: Callable[[_Item, _Item], bool]) -> bool:
    """Whether each item has a partner of its own; order does not matter."""
    if len(golds) != len(answers):
        return False
    if len(golds) > _MATCHED_FREELY:
        return all(map(same, golds, answers))
    left = list(answers)
    for gold in golds:
        partner = next((place for place, answer in enumerate(left) if same(gold, answer)), None)
        if partner is None:
            return False
        del left[partner]
    return True


def _named(text: str) -> tuple[str, str]:
    r"""The name that an answer gives to its value, if any, and the value: `x = 2 + 3 = 5`, `x \in \{5\}`."""
    sides = split(text, "=")
    if len(sides) == 1 and (found := _MEMBER.fullmatch(text)) and found[2].startswith(r"\{"):
        sides = [found[1], found[2]]
    if len(sides) == 1:
        return "", text
    if len(sides) == 2 and _NAME.fullmatch(sides[1]) and not _NAME.fullmatch(sides[0]):
        sides.reverse()
    return ("".join(sides[0].split()), sides[-1]) if _NAME.fullmatch(sides[0]) else ("", text)


def _same_single(gold: str, answer: str) -> bool:
    """Two single answers: equations, named values, values."""
    if _other_case(gold, answer):
        return False
    (name, value), (other_name, other_value) = _named(gold), _named(answer)
    equations = len(split(gold, "=")) > 1, len(split(answer, "=")) > 1
    if all(equations) and not (name and name == other_name):
        return same_equation(gold, answer)
    if name or other_name:
        return _same(value, other_value)
    if equations[0]:
        return False
    if equations[1]:  # 2 + 3 = 5, x + y = 5; but x + y - 5 = 0 is no way to say 0
        first, *_, last = split(answer, "=")
        return not (last == "0" and _SUM_OF_LETTERS.search(first)) and _same(gold, last)
    return _same_quantity(gold, answer)


def _other_case(gold: str, answer: str) -> bool:
    """Whether one letter is a capital in one answer and small in the other; math-verify makes all small."""
    one, two = (set(_NO_LETTERS.sub("", text)) for text in (gold, answer))
    return any(
        letter in (first - second) and letter.swapcase() in (second - first)
        for first, second in ((one, two), (two, one))
        for letter in first
    )


def _same_quantity(gold: str, answer: str) -> bool:
    """Values with what is written behind them."""
    one, two = marked(gold), marked(answer)
    if one.kind and two.kind and one.kind != two.kind:
        return False
    scale = Fraction(1)
    if one.unit and two.unit:
        scale = (one.unit[1] / two.unit[1]) ** one.unit[2]
    if _same_value(one.core, two.core, scale):
        return True
    if one.percent != two.percent:
        return _same_value(one.core, two.core, scale * (Fraction(1, 100) if one.percent else 100))
    if one.degrees != two.degrees:
        turned = [rf"\frac{{\pi}}{{180}} ({m.core})" if m.degrees else m.core for m in (one, two)]
        return r"\pi" in (one.core + two.core) and same_expression(turned[0], turned[1])
    return False


def _same_value(gold: str, answer: str, scale: Fraction) -> bool:
    if _TIME.fullmatch(gold) and _TIME.fullmatch(answer):
        return gold.lstrip("0") == answer.lstrip("0")  # 3:30 is no 1:10
    one, two = rational(gold), rational(answer)
    if one is not None and two is not None:
        return one * scale == two
    return same_expression(gold, answer, scale)
