r"""Mathematical notation that math-verify misreads: separators it stops at, marks it passes over."""

from __future__ import annotations

import re

_GAP = r"(?:\\[,;:! ]|[ ~]|\{,\})"
_GROUPED = re.compile(rf"[-+]?\d{{1,3}}(?:{_GAP}\d{{3}})+(?:\.\d+)?")
"""One whole number in groups of three; never a list, whose items a comma separates."""
_GAPS = re.compile(_GAP)
_SCIENTIFIC = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))[eE]([-+]?\d{1,4})")
_MINUS = re.compile(r"\\text\s?\{\s?[-\u2212]\s?\}")
_IN_BASE = re.compile(r"([-+]?[0-9A-Za-z.]+)_\{?(\d{1,2})\}?")
_DRESS = re.compile(r"\\(?:left|right)(?![a-zA-Z])|\\[,;:! ]|\s")


def readable(answer: str) -> str:
    r"""The same value as math-verify reads it: `10\,000` as 10000, `1.5e3` as 1.5 times a power."""
    answer = _MINUS.sub("-", answer)
    if _GROUPED.fullmatch(answer):
        return _GAPS.sub("", answer)
    if found := _SCIENTIFIC.fullmatch(answer):
        return rf"{found[1]} \times 10^{{{found[2].lstrip('+')}}}"
    return answer


def apart(one: str, two: str) -> bool:
    r"""Whether marks that math-verify passes over make two values differ.

    Numbers in two different bases or of different digits; a set and an ordered tuple or interval;
    one letter in both cases.
    """
    one, two = _DRESS.sub("", one), _DRESS.sub("", two)
    bases = _IN_BASE.fullmatch(one), _IN_BASE.fullmatch(two)
    if bases[0] and bases[1]:
        return bases[0].groups() != bases[1].groups()
    if len(one) == len(two) == 1 and one.isalpha():
        return one != two
    return {_enclosed(one), _enclosed(two)} == {"set", "tuple"}


def _enclosed(text: str) -> str:
    if text.startswith(r"\{") and text.endswith(r"\}"):
        return "set"
    return "tuple" if text[:1] in ("(", "[") and text[-1:] in (")", "]") and "," in text else ""
