"""Loss on rows that are not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rsft.data.batches import assign
from rsft.data.template import Tokens
from rsft.training.engine import Engine
from rsft.training.step import Sums, mean, on_device


@torch.no_grad()
def heldout_sums(
    engine: Engine, rows: Sequence[Tokens], micro_batch_tokens: int, rank: int, world: int, pad: int
) -> Sums:
    """Mean loss, accuracy and entropy over the target tokens of rows. A collective; changes no weight."""
    lengths = [len(tokens) for tokens in rows]
    mine = assign(lengths, workers=world, micro_batch_tokens=micro_batch_tokens)[rank]
    sums = torch.zeros(3, dtype=torch.float64)
    for members in mine:
        inputs = on_device([rows[n] for n in members], pad, engine.deepspeed.device)
        nll, facts = engine.deepspeed(*inputs)
        sums += torch.cat([nll[None], facts]).double().cpu()
    return mean(sums, sum(tokens.targets for tokens in rows), engine.deepspeed.device)
