"""One warm engine, real vLLM: swapped weights answer like a fresh engine, and a stale swap is caught.

An engine whose process is killed starts again, and its cell ends with the same answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rsft.generation.settings import CANARY_TOLERANCE, actor_environment

pytestmark = [pytest.mark.engines, pytest.mark.slow]


def probed(script: str, folder: Path) -> dict[str, Any]:
    """The one JSON object that a probe prints."""
    probe = Path(__file__).with_name(script)
    done = subprocess.run(
        [sys.executable, str(probe), str(folder)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | actor_environment("cpu"),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    return result


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return probed("swap_probe.py", tmp_path_factory.mktemp("swap"))


VARIANTS = ("qwen3 tied", "qwen3 untied", "llama tied", "llama untied")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_swapped_engine_answers_like_a_fresh_one(found: dict[str, Any], variant: str) -> None:
    one = found[variant]
    assert one["apart"] > 100 * CANARY_TOLERANCE["cpu"], "the canary tells the two models apart"
    assert one["restarts after a swap"] == 0
    assert one["same as fresh"] == 20
    assert one["same as before"] < 20


def test_adapters_side_by_side_answer_as_their_merged_weights_do(found: dict[str, Any]) -> None:
    adapters = found["adapters"]
    assert adapters["same as merged"] == [20, 20]
    assert adapters["differ"] > 10
    assert "does not reproduce its canary" in adapters["wrong canary"]


def test_top_p_cuts_as_vllm_does_and_draws_the_same_answers(found: dict[str, Any]) -> None:
    facts = found["nucleus"]
    assert facts["masked"] > 64 * 4_096 / 2
    assert facts["masked otherwise"] <= 2, "a mass that a sum in another order puts on either side of an edge"
    assert facts["rows cut"] == [1, 3]
    assert facts["same answers"] == 20 and facts["different answers"] > 10


def test_the_same_requests_give_the_same_answers_and_more_samples_agree_with_fewer(
    found: dict[str, Any],
) -> None:
    facts = found["adapters"]["sampled"]
    assert facts["same twice"] == 40 and facts["different seeds"] == 40 * 16
    by = {int(samples): numbers for samples, numbers in facts["accuracy"].items()}
    assert [by[samples][2] for samples in (1, 4, 16)] == [40, 160, 640]
    assert 0 < by[16][0] < 1 and by[16][1] < by[1][1], "more samples, smaller errors"
    for few, many in ((1, 4), (4, 16), (1, 16)):
        apart = abs(by[few][0] - by[many][0])
        assert apart <= 2 * (by[few][1] ** 2 + by[many][1] ** 2) ** 0.5, facts["accuracy"]


def test_a_tied_head_that_was_not_packed_again_is_caught(found: dict[str, float]) -> None:
    assert found["stale head off by"] > 100 * CANARY_TOLERANCE["cpu"]
    assert found["restarts after a stale head"] == 1


def test_weights_that_do_not_match_their_canary_are_refused(found: dict[str, str]) -> None:
    assert "do not reproduce their canary" in found["wrong canary"]


def test_a_killed_engine_starts_again_and_repeats_only_what_was_in_flight(tmp_path: Path) -> None:
    found = probed("death_probe.py", tmp_path)
    quiet, disturbed = found["quiet"], found["disturbed"]
    assert found["killed"]["engines"] == 1, "there was one to kill, after a part and before the end"
    assert (quiet["marker"]["restarts"], disturbed["marker"]["restarts"]) == (0, 1)
    assert quiet["marker"]["errors"] == disturbed["marker"]["errors"] == 0
    assert disturbed["rows"] == quiet["rows"] == 48, "no answer twice, none missing"
    assert disturbed["answers"] == quiet["answers"]
