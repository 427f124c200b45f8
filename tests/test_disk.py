"""Room on disk: what a run needs, a refusal in one sentence, and a stop that loses nothing.

The disk that fills up here is a Storage whose writes raise ENOSPC: our own logic alone, with fake engines.
"""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from fakes import FakeTrainer
from test_house_in_one_breath import page, run

from rsft import layout
from rsft.bases import resolve
from rsft.errors import StorageError
from rsft.spec import ModelSpec
from rsft.storage import Storage, out_of_space
from rsft.sweep.disk import check_room, full, gigabytes, need, one_sentence_when_full, weight_bytes
from rsft.sweep.plan import make_plan

FULL = OSError(errno.ENOSPC, "No space left on device")
Usage = namedtuple("Usage", "total used free")


def room(free: int) -> Any:
    return patch("rsft.sweep.disk.shutil.disk_usage", return_value=Usage(10**12, 0, free))


class FullAfter:
    """Lets a number of bytes be written, by whatever Storage, and then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        plain = Storage.write_bytes

        def write_bytes(storage: Storage, relative: str, content: bytes) -> None:
            self.left -= len(content)
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            plain(storage, relative, content)

        monkeypatch.setattr(Storage, "write_bytes", write_bytes)


def test_what_is_needed_is_what_is_open(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    plan = make_plan(page(), storage)
    needed = need(plan)
    one = weight_bytes(plan.bases["nano-1m"])
    files = Path(plan.bases["nano-1m"].source).glob("*.safetensors")
    assert one == sum(file.stat().st_size for file in files)
    assert needed.checkpoints == 2 * (2 + 3)  # two variants; steps 1, 2 and 1, 2, 4
    assert needed.weights == 10 * one
    assert needed.answers == (2 * 5 + 1) * 2 * 6 * 2 * 1_500  # and the base; benchmarks, problems, samples
    assert needed.states == 0, "no trial is long enough for one"
    assert needed.unknown == ()
    run(page(), storage)
    after = need(make_plan(page(), storage))
    assert (after.total, after.staging, after.checkpoints) == (0, 0, 0)


def test_states_lie_beside_their_predecessors_and_on_trunks(tmp_path: Path) -> None:
    train = page().train.model_copy(update={"resume_every_steps": 10, "workers": 2})
    parameters = resolve(ModelSpec(source="nano-1m")).parameters
    assert parameters is not None

    def states(lengths: tuple[int, ...], at_once: int, **changes: Any) -> int:
        spec = page(train=train.model_copy(update=changes), lengths_steps=lengths, concurrent_trials=at_once)
        return need(make_plan(spec, Storage(tmp_path))).states

    one = 16 * parameters
    assert states((10,), 1) == 0
    assert states((11,), 1) == one, "after step 10 alone"
    assert states((100,), 1) == 2 * one
    assert states((100,), 2) == 4 * one
    assert states((100,), 99) == 4 * one, "there are two trials"
    assert states((100, 200), 1, schedule="constant", warmup_steps=5) == 4 * one, "and two trunks"


def test_a_run_that_does_not_fit_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    storage, trainer = Storage(tmp_path / "house"), FakeTrainer()
    needed = need(make_plan(page(), storage))
    with room(needed.total), pytest.raises(StorageError) as refused:
        run(page(), storage, trainer)  # exports on their way have no room
    said = str(refused.value)
    assert gigabytes(needed.total + needed.staging) in said and f"{gigabytes(needed.total)} free" in said
    assert storage.root in said and "weights of 10 checkpoints" in said and "make space" in said
    assert "\n" not in said
    assert trainer.trained == [] and storage.names("trials") == []
    with room(needed.total + needed.staging):
        run(page(), storage, trainer)
    assert len(trainer.trained) == 4


def test_what_is_done_needs_no_room(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    run(page(), storage)
    with room(0):
        check_room(make_plan(page(), storage), lambda line: None)


def test_a_small_folder_for_temporary_files_is_refused_by_its_name(tmp_path: Path) -> None:
    plan = make_plan(page(), Storage(tmp_path / "house"))

    def usage(path: Path) -> Usage:
        return Usage(0, 0, 10 if str(path) == "/proc" else 10**12)

    with (
        patch("rsft.sweep.disk.tempfile.gettempdir", return_value="/proc"),  # surely another file system
        patch("rsft.sweep.disk.shutil.disk_usage", usage),
        pytest.raises(StorageError, match=r"'/proc' has 0.0 MB free.*TMPDIR"),
    ):
        check_room(plan, lambda line: None)


def test_a_base_of_unknown_size_is_said_and_not_refused(tmp_path: Path) -> None:
    spec = page(models=(ModelSpec(source="some/base", revision="abc"),))
    said: list[str] = []
    check_room(make_plan(spec, Storage(tmp_path)), said.append)
    assert len(said) == 1 and "base" in said[0] and "not known" in said[0]


def test_a_bucket_is_never_refused(tmp_path: Path) -> None:
    plan = make_plan(page(), Storage(tmp_path))
    with room(0), patch("rsft.storage.Storage.is_local", False):
        check_room(plan, lambda line: None)


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EACCES, "x"), False),
        (RuntimeError("ray::train() OSError: [Errno 28] No space left on device"), True),
        ("I/O error: No space left on device (os error 28)", True),
        ("sqlite3.OperationalError: database or disk is full", True),
        (ValueError("space"), False),
        ("", False),
    ],
)
def test_a_full_disk_is_known_by_its_errors(error: BaseException | str, is_full: bool) -> None:
    assert out_of_space(error) is is_full


def test_a_full_disk_is_known_by_the_cause_of_an_error(tmp_path: Path) -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "x")
        except OSError as cause:
            raise RuntimeError("could not save") from cause
    except RuntimeError as error:
        assert out_of_space(error)


def test_a_library_that_does_not_say_why_is_believed_where_no_room_is_left(tmp_path: Path) -> None:
    error, storage = (
        RuntimeError("PytorchStreamWriter failed writing file"),
        Storage(tmp_path / "not" / "yet"),
    )
    assert not out_of_space(error) and not out_of_space(error, storage)
    with patch("rsft.storage.shutil.disk_usage", return_value=Usage(10**9, 10**9, 1_000)):
        assert out_of_space(error, storage)
        assert not out_of_space(KeyError("x"), storage), "no write"
        assert not out_of_space(error)


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="denied"), one_sentence_when_full(Storage(tmp_path)):
        raise PermissionError(errno.EACCES, "denied")


def test_a_trial_that_found_the_disk_full_stops_the_sweep(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    plan = make_plan(page(), storage)
    first = plan.trials[0].id

    class Full(FakeTrainer):
        def __call__(self, jobs: Any) -> dict[str, str]:
            return {first: "TrainingFailedError: OSError: [Errno 28] No space left on device"}

    with pytest.raises(StorageError, match=r"is full .*make space, then run again") as stopped:
        run(page(), storage, Full())
    assert "\n" not in str(stopped.value)
    assert storage.read_json(layout.failure(first))["kind"] == "disk full"
    assert [plan.trial_state(trial) for trial in plan.trials] == ["failed", "open", "open", "open"]
    after, trainer, _ = run(page(), storage)
    assert len(trainer.trained) == 4 and after["failures"] == [] and after["cells"]["open"] == 0


def test_an_answer_that_found_the_disk_full_stops_the_sweep(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "house")
    with (
        patch("fakes.BROKEN", "OSError: [Errno 28] No space left on device"),
        pytest.raises(StorageError, match="is full"),
    ):
        run(page(), storage, breaks=lambda trial, step: step == 2)
    after, trainer, _ = run(page(), storage)
    assert trainer.trained == [] and after["cells"]["failed"] == after["cells"]["open"] == 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Storage, int]:
    """A run without trouble, and the bytes it wrote."""
    storage = Storage(tmp_path_factory.mktemp("undisturbed") / "house")
    with pytest.MonkeyPatch.context() as counting:
        disk = FullAfter(counting, left := 10**12)
        run(page(), storage)
    return storage, left - disk.left


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_a_disk_that_fills_up_anywhere_ends_in_one_sentence_and_the_run_goes_on_later(
    share: float, undisturbed: tuple[Storage, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, (whole, written) = Storage(tmp_path / "house"), undisturbed
    with monkeypatch.context() as only_now:
        FullAfter(only_now, int(share * written))
        with pytest.raises(StorageError, match="is full") as stopped:
            run(page(), storage)
    assert "\n" not in str(stopped.value)
    assert not list(Path(storage.root).rglob("*.part")), "what was half-written is gone"
    after, _, _ = run(page(), storage)
    assert after["failures"] == [] and after["trials"]["open"] == after["cells"]["open"] == 0
    assert storage.read_bytes(layout.CELLS) == whole.read_bytes(layout.CELLS)


def test_the_sentence_says_how_much_is_left(tmp_path: Path) -> None:
    with room(3_000_000):
        assert "(3.0 MB free)" in str(full(Storage(tmp_path)))
