"""Evaluation beside training: where there is room, and that rounds answer what lands. Our logic alone."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from fakes import FakeGenerator, FakeTrainer, GraderHere, fake_engines
from rich.console import Console
from test_house_in_one_breath import learns, page

from rsft.spec import TrainSpec
from rsft.storage import Storage
from rsft.sweep.jobs import TrainJob
from rsft.sweep.live import Progress
from rsft.sweep.room import Cluster, room_beside, trials_at_once
from rsft.sweep.rounds import Rounds
from rsft.sweep.run import run_sweep
from rsft.tracking.tracker import SilentTracker

WAIT_SECONDS = 20.0
"""Longest that a test waits for what should take a moment."""


def train(device: str, workers: int) -> TrainSpec:
    return TrainSpec(device=device, workers=workers)  # type: ignore[arg-type]


def test_trials_at_once_are_bounded_by_workers_and_leave_room_for_engines() -> None:
    here = Cluster(cpus=8, gpus=0, local=True)
    assert trials_at_once([train("cpu", 2)], here) == 4
    assert trials_at_once([train("cpu", 2), train("cpu", 4)], here) == 2
    assert trials_at_once([train("cpu", 2)], here, engines=1) == 3
    gpus = Cluster(cpus=100, gpus=16, local=False)
    assert trials_at_once([train("gpu", 4)], gpus) == 4
    assert trials_at_once([train("gpu", 4)], gpus, engines=2) == 3
    assert trials_at_once([train("gpu", 32)], gpus) == 1, "it waits for a cluster that grows"


@pytest.mark.parametrize(
    ("cluster", "at_once", "room"),
    [
        (Cluster(cpus=64, gpus=10, local=False), None, True),
        (Cluster(cpus=64, gpus=9, local=False), None, False),
        (Cluster(cpus=64, gpus=10, local=False), 2, False),
        (Cluster(cpus=64, gpus=18, local=False), 2, True),
        (Cluster(cpus=64, gpus=10, local=True), None, False),  # one machine: they take turns
    ],
)
def test_engines_work_beside_training_where_all_of_it_fits(
    cluster: Cluster, at_once: int | None, room: bool
) -> None:
    assert room_beside([train("gpu", 4), train("gpu", 8)], cluster, engines=2, at_once=at_once) is room


class WaitsForAnswers(FakeTrainer):
    """Trains the first trial, and the others only when that one's checkpoints are answered."""

    def __init__(self, generator: FakeGenerator) -> None:
        super().__init__()
        self.generator, self.waited = generator, True

    def __call__(self, jobs: Sequence[TrainJob]) -> dict[str, str]:
        first, *others = jobs
        failed = super().__call__([first])
        pause = threading.Event()
        for _ in range(int(WAIT_SECONDS / 0.02)):
            if {step for _, step, _ in self.generator.answered} >= {0, *first.trial.checkpoint_steps}:
                break
            pause.wait(0.02)
        else:
            self.waited = False
        return failed | super().__call__(others)


def test_checkpoints_are_answered_while_others_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsft.sweep.rounds.PAUSE_SECONDS", 0.01)
    storage, generator = Storage(tmp_path / "house"), FakeGenerator(learns)
    trainer = WaitsForAnswers(generator)
    with (
        patch("rsft.sweep.results.write_report", return_value=""),
        patch("rsft.scoring.references.GraderProcess", GraderHere),
        Progress(storage, Console(file=io.StringIO())) as progress,
    ):
        engines = fake_engines(trainer, generator, beside=True)
        after = run_sweep(page(), storage, engines, SilentTracker(), progress)
    assert trainer.waited, "nothing was answered while a trial was still to be trained"
    assert after["trials"] == {"done": 4, "failed": 0, "open": 0}
    assert set(after["cells"]) == {"done", "failed", "open"} and after["cells"]["done"] == sum(
        after["cells"].values()
    )
    assert len(generator.answered) == len(set(generator.answered)), "no cell was answered twice"


def test_a_round_that_fails_is_the_last_and_training_goes_on() -> None:
    calls: list[int] = []

    def one() -> None:
        calls.append(1)
        raise RuntimeError("engines are gone")

    with Rounds(one, pause=0.001) as rounds:
        threading.Event().wait(0.1)
    assert len(calls) == 1 and str(rounds.error) == "engines are gone"


def test_leaving_waits_for_the_round_under_way() -> None:
    started, done = threading.Event(), threading.Event()

    def one() -> None:
        started.set()
        threading.Event().wait(0.2)
        done.set()

    with Rounds(one, pause=0.001):
        assert started.wait(WAIT_SECONDS)
    assert done.is_set()
