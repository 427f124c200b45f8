"""Trains adapters on a shipped nano base with real DeepSpeed, and prints how far they end from plain torch.

    python tests/lora_matrix.py FOLDER     one line of JSON per ZeRO stage

Two gloo workers run the trainer's own step. The reference is plain torch in float64 on one process, one row
at a time, with the same adapters; the same in float32 says how far rounding alone leads. The first worker
leaves the adapter's files and the merged weights of each stage in FOLDER.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import gradient_matrix as gradient  # first: it sets the environment that DeepSpeed reads when imported
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from rsft.bases import SHIPPED
from rsft.spec.schedule import learning_rate
from rsft.spec.train import LoraSpec
from rsft.spec.trial import Trial

BASE = str(SHIPPED / "nano-1m")
WORLD, STEPS, SEED = 2, 8, 5
SPEC = LoraSpec(rank=4, alpha=8)


def reference(made: Trial, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Plain torch and the definition of the loss."""
    from rsft.training import lora

    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    lora.add_adapters(model, SPEC, SEED)
    model.to(dtype)
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    train, data = made.train, gradient.rows()
    optimizer = torch.optim.AdamW(
        weights.values(), lr=1.0, betas=train.betas, eps=train.epsilon, weight_decay=train.weight_decay
    )
    for step in range(STEPS):
        chosen = gradient.batch(data, step)
        total = torch.zeros((), dtype=dtype)
        for tokens in chosen:
            ids = torch.tensor(tokens.ids).long()
            ((start, end),) = tokens.spans
            logits = model(input_ids=ids[None], use_cache=False).logits[0, start - 1 : end - 1]
            total = total + torch.nn.functional.cross_entropy(logits, ids[start:end], reduction="sum")
        optimizer.zero_grad()
        (total / sum(tokens.targets for tokens in chosen)).backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), train.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(train, step, made.steps)
        optimizer.step()
    return {name: weight.detach().double() for name, weight in weights.items()}


def worker(rank: int, port: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_SIZE": str(WORLD)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD)
    import deepspeed

    from rsft.training import attention, lora, settings
    from rsft.training.engine import Engine
    from rsft.training.kernels import Kernels
    from rsft.training.loss import TargetLoss
    from rsft.training.step import optimizer_step

    wanted: tuple[dict[str, torch.Tensor], ...] = ()
    for stage in (0, 2, 3):
        made = gradient.trial(BASE, WORLD, {"zero_stage": stage, "lora": SPEC})
        model = AutoModelForCausalLM.from_pretrained(
            BASE, dtype=torch.float32, attn_implementation=attention.NAME
        )
        lora.add_adapters(model, SPEC, SEED)
        loss, train = TargetLoss(model.train()), made.train
        weights = [weight for weight in loss.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(
            weights, betas=train.betas, eps=train.epsilon, weight_decay=train.weight_decay
        )
        inner, *_ = deepspeed.initialize(
            model=loss,
            model_parameters=weights,
            optimizer=optimizer,
            config=settings.deepspeed_config(train),
            dist_init_required=False,
        )
        engine = Engine(inner, model, torch.float32, stage, Kernels(attention.NAME, liger=False))
        data = gradient.rows()
        for step in range(STEPS):
            optimizer_step(engine, gradient.batch(data, step), step, made, rank, WORLD, 0)
        state = engine.weights()
        if rank == 0:
            wanted = wanted or tuple(reference(made, dtype) for dtype in (torch.float64, torch.float32))
            exact, plain = wanted
            base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
            start = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
            lora.add_adapters(start, SPEC, SEED)
            before = {name: weight.detach().double() for name, weight in start.named_parameters()}
            merged = lora.merged(model, state)
            untouched = [name for name in merged if f"{name[:-7]}.base_layer.weight" not in state]
            out = Path(folder) / str(stage)
            out.mkdir()
            lora.adapter_files(model, state, out)
            save_file(
                {name: t.contiguous() for name, t in merged.items() if name != "lm_head.weight"},
                out / "merged",
            )
            facts = {
                "zero_stage": stage,
                "apart": max(float((state[name] - exact[name]).abs().max()) for name in exact),
                "rounding": max(float((plain[name] - exact[name]).abs().max()) for name in exact),
                "moved": min(float((exact[name] - before[name]).abs().max()) for name in exact),
                "adapters": len(exact),
                "names": sorted(merged) == sorted(base.state_dict()),
                "shapes": lora.base_shapes(model) == {n: list(w.shape) for n, w in base.named_parameters()},
                "frozen": all(torch.equal(merged[name], base.state_dict()[name]) for name in untouched),
            }
            print("STAGE " + json.dumps(facts), flush=True)
        dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(worker, args=(29_900 + os.getpid() % 300, sys.argv[1]), nprocs=WORLD)
