"""Run by test_swap.py in a process of its own: what one warm engine does with swapped weights.

Prints one JSON object. vLLM reads its environment at import, so the caller sets it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

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


def main(folder: Path) -> None:
    base = str(SHIPPED / "nano-1m")
    tokenizer = load_tokenizer(base, ModelSpec(source=base))
    other = folder / "other"
    moved(SHIPPED / "nano-1m", other, seed=1)
    tokenizer.save_pretrained(other)
    base_canary = reference_canary(base, None, tokenizer)
    other_canary = reference_canary(str(other), None, tokenizer)
    found: dict[str, object] = {"apart": distance(base_canary.logprobs, other_canary.logprobs)}

    engine = Engine(base, ModelSpec(source=base), "cpu", 768)
    engine.load(base, base_canary)
    engine.load(str(other), other_canary)
    found["restarts after a swap"] = engine.restarts
    swapped = greedy(engine, str(other), other_canary)
    engine._restart(str(other))
    engine.restarts = 0
    found["same as fresh"] = sum(
        a == b for a, b in zip(swapped, greedy(engine, str(other), other_canary), strict=True)
    )

    # The trap: without packing the tied head again, the old head answers, and the canary must say so.
    engine_module.repack_tied_head = lambda model: False
    engine._swap(base)
    found["stale head off by"] = engine._distance(base_canary)
    engine._live = base
    engine.load(base, base_canary)
    found["restarts after a stale head"] = engine.restarts

    try:
        engine.load(base, other_canary)
        found["wrong canary"] = "accepted"
    except EngineError as error:
        found["wrong canary"] = str(error)
    print("RESULT " + json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
