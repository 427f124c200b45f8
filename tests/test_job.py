"""`ray job submit` against a Ray cluster on this machine runs the smoke sweep to its end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
RAY = str(Path(sys.executable).with_name("ray"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Loopback only, no token file of this user, nothing of another cluster."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))}
    return kept | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture(scope="module")
def dashboard(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster started by hand, as a person would; its processes are killed, since `ray start` takes half a
    minute to end them."""
    port, gcs = free_port(), free_port()
    head = subprocess.Popen(
        [
            *(RAY, "start", "--head", "--block", f"--port={gcs}", f"--dashboard-port={port}"),
            *("--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1", "--num-cpus=8"),
            "--disable-usage-stats",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        family = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):  # many end by themselves once their raylet is gone
                process.kill()
        head.wait()
        psutil.wait_procs(family, timeout=60)


def test_a_submitted_job_fills_the_smoke_sweep(
    dashboard: str, environment: dict[str, str], tmp_path: Path
) -> None:
    entry = [Path(sys.executable).as_posix(), "sweeps/smoke.py", "--storage", str(tmp_path)]
    # The dashboard needs a while; the client says so and a person would try again.
    for _ in range(6):
        done = subprocess.run(
            [RAY, "job", "submit", "--address", dashboard, "--working-dir", str(ROOT), "--", *entry],
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if "succeeded" in done.stdout or "Failed to connect" not in done.stdout + done.stderr:
            break
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    status = subprocess.run(
        [sys.executable, "-m", "rsft.cli", "status", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(status.stdout)
    assert facts["trials"] == {"done": 2, "failed": 0, "open": 0}
    assert facts["cells"] == {"done": 12, "failed": 0, "open": 0}
