"""Published numbers beside our own: which trials they are about, and what they say of a claim."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from rsft.analysis.references import assumed_size, claimed, readings, references
from rsft.spec import Claim, Pick
from rsft.spec.sweep import SweepSpec
from rsft.spec.trial import Trial

HOUSE = Path(__file__).resolve().parent.parent


def study() -> SweepSpec:
    spec = importlib.util.spec_from_file_location("study_page", HOUSE / "sweeps" / "study.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sweep: SweepSpec = module.SWEEP
    return sweep


TRIALS = list(study().trials(lambda model: model.source))
KNOWN = references(TRIALS)


def only(**axes: Any) -> Trial:
    (found,) = [trial for trial in TRIALS if Pick(**axes).matches(trial)]
    return found


def test_a_curve_is_its_own_trials() -> None:
    trial = only(model="Qwen3-4B-Base", data="math-cot")
    curve = KNOWN[trial.id, "math-500"]
    assert list(curve) == [0, 10, 20, 40, 80, 160, 320, 480, 640]
    assert (curve[0], curve[20], curve[640]) == (0.708, 0.629, 0.862)


def test_another_recipe_has_the_base_alone() -> None:
    gentle = only(model="Qwen3-14B-Base", epochs=2)
    assert set(KNOWN[gentle.id, "math-500"]) == {0}
    small = only(model="Qwen3-14B-Base", data="math-cot", epochs=1, train={"batch_sequences": 32})
    assert KNOWN[small.id, "math-500"] == {0: 0.778, 640: 0.929}
    large = only(model="Qwen3-14B-Base", data="math-cot", epochs=8)
    assert KNOWN[large.id, "math-500"] == {0: 0.778, 640: 0.951}


def test_doubtful_numbers_and_other_metrics_are_left_out() -> None:
    trial = only(model="Qwen3-1.7B-Base", data="math-cot")
    assert max(KNOWN[trial.id, "ifeval"]) == 80, "from step 160 on they are doubtful"
    assert not any(name == "alpacaeval" for _, name in KNOWN), "a reward is no score"
    large = only(model="Qwen3-4B-Base", data="math-cot")
    assert KNOWN[large.id, "truthfulqa"][640] == 0.908, "the truthful share, not the helpful one"


def claim(**more: Any) -> Claim:
    facts: dict[str, Any] = {
        "name": "c",
        "says": "It is so.",
        "expects": "higher",
        "benchmarks": ("math-500",),
    }
    return Claim(**(facts | more))


@pytest.mark.parametrize(
    ("more", "names", "value"),
    [
        ({}, ("math-500",), 0.862 - 0.708),
        ({"step": 20}, ("math-500",), 0.629 - 0.708),
        ({}, ("math-500", "aime-2024"), (0.862 - 0.708 + 0.307 - 0.11) / 2),
        ({"against": Pick(model="Qwen3-1.7B-Base", data="math-cot")}, ("math-500",), 0.862 - 0.562),
        (
            {"against": Pick(model="Qwen3-1.7B-Base", data="math-cot"), "measure": "gain"},
            ("math-500",),
            0.862 - 0.708 - 0.562 + 0.589,
        ),
        ({}, ("math-500", "hex-phi"), None),
        ({"step": 30}, ("math-500",), None),
        ({"metric": "response_tokens"}, ("math-500",), None),
        ({"expects": "decline"}, ("math-500",), None),
    ],
)
def test_what_was_published_of_a_claim(
    more: dict[str, Any], names: tuple[str, ...], value: float | None
) -> None:
    one = claim(trials=Pick(model="Qwen3-4B-Base", data="math-cot"), **more)
    found = claimed(one, names, TRIALS, KNOWN)
    assert found is None if value is None else found == pytest.approx(value)


def test_published_curves_are_read_with_the_size_that_is_assumed() -> None:
    found = {(one.base, one.data, one.benchmark): one for one in readings(TRIALS, KNOWN)}
    math_500 = found["Qwen3-4B-Base", "math-cot", "math-500"]
    assert math_500.found.verdict == "dip and recovery"
    assert math_500.assumed == "n = 1,500 (500 problems × 3 answers, taken as independent)"
    assert ("Qwen3-1.7B-Base", "math-cot", "ifeval") not in found, "half of it is doubtful"
    truthful = found["Qwen3-4B-Base", "math-cot", "truthfulqa"].found
    assert truthful.final.value == pytest.approx(0.908 - 0.816, abs=1e-3), "not the helpful share"
    assert assumed_size("ifeval") == "541 problems × 1 answer" and assumed_size("halueval") == ""
    assert readings(TRIALS, {}) == []
