r"""Whether two final answers are the same mathematics.

Answers are taken apart by their notation (`rsft.scoring.notation`) as far as that goes, and rational numbers
are compared exactly. What is left are expressions, see `rsft.scoring.expressions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

from rsft.scoring.dress import plain
from rsft.scoring.expressions import same_equation, same_expression
from rsft.scoring.notation import NAME, Parts, depth, parts, split
from rsft.scoring.quantities import in_base, marked, rational
from rsft.scoring.regions import MEMBER, Interval, is_bound, region, says_region

_TEXT = re.compile(r"\(?\s*\\text\s?\{\s*\(?([^{}\\]*?)\)?\s*\}\s*\)?|\(\s*([A-Za-z])\s*\)")
_OPTION = re.compile(r"\\text\s?\{\s*\(([A-E])\)\s*\}\s*(?!.*\([A-E]\))[^\s,+\-!^]")
_CAPITALS = re.compile(r"[A-Z]{4,}")
"""Points or options in an order, no product."""
_ARTICLE = re.compile(r"(?:an?|the) (?=\w{2})")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_BARE_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9' -]*")
_NO_LETTERS = re.compile(r"\\text\s?\{[^{}]*\}|\\[a-zA-Z]+|[^a-zA-Z]")
_SUM_OF_LETTERS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z].*[-+]|[-+].*(?<![\\a-zA-Z])[a-zA-Z]")
_WORD = re.compile(r"(?<!\\)\b[a-zA-Z]{3}|\\text(?![a-zA-Z])")
_SUBSCRIPT = re.compile(r"-?\d+\s*_.+")
_TIME = re.compile(r"[012]?\d:[0-5]\d")
_KIND = re.compile(
    r"\\text\s?\{\s*(?:(?:the )?(?:ordered )?(?:points?|pairs?|triples?|intervals?|sets?|vectors?"
    r"|coordinates)|[^{}]*(?:\bis|\bare|:))\s*\}\s*(?=[(\[]|\\\{)",
    re.IGNORECASE,
)
"""What a tuple, an interval or a set is called before it."""
_POINT = re.compile(r"[A-Z](?:_\w)?'?\s?(?=\()")
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
    for judge in (_same_words, _same_in_base, _same_ratio, _same_region, _same_parts):
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
        return False if _CAPITALS.fullmatch(gold) and _CAPITALS.fullmatch(answer) else None
    return words[0] == words[1]


def _words(answer: str, text: re.Match[str] | None) -> str | None:
    found = (text[1] or text[2] or "") if text else answer
    found = found.strip(" .,")
    if not _BARE_WORDS.fullmatch(found):
        return None
    return _ORDINAL.sub("", _ARTICLE.sub("", " ".join(found.casefold().split()), count=1))


def _same_in_base(gold: str, answer: str) -> bool | None:
    if "_" not in gold and _SUBSCRIPT.fullmatch(answer):
        return False  # whatever its base may be
    based = in_base(gold), in_base(answer)
    return based[0] == based[1] if any(based) else None


def _same_ratio(gold: str, answer: str) -> bool | None:
    """Ratios of three terms and more, which are no quotient: 1:2:3 is 2:4:6 and not 1:3:2."""
    terms = split(gold, ":"), split(answer, ":")
    if max(map(len, terms)) < 3:
        return None
    if len(terms[0]) != len(terms[1]):
        return False
    ones, twos = ([value for term in each if (value := rational(term)) is not None] for each in terms)
    if len(ones) + len(twos) < 2 * len(terms[0]):
        return _pairwise(*terms)
    return all(one * twos[0] == two * ones[0] for one, two in zip(ones, twos, strict=True))


_Item = TypeVar("_Item")


def _same_region(gold: str, answer: str) -> bool | None:
    """Unions of intervals, and inequalities, which are intervals too."""
    if not (says_region(gold) or says_region(answer)):
        return None
    one, two = region(gold), region(answer)
    if one is None or two is None:
        return None if is_bound(gold) == is_bound(answer) else False  # at most 5 is not 5
    if one.name and two.name and one.name != two.name:
        return False
    if _matched(one.intervals, two.intervals, _same_interval):
        return True
    if len(one.intervals) == len(two.intervals) == 1:
        return False
    # Other pieces may still cover the same: (0,1] and (1,2) are (0,2).
    return same_expression(one.as_union(), two.as_union())


def _same_interval(gold: Interval, answer: Interval) -> bool:
    return gold[2] == answer[2] and all(map(_same, gold[:2], answer[:2]))


def _same_parts(gold: str, answer: str) -> bool | None:
    """Lists, sets, tuples and matrices, by their items; a vector is its coordinates, however they stand."""
    gold, answer = _KIND.sub("", gold), _KIND.sub("", answer)
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
    if len(sides) == 1 and (found := MEMBER.fullmatch(text)) and found[2].startswith(r"\{"):
        sides = [found[1], found[2]]
    if len(sides) == 1:
        return "", text
    if len(sides) == 2 and NAME.fullmatch(sides[1]) and not NAME.fullmatch(sides[0]):
        sides.reverse()
    return ("".join(sides[0].split()), sides[-1]) if NAME.fullmatch(sides[0]) else ("", text)


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
    if one == 0 and _WORD.search(answer):
        return False  # "more than 0" is no product with 0
    return same_expression(gold, answer, scale)
