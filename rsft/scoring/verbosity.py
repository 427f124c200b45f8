"""Surface verbosity of a trace, apart from what it does: repetition and loops. Linear in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    """Share of n-grams of words that occurred before in the text, 0 to 1; 0 where there are not two.

    seq-rep-n of Welleck et al. (2020, arXiv:1908.04319, section 6), of longer n-grams than their 4.
    """
    words = _WORD.findall(text)
    count = len(words) - gram + 1
    if count < 2:
        return 0.0
    return 1 - len({tuple(words[i : i + gram]) for i in range(count)}) / count


def loop(text: str) -> Loop | None:
    """The longest tail that consists of one piece again and again; None when there is none.

    The degeneration that Holtzman et al. (2020, arXiv:1904.09751, section 3) describe.
    The tail is read backwards: the prefix function (Knuth, Morris and Pratt 1977, SIAM J. Comput. 6:323)
    gives the shortest period of every beginning. The last word is left out: a cut answer may end within it.
    Blanks at the end are passed over, and a piece without a letter or digit is a rule (`----`), no loop.
    """
    found = list(_WORD.finditer(text.rstrip()))[:-1][::-1]
    names: dict[str, int] = {}
    words = [names.setdefault(match.group(), len(names)) for match in found]
    borders, border, longest = [0] * len(words), 0, 0
    period = 0
    says = next((i for i, match in enumerate(found) if match.group()[0].isalnum()), len(found))
    for i in range(1, len(words)):
        while border and words[i] != words[border]:
            border = borders[border - 1]
        border += words[i] == words[border]
        borders[i] = border
        turn = i + 1 - border
        if turn > says and i + 1 >= max(LEAST_WORDS, LEAST_REPEATS * turn):
            longest, period = i + 1, turn
    if not longest:
        return None
    return Loop(found[longest - 1].start(), period, longest / period)
