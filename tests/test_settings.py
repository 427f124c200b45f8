"""Settings for hardware that is not here: what DeepSpeed, transformers, flash-attn and Liger are told exists
in the versions that are pinned."""

from __future__ import annotations

import inspect
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rsft.errors import SpecError
from rsft.spec.train import LoraSpec, TrainSpec
from rsft.training import kernels as kernels_module
from rsft.training.kernels import (
    BEFORE_BF16,
    DOCUMENTS,
    LIGER_KEYWORDS,
    LIGER_MODELS,
    apply_liger,
    installed,
    kernels,
    refuse_bf16,
)
from rsft.training.settings import deepspeed_config, makes_own_optimizer

ALL = {"flash-attn": "2.8.3.post2", "flash-attn-3": "3.0.0b1", "liger-kernel": "0.8.5"}
AMPERE, HOPPER, BLACKWELL = (8, 0), (9, 0), (10, 0)


def every_train() -> Iterator[tuple[TrainSpec, bool]]:
    """Everything TrainSpec can say about hardware, and whether a universal state is loaded."""
    axes: dict[str, tuple[Any, ...]] = {
        "precision": ("bf16", "bf16-pure", "fp32"),
        "zero_stage": (0, 1, 2, 3),
        "offload": (False, True),
        "optimizer": ("adamw", "adafactor"),
        "lora": (None, LoraSpec()),
        "sequence_parallel": (1, 2),
    }
    for values in itertools.product(*axes.values()):
        for universal in (False, True):
            try:
                train = TrainSpec(**dict(zip(axes, values, strict=True)))
                deepspeed_config(train)
            except SpecError:
                continue
            yield train, universal


def test_bf16_gradients_are_summed_in_fp32() -> None:
    for train, _ in every_train():
        config = deepspeed_config(train)
        sums = config.get("data_types", {}).get("grad_accum_dtype")
        assert (sums == "fp32") == (train.precision == "bf16")
        assert (config.get("communication_data_type") == "fp32") == (train.precision != "fp32")


def test_bf16_without_zero_is_refused_since_it_would_sum_gradients_in_bf16() -> None:
    with pytest.raises(SpecError, match="set zero_stage=1"):
        deepspeed_config(TrainSpec(precision="bf16", zero_stage=0))


def test_a_universal_state_is_announced() -> None:
    assert "checkpoint" not in deepspeed_config(TrainSpec())
    assert deepspeed_config(TrainSpec(), universal=True)["checkpoint"] == {"load_universal": True}


@pytest.mark.parametrize(
    ("device", "precision", "packages", "capability", "attention", "liger"),
    [
        ("cpu", "fp32", ALL, None, DOCUMENTS, False),
        ("cpu", "bf16", ALL, HOPPER, DOCUMENTS, False),
        ("gpu", "bf16", ALL, HOPPER, "flash_attention_3", True),
        ("gpu", "bf16", ALL, AMPERE, "flash_attention_2", True),
        ("gpu", "bf16-pure", ALL, (8, 9), "flash_attention_2", True),
        ("gpu", "bf16", ALL, BLACKWELL, "flash_attention_2", True),
        ("gpu", "fp32", ALL, HOPPER, DOCUMENTS, True),
        ("gpu", "fp32", ALL, (7, 0), DOCUMENTS, True),
        ("gpu", "bf16", ALL, (7, 5), DOCUMENTS, True),
        ("gpu", "bf16", {}, HOPPER, DOCUMENTS, False),
        ("gpu", "bf16", ALL, None, DOCUMENTS, False),
        ("gpu", "bf16", {"flash-attn-3": "3.0.0b1"}, AMPERE, DOCUMENTS, False),
        ("gpu", "bf16", {"flash-attn": "2.8.3"}, HOPPER, "flash_attention_2", False),
        ("gpu", "bf16", {"flash-attn": "2.3.2"}, HOPPER, DOCUMENTS, False),
        ("gpu", "bf16", {"liger-kernel": "0.7.0"}, HOPPER, DOCUMENTS, False),
    ],
)
def test_kernels_follow_from_hardware_precision_and_packages(
    device: Any,
    precision: Any,
    packages: dict[str, str],
    capability: tuple[int, int] | None,
    attention: str,
    liger: bool,
) -> None:
    train = TrainSpec(device=device, precision=precision)
    found = kernels(train, packages, capability, "qwen3")
    assert asdict(found) == {"attention": attention, "liger": liger}


def test_a_model_without_liger_kernels_keeps_its_own() -> None:
    assert kernels(TrainSpec(), ALL, HOPPER, "qwen3").liger
    assert not kernels(TrainSpec(), ALL, HOPPER, "internlm2").liger


def test_packages_are_found_by_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"flash-attn": "2.8.3", "torch": "2.13.0", "flash-attn-4": "4.0"}

    def version(name: str) -> str:
        if name not in here:
            raise metadata.PackageNotFoundError(name)
        return here[name]

    monkeypatch.setattr(kernels_module.metadata, "version", version)
    assert installed() == {"flash-attn": "2.8.3"}


def test_bf16_is_refused_where_a_worker_may_land_on_a_gpu_without_it() -> None:
    with pytest.raises(SpecError) as caught:
        refuse_bf16(TrainSpec(), ["V100", "A100"])
    assert str(caught.value) == (
        "TrainSpec.precision='bf16' needs GPUs with bf16, and this cluster has V100, on which a worker may "
        "land; set precision='fp32', or leave these out."
    )
    with pytest.raises(SpecError, match=r"'bf16-pure' .* has P100, T4,"):
        refuse_bf16(TrainSpec(precision="bf16-pure"), ["T4", "P100"])
    refuse_bf16(TrainSpec(), ["A100", "H100", "L4", "H200"])
    refuse_bf16(TrainSpec(precision="fp32"), ["V100"])
    refuse_bf16(TrainSpec(device="cpu"), ["V100"])


@pytest.mark.engines
def test_ray_names_gpus_as_we_do() -> None:
    from ray.util import accelerators

    known = {value for name, value in vars(accelerators).items() if name.startswith("NVIDIA_")}
    assert {"V100", "P100", "P4", "T4", "K80"} <= known & BEFORE_BF16
    assert not BEFORE_BF16 & {"A10G", "L4", "L40S", "A100", "H100", "H200", "H20", "B200", "GB200"}


class Watched(dict[str, Any]):
    """Remembers which keys were looked up."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(
            {k: Watched(v) if k in ("checkpoint", "data_types") else v for k, v in values.items()}
        )
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def __copy__(self) -> Watched:
        return self

    def ignored(self) -> set[str]:
        """Keys that nobody asked for, nested ones too."""
        nested = (value.ignored() for value in self.values() if isinstance(value, Watched))
        return (set(self) - self.asked).union(*nested)


def read_by_deepspeed(config: dict[str, Any]) -> tuple[Any, set[str]]:
    """DeepSpeed's own config of it, and the keys it did not look at."""
    os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error"}
    from deepspeed.runtime.config import DeepSpeedConfig

    watched = Watched(config)
    return DeepSpeedConfig(watched), watched.ignored()


@pytest.mark.engines
def test_deepspeed_takes_every_configuration_and_ignores_no_key_of_it() -> None:
    import torch

    seen = 0
    for train, universal in every_train():
        found, ignored = read_by_deepspeed(deepspeed_config(train, universal))
        seen += 1
        assert ignored == set(), train
        assert found.zero_optimization_stage == train.zero_stage
        assert found.bfloat16_config.enabled == (train.precision != "fp32")
        assert found.bfloat16_config.bf16_optimizer_states == (train.precision == "bf16-pure")
        assert (found.grad_accum_dtype or "own") == ("fp32" if train.precision == "bf16" else "own")
        assert found.communication_data_type == (None if train.precision == "fp32" else torch.float32)
        assert found.seq_parallel_communication_data_type == torch.float32
        assert found.load_universal_checkpoint == universal
        offload = found.zero_config.offload_optimizer
        assert (offload is not None and offload.device == "cpu") == train.offload
        assert (found.zero_config.offload_param is not None) == (train.offload and train.zero_stage == 3)
        assert (found.optimizer_name == "adamw") == makes_own_optimizer(train)
    # 3 precisions x 6 of stage and offload, without the two refused; Adafactor in fp32 at stage 0 alone.
    assert seen == (3 * 6 - 2 + 1) * 2 * 2 * 2


@pytest.mark.engines
@pytest.mark.parametrize(
    ("change", "key"),
    [({"micro_batch": 1}, "micro_batch"), ({"data_types": {"grad_dtype": "fp32"}}, "grad_dtype")],
)
def test_a_key_that_deepspeed_ignores_is_seen(change: dict[str, Any], key: str) -> None:
    assert read_by_deepspeed(deepspeed_config(TrainSpec()) | change)[1] == {key}


@pytest.mark.engines
@pytest.mark.parametrize("section", ["zero_optimization", "bf16"])
def test_a_key_that_deepspeed_forbids_is_seen(section: str) -> None:
    from pydantic import ValidationError

    config = deepspeed_config(TrainSpec())
    with pytest.raises(ValidationError, match="overlap_com"):
        read_by_deepspeed(config | {section: config[section] | {"overlap_com": True}})


@pytest.mark.engines
def test_the_optimizer_that_deepspeed_builds_takes_what_it_is_given() -> None:
    os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error"}
    from deepspeed.ops.adam import DeepSpeedCPUAdam

    train = TrainSpec(precision="bf16-pure", offload=True)
    given = deepspeed_config(train)["optimizer"]["params"]
    # The last two are what DeepSpeed adds.
    assert given.keys() | {"adamw_mode", "fp32_optimizer_states"} <= parameters(DeepSpeedCPUAdam)


@pytest.mark.engines
@pytest.mark.slow
def test_small_gradients_are_not_lost_in_sums_of_bf16() -> None:
    found = sums()
    assert len(found) == 14
    for layout in found:
        lost = layout["precision"] == "bf16-pure"
        assert layout["sum"] == (1.0 if lost else 1 + 8 / 512), layout


@pytest.mark.engines
@pytest.mark.soak
def test_pure_bf16_trains_offloaded_with_the_optimizer_that_deepspeed_compiles() -> None:
    own = [layout for layout in sums("--whole") if layout["precision"] == "bf16-pure" and "offload" in layout]
    assert [layout["zero_stage"] for layout in own] == [2, 3]
    assert all(layout["sum"] != 0 for layout in own)


def sums(*arguments: str) -> list[dict[str, Any]]:
    script = Path(__file__).with_name("precision_matrix.py")
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("LAYOUT ")]
    return [json.loads(line.removeprefix("LAYOUT ")) for line in lines]


def parameters(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


@pytest.mark.engines
def test_the_names_of_attention_are_those_of_transformers() -> None:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    from rsft.training import attention

    assert attention.NAME == DOCUMENTS
    assert {DOCUMENTS, "flash_attention_2", "flash_attention_3"} <= set(ALL_ATTENTION_FUNCTIONS.valid_keys())


def flash_2(
    q: Any,
    k: Any,
    v: Any,
    cu_seqlens_q: Any,
    cu_seqlens_k: Any,
    max_seqlen_q: Any,
    max_seqlen_k: Any,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    alibi_slopes: Any = None,
    deterministic: bool = False,
    return_attn_probs: bool = False,
    block_table: Any = None,
) -> Any:
    """The parameters of flash-attn 2.8.3.post2's `flash_attn_varlen_func`; computed by torch."""
    return varlen(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, softmax_scale, causal)


def flash_3(
    q: Any,
    k: Any,
    v: Any,
    cu_seqlens_q: Any,
    cu_seqlens_k: Any,
    max_seqlen_q: Any,
    max_seqlen_k: Any,
    seqused_q: Any = None,
    seqused_k: Any = None,
    softmax_scale: float | None = None,
    causal: bool = False,
    qv: Any = None,
    q_descale: Any = None,
    k_descale: Any = None,
    v_descale: Any = None,
    window_size: tuple[int, int] = (-1, -1),
    attention_chunk: int = 0,
    softcap: float = 0.0,
    num_splits: int = 1,
    pack_gqa: Any = None,
    deterministic: bool = False,
    sm_margin: int = 0,
) -> Any:
    """The parameters of flash-attn-3 3.0.0b1's `flash_attn_varlen_func`; computed by torch."""
    return varlen(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, softmax_scale, causal)


def varlen(
    q: Any, k: Any, v: Any, ends: Any, ends_k: Any, longest: int, longest_k: int, scale: Any, causal: bool
) -> Any:
    """(T, heads, D) of several documents, in the words of flash-attn."""
    import torch

    assert ends.dtype == ends_k.dtype == torch.int32 and ends.tolist() == ends_k.tolist() and causal
    places = list(itertools.pairwise(ends.tolist()))
    assert longest == longest_k == max(end - start for start, end in places)
    found = [
        torch.nn.functional.scaled_dot_product_attention(
            *(t[start:end].transpose(0, 1)[None] for t in (q, k, v)),
            is_causal=True,
            scale=scale,
            enable_gqa=True,
        )[0].transpose(0, 1)
        for start, end in places
    ]
    return torch.cat(found)


@pytest.mark.engines
@pytest.mark.parametrize(
    ("name", "function"), [("flash_attention_2", flash_2), ("flash_attention_3", flash_3)]
)
def test_what_we_tell_attention_reaches_flash_attn(
    name: str, function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers passes on what the installed function has; here it has the real one's parameters."""
    import torch
    import transformers.modeling_flash_attention_utils as flash
    from transformers import AutoModelForCausalLM

    from rsft.bases import SHIPPED
    from rsft.training.loss import TargetLoss

    for part in ("_loaded_implementation", "_flash_fn", "_flash_varlen_fn", "_process_flash_kwargs_fn"):
        monkeypatch.setattr(flash, part, None)
    for part in ("_flash_with_kvcache_fn", "_pad_fn", "_unpad_fn", "_process_with_kvcache_kwargs_fn"):
        monkeypatch.setattr(flash, part, None)
    monkeypatch.setattr(flash, "_lazy_imports", lambda *_, **__: (None, function, None, None, None))
    model = AutoModelForCausalLM.from_pretrained(
        str(SHIPPED / "nano-1m"), dtype=torch.float32, attn_implementation=DOCUMENTS
    )
    loss = TargetLoss(model)
    ids = torch.arange(12)[None]
    positions = torch.tensor([[0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3]])
    wanted, _ = loss(ids, positions, ids)
    model.config._attn_implementation = name  # as if it were installed
    found, _ = loss(ids, positions, ids)
    assert torch.isclose(found, wanted, rtol=1e-5)
    mixed, _ = loss(ids, torch.arange(12)[None], ids)
    assert not torch.isclose(mixed, wanted, rtol=1e-3), "documents make a difference"


LIGER_PARAMETERS = {"rope", "cross_entropy", "fused_linear_cross_entropy", "rms_norm", "swiglu", "model"}
"""Of `apply_liger_kernel_to_*` of all LIGER_MODELS, read from liger-kernel 0.8.5."""


def test_liger_knows_the_kernels_we_ask_for() -> None:
    assert LIGER_KEYWORDS.keys() | {"model"} == LIGER_PARAMETERS
    wanted = {name for name, on in LIGER_KEYWORDS.items() if on}
    assert wanted == {"rope", "rms_norm", "swiglu"}


@pytest.mark.engines
def test_the_installed_liger_knows_them_too() -> None:
    from liger_kernel.transformers import monkey_patch

    for model in LIGER_MODELS:
        function = monkey_patch.MODEL_TYPE_TO_APPLY_LIGER_FN[model]
        assert parameters(function) >= LIGER_PARAMETERS, model


@pytest.mark.engines
def test_transformers_has_the_models_that_liger_has_kernels_for() -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    assert set(CONFIG_MAPPING_NAMES) >= LIGER_MODELS


def test_liger_is_asked_for_these_kernels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    fake = ModuleType("liger_kernel.transformers")
    fake._apply_liger_kernel_to_instance = lambda **given: calls.append(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "liger_kernel", ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", fake)
    apply_liger(model := object())
    assert calls == [{"model": model} | LIGER_KEYWORDS]
