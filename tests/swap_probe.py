"""Run by test_swap.py in a process of its own: what one warm engine does with swapped weights.

Prints one JSON object. vLLM reads its environment at import, so the caller sets it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import rsft.generation.engine as engine_module
from rsft.bases import SHIPPED
from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.canary import Canary, distance
from rsft.data.template import load_tokenizer
from rsft.errors import EngineError
from rsft.generation.engine import Engine
from rsft.generation.requests import CellRequest, EvalTask
from rsft.spec.model import ModelSpec
from rsft.training.export import reference_canary


def moved(source: Path, target: Path, seed: int) -> None:
    """Writes a copy of a model with noise on every weight, embeddings included."""
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.3 * parameter.std() * noise)
    model.to(torch.bfloat16).save_pretrained(target)


def greedy(engine: Engine, weights: str, canary: Canary) -> list[str]:
    """Greedy answers of the live weights to twenty problems."""
    cell = CellRequest(
        benchmark="gsm-symbolic", key="k", folder="f", problems=20, samples=1, max_new_tokens=24
    )
    task = EvalTask(
        owner="o",
        trial_id="t",
        step=1,
        weights=weights,
        canary=canary,
        cells=(cell,),
        temperature=0,
        top_p=1,
        seed=0,
    )
    asked = problems(CARDS["gsm-symbolic"], 20)
    ((_, answers),) = engine.answer(task, {"f": asked}, {"f": set()})
    return [g.text for g in sorted(answers, key=lambda g: g.problem)]


def base_of(architecture: str, tied: bool, folder: Path) -> Path:
    """A nano base of this architecture: the shipped one, with a head of its own, or a random Llama."""
    shipped = SHIPPED / "nano-1m"
    if (architecture, tied) == ("qwen3", True):
        return shipped
    torch.manual_seed(2)
    model = AutoModelForCausalLM.from_pretrained(shipped, dtype=torch.float32)
    if architecture == "llama":
        kept = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        shape = {name: getattr(model.config, name) for name in (*kept, "num_key_value_heads", "eos_token_id")}
        # Wide weights, so that it prefers some tokens to others, as a trained model does.
        config = LlamaConfig(
            **shape, max_position_embeddings=1_024, initializer_range=0.2, tie_word_embeddings=tied
        )
        model = LlamaForCausalLM(config)
    else:
        head = model.lm_head.weight.detach().clone()
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(head + 0.1 * torch.randn(head.shape) * head.std())
    model.to(torch.bfloat16).save_pretrained(folder)
    load_tokenizer(str(shipped), ModelSpec(source=str(shipped))).save_pretrained(folder)
    return folder


def swapped_and_fresh(base: Path, folder: Path) -> tuple[dict[str, object], Engine, Canary, Canary]:
    """Answers of other weights after a swap and of a fresh engine; the engine, still on those weights."""
    tokenizer = load_tokenizer(str(base), ModelSpec(source=str(base)))
    moved(base, folder, seed=1)
    tokenizer.save_pretrained(folder)
    base_canary = reference_canary(str(base), None, tokenizer)
    other_canary = reference_canary(str(folder), None, tokenizer)
    engine = Engine(str(base), ModelSpec(source=str(base)), "cpu", 768)
    engine.load(str(base), base_canary)
    before = greedy(engine, str(base), base_canary)
    engine.load(str(folder), other_canary)
    found: dict[str, object] = {
        "apart": distance(base_canary.logprobs, other_canary.logprobs),
        "restarts after a swap": engine.restarts,
    }
    swapped = greedy(engine, str(folder), other_canary)
    engine._restart(str(folder))
    fresh = greedy(engine, str(folder), other_canary)
    found["same as fresh"] = sum(a == b for a, b in zip(swapped, fresh, strict=True))
    found["same as before"] = sum(a == b for a, b in zip(swapped, before, strict=True))
    engine.restarts = 0
    return found, engine, base_canary, other_canary


def main(folder: Path) -> None:
    found: dict[str, object] = {}
    for architecture, tied in (("qwen3", False), ("llama", True), ("llama", False)):
        name = f"{architecture} {'tied' if tied else 'untied'}"
        base = base_of(architecture, tied, folder / f"{name} base")
        found[name], engine, *_ = swapped_and_fresh(base, folder / name)
        engine.close()

    base = base_of("qwen3", True, folder)
    found["qwen3 tied"], engine, base_canary, other_canary = swapped_and_fresh(base, folder / "qwen3 tied")

    # The trap: without packing the tied head again, the old head answers, and the canary must say so.
    engine_module.repack_tied_head = lambda model: False
    engine._swap(str(base))
    found["stale head off by"] = engine._distance(base_canary)
    engine._live = str(base)
    engine.load(str(base), base_canary)
    found["restarts after a stale head"] = engine.restarts

    try:
        engine.load(str(base), other_canary)
        found["wrong canary"] = "accepted"
    except EngineError as error:
        found["wrong canary"] = str(error)
    print("RESULT " + json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
