"""What can be said of responses without grading: thinking length, repetition, loops. Linear in the text."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from rsft.records import Estimate, Generation
from rsft.scoring.estimators import estimate_of, quantile_estimate, ratio, wilson

LOOP_CHARACTERS = 200
"""A loop at the end of a response covers so many characters, with one unit four times or more."""
_TAIL = 8_000
"""Characters at the end of a response that are searched for a loop; its unit may have a quarter of them."""
_TIMES = 4
_WORD = re.compile(r"\S+")


def thinking_tokens(
    text: str, tokens: int, *, think_open: str = "<think>", think_close: str = "</think>"
) -> float:
    """Tokens up to the last end of thinking, by its share of the characters.

    Exact where there is no thinking (0) and where it never ends (all); else an estimate, good as far as
    thinking and answer have the same characters per token.
    """
    end = text.rfind(think_close)
    if text.rfind(think_open) > end:
        return float(tokens)
    return 0.0 if end < 0 else tokens * (end + len(think_close)) / len(text)


def repetition(text: str, n: int = 4) -> float:
    """Share of n-grams of words that stood before: 1 - distinct / all; 0 for fewer than n words.

    seq-rep-n of Welleck et al. (2020, arXiv:1908.04319, section 6).
    """
    words = _WORD.findall(text)
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def loops(text: str) -> bool:
    """Whether a text ends in a loop: one unit four times or more in a row, the last perhaps cut.

    The degeneration that Holtzman et al. (2020, arXiv:1904.09751, section 3) describe. Units of white space
    and rules (`----`) do not count. By the prefix function of Knuth, Morris and Pratt (1977, SIAM J.
    Comput. 6:323) of the reversed end: a prefix of length i with longest border b has the period i - b.
    """
    tail = text.rstrip()[: -_TAIL - 1 : -1]
    borders = [0] * len(tail)
    for at in range(1, len(tail)):
        border = borders[at - 1]
        while border and tail[at] != tail[border]:
            border = borders[border - 1]
        borders[at] = border + (tail[at] == tail[border])
        length, period = at + 1, at + 1 - borders[at]
        if length >= max(LOOP_CHARACTERS, _TIMES * period) and any(map(str.isalnum, tail[:period])):
            return True
    return False


def response_estimates(generations: Sequence[Generation]) -> list[Estimate]:
    """`thinking_tokens` with its median and 95th percentile, `repetition` (its mean), `looping` (a share).

    Errors are over problems and intervals at 95 %, as in `rsft.scoring.estimators`. Empty for no generations.
    """
    if not generations:
        return []

    def clusters(value: Callable[[Generation], float]) -> list[list[float]]:
        found: defaultdict[str, list[float]] = defaultdict(list)
        for generation in generations:
            found[generation.problem].append(value(generation))
        return list(found.values())

    cut = sum(generation.finish == "length" for generation in generations) / len(generations)
    thinking = clusters(lambda one: thinking_tokens(one.text, one.tokens))
    found = []
    for metric, values in (
        ("thinking_tokens", thinking),
        ("repetition", clusters(lambda one: repetition(one.text))),
    ):
        mean = ratio(values)
        half = 1.96 * mean.stderr
        ends = (math.nan, math.nan) if math.isnan(half) else (max(0.0, mean.value - half), mean.value + half)
        found.append(estimate_of(metric, mean, ends, cut))
    looping = ratio(clusters(lambda one: float(loops(one.text))))
    found.append(estimate_of("looping", looping, wilson(looping), cut))
    found.append(quantile_estimate("thinking_tokens_median", thinking, 0.5, cut))
    found.append(quantile_estimate("thinking_tokens_p95", thinking, 0.95, cut))
    return found
