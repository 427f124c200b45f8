"""What a training worker needs of memory, estimated before anything runs. Arithmetic alone, no engine.

Sources. How ZeRO cuts weights, gradients and optimizer states among workers: Rajbhandari et al. 2020, arXiv
1910.02054, section 5. What DeepSpeed 0.19 adds to it (a master copy of its partition even in fp32, buckets
of fixed size, gathered weights in ZeRO-3) is read from its code. What autograd saves is counted tensor by
tensor, in the way of Korthikanti et al. 2022, arXiv 2205.05198, section 4, for the blocks of Llama, Mistral,
Qwen2 and Qwen3: RMSNorm, rotary positions, SDPA (which keeps no score matrix), SwiGLU. tests/test_memory.py
compares all of it with real engines.

Legend of the formulas: b = bytes of the weights' dtype, H = hidden size, A = heads x head size, K = key-value
heads x head size, I = intermediate size, V = vocabulary, T = positions of a forward pass, W = workers.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsft.errors import SpecError
from rsft.spec.train import TrainSpec
from rsft.training.settings import CHUNK

GPU_GIGABYTES = (24, 40, 48, 80, 96, 141, 192)
"""Standard sizes, counted as 10^9 bytes; what cards have beyond that is left to driver, NCCL and gaps."""

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
    def read(cls, source: str) -> Shape | None:
        """From the config.json of a folder, or of a hub id that was downloaded to this machine before.

        None where there is no such file, or one of another architecture.
        """
        cache = os.environ.get("HF_HUB_CACHE") or Path(
            os.environ.get("HF_HOME", "~/.cache/huggingface"), "hub"
        )
        snapshots = Path(cache).expanduser() / f"models--{source.replace('/', '--')}" / "snapshots"
        found = [Path(source) / "config.json", *sorted(snapshots.glob("*/config.json"))]
        for path in found:
            if path.is_file():
                return cls.of(json.loads(path.read_text(encoding="utf-8")))
        return None

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
    block: int
    """Of one block, computed again in the backward pass; 0 where all are kept."""
    logits: int | None
    """Of one chunk of target positions, with what its softmax and its entropy need."""
    step: int
    """Needed by the optimizer's step alone, when activations and logits are gone."""
    host: int
    """Beside that, in CPU memory, with `offload`."""

    @property
    def total(self) -> int:
        """At the peak: the first block of a backward pass, computed again while what became of the logits is
        still there; or the optimizer's step."""
        states = self.weights + self.gradients + self.optimizer + self.buffers
        return states + max((self.activations or 0) + (self.logits or 0) + self.block, self.step)


def estimate(parameters: int, train: TrainSpec, shape: Shape | None) -> Memory:
    """What one worker needs.

    Args:
        parameters: of the base.
        train: settings of the trial.
        shape: of the base; None where its config.json is not here.
    """
    weight = 4 if train.precision == "fp32" else 2
    trained = parameters
    if train.lora is not None:
        trained = shape.adapters(train.lora.rank, train.lora.targets) if shape else 0
    frozen = parameters if train.lora is not None else 0
    # The largest share: DeepSpeed pads, and what does not divide goes to the last worker.
    part = math.ceil(trained / (train.workers if train.zero_stage else 1))
    moment = 2 if train.precision == "bf16-pure" else 4
    # In plain fp32 the weights are their own master copy; every ZeRO stage keeps one of its partition.
    master = 0 if train.zero_stage == 0 and train.precision == "fp32" else moment
    moments = 2 * moment * part
    if train.optimizer == "adafactor":
        moments = 4 * shape.factored() if shape else 0
    optimizer = master * part + moments
    weights = weight * (trained + frozen)
    if train.zero_stage == 3:
        weights = math.ceil(weights / train.workers)
    gradients = _gradients(train, trained, part)
    host = 0
    if train.offload:
        host, optimizer = optimizer + 4 * part, 0
        gradients -= 4 * part if train.precision != "bf16-pure" else 2 * part
        if train.zero_stage == 3:
            host, weights = host + weights, 0
    activations = logits = None
    block = 0
    if shape is not None:
        tokens = micro_batch_tokens(train)
        activations, block = _activations(shape, train, weight, tokens)
        # The shares that logits stand for, in fp32, take their place; of bf16 logits they are a copy.
        logits = min(CHUNK, tokens) * shape.vocabulary * (4 if weight == 4 else weight + 4)
    return Memory(
        weights=weights,
        gradients=max(gradients, 0),
        optimizer=optimizer,
        buffers=_buffers(train, trained, trained + frozen, weight),
        activations=activations,
        block=block,
        logits=logits,
        # AdamW's denominator, or the flat copy of the gradients that ZeRO makes before it.
        step=0 if train.offload else moment * part,
        host=host,
    )


def gpu_gigabytes(total: int) -> int | None:
    """The smallest standard GPU memory that holds so many bytes; None when none does."""
    return next((size for size in GPU_GIGABYTES if total <= size * 10**9), None)


def remedy(parameters: int, train: TrainSpec, shape: Shape | None) -> str:
    """The settings with which a trial that fits on no GPU would fit, in the order of what they cost."""
    changes: dict[str, Any] = {}
    for change in (
        {"gradient_checkpointing": True},
        {"zero_stage": 3},
        {"micro_batch_tokens": train.max_tokens},
        {"offload": True},
    ):
        ((name, value),) = change.items()
        if value in (getattr(train, name), checkpoints_activations(train) if value is True else None):
            continue
        try:
            changed = TrainSpec(**train.model_dump() | changes | change)
        except SpecError:
            continue  # such as Adafactor, which ZeRO cannot take
        changes |= change
        total = estimate(parameters, changed, shape).total
        if (size := gpu_gigabytes(total)) is not None:
            words = ", ".join(f"{field}={setting!r}" for field, setting in changes.items())
            return f"set {words}: then {size} GB hold it"
    return "raise workers with zero_stage=3, or set lora"


def micro_batch_tokens(train: TrainSpec) -> int:
    """Positions of the largest forward pass on one worker, which may share it with others."""
    if train.loss_reduction == "microbatch_sum":
        most = train.micro_batch_sequences * train.max_tokens  # rows go together whatever their length
    else:
        most = train.micro_batch_tokens
    of_batch = train.batch_tokens or train.batch_sequences * train.max_tokens
    return math.ceil(min(most, math.ceil(of_batch / train.teams)) / train.sequence_parallel)


def checkpoints_activations(train: TrainSpec) -> bool:
    """Whether activations are computed again in the backward pass; left open, it is done on GPUs."""
    return train.device == "gpu" if train.gradient_checkpointing is None else train.gradient_checkpointing


def _gradients(train: TrainSpec, trained: int, part: int) -> int:
    """Summed in fp32 from bf16 gradients, except in `bf16-pure`; ZeRO-2 and 3 keep their partition alone."""
    if train.precision == "fp32":
        return 4 * (part if train.zero_stage >= 2 else trained)
    if train.precision == "bf16-pure":
        return 2 * (part if train.zero_stage >= 2 else trained)
    return 4 * part if train.zero_stage >= 2 else (4 + 2) * trained


def _buffers(train: TrainSpec, trained: int, every: int, weight: int) -> int:
    """Gradients on their way, and in ZeRO-3 the gathered weights.

    The bucket is allocated whole; memory on CPUs is taken only where it is written to.
    """
    bucket = 0
    if train.zero_stage and not (train.zero_stage == 1 and train.precision == "bf16"):
        elements = BUCKET_ELEMENTS if train.device == "gpu" else min(trained, BUCKET_ELEMENTS)
        bucket = elements * (4 if train.zero_stage == 3 or train.precision == "fp32" else 2)
    return bucket + (weight * min(every, LIVE_ELEMENTS) if train.zero_stage == 3 else 0)


def _activations(shape: Shape, train: TrainSpec, weight: int, tokens: int) -> tuple[int, int]:
    """What autograd holds after a forward pass, without the logits; and what a block computed again saves.

    Blocks keep all they save, or their inputs alone. Before and after
    them: positions as cosines and sines, the last norm, and its output at target positions.
    """
    hidden = weight * shape.hidden
    if checkpoints_activations(train):
        blocks, again = shape.layers * hidden, _block(shape, weight)
    else:
        blocks, again = shape.layers * _block(shape, weight), 0
    around = 2 * weight * shape.head_dim + _norm(shape.hidden, weight) + hidden
    return tokens * (blocks + around), tokens * again


def _norm(width: int, weight: int, rows: int = 1) -> int:
    """Of an RMSNorm: its input in fp32, the same normed, and the root of each row's mean square."""
    return (4 + weight) * width + 4 * rows


def _block(shape: Shape, weight: int) -> int:
    """Bytes per position that a decoder block saves for its backward pass.

    Each norm is followed by linear layers that save its output (b H). Rotary positions save their cosines
    alone. SDPA saves queries, keys and values (repeated to as many heads as there are queries), its output,
    and a log-sum-exp per head; the output projection saves its input, which is another copy. SwiGLU saves the
    gate before and after SiLU, the other half, and their product.
    """
    norms = 2 * (_norm(shape.hidden, weight) + weight * shape.hidden)
    if shape.qk_norm:
        norms += _norm(shape.queries, weight, shape.heads) + _norm(shape.keys, weight, shape.kv_heads)
    attention = weight * 5 * shape.queries + 4 * shape.heads
    return norms + attention + weight * 4 * shape.intermediate
