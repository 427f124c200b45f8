"""Proof that layout does not change the loss: the same rows one by one, side by side, and padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from rsft.data.batches import IGNORE, best_fit, micro_batch
from rsft.data.template import Tokens
from rsft.errors import DataError
from rsft.training.attention import NAME as DOCUMENTS
from rsft.training.loss import TargetLoss

TOLERANCE = 1e-5
"""Nats per token. Sums of a few thousand fp32 losses in another order differ by about 1e-6."""

LONGEST = 2_048
"""Tokens of a row beyond which it is cut for this check, which is about the mask, not about memory."""


@torch.no_grad()
def loss_three_ways(rows: Sequence[Tokens], seed: int = 0) -> dict[str, Any]:
    """Mean loss of a tiny fixed Qwen3 on rows, laid out in three ways.

    Args:
        rows: a few rows.
        seed: of the model's random weights.

    Returns:
        rows (number), row_by_row, padded and packed (nats per target token), difference (largest).

    Raises:
        DataError: the layouts disagree by more than TOLERANCE, so the mask or the packing is wrong.
    """
    short = [_shortened(tokens) for tokens in rows]
    vocabulary = int(max(tokens.ids.max() for tokens in short)) + 1
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocabulary,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            attn_implementation=DOCUMENTS,
        )
    )
    loss = TargetLoss(model.eval())
    lengths = [len(tokens) for tokens in short]
    layouts = {
        "row_by_row": [[n] for n in range(len(short))],
        "packed": best_fit(lengths, 2 * max(lengths)),
    }
    targets = sum(tokens.targets for tokens in short)
    found: dict[str, float] = {}
    for name, passes in layouts.items():
        total = 0.0
        for members in passes:
            arrays = micro_batch([short[n] for n in members], pad=0)
            parts = (arrays.input_ids, arrays.position_ids, arrays.labels)
            total += float(loss(*(torch.from_numpy(part) for part in parts))[0])
        found[name] = total / targets
    found["padded"] = _padded(model, short) / targets
    difference = max(found.values()) - min(found.values())
    if not difference <= TOLERANCE:
        raise DataError(
            f"the loss of {len(short)} rows depends on their layout (row by row {found['row_by_row']:.6f}, "
            f"padded {found['padded']:.6f}, packed {found['packed']:.6f}); the mask or the packing is wrong."
        )
    return {"rows": len(short), **found, "difference": difference}


def _padded(model: Qwen3ForCausalLM, rows: Sequence[Tokens]) -> float:
    """Summed loss by transformers alone: rows padded to the longest, its own attention, all logits."""
    model.set_attn_implementation("sdpa")
    shape = (len(rows), max(len(tokens) for tokens in rows))
    ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORE)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.from_numpy(tokens.ids).long()
        mask[row, : len(tokens)] = 1
        for start, end in tokens.spans:
            labels[row, start:end] = ids[row, start:end]
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    flat = labels[:, 1:].flatten()
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), flat, reduction="sum"))


def _shortened(tokens: Tokens) -> Tokens:
    """At most LONGEST tokens, with the start of a response among them."""
    first = max(0, tokens.spans[0][0] - LONGEST // 2)
    end = min(len(tokens), first + LONGEST)
    spans = tuple((a - first, min(b, end) - first) for a, b in tokens.spans if a < end)
    return Tokens(tokens.id, tokens.ids[first:end], spans)
