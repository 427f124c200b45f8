"""Learning rate and DeepSpeed settings: pure functions of the page."""

from __future__ import annotations

import pytest

from rsft.spec import TrainSpec
from rsft.spec.schedule import learning_rate
from rsft.training.settings import deepspeed_config, worker_environment


def train(**changes: object) -> TrainSpec:
    return TrainSpec(**({"learning_rate": 1.0e-3, "warmup_share": 0.1} | changes))


def test_warm_up_rises_in_a_line_to_the_peak() -> None:
    rates = [learning_rate(train(), step, 100) for step in range(11)]
    assert rates[0] == pytest.approx(1e-4) and rates[4] == pytest.approx(5e-4)
    assert rates[9] == rates[10] == pytest.approx(1e-3)


def test_cosine_ends_at_its_minimum() -> None:
    assert learning_rate(train(), 55, 100) == pytest.approx(5e-4)
    assert learning_rate(train(), 100, 100) == pytest.approx(0, abs=1e-12)
    assert learning_rate(train(min_lr_share=0.2), 100, 100) == pytest.approx(2e-4)


def test_constant_stays() -> None:
    assert {learning_rate(train(schedule="constant"), step, 100) for step in range(10, 100)} == {1e-3}


def test_linear_ends_at_its_minimum() -> None:
    line = train(schedule="linear", min_lr_share=0.1)
    assert learning_rate(line, 55, 100) == pytest.approx(5.5e-4)
    assert learning_rate(line, 100, 100) == pytest.approx(1e-4)


def test_wsd_is_constant_and_then_decays_in_a_line() -> None:
    wsd = train(schedule="wsd", decay_share=0.2)
    assert {learning_rate(wsd, step, 100) for step in range(10, 81)} == {1e-3}
    assert learning_rate(wsd, 90, 100) == pytest.approx(5e-4)
    assert learning_rate(wsd, 100, 100) == pytest.approx(0, abs=1e-12)


def test_warm_up_in_steps_does_not_depend_on_the_length() -> None:
    """So that a short and a long run of a constant schedule begin alike."""
    fixed = train(schedule="constant", warmup_steps=5)
    assert [learning_rate(fixed, s, 20) for s in range(20)] == [
        learning_rate(fixed, s, 200) for s in range(20)
    ]


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_the_stage_of_the_page_is_the_stage_of_deepspeed(stage: int) -> None:
    config = deepspeed_config(train(zero_stage=stage, precision="fp32"))
    assert config["zero_optimization"]["stage"] == stage
    assert ("stage3_gather_16bit_weights_on_model_save" in config["zero_optimization"]) == (stage == 3)


def test_deepspeed_neither_scales_nor_counts_micro_batches() -> None:
    config = deepspeed_config(train(batch_sequences=64))
    assert config["gradient_accumulation_steps"] == config["train_micro_batch_size_per_gpu"] == 1


@pytest.mark.engines
@pytest.mark.parametrize("offload", [False, True])
def test_deepspeed_itself_accepts_the_gpu_settings(offload: bool) -> None:
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    config = deepspeed_config(train(zero_stage=3, offload=offload))
    parsed = DeepSpeedZeroConfig(**config["zero_optimization"])
    assert int(parsed.stage) == 3
    assert (parsed.offload_optimizer is not None) == offload


def test_cpu_workers_keep_to_one_thread_and_no_gpu() -> None:
    assert worker_environment("cpu")["DS_ACCELERATOR"] == "cpu"
    assert "DS_ACCELERATOR" not in worker_environment("gpu")
