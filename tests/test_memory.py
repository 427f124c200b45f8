"""The memory estimate: its arithmetic, and how near it is to what real engines take."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rsft.bases import SHIPPED
from rsft.spec import LoraSpec, ModelSpec, TrainSpec
from rsft.storage import Storage
from rsft.sweep.forecast import forecast
from rsft.sweep.page import load_page
from rsft.sweep.plan import make_plan
from rsft.sweep.show import show_plan
from rsft.training.memory import (
    GPU_GIGABYTES,
    Memory,
    Shape,
    estimate,
    gpu_gigabytes,
    micro_batch_tokens,
    remedy,
)
from rsft.training.settings import CHUNK

HOUSE = Path(__file__).resolve().parents[1]
QWEN3_8B = Shape(
    hidden=4_096,
    layers=36,
    heads=32,
    kv_heads=8,
    head_dim=128,
    intermediate=12_288,
    vocabulary=151_936,
    tied=False,
    qk_norm=True,
)
PARAMETERS = 8_190_735_360
NEAR = 0.2
"""How far the estimate may be from what is measured, as a share of the latter."""


def train(**changes: Any) -> TrainSpec:
    return TrainSpec(**({"max_tokens": 1_000, "micro_batch_tokens": 8_000, "batch_sequences": 256} | changes))


def of(shape: Shape | None = QWEN3_8B, **changes: Any) -> Memory:
    return estimate(PARAMETERS, train(**changes), shape)


def test_the_shipped_bases_have_the_shape_that_their_weights_have() -> None:
    shape = Shape.read(str(SHIPPED / "nano-3m"))
    assert shape == Shape(
        hidden=192,
        layers=6,
        heads=6,
        kv_heads=2,
        head_dim=32,
        intermediate=576,
        vocabulary=2_048,
        tied=True,
        qk_norm=True,
    )


def test_a_shape_is_known_only_where_a_configuration_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert Shape.read("some/base") is None
    assert Shape.of({"model_type": "mamba"}) is None
    config = json.loads((SHIPPED / "nano-1m" / "config.json").read_text())
    cached = tmp_path / "hub" / "models--some--base" / "snapshots" / "abc"
    cached.mkdir(parents=True)
    (cached / "config.json").write_text(json.dumps(config))
    assert Shape.read("some/base") == Shape.of(config) is not None


def test_heads_and_their_size_follow_from_what_old_configurations_say() -> None:
    old = {
        "model_type": "llama",
        "hidden_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "intermediate_size": 1_024,
        "vocab_size": 100,
    }
    shape = Shape.of(old)
    assert shape is not None
    assert (shape.head_dim, shape.kv_heads, shape.tied, shape.qk_norm) == (64, 8, False, False)


def test_zero_cuts_states_as_its_paper_says() -> None:
    """Rajbhandari et al. 2020, figure 1: 2 bytes of weights and 12 of optimizer per parameter."""
    per = {stage: of(zero_stage=stage, workers=64) for stage in (1, 2, 3)}
    share = -(-PARAMETERS // 64)
    assert [per[stage].optimizer for stage in (1, 2, 3)] == [12 * share] * 3
    assert [per[stage].weights for stage in (1, 2)] == [2 * PARAMETERS] * 2
    assert per[3].weights == -(-2 * PARAMETERS // 64)
    assert per[1].gradients == 6 * PARAMETERS, "summed in fp32 beside those in bf16, whole"
    assert per[2].gradients == per[3].gradients == 4 * share


def test_pure_bf16_halves_all_of_it() -> None:
    pure = of(zero_stage=2, workers=8, precision="bf16-pure")
    share = -(-PARAMETERS // 8)
    assert (pure.weights, pure.gradients, pure.optimizer) == (2 * PARAMETERS, 2 * share, 6 * share)


def test_activations_do_not_grow_with_vocabulary_nor_logits_with_length() -> None:
    plain = of(gradient_checkpointing=False)
    wide = estimate(
        PARAMETERS,
        train(gradient_checkpointing=False),
        Shape(**{name: getattr(QWEN3_8B, name) for name in QWEN3_8B.__slots__} | {"vocabulary": 4 * 151_936}),
    )
    long = of(gradient_checkpointing=False, micro_batch_tokens=32_000)
    assert plain.activations is not None and plain.logits is not None
    assert wide.activations == plain.activations and wide.logits == 4 * plain.logits
    assert long.activations == 4 * plain.activations and long.logits == plain.logits
    assert plain.logits == CHUNK * 151_936 * 6


def test_a_block_saves_what_is_counted_in_the_literature() -> None:
    """Korthikanti et al. 2022 count 34 h bytes per token for GPT blocks with dropout and without the scores;
    here norms keep fp32 copies and SwiGLU four halves, and nothing is dropped."""
    plain = of(gradient_checkpointing=False)
    assert plain.activations is not None
    per_token_and_block = plain.activations / 8_000 / 36 / 4_096
    assert 40 < per_token_and_block < 75


def test_checkpointing_keeps_the_inputs_of_blocks_and_computes_one_again() -> None:
    whole, kept = of(gradient_checkpointing=False).activations, of(gradient_checkpointing=True).activations
    assert whole is not None and kept is not None
    inputs = 8_000 * 36 * 2 * 4_096
    assert inputs < kept < 1.2 * inputs, "and what lies around the blocks"
    again = of(gradient_checkpointing=True).block
    assert again == pytest.approx(whole / 36, rel=0.05) and of(gradient_checkpointing=False).block == 0
    assert of(device="gpu").activations == kept and of(device="cpu").activations == whole


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [
        ({}, 8_000),
        ({"micro_batch_tokens": 1_000_000}, 32_000),  # 256 rows of 1,000 on 8 workers
        ({"batch_tokens": 16_000}, 2_000),
        ({"loss_reduction": "microbatch_sum", "micro_batch_sequences": 16}, 16_000),
    ],
)
def test_a_forward_pass_is_bounded_by_micro_batch_and_batch(changes: dict[str, Any], tokens: int) -> None:
    assert micro_batch_tokens(train(**changes)) == tokens


def test_offload_moves_the_optimizer_to_the_host() -> None:
    here, there = of(zero_stage=2), of(zero_stage=2, offload=True)
    assert there.optimizer == there.gradients == 0
    assert there.host == here.optimizer + here.gradients
    assert of(zero_stage=3, offload=True).weights == 0


def test_adapters_alone_have_gradients_and_moments() -> None:
    lora = of(lora=LoraSpec(rank=16), zero_stage=2, workers=1)
    adapters = QWEN3_8B.adapters(16, ())
    assert adapters == 36 * 16 * (2 * (4_096 + 4_096) + 2 * (4_096 + 1_024) + 3 * (4_096 + 12_288))
    assert lora.weights == 2 * (PARAMETERS + adapters)
    assert (lora.gradients, lora.optimizer) == (4 * adapters, 12 * adapters)
    assert QWEN3_8B.adapters(16, ("q_proj",)) == 36 * 16 * 8_192


def test_adafactor_has_next_to_no_moments() -> None:
    change = {"optimizer": "adafactor", "precision": "fp32", "zero_stage": 0}
    assert of(**change).optimizer < 0.002 * of(precision="fp32", zero_stage=0).optimizer


def test_without_a_configuration_states_alone_are_counted() -> None:
    known, part = of(), of(shape=None)
    assert part.activations is None and part.logits is None
    assert (part.weights, part.gradients, part.optimizer) == (known.weights, known.gradients, known.optimizer)
    assert part.total < known.total


def test_the_smallest_gpu_that_holds_it_is_named() -> None:
    assert [gpu_gigabytes(size * 10**9) for size in GPU_GIGABYTES] == list(GPU_GIGABYTES)
    assert gpu_gigabytes(24 * 10**9 + 1) == 40 and gpu_gigabytes(192 * 10**9 + 1) is None


def test_what_fits_nowhere_is_told_how_it_would() -> None:
    tight = train(zero_stage=1, workers=8, gradient_checkpointing=False, micro_batch_tokens=100_000)
    assert gpu_gigabytes(estimate(PARAMETERS, tight, QWEN3_8B).total) is None
    advice = remedy(PARAMETERS, tight, QWEN3_8B)
    assert advice.startswith("set gradient_checkpointing=True") and advice.endswith("GB hold it")
    alone = train(zero_stage=0, workers=1, precision="fp32", optimizer="adafactor")
    assert "lora" in remedy(70 * 10**9, alone, QWEN3_8B)


def test_the_plan_says_what_each_base_needs(tmp_path: Path) -> None:
    page = load_page(HOUSE / "sweeps" / "laptop.py")
    rows = forecast(make_plan(page, Storage(tmp_path)))["memory"]
    assert [row["base"] for row in rows] == ["nano-1m", "nano-3m"]
    for row in rows:
        states = row["weights"] + row["gradients"] + row["optimizer"] + row["buffers"]
        assert row["total"] == states + max(row["activations"] + row["logits"] + row["block"], row["step"])
        assert row["gpu_gigabytes"] is None and row["next"] == "", "CPU trials"
    on_gpus = page.model_copy(
        update={
            "train": TrainSpec(**page.train.model_dump() | {"device": "gpu"}),
            "models": (*page.models, ModelSpec(source="some/base", parameters=7_000_000_000)),
        }
    )
    *small, hub = forecast(make_plan(on_gpus, Storage(tmp_path)))["memory"]
    assert [row["gpu_gigabytes"] for row in small] == [24, 24]
    assert hub["activations"] is None and hub["gpu_gigabytes"] == 141
    states = hub["weights"] + hub["gradients"] + hub["optimizer"] + hub["buffers"]
    assert hub["total"] == states + hub["step"]


def test_the_plan_shows_memory_and_says_what_it_does_not_know(tmp_path: Path) -> None:
    page = load_page(HOUSE / "sweeps" / "laptop.py")
    settings = page.train.model_dump() | {"device": "gpu", "precision": "bf16", "workers": 1, "zero_stage": 1}
    models = (
        *(ModelSpec(source=name) for name in ("nano-1m",)),
        ModelSpec(source="some/base", parameters=7_000_000_000),
        ModelSpec(source="some/giant", parameters=70_000_000_000),
    )
    big = page.model_copy(update={"train": TrainSpec(**settings), "models": models})
    out = io.StringIO()
    show_plan(forecast(make_plan(big, Storage(tmp_path))), Console(file=out, width=180))
    shown = out.getvalue()
    lines = {line.split(",")[0].strip(): line for line in shown.splitlines() if ", ZeRO 1, bf16" in line}
    assert lines["nano-1m"].split()[-2:] == ["24", "GB"] and "from" not in lines["nano-1m"]
    assert lines["base"].split()[-3:] == ["from", "192", "GB"]
    assert lines["giant"].rstrip().endswith("no GPU")
    assert "activations of base are not counted" in shown
    assert "note: no GPU holds giant; " in shown


def test_the_largest_trial_of_a_base_counts(tmp_path: Path) -> None:
    page = load_page(HOUSE / "sweeps" / "laptop.py")
    label = page.models[0].label
    override = {"model": label, "train": {"micro_batch_tokens": 2 * page.train.micro_batch_tokens}}
    more = type(page)(**page.model_dump() | {"overrides": [{"steps": page.lengths_steps[0]} | override]})
    before, after = (forecast(make_plan(p, Storage(tmp_path)))["memory"][0] for p in (page, more))
    assert after["activations"] > before["activations"]


def measured(*arguments: str) -> list[dict[str, Any]]:
    """Lines of the probe, run in a process of its own. glibc is told to give freed tensors back at once, so
    that what is resident is what is held."""
    done = subprocess.run(
        [sys.executable, str(HOUSE / "tests" / "memory_probe.py"), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONPATH": str(HOUSE)},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("MEASURED ")]
    assert done.returncode == 0 and lines, done.stderr[-3_000:]
    return [json.loads(line.removeprefix("MEASURED ")) for line in lines]


def near(estimated: int | None, found: int) -> bool:
    print(f"estimated {estimated or 0:,}, measured {found:,}: {(estimated or 0) / max(found, 1):.3f}")
    return abs((estimated or 0) - found) <= NEAR * found


@pytest.mark.engines
@pytest.mark.soak
def test_activations_are_what_autograd_holds_and_what_the_system_sees() -> None:
    from memory_probe import NANO, TOKENS, settings

    seen: dict[tuple[int, int], dict[str, Any]] = {}
    for row in measured("activations"):
        vocabulary, tokens = row.get("vocabulary", NANO["vocab_size"]), row.get("tokens", TOKENS)
        spec = settings(
            precision=row.get("dtype", "fp32"),
            micro_batch_tokens=tokens,
            gradient_checkpointing=bool(row.get("checkpointing")),
            zero_stage=1 if row.get("dtype") else 0,
        )
        shape = Shape.of(NANO | {"model_type": "qwen3", "vocab_size": vocabulary})
        found = estimate(0, spec, shape)
        assert found.activations is not None and found.logits is not None
        # One chunk keeps its shares for the backward pass, several are computed again.
        shares = 4 * tokens * vocabulary if tokens <= CHUNK else 0
        assert near(found.activations + shares, row["held"]), row
        assert near(found.activations + shares, row["resident"]), row
        if not row.get("checkpointing"):
            seen[vocabulary, tokens] = row
        assert near(found.activations + found.logits + found.block, row["peak"]), row
    small, large = sorted({vocabulary for vocabulary, _ in seen})
    long = 4 * TOKENS
    assert long > CHUNK
    assert seen[large, long]["held"] == pytest.approx(seen[small, long]["held"], rel=0.001)
    grown = seen[large, long]["peak"] - seen[small, long]["peak"]
    head = 4 * NANO["hidden_size"] * (large - small)  # its gradient, before it is added to the embedding's
    assert near(4 * CHUNK * (large - small) + head, grown), "the logits of one chunk and no more"


STATES = ("fp32:0", "fp32:1", "fp32:2", "fp32:3", "bf16:1", "bf16:2", "bf16:3")
PURE = ("bf16-pure:1", "bf16-pure:2", "bf16-pure:3")


@pytest.mark.engines
@pytest.mark.soak
@pytest.mark.parametrize("settings_", [STATES, PURE])
def test_weights_gradients_optimizer_and_the_peak_are_those_of_real_engines(
    settings_: tuple[str, ...],
) -> None:
    from memory_probe import NANO, WORLD, settings

    shape = Shape.of(NANO | {"model_type": "qwen3"})
    rows = measured("states", *settings_)
    assert len(rows) == len(settings_)
    for row in rows:
        spec = settings(precision=row["precision"], zero_stage=row["stage"], workers=WORLD)
        found = estimate(row["parameters"], spec, shape)
        for part in ("weights", "gradients", "optimizer"):
            assert near(getattr(found, part), row[part]), (part, row)
        assert near(found.total, row["peak"]), row
