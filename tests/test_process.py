"""The grading process: its clock, its deaths, its end: python -m pytest tests/test_process.py

A worker that only speaks the protocol (`FAKE`) stands in for the real one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rsft.errors import EngineError
from rsft.scoring.process import GraderProcess, Verdict

pytestmark = pytest.mark.slow  # real grading processes

FAKE = """
import json, os, pathlib, subprocess, sys, time
time.sleep(float(os.environ.get("TZ", "0")))
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    answer, first = request["answer"], pathlib.Path(request["gold"])
    if answer == "hang":
        time.sleep(60)
    if answer == "die":
        os.kill(os.getpid(), 9)
    if answer == "leave":
        os._exit(3)
    if answer == "hang once" and not first.exists():
        first.touch()
        time.sleep(60)
    if answer == "start a child":
        first.write_text(str(subprocess.Popen(["sleep", "60"]).pid))
    if answer == "environment":
        print(json.dumps({"error": " ".join(os.environ)}), flush=True)
        continue
    print(json.dumps({"raw": 1.0}), flush=True)
"""


def fake(limit_s: float = 5.0) -> GraderProcess:
    return GraderProcess("math", limit_s, command=(sys.executable, "-c", FAKE))


def alive(pid: int) -> bool:
    """A process that runs; one that only waits to be collected does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def test_a_hang_is_a_timeout_and_the_next_answer_is_graded() -> None:
    with fake(limit_s=0.3) as process:
        start = time.monotonic()
        assert process.grade("hang", "", {}) == Verdict(0.0, "grader timeout after 0.3 s")
        assert time.monotonic() - start < 20
        assert process.grade("fine", "", {}) == Verdict(1.0)


def test_a_death_is_named_and_the_next_answer_is_graded() -> None:
    with fake() as process:
        assert process.grade("die", "", {}) == Verdict(0.0, "grader died: signal 9")
        assert process.grade("leave", "", {}) == Verdict(0.0, "grader died: exit code 3")
        assert process.grade("fine", "", {}) == Verdict(1.0)


def test_a_worker_killed_in_the_middle_is_replaced_and_the_answer_graded(tmp_path: Path) -> None:
    marker = tmp_path / "begun"
    with fake(limit_s=30.0) as process:
        process.grade("fine", "", {})
        first = process.pid
        assert first is not None

        def kill_when_begun() -> None:
            while not marker.exists():
                time.sleep(0.01)
            os.kill(first, signal.SIGKILL)

        killer = threading.Thread(target=kill_when_begun)
        killer.start()
        assert process.grade("hang once", str(marker), {}) == Verdict(1.0)
        killer.join()
        assert process.pid not in (None, first)


def test_a_worker_that_died_while_idle_is_replaced() -> None:
    with fake() as process:
        process.grade("fine", "", {})
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.1)
        assert process.grade("fine", "", {}) == Verdict(1.0)


def test_the_clock_does_not_run_while_a_worker_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "1.5")  # how long FAKE takes to get ready
    with fake(limit_s=1.0) as process:
        assert process.grade("fine", "", {}) == Verdict(1.0)


def test_a_worker_that_cannot_start_is_an_engine_error_and_not_a_score() -> None:
    with (
        GraderProcess("math", command=(sys.executable, "-c", "raise SystemExit(5)")) as process,
        pytest.raises(EngineError, match="exit code 5"),
    ):
        process.grade("1", "1", {})


def test_leaving_kills_what_the_worker_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with fake() as process:
        process.grade("start a child", str(note), {})
        worker, child = process.pid, int(note.read_text())
        assert worker is not None
        assert alive(worker) and alive(child)
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.05)
    assert not alive(worker) and not alive(child)


def test_a_kill_from_another_thread_ends_a_hang_for_good() -> None:
    with fake(limit_s=60.0) as process:
        process.grade("fine", "", {})
        threading.Timer(0.2, process.kill).start()
        with pytest.raises(EngineError, match="closed"):
            process.grade("hang", "", {})


def test_the_worker_sees_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with fake() as process:
        names = process.grade("environment", "", {}).why.split()
    assert "PYTHONPATH" in names
    assert not [name for name in names if "TOKEN" in name or "KEY" in name]
