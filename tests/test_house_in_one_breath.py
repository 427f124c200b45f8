"""From a page to a report with fake engines: our logic alone, no Ray, no torch, in seconds."""

from __future__ import annotations

import io
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from fakes import FakeGenerator, FakeTrainer, GraderHere, fake_engines
from rich.console import Console

from rsft import layout
from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.errors import DataError, StorageError
from rsft.records import Problem
from rsft.spec import (
    BenchmarkUse,
    DataSpec,
    EvalSpec,
    FileRows,
    GeneratedRows,
    ModelSpec,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
    WithoutBenchmarks,
)
from rsft.storage import Storage
from rsft.sweep.live import Progress
from rsft.sweep.plan import make_plan
from rsft.sweep.run import run_sweep
from rsft.tracking.tracker import SilentTracker

METRICS = {
    *("accuracy", "accuracy_finished", "truncated", "no_answer"),
    *("accuracy@16 tokens", "accuracy@32 tokens"),  # a quarter and a half of the budget
    *("response_tokens", "response_tokens_median", "response_tokens_p95"),
    *("thinking_tokens", "thinking_tokens_median", "thinking_tokens_p95", "repetition", "looping"),
}


def page(**changes: Any) -> SweepSpec:
    facts: dict[str, Any] = {
        "name": "house",
        "models": (ModelSpec(source="nano-1m"),),
        "data": tuple(
            DataSpec(name=style, source=GeneratedRows(task="gsm-symbolic", style=style), rows=16)
            for style in ("long-cot", "answer-only")
        ),
        "lengths_steps": (2, 4),
        "train": TrainSpec(
            batch_sequences=4, max_tokens=2_000, micro_batch_tokens=4_000, device="cpu", workers=2
        ),
        "evaluation": EvalSpec(
            benchmarks=(BenchmarkUse(name="gsm-symbolic", problems=6), BenchmarkUse(name="gcd", problems=6)),
            sampling=SamplingSpec(samples=2, max_new_tokens=64),
            checkpoint_steps=(1, 2, 4),
        ),
    }
    return SweepSpec(**(facts | changes))


def learns(problem: Problem, step: int, sample: int) -> str:
    """Right on more problems the longer it has trained; now and then cut at the limit."""
    if int(problem.id) == 5:
        return "I will think about it for a while and"
    return f"\\boxed{{{problem.gold if int(problem.id) < step else -1}}}"


def run(
    sweep: SweepSpec,
    storage: Storage,
    trainer: FakeTrainer | None = None,
    answer: Any = learns,
    report: bool = False,
    **options: Any,
) -> tuple[dict[str, Any], FakeTrainer, FakeGenerator]:
    trainer, generator = trainer or FakeTrainer(), FakeGenerator(answer, **options)
    with ExitStack() as stack:
        if not report:  # figures and grading processes take seconds; some tests look at the real ones
            stack.enter_context(patch("rsft.sweep.results.write_report", return_value=""))
            stack.enter_context(patch("rsft.scoring.references.GraderProcess", GraderHere))
        progress = stack.enter_context(Progress(storage, Console(file=io.StringIO())))
        after = run_sweep(sweep, storage, fake_engines(trainer, generator), SilentTracker(), progress)
    return after, trainer, generator


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(tmp_path_factory.mktemp("house") / "house")
    after, trainer, _ = run(page(), storage, report=True)
    assert after["trials"] == {"done": 4, "failed": 0, "open": 0}
    assert len(trainer.trained) == 4
    return storage


def test_the_house_needs_no_engine(finished: Storage) -> None:
    assert {"ray", "vllm", "mlflow", "deepspeed"}.isdisjoint(sys.modules) or "conftest_engines" in sys.modules


def test_the_table_has_a_row_for_each_trial_step_benchmark_and_metric(finished: Storage) -> None:
    table = pq.read_table(finished.path(layout.CELLS)).to_pandas()
    plan = make_plan(page(), finished)
    wanted = {
        (trial.id, cell.step, cell.question.card.name, metric)
        for trial in plan.trials
        for cell in plan.cells(trial)
        for metric in METRICS | ({"pass@2"} if cell.question.samples == 2 else set())
    }
    keys = list(zip(table.trial, table.step, table.benchmark, table.metric, strict=True))
    assert set(keys) == wanted and len(keys) == len(wanted)


def test_scores_are_those_of_the_canned_answers(finished: Storage) -> None:
    table = pq.read_table(finished.path(layout.CELLS)).to_pandas()
    gcd = table[(table.benchmark == "gcd") & (table.length_steps == 4)]
    accuracy = gcd[gcd.metric == "accuracy"].groupby("step").value.first().to_dict()
    assert accuracy == {0: 0.0, 1: pytest.approx(1 / 6), 2: pytest.approx(2 / 6), 4: pytest.approx(4 / 6)}
    cut = gcd[gcd.metric == "truncated"].value
    assert cut.tolist() == [pytest.approx(1 / 6)] * len(cut)
    finished_only = gcd[(gcd.metric == "accuracy_finished") & (gcd.step == 4)]
    assert finished_only.value.tolist() == [pytest.approx(4 / 5)] * 2


def test_running_again_computes_nothing(finished: Storage) -> None:
    before = finished.read_bytes(layout.CELLS)
    after, trainer, generator = run(page(), finished)
    assert trainer.trained == [] and generator.answered == []
    assert after["cells"]["open"] == 0
    assert finished.read_bytes(layout.CELLS) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "trained", "answered"),
    [
        ({"seeds": (0, 1)}, 4, {"gsm-symbolic": 10, "gcd": 10}),
        (
            {
                "evaluation": page().evaluation.model_copy(
                    update={
                        "benchmarks": (*page().evaluation.benchmarks, BenchmarkUse(name="lcm-x", problems=6))
                    }
                )
            },
            0,
            {},
        ),
    ],
    ids=["seed", "unknown benchmark"],
)
def test_what_is_added_is_all_that_is_computed(
    tmp_path: Path, change: dict[str, Any], trained: int, answered: dict[str, int]
) -> None:
    storage = Storage(tmp_path / "house")
    run(page(), storage)
    if not answered:
        with pytest.raises(ValueError, match="lcm-x"):
            run(page(**change), storage)
        return
    after, trainer, generator = run(page(**change), storage)
    assert len(trainer.trained) == trained
    counts = {name: sum(b == name for _, _, b in generator.answered) for name in answered}
    assert counts == answered  # 2 variants x (2 + 3) steps; the base's cells are not asked again
    assert after["cells"]["open"] == 0


@pytest.mark.slow
def test_an_added_benchmark_trains_nothing(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    run(page(), storage)
    more = (*page().evaluation.benchmarks, BenchmarkUse(name="chain-sum", problems=6))
    evaluation = page().evaluation.model_copy(update={"benchmarks": more})
    _, trainer, generator = run(page(evaluation=evaluation), storage)
    assert trainer.trained == []
    assert {benchmark for _, _, benchmark in generator.answered} == {"chain-sum"}


@pytest.mark.slow
def test_a_failed_trial_is_a_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    broken = next(trial.id for trial in make_plan(page(), storage).trials)
    after, trainer, _ = run(page(), storage, FakeTrainer(lambda trial_id: trial_id == broken), report=True)
    assert after["trials"] == {"done": 3, "failed": 1, "open": 0}
    (failure,) = after["failures"]
    assert failure["trial"] == broken and failure["kind"] == "out of memory"
    assert "micro_batch_tokens" in failure["next"]
    assert broken in storage.read_text(f"{layout.REPORT}/index.html")
    assert 'id="verdicts"' in storage.read_text(f"{layout.REPORT}/index.html")
    mended, trainer, _ = run(page(), storage)
    assert trainer.trained == [broken]
    assert mended["failures"] == [] and mended["cells"]["open"] == 0


@pytest.mark.slow
def test_a_dead_engine_fails_its_cells_alone_and_is_mended_by_running_again(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    after, _, _ = run(page(), storage, breaks=lambda trial_id, step: step == 4)
    assert after["cells"]["failed"] == 4 and after["cells"]["open"] == 0
    assert {failure["kind"] for failure in after["failures"]} == {"engine death"}
    mended, _, generator = run(page(), storage)
    assert mended["cells"]["failed"] == 0
    assert {step for _, step, _ in generator.answered} == {4}


def test_a_foreign_storage_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    storage.write_json(layout.SWEEP, {"spec": {"name": "other"}, "provenance": {}})
    with pytest.raises(StorageError, match="belongs to sweep 'other'"):
        run(page(), storage)
    assert storage.names() == [layout.SWEEP]


def test_rows_that_are_all_too_long_stop_the_sweep_before_training(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    short = TrainSpec(batch_sequences=4, max_tokens=20, micro_batch_tokens=40, device="cpu", workers=2)
    trainer = FakeTrainer()
    with pytest.raises(DataError, match=r"16 too long; max_tokens=20"):
        run(page(train=short), storage, trainer)
    assert trainer.trained == []


def test_the_resolved_spec_is_kept_and_gives_the_same_plan(finished: Storage) -> None:
    stored = SweepSpec(**json.loads(finished.read_text(layout.SWEEP))["spec"])
    plan = make_plan(stored, finished)
    assert [trial.id for trial in plan.trials] == [trial.id for trial in make_plan(page(), finished).trials]


def test_a_file_that_changed_under_a_trial_is_refused(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "2 + 2?", "response": "4"}\n' * 16)
    data = (DataSpec(name="own", source=FileRows(path=str(rows)), rows=16),)
    storage = Storage(tmp_path / "house")
    run(page(data=data), storage)
    rows.write_text('{"prompt": "2 + 2?", "response": "5"}\n' * 16)
    with pytest.raises(DataError, match="file of variant 'own' has changed"):
        run(page(data=data), storage)


@pytest.mark.slow
def test_training_rows_that_contain_the_test_are_found_and_scored_without(tmp_path: Path) -> None:
    asked = problems(CARDS["gcd"], 6)
    planted = [{"id": f"copy-{n}", "prompt": asked[n].prompt.upper(), "response": "1"} for n in (0, 2)]
    own = [{"prompt": f"Name a word that rhymes with number {n}.", "response": "word"} for n in range(14)]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(record) + "\n" for record in (*planted, *own)))
    sweep = page(data=(DataSpec(name="own", source=FileRows(path=str(rows)), rows=16),), lengths_steps=(4,))
    storage = Storage(tmp_path / "house")

    def two_right(problem: Problem, step: int, sample: int) -> str:
        return f"\\boxed{{{problem.gold if problem.id < '00002' else 7}}}"

    run(sweep, storage, answer=two_right, report=True)
    table = pq.read_table(storage.path(layout.CELLS)).to_pandas()
    found = table[(table.metric == "accuracy") & (table.step == 2)].set_index("benchmark")
    assert found.flagged.to_dict() == {"gcd": 2, "gsm-symbolic": 0}
    assert found.value["gcd"] == pytest.approx(2 / 6)  # problems 0 and 1 are answered rightly
    assert found.value_unflagged["gcd"] == pytest.approx(1 / 4)  # 0 and 2 are left out
    assert found.value_unflagged["gsm-symbolic"] == found.value["gsm-symbolic"]
    shown = (tmp_path / "house" / "report" / "index.html").read_text()
    assert "copy-0 holds gcd 00000 (exact)" in shown


def test_rows_that_contain_the_test_can_be_left_out(tmp_path: Path) -> None:
    asked = problems(CARDS["gcd"], 500)[3]
    rows = tmp_path / "rows.jsonl"
    records = [
        {"prompt": asked.prompt, "response": "1"},
        *[{"prompt": f"{n}?", "response": "1"} for n in range(16)],
    ]
    rows.write_text("".join(json.dumps(record) + "\n" for record in records))
    without = (WithoutBenchmarks(benchmarks=("gcd",)),)
    data = DataSpec(name="own", source=FileRows(path=str(rows)), transforms=without, rows=16)
    storage = Storage(tmp_path / "house")
    run(page(data=(data,), lengths_steps=(4,)), storage)
    (name,) = storage.names("prepared")
    facts = storage.read_json(layout.certificate(name, "json"))
    assert facts["dropped"] == {"benchmark_overlap": 1} and facts["rows_kept"] == 16
    assert not pq.read_table(storage.path(layout.CELLS)).column("flagged").to_numpy().any()
