"""Adaptive evaluation: which answers are asked next, pure; and the loop from page to report with fakes, which
tests our logic between the engines alone."""

from __future__ import annotations

import io
import math
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import pytest
from adaptive_study import Study, adaptively, in_full, page_of
from fakes import FakeGenerator, FakeTrainer, GraderHere, fake_engines
from rich.console import Console
from test_cli import SMOKE, assert_refused, rsft
from test_house_in_one_breath import page

from rsft import layout
from rsft.analysis import adaptive
from rsft.analysis.adaptive import (
    Aim,
    Place,
    Track,
    bends,
    cap,
    carriers,
    chance,
    cost,
    first_round,
    next_round,
)
from rsft.analysis.bootstrap import LEVEL
from rsft.analysis.trajectory import Curve
from rsft.errors import SpecError
from rsft.records import Problem
from rsft.spec import BenchmarkUse, Claim, EvalSpec, Pick, SamplingSpec, SweepSpec
from rsft.storage import Storage
from rsft.sweep.adaptive import chance_of
from rsft.sweep.budget import offer
from rsft.sweep.entry import EXIT_INCOMPLETE, summarize
from rsft.sweep.evaluate import scored_cells
from rsft.sweep.live import Progress
from rsft.sweep.plan import make_plan, status
from rsft.sweep.results import tell, write_tables_and_report
from rsft.sweep.run import run_sweep
from rsft.tracking.tracker import SilentTracker

STEPS = (0, 10, 20, 40, 80, 160, 320, 480, 640)


def track(curve: Curve | None = None, name: str = "a", steps: tuple[int, ...] = STEPS, **more: Any) -> Track:
    return Track(steps=steps, cells=tuple(f"{name}{step}" for step in steps), curve=curve, **more)


def places(*tracks: Track, samples: dict[str, int] | None = None, full: int = 4) -> dict[str, Place]:
    have = samples or {}
    return {
        cell: Place(cell=cell, problems=100, full=full, samples=have.get(cell, 0))
        for one in tracks
        for cell in one.cells
    }


def curve(means: dict[int, float], problems: int = 400, samples: int = 1) -> Curve:
    """Scores with these means, each step's right answers drawn anew."""
    random = np.random.default_rng(0)
    scores = [random.binomial(samples, mean, problems) / samples for mean in means.values()]
    return Curve(steps=tuple(means), scores=np.array(scores), samples=samples)


def test_the_first_round_is_base_last_and_steps_four_times_apart_with_a_quarter_of_the_samples() -> None:
    one = track()
    assert [one.steps[one.cells.index(cell)] for cell in one.coarse] == [0, 10, 40, 160, 640]
    wanted = first_round([one], places(one, full=10))
    assert wanted == dict.fromkeys(one.coarse, 3)
    assert cost(wanted, places(one, full=10)) == 5 * 3 * 100
    assert track(named=frozenset({20, 999})).coarse == ("a0", "a10", "a20", "a40", "a160", "a640")
    assert track(steps=(0, 7)).coarse == ("a0", "a7")
    assert track(steps=(0, 2, 5, 11, 27, 64)).coarse == ("a0", "a5", "a11", "a64")


def test_what_several_curves_share_is_asked_once_and_what_is_there_not_again() -> None:
    one = track(steps=(0, 8))
    two = Track(steps=(0, 8), cells=("a0", "b8"))
    known = places(one, two, samples={"a8": 2})
    assert first_round([one, two], known) == {"a0": 1, "b8": 1}


def test_the_middle_of_a_gap_is_asked_where_a_curve_bends() -> None:
    dip = track(curve({0: 0.6, 10: 0.58, 40: 0.35, 160: 0.55, 640: 0.6}))
    known = places(dip, samples=dict.fromkeys(dip.coarse, 1))
    assert set(bends(dip, known)[:2]) == {"a20", "a80"}
    flat = track(curve({0: 0.5, 10: 0.5, 40: 0.5, 160: 0.5, 640: 0.5}, problems=2_000))
    assert bends(flat, places(flat, samples=dict.fromkeys(flat.coarse, 1))) == ()
    rise = track(curve({0: 0.3, 10: 0.3, 40: 0.3, 160: 0.3, 640: 0.7}))
    assert bends(rise, known)[0] == "a320"
    asked = places(dip, samples=dict.fromkeys((*dip.coarse, "a20", "a80", "a320"), 1))
    assert bends(dip, asked) == (), "a gap that is halved waits for its scores"


def test_samples_go_to_the_steps_that_a_verdict_leans_on() -> None:
    dip = track(curve({0: 0.6, 10: 0.5, 40: 0.3, 160: 0.5, 640: 0.7}))
    assert dip.curve is not None
    assert carriers(dip.curve, dip) == ("a0", "a40", "a640")
    known = places(dip, samples=dict.fromkeys(dip.cells, 1))
    aim = Aim(name="a", rank=0, times=2.0, track=dip)
    assert next_round([aim], known, 300) == {"a0": 2, "a40": 2, "a640": 2}
    assert next_round([aim], known, 299) == {"a0": 2, "a40": 2}, "never beyond the room"
    assert next_round([aim], known, 900) == {"a0": 4, "a40": 4, "a640": 4}
    assert next_round([aim], known, 99) == {}


def test_claims_come_first_then_what_needs_least_and_last_what_is_out_of_reach() -> None:
    tracks = {name: track(curve(dict.fromkeys((0, 640), 0.5)), name, steps=(0, 640)) for name in "abcd"}
    known = places(*tracks.values(), samples={f"{n}{s}": 1 for n in "abcd" for s in (0, 640)})
    aims = [
        Aim(name="hopeless", rank=0, times=50.0, track=tracks["a"]),
        Aim(name="verdict", rank=1, times=1.5, track=tracks["b"]),
        Aim(name="dear", rank=0, times=3.0, track=tracks["c"]),
        Aim(name="cheap", rank=0, times=1.2, track=tracks["d"]),
    ]
    order = [next(iter(next_round(aims[:i] + aims[i + 1 :], known, 100))) for i in range(4)]
    assert order == ["d0", "d0", "d0", "c0"]
    assert list(next_round(aims, known, 800)) == ["d0", "d640", "c0", "c640", "b0", "b640", "a0", "a640"]
    assert next_round(aims, known, 10**9) == dict.fromkeys(known, 4), "no more than the page asks"
    assert next_round(list(reversed(aims)), known, 500) == next_round(aims, known, 500)


def test_no_round_costs_more_than_its_room_whatever_is_aimed_at() -> None:
    random = np.random.default_rng(1)
    for _ in range(100):
        tracks = [track(curve(dict.fromkeys((0, 40, 640), 0.5), 20), f"{name}-") for name in "abc"]
        known = {
            cell: Place(
                cell=cell,
                problems=int(random.integers(1, 50)),
                full=8,
                samples=int(random.integers(0, 9)),
                ready=bool(random.random() < 0.8),
            )
            for one in tracks
            for cell in one.cells
        }
        aims = [Aim(name=str(n), rank=n % 2, times=1 + n, track=one) for n, one in enumerate(tracks)]
        room = int(random.integers(0, 2_000))
        wanted = next_round([*aims, Aim(name="d", rank=0, times=9, cells=("a-0", "b-640"))], known, room)
        assert cost(wanted, known) <= room
        assert all(known[c].ready and known[c].samples < count <= 8 for c, count in wanted.items())
        if room >= cost({c: 8 for c, place in known.items() if place.ready}, known):
            assert wanted == {c: 8 for c, p in known.items() if p.ready and p.samples < 8}, "and all of it"


def test_a_difference_gets_samples_of_its_own_cells_and_what_is_not_ready_gets_none() -> None:
    one = track()
    known = places(one, samples={"a0": 1, "a40": 2})
    known["a640"] = Place(cell="a640", problems=100, full=4, ready=False)
    aim = Aim(name="claim", rank=0, times=1.5, cells=("a0", "a40", "a640"))
    assert next_round([aim], known, 150) == {"a0": 2}
    assert next_round([aim], known, 10_000) == {"a0": 4, "a40": 4}


def test_looks_are_due_at_equal_parts_and_their_chances_add_up() -> None:
    assert [cap(100, 900, number) for number in range(1, adaptive.ROUNDS + 1)] == [300, 500, 700, 900]
    whole = adaptive.ROUNDS * chance(last=False) + chance(last=True)
    assert whole == pytest.approx(1 - LEVEL)
    raised = [adaptive.ROUNDS * chance(n, last=False) + chance(n, last=True) for n in range(20)]
    assert sum(raised) < 2 * (1 - LEVEL)


# The loop, with fakes.

ALL = Pick(steps=64)
CLAIMS = (
    Claim(
        name="dip", says="It dips.", trials=Pick(steps=64), benchmarks=("gcd",), expects="dip and recovery"
    ),
    Claim(
        name="gain", says="It gains.", trials=Pick(steps=64), step=32, benchmarks=("gcd",), expects="higher"
    ),
)


def asked(**changes: Any) -> SweepSpec:
    evaluation = EvalSpec(
        benchmarks=(BenchmarkUse(name="gsm-symbolic", problems=10), BenchmarkUse(name="gcd", problems=40)),
        sampling=SamplingSpec(samples=4, max_new_tokens=64),
        checkpoint_steps=(1, 2, 4, 8, 16, 32, 64),
    )
    return page(**{"evaluation": evaluation, "claims": CLAIMS, "lengths_steps": (64,)} | changes)


def shaped(problem: Problem, step: int, sample: int) -> str:
    """On gcd a clear dip at step 4 and a return; on the other no change, and luck in each answer."""
    number, own = int(problem.id), (int(problem.id) * 7 + sample * 3 + step) % 10
    if (problem.question and "greatest common" in problem.prompt.lower()) or "gcd" in problem.prompt.lower():
        right = number % 10 < {0: 5, 1: 4, 2: 2, 4: 0, 8: 2, 16: 6, 32: 9, 64: 9}[step]
    else:
        right = own < 5
    return f"\\boxed{{{problem.gold if right else -1}}}"


class Killed(RuntimeError):
    """The driver is gone."""


class Counts(FakeGenerator):
    """Counts answers that were not there before; dies after so many cells."""

    def __init__(self, dies_after: int | None = None) -> None:
        super().__init__(shaped)
        self.dies_after, self.new, self.peaks = dies_after, 0, list[int]()

    def __call__(self, job: Any, make_finish: Any) -> Any:
        storage = Storage(job.storage)
        before = {c.folder: _rows(storage, c.folder) for task in job.tasks for c in task.cells}
        for count, marker in enumerate(super().__call__(job, make_finish), 1):
            assert marker["answers"] > before[marker["folder"]], "nothing is asked twice"
            self.new += marker["answers"] - before[marker["folder"]]
            self.peaks.append(self.new)
            yield marker
            if self.dies_after is not None and len(self.peaks) >= self.dies_after:
                raise Killed(count)


def _rows(storage: Storage, folder: str) -> int:
    file = layout.generations(folder)
    return storage.read_table(file).num_rows if storage.exists(file) else 0


def run(
    storage: Storage,
    budget: str | None,
    dies_after: int | None = None,
    trainer: FakeTrainer | None = None,
    sweep: SweepSpec | None = None,
    report: bool = False,
) -> tuple[Counts, str]:
    generator, said = Counts(dies_after), io.StringIO()
    with (
        patch("rsft.scoring.references.GraderProcess", GraderHere),
        Progress(storage, Console(file=said, width=400)) as progress,
        patch("rsft.sweep.results.write_report", return_value="") if not report else patch("os.getpid"),
    ):
        engines = fake_engines(trainer or FakeTrainer(), generator, beside=True)
        run_sweep(sweep or asked(), storage, engines, SilentTracker(), progress, adaptive=budget)
    return generator, said.getvalue()


def samples(storage: Storage, sweep: SweepSpec | None = None) -> dict[str, int]:
    plan = make_plan(sweep or asked(), storage)
    cells = {cell.folder for trial in plan.trials for cell in plan.cells(trial)}
    found = {folder: storage.read_json_or_none(layout.cell_marker(folder)) for folder in cells}
    return {folder: marker["samples"] for folder, marker in found.items() if marker is not None}


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Storage, Counts, str]:
    storage = Storage(tmp_path_factory.mktemp("adaptive") / "house")
    return storage, *run(storage, "45%")


def test_the_budget_is_not_exceeded_and_what_was_saved_is_said(half: tuple[Storage, Counts, str]) -> None:
    storage, generator, said = half
    plan = make_plan(asked(), storage)
    found = storage.read_json(layout.ADAPTIVE)["summary"]
    budget = math.floor(0.45 * found["fixed"])
    assert found["fixed"] == 50 * 4 * (1 + 2 * 7)
    assert found["budget"] == budget
    assert generator.new == found["answers"] <= budget
    assert found["saved"] == pytest.approx(1 - generator.new / found["fixed"])
    assert found["claims_decided"] == ["dip", "gain"] and found["claims_undecided"] == []
    assert f"{generator.new:,} of the fixed plan's {found['fixed']:,} answers" in said
    cells = {name: found[f"cells_{name}"] for name in ("in_full", "with_fewer_samples", "left_out")}
    now = status(plan)["cells"]
    assert sum(cells.values()) == found["cells"] == sum(now.values())
    assert cells["in_full"] == now["done"] and cells["with_fewer_samples"] > 0
    assert found["cells_left_out"] == sum(status(plan)["cells"].values()) - len(samples(storage)) - 2
    assert chance_of(plan) == chance(last=True)


def test_running_again_asks_nothing(half: tuple[Storage, Counts, str]) -> None:
    storage, _, _ = half
    before = samples(storage)
    generator, _ = run(storage, "45%")
    assert generator.new == 0 and samples(storage) == before


@pytest.mark.slow
def test_more_budget_goes_on_at_a_smaller_chance_of_a_false_verdict(
    half: tuple[Storage, Counts, str], tmp_path: Path
) -> None:
    storage = Storage(tmp_path / "house")
    first, _ = run(storage, "18%")
    before, fixed = samples(storage), offer(make_plan(asked(), storage), "18%").fixed
    generator, _ = run(storage, "30%")
    after = samples(storage)
    assert generator.new > 0 and first.new <= 0.18 * fixed
    assert 0.18 * fixed < first.new + generator.new <= 0.3 * fixed
    assert all(after[cell] >= count for cell, count in before.items())
    assert chance_of(make_plan(asked(), storage)) == chance(1, last=True) == chance(last=True) / 2
    again, _ = run(storage, "18%")
    assert again.new == 0, "less than there is asks nothing"
    decided = Storage(shutil.copytree(half[0].root, tmp_path / "decided"))
    idle, _ = run(decided, "60%")
    assert idle.new == 0 and chance_of(make_plan(asked(), decided)) == chance(last=True)


def test_a_round_that_was_begun_is_not_cut_by_a_smaller_budget(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    with pytest.raises(Killed):
        run(storage, "100%", dies_after=21)
    with pytest.raises(SpecError, match="a round that was begun"):
        run(storage, "18%")


def test_a_smaller_budget_in_between_does_not_keep_the_larger_from_going_on(
    half: tuple[Storage, Counts, str], tmp_path: Path
) -> None:
    storage = Storage(tmp_path / "house")
    with pytest.raises(Killed):
        run(storage, "45%", dies_after=22)
    run(storage, "40%")
    run(storage, "45%")
    assert samples(storage) == samples(half[0])
    assert storage.read_json(layout.ADAPTIVE) == half[0].read_json(layout.ADAPTIVE)


def test_a_part_of_the_trials_is_refused(tmp_path: Path) -> None:
    plan = make_plan(asked(), Storage(tmp_path), only="*long-cot*")
    with pytest.raises(SpecError, match="leave --only out"):
        offer(plan, "50%")


def test_another_page_begins_anew_and_keeps_the_answers(
    half: tuple[Storage, Counts, str], tmp_path: Path
) -> None:
    storage = Storage(shutil.copytree(half[0].root, tmp_path / "house"))
    wider = asked(seeds=(0, 1))
    offered = offer(make_plan(wider, storage), "40%")
    assert offered.there == half[1].new and offered.fixed == 50 * 4 * (1 + 4 * 7)
    generator, _ = run(storage, "40%", sweep=wider)
    assert offered.first <= generator.new <= offered.budget - offered.there


class Hears(SilentTracker):
    """Keeps which cells it was told of."""

    def __init__(self) -> None:
        self.cells: list[tuple[str, int, str]] = []

    def cell(self, trial_id: str, checkpoint: Any, benchmark: str, estimates: Any) -> None:
        self.cells.append((trial_id, checkpoint.step, benchmark))


def test_the_tracker_which_forgets_nothing_is_told_of_cells_with_all_their_samples(
    half: tuple[Storage, Counts, str],
) -> None:
    plan, tracker = make_plan(asked(), half[0]), Hears()
    tell(plan, list(scored_cells(plan)), tracker)
    done = [
        (trial.id, cell.step, cell.question.card.name)
        for trial in plan.trials
        for cell in plan.cells(trial)
        if plan.cell_state(cell) == "done"
    ]
    assert sorted(tracker.cells) == sorted(done) and 0 < len(done) < len(list(scored_cells(plan)))


@pytest.mark.slow
def test_the_report_says_what_was_saved_and_left_out(
    half: tuple[Storage, Counts, str], tmp_path: Path
) -> None:
    storage = Storage(shutil.copytree(half[0].root, tmp_path / "house"))
    plan = make_plan(asked(), storage)
    shown = Path(write_tables_and_report(plan).page).read_text()
    found = storage.read_json(layout.ADAPTIVE)["summary"]
    assert f"{found['answers']:,} of its" in shown and 'href="#adaptive"' in shown
    assert "chance of 4% for even one wrong answer" in shown
    cells = f"{found['cells_with_fewer_samples']} with fewer samples, {found['cells_left_out']} left out"
    assert f"{found['cells_in_full']} of {found['cells']} cells in full, {cells} on purpose" in shown
    assert f"{found['cells']}: {found['cells_in_full']} in full, {cells}<" in shown
    assert "dip, gain" in shown and 'class="headline done"' in shown and "cells open" not in shown


@pytest.mark.slow
def test_adaptive_studies_decide_as_the_fixed_plan_and_more_than_thinned_ones() -> None:
    random = np.random.default_rng(3)
    fixed, half_of_it, thin, false = 0, 0, 0, 0
    for _ in range(2):
        study = Study.of(page_of(random), 300, 8, random)
        whole, some, few = in_full(study), adaptively(study, 0.5), in_full(study, samples=4)
        assert some.answers <= 0.5 * study.full == few.answers
        fixed, half_of_it = fixed + whole.decided, half_of_it + some.agrees(whole)
        thin, false = thin + few.agrees(whole), false + some.false(study)
    assert half_of_it >= 0.85 * fixed and half_of_it > thin and false == 0


@pytest.mark.parametrize("dies_after", [3, 14, 25])
def test_a_killed_run_goes_on_and_asks_the_same(
    half: tuple[Storage, Counts, str], tmp_path: Path, dies_after: int
) -> None:
    whole, _, _ = half
    storage = Storage(tmp_path / "house")
    with pytest.raises(Killed):
        run(storage, "45%", dies_after)
    run(storage, "45%")
    assert samples(storage) == samples(whole)
    assert storage.read_json(layout.ADAPTIVE) == whole.read_json(layout.ADAPTIVE)


@pytest.mark.slow
def test_a_later_run_without_a_budget_completes_the_fixed_plan(
    half: tuple[Storage, Counts, str], tmp_path: Path
) -> None:
    storage, fixed = Storage(tmp_path / "first"), Storage(tmp_path / "second")
    first, _ = run(storage, "45%")
    rest, _ = run(storage, None)
    whole, _ = run(fixed, None)
    assert first.new + rest.new == whole.new
    tables = [pq.read_table(one.path(layout.CELLS)) for one in (storage, fixed)]
    assert tables[0].equals(tables[1])
    assert chance_of(make_plan(asked(), storage)) == pytest.approx(1 - LEVEL)


def test_the_table_has_cells_with_fewer_samples_and_none_that_were_left_out(
    half: tuple[Storage, Counts, str],
) -> None:
    storage, _, _ = half
    table = pq.read_table(storage.path(layout.CELLS)).to_pandas()
    plan, have = make_plan(asked(), storage), samples(storage)
    rows = table[table.metric == "accuracy"].set_index(["trial", "benchmark", "step"]).samples
    wanted = {
        (trial.id, cell.question.card.name, cell.step): have[cell.folder] * cell.question.problems
        for trial in plan.trials
        for cell in plan.cells(trial)
        if cell.folder in have
    }
    assert rows.to_dict() == wanted
    assert set(have.values()) >= {1, 4}


def test_a_trial_that_failed_keeps_its_part_of_the_budget(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    plan = make_plan(asked(), storage)
    broken = plan.trials[0].id
    first, _ = run(storage, "45%", trainer=FakeTrainer(lambda trial: trial == broken))
    offered = offer(plan, "45%")
    assert offered.first > 0 and offered.there + offered.first <= offered.budget
    second, _ = run(storage, "45%")
    assert offer(plan, "45%").first == 0
    assert second.new >= offered.first and first.new + second.new <= offered.budget


def test_what_was_left_out_on_purpose_is_no_failure(half: tuple[Storage, Counts, str]) -> None:
    storage, quiet = half[0], Console(file=io.StringIO(), width=200)
    after = status(make_plan(asked(), storage))
    assert after["cells"]["open"] > 0
    assert summarize(storage, after, quiet, chosen=True) == 0
    assert f"cells in full, {after['cells']['open']} short on purpose" in quiet.file.getvalue()  # type: ignore[attr-defined]
    assert summarize(storage, after, quiet) == EXIT_INCOMPLETE
    failed = after | {"cells": after["cells"] | {"failed": 1}}
    assert summarize(storage, failed, quiet, chosen=True) == EXIT_INCOMPLETE


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("lots", "'lots' is no budget"),
        ("1.5", "'1.5' is no budget"),
        ("-3", "'-3' is no budget"),
        ("0", "give 1 to 3,000"),
        ("0%", "give 1 to 3,000"),
        ("101%", "give 1 to 3,000"),
        ("3001", "give 1 to 3,000"),
        ("10%", "give 530 or more"),
    ],
)
def test_a_budget_that_will_not_do_is_refused_before_anything_is_computed(
    tmp_path: Path, budget: str, words: str
) -> None:
    storage, trainer = Storage(tmp_path / "house"), FakeTrainer()
    with pytest.raises(SpecError, match=words):
        run(storage, budget, trainer=trainer)
    assert trainer.trained == [] and storage.names() == []


def test_the_smallest_budget_is_enough(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    generator, _ = run(storage, "530")
    assert generator.new == 530


@pytest.mark.slow
def test_a_budget_on_the_command_line(tmp_path: Path) -> None:
    assert_refused(rsft("plan", "--adaptive", "half", page=SMOKE, tmp_path=tmp_path), "'half' is no budget")
    assert_refused(rsft("run", "--adaptive", "1", page=SMOKE, tmp_path=tmp_path), "first round")
    done = rsft("plan", "--adaptive", "100%", page=SMOKE, tmp_path=tmp_path)
    assert done.returncode == 0 and "adaptive: " in done.stdout and "the first round asks" in done.stdout
