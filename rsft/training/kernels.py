"""Which kernels a trial uses: faster ones where they are installed and the hardware has them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

from rsft.errors import SpecError
from rsft.spec.train import TrainSpec

DOCUMENTS = "documents"
"""Our own attention (rsft/training/attention.py), on any hardware and in any dtype."""

LIGER_KEYWORDS = {
    "rope": True,
    "rms_norm": True,
    "swiglu": True,
    # Our loss computes logits at targets alone, which saves more than their fused head over every position.
    "cross_entropy": False,
    "fused_linear_cross_entropy": False,
}
"""Of `liger_kernel.transformers._apply_liger_kernel_to_instance`, which leaves out silently what it does not
know; so these are the names of liger-kernel 0.8.5, and tests/test_settings.py compares."""

LIGER_MODELS = frozenset(
    {"exaone4", "granite", "hunyuan_v1_dense", "llama", "ministral", "mistral"}
    | {"olmo2", "olmo3", "phi3", "qwen2", "qwen3", "smollm3"}
)
"""Dense text models for which liger-kernel 0.8.5 has all three kernels; for others it would do nothing."""

_OLDEST = {
    "flash-attn": (2, 3, 3),  # what transformers asks for
    "flash-attn-3": (3,),
    "liger-kernel": (0, 8),  # the first whose keywords were read
}


@dataclass(frozen=True, slots=True)
class Kernels:
    """What a model is loaded with; part of the record of every attempt at a trial."""

    attention: str
    """`attn_implementation` of transformers."""
    liger: bool
    """Whether Liger's fused RMSNorm, SwiGLU and rotary embedding replace the model's own."""


def installed() -> dict[str, str]:
    """Versions of the optional packages that are installed here; imports none of them.

    By distribution, not by module: `flash_attn` is the module of two packages. Hub kernels, which
    transformers would download for a missing one, do not count: a sweep runs the code it was started with.
    """
    found = {}
    for name in _OLDEST:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def kernels(
    train: TrainSpec, installed: Mapping[str, str], capability: tuple[int, int] | None, model_type: str
) -> Kernels:
    """Chooses for one trial.

    Args:
        train: settings of the trial.
        installed: version by package, see `installed`.
        capability: CUDA compute capability of the worker's GPU; None without one.
        model_type: as in the base's config.json.
    """
    usable = {name for name, version in installed.items() if _numbers(version) >= _OLDEST.get(name, ())}
    gpu = capability if train.device == "gpu" else None
    attention = DOCUMENTS
    if gpu is not None and train.precision != "fp32":  # flash attention computes in half precision alone
        if "flash-attn-3" in usable and gpu[0] == 9:  # its instructions are Hopper's, and only Hopper's
            attention = "flash_attention_3"
        elif "flash-attn" in usable and gpu >= (8, 0):
            attention = "flash_attention_2"
    return Kernels(attention, gpu is not None and "liger-kernel" in usable and model_type in LIGER_MODELS)


def apply_liger(model: Any) -> None:
    """Puts Liger's kernels into a model from transformers, in place; before adapters and DeepSpeed."""
    from liger_kernel.transformers import _apply_liger_kernel_to_instance

    _apply_liger_kernel_to_instance(model=model, **LIGER_KEYWORDS)


BEFORE_BF16 = frozenset({"K80", "M40", "M60", "P4", "P40", "P100", "V100", "T4"})
"""Accelerators without bf16, as Ray names them: NVIDIA's before Ampere."""


def refuse_bf16(train: TrainSpec, accelerators: Iterable[str]) -> None:
    """Ends a trial that cannot run on a cluster before its workers start.

    Args:
        train: settings of the trial.
        accelerators: types of GPUs that there are, as Ray names them, such as `V100`.

    Raises:
        SpecError: the trial is in bf16, and a GPU has none.
    """
    if train.precision == "fp32" or train.device == "cpu":
        return
    lacking = set(accelerators) & BEFORE_BF16
    if lacking:
        raise SpecError(
            f"TrainSpec.precision={train.precision!r} needs GPUs with bf16, and this cluster has "
            f"{', '.join(sorted(lacking))}, on which a worker may land; set precision='fp32', or leave these "
            "out."
        )


def refuse_without_gpu(device: Literal["cpu", "gpu"]) -> None:
    """Ends what Ray would let wait for ever: nobody adds a GPU to this machine, as one may to a cluster.

    Raises:
        SpecError: there is no GPU here, and no cluster to join.
    """
    if device == "cpu" or os.environ.get("RAY_ADDRESS"):
        return
    import torch  # seconds, for GPUs alone

    if not torch.cuda.device_count():
        raise SpecError(
            "this machine has no GPU that torch can see; give --device cpu (on a page "
            "TrainSpec(device='cpu')), or name a Ray cluster with GPUs in RAY_ADDRESS."
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version: 2.8.3.post2 is (2, 8, 3)."""
    found = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)
