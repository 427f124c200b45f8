"""Attention over documents that lie side by side in one row: each by itself, causal, no mask, no padding.

A block mask would cost T x T and makes SDPA fall back to its slowest path; a loop over documents keeps its
flash kernels, on CPU and on GPUs without flash-attn.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from rsft.errors import EngineError

NAME = "documents"
"""As `attn_implementation`; importing this module registers it."""


def document_lengths(position_ids: torch.Tensor) -> list[int]:
    """Tokens of each document of a row.

    Args:
        position_ids: (1, T), restarting at 0 with each document.
    """
    starts = (position_ids[0] == 0).nonzero().flatten().tolist()
    return [end - start for start, end in zip(starts, [*starts[1:], position_ids.shape[1]], strict=True)]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    documents: list[int] | None = None,
    sliding_window: int | None = None,
    **other: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in the signature of transformers.

    Args:
        query: (S, heads, T, D); key and value have as many heads or a divisor of them.
        documents: lengths of the documents of the one row; None means that every row is one document.

    Returns:
        (S, T, heads, D), and no weights.

    Raises:
        EngineError: the architecture asks for what SDPA does not have.
    """
    for name in ("softcap", "s_aux"):
        if other.get(name) is not None:
            raise EngineError(
                f"{type(module).__name__} needs {name} in its attention, which needs flash-attn on a GPU; "
                "install it, or take another base."
            )
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (t.repeat_interleave(groups, dim=1) for t in (key, value))
    lengths = documents or [query.shape[2]]
    found = [
        scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=_window(q, sliding_window),
            dropout_p=dropout,
            is_causal=not sliding_window or q.shape[2] <= sliding_window,
            scale=scaling,
        )
        for q, k, v in zip(*(t.split(lengths, dim=2) for t in (query, key, value)), strict=True)
    ]
    return torch.cat(found, dim=2).transpose(1, 2), None


def _window(query: torch.Tensor, size: int | None) -> torch.Tensor | None:
    """(T, T) of what a position sees: itself and the size - 1 before it; None where that is everything."""
    length = query.shape[2]
    if not size or length <= size:
        return None
    full = torch.ones(length, length, dtype=torch.bool, device=query.device)
    return full.tril() & full.triu(1 - size)


AttentionInterface.register(NAME, attend)
