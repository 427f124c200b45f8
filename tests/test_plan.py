"""Plans: counts of the shipped pages, states from markers, kinds of failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_house_in_one_breath import page

from rsft import layout
from rsft.errors import SpecError
from rsft.spec import BenchmarkUse, EvalSpec, SamplingSpec
from rsft.storage import Storage
from rsft.sweep.forecast import forecast
from rsft.sweep.page import load_page
from rsft.sweep.plan import Plan, classify, make_plan

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps"


def test_the_laptop_page_is_what_the_demo_promises(tmp_path: Path) -> None:
    plan = make_plan(load_page(SWEEPS / "laptop.py"), Storage(tmp_path))
    facts = forecast(plan)
    assert facts["n_trials"] == 2 * 2 * 2
    assert len(plan.questions) >= 5
    assert all(len(trial.checkpoint_steps) >= 5 for trial in plan.trials)
    assert facts["n_cells"] == sum((1 + len(t.checkpoint_steps)) * len(plan.questions) for t in plan.trials)
    asked = sum(q.problems * q.samples for q in plan.questions)
    assert facts["n_generations"] == asked * (facts["n_checkpoints"] + 2)
    assert facts["open_trials"] == 8 and facts["open_cells"] == facts["n_cells"]


def test_the_grid_page_counts_epochs_in_steps(tmp_path: Path) -> None:
    facts = forecast(make_plan(load_page(SWEEPS / "grid.py"), Storage(tmp_path)))
    assert facts["n_trials"] == 64
    assert facts["n_steps"] == 16 * (80 + 160 + 320 + 640)
    assert facts["n_checkpoints"] == 16 * (4 + 5 + 6 + 8)
    assert len(facts["notes"]) == 4 + 4  # unpinned bases; math-cot thrice and numina


def test_states_follow_the_markers(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    plan = make_plan(load_page(SWEEPS / "smoke.py"), storage)
    trial = plan.trials[0]
    assert plan.trial_state(trial) == "open"
    storage.write_json(layout.failure(trial.id), classify("boom"))
    assert plan.trial_state(trial) == "failed"
    for step in trial.checkpoint_steps:
        storage.write_json(
            layout.checkpoint_marker(trial.owner(step), step),
            {"path": layout.checkpoint(trial.owner(step), step)},
        )
    assert plan.trial_state(trial) == "done"
    cell = next(iter(plan.cells(trial)))
    marker = {"error": "", "errors": 0, "problems": 8, "samples": 2}
    for change, state in (
        ({}, "done"),
        ({"samples": 1}, "open"),
        ({"problems": 7}, "open"),
        ({"samples": 3}, "done"),
        ({"errors": 1}, "failed"),
        ({"error": "gone"}, "failed"),
    ):
        storage.write_json(layout.cell_marker(cell.folder), marker | change)
        assert plan.cell_state(cell) == state, change


def test_a_base_s_cells_are_shared_by_its_trials(tmp_path: Path) -> None:
    plan = make_plan(load_page(SWEEPS / "smoke.py"), Storage(tmp_path))
    folders = [{c.folder for c in plan.cells(trial) if c.step == 0} for trial in plan.trials]
    assert folders[0] == folders[1] and len(folders[0]) == 2


def test_an_unknown_benchmark_names_the_nearest(tmp_path: Path) -> None:
    sweep = load_page(SWEEPS / "smoke.py")
    benchmarks = (sweep.evaluation.benchmarks[0].model_copy(update={"name": "countdwn"}),)
    wrong = sweep.model_copy(
        update={"evaluation": sweep.evaluation.model_copy(update={"benchmarks": benchmarks})}
    )
    with pytest.raises(SpecError, match=r"'countdwn'.*the nearest is 'countdown'"):
        make_plan(wrong, Storage(tmp_path))


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory", "out of memory"),
        ("EngineError: trial x: loss is nan at step 3", "bad data"),
        ("OSError: [Errno 28] No space left on device", "disk full"),
        ("ray.exceptions.ActorDiedError", "engine death"),
        ("ray.exceptions.NodeDiedError: gone", "lost node"),
        ("something else", "unknown"),
    ],
)
def test_failures_have_a_kind_and_a_next_action(message: str, kind: str) -> None:
    found = classify(message)
    assert found["kind"] == kind and found["next"]


def test_a_budget_beyond_the_context_is_said(tmp_path: Path) -> None:
    def noted(**changed: Any) -> list[str]:
        evaluation = EvalSpec(benchmarks=(BenchmarkUse(name="gcd", problems=3),), **changed)
        found = make_plan(page(evaluation=evaluation), Storage(tmp_path)).notes
        return [note for note in found if "context" in note]

    assert "is 2,048 tokens" in noted()[0] and "gcd allows 32,768" in noted()[0]
    assert not noted(sampling=SamplingSpec(max_new_tokens=2_048))
    assert "is 99 tokens" in noted(sampling=SamplingSpec(max_new_tokens=100), max_model_tokens=99)[0]


def test_a_page_pins_a_benchmark_of_the_hub_to_a_commit(tmp_path: Path) -> None:
    def planned(**use: Any) -> Plan:
        evaluation = EvalSpec(benchmarks=(BenchmarkUse(problems=3, **use),))
        return make_plan(page(evaluation=evaluation), Storage(tmp_path))

    loose, pinned = planned(name="halueval"), planned(name="halueval", revision="abc123")
    assert [note for note in loose.notes if "pminervini/HaluEval" in note]
    assert not [note for note in pinned.notes if "pminervini/HaluEval" in note]
    assert loose.questions[0].key != pinned.questions[0].key
    assert not [note for note in planned(name="gpqa-diamond").notes if "Idavidrein" in note]
    with pytest.raises(SpecError, match="which is not read from the hub"):
        planned(name="gcd", revision="abc123")
