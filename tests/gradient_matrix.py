"""Trains one tiny model in many layouts with real DeepSpeed, and prints how far apart the weights end.

The reference is plain torch in float64: one row at a time, all logits, `torch.optim.AdamW`; the same in
float32 says how far rounding alone leads. Every layout is one process group of WORLD gloo workers that run
the trainer's own `build` and `optimizer_step`; Ray Train starts workers and does not touch the gradient.

    python tests/gradient_matrix.py WORLD [--whole]     one line of JSON per layout
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error", "OMP_NUM_THREADS": "1"}

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from transformers import AutoModelForCausalLM, Qwen3Config, Qwen3ForCausalLM

from rsft.data.batches import RowOrder, assign_unpacked
from rsft.data.template import Tokens
from rsft.spec import DataSpec, FileRows, ModelSpec, TrainSpec
from rsft.spec.schedule import learning_rate
from rsft.spec.trial import Length, Trial

STEPS, ROWS, BATCH, LONGEST = 20, 30, 8, 48
"""8 rows a step from 30: the fourth, eighth, ... step crosses an epoch's end."""


ORDER = RowOrder(np.ones(ROWS), seed=0, shuffle=True, sequences=BATCH)


def base(folder: str) -> None:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        tie_word_embeddings=True,
    )
    Qwen3ForCausalLM(config).float().save_pretrained(folder)


def rows() -> list[Tokens]:
    """Prompts and responses of unlike lengths, so that a mean of means is no mean."""
    draw = torch.Generator().manual_seed(1)

    def ids(count: int) -> list[int]:
        return torch.randint(1, 97, (count,), generator=draw).tolist()

    return [Tokens.of(str(n), ids(2 + n % 7), ids(3 + (5 * n) % 37)) for n in range(ROWS)]


def layouts(world: int, whole: bool) -> list[dict[str, Any]]:
    """Settings that must not matter; the short list has one of each kind."""
    stages = (0, 1, 2, 3) if whole or world == 2 else (1,)
    found: list[dict[str, Any]] = [
        {"zero_stage": stage, "micro_batch_tokens": limit, "packed": packed}
        for stage in stages
        for limit in ((LONGEST, 4 * LONGEST, 16 * LONGEST) if whole else (LONGEST, 4 * LONGEST))
        for packed in ((True, False) if whole else (True,))
    ]
    if not whole:
        found.append({"zero_stage": 1, "micro_batch_tokens": 4 * LONGEST, "packed": False})
    teams = [size for size in (2, 4) if size <= world and world > 1]
    found += [
        {"zero_stage": stage, "micro_batch_tokens": 4 * LONGEST, "packed": True}
        | {"sequence_parallel": size, "gradient_checkpointing": stage == 2}
        for stage in stages
        for size in (teams if whole else teams[:1])
    ]
    sizes = [size for size in (1, 2, 4, 8) if BATCH % (world * size) == 0]
    study = {"zero_stage": 1, "loss_reduction": "microbatch_sum"}
    return found + [study | {"micro_batch_sequences": size} for size in (sizes if whole else sizes[-1:])]


def trial(folder: str, world: int, layout: dict[str, Any]) -> Trial:
    settings = {name: value for name, value in layout.items() if name != "packed"}
    train = TrainSpec(
        **{"micro_batch_tokens": 4 * LONGEST} | settings,
        learning_rate=1e-3,
        clip_norm=0.5,
        batch_sequences=BATCH,
        max_tokens=LONGEST,
        precision="fp32",
        device="cpu",
        workers=world,
    )
    return Trial(
        id="t",
        model=ModelSpec(source=folder),
        data=DataSpec(name="d", source=FileRows(path="x"), rows=ROWS),
        length=Length(unit="steps", amount=STEPS),
        steps=STEPS,
        seed=0,
        train=train,
        recipe="default",
        base_identity="b",
        checkpoint_steps=(STEPS,),
    )


def batch(data: list[Tokens], step: int) -> list[Tokens]:
    return [data[n] for n in ORDER[step]]


def reference(
    folder: str, made: Trial, world: int, dtype: torch.dtype
) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Plain torch: the definition, written down. Weights after the last step, gradient norms of all."""
    model = AutoModelForCausalLM.from_pretrained(folder).to(dtype)
    train, data = made.train, rows()
    norms: list[float] = []
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, betas=train.betas, eps=1e-8, weight_decay=0.01)
    for step in range(STEPS):
        chosen = batch(data, step)
        total = torch.zeros((), dtype=dtype)
        for number, tokens in enumerate(chosen):
            ids = torch.tensor(tokens.ids).long()
            ((start, end),) = tokens.spans
            logits = model(input_ids=ids[None], use_cache=False).logits[0, start - 1 : end - 1]
            nll = torch.nn.functional.cross_entropy(logits, ids[start:end], reduction="sum")
            if train.loss_reduction == "token_mean":
                total = total + nll / sum(t.targets for t in chosen)
            else:
                # Of the micro-batch this row is in: same worker, same group of rows of that worker.
                worker, place = number % world, number // world
                first = place // train.micro_batch_sequences * train.micro_batch_sequences
                mates = range(first, first + train.micro_batch_sequences)
                total = total + nll / sum(chosen[worker + world * i].targets for i in mates) / world
        optimizer.zero_grad()
        total.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), train.clip_norm)))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(train, step, STEPS)
        optimizer.step()
    return {name: value.detach().double() for name, value in model.state_dict().items()}, norms


def worker(rank: int, world: int, folder: str, port: int, whole: bool) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_SIZE": str(world)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=world)
    import rsft.training.step as step_module
    from rsft.storage import Storage
    from rsft.training.engine import Job, build

    plain_layout = step_module.layout
    references: dict[str, list[tuple[dict[str, torch.Tensor], list[float]]]] = {}
    for layout in layouts(world, whole):
        made = trial(folder, world, layout)
        if layout.get("packed") is False:  # every row a forward pass of its own
            step_module.layout = lambda train, lengths, world: assign_unpacked(
                len(lengths), workers=world, micro_batch_sequences=1
            )
        engine = build(Job(made, Storage(folder), "p", folder))
        data = rows()
        norms = [
            step_module.optimizer_step(engine, batch(data, step), step, made, rank, world, 0).grad_norm
            for step in range(STEPS)
        ]
        step_module.layout = plain_layout
        state = engine.weights()
        if rank == 0:
            found = {name: value.double() for name, value in state.items()}
            definition = f"{made.train.loss_reduction} {made.train.micro_batch_sequences}"
            if definition not in references:
                references[definition] = [
                    reference(folder, made, world, dtype) for dtype in (torch.float64, torch.float32)
                ]
            (wanted, sizes), (plain, _) = references[definition]
            assert wanted.keys() - {"lm_head.weight"} <= found.keys(), "tensors without a partner"
            shared = wanted.keys() & found.keys()
            apart = max(float((found[name] - wanted[name]).abs().max()) for name in shared)
            rounding = max(float((plain[name] - wanted[name]).abs().max()) for name in shared)
            pairs = start_and_end(folder, wanted)
            moved = max(float((value - before).abs().max()) for value, before in pairs)
            # AdamW and clipping hide a constant factor, so the size of the gradient is compared too.
            norm = max(abs(found / size - 1) for found, size in zip(norms, sizes, strict=True))
            facts = layout | {
                "world": world,
                "apart": apart,
                "rounding": rounding,
                "moved": moved,
                "norm": norm,
            }
            print("LAYOUT " + json.dumps(facts), flush=True)
        dist.barrier()
    dist.destroy_process_group()


def start_and_end(folder: str, wanted: dict[str, torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    start = AutoModelForCausalLM.from_pretrained(folder).double().state_dict()
    return [(value, start[name]) for name, value in wanted.items()]


def main() -> None:
    world, whole = int(sys.argv[1]), "--whole" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        base(folder)
        assert Path(folder, "model.safetensors").exists()
        mp.spawn(worker, args=(world, folder, 29_500 + os.getpid() % 500, whole), nprocs=world)


if __name__ == "__main__":
    main()
