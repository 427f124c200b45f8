r"""Regions of the number line as answers write them: `[2, 5)`, `2 \le x < 5`, `x \ne 3`, `|x| < 2`, unions.

Where nothing else is said, two bounds that overlap hold both (`x > 2, x < 5`), and two that do not hold
either (`x < 2, x > 5`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rsft.scoring.notation import NAME, parts, split
from rsft.scoring.quantities import rational

MEMBER = re.compile(r"(.*?)\s*\\in(?![a-zA-Z])\s*(.*)", re.DOTALL)
_RELATION = re.compile(r"(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z]))")
_SIGNS = ("<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\cup", r"\mathbb")
_TURNED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
_BUILT = re.compile(r"\\\{\s*(.*?)\s*(?::|\\mid|\||\\vert)\s*(.*)\\\}", re.DOTALL)
_SIZE = re.compile(r"\|\s*([a-zA-Z])\s*\|\s*(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z]))\s*(.*)")
_UNEQUAL = re.compile(r"([^=<>]*?)\s*\\ne(?![a-zA-Z])\s*(.*)", re.DOTALL)
_EXCEPT = re.compile(r"(.*?)\s*\\(?:setminus|backslash)\s*\\\{(.*)\\\}", re.DOTALL)
_EITHER = re.compile(r"\\cup(?![a-zA-Z])|(?<![a-zA-Z\\])or(?![a-zA-Z])")
_LEAST, _GREATEST = r"-\infty", r"\infty"
Interval = tuple[str, str, str]
"""Lower end, upper end, fence."""
_LINE: Interval = (_LEAST, _GREATEST, "()")
_POSITIVE, _NEGATIVE = ("0", _GREATEST, "()"), (_LEAST, "0", "()")
_REALS: dict[str, Interval] = {
    "": _LINE,
    **dict.fromkeys(("^+", "_>0"), _POSITIVE),
    **dict.fromkeys(("^-", "_<0"), _NEGATIVE),
    r"_\ge0": ("0", _GREATEST, "[)"),
    r"_\le0": (_LEAST, "0", "(]"),
}
r"""What stands behind $\mathbb{R}$, without braces."""


@dataclass(frozen=True, slots=True)
class Region:
    """Intervals, and whose they are."""

    name: str
    """Empty where it is not said."""
    intervals: list[Interval]

    def as_union(self) -> str:
        """The same in LaTeX."""
        return r" \cup ".join(f"{fence[0]}{low},{high}{fence[1]}" for low, high, fence in self.intervals)


def says_region(text: str) -> bool:
    """Whether any sign of a region is there, so that `region` is worth its time."""
    return any(sign in text for sign in _SIGNS)


def is_bound(text: str) -> bool:
    r"""Whether a text begins with a relation, as `\le 5` does."""
    return _RELATION.match(text) is not None


def region(text: str) -> Region | None:
    """What a plain answer describes; None where it is no region of one variable."""
    if (found := _BUILT.fullmatch(text)) and NAME.fullmatch(found[1].split(r"\in")[0].strip()):
        return region(found[2])
    if (found := MEMBER.fullmatch(text)) and NAME.fullmatch(found[1]):
        inner = region(found[2])
        return inner and Region(found[1], inner.intervals)
    if found := _SIZE.fullmatch(text):
        name, sign, end = found.groups()
        inside = sign in ("<", r"\le")
        bounds = rf"-({end}) {sign} {name} {sign} {end}"
        return region(bounds if inside else rf"{name} {_TURNED[sign]} -({end}) \cup {name} {sign} {end}")
    if (found := _UNEQUAL.fullmatch(text)) and NAME.fullmatch(found[1]) and not says_region(found[2]):
        return _region(found[1], _without([_LINE], _points(found[2])))
    if (found := _EXCEPT.fullmatch(text)) and (inner := region(found[1])):
        return _region(inner.name, _without(inner.intervals, _points(found[2])))
    names, intervals, left_out = set[str](), list[Interval](), list[str]()
    for piece in split(text, r"\cup , and"):
        if (unequal := _UNEQUAL.fullmatch(piece)) and NAME.fullmatch(unequal[1]):
            names.add(unequal[1])
            left_out += _points(unequal[2])
        elif interval := _interval(piece):
            names.add(interval[0])
            intervals.append(interval[1])
        else:
            return None
    names.discard("")
    if len(names) > 1:
        return None
    if len(intervals) == 2 and not _EITHER.search(text):
        intervals = _both(*intervals)
    return _region("".join(names), _without(intervals or [_LINE], left_out))


def _region(name: str, intervals: list[Interval] | None) -> Region | None:
    return None if intervals is None else Region(name, intervals)


def _points(text: str) -> list[str]:
    several = parts(text)
    return [text] if several is None or several.number else list(several.items)


def _below(one: str, two: str) -> bool | None:
    """Whether one end is less than another; None where that is not plain to see."""
    one, two = one.lstrip("+"), two.lstrip("+")
    if one == _LEAST or two == _GREATEST:
        return True
    values = rational(one), rational(two)
    return None if values[0] is None or values[1] is None else values[0] < values[1]


def _both(one: Interval, two: Interval) -> list[Interval]:
    """Two bounds, one from below and one from above, as one interval where they overlap."""
    lower, upper = (one, two) if one[1] == _GREATEST else (two, one)
    if (lower[1], upper[0]) == (_GREATEST, _LEAST) and _below(lower[0], upper[1]):
        return [(lower[0], upper[1], lower[2][0] + upper[2][1])]
    return [one, two]


def _without(intervals: list[Interval], points: list[str]) -> list[Interval] | None:
    """Intervals without some points; None where it is not plain to see in which one a point lies."""
    for point in points:
        pieces = list[Interval]()
        for low, high, fence in intervals:
            above, under = _below(low, point), _below(point, high)
            if above is None or under is None:
                return None
            if above and under:
                pieces += [(low, point, fence[0] + ")"), (point, high, "(" + fence[1])]
            else:
                ends = rational(low) == rational(point), rational(high) == rational(point)
                pieces.append((low, high, ("(" if ends[0] else fence[0]) + (")" if ends[1] else fence[1])))
        intervals = pieces
    return intervals


def _interval(piece: str) -> tuple[str, Interval] | None:
    if piece.startswith(r"\mathbb{R}") and (half := _REALS.get(re.sub("[ {}]", "", piece[10:]))):
        return "", half
    bounds = parts(piece)
    if bounds and bounds.kind == "tuple" and len(bounds.items) == 2:
        return "", (*bounds.items, bounds.fence)
    sides = [side.strip() for side in _RELATION.split(piece)]
    if len(sides) == 3 and NAME.fullmatch(sides[2]):
        sides = [sides[2], _TURNED[sides[1]], sides[0]]
    if len(sides) == 3 and NAME.fullmatch(sides[0]):
        name, sign, end = sides
        closed = sign in (r"\le", r"\ge")
        if sign in ("<", r"\le"):
            return name, (_LEAST, end, "(]" if closed else "()")
        return name, (end, _GREATEST, "[)" if closed else "()")
    if len(sides) == 5 and NAME.fullmatch(sides[2]):
        first, one, name, two, last = sides
        if one in (">", r"\ge"):
            first, one, two, last = last, _TURNED[two], _TURNED[one], first
        if one in ("<", r"\le") and two in ("<", r"\le"):
            return name, (first, last, ("[" if one == r"\le" else "(") + ("]" if two == r"\le" else ")"))
    return None
