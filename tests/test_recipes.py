"""The stock of recipes: the study's settings are the paper's, and a plan shows where a sweep differs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from rsft.spec import OVERFITTING, OVERFITTING_EPOCHS, REASONS, SANE, STUDY, Cell, TrainSpec
from rsft.spec.recipes import beside
from rsft.spec.schedule import learning_rate
from rsft.storage import Storage
from rsft.sweep.forecast import forecast
from rsft.sweep.page import load_page
from rsft.sweep.plan import make_plan
from rsft.sweep.show import show_plan

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps"


def test_the_study_s_recipe_passes_the_spec_s_own_checks() -> None:
    assert TrainSpec(**STUDY.model_dump()) == STUDY
    assert TrainSpec(**SANE.model_dump()) == SANE


def test_the_study_s_recipe_is_what_the_paper_states() -> None:
    stated = {
        "learning_rate": 5e-5,
        "schedule": "cosine",
        "warmup_share": 0.1,
        "batch_sequences": 256,
        "max_tokens": 20_000,
        "betas": (0.9, 0.999),
        "weight_decay": 0.01,
        "epsilon": 1e-8,
        "clip_norm": 1.0,
        "precision": "bf16-pure",
        "shuffle": False,
        "nonfinite": "skip",
        "loss_reduction": "microbatch_sum",
        "micro_batch_sequences": 4,
        "workers": 8,
    }
    assert {name: getattr(STUDY, name) for name in stated} == stated
    # 64 of 640 steps warm up, and the last ends at zero.
    assert learning_rate(STUDY, 63, 640) == pytest.approx(5e-5)
    assert learning_rate(STUDY, 62, 640) < 5e-5 and learning_rate(STUDY, 639, 640) < 1e-8


def test_each_difference_from_the_study_has_a_reason_and_each_reason_a_field() -> None:
    study, sane = STUDY.model_dump(), SANE.model_dump()
    assert {name for name in study if study[name] != sane[name]} <= REASONS.keys()
    assert REASONS.keys() <= study.keys()


def test_the_stress_test_s_settings_are_changes_that_the_spec_takes() -> None:
    made = [TrainSpec(**STUDY.model_dump() | change) for change in OVERFITTING]
    assert [(train.schedule, train.learning_rate) for train in made] == [
        ("cosine", 5e-5),
        ("constant", 5e-5),
        ("constant", 1e-4),
    ]
    cell = Cell(model="m", data="d", epochs=OVERFITTING_EPOCHS, train=OVERFITTING[1])
    assert cell.length.steps(20_480, 256) == 1_280


def test_only_fields_that_differ_are_shown_with_all_values_of_the_sweep() -> None:
    rows = {
        row["field"]: row for row in beside([SANE, SANE.model_copy(update={"learning_rate": 1e-4}), SANE])
    }
    assert rows["learning_rate"]["sweep"] == [5e-5, 1e-4]
    assert rows["precision"]["study"] == "bf16-pure" and rows["precision"]["reason"] == REASONS["precision"]
    assert "weight_decay" not in rows, "the same in all three"
    assert set(rows) - {"learning_rate"} == {name for name in REASONS if name in rows}
    study = STUDY.model_dump(mode="json")
    assert all(row["study"] == study[name] for name, row in rows.items())


def test_a_field_that_only_the_sweep_changes_is_shown() -> None:
    (row,) = [r for r in beside([STUDY.model_copy(update={"clip_norm": 5.0})]) if r["field"] == "clip_norm"]
    assert (row["study"], row["sane"], row["sweep"], row["reason"]) == (1.0, 1.0, [5.0], "")


@pytest.mark.parametrize("width", [100, 200])
def test_the_plan_shows_recipes_side_by_side_and_reasons_where_there_is_room(
    width: int, tmp_path: Path
) -> None:
    facts = forecast(make_plan(load_page(SWEEPS / "smoke.py"), Storage(tmp_path)))
    out = io.StringIO()
    show_plan(facts, Console(file=out, width=width))
    shown = out.getvalue()
    (line,) = [line for line in shown.splitlines() if line.split()[:1] == ["loss_reduction"]]
    assert line.split()[1:4] == ["microbatch_sum", "token_mean", "token_mean"]
    assert ("the study adds up means" in shown) == (width == 200)
    assert facts["recipes"][0]["field"] == "learning_rate"
    assert json.loads(json.dumps(facts["recipes"])) == facts["recipes"]
