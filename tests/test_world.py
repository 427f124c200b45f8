"""A trial goes on with other hardware: bit for bit where it is the same, within rounding where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDING = 2**-7
"""Of a weight: exported weights are bfloat16, with steps so large, and a sum in another order tips some."""


@pytest.mark.engines
@pytest.mark.slow
def test_a_resume_on_other_hardware_ends_where_the_undisturbed_run_ends() -> None:
    script = Path(__file__).with_name("world_matrix.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("CHANGE ")]
    same, *others = (json.loads(line.removeprefix("CHANGE ")) for line in lines)
    assert len(others) == 3, "other workers; ZeRO 1 to 3; 3 to 2"
    for change in (same, *others):
        assert change["from_step"] == 4, "went on from the state, not from the start"
        assert change["steps"] == list(range(1, 9))
    assert same["identical"] and same["before"] == same["after"]
    for other in others:
        assert other["before"] != other["after"]
        assert other["relative"] <= ROUNDING and other["losses"] < 1e-4, other
