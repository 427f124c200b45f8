"""Specs: what is refused and how it is said, what a sweep expands to, what a trial's id depends on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rsft.errors import SpecError
from rsft.spec import (
    BenchmarkUse,
    Cell,
    DataSpec,
    EvalSpec,
    FileRows,
    GeneratedRows,
    LogSpaced,
    Match,
    ModelSpec,
    Override,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
    Trial,
)
from rsft.spec.train import HARDWARE_FIELDS

TRAIN: dict[str, Any] = {
    "batch_sequences": 8,
    "max_tokens": 512,
    "micro_batch_tokens": 2_048,
    "workers": 1,
}
COUNTDOWN = GeneratedRows(task="countdown", style="long-cot")


def variant(name: str = "cot", rows: int = 80, **fields: Any) -> DataSpec:
    return DataSpec(**({"name": name, "source": COUNTDOWN, "rows": rows} | fields))


def sweep(**fields: Any) -> SweepSpec:
    """Two models, two variants, two lengths, unless told otherwise."""
    page: dict[str, Any] = {
        "name": "page",
        "models": (ModelSpec(source="nano-1m"), ModelSpec(source="org/big")),
        "data": (variant("cot"), variant("answer")),
        "lengths_steps": (5, 20),
        "train": TrainSpec(**TRAIN),
        "evaluation": EvalSpec(benchmarks=("gcd",)),
    }
    return SweepSpec(**(page | fields))


def trials(page: SweepSpec) -> list[Trial]:
    return list(page.trials(lambda model: f"weights of {model.source}"))


def ids(page: SweepSpec) -> list[str]:
    return [trial.id for trial in trials(page)]


def axes(page: SweepSpec) -> list[tuple[str, str, str, int]]:
    return [(t.model.label, t.data.name, t.length.label, t.seed) for t in trials(page)]


REFUSED: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "negative length in steps": (lambda: sweep(lengths_steps=(5, -3)), ("lengths_steps", "-3", "positive")),
    "zero length in steps": (lambda: sweep(lengths_steps=(0,)), ("lengths_steps", "0", "positive")),
    "negative length in epochs": (lambda: sweep(lengths_epochs=(-2,)), ("lengths_epochs", "-2", "positive")),
    "no length": (lambda: sweep(lengths_steps=()), ("no training length", "lengths_steps", "lengths_epochs")),
    "cell with steps and epochs": (
        lambda: Cell(model="nano-1m", data="cot", steps=4, epochs=2),
        ("Cell", "nano-1m", "steps=4", "epochs=2", "just one"),
    ),
    "cell without a length": (
        lambda: Cell(model="nano-1m", data="cot"),
        ("Cell", "nano-1m", "steps=None", "epochs=None", "needs steps or epochs"),
    ),
    "cell of no steps": (lambda: Cell(model="m", data="d", steps=0), ("Cell.steps=0", "greater than 0")),
    "unknown field": (lambda: TrainSpec(lerning_rate=1e-3), ("TrainSpec", "lerning_rate", "spelling")),
    "unknown field of a nested spec": (
        lambda: sweep(train={"learning_rat": 1e-3}),
        ("TrainSpec", "learning_rat"),
    ),
    "missing field": (lambda: DataSpec(name="a", source=COUNTDOWN), ("DataSpec.rows", "missing")),
    "models of one name": (
        lambda: sweep(models=(ModelSpec(source="a/base"), ModelSpec(source="b/base"))),
        ("models", "'base'", "twice"),
    ),
    "variants of one name": (lambda: sweep(data=(variant("x"), variant("x"))), ("data", "'x'", "twice")),
    "a length twice": (lambda: sweep(lengths_steps=(5, 5)), ("lengths", "'5st'", "twice")),
    "a seed twice": (lambda: sweep(seeds=(1, 1)), ("seeds", "1", "twice")),
    "a benchmark twice": (lambda: EvalSpec(benchmarks=("gcd", "gcd")), ("benchmarks", "'gcd'", "twice")),
    "checkpoint beyond the end": (
        lambda: sweep(evaluation=EvalSpec(benchmarks=("gcd",), checkpoint_steps=(5, 21))),
        ("checkpoint_steps", "21", "20 steps"),
    ),
    "checkpoint below one": (
        lambda: EvalSpec(benchmarks=("gcd",), checkpoint_steps=(0, 4)),
        ("checkpoint_steps", "0", "start at 1"),
    ),
    "samples at temperature 0": (
        lambda: SamplingSpec(temperature=0, samples=4),
        ("samples=4", "temperature=0", "samples=1"),
    ),
    "a benchmark's samples at temperature 0": (
        lambda: EvalSpec(
            benchmarks=(BenchmarkUse(name="gcd", samples=2),), sampling=SamplingSpec(temperature=0)
        ),
        ("benchmarks", "temperature=0", "samples=1"),
    ),
    "rows that fit in no forward pass": (
        lambda: TrainSpec(max_tokens=4_096, micro_batch_tokens=4_095),
        ("micro_batch_tokens=4095", "max_tokens=4096", "4096 or more"),
    ),
    "fewer rows than workers": (
        lambda: TrainSpec(batch_sequences=4, workers=8),
        ("batch_sequences=4", "workers=8", "8 or more"),
    ),
    "offload without sharding": (
        lambda: TrainSpec(offload=True, zero_stage=1),
        ("offload", "zero_stage", "1", "zero_stage=2"),
    ),
    "unknown model in exclude": (
        lambda: sweep(exclude=(Match(model="nano-9m"),)),
        ("exclude", "model='nano-9m'", "nano-1m"),
    ),
    "unknown data in exclude": (
        lambda: sweep(exclude=(Match(data="cott"),)),
        ("exclude", "'cott'", "answer"),
    ),
    "unknown model in overrides": (
        lambda: sweep(overrides=(Override(model="nano-9m", train={"weight_decay": 0.1}),)),
        ("overrides", "model='nano-9m'", "nano-1m"),
    ),
    "unknown model in cells": (
        lambda: sweep(cells=(Cell(model="nano-9m", data="cot", steps=3),)),
        ("cells", "model='nano-9m'", "nano-1m"),
    ),
    "unknown data in cells": (
        lambda: sweep(cells=(Cell(model="nano-1m", data="cott", steps=3),)),
        ("cells", "data='cott'", "answer"),
    ),
    "an override without a setting": (lambda: Override(train={}), ("Override.train={}",)),
    "an override of no setting of TrainSpec": (
        lambda: sweep(overrides=(Override(train={"lr": 1e-3}),)),
        ("TrainSpec", "'lr'"),
    ),
    "an override with a value out of range": (
        lambda: sweep(overrides=(Override(train={"learning_rate": 7.0}),)),
        ("TrainSpec.learning_rate=7.0", "less than 1"),
    ),
    "fewer rows than a batch": (
        lambda: sweep(data=(variant(rows=7),), lengths_steps=(), lengths_epochs=(1,)),
        ("rows=7", "batch_sequences=8", "more rows"),
    ),
    "everything excluded": (lambda: sweep(exclude=(Match(),)), ("exclude", "no trial")),
    "no model": (lambda: sweep(models=()), ("SweepSpec.models=()",)),
    "no benchmark": (lambda: EvalSpec(benchmarks=()), ("EvalSpec.benchmarks=()",)),
    "a name that is a path": (lambda: sweep(name="a/b"), ("SweepSpec.name='a/b'",)),
    "a negative learning rate": (
        lambda: TrainSpec(learning_rate=-1.0),
        ("TrainSpec.learning_rate=-1.0", "greater than 0"),
    ),
    "an unknown schedule": (lambda: TrainSpec(schedule="lineal"), ("TrainSpec.schedule='lineal'", "cosine")),
    "an unknown source": (
        lambda: DataSpec(name="a", rows=1, source={"kind": "s3", "path": "x"}),
        ("DataSpec.source", "s3", "generated"),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_page_is_refused_in_one_sentence_with_field_and_value(what: str) -> None:
    build, words = REFUSED[what]
    with pytest.raises(SpecError) as caught:
        build()
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert "\n" not in message
    assert "pydantic" not in message.lower()
    assert message.endswith(".")


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError):
        sweep().name = "other"  # type: ignore[misc]


def test_the_product_of_the_axes_has_the_model_slowest_and_the_seed_fastest() -> None:
    page = sweep(seeds=(0, 7))
    assert axes(page) == [
        (model, data, length, seed)
        for model in ("nano-1m", "big")
        for data in ("cot", "answer")
        for length in ("5st", "20st")
        for seed in (0, 7)
    ]
    assert len(set(ids(page))) == 16


def test_epochs_leave_out_the_incomplete_last_batch() -> None:
    page = sweep(data=(variant(rows=47),), lengths_steps=(), lengths_epochs=(1, 3))
    assert [trial.steps for trial in trials(page)] == [5, 15, 5, 15]


def test_a_listed_cell_stands_beside_the_product_with_its_own_settings() -> None:
    cell = Cell(model="big", data="cot", epochs=2, seed=3, train={"learning_rate": 1e-4})
    page = sweep(lengths_steps=(5,), cells=(cell,))
    assert len(trials(page)) == 5
    last = trials(page)[-1]
    assert axes(page)[-1] == ("big", "cot", "2ep", 3)
    assert (last.steps, last.train.learning_rate, last.recipe) == (20, 1e-4, "learning_rate=0.0001")


def test_a_setting_that_says_what_all_have_is_no_word_of_the_recipe() -> None:
    usual = trials(sweep())[0].train
    same, more = {"schedule": usual.schedule}, {"schedule": usual.schedule, "learning_rate": 1e-4}
    cells = [
        Cell(model="big", data="cot", steps=steps, train=train) for steps, train in ((9, same), (8, more))
    ]
    page = sweep(lengths_steps=(), cells=cells)
    assert [trial.recipe for trial in trials(page)] == ["default", "learning_rate=0.0001"]


def test_cells_alone_make_a_sweep() -> None:
    page = sweep(lengths_steps=(), cells=(Cell(model="big", data="cot", steps=9),))
    assert axes(page) == [("big", "cot", "9st", 0)]


def test_a_cell_that_the_product_has_already_is_one_trial() -> None:
    page = sweep(cells=(Cell(model="big", data="cot", steps=5),))
    assert ids(page) == ids(sweep())


def test_an_exclusion_takes_out_what_all_of_its_fields_match() -> None:
    page = sweep(exclude=(Match(model="big", steps=20), Match(data="answer", steps=5)))
    assert axes(page) == [
        ("nano-1m", "cot", "5st", 0),
        ("nano-1m", "cot", "20st", 0),
        ("nano-1m", "answer", "20st", 0),
        ("big", "cot", "5st", 0),
    ]


def test_an_exclusion_in_epochs_is_not_one_in_steps() -> None:
    page = sweep(lengths_epochs=(5,), exclude=(Match(epochs=5),))
    assert ids(page) == ids(sweep())


def test_an_exclusion_holds_for_listed_cells_too() -> None:
    page = sweep(cells=(Cell(model="big", data="cot", steps=9, seed=4),), exclude=(Match(seed=4),))
    assert ids(page) == ids(sweep())


def test_the_last_matching_override_wins_and_a_cell_wins_over_both() -> None:
    page = sweep(
        lengths_steps=(5,),
        overrides=(
            Override(train={"learning_rate": 1e-4, "weight_decay": 0.5}),
            Override(model="big", train={"learning_rate": 1e-5}),
        ),
        cells=(Cell(model="big", data="cot", steps=6, train={"learning_rate": 1e-6}),),
    )
    found = {(t.model.label, t.length.label): t.train for t in trials(page)}
    assert found["nano-1m", "5st"].learning_rate == 1e-4
    assert found["big", "5st"].learning_rate == 1e-5
    assert found["big", "6st"].learning_rate == 1e-6
    assert {train.weight_decay for train in found.values()} == {0.5}
    assert {train.batch_sequences for train in found.values()} == {8}, "the rest is the page's"


def test_listed_steps_beyond_a_shorter_trial_are_left_out_and_its_end_is_added() -> None:
    evaluation = EvalSpec(benchmarks=("gcd",), checkpoint_steps=(12, 2, 20, 4))
    page = sweep(evaluation=evaluation)
    assert [trial.checkpoint_steps for trial in trials(page)[:2]] == [(2, 4, 5), (2, 4, 12, 20)]


def test_log_spaced_steps_double() -> None:
    assert LogSpaced(count=6, first=2).steps(64) == (2, 4, 8, 16, 32, 64)


@given(count=st.integers(1, 40), first=st.integers(1, 2_000), last=st.integers(1, 100_000))
def test_log_spaced_steps_are_sorted_unique_and_end_at_the_last(count: int, first: int, last: int) -> None:
    steps = LogSpaced(count=count, first=first).steps(last)
    assert list(steps) == sorted(set(steps))
    assert steps[-1] == last
    assert 1 <= len(steps) <= count
    assert steps[0] >= min(first, last)


@given(last=st.integers(2, 10_000))
def test_log_spaced_steps_start_at_the_first(last: int) -> None:
    assert LogSpaced(count=8, first=1).steps(last)[0] == 1


OTHER_LEARNING: dict[str, Any] = {
    "learning_rate": 1e-4,
    "schedule": "constant",
    "warmup_share": 0.2,
    "min_lr_share": 0.1,
    "batch_sequences": 16,
    "max_tokens": 600,
    "betas": (0.9, 0.95),
    "epsilon": 1e-7,
    "weight_decay": 0.0,
    "clip_norm": 2.0,
    "precision": "fp32",
    "shuffle": False,
    "warmup_steps": 3,
    "decay_share": 0.1,
    "loss_reduction": "microbatch_sum",
    "micro_batch_sequences": 2,
    "batch_tokens": 100_000,
    "nonfinite": "skip",
    "lora": {"rank": 8},
}
OTHER_HARDWARE: dict[str, Any] = {
    "workers": 4,
    "device": "cpu",
    "zero_stage": 2,
    "offload": True,
    "micro_batch_tokens": 4_096,
    "resume_every_steps": 7,
    "gradient_checkpointing": True,
    "sequence_parallel": 2,
}


def test_every_training_setting_has_a_case_below() -> None:
    assert OTHER_LEARNING.keys() | OTHER_HARDWARE.keys() | {"optimizer"} == TrainSpec.model_fields.keys()
    assert OTHER_HARDWARE.keys() == HARDWARE_FIELDS


def only_id(**fields: Any) -> str:
    one: dict[str, Any] = {
        "models": (ModelSpec(source="a/base"),),
        "data": (variant(),),
        "lengths_steps": (5,),
    }
    (found,) = ids(sweep(**(one | fields)))
    return found


@pytest.mark.parametrize("field", OTHER_LEARNING)
def test_a_learning_setting_changes_the_id(field: str) -> None:
    assert only_id(train=TrainSpec(**(TRAIN | {field: OTHER_LEARNING[field]}))) != only_id()


def test_the_optimizer_changes_the_id_and_needs_whole_matrices() -> None:
    whole = TRAIN | {"zero_stage": 0, "precision": "fp32"}
    plain, other = (TrainSpec(**(whole | {"optimizer": name})) for name in ("adamw", "adafactor"))
    assert only_id(train=plain) != only_id(train=other)
    with pytest.raises(SpecError, match=r"optimizer='adafactor' needs whole matrices.*zero_stage=3"):
        TrainSpec(**(whole | {"optimizer": "adafactor", "zero_stage": 3}))


def test_under_microbatch_sum_the_number_of_workers_changes_what_is_learned() -> None:
    study = TRAIN | {"loss_reduction": "microbatch_sum", "micro_batch_sequences": 1}
    two, four = (TrainSpec(**(study | {"workers": workers})) for workers in (2, 4))
    assert only_id(train=two) != only_id(train=four)
    with pytest.raises(
        SpecError, match=r"batch_sequences=8 does not divide into micro-batches of 3 rows on 2"
    ):
        TrainSpec(**(study | {"workers": 2, "micro_batch_sequences": 3}))


@pytest.mark.parametrize("field", OTHER_HARDWARE)
def test_a_hardware_setting_keeps_the_id(field: str) -> None:
    changes = {"workers": 2, field: OTHER_HARDWARE[field]}
    assert only_id(train=TrainSpec(**(TRAIN | changes))) == only_id()
    override = Override(train=changes)
    assert only_id(overrides=(override,)) == only_id()


@pytest.mark.parametrize(
    "fields",
    [
        {"lengths_steps": (6,)},
        {"seeds": (1,)},
        {"models": (ModelSpec(source="b/base"),)},
        {"models": (ModelSpec(source="a/base", chat_template="{{ messages }}"),)},
        {"data": (variant(rows=81),)},
        {"data": (variant(too_long="truncate"),)},
        {"data": (variant(source=GeneratedRows(task="countdown", style="answer-only")),)},
        {"data": (variant(source=GeneratedRows(task="countdown", style="long-cot", seed=1)),)},
        {"data": (variant(source=FileRows(path="rows.jsonl")),)},
    ],
    ids=str,
)
def test_whatever_else_changes_the_weights_changes_the_id(fields: dict[str, Any]) -> None:
    assert only_id(**fields).rpartition("__")[2] != only_id().rpartition("__")[2]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "other"},
        {"evaluation": EvalSpec(benchmarks=("countdown", "gcd"), sampling=SamplingSpec(samples=3))},
        {"evaluation": EvalSpec(benchmarks=("gcd",), checkpoint_steps=(1, 2), engines=3)},
        {"models": (ModelSpec(source="a/base", parameters=12),)},
    ],
    ids=str,
)
def test_what_is_asked_and_what_it_is_called_keeps_the_id(fields: dict[str, Any]) -> None:
    assert only_id(**fields) == only_id()


def test_a_model_label_that_is_no_file_name_is_made_one() -> None:
    odd = only_id(models=(ModelSpec(source="a/Base v1:new"),))
    assert odd.startswith("base-v1-new__cot__5st-s0__")


def test_ids_are_the_same_in_another_process_with_another_hash_seed() -> None:
    code = (
        "import sys, json\n"
        "from rsft.spec import SweepSpec\n"
        "page = SweepSpec(**json.load(sys.stdin))\n"
        "print(json.dumps([t.id for t in page.trials(lambda m: f'weights of {m.source}')]))\n"
    )
    page = sweep(overrides=(Override(train={"learning_rate": 1e-4, "weight_decay": 0.1, "epsilon": 1e-9}),))
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(page.model_dump(mode="json")),
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert [json.loads(text) for text in found] == [ids(page)] * 2


def test_a_sweep_survives_its_own_json_with_the_same_trials() -> None:
    page = sweep(
        data=(variant("cot"), variant("file", source=FileRows(path="rows.jsonl"))),
        lengths_epochs=(2,),
        seeds=(0, 3),
        cells=(Cell(model="big", data="cot", steps=9, train={"betas": (0.8, 0.9)}),),
        exclude=(Match(model="big", epochs=2),),
        overrides=(Override(data="file", train={"learning_rate": 1e-4}),),
        evaluation=EvalSpec(
            benchmarks=("gcd", BenchmarkUse(name="countdown", problems=9)), checkpoint_steps=(2, 4)
        ),
    )
    again = SweepSpec(**json.loads(json.dumps(page.model_dump(mode="json"))))
    assert trials(again) == trials(page)
    assert again.evaluation == page.evaluation
    assert again.model_dump(mode="json") == page.model_dump(mode="json")


BAD_PAGE = """
from rsft.spec import *
SWEEP = SweepSpec(
    name="bad", models=(ModelSpec(source="nano-1m"),), lengths_steps=(-4,), train=TrainSpec(),
    data=(DataSpec(name="a", source=FileRows(path="x.jsonl"), rows=8),),
    evaluation=EvalSpec(benchmarks=("gcd",)),
)
"""


def test_a_bad_page_run_by_python_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    page.write_text(BAD_PAGE)
    done = subprocess.run([sys.executable, str(page)], capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: SweepSpec.lengths_steps has -4")
    assert done.stdout == ""


def test_another_mistake_on_a_page_keeps_its_traceback(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    page.write_text("import rsft.spec\n1 / 0\n")
    done = subprocess.run([sys.executable, str(page)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr
