"""Procedures in traces: patterns against labelled lines, sentences, loops, stated equations, what checks and
dead ends were worth, rates with their errors, and the link to being right."""

from __future__ import annotations

import importlib.util
import random
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsft.analysis.arithmetic import equations, value_of
from rsft.analysis.functional import Countdown, Worth, reachable, worth
from rsft.analysis.pattern_index import PatternIndex, needed
from rsft.analysis.procedure_lookalikes import LOOKALIKES
from rsft.analysis.procedure_patterns import PATTERNS
from rsft.analysis.procedure_rates import (
    LINK,
    LINKED,
    Measure,
    differences,
    fingerprint,
    link,
    measures,
    read_trace,
)
from rsft.analysis.procedures import (
    LONGEST,
    PROCEDURES,
    agreement,
    procedures_in,
    read,
    sentences,
    thinking_of,
)
from rsft.data.countdown import solve
from rsft.records import Generation, Outcome
from rsft.scoring.agreement import Agreement
from rsft.scoring.verbosity import loop, repetition

BENCH = Path(__file__).resolve().parent.parent / "bench" / "procedures.py"
_spec = importlib.util.spec_from_file_location("bench_procedures", BENCH)
assert _spec is not None and _spec.loader is not None
bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench)


def measured(part: str) -> dict[str, Agreement]:
    lines = bench.labelled(part)
    return agreement([bench.found_in(line) for line, _ in lines], [labels for _, labels in lines])


def together(found: dict[str, Agreement]) -> Agreement:
    counted = ("true_positive", "false_positive", "false_negative", "true_negative")
    return Agreement(*(sum(getattr(one, name) for one in found.values()) for name in counted))


@pytest.mark.parametrize("part", ["tune", "held-out, first", "held-out, later"])
def test_patterns_are_precise_on_lines_known_while_they_were_made(part: str) -> None:
    for name, one in measured(part).items():
        assert one.precision >= 0.85 and one.recall >= 0.85, (part, name)


def test_patterns_are_precise_on_lines_that_came_after_them() -> None:
    found = measured("last")
    assert together(found).precision >= 0.95 and together(found).recall >= 0.7
    assert all(one.precision >= 0.9 and one.recall >= 0.6 for one in found.values())


def test_subgoals_are_precise_on_look_alikes_of_their_own_though_half_are_missed() -> None:
    one = measured("subgoals")["subgoals"]
    assert one.precision >= 0.9 and one.recall >= 0.4


def test_the_lines_are_many_and_of_every_kind() -> None:
    lines = [row for part in bench.PARTS for row in bench.labelled(part)]
    assert len({line for line, _ in lines}) == len(lines) >= 700
    assert {label for _, labels in lines for label in labels} == set(PROCEDURES)
    assert sum(not labels for _, labels in lines) >= 150


def test_only_trying_what_can_match_changes_no_verdict() -> None:
    every = {name: [re.compile(p) for p in patterns] for name, patterns in PATTERNS.items()}
    index = PatternIndex(PATTERNS)
    for part in bench.PARTS:
        for line, _ in bench.labelled(part):
            for sentence in sentences(line):
                slow = {name for name, patterns in every.items() if any(p.search(sentence) for p in patterns)}
                assert index.names(sentence) == slow, sentence


def test_what_a_match_needs_is_read_off_its_pattern() -> None:
    assert needed(r"\bplug (?:it|them) back\b") == {"plug "}
    assert needed(r"(?:check|verify)(?: it)?") == {"check", "verify"}
    assert needed(r"\d+(?:check)?") is None
    assert needed(r"wait|\d") is None
    assert all(needed(pattern) for patterns in PATTERNS.values() for pattern in patterns)


def test_repetitions_in_patterns_are_bounded() -> None:
    for patterns in (*PATTERNS.values(), *LOOKALIKES.values()):
        for pattern in patterns:
            assert ".*" not in pattern and ".+" not in pattern, pattern


def test_sentences_end_where_they_should() -> None:
    text = "It\u2019s 3.5  km.  Wait!\n\n1. Find x. So (it is 4.) Then"
    assert list(sentences(text)) == ["it's 3.5 km.", "wait!", "1. find x.", "so (it is 4.)", "then"]
    long = list(sentences("a" * (2 * LONGEST + 1)))
    assert [len(one) for one in long] == [LONGEST, LONGEST, 1]


def test_thinking_is_what_stands_before_its_last_end() -> None:
    thinking = thinking_of("abc</think>d</think>xx", 22)
    assert (thinking.text, thinking.tokens) == ("abc</think>d", pytest.approx(22 * 12 / 22))
    assert thinking_of("no end", 7).tokens == 7 and thinking_of("", 1).text == ""
    (first,) = read(thinking_of("<think>Wait, no.</think> \\boxed{1}", 9).text)
    assert first.procedures == {"backtracking"}, "a tag is no part of a sentence"


HOSTILE = (
    *(
        "(",
        "1=1+",
        "a",
        "\\frac{",
        "let me ",
        "to get 1 ",
        "we first need to find ",
        "\n",
        "\u0130",
        "back to 1, ",
    ),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_hostile_text_is_read(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    worth(read(text), Countdown((1, 2, 3), 7))
    repetition(text)
    loop(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 * 4 + 2 = 14", [True]),
        ("so 14-3=12 people", [False]),
        ("(11 - 5) - 1 = 10, all numbers used", [False]),
        ("2^3 = 8, 2 ** 3 = 8", [True, True]),
        ("3 + 4 = 7 = 14 / 2", [True, True]),
        ("1,200 + 300 = 1,500", [True]),
        ("$3 × 4 = $12", [True]),
        ("1/3 = 0.33", [True]),
        ("1/3 = 0.34", [False]),
        ("2/3 = 0.67, 2/3 = 0.66, -2/3 = -0.67, 2/3 = -0.67", [True, True, True, False]),
        ("7 / 8 = 1.0", [False]),
        ("50% * 4 = 2", [True]),
        (r"\frac{1}{2} + \frac{1}{2} = 1 and 3 \times 4 = 12", [True, True]),
        ("1 - 2 = - 1", [True]),
        ("-2^2 = -4", [True]),
        ("9 = 3 * 3", [True]),
        ("a = 3 + 4 = 7.", [True]),
        ("4 * 5 = 20 and 20 + 1 = 22", [True, False]),
        *(
            (text, [])
            for text in (
                *(
                    "x - 2 = 6",
                    "2x + 3 = 7",
                    "3 + 4 = 7 + x",
                    "3 + 4 = 7x",
                    "f(3 + 1) = 16",
                    "5 = 5",
                    "-5 = -5",
                ),
                *(
                    "17 + 5 = 2 (mod 10)",
                    "is 3 + 4 = 8?",
                    "10 / 4 = 2 remainder 2",
                    "101 + 1 = 110 in binary",
                ),
                *(
                    "2 (3 + 4) = 14",
                    "sqrt(9 + 16) = 5",
                    "3 - (2 + = 4",
                    "1 / 0 = 0",
                    "9^9^9 = 1",
                    "3 + 4 >= 7",
                ),
                *("8 days/week * 3 = 24", "1 + 1 == ", "= 3 + 4", "3 + 4 =", "", "10^99999 = 1 + 1"),
            )
        ),
    ],
)
def test_stated_equations(text: str, found: list[bool]) -> None:
    assert [equation.true for equation in equations(text)] == found


def expression(depth: int) -> st.SearchStrategy[str]:
    number = st.integers(0, 99).map(str)
    if depth == 0:
        return number
    side = expression(depth - 1)
    joined = st.tuples(side, st.sampled_from("+-*/"), side).map(" ".join)
    return st.one_of(number, joined, joined.map("({})".format), side.map("-({})".format))


@settings(max_examples=150)
@given(expression(3))
def test_values_are_those_of_python(text: str) -> None:
    tokens = re.findall(r"\d+|[-+*/()]", text)
    try:
        expected = eval(re.sub(r"(\d+)", r"Fraction(\1)", text), {"Fraction": Fraction})
    except ZeroDivisionError:
        expected = None
    assert value_of(tokens) == expected


def test_repetition_and_loops() -> None:
    distinct = " ".join(f"word{i}" for i in range(200))
    assert repetition(distinct) == 0 and loop(distinct) is None
    assert repetition(f"{distinct} {distinct}") == pytest.approx(193 / 393)
    looped = loop(f"{distinct}. " + "1 + 1 = 2, no. " * 10 + "1 + 1 = 2, n")
    assert looped is not None and looped.period == 8 and looped.repeats == pytest.approx(10.75, abs=0.4)
    assert abs(looped.start - len(distinct)) <= 2
    assert loop("no. no. no. no.") is None, "too short to be a loop"
    assert loop("x " * 100 + distinct) is None, "went on after it"
    assert loop("") is None and repetition("") == 0


@pytest.mark.parametrize("end", ["\n" + "-" * 60, "\n" * 60, "." * 80, "\n|" + "---|" * 12, "\n" + "* " * 40])
def test_rules_and_blank_lines_are_no_loop_and_hide_none(end: str) -> None:
    distinct = " ".join(f"word{i}" for i in range(60))
    assert loop(distinct + end) is None
    looped = loop(f"{distinct}. " + "1 + 1 = 2, no. " * 10 + "\n\n")
    assert looped is not None and looped.period == 8


TRACE = """Numbers 4, 10, 5, target 46.
Try 5 - 4 = 1, left 1, 10.
10 / 1 = 10, no.
Dead end, back to 4, 10, 5.
Try 10 * 5 = 50, left 50, 4.
Dead end, back to 4, 10, 5.
Try 10 * 5 = 60, left 60, 4.
Dead end, back to 4, 10, 5.
Let me check: 10 * 5 - 4 = 46.
Let me check that all are used.
Let me check: 10 - 4 = 6."""


def test_a_dead_end_is_searched_and_a_check_is_worked_out() -> None:
    found = worth(read(TRACE), Countdown((4, 10, 5), 46))
    # 1 and 10 cannot make 46; 50 and 4 can; the third branch began with a false equation and is not judged.
    assert (found.branches_left, found.dead_ends) == (2, 1)
    # Of three checks two compute ("are used" looks to the next sentence), and one comes to the target.
    assert (found.checks, found.checks_computed, found.checks_true) == (3, 3, 1)
    assert (found.equations, found.equations_true) == (6, 5)
    assert worth(read(TRACE)).checks_true == 3, "without a target a true equation is a check that holds"
    assert worth([]) == Worth()


def test_a_search_that_really_ran_leaves_only_dead_ends() -> None:
    chance, left = random.Random(0), 0
    for seed in range(40):
        numbers = [chance.randint(1, 20) for _ in range(3)]
        trace = solve(numbers, numbers[0] * numbers[1] + numbers[2], seed)
        if trace is None:
            continue
        found = worth(read(trace.text), Countdown(tuple(numbers), numbers[0] * numbers[1] + numbers[2]))
        assert found.equations == found.equations_true and found.checks == found.checks_true == 1
        # The search takes differences and quotients one way round and whole, ours takes all.
        assert found.branches_left == trace.dead_ends >= found.dead_ends >= 0.9 * trace.dead_ends
        left += found.branches_left
    assert left > 40


def test_what_can_be_reached() -> None:
    table = tuple(map(Fraction, (4, 5, 10)))
    assert reachable(table, Fraction(46)) and not reachable(table, Fraction(47))
    assert reachable(tuple(map(Fraction, (1, 3, 4, 6))), Fraction(24)), "6 / (1 - 3/4)"
    assert not reachable((Fraction(0), Fraction(0)), Fraction(1))


def answer(problem: str, text: str, outcome: Outcome, tokens: int = 100) -> tuple[Generation, Outcome]:
    made = Generation(
        problem=problem, sample=0, seed=0, text=text, tokens=tokens, prompt_tokens=1, finish="stop"
    )
    return made, outcome


def by_name(found: list[Measure]) -> dict[str, Measure]:
    return {measure.measure: measure for measure in found}


def test_rates_are_sums_over_sums_with_clustered_errors() -> None:
    texts = [("a", "Let me check.\nWait, no.", 100), ("a", "Hello there.", 300), ("b", "Let me check.", 100)]
    traces = [read_trace(*answer(problem, text, "correct", tokens)) for problem, text, tokens in texts]
    found = by_name(measures(traces))
    checks = found["verification"]
    assert checks.value == pytest.approx(1000 * 2 / 500) and (checks.problems, checks.responses) == (2, 3)
    residuals = (1000 * 1 - 4 * 400) ** 2 + (1000 * 1 - 4 * 100) ** 2
    assert checks.stderr == pytest.approx((residuals * 2) ** 0.5 / 500)
    assert found["thinking_tokens"].value == pytest.approx(500 / 3)
    assert found["checks_computed"].value == 0 and found["checks_computed"].problems == 2
    assert "equations_true" not in found and "dead_ends" not in found
    assert measures([]) == []


def test_the_link_is_within_problems() -> None:
    traces = []
    for i in range(30):
        # Hard problems have many checks in all answers; within a problem right answers have one more.
        more = 5 if i % 2 else 0
        traces.append(read_trace(*answer(str(i), "Let me check.\n" * (more + 1), "correct")))
        traces.append(read_trace(*answer(str(i), "Let me check.\n" * more, "wrong")))
        traces.append(read_trace(*answer(str(i), "Let me check.\n" * 50, "truncated")))
    traces.append(read_trace(*answer("alone", "Let me check.", "correct")))
    apart = differences(traces)
    assert len(apart) == 30 and set(apart["0"]) == set(LINKED)
    found = by_name(link({problem: [one, one] for problem, one in apart.items()}))
    checks = found[f"{LINK}verification"]
    assert checks.value == pytest.approx(10) and checks.ci_low > 0
    assert (checks.problems, checks.responses) == (30, 60)
    assert found[f"{LINK}backtracking"].ci_low <= 0 <= found[f"{LINK}backtracking"].ci_high
    assert link({"0": [apart["0"]]}) == [] and link({}) == []


def test_the_interval_of_a_link_covers_nothing_where_there_is_nothing() -> None:
    covered = 0
    for seed in range(40):
        chance = random.Random(seed)
        apart = {str(i): [dict.fromkeys(LINKED, chance.gauss(0, 5))] for i in range(40)}
        found = link(apart)[0]
        covered += found.ci_low <= 0 <= found.ci_high
    assert covered >= 35


def test_the_fingerprint_is_that_of_the_readers() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", fingerprint()) and fingerprint() == fingerprint()
    assert procedures_in("wait, no.") == {"backtracking"}
