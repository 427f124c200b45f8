"""Thinking length, repetition and loops as estimates of a cell: python -m pytest tests/test_responses.py"""

from __future__ import annotations

import pytest

from rsft.records import FinishReason, Generation
from rsft.scoring.responses import response_estimates, thinking_tokens


def generation(problem: str, text: str, tokens: int = 100, finish: FinishReason = "stop") -> Generation:
    return Generation(
        problem=problem, sample=0, seed=0, text=text, tokens=tokens, prompt_tokens=1, finish=finish
    )


def test_thinking_is_measured_by_its_share_of_the_text() -> None:
    assert thinking_tokens("12345", 10) == 0.0
    assert thinking_tokens("<think>never ends", 10) == 10.0
    assert thinking_tokens("ab</think>cdefghijkl", 20) == pytest.approx(10.0)
    assert thinking_tokens("", 0) == 0.0


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
