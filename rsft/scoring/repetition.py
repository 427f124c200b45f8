"""How much a text repeats itself, by characters or by words, and whether it ends so. Linear in its length."""

from __future__ import annotations

from collections.abc import Sequence


def repeated(words: Sequence[str], n: int) -> float:
    """Share of n-grams of words that stood before: 1 - distinct / all, 0 to 1; 0 for fewer than n words.

    seq-rep-n of Welleck et al. (2020, arXiv:1908.04319, section 6).
    """
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def looping_end(units: Sequence[str], least: int, times: int) -> tuple[int, int] | None:
    """The longest end of a text that is one piece again and again, the first turn perhaps cut; else None.

    The degeneration that Holtzman et al. (2020, arXiv:1904.09751, section 3) describe. The prefix function
    (Knuth, Morris and Pratt 1977, SIAM J. Comput. 6:323) of the text read backwards gives the shortest period
    of every end: a prefix of length i with longest border b has the period i - b. A piece without a letter or
    digit, such as a rule (`----`), is no loop.

    Args:
        units: of the text, characters or words, the last first.
        least: units that it covers at least.
        times: turns that it has at least.

    Returns:
        Units of the loop, and of one turn.
    """
    says = next((i for i, unit in enumerate(units) if unit[0].isalnum()), len(units))
    borders, border, found = [0] * len(units), 0, None
    for i in range(1, len(units)):
        while border and units[i] != units[border]:
            border = borders[border - 1]
        border += units[i] == units[border]
        borders[i] = border
        turn = i + 1 - border
        if turn > says and i + 1 >= max(least, times * turn):
            found = i + 1, turn
    return found
