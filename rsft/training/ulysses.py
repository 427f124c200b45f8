"""Ulysses sequence parallelism (arXiv 2309.14509), through DeepSpeed: for rows that one GPU cannot hold.

A team of `sequence_parallel` neighbouring workers shares each micro-batch: every one of them has all weights
and a stretch of the positions; for attention alone they exchange stretches for heads, so that each sees all
positions of some heads.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from rsft.data.batches import IGNORE, MicroBatch
from rsft.errors import SpecError
from rsft.spec.train import TrainSpec

_replaced: dict[str, Any] = {}
"""Attention functions of transformers that `join` has wrapped in this process."""


def check(train: TrainSpec, heads: int, kv_heads: int) -> None:
    """Whether a team can share the heads of a model.

    Raises:
        SpecError: it cannot.
    """
    size = train.sequence_parallel
    if not _fits(size, heads, kv_heads):
        possible = [n for n in range(2, heads + 1) if _fits(n, heads, kv_heads)]
        raise SpecError(
            f"TrainSpec.sequence_parallel={size} cannot share the {heads} attention heads and {kv_heads} key "
            f"and value heads of the base evenly; use one of {possible}, or 1."
        )


def registration(train: TrainSpec, attention: str) -> dict[str, Any]:
    """Keyword arguments of `UlyssesSPAttentionHF.register_with_transformers`, beside the model.

    Args:
        train: settings of the trial.
        attention: `attn_implementation` that the model was loaded with; the exchange is put around it.
    """
    return {
        "core_attn_implementation": attention,
        "sequence_parallel_size": train.sequence_parallel,
        "micro_batch_size": 1,  # documents lie side by side in one row
        "seq_length_is_variable": True,
        "disable_in_eval": False,  # held-out rows are cut like all others
    }


def join(model: Any, train: TrainSpec, attention: str) -> ModuleType | None:
    """Puts this worker into its team and the exchange around the model's attention. A collective.

    Args:
        model: from transformers, loaded with `attention`.
        train: settings of the trial.
        attention: `attn_implementation` of the model.

    Returns:
        `mpu` of `deepspeed.initialize`; None where every worker is by itself.

    Raises:
        SpecError: the heads cannot be shared.
    """
    leave()
    if train.sequence_parallel == 1:
        return None
    config = model.config.get_text_config()
    check(train, config.num_attention_heads, config.num_key_value_heads)
    from deepspeed.runtime.sequence_parallel.ulysses_sp import UlyssesSPAttentionHF
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    _replaced[attention] = ALL_ATTENTION_FUNCTIONS[attention]
    found: ModuleType = UlyssesSPAttentionHF.register_with_transformers(
        model, **registration(train, attention)
    )
    return found


def leave() -> None:
    """Undoes `join`: the next trial on this worker may have other teams, or none."""
    if not _replaced:
        return
    from deepspeed.runtime.sequence_parallel import parallel_state_sp
    from deepspeed.utils import groups
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    for name, function in _replaced.items():
        ALL_ATTENTION_FUNCTIONS[name] = function
    _replaced.clear()
    parallel_state_sp._release_sequence_parallel_groups()
    groups.mpu = None


def place(train: TrainSpec, rank: int) -> tuple[int, int]:
    """(number of the team, place in it) of a worker, as DeepSpeed numbers them."""
    return divmod(rank, train.sequence_parallel)


def averaged_over(train: TrainSpec, world: int) -> int:
    """By what DeepSpeed 0.19.8 divides the gradients that it adds up over all workers.

    By teams, since the workers of a team have parts of one gradient; but ZeRO-3's reduce-scatter divides by
    workers all the same.
    """
    return world if train.zero_stage == 3 else world // train.sequence_parallel


def cut(batch: MicroBatch, place: int, size: int, pad: int) -> tuple[MicroBatch, np.ndarray]:
    """One worker's stretch of a micro-batch.

    What does not divide is padded with one more document, so that no other sees it. Cutting is safe: labels
    are the next token already, also where that lies in the next worker's stretch, and positions go along.

    Args:
        batch: of the team, the same for all of it.
        place: of the worker in its team.
        size: of the team.
        pad: any token id.

    Returns:
        The stretch, and (1, T) positions of the whole: attention sees all of it, so what it is told of
        documents must come from there.
    """
    missing = -batch.input_ids.shape[1] % size
    tail = np.full((1, missing), pad), np.arange(missing)[None], np.full((1, missing), IGNORE)
    parts = (batch.input_ids, batch.position_ids, batch.labels)
    whole = [np.concatenate(pair, axis=1).astype(np.int64) for pair in zip(parts, tail, strict=True)]
    length = whole[0].shape[1] // size
    mine = slice(place * length, (place + 1) * length)
    return MicroBatch(*(np.ascontiguousarray(array[:, mine]) for array in whole)), whole[1]


def _fits(size: int, heads: int, kv_heads: int) -> bool:
    """DeepSpeed repeats key and value heads where there are fewer of them than workers."""
    return heads % size == 0 and (kv_heads % size == 0 or size % kv_heads == 0)
