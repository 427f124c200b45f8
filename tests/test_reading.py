"""Reading answers: python -m pytest tests/test_reading.py"""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsft.scoring.reading import NOTHING, Reading, read_answer

BOXED = [
    (r"so \boxed{5}", "5"),
    (r"$\boxed{\frac{\pi}{2}}$", r"\frac{\pi}{2}"),
    (r"\boxed{3} then \boxed{4}", "4"),
    (r"\boxed{ $18$ }", "18"),
    (r"\boxed{18\$}", r"18\$"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed {7}", "7"),
    (r"\fbox{7}", "7"),
    (r"Thus \boxed 7.", "7"),
    (r"$\boxed \frac{1}{2}$", r"\frac{1}{2}"),
    (r"{\boxed 5}", "5"),
    (r"\\boxed{9}", "9"),
    (r"\boxed{\boxed{6}}", "6"),
    (r"\boxed{3} and \boxed{4", "3"),
    (r"\boxed{3 and \boxed{4}", "4"),
    (r"} } \boxed{8} {", "8"),
    (r"\boxed{2}. I put it within \boxed{}.", "2"),
    (r"\boxed{2}. The answer is 3.", "2"),
]

STATED = [
    ("The answer is 5. Thanks for asking.", "5"),
    ("The answer is 3.5.", "3.5"),
    ("The final answer is $\\frac{1}{2}$ since it halves.", r"\frac{1}{2}"),
    ("The final answer is: \\(x + 1\\).", "x + 1"),
    ("Answer: 1,000", "1,000"),
    ("**Answer:** 12", "12"),
    ("**Final answer:** **12**", "12"),
    ("Answer:\n\n5", "5"),
    ("72 / 4 = 18\n#### 18", "18"),
    ("The answer is 3, since 1 + 2 = 3", "3"),
    ("The answer is (1, 2)", "(1, 2)"),
    ("The answer is $18.", "18"),
    ("Answer: 1\nno, Answer: 2\nAnswer:", "2"),
    ("### Answer\n\n5", "5"),
    ("**Final Answer**\n5", "5"),
    ("Final Answer\n5", "5"),
    ("The final answer is:\n\n\\[\n5\n\\]", "5"),
    ("The final answer is\n$$\n5\n$$", "5"),
    ("The answer is 5 because 2 + 3 = 5.", "5"),
    ("The answer is `5`.", "5"),
    ("The answer is $18 a day, so $90 a week.", "18 a day"),
    ("The answers are $2$, $3$ and \\(5\\).", "2, 3, 5"),
    ("The answer is $0.5$, or $1/2$.", "0.5"),
    ('The answer is "5".', "5"),
    ("The answer is therefore 5.", "5"),
    ("The answer would be 5.", "5"),
    ("The answer is equal to 5.", "5"),
    ("So <answer> 5 </answer> it is.", "5"),
    ("The answer to this question is 5.", "5"),
    ("The answer is exactly 5.", "5"),
    ("Answer: 5 (which is 2 + 3)", "5"),
    ("The answer is 5. I put it in <answer> tags.", "5"),
]


@pytest.mark.parametrize(("text", "answer"), BOXED)
def test_last_box_is_read(text: str, answer: str) -> None:
    assert read_answer(text) == Reading(answer, "last boxed")


@pytest.mark.parametrize(("text", "answer"), STATED)
def test_last_stated_form_is_read_when_there_is_no_box(text: str, answer: str) -> None:
    assert read_answer(text) == Reading(answer, "stated answer")


NO_ANSWER = ["", "I give up", r"\boxed{}", r"\boxed{ $ }", r"\boxed{4", "18", r"**Answer:** $\boxed{}$"]


@pytest.mark.parametrize("text", NO_ANSWER)
def test_nothing_found_is_not_an_answer(text: str) -> None:
    assert read_answer(text) == NOTHING


def test_the_end_of_a_line_ends_a_statement() -> None:
    assert [read_answer(text).at_end for text in ("Answer: 5", "Answer: 5.", "Answer: 5\n")] == [
        True,
        False,
        False,
    ]


def test_thinking_is_not_the_answer() -> None:
    assert read_answer(r"<think>\boxed{1}</think> It is \boxed{2}").answer == "2"
    assert read_answer(r"opened by the prompt, \boxed{1}</think>\boxed{2}").answer == "2"
    assert read_answer(r"<think>a</think>\boxed{1}<think>b</think>\boxed{2}").answer == "2"
    assert read_answer(r"<think>\boxed{1}</think> no answer here") == NOTHING
    assert read_answer(r"<think>so \boxed{1}") == NOTHING
    assert read_answer(r"<think>a</think>\boxed{1}<think>wait") == NOTHING


def test_thinking_marks_can_be_named() -> None:
    text = r"[T]\boxed{1}[/T]\boxed{2}"
    assert read_answer(text, think_open="[T]", think_close="[/T]").answer == "2"


PIECES = ["\\", "{", "$", "#", "\\boxed{", "\\boxed ", "\\boxed x", "\\boxed a{ ", "\\fbox{}"]
PIECES += ["answer ", "answer is ", "Answer: $", "#### ", "<think", "answer: \\(", "\\boxed{a$"]
PIECES += ["# answer\n", "answer: \\[", "answer is because "]


@pytest.mark.parametrize("piece", PIECES)
def test_reading_takes_time_in_proportion_to_the_text(piece: str) -> None:
    def seconds(characters: int) -> float:
        text = piece * (characters // len(piece))
        start = time.process_time()
        read_answer(text)
        read_answer(text + "}" * (characters // 8))
        return time.process_time() - start

    # Eight times the text: eight times the time, sixty-four times were it quadratic.
    assert seconds(400_000) < 30 * max(seconds(50_000), 0.01)


PLAIN = st.text(st.characters(exclude_characters="\\{}$<", exclude_categories=["Cs"]), max_size=20)
BALANCED = st.recursive(PLAIN, lambda inner: st.tuples(inner, inner).map(lambda p: f"{p[0]}{{{p[1]}}}"))


@given(st.text(max_size=200))
def test_no_text_raises_and_an_answer_is_a_part_of_it(text: str) -> None:
    reading = read_answer(text)
    assert (reading.answer is None) == (reading.where is None)
    assert reading.answer is None or (reading.answer and reading.answer in text)


@given(PLAIN, BALANCED, PLAIN)
def test_balanced_content_comes_back_whole(before: str, content: str, after: str) -> None:
    reading = read_answer(f"{before}\\boxed{{{content}}}{after}")
    if content.strip():
        assert reading == Reading(content.strip(), "last boxed")
    else:
        assert reading.where != "last boxed"


@given(st.text(max_size=100), BALANCED)
def test_what_was_thought_before_never_matters(thought: str, rest: str) -> None:
    text = f"so \\boxed{{{rest}}}"
    assert read_answer(f"<think>{thought}</think>{text}") == read_answer(text)
