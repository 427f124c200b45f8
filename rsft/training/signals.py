"""Model FLOP utilisation: arithmetic that the model needs, over what the hardware could do meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PretrainedConfig, PreTrainedModel

from rsft.data.template import Tokens

# Dense (without sparsity) tensor-core FLOP/s in bf16, from NVIDIA's data sheets; first match counts.
_PEAKS = (
    ("B200", 2.25e15),
    ("H200", 989e12),
    ("H100 PCIe", 756e12),
    ("H100", 989e12),
    ("GH200", 989e12),
    ("L40S", 362e12),
    ("L4", 121e12),
    ("A100", 312e12),
    ("A10", 125e12),
    ("RTX 4090", 165e12),
    ("RTX 3090", 71e12),
    ("V100", 125e12),
)


@dataclass(frozen=True, slots=True)
class Peak:
    """What one worker's hardware could do."""

    flops: float
    """Per second."""
    source: str
    """Where the figure comes from."""


def peak(device: str) -> Peak | None:
    """Of this worker's GPU by its name, or of its CPU threads by a measured fp32 matrix product."""
    if device == "gpu":
        name = torch.cuda.get_device_name()
        known = next((flops for word, flops in _PEAKS if word in name), None)
        return None if known is None else Peak(known, f"{name}, bf16 dense, data sheet")
    size, best = 512, float("inf")
    left, right = torch.ones(size, size), torch.ones(size, size)
    for _ in range(8):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    threads = torch.get_num_threads()
    return Peak(2 * size**3 / best, f"CPU, {threads} thread(s), fp32 matrix product of {size}, measured")


@dataclass(frozen=True, slots=True)
class Cost:
    """FLOPs of forward and backward pass (2 + 4 per weight and token), without those of checkpointing.

    As in Chowdhery et al. 2022 (PaLM, arXiv 2204.02311, appendix B), with causal attention counted as half a
    square per document, and the output head at target positions alone, where it runs.
    """

    body: float
    """Weights of all matrices between embedding and head; those that do not learn count as 2/3, since they
    take no gradient of their own."""
    head: float
    """Vocabulary times hidden size, as above."""
    attention: int
    """Layers times heads times head size."""

    @classmethod
    def of(cls, model: PreTrainedModel) -> Cost:
        config: PretrainedConfig = model.config
        head = model.get_output_embeddings().weight
        tables = {id(model.get_input_embeddings().weight), id(head)}
        body = sum(
            _size(p) * _learning(p) for p in model.parameters() if _dims(p) > 1 and id(p) not in tables
        )
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        attention = config.num_hidden_layers * config.num_attention_heads * head_size
        return cls(body, config.vocab_size * config.hidden_size * _learning(head), attention)

    def flops(self, batch: Sequence[Tokens]) -> float:
        """Of one optimizer step on these rows."""
        tokens = sum(len(t) for t in batch)
        squares = sum(len(t) ** 2 for t in batch)
        targets = sum(t.targets for t in batch)
        return 6.0 * (self.body * tokens + self.head * targets + self.attention * squares)


def _learning(parameter: torch.nn.Parameter) -> float:
    return 1.0 if parameter.requires_grad else 2 / 3


def _dims(parameter: torch.nn.Parameter) -> int:
    return len(getattr(parameter, "ds_shape", parameter.shape))


def _size(parameter: torch.nn.Parameter) -> int:
    """Weights of a parameter; ZeRO-3 leaves a partition in its data and the full number in `ds_numel`."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))
