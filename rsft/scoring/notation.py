r"""Reads the notation of a final answer: what is a number, what holds parts together.

Pure text, no parser of expressions: `rsft.scoring.equivalence` compares what is found here, and asks
math-verify about the rest. The rules, each one a fact of notation rather than of a benchmark:

- an integer may be written in groups of three, separated by a comma or a gap (`10{,}000`, `10\,000`);
- percent is a hundredth, a unit and a currency multiply; where one of two answers leaves them out, they go
  without saying, and where both have one, they count;
- the digits of a number in a stated base are no decimal number;
- braces hold a set (no order, no repeats), parentheses with commas a tuple or an interval (order), bare
  commas, "and" and "or" a list of answers (no order, repeats count), and $\pm$ stands for two answers;
- an inequality of one variable is an interval, and `x =` before a value names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rsft.scoring.quantities import GAP

_OPENING, _CLOSING = "([{", ")]}"
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_CONJUNCTION = r"\\text\s?\{[\s,]*(?:and|or)[\s,]*\}|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])"
_TOKEN = re.compile(rf"(?P<word>{_CONJUNCTION})|\\[a-zA-Z]+|\\.|.", re.DOTALL)
_EITHER_SIGN = re.compile(r"\\(?:pm|mp)(?![a-zA-Z])")
_LETTERS = r"(?:[a-zA-Z]|\\[a-z]+)(?:\s*,\s*(?:[a-zA-Z]|\\[a-z]+))"
NAME = re.compile(
    r"(?:\\(?!frac|sqrt|pi(?![a-zA-Z]))[a-zA-Z]+(?:\s?\{[^{}]*\})?|[a-zA-Z]|[A-Z][a-z]+(?: [a-z]+)*)"
    rf"(?:_(?:\w|\{{[^{{}}]*\}}))?'*(?:(?:\^\{{?-1\}}?)?\s*\({_LETTERS}*\))?|\(\s*{_LETTERS}+\s*\)"
)
"""What a value is given to: `x`, `a_1`, `f(x)`, `f^{-1}(x)`, `(x, y)`, `\\theta`, `Total`."""
Kind = Literal["list", "set", "tuple", "matrix"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Several answers, and what holds them together."""

    kind: Kind
    items: tuple[str, ...]
    fence: str = ""
    """`()`, `(]` and so on of a tuple or interval; rows and columns of a matrix."""
    number: str = ""
    """The single answer that a list may be as well, where its commas group a number: `1,000`."""


def split(text: str, separators: str) -> list[str]:
    r"""Pieces between separators that stand in no bracket; a separator is a sign, `\cup` or `and`."""
    pieces, depth, start = list[str](), 0, 0
    wanted = separators.split()
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in (r"\{", *_OPENING):
            depth += 1
        elif sign in (r"\}", *_CLOSING):
            depth -= 1
        elif depth == 0 and ("and" if token["word"] else sign) in wanted:
            pieces.append(text[start : token.start()])
            start = token.end()
    return [piece.strip(f" {GAP}") for piece in (*pieces, text[start:])]


def parts(text: str) -> Parts | None:
    """The outermost structure of a plain answer; None where it is a single one."""
    pieces = [each for piece in split(text, "; and") for each in _by_comma(piece) if each]
    if len(pieces) > 1:
        return Parts("list", tuple(_each_sign(pieces)))
    if len(pieces) == 1 and (grouped := _ungrouped(pieces[0])):
        return Parts("list", tuple(split(pieces[0], ",")), number=grouped)
    fenced = _fenced(text)
    if fenced and fenced.kind == "set":
        return fenced
    if (both := _each_sign([text])) != [text]:
        return Parts("list", tuple(both))
    return _matrix(text) or fenced


def _by_comma(piece: str) -> list[str]:
    return [piece] if _ungrouped(piece) else split(piece, ",")


def _ungrouped(text: str) -> str:
    """A single answer without the commas that group its digits; empty where others or none are there."""
    found = _GROUPED.sub(lambda number: number[0].replace(",", ""), text)
    return found if len(split(text, ",")) > len(split(found, ",")) == 1 else ""


def _each_sign(pieces: list[str]) -> list[str]:
    r"""Each piece with one $\pm$ as two; $\mp$ alone says the same."""
    found = list[str]()
    for piece in pieces:
        if len(_EITHER_SIGN.findall(piece)) == 1:
            found += [_EITHER_SIGN.sub(sign, piece).strip() for sign in "+-"]
        else:
            found.append(piece)
    return found


def _fenced(text: str) -> Parts | None:
    if text[:2] == r"\{" and text[-2:] == r"\}":
        inner = text[2:-2]
        return Parts("set", tuple(_each_sign(split(inner, ", ;")))) if _closed(inner) else None
    if text[:1] in ("(", "[") and text[-1:] in (")", "]") and _closed(inner := text[1:-1]):
        items = split(inner, ", ;")
        return Parts("tuple", tuple(items), text[0] + text[-1]) if len(items) > 1 else None
    return None


def _closed(inner: str) -> bool:
    """Whether brackets open and close within a text, so that those around it belong together."""
    level = 0
    for token in _TOKEN.finditer(inner):
        level += (token[0] in (r"\{", *_OPENING)) - (token[0] in (r"\}", *_CLOSING))
        if level < 0:
            return False
    return level == 0


def depth(text: str) -> int:
    """How deep brackets are nested."""
    deepest = level = 0
    for sign in text:
        level += (sign in _OPENING) - (sign in _CLOSING)
        deepest = max(deepest, level)
    return deepest


_MATRIX = re.compile(r"\\begin\{(?:[pb]|small)?matrix\}(.*)\\end\{(?:[pb]|small)?matrix\}", re.DOTALL)
_ARRAY = re.compile(r"[(\[]\s*\\begin\{array\}\s*\{[^{}]*\}(.*)\\end\{array\}\s*[)\]]", re.DOTALL)


def _matrix(text: str) -> Parts | None:
    found = _MATRIX.fullmatch(text) or _ARRAY.fullmatch(text)
    if not found or r"\begin" in found[1]:
        return None
    rows = [split(row, "&") for row in split(found[1], "\\\\") if row]
    if len({len(row) for row in rows}) != 1:
        return None
    return Parts("matrix", tuple(cell for row in rows for cell in row), f"{len(rows)}x{len(rows[0])}")
