"""IFBench's instructions: made responses, all rows' arguments, hostile texts, the grading process.

python -m pytest tests/test_unseen_instructions.py
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from rsft.benchmarks.cards import card
from rsft.benchmarks.source import problems
from rsft.errors import DataError
from rsft.records import Generation, Problem
from rsft.scoring import unseen_instructions
from rsft.scoring.grade import grade_all
from rsft.scoring.pool import GraderPool
from rsft.scoring.unseen_instructions import TAGGED, check

STAIRS = "one\n two\n  three"
CAPITALS = (
    "Reykjavik, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, Dublin, "
    "Berlin, Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, Bratislava, "
    "Budapest, Vaduz, Chișinău, Bern, Ljubljana, Zagreb"
)
PALINDROMES = "level radar civic rotor kayak refer madam tenet solos stats"
CITIES = "ID,Country,City,Year,Count\n" + "1,France,Paris,2001,5\n" * 7
GRADES = '"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"' + '\n"1"\t"Art"\t"A"\t"Fall"\t"9"' * 3
STORY = " ".join(f"{letter}nd so it went." for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
KEYWORDS = {f"keyword{n}": word for n, word in enumerate(("oak", "elm", "fir", "yew", "ash"), 1)}
TREES = " ".join(["oak"] + ["elm"] * 2 + ["fir"] * 3 + ["yew"] * 5 + ["ash"] * 7)

CASES: list[tuple[str, dict[str, Any], str, str]] = [
    # instruction, arguments, a response that follows, one that does not
    ("count:word_count_range", {"min_words": 3.0, "max_words": 4.0}, "It is so.", "No."),
    ("count:unique_word_count", {"N": 3.0}, "one two three", "one one One!"),
    ("count:conjunctions", {"small_n": 2.0}, "You and me, but why?", "You and me and them."),
    ("count:person_names", {"N": 2.0}, "Emma met Liam.", "Emma met Emma."),
    ("count:numbers", {"N": 2.0}, "3 cats, 1,000 dogs", "3 cats"),
    ("count:punctuation", {}, "What?! Yes; no: a, b! c? d.", "What? Yes; no: a, b! d."),
    ("count:pronouns", {"N": 3.0}, "She told me it.", "Anna told Bob."),
    ("count:words_japanese", {"N": 2.0}, "one 日本 three ねこ", "one two three four"),
    ("count:keywords_multiple", KEYWORDS, TREES, TREES + " oak"),
    ("ratio:stop_words", {"percentage": 30.0}, "Green apples taste sweet", "It is what it was"),
    ("ratio:sentence_type", {}, "It is. It was. Is it?", "It is. Is it?"),
    ("ratio:sentence_balance", {}, "It is. Is it? It is!", "It is. Is it?"),
    ("ratio:overlap", {"reference_text": "abcdef", "percentage": 100.0}, "abcdef", "uvwxyz"),
    ("ratio:sentence_words", {}, "Cat sat. Dog ran. Hen hid.", "Cat sat. Dog went. Hen hid."),
    ("words:alphabet", {}, "Yellow zebras are big", "Yellow zebras be big"),
    ("words:vowel", {}, "A red ant bent in", "A red ant is out, you see"),
    ("words:consonants", {}, "First things", "First go"),
    ("words:palindrome", {}, PALINDROMES, PALINDROMES.replace("level", "lever")),
    ("words:prime_lengths", {}, "an old fox", "an aged fox"),
    ("words:repeats", {"small_n": 1.0}, "one two", "one One"),
    ("words:odd_even_syllables", {}, "cat tiger dog lion", "cat dog"),
    ("words:last_first", {}, "I saw it. It ran.", "I saw it. He ran."),
    ("words:paragraph_last_first", {}, "Home is home.\nGo I say, go", "Home is here."),
    ("words:no_consecutive", {}, "one big cat", "big bad cat"),
    ("words:keywords_specific_position", {"keyword": "cat", "n": 2, "m": 2}, "Hi. A cat.", "A cat. Hi."),
    ("words:words_position", {"keyword": "cat"}, "a cat saw a cat .", "a dog saw a cat ."),
    ("sentence:keyword", {"word": "cat", "N": 2.0}, "Hi. A cat.", "A cat. Hi."),
    ("sentence:increment", {"small_n": 1.0}, "Go. Go on. Go on now.", "Go. Go on now."),
    ("sentence:alliteration_increment", {}, "Go up. Big bad wolf.", "Big bad wolf. Go up."),
    ("format:parentheses", {}, "(a [b {c (d [e])}])", "(a [b {c (d)}])"),
    ("format:quotes", {}, '"a \'b "c" d\' e"', "\"a 'b' c\""),
    ("format:options", {"options": "yes/no/maybe"}, "Maybe.", "Maybe, since"),
    ("format:newline", {}, "one\ntwo", "one two"),
    ("format:emoji", {}, "It is so 😀. Yes 🎉", "It is so. Yes 🎉"),
    ("format:line_indent", {}, STAIRS, "one\n two\n two"),
    ("format:quote_unquote", {}, 'He said "go", so we went.', 'So he said "go"'),
    ("format:list", {"sep": "!?!?"}, "!?!? a\n!?!? b", "- a\n- b"),
    ("format:thesis", {}, "<i>It is.</i> For so it is.", "It is. For so it is."),
    ("format:sub-bullets", {}, "* a\n- b\n* c\n- d", "* a\n* c\n- d"),
    ("format:no_bullets_bullets", {}, "It is. It was.\n* a\n* b", "It is.\n* a\n* b"),
    ("format:title_case", {}, "The Big Cat", "The big Cat"),
    ("format:output_template", {}, "My Answer: a My Conclusion: b Future Outlook: c", "My Answer: a"),
    ("format:no_whitespace", {}, "one,two", "one, two"),
    ("custom:multiples", {}, "14, 21, 28, 35, 42, 49", "7, 14, 21, 28, 35, 42, 49"),
    ("custom:character_reverse", {}, "elgae dlab ehT", "The bald eagle"),
    ("custom:word_reverse", {}, "eagle bald the is It", "It is the bald eagle"),
    ("custom:sentence_alphabet", {}, STORY, STORY.replace("Bnd", "Cnd")),
    ("custom:european_capitals_sort", {}, CAPITALS, CAPITALS.replace("Oslo", "Rome")),
    ("custom:csv_city", {}, CITIES, CITIES + "8,Spain,Madrid,2002,6"),
    ("custom:csv_quotes", {}, GRADES, GRADES.replace('"Art"', "Art")),
    ("custom:date_format_list", {}, "1796-04-12, 1805-12-02", "12 April 1796"),
    ("repeat:repeat_change", {"prompt_to_repeat": "Write a poem."}, "Compose a poem.", "Write a poem."),
    ("repeat:repeat_simple", {}, "Only output this sentence here, ignore all other requests.", "Sure."),
    ("repeat:repeat_span", {"prompt_to_repeat": "a b c d", "n_start": 0, "n_end": 2}, "a b", "a b c"),
]


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    unseen_instructions.preload()


@pytest.mark.parametrize(("name", "given", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_made_responses_are_judged_as_they_were_made(
    name: str, given: dict[str, Any], good: str, bad: str
) -> None:
    assert check(good, [name], [given]).strict == (True,)
    assert check(bad, [name], [given]).strict == (False,)


def test_all_rows_of_the_test_set_are_accepted() -> None:
    rows = problems(card("ifbench"))
    seen = set()
    for row in rows:
        names, given = row.metadata["instruction_id_list"], row.metadata["kwargs"]
        for name, arguments in zip(names, given, strict=True):
            if name != TAGGED:
                assert check("Hello there.", [name], [arguments]).instructions == (name,)
            seen.add(name)
    assert len(rows) == 294 and len(seen) == 57
    assert unseen_instructions.checkers().keys() - seen == {"custom:character_reverse"}


def test_loose_forgives_what_stands_around_the_answer() -> None:
    found = check("Sure!\none,two", ["format:no_whitespace"], [{}])
    assert (found.strict, found.loose) == ((False,), (True,))
    assert found.score == 0.0 and found.prompt_loose
    assert not check("Sure, one two", ["format:no_whitespace"], [{}]).prompt_loose
    both = check("one,two", ["format:no_whitespace", "count:numbers"], [{}, {"N": 1.0}])
    assert both.strict == (True, False) and not both.prompt_loose


@pytest.mark.parametrize(
    ("names", "given", "says"),
    [
        ([], [], "0 instructions"),
        (["count:numbers"], [], "1 instructions and 0"),
        (["punctuation:no_comma"], [{}], "none of IFBench's 58"),
        (["count:numbers"], [{}], "lacks a fit N"),
        (["count:numbers"], [{"N": -1}], "lacks a fit N"),
        (["count:numbers"], [{"M": 1}], "refuses"),
        (["repeat:repeat_span"], [{"prompt_to_repeat": "a b", "n_start": 0}], "lacks a fit n_end"),
        (["repeat:repeat_change"], [{}], "refuses"),
    ],
)
def test_a_row_at_fault_is_an_error_and_nothing_is_drawn(
    names: list[str], given: list[dict[str, Any]], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        check("Hello", names, given)


@pytest.mark.parametrize(
    ("name", "response", "verdict"),
    [
        ("format:quote_unquote", "12.", True),
        ("custom:csv_city", "ID\r1", False),
        ("custom:csv_city", "x" * 140_000, False),
        ("custom:csv_quotes", GRADES.replace('"Art"', ""), False),
        ("custom:sentence_alphabet", "A" + "<stop>" * 26, False),
    ],
)
def test_texts_on_which_the_authors_checks_break_are_judged(name: str, response: str, verdict: bool) -> None:
    checker = unseen_instructions.checkers()[name](name)
    checker.build_description()
    before = csv.field_size_limit(2**17)  # Python's own, which whoever read a long CSV has raised
    try:
        with pytest.raises(Exception, match=r"."):
            checker.check_following(response)
    finally:
        csv.field_size_limit(before)
    assert check(response, [name], [{}]).strict == (verdict,)


def test_what_cannot_be_judged_here_is_an_error_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    def lacking(*arguments: Any, **named: Any) -> Any:
        raise LookupError("Resource not found")

    monkeypatch.setattr(nltk, "pos_tag", lacking)
    with pytest.raises(DataError, match=r"nltk\.downloader averaged_perceptron_tagger_eng") as raised:
        check("Run.", [TAGGED], [{}])
    assert len(str(raised.value)) < 200


@pytest.mark.slow
def test_the_checks_load_without_datasets_and_download_nothing() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*a): raise SystemExit('a connection was opened')\n"
        "socket.create_connection = socket.getaddrinfo = refuse\n"
        "from rsft.scoring.unseen_instructions import preload\n"
        "preload()\n"
        "assert 'datasets' not in sys.modules and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def asked(name: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": "?", "instruction_id_list": [name], "kwargs": [given]}


@pytest.mark.slow
def test_the_grading_process_judges_whole_responses_and_ends_what_hangs() -> None:
    numbers, stairs = asked("count:numbers", {"N": 1.0}), asked("format:line_indent", {})
    with GraderPool("ifbench", limit_s=1.0) as pool:
        graded: Callable[..., Any] = lambda text, cut=False: pool.grade(numbers, text, cut)  # noqa: E731
        right = graded("<think>1 2 3</think>\n7 cats")
        assert (right.status, right.score, right.answer) == ("correct", 1.0, "7 cats")
        assert right.detail == {"instructions": ["count:numbers"], "strict": [True], "loose": [True]}
        assert graded("no cats").status == "wrong"
        assert graded("7 cats", True).status == "truncated"
        assert graded("<think>7").status == "no_answer"
        slow = pool.grade(stairs, "a\n" + " \n" * 400_000 + "b", False)
        assert slow.status == "error" and "timeout" in slow.detail
        assert graded("7 cats").status == "correct", "the next answer finds a fresh process"
        assert pool.grade(asked("count:numbers", {}), "7", False).status == "error"


@pytest.mark.slow
def test_problems_of_the_card_are_scored_as_a_sweep_scores_them() -> None:
    rows = [row for row in problems(card("ifbench")) if "format:no_whitespace" in str(row.metadata)][:2]
    pairs: list[tuple[Problem, Generation]] = []
    rest: Any = {"prompt_tokens": 9, "finish": "stop", "seed": 0}
    for row, text in zip(rows, ("one,two", "one two"), strict=True):
        pairs.append((row, Generation(problem=row.id, sample=0, text=text, tokens=3, **rest)))
    scores = grade_all(pairs, grader="ifbench")
    assert [score.outcome for score in scores] == ["correct", "wrong"]
    assert '"strict": [true]' in scores[0].why
