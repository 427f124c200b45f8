"""The resume proof: what is compared, where kills fall, what is refused, and the proof itself."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsft import layout
from rsft.data.batches import RowOrder
from rsft.errors import EngineError, RsftError, SpecError, StorageError
from rsft.resume import killer, tree
from rsft.resume.compare import Tolerance, differing_log, differing_weights, tensors
from rsft.resume.killer import Blow, Landed, Watched
from rsft.resume.proof import Proof, Result, epoch_end
from rsft.resume.table import cells, markdown
from rsft.resume.verify import KINDS, blows, check_epoch, choose, kinds, length, scratch_storage, shortened
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.page import load_page
from rsft.sweep.plan import make_plan

HOUSE = Path(__file__).resolve().parents[1]
PAGE = HOUSE / "tests" / "pages" / "one_trial.py"
SWEEP = load_page(PAGE)


@pytest.fixture(scope="module")
def trial() -> Trial:
    """Ten steps, a checkpoint after 2, 6 and 10; an epoch is six steps."""
    (found,) = make_plan(SWEEP, Storage("runs")).trials
    return found


@pytest.fixture(scope="module")
def short(trial: Trial) -> Trial:
    (found,) = make_plan(shortened(SWEEP, trial, 8), Storage("runs")).trials
    return found


def write_tensors(file: Path, values: dict[str, tuple[str, list[int], bytes]]) -> None:
    """A safetensors file: name -> dtype, shape, bytes."""
    head, body = dict[str, Any](), b""
    for name, (dtype, shape, raw) in values.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(head).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)


def trained(root: Path, trial: Trial, nudge: dict[int, float] | None = None) -> Storage:
    """A storage with all checkpoints of a trial; weights grow with the step, and are nudged at some."""
    storage = Storage(root)
    for step in trial.checkpoint_steps:
        place = layout.checkpoint(trial.owner(step), step)
        weights = np.arange(12, dtype="<f4") + step + (nudge or {}).get(step, 0.0)
        half = (np.float32(step).view(np.uint32) >> 16).astype("<u2")
        write_tensors(
            root / place / "model.safetensors",
            {"body": ("F32", [3, 4], weights.tobytes()), "head": ("BF16", [1], half.tobytes())},
        )
        storage.write_text(f"{place}/config.json", "{}")
        storage.write_json(layout.checkpoint_marker(trial.owner(step), step), {"step": step})
    return storage


def log(*steps: int, **changes: Any) -> list[dict[str, Any]]:
    return [{"step": s, "data": f"d{s}", "loss": 1 / s, "seconds": random.random()} | changes for s in steps]


# What is compared.


def test_the_same_bytes_are_the_same_weights(tmp_path: Path, trial: Trial) -> None:
    whole, again = trained(tmp_path / "a", trial), trained(tmp_path / "b", trial)
    assert differing_weights(again, whole, trial) == []


def test_a_bit_in_any_listed_checkpoint_is_seen(tmp_path: Path, trial: Trial) -> None:
    whole = trained(tmp_path / "whole", trial)
    for step in trial.checkpoint_steps:
        (wrong,) = differing_weights(
            trained(tmp_path / str(step), trial, {step: np.spacing(np.float32(32))}), whole, trial
        )
        assert wrong.startswith(f"step {step}: 1 of 2 tensors differ, at most by ") and "(body)" in wrong


def test_a_difference_is_told_by_its_largest_value(tmp_path: Path, trial: Trial) -> None:
    whole, off = trained(tmp_path / "a", trial), trained(tmp_path / "b", trial, {6: 0.25})
    assert differing_weights(off, whole, trial) == [
        "step 6: 1 of 2 tensors differ, at most by 2.5e-01 (body)"
    ]


def test_bf16_is_read_as_numbers(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0, 0.15625], dtype="<f4")
    raw = (values.view("<u4") >> 16).astype("<u2").tobytes()
    write_tensors(tmp_path / "model.safetensors", {"w": ("BF16", [3], raw)})
    (block,) = tensors(tmp_path)["w"].blocks()
    assert block.tolist() == values.tolist()


def test_equal_nans_are_the_same_and_negative_zero_is_not_zero(tmp_path: Path, trial: Trial) -> None:
    whole, again = trained(tmp_path / "a", trial), trained(tmp_path / "b", trial)
    place = layout.checkpoint(trial.owner(6), 6)
    raw = np.array([np.nan, 0.0], dtype="<f4")
    for storage in (whole, again):
        file = Path(storage.path(place)) / "model.safetensors"
        write_tensors(file, {"w": ("F32", [2], raw.tobytes())})
    assert differing_weights(again, whole, trial) == []
    write_tensors(
        Path(again.path(place)) / "model.safetensors",
        {"w": ("F32", [2], (raw * [1, -1]).astype("<f4").tobytes())},
    )
    assert len(differing_weights(again, whole, trial)) == 1


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda place: (place / "checkpoint.json").unlink(), "no checkpoint"),
        (lambda place: (place / "config.json").unlink(), "file config.json is missing"),
        (lambda place: (place / "config.json").write_text("{ }"), "file config.json differs"),
        (lambda place: (place / "model.1f.part").write_text(""), "file model.1f.part is left over"),
        (
            lambda place: write_tensors(place / "model.safetensors", {"body": ("F32", [0], b"")}),
            "tensor head is in one of them alone",
        ),
        (
            lambda place: write_tensors(
                place / "model.safetensors",
                {"body": ("F32", [4, 3], bytes(48)), "head": ("BF16", [1], bytes(2))},
            ),
            "tensor body is F32 (4, 3) instead of F32 (3, 4)",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(spoil: Any, told: str, tmp_path: Path, trial: Trial) -> None:
    whole, again = trained(tmp_path / "a", trial), trained(tmp_path / "b", trial)
    spoil(Path(again.path(layout.checkpoint(trial.owner(6), 6))))
    assert differing_weights(again, whole, trial) == [f"step 6: {told}"]


def test_a_tolerance_is_a_share_of_the_way_that_weights_went(tmp_path: Path, trial: Trial) -> None:
    whole = trained(tmp_path / "whole", trial)  # eight steps of 1 in each of 12 weights, and bf16's own
    near, far = (trained(tmp_path / str(nudge), trial, {6: nudge}) for nudge in (0.3, 0.5))
    assert differing_weights(near, whole, trial, Tolerance(weights=0.05)) == []
    (wrong,) = differing_weights(far, whole, trial, Tolerance(weights=0.05))
    assert wrong.startswith("step 6: 1.7e+00 apart, of a way of 2.9e+01")
    assert len(differing_weights(near, whole, trial)) == 1


def test_times_may_differ_and_nothing_else() -> None:
    assert differing_log(log(1, 2, 3), log(1, 2, 3)) == []
    assert differing_log(log(1, loss=2.5), log(1, loss=2.5000001)) == ["step 1: loss is 2.5, was 2.5000001"]
    assert differing_log(log(1, data="x"), log(1)) == ['step 1: data is "x", was "d1"']
    assert differing_log(log(2, heldout={"in": 1.0}), log(2, heldout={"in": 1.1})) == [
        'step 2: heldout is {"in": 1.0}, was {"in": 1.1}'
    ]


def test_every_step_is_there_once_and_in_order() -> None:
    whole = log(1, 2, 3)
    assert differing_log(log(1, 2, 2, 3), whole) == ["step 2 is there 2 times"]
    assert differing_log(log(1, 3), whole) == ["step 2 is missing"]
    assert differing_log(log(1, 2, 3, 4), whole) == ["step 4 does not belong there"]
    assert differing_log(log(1, 3, 2), whole) == ["steps are out of order"]
    assert differing_log([], whole) == [f"step {step} is missing" for step in (1, 2, 3)]


def test_a_loss_within_tolerance_needs_the_same_data() -> None:
    near, far = log(1, loss=2.01), log(1, loss=2.1)
    assert differing_log(near, log(1, loss=2.0), Tolerance(loss=0.01)) == []
    assert differing_log(far, log(1, loss=2.0), Tolerance(loss=0.01)) == ["step 1: loss is 2.1, was 2.0"]
    assert len(differing_log(log(1, data="x"), log(1), Tolerance())) == 1
    assert differing_log(log(1, loss=None), log(1, loss=None), Tolerance()) == []
    assert len(differing_log(log(1, loss=None), log(1), Tolerance())) == 1


# Where kills fall.


def test_a_kill_at_a_random_step_comes_after_a_state_and_before_the_end(short: Trial) -> None:
    every = short.train.resume_every_steps
    drawn = {
        blow.step
        for seed in range(200)
        for kind in ("worker", "driver", "all", "twice")
        for blow in blows(kind, short, None, random.Random(seed))[:1]
    }
    assert (every, drawn) == (2, {3, 4, 5, 6})


def test_every_shortest_trial_has_a_step_to_kill_at(trial: Trial) -> None:
    for steps in range(4, 11):
        (cut,) = make_plan(shortened(SWEEP, trial, steps), Storage("runs")).trials
        assert cut.train.resume_every_steps + 1 <= cut.steps - 2
        for kind in KINDS:
            for seed in range(20):
                assert blows(kind, cut, 3, random.Random(seed))


def test_the_same_seed_draws_the_same_steps(short: Trial) -> None:
    for kind in KINDS:
        assert blows(kind, short, 6, random.Random("7/x")) == blows(kind, short, 6, random.Random("7/x"))


def test_kinds_kill_what_they_say(short: Trial) -> None:
    found = {kind: blows(kind, short, 6, random.Random(0)) for kind in KINDS}
    assert {kind: [(b.target, b.moment) for b in hits] for kind, hits in found.items()} == {
        "worker": [("worker", "step")],
        "driver": [("driver", "step")],
        "all": [("all", "step")],
        "epoch": [("all", "step")],
        "write": [("all", "state"), ("all", "checkpoint")],
        "twice": [("worker", "step"), ("all", "resumed")],
    }
    assert found["epoch"][0].step == 6


def test_a_checkpoint_is_waited_for_that_comes_after_the_state(short: Trial) -> None:
    for seed in range(50):
        state, checkpoint = blows("write", short, None, random.Random(seed))
        assert (state.step, checkpoint.step) in ((2, 6), (4, 6))


def test_an_epoch_ends_with_the_step_that_takes_its_last_row() -> None:
    lengths = np.full(20, 10)
    assert epoch_end(RowOrder(lengths, 0, True, 5), 20, steps=9) == 4
    assert epoch_end(RowOrder(lengths, 0, True, 6), 20, steps=9) == 4  # which begins the next one too
    assert epoch_end(RowOrder(lengths, 0, True, 5), 20, steps=4) is None
    assert epoch_end(RowOrder(lengths, 0, False, 1, tokens=70), 20, steps=9) == 3


def test_a_trial_is_cut_to_a_few_dozen_steps_with_an_epochs_end_where_that_is_near(trial: Trial) -> None:
    def of(rows: int, steps: int) -> Trial:
        return trial.model_copy(update={"data": trial.data.model_copy(update={"rows": rows}), "steps": steps})

    assert length(trial, None) == 10
    assert length(of(rows=48, steps=500), None) == 24
    assert length(of(rows=240, steps=500), None) == 34
    assert length(of(rows=4_000, steps=500), None) == 24
    assert length(of(rows=48, steps=500), 300) == 300


def test_the_cut_trial_keeps_all_but_its_length(trial: Trial, short: Trial) -> None:
    own = {"id", "length", "steps", "checkpoint_steps", "train"}
    assert short.model_dump(exclude=own) == trial.model_dump(exclude=own)
    assert short.train == trial.train.model_copy(update={"resume_every_steps": 2})
    assert (short.steps, short.checkpoint_steps) == (8, (2, 6, 8))
    early = shortened(SWEEP, trial, 4)
    assert early.evaluation.checkpoint_steps == (2, 4)
    sparse = SWEEP.model_copy(
        update={"evaluation": SWEEP.evaluation.model_copy(update={"checkpoint_steps": (9,)})}
    )
    assert shortened(sparse, trial, 8).evaluation.checkpoint_steps == (4, 8)


# What is seen from outside.


def test_the_newest_state_without_its_marker_is_half_written(tmp_path: Path, short: Trial) -> None:
    storage, own = Storage(tmp_path), layout.trial(short.id)
    watched = Watched(storage, short)
    assert watched.half_written("state") is None
    storage.write_text(f"{layout.state(own, 2)}/shard", "")
    assert watched.half_written("state") == "resume/step_000002"
    assert watched.half_written("checkpoint") is None
    storage.write_json(layout.state_marker(own, 2), {})
    assert watched.half_written("state") is None
    storage.write_text(f"{layout.checkpoint(own, 2)}/model.safetensors", "")
    assert watched.half_written("checkpoint") == "checkpoints/step_000002"
    storage.write_json(layout.state_marker(own, 4), {})
    storage.delete(layout.state_marker(own, 2))  # an old one that is being removed is not written
    assert watched.half_written("state") is None


def test_steps_and_starts_are_read_while_they_are_written(tmp_path: Path, short: Trial) -> None:
    storage, own = Storage(tmp_path), layout.trial(short.id)
    watched = Watched(storage, short)
    assert (watched.step(), watched.starts()) == (0, [])
    storage.write_lines(layout.train_log(own), [{"step": 0}, {"step": 1}])
    with open(storage.path(layout.train_log(own)), "a") as out:
        out.write('{"step": 2, "lo')
    storage.write_lines(layout.attempts(own), [{"from_step": 0}, {"from_step": 1}])
    assert (watched.step(), watched.starts()) == (1, [0, 1])


STANDIN = """
import os, subprocess, sys, time
root, own, steps, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
os.makedirs(own, exist_ok=True)
log, attempts = f"{own}/train.jsonl", f"{own}/attempts.jsonl"
done = len(open(log).readlines()) if os.path.exists(log) else 0
open(attempts, "a").write('{"from_step": %d}\\n' % done)
for step in range(done + 1, steps + 1):
    time.sleep(seconds)
    open(log, "a").write('{"step": %d, "loss": 1.0, "data": "d%d"}\\n' % (step, step))
child.kill()
"""


@pytest.fixture
def standin(tmp_path: Path, short: Trial, monkeypatch: pytest.MonkeyPatch) -> tuple[tree.Run, Watched]:
    """A run that logs eight steps, half a tenth of a second each, and has a child with a long life."""
    storage = Storage(tmp_path / "standin")
    run = tree.Run(storage)
    own = storage.path(layout.trial(short.id))
    monkeypatch.setattr(run, "_command", [sys.executable, "-c", STANDIN, storage.root, own, "8", "0.05"])
    monkeypatch.setattr(killer, "STALL_SECONDS", 30)
    return run, Watched(storage, short)


def test_a_blow_kills_everything_at_its_step_and_nobody_is_left(
    standin: tuple[tree.Run, Watched],
) -> None:
    run, watched = standin
    with run:
        run.start()
        landed = killer.strike(run, watched, Blow("all", "step", 3), before=0)
        assert landed is not None and landed.processes == 2 and 3 <= landed.after_step < 8
        assert run.members() == []
        run.start()
        twice = killer.strike(run, watched, Blow("all", "resumed"), before=1)
        assert twice is not None and landed.after_step < twice.after_step < 8
        run.start()
        assert killer.finish(run, watched) == 0
    assert watched.starts() == [0, landed.after_step, twice.after_step]
    assert watched.step() == 8


def test_orphans_are_found_by_their_session(standin: tuple[tree.Run, Watched]) -> None:
    run, watched = standin
    with run:
        run.start()
        assert tree.until(lambda: len(run.members()) == 2 and watched.step() > 0, 20)
        orphan = next(p for p in run.members() if p.ppid() != os.getpid())
        leader = next(p for p in run.members() if p.ppid() == os.getpid())
        os.kill(leader.pid, signal.SIGKILL)
        assert tree.until(lambda: run.code() is not None, 20)
        assert [p.pid for p in run.members()] == [orphan.pid]
    assert tree.gone(orphan)


def test_a_kill_after_the_end_is_none(standin: tuple[tree.Run, Watched]) -> None:
    run, watched = standin
    with run:
        run.start()
        assert killer.strike(run, watched, Blow("all", "step", 9), before=0) is None
        assert killer.finish(run, watched) == 0


def test_a_write_that_is_complete_when_all_stand_still_is_let_go(
    standin: tuple[tree.Run, Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, watched = standin
    seen = iter(["resume/step_000002", None])  # a folder without marker, which comes while they are stopped
    monkeypatch.setattr(Watched, "half_written", lambda self, moment: next(seen, None))
    with run:
        run.start()
        assert killer.strike(run, watched, Blow("all", "state", 1), before=0) is None
        assert (killer.finish(run, watched), watched.step()) == (0, 8)


def test_a_write_is_waited_for_from_a_step_on(
    standin: tuple[tree.Run, Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, watched = standin
    monkeypatch.setattr(Watched, "half_written", lambda self, moment: f"{moment}/step_000002")
    with run:
        run.start()
        landed = killer.strike(run, watched, Blow("all", "checkpoint", 3), before=0)
    assert landed is not None and 3 <= landed.after_step < 8
    assert str(landed).startswith("all 2 processes after step ")
    assert str(landed).endswith(", checkpoint/step_000002 half written")


def test_a_run_that_hangs_is_given_up(
    standin: tuple[tree.Run, Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, watched = standin
    monkeypatch.setattr(killer, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(run, "_command", [*run._command[:-1], "60"])
    started = time.monotonic()
    with pytest.raises(EngineError, match="shows nothing new"), run:
        run.start()
        killer.finish(run, watched)
    assert time.monotonic() - started < 30


# From kills to a verdict.


@pytest.fixture
def proof(tmp_path: Path, trial: Trial, short: Trial) -> Proof:
    found = Proof(shortened(SWEEP, trial, 8), Storage(tmp_path), 0, lambda line: None)
    whole = trained(tmp_path / "undisturbed", short)
    whole.write_text("prepared/rows/manifest.json", "{}")
    whole.write_lines(layout.train_log(layout.trial(short.id)), log(*range(1, 9)))
    return found


def played(
    monkeypatch: pytest.MonkeyPatch,
    trial: Trial,
    *,
    landed: Landed | None = Landed("all", 9, 4),
    starts: tuple[int, ...] = (0, 4),
    nudge: dict[int, float] | None = None,
    code: int = 0,
) -> None:
    """Replaces engines and kills: a run leaves checkpoints, a log and these starts."""

    def finish(run: tree.Run, watched: Watched) -> int:
        storage = watched._storage
        trained(Path(storage.root), trial, nudge)
        storage.write_lines(layout.train_log(layout.trial(trial.id)), log(*range(1, 9)))
        storage.write_lines(layout.attempts(layout.trial(trial.id)), [{"from_step": s} for s in starts])
        return code

    monkeypatch.setattr("rsft.resume.proof.strike", lambda *_, **__: landed)
    monkeypatch.setattr("rsft.resume.proof.finish", finish)
    monkeypatch.setattr(tree.Run, "start", lambda self: None)


def test_what_comes_out_the_same_holds(
    proof: Proof, short: Trial, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    played(monkeypatch, short)
    result = proof.disturbed("all", lambda draw: [Blow("all", "step", 4)])
    assert (result.verdict, result.weights, result.log) == ("holds", "identical", "each step once")
    assert (result.killed, result.resumed_from) == (("all 9 processes after step 4",), (4,))
    assert [p.name for p in tmp_path.iterdir()] == ["undisturbed"], "its files have served their purpose"


def test_what_comes_out_otherwise_differs_and_is_kept(
    proof: Proof, short: Trial, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    played(monkeypatch, short, nudge={8: 1.0})
    result = proof.disturbed("all", lambda draw: [Blow("all", "step", 4)])
    assert result.verdict == "differs" and result.weights.startswith("step 8: 1 of 2 tensors differ")
    assert (tmp_path / "all-1").is_dir()


@pytest.mark.parametrize("late", [{"landed": None}, {"starts": (0,)}])
def test_a_kill_that_came_too_late_is_tried_again_and_is_no_proof(
    late: dict[str, Any], proof: Proof, short: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch, short, **late)
    draws = list[float]()
    result = proof.disturbed("all", lambda draw: [Blow("all", "step", round(4 + 0 * draws_of(draws, draw)))])
    assert (result.verdict, result.tries) == ("not shown", 3)
    assert result.reason == "the run had ended before the kill after step 4"
    assert len(set(draws)) == 3, "another step each time"


def draws_of(draws: list[float], draw: random.Random) -> float:
    draws.append(draw.random())
    return draws[-1]


def test_a_run_that_cannot_go_on_fails(proof: Proof, short: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, short, code=1)
    result = proof.disturbed("all", lambda draw: [Blow("all", "step", 4)])
    assert (result.verdict, result.tries) == ("failed", 1)
    assert result.reason.startswith("it printed nothing; see ")


def test_the_table_says_what_happened() -> None:
    result = Result(
        kind="twice",
        verdict="holds",
        killed=("a worker after step 3", "all 14 processes after step 4"),
        resumed_from=(2, 2),
        weights="identical",
        log="each step once",
        tries=2,
        seconds=61.4,
    )
    row = "twice | a worker after step 3; all 14 processes after step 4 | 2, 2 | identical | each step once"
    assert " | ".join(cells(result)) == f"{row} | holds (try 2) | 61"
    facts = {
        "trial": "t",
        "steps": 8,
        "checkpoint_steps": [2, 8],
        "resume_every_steps": 2,
        "workers": 2,
        "zero_stage": 2,
        "device": "cpu",
        "tolerance": None,
        "seed": 7,
        "undisturbed_seconds": 30.2,
    }
    first, _, *table = markdown(facts, [result]).splitlines()
    assert "seed 7" in first and len(table) == 3
    assert {line.count("|") for line in table} == {8}


# What is refused.


def test_bad_input_is_one_sentence(trial: Trial, tmp_path: Path) -> None:
    tiny = trial.model_copy(update={"steps": 3})
    long = trial.model_copy(update={"data": trial.data.model_copy(update={"rows": 800}), "steps": 500})
    for wrong, words in (
        (lambda: kinds("worker,wrker"), "'wrker', which is no kind of kill; choose from worker, driver"),
        (lambda: kinds(","), "names no kind of kill; choose from"),
        (lambda: choose([trial], "x?"), "--trial 'x.' matches none of the 1 trials"),
        (lambda: length(tiny, None), "has 3 steps, and a kill in its midst needs 4"),
        (lambda: length(trial, 3), "--steps 3 does not fit .* give 4 to 10"),
        (lambda: length(trial, 11), "--steps 11 does not fit .* give 4 to 10"),
        (lambda: check_epoch(trial, 6), "which is step 6, and 6 steps are trained; give --steps 8"),
        (lambda: check_epoch(long, 24), "which is step 100, and 24 steps are trained; give --steps 102"),
        (lambda: check_epoch(long.model_copy(update={"steps": 90}), 24), "name a longer trial"),
    ):
        with pytest.raises(SpecError, match=words) as caught:
            wrong()
        assert str(caught.value).count(".\n") == 0
    check_epoch(trial, 8)
    assert kinds("all,worker,all") == ("all", "worker")
    assert kinds(None) == tuple(KINDS)
    with pytest.raises(StorageError, match="is a bucket"):
        scratch_storage("mock://bucket/x", "one-trial")
    (tmp_path / "file").write_text("")
    with pytest.raises(RsftError, match="cannot be written to"):
        scratch_storage(str(tmp_path / "file"), "one-trial")


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.run(
        [sys.executable, "-m", "rsft.cli", "verify-resume", *arguments],
        capture_output=True,
        text=True,
        cwd=HOUSE,
        env=kept,
        **options,
    )


@pytest.mark.slow
def test_the_command_refuses_with_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    for arguments in (("--kills", "wrker"), ("--trial", "x"), ("--steps", "99")):
        done = command(str(PAGE), *arguments, "--storage", str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert done.stderr.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


# The proof itself.


@pytest.mark.ray
@pytest.mark.soak
def test_a_killed_worker_and_a_killed_run_lose_nothing(tmp_path: Path) -> None:
    done = command(
        str(PAGE),
        "--kills",
        "worker,all",
        "--steps",
        "6",
        "--storage",
        str(tmp_path),
        "--json",
        timeout=1_200,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    facts = json.loads(done.stdout)
    assert facts["holds"] and facts["steps"] == 6
    for kind, result in zip(("worker", "all"), facts["kills"], strict=True):
        assert (result["kind"], result["verdict"]) == (kind, "holds")
        assert (result["weights"], result["log"]) == ("identical", "each step once")
        assert 0 < result["resumed_from"][0] < 6
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


@pytest.mark.soak
def test_no_kind_of_kill_loses_anything_of_a_trunk_in_bf16(tmp_path: Path) -> None:
    page, out = PAGE.with_name("two_lengths.py"), tmp_path / "resume.md"
    done = command(
        *(str(page), "--trial", "*__12st-*", "--storage", str(tmp_path), "--out", str(out), "--json"),
        timeout=3_600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    facts = json.loads(done.stdout)
    assert [(r["kind"], r["verdict"]) for r in facts["kills"]] == [(kind, "holds") for kind in KINDS]
    assert len(out.read_text().splitlines()) == 4 + len(KINDS)
