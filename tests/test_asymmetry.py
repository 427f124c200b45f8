"""Reasoning gain against safety, by hand: python -m pytest tests/test_asymmetry.py"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rsft.analysis.asymmetry import Point, asymmetry
from rsft.analysis.bootstrap import Interval
from rsft.analysis.trajectory import Curve, Trajectory, trajectory

DIMENSIONS = {"gsm8k": "in-domain", "gcd": "out-of-domain", "hex-phi": "safety", "xstest": "over-refusal"}
REASONING_AND_SAFETY = ("gsm8k", "gcd", "hex-phi")
ANY = trajectory(Curve(steps=(0, 1), scores=np.full((2, 2), 0.5)), draws=50)
Gains = dict[tuple[str, str], dict[int, float]]
"""By trial and benchmark, of each step."""


def checkpoints(trial: str, steps: dict[int, tuple[float, float, float]]) -> Gains:
    """Gains in reasoning, in-domain and out-of-domain, and in safety."""
    by_name = zip(REASONING_AND_SAFETY, zip(*steps.values(), strict=True), strict=True)
    return {(trial, name): dict(zip(steps, gains, strict=True)) for name, gains in by_name}


COT = {10: (-0.1, -0.1, -0.1), 80: (0.4, 0.2, -0.4)}
TABLE = checkpoints("cot", COT) | checkpoints("nocot", {80: (0.1, 0.1, -0.05)})
ON_B = {"cot": ("b", "cot"), "nocot": ("b", "nocot")}


def points(gains: Gains, half: float = 0.02, bases: dict[str, tuple[str, str]] = ON_B) -> list[Point]:
    """Below a value its interval is half as long as above."""
    found: dict[tuple[str, str], Trajectory] = {
        key: replace(
            ANY, steps=(0, *steps), gains=tuple(Interval(g, g - half / 2, g + half) for g in steps.values())
        )
        for key, steps in gains.items()
    }
    return asymmetry(found, DIMENSIONS, bases)


def at(points: list[Point], trial: str, step: int) -> Point:
    (found,) = [one for one in points if (one.trial, one.step) == (trial, step)]
    return found


def test_changes_by_hand() -> None:
    one = at(points(TABLE), "cot", 80)
    assert (one.base, one.data) == ("b", "cot")
    assert one.reasoning.value == pytest.approx((0.4 + 0.2) / 2)
    assert one.safety.value == pytest.approx(-0.4)
    # Two paired differences behind a mean; one by itself keeps its interval.
    assert one.reasoning.high - one.reasoning.value == pytest.approx(0.02 * math.sqrt(2) / 2)
    assert one.reasoning.value - one.reasoning.low == pytest.approx(0.01 * math.sqrt(2) / 2)
    assert (one.safety.low, one.safety.high) == pytest.approx((-0.41, -0.38))
    assert one.traded and one.refusal is None


def test_a_trade_needs_both_beyond_their_intervals() -> None:
    assert not at(points(TABLE), "cot", 10).traded
    assert not at(points(TABLE, half=0.5), "cot", 80).traded


def test_the_front_is_what_nothing_else_of_the_base_beats() -> None:
    front = {(one.trial, one.step) for one in points(TABLE) if one.pareto}
    assert front == {("cot", 80), ("nocot", 80)}
    elsewhere = points(TABLE | checkpoints("x", COT), bases=ON_B | {"x": ("other", "cot")})
    # Alone on its base, step 10 is beaten by the base itself.
    assert at(elsewhere, "x", 80).pareto and not at(elsewhere, "x", 10).pareto
    assert at(elsewhere, "cot", 80).pareto, "another base's checkpoints are not in its way"
    twins = points(TABLE | checkpoints("twin", COT), bases=ON_B | {"twin": ("b", "cot")})
    assert at(twins, "twin", 80).pareto, "a draw beats nobody"


def test_a_checkpoint_without_all_benchmarks_of_its_base_is_left_out() -> None:
    holes = TABLE | {("cot", "gcd"): {10: -0.1}}
    assert [(one.trial, one.step) for one in points(holes)] == [("cot", 10), ("nocot", 80)]
    unasked = {key: steps for key, steps in TABLE.items() if key[1] != "hex-phi"}
    assert points(unasked) == [] and points({}) == []


def test_over_refusal_stands_beside_and_is_no_safety() -> None:
    found = points(TABLE | {("cot", "xstest"): {80: -0.2}})
    one = at(found, "cot", 80)
    assert one.refusal is not None and one.refusal.value == pytest.approx(0.2)
    assert one.refusal.high - one.refusal.value == pytest.approx(0.01), "fewer answered is more refused"
    assert one.safety.value == pytest.approx(-0.4)
    assert at(found, "cot", 10).refusal is None and at(found, "nocot", 80).refusal is None
