"""Rows: traces that a search really left, sources, schemas."""

from __future__ import annotations

import re

import pytest
import reasoning_gym

from rsft.benchmarks.cards import CARDS, GeneratedProblems
from rsft.benchmarks.source import problems
from rsft.data.countdown import solve
from rsft.data.rows import Tally
from rsft.data.source import rows
from rsft.errors import DataError
from rsft.spec import DataSpec, GeneratedRows

EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


def true(a: str, sign: str, b: str, value: str) -> bool:
    left, right = int(a), int(b)
    found = {"+": left + right, "-": left - right, "*": left * right, "/": left / right if right else None}
    return found[sign] == int(value)


def test_every_line_of_a_trace_is_true_and_its_expression_reaches_the_target() -> None:
    source = CARDS["countdown"].source
    assert isinstance(source, GeneratedProblems)
    items = reasoning_gym.create_dataset("countdown", size=60, seed=5, **source.config)
    dead_ends = 0
    for index in range(60):
        item = items[index]
        trace = solve(item["metadata"]["numbers"], item["metadata"]["target"], index)
        assert trace is not None
        assert items.score_answer(trace.expression, item) == 1.0
        searched = trace.text.rpartition("\nCheck: ")[0]
        equations = EQUATION.findall(searched)
        assert equations and all(true(*equation) for equation in equations)
        assert trace.dead_ends == trace.text.count("Dead end")
        dead_ends += trace.dead_ends
    assert dead_ends > 20  # the search goes wrong and comes back, as searches do


def test_a_trace_is_a_function_of_its_seed() -> None:
    assert solve([9, 6, 2], 17, 3) == solve([9, 6, 2], 17, 3)
    assert len({solve([9, 6, 2], 17, seed).text for seed in range(8)}) > 1  # type: ignore[union-attr]


def test_what_cannot_be_reached_has_no_trace() -> None:
    assert solve([1, 1], 50, 0) is None
    with pytest.raises(DataError, match="two or more numbers"):
        solve([7], 7, 0)


@pytest.mark.parametrize("task", ["gsm-symbolic", "countdown"])
def test_the_two_styles_differ_in_the_thinking_alone(task: str) -> None:
    def made(style: str) -> list[tuple[str, str, str]]:
        data = DataSpec(name="d", source=GeneratedRows(task=task, style=style), rows=12)
        return [(r.id, r.messages[0]["content"], r.response) for r in rows(data, Tally())]

    for (i, prompt, long), (j, other, short) in zip(made("long-cot"), made("answer-only"), strict=True):
        assert (i, prompt) == (j, other)
        thinking, closed, answer = long.partition("\n</think>\n\n")
        assert thinking.startswith("<think>\n") and closed and answer == short
        assert short.startswith("\\boxed{")


def test_rows_are_counted_and_reproducible() -> None:
    data = DataSpec(name="d", source=GeneratedRows(task="countdown", style="long-cot", seed=4), rows=30)
    tally = Tally()
    first = list(rows(data, tally))
    assert len(first) == 30
    assert tally.seen == 30 + tally.dropped.total()
    assert list(rows(data, Tally())) == first


@pytest.mark.slow
def test_no_training_problem_asks_what_a_benchmark_problem_asks() -> None:
    """One in twenty countdown problems has the target and the numbers of one, mostly in another order."""
    asked = {
        (p.metadata["entry"]["metadata"]["target"], *sorted(p.metadata["entry"]["metadata"]["numbers"]))
        for p in problems(CARDS["countdown"])
    }
    data = DataSpec(name="d", source=GeneratedRows(task="countdown", style="long-cot"), rows=100)
    tally = Tally()
    for row in rows(data, tally):
        numbers, target = re.findall(r"Numbers ([\d, ]+), target (\d+)\.", row.response)[0]
        assert (int(target), *sorted(map(int, numbers.split(", ")))) not in asked
    assert tally.dropped["benchmark_question"] > 0
