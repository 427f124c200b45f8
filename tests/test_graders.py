"""The graders on answers known to be harmless: python -m pytest tests/test_graders.py"""

from __future__ import annotations

import json
from typing import Any

import pytest
import reasoning_gym

from rsft.scoring.graders import countdown_expression, grade_math, grade_reasoning_gym


def entry_of(task: str) -> dict[str, Any]:
    """One item of a task as it looks after its way through JSON."""
    item = reasoning_gym.create_dataset(task, size=1, seed=7)[0]
    entry: dict[str, Any] = json.loads(json.dumps(item, default=str))
    return entry


EQUAL = [
    ("1/2", "0.5"),
    (r"\frac{\pi}{2}", r"\frac{1}{2}\pi"),
    ("(1, 2)", r"\left(1, 2\right)"),
    ("18", r"\$18"),
    ("18", "18."),
    ("18", r"18 \text{ dollars}"),
    ("1000", "1,000"),
    ("5", "x = 5"),
    (r"\{1, 2\}", r"\{2, 1\}"),
    (r"11\sqrt{2}", r"\sqrt{242}"),
    (r"90^\circ", "90"),
    (r"\text{Evelyn}", "Evelyn"),
]
UNEQUAL = [
    ("18", "19"),
    ("-5", "5"),
    ("3", "3.001"),
    ("(1, 2)", "(2, 1)"),
    (r"\frac{\pi}{2}", r"\frac{2}{\pi}"),
    ("18", "x + 18"),
    ("2k", "2"),
    ("1000", "1,00"),
]


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_mathematically_equal_answers_are_correct(gold: str, answer: str) -> None:
    assert grade_math(answer, gold) == 1.0


@pytest.mark.parametrize(("gold", "answer"), UNEQUAL)
def test_near_misses_in_mathematics_are_wrong(gold: str, answer: str) -> None:
    assert grade_math(answer, gold) == 0.0


def test_an_endless_answer_is_wrong_without_being_parsed() -> None:
    assert grade_math("(" * 100_000, "18") == 0.0


@pytest.mark.parametrize(
    ("answer", "expression"),
    [
        ("(1 + 2) * 3", "(1 + 2) * 3"),
        (r"\left(1+2\right) \times 3", "(1+2 ) * 3"),
        (r"6 \div 3 \cdot 2", "6 / 3 * 2"),
        ("6 \u00f7 3 \u00d7 2 \u2212 1", "6 / 3 * 2 - 1"),
        (r"\frac{6}{\frac{4}{2}}", "((6)/(((4)/(2))))"),
        ("2**3", None),
        ("9**9**9**9", None),
        ("\u00d7\u00d7", None),
        ("7 // 2", None),
        ("3.5 * 10", None),
        (".5 * 10", None),
        ("(1 + 2) * 3 = 9", None),
        ("__import__('os')", None),
        ("abs(3)", None),
        ("", None),
    ],
)
def test_only_plain_arithmetic_reaches_the_countdown_scorer(answer: str, expression: str | None) -> None:
    found = countdown_expression(answer)
    assert (found and found.split()) == (expression and expression.split())


def test_text_dress_and_thousands_do_not_make_an_answer_wrong() -> None:
    word = entry_of("spell_backward")
    dressed = rf"\text{{{word['answer']}}}"
    assert grade_reasoning_gym(dressed, word, "spell_backward", {}) == 1.0
    number = entry_of("gsm_symbolic") | {"answer": "1234"}
    for answer in ("1,234", r"\$1{,}234", "1234 dollars"):
        assert grade_reasoning_gym(answer, number, "gsm_symbolic", {}) == 1.0
    assert grade_reasoning_gym("1,235", number, "gsm_symbolic", {}) < 1.0


def test_a_float_does_not_count_as_two_of_the_countdown_numbers() -> None:
    entry = {"answer": "", "metadata": {"numbers": [3, 5, 10], "target": 35}}
    scorer = reasoning_gym.create_dataset("countdown", size=1, seed=0)
    assert scorer.score_answer("3.5 * 10", entry) == 1.0  # what the package does
    assert grade_reasoning_gym("3.5 * 10", entry, "countdown", {}) == 0.0
    assert grade_reasoning_gym("10 * (5 - 3) + 15", entry, "countdown", {}) < 1.0
    entry["metadata"] = {"numbers": [3, 5, 10], "target": 20}
    assert grade_reasoning_gym("(5 - 3) * 10", entry, "countdown", {}) == 1.0


@pytest.mark.parametrize("task", ["arc_agi", "rearc"])
def test_a_board_that_came_through_json_is_right(task: str) -> None:
    entry = entry_of(task)
    assert grade_reasoning_gym(entry["answer"], entry, task, {}) == 1.0
    assert grade_reasoning_gym(entry["answer"][::-1] + " 7", entry, task, {}) < 1.0


def test_what_a_scorer_cannot_read_is_wrong_and_a_broken_item_is_our_fault() -> None:
    entry = entry_of("prime_factorization")
    assert grade_reasoning_gym("seven times two", entry, "prime_factorization", {}) == 0.0
    with pytest.raises(ValueError, match="invalid literal"):
        grade_reasoning_gym("2 × 7", entry | {"answer": "two"}, "prime_factorization", {})
