"""A sweep in a bucket (fsspec's file system in memory): what it holds, and what the tracker is told.

Trackers read local files, so the report is copied for them; nothing else of a bucket is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pyarrow.fs
import pytest
from test_house_in_one_breath import page, run

import rsft.storage
from rsft import layout
from rsft.records import Checkpoint, Estimate
from rsft.storage import Storage
from rsft.sweep.evaluate import scored_cells
from rsft.sweep.plan import make_plan
from rsft.sweep.results import tell, write_results
from rsft.tracking.tracker import SilentTracker, TrialState


class InMemory:
    """`pyarrow.fs.FileSystem`, but that buckets lie in memory: one file system for all who open them."""

    @staticmethod
    def from_uri(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
        scheme, place = uri.split("://")
        assert scheme == "memory", uri
        # This file system begins its paths with a slash.
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fsspec.filesystem("memory"))), f"/{place}"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Storage]:
    names = {name: getattr(pyarrow.fs, name) for name in dir(pyarrow.fs) if not name.startswith("_")}
    stand_in = SimpleNamespace(fs=SimpleNamespace(**names | {"FileSystem": InMemory}))
    monkeypatch.setattr(rsft.storage, "pyarrow", stand_in)
    monkeypatch.setenv("RSFT_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    yield Storage("memory://bucket/house")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


class Noted(SilentTracker):
    """Keeps what it is told, and what the report's folder held at that moment."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.cells: list[tuple[str, int, str, float]] = []
        self.ends: dict[str, TrialState] = {}
        self.folders: list[Path] = []
        self.files: dict[str, bytes] = {}

    def training(self, trial_id: str, rows: Sequence[Any]) -> None:
        self.rows[trial_id] = len(rows)

    def cell(
        self, trial_id: str, checkpoint: Checkpoint, benchmark: str, estimates: Sequence[Estimate]
    ) -> None:
        (accuracy,) = [one.value for one in estimates if one.metric == "accuracy"]
        self.cells.append((trial_id, checkpoint.step, benchmark, accuracy))

    def finish_trial(self, trial_id: str, state: TrialState) -> None:
        self.ends[trial_id] = state

    def report(self, folder_or_html: str) -> None:
        folder = Path(folder_or_html)
        self.folders.append(folder)
        self.files = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }


def test_a_bucket_reads_what_was_written(bucket: Storage, tmp_path: Path) -> None:
    assert not bucket.is_local and bucket.child("a").root == "memory://bucket/house/a"
    bucket.check_writable()
    assert bucket.names() == [], "the probe is gone"
    bucket.write_json("a/b.json", {"x": 1})
    bucket.child("a").write_lines("c.jsonl", [{"y": 2}])
    assert bucket.names("a") == ["b.json", "c.jsonl"] and bucket.size_bytes("a") > 0
    assert bucket.read_json_each(["a/b.json", "none"]) == [{"x": 1}, None]
    copy = Path(bucket.local_folder("a", tmp_path / "copy"))
    assert sorted(file.name for file in copy.iterdir()) == ["b.json", "c.jsonl"]
    assert bucket.local_folder("a", tmp_path / "copy") == str(copy), "once per machine"


def test_the_tracker_is_told_all_that_a_bucket_holds(bucket: Storage) -> None:
    after, _, _ = run(page(), bucket)
    assert after["cells"] == {"done": 28, "failed": 0, "open": 0}
    bucket.write_text(f"{layout.REPORT}/index.html", "<p>page</p>")
    bucket.write_bytes(f"{layout.REPORT}/figures/gains.pdf", b"%PDF")
    plan, tracker = make_plan(page(), bucket), Noted()
    assert tell(plan, list(scored_cells(plan)), tracker) == after
    assert tracker.rows == {trial.id: trial.steps for trial in plan.trials}
    assert len(tracker.cells) == len(set(tracker.cells)) == 28
    ends = [value for _, step, name, value in tracker.cells if (step, name) == (4, "gcd")]
    assert ends == pytest.approx([4 / 6] * 2)
    assert set(tracker.ends.values()) == {"done"} and tracker.ends.keys() == tracker.rows.keys()
    assert tracker.files["index.html"] == b"<p>page</p>" and tracker.files["figures/gains.pdf"] == b"%PDF"
    assert bucket.exists(f"{layout.REPORT}/samples.html") and tracker.files.keys() == {
        "index.html",
        "figures/gains.pdf",
    }, "samples may be as large as the answers, and no tracker keeps them"
    (folder,) = tracker.folders
    assert not folder.exists(), "the copy lasts as long as the call"


def test_each_telling_copies_the_report_as_it_is_then(bucket: Storage) -> None:
    run(page(), bucket)
    plan, tracker = make_plan(page(), bucket), Noted()
    for words in ("before", "after"):
        bucket.write_text(f"{layout.REPORT}/index.html", words)
        tell(plan, list(scored_cells(plan)), tracker)
        assert tracker.files["index.html"] == words.encode()
    assert len(set(tracker.folders)) == 2


@pytest.mark.slow
def test_a_whole_report_reaches_the_tracker_from_a_bucket(bucket: Storage) -> None:
    run(page(), bucket)
    tracker = Noted()
    write_results(make_plan(page(), bucket), tracker)
    assert b"Sweep report" in tracker.files["index.html"]
    assert {"figures/gains.svg", "figures/gains.pdf", "tables/verdicts.csv"} <= tracker.files.keys()
    kept = {f"{layout.REPORT}/{name}": content for name, content in tracker.files.items()}
    assert {place: bucket.read_bytes(place) for place in kept} == kept
