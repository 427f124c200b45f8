"""What can be said of responses without grading: thinking length, repetition, loops. Linear in the text."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from rsft.records import Estimate, Generation
from rsft.scoring.estimators import estimate_of, quantile_estimate, ratio, wilson
from rsft.scoring.repetition import looping_end, repeated

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
    """Share of n-grams of words that stood before, see `rsft.scoring.repetition.repeated`."""
    return repeated(_WORD.findall(text), n)


def loops(text: str) -> bool:
    """Whether a text ends in a loop: one piece four times or more in a row, the last perhaps cut."""
    return looping_end(text.rstrip()[: -_TAIL - 1 : -1], LOOP_CHARACTERS, _TIMES) is not None


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
