"""Which checkpoints keep their weights: all that a question is open for, and what is dropped comes back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeTrainer
from hypothesis import given
from hypothesis import strategies as st
from test_house_in_one_breath import page, run

from rsft import layout
from rsft.checkpoints import due, landed
from rsft.spec import BenchmarkUse, SweepSpec
from rsft.storage import Storage
from rsft.sweep.forecast import forecast
from rsft.sweep.plan import Plan, make_plan
from rsft.sweep.retention import drop_weights, log_spaced, reopen, wanted_again


class WeightsToo(FakeTrainer):
    """Leaves a file of weights in each checkpoint that is due, and a state after step 2, as training does."""

    def _write(self, job: Any, storage: Storage) -> None:
        wanted = [step for step in job.trial.checkpoint_steps if due(storage, job.trial, step)]
        kept = {
            step: storage.read_json(layout.checkpoint_marker(job.trial.owner(step), step))
            for step in job.trial.checkpoint_steps
            if step not in wanted
        }
        super()._write(job, storage)
        for step in job.trial.checkpoint_steps:
            owner = job.trial.owner(step)
            if step in wanted:
                where = layout.checkpoint(owner, step)
                storage.write_bytes(f"{where}/model.safetensors", b"x" * 1_000)
                storage.write_bytes(f"{where}/adapter/adapter_model.safetensors", b"x" * 100)
            else:
                storage.write_json(layout.checkpoint_marker(owner, step), kept[step])


def sweep(keep: str, **changes: Any) -> SweepSpec:
    """One trial of four steps, unless changed."""
    return page(keep_weights=keep, **{"data": page().data[:1], "lengths_steps": (4,)} | changes)


def more_questions(spec: SweepSpec, *, problems: int = 6) -> SweepSpec:
    benchmarks = (*spec.evaluation.benchmarks, BenchmarkUse(name="chain-sum", problems=problems))
    return spec.model_copy(
        update={"evaluation": spec.evaluation.model_copy(update={"benchmarks": benchmarks})}
    )


def steps_kept(plan: Plan) -> set[int]:
    (trial,) = plan.trials
    folders = {step: layout.checkpoint(trial.owner(step), step) for step in trial.checkpoint_steps}
    return {step for step, where in folders.items() if plan.storage.exists(f"{where}/model.safetensors")}


@pytest.mark.parametrize(
    ("keep", "left"), [("all", {1, 2, 4}), ("until-evaluated", set()), ("log-spaced", {1, 2, 4})]
)
def test_evaluated_weights_go_as_the_page_says(keep: str, left: set[int], tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    after, _, _ = run(sweep(keep), storage, WeightsToo())
    assert after["trials"] == {"done": 1, "failed": 0, "open": 0} and after["cells"]["open"] == 0
    assert steps_kept(make_plan(sweep(keep), storage)) == left


def test_a_log_spaced_subset_leaves_out_what_lies_between(tmp_path: Path) -> None:
    spec = sweep("log-spaced")
    spec = spec.model_copy(
        update={"evaluation": spec.evaluation.model_copy(update={"checkpoint_steps": (1, 2, 3, 4)})}
    )
    storage = Storage(tmp_path / "house")
    run(spec, storage, WeightsToo())
    assert steps_kept(make_plan(spec, storage)) == {1, 2, 4}


@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=20, unique=True).map(sorted))
def test_a_log_spaced_subset_has_the_last_step_and_something_near_each_halving(steps: list[int]) -> None:
    kept = log_spaced(steps)
    assert steps[-1] in kept and set(kept) <= set(steps)
    assert len(kept) <= 1 + math.log2(steps[-1] / steps[0])
    assert log_spaced(kept) == kept or len(log_spaced(kept)) <= len(kept)


def test_the_paper_s_steps_lose_the_one_between_two_doublings() -> None:
    assert log_spaced((10, 20, 40, 80, 160, 320, 480, 640)) == (10, 20, 40, 80, 160, 320, 640)


def test_dropped_weights_leave_marker_cells_and_scores_and_a_trial_that_is_done(tmp_path: Path) -> None:
    spec, storage = sweep("until-evaluated"), Storage(tmp_path / "house")
    run(spec, storage, WeightsToo())
    plan = make_plan(spec, storage)
    (trial,) = plan.trials
    marker = storage.read_json(layout.checkpoint_marker(trial.owner(4), 4))
    assert marker["dropped"] is True and marker["target_tokens"] and marker["canary"]
    assert not landed(storage, trial, 4)
    assert {plan.trial_state(t) for t in plan.trials} == {"done"}
    before = storage.read_bytes(layout.CELLS)
    after, trainer, generator = run(spec, storage)
    assert trainer.trained == [] and generator.answered == [] and after["cells"]["open"] == 0
    assert storage.read_bytes(layout.CELLS) == before


def test_weights_that_a_question_is_open_for_stay(tmp_path: Path) -> None:
    spec, storage = sweep("until-evaluated"), Storage(tmp_path / "house")
    run(spec, storage, WeightsToo(), breaks=lambda trial, step: step == 2)
    assert steps_kept(make_plan(spec, storage)) == {2}
    run(spec, storage, WeightsToo())
    assert steps_kept(make_plan(spec, storage)) == set()


def test_a_marker_never_claims_weights_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, storage = sweep("until-evaluated"), Storage(tmp_path / "house")
    run(sweep("all"), storage, WeightsToo())
    plan = make_plan(spec, storage)

    def killed(self: Storage, relative: str, keep: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as now, pytest.raises(KeyboardInterrupt):
        now.setattr(Storage, "clear_folder", killed)
        drop_weights(plan, lambda line: None)
    (first,) = plan.trials
    assert not landed(storage, first, 1), "marked before anything was removed"
    assert storage.exists(f"{layout.checkpoint(first.owner(1), 1)}/model.safetensors")
    drop_weights(plan, lambda line: None)
    assert steps_kept(plan) == set()
    assert storage.names(layout.checkpoint(first.owner(1), 1)) == ["checkpoint.json"]
    assert not storage.exists(f"{layout.checkpoint(first.owner(1), 1)}/model.safetensors")


def test_a_question_added_later_opens_the_trial_again_and_the_plan_says_so(tmp_path: Path) -> None:
    spec, storage = sweep("until-evaluated"), Storage(tmp_path / "house")
    run(spec, storage, WeightsToo())
    asked = more_questions(spec)
    plan = make_plan(asked, storage)
    assert {plan.trial_state(trial) for trial in plan.trials} == {"open"}
    facts = forecast(plan)
    assert facts["open_trials"] == 1
    (note,) = [n for n in facts["notes"] if plan.trials[0].id in n]
    assert "step 1, 2, 4" in note and "trained again" in note
    _, trainer, generator = run(asked, storage, WeightsToo())
    assert len(trainer.trained) == 1
    assert {benchmark for _, _, benchmark in generator.answered} == {"chain-sum"}, "old answers stay"
    assert steps_kept(make_plan(asked, storage)) == set()
    assert forecast(make_plan(asked, storage))["open_trials"] == 0


def test_only_what_is_asked_again_is_written_again(tmp_path: Path) -> None:
    spec, storage = sweep("until-evaluated"), Storage(tmp_path / "house")
    run(spec, storage, WeightsToo())
    plan = make_plan(spec, storage)
    (trial,) = plan.trials
    cell = next(cell for cell in plan.cells(trial) if cell.step == 2)
    storage.delete(layout.cell_marker(cell.folder))
    assert [(t.id, step) for t, step in wanted_again(plan)] == [(trial.id, 2)]
    assert plan.trial_state(trial) == "open"
    reopen(plan, lambda line: None)
    assert [step for step in (1, 2, 4) if due(storage, trial, step)] == [2]


def test_states_beyond_what_is_wanted_again_are_removed(tmp_path: Path) -> None:
    """Who resumes after a step does not come by it."""
    spec, storage = sweep("until-evaluated"), Storage(tmp_path / "house")
    run(spec, storage, WeightsToo())
    plan = make_plan(spec, storage)
    (trial,) = plan.trials
    for step in (1, 2, 3):
        storage.write_json(layout.state_marker(trial.owner(step), step), {})
    cell = next(cell for cell in plan.cells(trial) if cell.step == 2)
    storage.delete(layout.cell_marker(cell.folder))
    reopen(plan, lambda line: None)
    left = [step for step in (1, 2, 3) if storage.exists(layout.state_marker(trial.owner(step), step))]
    assert left == [1]


def test_a_part_of_the_sweep_leaves_what_the_rest_keeps(tmp_path: Path) -> None:
    """With shared trunks a step can be the last of one trial and nothing to another."""
    train = page().train.model_copy(update={"schedule": "constant", "warmup_steps": 1})
    evaluation = page().evaluation.model_copy(update={"checkpoint_steps": (6, 8)})
    changes: dict[str, Any] = {"train": train, "evaluation": evaluation, "lengths_steps": (6, 8)}
    storage = Storage(tmp_path / "house")
    run(sweep("all", **changes), storage, WeightsToo())
    (long,) = make_plan(sweep("log-spaced", **changes), storage, only="*__8st-*").trials
    assert long.checkpoint_steps == (6, 8) and log_spaced((6, 8)) == (8,)
    drop_weights(make_plan(sweep("log-spaced", **changes), storage, only="*__8st-*"), lambda line: None)
    assert landed(storage, long, 6) and landed(storage, long, 8)
