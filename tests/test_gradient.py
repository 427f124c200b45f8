"""The gradient is a definition: workers, ZeRO stages, micro-batches and packing do not change the weights.

`make soak` runs the whole matrix on one, two and four workers; here one layout of each kind on two.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TIMES_ROUNDING = 3
"""Weights after 20 steps may be so many times as far from float64 as plain torch is in fp32 (about 1e-6; they
move by 1e-2): AdamW divides by the root of the second moment, so that where a gradient is small, the order of
a sum shows."""

NORM = 1e-4
"""How far the norm of a gradient may be from float64's, as a share: a sum of some 1e4 squares in fp32, at
weights that rounding has led 1e-6 apart."""


@pytest.mark.engines
@pytest.mark.slow
def test_every_layout_gives_the_weights_of_plain_torch() -> None:
    script = Path(__file__).with_name("gradient_matrix.py")
    done = subprocess.run([sys.executable, str(script), "2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("LAYOUT ")]
    found = [json.loads(line.removeprefix("LAYOUT ")) for line in lines]
    assert len(found) >= 4 and {layout.get("loss_reduction") for layout in found} == {None, "microbatch_sum"}
    assert {layout["zero_stage"] for layout in found} == {0, 1, 2, 3}
    shared = [layout for layout in found if layout.get("sequence_parallel") == 2]
    assert {layout["zero_stage"] for layout in shared} == {0, 1, 2, 3}, "workers that share rows"
    for layout in found:
        assert layout["moved"] > 5e-3
        assert layout["apart"] < TIMES_ROUNDING * layout["rounding"], layout
        assert layout["rounding"] < 1e-5
        assert layout["norm"] < NORM, layout
