"""What a training worker needs of memory, estimated before anything runs. Arithmetic alone, no engine.

Sources. How ZeRO cuts weights, gradients and optimizer states among workers: Rajbhandari et al. 2020, arXiv
1910.02054, section 5; what DeepSpeed 0.19 adds to it (a second copy of its partition for the optimizer even in
fp32, buckets of fixed size, gathered weights in ZeRO-3) is read from its code. What autograd saves in a block
is counted here tensor by tensor, in the way of Korthikanti et al. 2022, arXiv 2205.05198, section 4, for the
blocks of Llama, Qwen2, Qwen3 and Mistral: RMSNorm, rotary positions, SDPA (which keeps no score matrix), SwiGLU.
tests/test_memory.py compares all of it with real engines.

Legend of the formulas: b = bytes of the weights' dtype, H = hidden size, A = heads x head size, K = key-value
heads x head size, I = intermediate size, V = vocabulary, T = positions of a forward pass, W = workers.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsft.errors import SpecError
from rsft.spec.train import TrainSpec
from rsft.training.settings import CHUNK

GPU_GIGABYTES = (24, 40, 48, 80, 96, 141, 192)
"""Standard sizes, counted as 10^9 bytes. Cards have about 7 % more, which is left to the driver, NCCL and gaps."""

ARCHITECTURES = {"llama": False, "mistral": False, "qwen2": False, "qwen3": True}
"""model_type of those whose blocks are counted here -> whether queries and keys are normalised."""

LIVE_ELEMENTS = 1_000_000_000
"""DeepSpeed's stage3_max_live_parameters and stage3_max_reuse_distance: what ZeRO-3 keeps gathered."""
BUCKET_ELEMENTS = 500_000_000
"""DeepSpeed's reduce_bucket_size, allocated whole on GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What of a model's architecture its memory depends on."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool
    """The output head is the embedding."""
    qk_norm: bool

    @classmethod
    def read(cls, folder: str | Path) -> Shape | None:
        """From a folder's config.json; None where there is none, or one of another architecture."""
        path = Path(folder) / "config.json"
        if not path.is_file():
            return None
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, config: dict[str, Any]) -> Shape | None:
        """From the values of a config.json."""
        if config.get("model_type") not in ARCHITECTURES:
            return None
        heads = config["num_attention_heads"]
        return cls(
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or config["hidden_size"] // heads,
            intermediate=config["intermediate_size"],
            vocabulary=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings")),
            qk_norm=ARCHITECTURES[config["model_type"]],
        )

    @property
    def queries(self) -> int:
        """A."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """K."""
        return self.kv_heads * self.head_dim

    def linear(self) -> dict[str, tuple[int, int]]:
        """Linear layers of a block: name -> (in, out)."""
        return {
            "q_proj": (self.hidden, self.queries),
            "k_proj": (self.hidden, self.keys),
            "v_proj": (self.hidden, self.keys),
            "o_proj": (self.queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    def adapters(self, rank: int, targets: tuple[str, ...]) -> int:
        """Parameters of LoRA: two thin matrices beside each target."""
        chosen = [size for name, size in self.linear().items() if not targets or name in targets]
        return self.layers * rank * sum(map(sum, chosen))

    def factored(self) -> int:
        """Elements of Adafactor's second moments: a row and a column of each matrix, all of each vector."""
        block = sum(map(sum, self.linear().values())) + 2 * self.hidden + 2 * self.head_dim * self.qk_norm
        tables = (1 if self.tied else 2) * (self.vocabulary + self.hidden)
        return self.layers * block + tables + self.hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of one worker, at most. None: not known without a config.json."""

    weights: int
    gradients: int
    """Summed over micro-batches, as they lie between two of them."""
    optimizer: int
    """Master weights and moments."""
    buffers: int
    """DeepSpeed's buckets, and ZeRO-3's gathered weights."""
    activations: int | None
    """What autograd holds after a forward pass over `micro_batch_tokens`."""
    logits: int | None
    """Of one chunk of target positions, with what its softmax and its gradient need."""
    step: int
    """Needed by the optimizer's step alone, when activations and logits are gone."""
    host: int
    """Beside that, in CPU memory, with `offload`."""

    @property
    def total(self) -> int:
        """At the peak: the end of a forward pass, or the optimizer's step."""
        states = self.weights + self.gradients + self.optimizer + self.buffers
        return states + max((self.activations or 0) + (self.logits or 0), self.step)
