"""Thinking length, repetition and loops: python -m pytest tests/test_responses.py"""

from __future__ import annotations

import pytest

from rsft.records import FinishReason, Generation
from rsft.scoring.responses import loops, repetition, response_estimates, thinking_tokens

PROSE = "So the sum of the first n odd numbers is n squared, which we show by drawing squares. "


def generation(problem: str, text: str, tokens: int = 100, finish: FinishReason = "stop") -> Generation:
    return Generation(
        problem=problem, sample=0, seed=0, text=text, tokens=tokens, prompt_tokens=1, finish=finish
    )


def test_thinking_is_measured_by_its_share_of_the_text() -> None:
    assert thinking_tokens("12345", 10) == 0.0
    assert thinking_tokens("<think>never ends", 10) == 10.0
    assert thinking_tokens("ab</think>cdefghijkl", 20) == pytest.approx(10.0)
    assert thinking_tokens("", 0) == 0.0


def test_repetition_by_hand() -> None:
    assert repetition("a b c d e") == 0.0
    assert repetition("a b a b a b", n=2) == pytest.approx(1 - 2 / 5)
    assert repetition("a a a a a a", n=4) == pytest.approx(2 / 3)
    assert repetition("too short") == 0.0


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        (PROSE * 4 + PROSE[:1], True),
        (PROSE * 3, False),
        ("Start. " + PROSE * 6 + PROSE[:20], True),  # cut in the middle of a unit
        (PROSE * 6 + "Then it ends well, with an answer of its own: 42.", False),
        ("wait " * 60, True),
        ("wait " * 30, False),  # 150 characters
        ("0" * 300, True),
        ("-" * 300, False),
        (" " * 300, False),
        ("", False),
        (" ".join(map(str, range(2_000))), False),
        ("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, " * 3, False),
        ((PROSE * 20)[:1_600] * 6, True),
    ],
)
def test_a_loop_is_a_unit_four_times_at_the_end(text: str, looping: bool) -> None:
    assert loops(text) is looping


def test_estimates_of_responses() -> None:
    generations = [
        generation("a", "think</think>" + "x" * 13, tokens=40),
        generation("b", "<think>" + "no, wait " * 50, tokens=60, finish="length"),
        generation("c", "42", tokens=2),
    ]
    found = {estimate.metric: estimate for estimate in response_estimates(generations)}
    assert found["thinking_tokens"].value == pytest.approx((20 + 60 + 0) / 3)
    assert found["thinking_tokens_median"].value == 20.0
    assert found["thinking_tokens_p95"].value == 60.0
    assert found["looping"].value == pytest.approx(1 / 3)
    assert 0.3 < found["repetition"].value < 0.34
    assert {estimate.truncated for estimate in found.values()} == {1 / 3}
    assert response_estimates([]) == []


def test_a_long_text_is_read_once() -> None:
    assert loops("ab" * 1_000_000) and not loops("ab" * 1_000_000 + PROSE)
    assert repetition("a b " * 100_000) > 0.99
