"""Variants: pure, seeded functions over rows, and what they promise."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsft.boxed import last_boxed
from rsft.data.rows import Row, Tally, split_thinking
from rsft.data.source import fingerprint, rows
from rsft.data.transforms import apply, strip_thinking
from rsft.errors import DataError, SpecError
from rsft.spec import (
    AnswerOnly,
    Corrupted,
    DataSpec,
    FileRows,
    GeneratedRows,
    MixtureRows,
    PairedWith,
    Part,
    StripThinking,
    Subset,
    Verified,
    WithoutBenchmarks,
    variant,
)


def made(count: int, response: str = "<think>\n{n}?\n</think>\n\nIt is \\boxed{{{n}}}.") -> list[Row]:
    return [
        Row(
            id=f"r{n}",
            messages=({"role": "user", "content": f"What is {n}?"},),
            response=response.format(n=n),
            gold=str(n),
        )
        for n in range(count)
    ]


def done(transform: Any, found: list[Row], tally: Tally | None = None, **more: Any) -> list[Row]:
    return list(apply(transform, iter(found), tally or Tally(), **more))


TEXT = st.text(alphabet="ab \n<>/think\\boxed{}1é", max_size=60).filter(lambda t: "</think>" not in t)


@given(thinking=TEXT, answer=TEXT.filter(lambda t: t.strip() and not t.startswith("\n")))
def test_stripping_never_touches_the_answer_part(thinking: str, answer: str) -> None:
    response = f"<think>\n{thinking}\n</think>\n\n{answer}"
    row = Row(id="r", messages=({"role": "user", "content": "?"},), response=response)
    stripped = strip_thinking(row)
    assert stripped is not None and stripped.response == answer
    assert "".join(split_thinking(response)) == response


def test_a_row_without_thinking_stays_and_one_without_answer_goes() -> None:
    tally = Tally()
    found = made(2, "\\boxed{{{n}}}") + made(1, "<think>\n{n}\n</think>\n\n")
    assert done(StripThinking(), found, tally) == found[:2]
    assert tally.dropped == {"no_answer_part": 1} and tally.changed["thinking_stripped"] == 0


def test_answer_only_leaves_the_box() -> None:
    tally = Tally()
    found = done(AnswerOnly(), [*made(3), *made(1, "no box {n}")], tally)
    assert [row.response for row in found] == ["\\boxed{0}", "\\boxed{1}", "\\boxed{2}"]
    assert tally.dropped == {"no_answer_part": 1}


@given(small=st.integers(1, 40), more=st.integers(0, 40), seed=st.integers(0, 5))
def test_smaller_subsets_lie_in_larger_ones(small: int, more: int, seed: int) -> None:
    found = made(90)
    few = done(Subset(rows=small, of=90, seed=seed), found)
    many = done(Subset(rows=small + more, of=90, seed=seed), found)
    assert len(few) == small and len(many) == small + more
    assert {row.id for row in few} <= {row.id for row in many}
    assert few == [row for row in found if row in few]  # in the source's order


def test_a_subset_is_chosen_by_its_seed() -> None:
    found = made(90)
    chosen = [{row.id for row in done(Subset(rows=30, of=90, seed=seed), found)} for seed in range(4)]
    assert len({frozenset(ids) for ids in chosen}) == 4


def test_a_subset_of_more_rows_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match=r"Subset\(rows=3, of=9\) got 5 rows only"):
        done(Subset(rows=3, of=9), made(5))
    with pytest.raises(SpecError, match=r"Subset\.rows=9 is more than of=3"):
        Subset(rows=9, of=3)


def test_pairs_take_the_partner_s_response_for_the_very_same_query() -> None:
    tally = Tally()
    partner = [row for row in reversed(made(6, "short \\boxed{{{n}}}")) if row.id != "r2"]
    found = done(PairedWith(source=FileRows(path="x")), made(4), tally, partner=iter(partner))
    assert [(row.question, row.response) for row in found] == [
        (f"What is {n}?", f"short \\boxed{{{n}}}") for n in (0, 1, 3)
    ]
    assert tally.dropped == {"no_partner": 1}


@pytest.mark.slow
def test_verified_rows_are_right_and_the_rest_is_counted_by_reason() -> None:
    tally = Tally()
    wrong = [Row(id="w", messages=made(1)[0].messages, response="\\boxed{\\frac{2}{4}}", gold="0.25")]
    right = [Row(id="e", messages=made(1)[0].messages, response="\\boxed{\\frac{1}{2}}", gold="0.5")]
    blind = [Row(id="b", messages=made(1)[0].messages, response="\\boxed{1}")]
    mute = made(1, "I do not know {n}")
    found = done(Verified(), [*wrong, *right, *blind, *mute], tally)
    assert [(row.id, row.verified) for row in found] == [("e", True)]
    assert tally.dropped == {"wrong_answer": 1, "no_gold_answer": 1, "no_answer_part": 1}


@pytest.mark.slow
def test_corrupted_rows_are_wrong_at_about_the_share_and_nest() -> None:
    def bad(share: float) -> dict[str, Row]:
        tally = Tally()
        found = done(Corrupted(share=share), made(600), tally)
        assert len(found) == 600
        wrong = {row.id: row for row in found if row.verified is False}
        assert tally.changed["answer_corrupted"] == len(wrong)
        for row in found:
            assert (last_boxed(row.response) == row.gold) is (row.id not in wrong)
        return wrong

    some, many = bad(0.2), bad(0.5)
    # Four standard deviations of a binomial count.
    assert abs(len(some) - 120) < 40 and abs(len(many) - 300) < 49
    assert some.keys() <= many.keys() and all(many[name] == row for name, row in some.items())


def test_rows_with_benchmark_problems_can_be_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    from rsft.benchmarks.cards import CARDS
    from rsft.benchmarks.source import problems

    tally = Tally()
    planted = [
        Row(id=f"p{n}", messages=({"role": "user", "content": problem.prompt},), response="\\boxed{1}")
        for n, problem in enumerate(problems(CARDS["letter-counting"], 5))
    ]
    found = made(9)
    assert done(WithoutBenchmarks(benchmarks=("letter-counting",)), [*planted, *found], tally) == found
    assert tally.dropped == {"benchmark_overlap": 5}


COUNTDOWN = GeneratedRows(task="countdown", style="long-cot", summary=True)
GSM = GeneratedRows(task="gsm-symbolic", style="long-cot", summary=True)


def test_a_summary_says_the_steps_without_the_search() -> None:
    for row in rows(DataSpec(name="d", source=COUNTDOWN, transforms=(StripThinking(),), rows=20), Tally()):
        *steps, boxed = row.response.splitlines()
        assert len(steps) == 2 and boxed.startswith("\\boxed{")
        for step in steps:
            left, _, right = step.partition(" = ")
            assert eval(left) == int(right)  # our own arithmetic, digits and signs alone
        assert "Try" not in row.response


def test_harder_problems_are_one_setting_away() -> None:
    hard = GeneratedRows(
        task="countdown", style="long-cot", config={"min_numbers": 4, "max_numbers": 4}, search_lines=60
    )
    found = list(rows(DataSpec(name="d", source=hard, rows=10), Tally()))
    lines = [row.response.split("\n")[1] for row in found]
    assert all(line.count(",") == 4 for line in lines)  # four numbers and the target


def test_mixtures_draw_by_weight_and_keep_each_part_s_order() -> None:
    source = MixtureRows(parts=(Part(source=COUNTDOWN, weight=3), Part(source=GSM, weight=1)))
    data = DataSpec(name="mix", source=source, rows=120)
    found = list(rows(data, Tally()))
    assert found == list(rows(data, Tally())) and len(found) == 120
    parts = {task: [row for row in found if row.id.startswith(task)] for task in ("countdown", "gsm")}
    assert abs(len(parts["countdown"]) - 90) < 20  # four standard deviations
    for mine in parts.values():
        numbers = [int(row.id.rpartition("-")[2]) for row in mine]
        assert numbers == sorted(numbers)


def test_transforms_work_inside_the_parts_of_a_mixture() -> None:
    parts = (
        Part(source=COUNTDOWN, transforms=(AnswerOnly(),), weight=1),
        Part(source=GSM, transforms=(StripThinking(),), weight=1),
    )
    found = list(rows(DataSpec(name="mix", source=MixtureRows(parts=parts), rows=20), Tally()))
    assert len(found) == 20 and not any("think>" in row.response for row in found)


def test_a_variant_s_fingerprint_sees_every_file_it_reads(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for path in (first, second):
        path.write_text(json.dumps({"prompt": "?", "response": "!"}) + "\n")
    paired = PairedWith(source=FileRows(path=str(second)))
    data = DataSpec(name="d", source=FileRows(path=str(first)), transforms=(paired,), rows=1)
    before = fingerprint(data)
    second.write_text(second.read_text() + "\n")
    assert before and fingerprint(data) != before
    assert fingerprint(DataSpec(name="d", source=COUNTDOWN, rows=1)) is None


def test_an_unknown_variant_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="'countdown-cott'; the nearest is 'countdown-cot'"):
        variant("countdown-cott")


def lines(path: Path, found: Iterator[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in found))
    return str(path)


def test_numina_style_pairs_through_files(tmp_path: Path) -> None:
    """The same queries, another source's short solutions, in another order and with other white space."""
    order = list(range(30))
    random.Random(0).shuffle(order)
    long = lines(tmp_path / "long.jsonl", ({"prompt": f"Q {n}?", "response": "x" * 99} for n in range(20)))
    short = lines(tmp_path / "short.jsonl", ({"prompt": f"Q  {n}?\n", "response": str(n)} for n in order))
    paired = PairedWith(source=FileRows(path=short))
    data = DataSpec(name="d", source=FileRows(path=long), transforms=(paired,), rows=20)
    assert [row.response for row in rows(data, Tally())] == [str(n) for n in range(20)]
