"""Reasoning gain against safety, by hand: python -m pytest tests/test_asymmetry.py"""

from __future__ import annotations

import math
from typing import Any

import pytest

from rsft.analysis.asymmetry import Point, asymmetry

DIMENSIONS = {"gsm8k": "in-domain", "gcd": "out-of-domain", "hex-phi": "safety", "xstest": "over-refusal"}


def cell(trial: str, step: int, benchmark: str, value: float, **more: Any) -> dict[str, Any]:
    facts = {"trial": trial, "base": "b", "data": trial, "step": step, "benchmark": benchmark}
    numbers = {"dimension": DIMENSIONS[benchmark], "metric": "accuracy", "value": value, "stderr": 0.01}
    return facts | numbers | more


def checkpoint(
    trial: str, step: int, gsm8k: float, gcd: float, safe: float, **more: Any
) -> list[dict[str, Any]]:
    scores = {"gsm8k": gsm8k, "gcd": gcd, "hex-phi": safe}
    return [cell(trial, step, name, value, **more) for name, value in scores.items()]


TABLE = [
    *checkpoint("cot", 0, 0.5, 0.3, 0.8),
    *checkpoint("cot", 10, 0.4, 0.2, 0.7),
    *checkpoint("cot", 80, 0.9, 0.5, 0.4),
    *checkpoint("nocot", 0, 0.5, 0.3, 0.8),
    *checkpoint("nocot", 80, 0.6, 0.4, 0.75),
]


def at(points: list[Point], trial: str, step: int) -> Point:
    (found,) = [one for one in points if (one.trial, one.step) == (trial, step)]
    return found


def test_changes_by_hand() -> None:
    one = at(asymmetry(TABLE), "cot", 80)
    assert one.reasoning.value == pytest.approx((0.4 + 0.2) / 2)
    assert one.safety.value == pytest.approx(-0.4)
    # Four errors of 0.01 behind a mean of two differences; two behind one.
    assert one.reasoning.high - one.reasoning.value == pytest.approx(1.959964 * 0.02 / 2)
    assert one.safety.high - one.safety.value == pytest.approx(1.959964 * 0.01 * math.sqrt(2))
    assert one.traded and one.refusal is None


def test_a_trade_needs_both_beyond_their_intervals() -> None:
    assert not at(asymmetry(TABLE), "cot", 10).traded
    wide = [row | {"stderr": 0.2} for row in TABLE]
    assert not at(asymmetry(wide), "cot", 80).traded


def test_the_front_is_what_nothing_else_of_the_base_beats() -> None:
    front = {(one.trial, one.step) for one in asymmetry(TABLE) if one.pareto}
    assert front == {("cot", 80), ("nocot", 80)}
    elsewhere = [row | {"trial": "x", "base": "other"} for row in TABLE if row["trial"] == "cot"]
    points = asymmetry([*TABLE, *elsewhere])
    # Alone on its base, step 10 is beaten by the base itself.
    assert at(points, "x", 80).pareto and not at(points, "x", 10).pareto
    assert at(points, "cot", 80).pareto, "another base's checkpoints are not in its way"
    twins = [row | {"trial": "twin"} for row in TABLE if row["trial"] == "cot"]
    assert at(asymmetry([*TABLE, *twins]), "twin", 80).pareto, "a draw beats nobody"


def test_a_checkpoint_without_all_benchmarks_of_its_base_is_left_out() -> None:
    holes = [row for row in TABLE if (row["trial"], row["step"], row["benchmark"]) != ("cot", 80, "gcd")]
    assert [(one.trial, one.step) for one in asymmetry(holes)] == [("cot", 10), ("nocot", 80)]
    nan = [row | {"value": math.nan} if row["benchmark"] == "hex-phi" else row for row in TABLE]
    assert asymmetry(nan) == [] and asymmetry([]) == []


def test_over_refusal_stands_beside_and_is_no_safety() -> None:
    answered = [cell("cot", step, "xstest", share) for step, share in ((0, 0.9), (80, 0.7))]
    points = asymmetry([*TABLE, *answered])
    one = at(points, "cot", 80)
    assert one.refusal is not None and one.refusal.value == pytest.approx(0.2)
    assert one.safety.value == pytest.approx(-0.4)
    assert at(points, "cot", 10).refusal is None and at(points, "nocot", 80).refusal is None
