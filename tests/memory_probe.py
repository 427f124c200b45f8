"""What training really takes of memory on CPU: tensors of DeepSpeed's engines, what autograd holds, and what
the operating system says. Prints a line of JSON for each; tests/test_memory.py compares.

    python tests/memory_probe.py activations
    python tests/memory_probe.py states fp32:0 fp32:1 bf16:2 ...
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error", "OMP_NUM_THREADS": "1"}

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from transformers import Qwen3Config, Qwen3ForCausalLM

from rsft.spec import DataSpec, FileRows, ModelSpec, TrainSpec
from rsft.spec.trial import Length, Trial

WORLD = 2
NANO = {
    "vocab_size": 4_096,
    "hidden_size": 384,
    "intermediate_size": 1_152,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "tie_word_embeddings": True,
}
TOKENS = 1_024
DOCUMENTS = (500, 300, 224)
"""Their lengths in a row of TOKENS; every position is a target."""
_SUMS = (
    "averaged_gradients",
    "all_grad_tensors",
    "fp32_groups_gradients_flat",
    "grad_partitions_flat_buffer",
)
"""Where DeepSpeed's optimizers keep sums of gradients."""


def settings(**changes: Any) -> TrainSpec:
    facts: dict[str, Any] = {
        "precision": "fp32",
        "device": "cpu",
        "workers": 1,
        "zero_stage": 0,
        "max_tokens": 512,
        "micro_batch_tokens": TOKENS,
        "batch_sequences": 16,
    }
    return TrainSpec(**(facts | changes))


def row(tokens: int = TOKENS) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, positions and labels of one packed row."""
    draw = torch.Generator().manual_seed(0)
    scale = tokens // TOKENS
    positions = torch.cat([torch.arange(length * scale) for length in DOCUMENTS])[None]
    ids = torch.randint(1, 97, (1, tokens), generator=draw)
    return ids, positions, ids.clone()


def resident() -> int:
    """Bytes of this process in memory, after giving back what the allocator keeps."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return _status("VmRSS")


def forget_peak() -> None:
    """Makes the kernel's high-water mark start again from what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    (line,) = (ln for ln in Path("/proc/self/status").read_text().splitlines() if ln.startswith(name))
    return int(line.split()[1]) * 1024


def size(tensors: Any) -> int:
    """Bytes of the storages behind some tensors, each once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


def held(loss: torch.nn.Module, inputs: Any) -> tuple[torch.Tensor, int]:
    """A forward pass, and the bytes that autograd holds after it, weights and inputs left out."""
    own = {t.untyped_storage().data_ptr() for t in (*loss.parameters(), *inputs)}
    found: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        total, _ = loss(*inputs)
    return total, size(found.values())


def activations() -> None:
    """Of the loss alone, without DeepSpeed."""
    from rsft.training.attention import NAME
    from rsft.training.loss import TargetLoss

    variants: list[dict[str, Any]] = [
        {},
        {"dtype": "bf16"},
        {"checkpointing": True},
        {"dtype": "bf16", "checkpointing": True},
        {"vocabulary": 4 * NANO["vocab_size"]},
        {"tokens": 4 * TOKENS},
        {"tokens": 4 * TOKENS, "vocabulary": 4 * NANO["vocab_size"]},
    ]
    for variant in variants:
        vocabulary, tokens = variant.get("vocabulary", NANO["vocab_size"]), variant.get("tokens", TOKENS)
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(Qwen3Config(**NANO | {"vocab_size": vocabulary}))
        model.config._attn_implementation = NAME
        model.to(torch.bfloat16 if variant.get("dtype") == "bf16" else torch.float32).train()
        if variant.get("checkpointing"):
            model.gradient_checkpointing_enable({"use_reentrant": False})
        loss = TargetLoss(model)
        for _ in range(2):  # the first pass makes the kernels' own buffers, and the gradients
            before = resident()
            forget_peak()
            total, found = held(loss, row(tokens))
            after, grown = _status("VmRSS") - before, peak() - before
            total.backward()
            whole = peak() - before
            del total
        facts = {"held": found, "resident": after, "forward_peak": grown, "peak": whole}
        print("MEASURED " + json.dumps(variant | facts), flush=True)


def trial(folder: str, train: TrainSpec) -> Trial:
    return Trial(
        id="t",
        model=ModelSpec(source=folder),
        data=DataSpec(name="d", source=FileRows(path="x"), rows=64),
        length=Length(unit="steps", amount=4),
        steps=4,
        seed=0,
        train=train,
        recipe="default",
        base_identity="b",
        checkpoint_steps=(4,),
    )


def states(rank: int, folder: str, port: int, wanted: list[str]) -> None:
    """Of a worker's engine, at the end of an optimizer step's second micro-batch."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_SIZE": str(WORLD)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD)
    from rsft.storage import Storage
    from rsft.training.engine import Job, build

    for name in wanted:
        precision, stage = name.split(":")
        train = settings(precision=precision, zero_stage=int(stage), workers=WORLD)
        before = resident()
        engine = build(Job(trial(folder, train), Storage(folder), "p", folder))
        inner = engine.deepspeed
        found = {"parameters": sum(getattr(p, "ds_numel", p.numel()) for p in engine.model.parameters())}
        for _ in range(2):
            forget_peak()
            for last in (False, True):
                total, _ = inner(*row())
                inner.set_gradient_accumulation_boundary(last)
                inner.backward(total, scale_wrt_gas=False)
                if not last:
                    inner.step()
                    found |= {"weights": _weights(inner), "gradients": _gradients(inner)}
                del total
            inner.step()
        found |= {"optimizer": _optimizer(inner, train), "peak": peak() - before}
        if rank == 0:
            print("MEASURED " + json.dumps({"precision": precision, "stage": int(stage)} | found), flush=True)
        inner.destroy()
        del engine, inner
        gc.collect()
        dist.barrier()
    dist.destroy_process_group()


def _weights(inner: Any) -> int:
    return size(getattr(p, "ds_tensor", p) for p in inner.module.parameters())


def _gradients(inner: Any) -> int:
    """Wherever the engine sums them up between two micro-batches; its bucket is none of them."""
    found = [p.grad for p in inner.module.parameters() if p.grad is not None]
    wrapper = inner.optimizer
    for attribute in _SUMS:
        value = getattr(wrapper, attribute, None)
        for group in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        ):
            found += group if isinstance(group, list) else [group]
    return size(t for t in found if t is not None and t.untyped_storage().nbytes() < 10**9)


def _optimizer(inner: Any, train: TrainSpec) -> int:
    """Moments, and the master weights where they are not the weights themselves."""
    wrapper = inner.optimizer
    base = getattr(wrapper, "optimizer", wrapper)
    values = [value for state in base.state.values() for value in state.values()]
    moments = [value for value in values if isinstance(value, torch.Tensor) and value.dim()]
    own = {getattr(p, "ds_tensor", p).untyped_storage().data_ptr() for p in inner.module.parameters()}
    # ZeRO-3 hands them to its optimizer for the time of a step alone.
    masters = getattr(wrapper, "fp32_partitioned_groups_flat", None)
    masters = masters or [p for group in base.param_groups for p in group["params"]]
    return size(moments) + size(p for p in masters if p.untyped_storage().data_ptr() not in own)


def main() -> None:
    if sys.argv[1] == "activations":
        torch.set_num_threads(1)
        activations()
        return
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        Qwen3ForCausalLM(Qwen3Config(**NANO)).float().save_pretrained(folder)
        mp.spawn(states, args=(folder, 29_800 + os.getpid() % 200, sys.argv[2:]), nprocs=WORLD)


if __name__ == "__main__":
    main()
