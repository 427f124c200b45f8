"""Surface verbosity of a trace, apart from what it does: repetition and loops. Linear in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rsft.scoring.repetition import looping_end, repeated

GRAM = 8
"""Words of the n-grams whose repetition is counted: chance hardly repeats so many."""
LEAST_REPEATS = 3
LEAST_WORDS = 24
"""A tail that repeats itself is a loop from so many repeats and so many words on."""

_WORD = re.compile(r"\w{1,16}|[^\w\s]|\n")


@dataclass(frozen=True, slots=True)
class Loop:
    """The end of a text, when it repeats itself."""

    start: int
    """Character at which it begins."""
    period: int
    """Words, signs and line ends of one turn."""
    repeats: float
    """Turns until the text ends; the last one may be cut."""


def repetition(text: str, gram: int = GRAM) -> float:
    """Share of n-grams of words that occurred before in the text, 0 to 1."""
    return repeated(_WORD.findall(text), gram)


def loop(text: str) -> Loop | None:
    """The longest tail that consists of one piece again and again; None when there is none.

    Of words (`rsft.scoring.repetition.looping_end`). The last is left out: a cut answer may end within it.
    Blanks at the end are passed over.
    """
    words = list(_WORD.finditer(text.rstrip()))[:-1][::-1]
    found = looping_end([word.group() for word in words], LEAST_WORDS, LEAST_REPEATS)
    if found is None:
        return None
    length, period = found
    return Loop(words[length - 1].start(), period, length / period)
