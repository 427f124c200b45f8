"""What can be said of responses without grading: thinking length, repetition, loops. Linear in the text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

from rsft.records import Estimate, Generation
from rsft.scoring.estimators import estimate_of, quantile_estimate, ratio, wilson
from rsft.scoring.verbosity import loop, repetition


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
    looping = ratio(clusters(lambda one: float(loop(one.text) is not None)))
    found.append(estimate_of("looping", looping, wilson(looping), cut))
    found.append(quantile_estimate("thinking_tokens_median", thinking, 0.5, cut))
    found.append(quantile_estimate("thinking_tokens_p95", thinking, 0.95, cut))
    return found
