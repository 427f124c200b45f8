"""IFEval's instructions against texts judged by hand: python -m pytest tests/test_instructions.py"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from rsft.errors import DataError
from rsft.scoring.instruction_checks import CHECKS
from rsft.scoring.instructions import check, preload


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    preload()  # seconds of imports, which no time limit below should count


def follows(name: str, response: str, **arguments: Any) -> bool:
    return check("Say it.", response, [name], [arguments]).strict[0]


MORE, LESS = "at least", "less than"
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    # instruction, arguments, a response that follows, one that does not
    ("keywords:existence", {"keywords": ["apple", "c++"]}, "Apples, and C++.", "Pears, and C++."),
    ("keywords:frequency", {"keyword": "he", "frequency": 2, "relation": MORE}, "The he", "He"),
    ("keywords:frequency", {"keyword": "he", "frequency": 2, "relation": LESS}, "He", "The he"),
    ("keywords:forbidden_words", {"forbidden_words": ["art"]}, "A party.", "Modern ART."),
    ("keywords:letter_frequency", {"letter": "e", "let_frequency": 2, "let_relation": MORE}, "Ee", "e"),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 1, "let_relation": MORE}, "# a", "a"),
    (
        "language:response_language",
        {"language": "de"},
        "Das Wetter ist heute sehr schön, und wir gehen spazieren.",
        "The weather is very fine today, and we go for a walk.",
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": MORE},
        "Dr. Smith came in. He sat down.",
        "Dr. Smith came in at 3.15 p.m. and sat down.",
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb\n***", "a\n\nb"),
    ("length_constraints:number_words", {"num_words": 3, "relation": MORE}, "it's me", "me"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "President"},
        "One.\n\n\"president's day.",
        "One.\n\nThe president.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] and []", "[a and b]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\np. s. Milk.", "Bye. PS Milk."),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\nP.P.S Milk.", "P.S. Milk."),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "x\n  * a\n- b", "* a\n** b"),
    ("detectable_format:constrained_response", {}, "Well. My answer is maybe.", "My answer is no"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* b *c*", "*a* b * *"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1\na\nSECTION 2\nb",
        "Section 1\na\nSECTION 2\nb",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "{'a': 1}"),
    ("detectable_format:title", {}, "<<Ode>>\nO joy", "<< >>\n<Ode>"),
    ("combination:two_responses", {}, "a\n******\nb", "a\n******\na"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say it."}, "say it. It.", "It."),
    ("startend:end_checker", {"end_phrase": "Is that all?"}, '"Yes. is that all?"', "Is that all? Yes."),
    ("startend:quotation", {}, ' "a" ', "“a”"),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": MORE},
        "I saw NASA.",
        "We saw NASA.",
    ),
    ("change_case:english_capital", {}, "THE WEATHER IS FINE TODAY.", "THE WEATHER is FINE TODAY."),
    ("change_case:english_lowercase", {}, "the weather is fine today.", "The weather is fine today."),
    ("punctuation:no_comma", {}, "One; two.", "One, two."),
]


@pytest.mark.parametrize(("name", "arguments", "yes", "no"), CASES)
def test_a_response_that_follows_and_one_that_does_not(
    name: str, arguments: dict[str, Any], yes: str, no: str
) -> None:
    assert follows(name, yes, **arguments)
    assert not follows(name, no, **arguments)


def test_all_25_instructions_have_a_case() -> None:
    assert {name for name, *_ in CASES} == CHECKS.keys()
    assert len(CHECKS) == 25


def test_the_score_is_all_instructions_and_strict() -> None:
    ids, arguments = ["punctuation:no_comma", "startend:quotation"], [{}, {"unused": None}]
    assert check("p", '"Yes."', ids, arguments).score == 1.0
    found = check("p", "Yes.", ids, arguments)
    assert (found.strict, found.score, found.prompt_loose) == ((True, False), 0.0, False)


def test_loose_forgives_stars_and_a_first_or_last_line() -> None:
    for response in ('Here you are:\n"Yes."', '"Yes."\nHope this helps!', '**"Yes."**', 'Hi\n*"Yes."*\nBye'):
        found = check("p", response, ["startend:quotation"], [{}])
        assert (found.strict, found.loose) == ((False,), (True,)), response


def test_only_the_answer_part_counts() -> None:
    assert follows("punctuation:no_comma", "<think>Well, well,</think>\n\nYes.")
    first = {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "yes"}
    assert follows("length_constraints:nth_paragraph_first_word", "<think>a</think>\n\nYes.", **first)
    for nothing in ("<think>Yes.", "<think>a</think>\n", "", " \n"):
        found = check("p", nothing, ["punctuation:no_comma"], [{}])
        assert (found.strict, found.loose) == ((False,), (False,))


def test_repeating_falls_back_on_the_prompt_itself() -> None:
    assert check("Say it.", "Say it. It.", ["combination:repeat_prompt"], [None]).score == 1.0


@pytest.mark.parametrize(
    ("ids", "arguments", "words"),
    [
        (["punctuation:no_dash"], [{}], "punctuation:no_dash"),
        ([], [], "0 instructions"),
        (["punctuation:no_comma"], [], "1 instructions and 0"),
        (["length_constraints:number_words"], [{"num_words": None, "relation": MORE}], "num_words"),
        (["length_constraints:number_words"], [{"num_words": 3, "relation": "about"}], "about"),
    ],
)
def test_a_bad_row_is_an_error_and_no_verdict(ids: list[str], arguments: list[Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        check("p", "a b c d", ids, arguments)


def test_deep_nesting_is_no_json() -> None:
    assert not follows("detectable_format:json_format", "[" * 200_000)


@pytest.mark.parametrize(
    "piece", ["[", "*", "<", "\n", " ", "a. ", "x", "***", "** ", "\ud800\x00", '"', "- \n"]
)
@pytest.mark.slow
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    response = piece * (200_000 // len(piece)) + "x"
    for name, arguments, _, _ in CASES:
        begun = time.process_time()
        follows(name, response, **arguments)
        assert time.process_time() - begun < 10.0, name


@pytest.mark.slow
def test_threads_may_ask_first_at_the_same_time() -> None:
    """In a fresh interpreter, since what is loaded once is no danger any more."""
    code = """
import threading
from rsft.scoring import sentences
found, start = [], threading.Barrier(8)
def ask(number):
    start.wait()
    found.append(sentences.words("One. Two.") if number % 2 else sentences.language("This is it, is it not?"))
threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
assert len(found) == 8 and all(each in (["One", ".", "Two", "."], "en") for each in found), found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
