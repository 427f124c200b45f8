"""Pairs that mathematics must tell apart or not, and hostile text: python -m pytest tests/test_notation.py"""

from __future__ import annotations

from fractions import Fraction

import dress_pairs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notation_pairs import ALL_EQUAL, ALL_UNEQUAL

from rsft.scoring.dress import plain
from rsft.scoring.graders import grade_math
from rsft.scoring.notation import Parts, parts, split
from rsft.scoring.quantities import GAP, in_base, marked, rational


@pytest.mark.parametrize(("gold", "answer"), ALL_EQUAL + dress_pairs.EQUAL)
def test_other_notations_of_a_value_are_correct(gold: str, answer: str) -> None:
    assert grade_math(answer, gold) == 1.0


@pytest.mark.parametrize(("gold", "answer"), ALL_UNEQUAL + dress_pairs.UNEQUAL)
def test_marks_that_change_a_value_are_seen(gold: str, answer: str) -> None:
    assert grade_math(answer, gold) == 0.0


def test_no_pair_stands_twice_or_under_both_verdicts() -> None:
    every = [*ALL_EQUAL, *ALL_UNEQUAL, *dress_pairs.EQUAL, *dress_pairs.UNEQUAL]
    assert len(every) == len(set(every)) >= 400


HOSTILE = {
    "a tower": "9^{9^{9^{9}}}",
    "a long factorial": "(10^{10})!",
    "factorials of factorials": "((100!)!)!",
    "deep braces": "{" * 400 + "1" + "}" * 400,
    "deep fractions": r"\frac{1}{" * 100 + "2" + "}" * 100,
    "deep parentheses": "(" * 300 + "1" + ")" * 300,
    "roots of roots": r"\sqrt" * 150 + "2",
    "200 kB of digits": "1" * 200_000,
    "200 kB of commands": r"\frac{1}{2}+" * 18_000,
    "200 kB that opens": "{" * 200_000,
    "only opened": "((((((((((",
    "a long list": ",".join(map(str, range(300))),
    "a NUL and a surrogate": "1\0\ud8002",
    "nothing of use": "\\",
    "an empty set of braces": "{}",
    "no denominator": r"\frac{1}{0}",
    "a bomb of powers": "x^{" * 30 + "9" + "}" * 30,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_wrong_and_soon(name: str) -> None:
    assert grade_math(HOSTILE[name], "18") == 0.0
    assert grade_math(HOSTILE[name], r"\frac{\sqrt{3}}{2}") == 0.0


def test_numbers_too_large_to_compute_are_compared_as_written() -> None:
    assert grade_math("9^{9^{9^{9}}}", "9^{9^{9^9}}") == 1.0
    assert grade_math("9^{9^{9^{8}}}", "9^{9^{9^9}}") == 0.0


def test_a_gold_that_cannot_be_read_is_our_fault() -> None:
    with pytest.raises(ValueError, match="gold answer"):
        grade_math("18", "")


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_rational_numbers_are_read_exactly(above: int, below: int) -> None:
    value = Fraction(above, below)
    sign = "-" if above < 0 else ""
    assert rational(rf"{sign}\frac{{{abs(above)}}}{{{below}}}") == value
    assert rational(f"{above}/{below}") == value
    assert rational(f"{sign}{abs(above):,}".replace(",", GAP)) == above
    assert rational(f"{above}.25") == above + (Fraction(-1, 4) if above < 0 else Fraction(1, 4))


@given(st.integers(0, 99), st.text("0123456789", max_size=4), st.text("0123456789", min_size=1, max_size=5))
def test_repeating_decimals_are_what_long_division_gives(whole: int, fixed: str, again: str) -> None:
    value = rational(rf"{whole}.{fixed}\overline{{{again}}}")
    assert value is not None
    digits = fixed + again * 12
    assert abs(value - whole - Fraction(int(digits), 10 ** len(digits))) <= Fraction(1, 10 ** len(digits))


@given(st.text(r"\{}[]()0123456789,.;=<>^_+-/ %$abxyz", max_size=60))
def test_any_text_is_taken_apart(text: str) -> None:
    once = plain(text)
    parts(once), marked(once), in_base(once), rational(once)
    assert "".join(split(once, "")) == once.strip(f" {GAP}")


def test_structure_is_read() -> None:
    assert parts("1,234") == Parts("list", ("1", "234"), number="1234")
    assert parts(r"\{1, 2\}") == Parts("set", ("1", "2"))
    assert parts("[1,2)") == Parts("tuple", ("1", "2"), "[)")
    assert parts(r"1\pm 2") == Parts("list", ("1+ 2", "1- 2"))
    assert parts("(1)(2)") is None
    assert in_base("x_1") is None and in_base("1011_2") == ("1011", 2) and in_base("19_8") is None
