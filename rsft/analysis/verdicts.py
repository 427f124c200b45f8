"""What verdicts on a curve state: conditions on its scores, the base's first."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rsft.analysis.bootstrap import Array
from rsft.analysis.power import Condition
from rsft.spec.claim import Shape

Verdict = Literal[
    Shape, "loss, shape open", "gain, shape open", "dip, end open", "rise, end open", "undecided"
]

MARGIN = 0.03
"""The smallest change of a score, in [0, 1], that matters: a return to within it is a return."""


def verdict_conditions(count: int, margin: float = MARGIN) -> dict[Verdict, tuple[Condition, ...]]:
    """What each verdict states about the scores of `count` steps, the base first; the first that is
    supported is given.

    - no change: every later score is within the margin of the base;
    - dip, not recovered: the end is below the base, and the lowest score below the end;
    - decline: the end is below the base, and no earlier score lies two margins below the end;
    - dip and recovery: the lowest score is below base and end, and the end less than the margin below the
      base, or above it;
    - monotone gain: the end is above the base, no score the margin below it, and no fall between any two
      steps is as large as two margins;
    - gain, then loss: the highest score is above the base, and above the end; no score is the margin below
      the base.

    Where the largest of many differences is to lie below a limit, that is two margins: noise alone puts the
    largest of dozens of differences a good way up.
    """
    score = np.eye(count)
    gains, final = score[1:] - score[0], score[-1:] - score[0]
    recovered = score[-1] - score[1:-1]
    earlier, later = np.triu_indices(count, 1)
    falls = score[earlier] - score[later]

    def some_above(weights: Array) -> Condition:
        return Condition(weights=weights, some_above=True)

    def all_below(weights: Array, limit: float) -> Condition:
        return Condition(weights=weights, limit=limit, some_above=False)

    no_dip, back = all_below(-gains, margin), all_below(-final, margin)
    return {
        "no change": (no_dip, all_below(gains, margin)),
        "dip, not recovered": (all_below(final, 0.0), some_above(recovered)),
        "decline": (all_below(final, 0.0), all_below(recovered, 2 * margin)),
        "dip and recovery": (some_above(-gains), some_above(recovered), back),
        "monotone gain": (some_above(final), no_dip, all_below(falls, 2 * margin)),
        "gain, then loss": (some_above(gains), no_dip, some_above(-recovered)),
    }


def open_conditions(count: int) -> dict[Verdict, Condition]:
    """What is stated where the shape is not sure: the end, else some score, lies below or above the base.

    Four one-sided statements on one curve, so twice their two-sided p-values bound its chance of a wrong one.
    """
    score = np.eye(count)
    gains, final = score[1:] - score[0], score[-1:] - score[0]
    said: dict[Verdict, Array] = {
        "loss, shape open": -final,
        "gain, shape open": final,
        "dip, end open": -gains,
        "rise, end open": gains,
    }
    return {verdict: Condition(weights=each, some_above=True) for verdict, each in said.items()}
