"""Runs that were trained elsewhere are asked, judged and reported as trials are; fakes, no engines."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fakes import CANARY
from test_house_in_one_breath import learns, page, run
from typer.testing import CliRunner

from rsft import layout
from rsft.bases import SHIPPED
from rsft.cli import app
from rsft.errors import DataError, ModelError, SpecError, StorageError
from rsft.spec import BenchmarkUse, EvalSpec, GivenCheckpoint, GivenRun, SamplingSpec, SweepSpec
from rsft.storage import Storage
from rsft.sweep.forecast import forecast
from rsft.sweep.plan import make_plan
from rsft.sweep.standalone import given_sweep, no_longer_shown, refuse_other_sweeps, step_folders

EVALUATION = EvalSpec(
    benchmarks=(BenchmarkUse(name="gcd", problems=6),), sampling=SamplingSpec(samples=2, max_new_tokens=64)
)


def copied(folder: Path, **config: Any) -> Path:
    """A model folder whose weights' hash is its own."""
    shutil.copytree(SHIPPED / "nano-1m", folder)
    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(facts | {"transformers_version": folder.name} | config))
    return folder


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """A run's folder as other trainers leave it."""
    folder = tmp_path / "math run"
    for step in (40, 10):
        copied(folder / f"checkpoint-{step}")
    (folder / "logs_10").mkdir()
    (folder / "README.md").write_text("about")
    return folder


def asked(sweep: SweepSpec, storage: Storage, **options: Any) -> tuple[dict[str, Any], list[Any]]:
    after, trainer, generator = run(sweep, storage, **options)
    assert trainer.trained == []
    return after, [(one[1], one[2]) for one in generator.answered]


def test_a_folder_of_steps_becomes_a_curve_in_the_table_with_the_base_as_step_0(
    tmp_path: Path, steps: Path
) -> None:
    storage = Storage(tmp_path / "runs")
    sweep = given_sweep("other", [str(steps)], EVALUATION, "cpu", "nano-1m")
    after, answered = asked(sweep, storage)
    assert after["cells"] == {"done": 3, "failed": 0, "open": 0}
    assert answered == [(0, "gcd"), (10, "gcd"), (40, "gcd")]
    table = pq.read_table(storage.path(layout.CELLS)).to_pandas()
    rows = table[table.metric == "accuracy"]
    assert list(rows.step) == [0, 10, 40] and set(rows.data) == {"math-run"} and set(rows.base) == {"nano-1m"}
    assert list(rows.value) == [0.0, 5 / 6, 5 / 6]


def test_a_step_that_is_added_later_is_all_that_is_asked(tmp_path: Path, steps: Path) -> None:
    storage = Storage(tmp_path / "runs")
    asked(given_sweep("other", [str(steps)], EVALUATION, "cpu", "nano-1m"), storage)
    copied(steps / "checkpoint-80")
    sweep = given_sweep("other", [str(steps)], EVALUATION, "cpu", "nano-1m")
    assert asked(sweep, storage)[1] == [(80, "gcd")]
    alone = given_sweep("other", [str(steps / "checkpoint-40"), "nano-1m"], EVALUATION, "cpu")
    assert asked(alone, storage)[1] == [], "the same weights, whatever they are taken for"


def test_a_trial_of_ours_brings_its_base_and_its_canaries(tmp_path: Path) -> None:
    trial = tmp_path / "runs" / "trials" / "nano-1m__cot__x"
    Storage(trial).write_json("trial.json", {"model": {"source": "nano-1m"}})
    for step in (2, 4):
        folder = copied(trial / "checkpoints" / f"step_{step:06d}")
        marker = {"step": step, "target_tokens": 50 * step, "canary": {"ids": [9], "logprobs": []}}
        (folder / "checkpoint.json").write_text(json.dumps(marker))
    storage = Storage(tmp_path / "evaluated")
    for named in (trial, trial / "checkpoints"):
        sweep = given_sweep("again", [str(named)], EVALUATION, "cpu")
        assert [run.name for run in sweep.given] == [trial.name] and sweep.models[0].source == "nano-1m"
    asked(sweep, storage)
    table = pq.read_table(storage.path(layout.CELLS)).to_pandas()
    assert dict(zip(table.step, table.target_tokens, strict=True)) == {0: 0, 2: 100, 4: 200}
    records = list(Path(storage.root).glob("bases/*/base.json"))
    assert len(records) == 1, "of the base alone a canary was computed"
    assert json.loads(records[0].read_text())["canary"]["ids"] == CANARY.ids


def test_checkpoints_of_another_shape_get_an_engine_of_their_own(tmp_path: Path) -> None:
    from unittest.mock import MagicMock

    from rsft.sweep.evaluate import answer_jobs

    folder = tmp_path / "run"
    copied(folder / "step_1", vocab_size=2_049)
    copied(folder / "step_2", use_cache=False)
    sweep = given_sweep("shapes", [str(folder)], EVALUATION, "cpu", "nano-1m")
    plan = make_plan(sweep, Storage(tmp_path / "runs"))
    engines = MagicMock(canary=lambda model, base: CANARY)
    jobs = [[task.step for task in job.tasks] for job in answer_jobs(plan, engines)]
    assert jobs == [[0, 2], [1]], "what a library writes about itself tells no engines apart"


def test_steps_without_a_base_and_twins_are_one_sentence(tmp_path: Path, steps: Path) -> None:
    with pytest.raises(ModelError, match=r"holds checkpoints of steps 10, 40, .* --base"):
        given_sweep("other", [str(steps)], EVALUATION, "cpu")
    command = ["evaluate", str(steps), "--benchmarks", "gcd", "--storage", str(tmp_path / "s")]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 2 and "--base" in found.output and not (tmp_path / "s").exists()
    with pytest.raises(ModelError, match="--base 'nano-3m' is of step checkpoints"):
        given_sweep("other", ["nano-1m"], EVALUATION, "cpu", "nano-3m")
    copied(steps / "copy_0010")
    with pytest.raises(ModelError, match="are both of step 10"):
        step_folders(steps)
    twins = (GivenCheckpoint(step=1, source="a"), GivenCheckpoint(step=1, source="b"))
    with pytest.raises(SpecError, match="two checkpoints of step 1"):
        GivenRun(name="r", model="m", checkpoints=twins)


def test_a_benchmark_that_cannot_be_asked_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"Problem": "Why?"}\n' * 30)
    evaluation = EvalSpec(benchmarks=("gcd", f"aime-2024@{tmp_path / 'rows.jsonl'}"))
    with pytest.raises(DataError, match="row 0 of benchmark aime-2024"):
        run(given_sweep("bad", ["nano-1m"], evaluation, "cpu"), Storage(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_the_command_asks_as_many_of_each_as_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[EvalSpec] = []
    monkeypatch.setattr(
        "rsft.sweep.start.evaluate_only", lambda models, evaluation, *_: asked.append(evaluation)
    )
    found = CliRunner().invoke(
        app, ["evaluate", "nano-1m", "--benchmarks", "aime-2024, gcd", "--problems", "100"]
    )
    assert found.exit_code == 0, found.output
    assert [(use.name, use.problems) for use in asked[0].benchmarks] == [("aime-2024", 30), ("gcd", 100)]
    assert (asked[0].sampling.samples, asked[0].sampling.max_new_tokens) == (None, None)


def test_models_of_one_name_keep_apart(tmp_path: Path) -> None:
    folders = [str(copied(tmp_path / run / "step_40")) for run in ("a", "b")]
    sweep = given_sweep("names", [*folders, folders[0], "nano-1m"], EVALUATION, "cpu")
    assert [model.label for model in sweep.models] == ["a-step_40", "b-step_40", "nano-1m"]


def test_they_stand_beside_trials_that_are_trained_and_keep_their_weights(
    tmp_path: Path, steps: Path
) -> None:
    given = GivenRun(
        name="elsewhere",
        model="nano-1m",
        checkpoints=(GivenCheckpoint(step=40, source=str(steps / "checkpoint-40")),),
    )
    sweep = page(given=(given,), keep_weights="until-evaluated")
    storage = Storage(tmp_path / "house")
    facts = forecast(make_plan(sweep, storage))
    plain = forecast(make_plan(page(), storage))
    assert facts["n_trials"] == plain["n_trials"] + 1 and facts["n_steps"] == plain["n_steps"]
    assert [t["id"] for t in facts["trials"]][:-1] == [t["id"] for t in plain["trials"]]
    after, trainer, _ = run(sweep, storage)
    assert len(trainer.trained) == 4 and after["trials"] == {"done": 5, "failed": 0, "open": 0}
    assert (steps / "checkpoint-40" / "model.safetensors").exists()
    with pytest.raises(SpecError, match="names model='nano-9m'"):
        page(given=(given.model_copy(update={"model": "nano-9m"}),))


@pytest.mark.slow
def test_the_storage_is_reported_and_graded_again_as_a_sweeps(tmp_path: Path, steps: Path) -> None:
    storage = Storage(tmp_path / "runs" / "other")
    sweep = given_sweep("other", [str(steps), "nano-3m"], EVALUATION, "cpu", "nano-1m")
    asked(sweep, storage, answer=learns, report=True)
    page_text = storage.read_text(f"{layout.REPORT}/index.html")
    assert "math-run" in page_text and "2 of 2 trials done, 4 of 4 cells; nothing failed" in page_text
    assert "no later step yet" not in page_text, "of a model by itself none is awaited"
    assert "as given" in page_text and not re.search(r"\b0st", page_text), "it has no training length"
    shutil.rmtree(steps)  # what was asked is known without the weights
    for command in (["status", storage.root], ["report", storage.root], ["grade", storage.root]):
        found = CliRunner().invoke(app, command)
        assert found.exit_code == 0, found.output


def test_models_that_tables_no_longer_show_are_named(tmp_path: Path, steps: Path) -> None:
    storage = Storage(tmp_path / "runs")
    first = given_sweep("names", [str(steps)], EVALUATION, "cpu", "nano-1m")
    assert no_longer_shown(storage, first) == ""
    run(first, storage)
    assert no_longer_shown(storage, first) == ""
    copied(steps / "checkpoint-80")
    assert no_longer_shown(storage, given_sweep("names", [str(steps)], EVALUATION, "cpu", "nano-1m")) == ""
    other = given_sweep("names", ["nano-1m", str(steps / "checkpoint-10")], EVALUATION, "cpu")
    assert f"note: {steps / 'checkpoint-40'} answered here before" in no_longer_shown(storage, other)


def test_a_sweep_that_trains_is_not_replaced(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    run(page(), storage)
    with pytest.raises(StorageError, match="which trains; give another --name"):
        refuse_other_sweeps(storage)
