"""Loss on rows that are not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rsft.data.batches import assign
from rsft.data.template import Tokens
from rsft.spec.train import TrainSpec
from rsft.training import ulysses
from rsft.training.engine import Engine
from rsft.training.step import Sums, mean, on_device


@torch.no_grad()
def heldout_sums(
    engine: Engine, rows: Sequence[Tokens], train: TrainSpec, rank: int, world: int, pad: int
) -> Sums:
    """Mean loss, accuracy and entropy over the target tokens of rows. A collective; changes no weight."""
    lengths = [len(tokens) for tokens in rows]
    team, place = ulysses.place(train, rank)
    teams = world // train.sequence_parallel
    mine = assign(lengths, workers=teams, micro_batch_tokens=train.micro_batch_tokens)[team]
    sums = torch.zeros(3, dtype=torch.float64)
    for members in mine:
        documents = [rows[n] for n in members]
        inputs = on_device(documents, pad, engine.deepspeed.device, place, train.sequence_parallel)
        nll, facts = engine.deepspeed(*inputs)
        sums += torch.cat([nll[None], facts]).double().cpu()
    return mean(sums, sum(tokens.targets for tokens in rows), engine.deepspeed.device)
