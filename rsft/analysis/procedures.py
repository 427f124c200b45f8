"""Procedures in traces: how often a thinking part goes back, checks, plans, chains backwards and tries.

Light and linear: a text is cut into sentences, and each sentence is looked at once per procedure. English
only. Patterns are data (`rsft.analysis.procedure_patterns`); their precision and recall on labelled lines are
what `bench/procedures.py` prints. Surface verbosity is apart, in `rsft.scoring.verbosity`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rsft.analysis.pattern_index import PatternIndex
from rsft.analysis.procedure_lookalikes import LOOKALIKES
from rsft.analysis.procedure_patterns import PATTERNS
from rsft.scoring.agreement import Agreement

PROCEDURES: tuple[str, ...] = tuple(PATTERNS)

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
LONGEST = 400
"""Characters of a sentence; a longer one is cut into pieces, so that work grows with the text alone."""

_END = re.compile(r"[.!?…]{1,8}[\"')*\]]{0,4}(?=\s)|\n")
_ENUMERATION = re.compile(r"[\s*#>\-]{0,6}\d{1,2}\.\Z")
_BLANKS = re.compile(r"[^\S\n]+")
_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"'})


_FOUND, _LOOKALIKE = PatternIndex(PATTERNS), PatternIndex(LOOKALIKES)


@dataclass(frozen=True, slots=True)
class Thinking:
    """The thinking part of a response."""

    text: str
    tokens: float
    """Estimated: the response's tokens times the thinking's share of its characters, since a cell keeps
    the number of tokens of the whole response alone."""


def thinking_of(response: str, tokens: int) -> Thinking:
    """What stands before the last `</think>`, all of the text where there is none; without the `<think>` that
    opens it, or its first sentence would not be known as one.

    Args:
        response: the text without its end marker.
        tokens: of the response.
    """
    end = response.rfind(THINK_CLOSE)
    text = response if end < 0 else response[:end]
    share = len(text) / len(response) if response else 1.0
    return Thinking(text.lstrip().removeprefix(THINK_OPEN), tokens * share)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in plain letters, and the procedures that it holds."""

    text: str
    procedures: frozenset[str]


def read(text: str) -> list[Sentence]:
    """The sentences of a thinking part."""
    return [Sentence(sentence, procedures_in(sentence)) for sentence in sentences(text)]


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text in plain letters: lower case, straight quotes, single blanks, no empty ones.

    A sentence ends at a full stop, question or exclamation mark before white space, or at a line's end; the
    stop of a numbered list ends none. One longer than LONGEST characters is cut into pieces.
    """
    plain, start = text.translate(_PLAIN).lower(), 0
    ends = [match.end() for match in _END.finditer(plain)]
    for end in (*ends, len(plain)):
        if end - start <= 10 and _ENUMERATION.match(plain, start, end):
            continue
        for piece in range(start, end, LONGEST):
            sentence = _BLANKS.sub(" ", plain[piece : min(end, piece + LONGEST)]).strip()
            if sentence:
                yield sentence
        start = end


@lru_cache(maxsize=50_000)
def procedures_in(sentence: str) -> frozenset[str]:
    """The procedures that a sentence, as `sentences` gives it, holds."""
    found = _FOUND.names(sentence)
    return frozenset(found - _LOOKALIKE.names(sentence) if found else found)


def agreement(ours: list[frozenset[str]], theirs: list[frozenset[str]]) -> dict[str, Agreement]:
    """How far the procedures found in sentences agree with labels of the same sentences, people's or a
    judge's, one after the other; by procedure.

    Raises:
        ValueError: two lists of different length.
    """
    pairs = list(zip(ours, theirs, strict=True))
    return {name: Agreement.of((name in a, name in b) for a, b in pairs) for name in PROCEDURES}
