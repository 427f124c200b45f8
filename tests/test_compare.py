"""Two storages compared: pairs of trials, paired differences with control, pages and tables, refusals."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_house_in_one_breath import page, run
from typer.testing import CliRunner

from rsft.analysis.paired import paired_difference
from rsft.cli import app
from rsft.errors import DataError, StorageError
from rsft.records import Problem, Score
from rsft.report.comparison import as_csv, markdown, render
from rsft.spec import BenchmarkUse, DataSpec, EvalSpec, GeneratedRows, SamplingSpec, TrainSpec
from rsft.storage import Storage
from rsft.sweep.compare import compare, pair_trials
from rsft.sweep.plan import make_plan

PROBLEMS = 60


def evaluation(*names: str, temperature: float = 0.6) -> EvalSpec:
    return EvalSpec(
        benchmarks=tuple(BenchmarkUse(name=name, problems=PROBLEMS) for name in names),
        sampling=SamplingSpec(samples=2, max_new_tokens=64, temperature=temperature),
        checkpoint_steps=(1, 2),
    )


def data(*names: str) -> tuple[DataSpec, ...]:
    source = GeneratedRows(task="gsm-symbolic", style="long-cot")
    return tuple(DataSpec(name=name, source=source, rows=16 + n) for n, name in enumerate(names))


def right_until(bound: int) -> Any:
    """Answers the first so many problems, at step 2 alone."""

    def answer(problem: Problem, step: int, sample: int) -> str:
        return f"\\boxed{{{problem.gold if step == 2 and int(problem.id) < bound else -1}}}"

    return answer


FIRST = page(name="first", data=data("cot", "extra"), lengths_steps=(2,), evaluation=evaluation("gcd"))
SECOND = page(
    name="second", data=data("cot"), lengths_steps=(2, 4), evaluation=evaluation("gcd", "chain-sum")
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Storage, Storage]:
    root = tmp_path_factory.mktemp("compared")
    storages = Storage(root / "a"), Storage(root / "b")
    run(FIRST, storages[0], answer=right_until(20))
    run(SECOND, storages[1], answer=right_until(50))
    return storages


def scores(values: Any) -> list[Score]:
    """One sample per problem: right where true."""
    shared: dict[str, Any] = {"where": None, "truncated": False, "tokens": 1, "answer": None}
    return [
        Score(
            problem=f"{n:04d}", sample=0, outcome="correct" if value else "wrong", raw=float(value), **shared
        )
        for n, value in enumerate(values)
    ]


def test_a_paired_difference_is_that_of_common_problems() -> None:
    random = np.random.default_rng(0)
    first = random.random(400) < 0.4
    second = np.where(random.random(400) < 0.25, True, first)
    found = paired_difference(scores(first), scores(second)[:390])
    assert found.problems == 390
    assert found.change.value == pytest.approx(second[:390].mean() - first[:390].mean())
    assert 0 < found.change.low < found.change.value < found.change.high and found.p < 1e-6
    back = paired_difference(scores(second)[:390], scores(first))
    assert back.change.value == pytest.approx(-found.change.value) and back.p == pytest.approx(
        found.p, rel=0.5
    )


def test_pairing_narrows_the_interval_and_no_difference_has_p_1() -> None:
    random = np.random.default_rng(1)
    first = random.random(300) < 0.5
    second = first.copy()
    second[:6] = ~second[:6]
    paired = paired_difference(scores(first), scores(second)).change
    apart = paired_difference(scores(first), scores(random.permutation(second))).change
    assert paired.high - paired.low < 0.5 * (apart.high - apart.low)
    assert paired_difference(scores(first), scores(first)).p == 1.0
    with pytest.raises(DataError):
        paired_difference(scores(first[:1]), scores(second))


def test_shared_cells_are_compared_and_the_rest_is_named(both: tuple[Storage, Storage]) -> None:
    first, second = make_plan(FIRST, both[0]), make_plan(SECOND, both[1])
    found = compare(first, second)
    # One trial has two steps in both, and the base has its own row.
    assert [(row.where, row.benchmark, row.step) for row in found.rows] == [
        ("nano-1m, untrained", "gcd", 0),
        ("nano-1m · cot · 2st · seed 0", "gcd", 1),
        ("nano-1m · cot · 2st · seed 0", "gcd", 2),
    ]
    assert [found.way(n) for n in range(3)] == ["not shown", "not shown", "higher"]
    last = found.rows[2]
    assert last.difference.change.value == pytest.approx(30 / PROBLEMS)
    assert [row.difference.differing for row in found.rows] == [0, 0, 30]
    assert last.answers == (2 * PROBLEMS, 2 * PROBLEMS) and last.note == ""
    assert found.adjusted[2] == pytest.approx(min(1.0, 3 * last.difference.p))
    extra = next(t.id for t in first.trials if t.data.name == "extra")
    longer = next(t.id for t in second.trials if t.steps == 4)
    assert found.only == ([f"trial {extra}"], [f"trial {longer}", "benchmark chain-sum"])
    swapped = compare(second, first)
    assert [swapped.way(n) for n in range(3)] == ["not shown", "not shown", "lower"]


def test_trials_that_differ_elsewhere_are_paired_by_axes_and_say_so(
    both: tuple[Storage, Storage], tmp_path: Path
) -> None:
    train = TrainSpec(
        batch_sequences=4,
        max_tokens=2_000,
        micro_batch_tokens=4_000,
        device="cpu",
        workers=2,
        learning_rate=3e-4,
    )
    other = page(
        data=data("cot"), lengths_steps=(2,), train=train, evaluation=evaluation("gcd", temperature=0.9)
    )
    third = Storage(tmp_path / "third")
    run(other, third, answer=right_until(20))
    first, plan = make_plan(FIRST, both[0]), make_plan(other, third)
    ((one, two, by),) = pair_trials(first.trials, plan.trials)
    assert by == "axes" and one.id != two.id and one.data.name == two.data.name
    found = compare(first, plan)
    assert {found.way(n) for n in range(len(found.rows))} == {"not shown"}
    assert "axes" not in found.rows[0].note and "axes" in found.rows[2].note
    assert "sampling" in found.rows[0].note


def test_a_problem_that_reads_otherwise_is_another_one(both: tuple[Storage, Storage], tmp_path: Path) -> None:
    copy = Storage(tmp_path / "copy")
    run(FIRST, copy, answer=right_until(20))
    (name,) = copy.names("problems")
    rows = copy.read_lines(f"problems/{name}")
    copy.write_lines(
        f"problems/{name}", [row | {"gold": "0"} if n < 15 else row for n, row in enumerate(rows)]
    )
    found = compare(make_plan(FIRST, both[0]), make_plan(FIRST, copy))
    assert {row.difference.problems for row in found.rows} == {PROBLEMS - 15}


def test_page_and_tables_say_the_same_and_escape_names(both: tuple[Storage, Storage]) -> None:
    found = compare(make_plan(FIRST, both[0]), make_plan(SECOND, both[1]))
    table = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["b_is"] for row in table] == ["not shown", "not shown", "higher"]
    assert float(table[2]["difference"]) == pytest.approx(0.5) and table[0]["seed"] == ""
    assert "▲ +50.0 (" in markdown(found) and "only in B: benchmark chain-sum" in markdown(found)
    text = render(found)
    assert "▲ +50.0 (" in text and "<script" not in text
    assert text.index("▲ +50.0 (") < text.index("nano-1m, untrained")  # the surest first
    hostile = SECOND.model_copy(update={"name": "<script>alert(1)</script>"})
    named = compare(make_plan(FIRST, both[0]), make_plan(hostile, both[1]))
    assert "<script" not in render(named) and "&lt;script&gt;" in render(named)


def rsft(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["report", *words])
    return done.exit_code, " ".join(done.output.split())


def test_the_command_writes_where_it_is_told_and_beside_the_first_report(
    both: tuple[Storage, Storage], tmp_path: Path
) -> None:
    code, said = rsft(both[0].root, both[1].root, "--out", str(tmp_path / "out"))
    assert code == 0, said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "compare.csv",
        "compare.html",
        "compare.md",
    ]
    assert (
        "B is higher than A in 1, lower in 0; in 2 no difference is shown, and 2 of these score the same"
        in said
    )
    assert "only in B: trial" in said and said.endswith("compare.html")
    code, _ = rsft(both[0].root, both[1].root)
    assert code == 0 and both[0].exists("report/compare.html")


def test_mistakes_are_one_sentence(both: tuple[Storage, Storage], tmp_path: Path) -> None:
    empty = page(data=data("cot"), lengths_steps=(2,), evaluation=evaluation("gcd"))
    Storage(tmp_path / "open").write_json("sweep.json", {"spec": empty.model_dump(mode="json")})
    for words, part in (
        ((both[0].root, str(tmp_path / "none")), "holds no sweep"),
        (
            (both[0].root, str(tmp_path / "open")),
            "share no evaluated cell (1 trials and 1 benchmarks in common",
        ),
        ((both[0].root, both[1].root, both[0].root), "got 3 storages"),
        ((both[0].root, "--out", str(tmp_path)), "got --out with one storage"),
    ):
        code, said = rsft(*words)
        assert code == 2 and said.startswith("error: ") and part in said, said
    with pytest.raises(StorageError, match="share no evaluated cell"):
        compare(make_plan(FIRST, both[0]), make_plan(empty, Storage(tmp_path / "open")))
