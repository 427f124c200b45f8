"""Low-rank adapters, through peft: put into a model, merged for evaluation, written in peft's own format.

Names: a target layer `x` becomes `x.base_layer`, `x.lora_A.default` and `x.lora_B.default`.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel

from rsft.errors import EngineError, SpecError
from rsft.spec.train import LoraSpec

ADAPTER = "default"
_PART = re.compile(rf"\.lora_([AB])\.{ADAPTER}\.weight$")
_BASE = ".base_layer."


def add_adapters(model: PreTrainedModel, spec: LoraSpec, seed: int) -> None:
    """Puts adapters into a model, in place and in the dtype of its weights; nothing else trains afterwards.

    A is drawn from the seed and B is zero, so that training starts from the base, and the same trial from the
    same adapters.

    Raises:
        SpecError: a target is no linear layer of a block.
    """
    targets = target_layers(model, spec)
    source = model.config.name_or_path or None
    from peft import LoraConfig, inject_adapter_in_model  # half a second, which most trials need not wait

    config = LoraConfig(
        r=spec.rank,
        lora_alpha=_whole(spec.alpha),
        lora_dropout=0.0,
        target_modules=targets,
        bias="none",
        init_lora_weights=True,
        task_type="CAUSAL_LM",
        base_model_name_or_path=source,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    for _, layer in _layers(model):
        dtype = layer.get_base_layer().weight.dtype
        layer.lora_A[ADAPTER].to(dtype)
        layer.lora_B[ADAPTER].to(dtype)


def target_layers(model: PreTrainedModel, spec: LoraSpec) -> list[str]:
    """Names of the layers that get an adapter, such as `q_proj`; never the head or the embeddings.

    Raises:
        SpecError: a target is no linear layer of a block.
    """
    head = model.get_output_embeddings()
    found = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head and re.search(r"\.\d+\.", name)
    }
    unknown = sorted(set(spec.targets) - found)
    if unknown or not found:
        raise SpecError(
            f"LoraSpec.targets names {', '.join(unknown) or 'no layer'}, which {type(model).__name__} has "
            f"not among the linear layers of its blocks; take some of {', '.join(sorted(found)) or '(none)'}."
        )
    return sorted(spec.targets or found)


def base_shapes(model: PreTrainedModel) -> dict[str, list[int]]:
    """Shape of every weight of the base by the base's own name, from any ZeRO stage."""
    return {
        name.replace(_BASE, "."): list(getattr(parameter, "ds_shape", parameter.shape))
        for name, parameter in model.named_parameters()
        if not _PART.search(name)
    }


def merged(
    model: PreTrainedModel, state: dict[str, torch.Tensor], dtype: torch.dtype | None = None
) -> dict[str, torch.Tensor]:
    """The base with its adapters added in: W + alpha / rank x B A, computed in fp32.

    Args:
        model: with adapters; for its scale, its own weights are not read.
        state: consolidated weights by the model's names, from any ZeRO stage.
        dtype: of the layers that change; each is rounded as soon as it is known, so that fp32 copies of all
            of them never exist at once. None leaves them in fp32.

    Returns:
        Tensors by the base's own names; those of layers without adapters as they were.

    Raises:
        EngineError: the state lacks an adapter's tensor.
    """
    found = {name.replace(_BASE, "."): tensor for name, tensor in state.items() if not _PART.search(name)}
    for name, layer in _layers(model):
        try:
            a, b = (state[f"{name}.lora_{part}.{ADAPTER}.weight"].float() for part in "AB")
            weight = state[f"{name}{_BASE}weight"].float()
        except KeyError as error:
            raise EngineError(
                f"the weights of {name} are incomplete ({error} is missing), so its adapter cannot be "
                "merged; run again."
            ) from None
        found[f"{name}.weight"] = (weight + layer.scaling[ADAPTER] * (b @ a)).to(dtype or torch.float32)
    return found


def adapter_files(
    model: PreTrainedModel,
    state: dict[str, torch.Tensor],
    folder: Path,
    base: str | None = None,
    revision: str | None = None,
) -> None:
    """Writes `adapter_config.json` and `adapter_model.safetensors`, as peft and vLLM read them.

    Args:
        model: with adapters; for its configuration, its own weights are not read.
        state: consolidated weights by the model's names; only the adapters' are used.
        folder: for these two alone: beside merged weights they would be added a second time by transformers,
            which takes every folder with an `adapter_config.json` for an adapter. Created.
        base: hub id or folder that the adapter belongs to, instead of what the model was loaded from.
        revision: of the base.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = copy.copy(model.peft_config[ADAPTER])
    config.base_model_name_or_path = base or config.base_model_name_or_path
    config.revision, config.inference_mode = revision, True
    config.target_modules = sorted(config.target_modules)  # peft's set has another order in each process
    config.save_pretrained(str(folder))
    tensors = {
        "base_model.model." + _PART.sub(r".lora_\1.weight", name): tensor.detach().cpu().contiguous()
        for name, tensor in state.items()
        if _PART.search(name)
    }
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def _layers(model: PreTrainedModel) -> list[tuple[str, Any]]:
    """Layers of peft with an adapter: (name, LoraLayer)."""
    return [(name, module) for name, module in model.named_modules() if hasattr(module, "lora_A")]


def _whole(alpha: float) -> float:
    """As an integer where it is one: vLLM's reader expects that."""
    return int(alpha) if alpha == int(alpha) else alpha
