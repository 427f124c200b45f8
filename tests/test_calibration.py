"""Published checkpoints asked again, with the published figures beside ours; fakes, no network.

python -m pytest tests/test_calibration.py
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rsft.analysis.calibration import Compared, as_csv, as_markdown, cells, compare, published_of, summary
from rsft.analysis.published import published
from rsft.bases import SHIPPED
from rsft.errors import DataError, SpecError
from rsft.records import Estimate, Problem
from rsft.spec import BenchmarkUse, CalibrationSpec, EvalSpec, PublishedRun, SamplingSpec
from rsft.storage import Storage
from rsft.sweep import calibrate as page
from rsft.sweep.calibrate import Fetch, calibrate, chosen, from_hub, show_plan, step_folder
from rsft.sweep.live import Progress
from rsft.sweep.page import from_page
from rsft.tracking.tracker import SilentTracker
from tests.fakes import FakeGenerator, FakeTrainer, fake_engines

HOUSE = Path(__file__).resolve().parents[1]
PAGE = from_page(HOUSE / "sweeps" / "calibrate.py", "CALIBRATION", CalibrationSpec)
ROWS = list(published())

RUN = PublishedRun(
    repository="them/Qwen3-4B_Math", base="Qwen/Qwen3-4B-Base", data="math-cot", steps=(20, 10)
)
SPEC = CalibrationSpec(
    name="check",
    runs=(RUN,),
    evaluation=EvalSpec(
        benchmarks=(BenchmarkUse(name="math-500", problems=10),), sampling=SamplingSpec(samples=2)
    ),
    device="cpu",
)


def estimate(metric: str, value: float, stderr: float, truncated: float = 0.25) -> Estimate:
    return Estimate(
        metric=metric,
        value=value,
        stderr=stderr,
        ci_low=0.0,
        ci_high=1.0,
        problems=500,
        samples=1_500,
        truncated=truncated,
    )


def one(benchmark: str, step: int = 20, **asked: Any) -> Compared:
    row = next(
        r for r in published_of(ROWS, "Qwen3-4B-Base", "math-cot", step, 8, 256) if r.benchmark == benchmark
    )
    known = {"asked": (500, 3), "of": 500, "note": "theirs is other"} | asked
    found = [estimate("accuracy", 0.65, 0.02), estimate("accuracy_finished", 0.8, 0.02)]
    return compare(row, found, **known)


def test_the_difference_is_in_standard_errors_of_both() -> None:
    row = one("math-500")
    theirs = math.sqrt(0.629 * 0.371 / 1_500)  # v1 table 9, step 20; 500 problems x 3
    assert row.published == 0.629 and row.published_stderr == pytest.approx(theirs)
    assert row.difference == pytest.approx(0.021)
    assert row.standard_errors == pytest.approx(0.021 / math.hypot(0.02, theirs))
    assert (row.truncated, row.finished) == (0.25, 0.8)
    assert cells(row)[4:] == ("62.9 ± 1.2", "65.0 ± 2.0", "80.0", "25 %", "+2.1", "+0.9")
    assert row.deviations == "theirs is other"


def test_what_differs_is_said_beside_the_number() -> None:
    part = one("math-500", asked=(100, 1)).deviations
    assert (
        part
        == "theirs is other; we ask the first 100 of 500 problems; 1 answers to each problem here, 3 there"
    )
    assert "not known: our error alone counts" in one("halueval", asked=(9, 1), of=9).deviations
    assert one("halueval", asked=(9, 1), of=9).published_stderr is None
    (doubtful,) = [
        r for r in published_of(ROWS, "Qwen3-1.7B-Base", "math-cot", 320, 8, 256) if r.benchmark == "ifeval"
    ]
    found = compare(doubtful, None, asked=(541, 1), of=541, note="", why="not done: no answer")
    assert found.deviations == "not done: no answer; the published number is doubtful"
    assert found.ours is found.standard_errors is None and cells(found)[5] == "open"


def test_tables_are_matched_by_run_and_the_first_sure_one_counts() -> None:
    base = {r.benchmark: r for r in published_of(ROWS, "Qwen3-14B-Base", None, 0, 8, 256)}
    assert base["gpqa-diamond"].value == 0.418 and base["gpqa-diamond"].table == "v1 Table 5"
    end = {
        (r.benchmark, r.metric): r.value for r in published_of(ROWS, "Qwen3-14B-Base", "math-cot", 640, 1, 32)
    }
    assert end["aime-2024", "accuracy"] == 0.48 and end["alpaca-eval", "reward"] == 0.93
    assert not any(metric == "helpful" for _, metric in end)
    assert published_of(ROWS, "Qwen3-14B-Base", "math-cot", 320, 8, 256) == []


def test_markdown_and_csv_hold_all_of_it() -> None:
    rows = [one("math-500"), one("math-500", 10), one("halueval", asked=(9, 1), of=9)]
    text = as_markdown(rows)
    assert text.count("| math-500 |") == 2 and "- math-500 (accuracy): theirs is other\n" in text
    assert summary(rows) in text and "of 3 differences are within 2 standard errors" in text
    back = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [float(row["ours"]) for row in back] == [0.65] * 3
    assert back[2]["published_stderr"] == ""
    assert "none of 0 published" in summary([])


def test_the_page_names_each_base_once_and_all_its_numbers_are_published() -> None:
    asked = chosen(PAGE)
    assert [one.step for one in asked].count(0) == 4
    assert len(asked) == 4 + 2 * 8 + 4
    for checkpoint in asked:
        assert page.known_of(checkpoint, ROWS), checkpoint
    assert {one.run.label for one in chosen(PAGE, "Qwen3-4B_*")} == {"Qwen3-4B_Math-CoT-20k_lr5e-5_ep8_bs256"}
    with pytest.raises(SpecError, match="fits none"):
        chosen(PAGE, "nothing")


@pytest.mark.slow
def test_a_plan_tells_generations_without_network() -> None:
    console = Console(record=True, width=140)
    show_plan(SPEC, "*", console)
    text = console.export_text()
    assert "3 checkpoints, 3 cells, 60 generations" in text
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('a connection was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "sys.argv = ['calibrate.py', '--plan']\n"
        "import runpy; runpy.run_path('sweeps/calibrate.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOUSE)
    assert done.returncode == 0, done.stderr
    assert "24 checkpoints, 168 cells, 203,232 generations" in done.stdout


def copied(folder: Path, step: int) -> str:
    """A model folder of its own."""
    target = folder / f"step{step}"
    if not target.exists():
        shutil.copytree(SHIPPED / "nano-1m", target)
        config = json.loads((target / "config.json").read_text())
        (target / "config.json").write_text(json.dumps(config | {"made_for": step}))
    return str(target)


def calibrated(generator: FakeGenerator, storage: Storage, fetch: Fetch, console: Console) -> int:
    with Progress(storage, Console(quiet=True)) as progress:
        engines = fake_engines(FakeTrainer(), generator)
        return calibrate(SPEC, storage, engines, SilentTracker(), progress, fetch, console)


@pytest.mark.slow
def test_checkpoints_are_asked_and_stand_beside_the_papers_figures(tmp_path: Path) -> None:
    fetched: list[int] = []

    def fetch(run: PublishedRun, step: int) -> str:
        fetched.append(step)
        return copied(tmp_path / "hub", step)

    def answer(problem: Problem, step: int, sample: int) -> str:
        right = int(problem.id) % 2 == 0
        return f"So \\boxed{{{problem.gold if right else 'no idea'}}}." if sample == 0 else "on and on"

    generator = FakeGenerator(answer)
    storage, console = Storage(str(tmp_path / "runs")), Console(record=True, width=200)
    assert calibrated(generator, storage, fetch, console) == 0
    assert fetched == [0, 10, 20] and len(generator.answered) == 3
    rows = list(csv.DictReader(io.StringIO(storage.read_text("calibration.csv"))))
    assert [(row["step"], row["published"]) for row in rows] == [
        ("0", "0.708"),
        ("10", "0.649"),
        ("20", "0.629"),
    ]
    assert {(row["ours"], row["truncated"], row["finished"]) for row in rows} == {("0.25", "0.5", "0.5")}
    assert {row["problems"] for row in rows} == {"10"} and {row["samples"] for row in rows} == {"20"}
    assert "we ask the first 10 of 500 problems" in rows[0]["deviations"]
    assert all(float(row["standard_errors"]) < -2 for row in rows)
    shown = console.export_text()
    assert "0 of 3 differences are within 2 standard errors" in shown and "62.9 ± 1.2" in shown
    assert calibrated(generator, storage, fetch, console) == 0
    assert len(generator.answered) == 3, "nothing is asked twice"


@pytest.mark.slow
def test_what_is_not_done_says_why_and_the_others_stand(tmp_path: Path) -> None:
    generator = FakeGenerator(lambda p, s, n: f"\\boxed{{{p.gold}}}", breaks=lambda trial, step: step == 10)
    storage = Storage(str(tmp_path / "runs"))
    code = calibrated(
        generator, storage, lambda run, step: copied(tmp_path / "hub", step), Console(quiet=True)
    )
    assert code == 1
    rows = list(csv.DictReader(io.StringIO(storage.read_text("calibration.csv"))))
    assert [row["ours"] for row in rows] == ["1.0", "", "1.0"]
    assert "not done: EngineDeadError" in rows[1]["deviations"]


def test_a_hub_out_of_reach_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*arguments: Any, **named: Any) -> Any:
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", unreachable)
    for step in (0, 10):
        with pytest.raises(DataError, match=r"cannot be had from the hub \(OSError: Name or service"):
            from_hub(RUN, step)
    monkeypatch.setattr(sys, "argv", ["calibrate.py"])
    with pytest.raises(SystemExit) as ended:
        page.main(SPEC)
    assert ended.value.code == 2


def test_step_folders_are_found_by_their_number() -> None:
    files = [
        f"{name}/{file}"
        for name in ("step10", "step0100", "old/global_step_20")
        for file in ("config.json", "a")
    ]
    assert step_folder([*files, "README.md"], "a/b", 10) == "step10"
    assert step_folder(files, "a/b", 20) == "old/global_step_20"
    assert step_folder(files, "a/b", 100) == "step0100"
    with pytest.raises(DataError, match="has 0 folders for step 1 "):
        step_folder(files, "a/b", 1)
    with pytest.raises(DataError, match="has 2 folders for step 10 "):
        step_folder([*files, "copy_10/config.json"], "a/b", 10)
