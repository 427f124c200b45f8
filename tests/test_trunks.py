"""Lengths that share their first steps: who does, under which names, and what it saves. No engine."""

from __future__ import annotations

from typing import Any

import pytest

from rsft import layout
from rsft.spec import DataSpec, EvalSpec, GeneratedRows, ModelSpec, Override, SweepSpec, TrainSpec
from rsft.spec.schedule import learning_rate
from rsft.spec.trial import Trial
from rsft.sweep.jobs import TrainJob
from rsft.sweep.trunks import families, missed, series, trunks

ROWS = DataSpec(name="cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=64)


def trials(lengths: tuple[int, ...] = (10, 20, 40), **changes: Any) -> dict[int, Trial]:
    settings = {"schedule": "wsd", "warmup_steps": 4, "max_tokens": 512, "device": "cpu"} | changes
    page = SweepSpec(
        name="t",
        models=(ModelSpec(source="a/base"),),
        data=(ROWS,),
        lengths_steps=lengths,
        train=TrainSpec(**settings),
        evaluation=EvalSpec(benchmarks=("countdown",), checkpoint_steps=(2,)),
    )
    return {trial.steps: trial for trial in page.trials(lambda model: "w")}


def job(trial: Trial) -> TrainJob:
    return TrainJob(trial=trial, storage="s", prepared="p", base="b")


def test_wsd_lengths_share_what_comes_before_their_decay() -> None:
    found = trials()
    assert {trial.trunk for trial in found.values()} == {found[10].trunk} != {None}
    assert {steps: trial.shared_steps for steps, trial in found.items()} == {10: 8, 20: 16, 40: 32}
    (trunk,) = trunks(list(found.values()))
    assert [trial.steps for trial in trunk.members] == [10, 20, 40]
    assert trunk.steps == 32 + 2 + 4 + 8 and trunk.saved == 70 - 46


@pytest.mark.parametrize("schedule", ["wsd", "constant"])
def test_on_the_trunk_the_learning_rate_does_not_depend_on_the_length(schedule: str) -> None:
    found = trials(schedule=schedule)
    longest = found[40]
    for trial in found.values():
        for step in range(trial.shared_steps):
            rate = learning_rate(trial.train, step, trial.steps)
            assert rate == learning_rate(longest.train, step, longest.steps)


def test_after_the_trunk_it_does() -> None:
    found = trials()
    ten, twenty = found[10], found[20]
    assert learning_rate(ten.train, 9, 10) < learning_rate(twenty.train, 9, 20)


def test_a_constant_schedule_shares_everything_with_wsd_too() -> None:
    constant, decaying = trials(schedule="constant"), trials()
    assert constant[40].shared_steps == 40
    assert constant[10].trunk == decaying[10].trunk
    (trunk,) = trunks(list(constant.values()))
    assert (trunk.steps, trunk.saved) == (40, 30)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_schedules_that_know_their_end_share_nothing(schedule: str) -> None:
    found = trials(schedule=schedule)
    assert {trial.trunk for trial in found.values()} == {None}
    assert trunks(list(found.values())) == []
    assert found[10].owner(2) == layout.trial(found[10].id)


@pytest.mark.parametrize(
    "changes",
    [{"learning_rate": 1e-4}, {"warmup_steps": 5}, {"batch_sequences": 128}, {"weight_decay": 0.0}],
)
def test_what_changes_the_shared_steps_makes_another_trunk(changes: dict[str, Any]) -> None:
    assert trials(**changes)[10].trunk != trials()[10].trunk


def test_what_changes_the_decay_alone_does_not() -> None:
    assert trials(min_lr_share=0.1)[10].trunk == trials()[10].trunk
    assert trials(min_lr_share=0.1)[10].id != trials()[10].id
    assert trials(workers=4)[10].trunk == trials()[10].trunk


def test_a_warm_up_in_shares_is_pointed_out() -> None:
    found = list(trials(warmup_steps=None).values())
    assert trunks(found) == []
    assert "set warmup_steps" in (missed(found) or "")
    assert missed(list(trials().values())) is None
    assert missed(list(trials(schedule="cosine", warmup_steps=None).values())) is None


def test_a_checkpoint_lies_with_whoever_owns_its_step() -> None:
    trial = trials()[20]
    assert [trial.owner(step) for step in (8, 16, 17, 20)] == [
        layout.trunk(trial.trunk or ""),
        layout.trunk(trial.trunk or ""),
        layout.trial(trial.id),
        layout.trial(trial.id),
    ]


def test_a_family_trains_whoever_leaves_first_first() -> None:
    found = trials()
    alone = trials((12,), schedule="cosine")[12]
    jobs = [job(found[40]), job(alone), job(found[10]), job(found[20])]
    assert [[j.trial.steps for j in family] for family in families(jobs)] == [[10, 20, 40], [12]]


def test_series_keep_families_together_and_share_the_load() -> None:
    found = trials()
    others = [trials((steps,), schedule="cosine")[steps] for steps in (30, 26, 5)]
    jobs = [job(trial) for trial in (*others, *found.values())]
    assert sorted(sorted(j.trial.steps for j in lane) for lane in series(jobs, 2)) == [
        [5, 26, 30],
        [10, 20, 40],
    ]
    wide = job(trials((50,), schedule="cosine", workers=2)[50])
    assert len(series([*jobs, wide], 2)) == 3, "groups of other sizes are groups of their own"


def test_overrides_reach_the_trunk() -> None:
    rule = Override(steps=10, train={"learning_rate": 1e-4})
    page = SweepSpec(
        name="t",
        models=(ModelSpec(source="a/base"),),
        data=(ROWS,),
        lengths_steps=(10, 20),
        overrides=(rule,),
        train=TrainSpec(schedule="constant", warmup_steps=0, max_tokens=512),
        evaluation=EvalSpec(benchmarks=("countdown",), checkpoint_steps=(2,)),
    )
    ten, twenty = page.trials(lambda model: "w")
    assert ten.trunk != twenty.trunk
