"""Run by test_swap.py in a process of its own: what one warm engine does with swapped weights.

Prints one JSON object. vLLM reads its environment at import, so the caller sets it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from vllm import SamplingParams
from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p_pytorch

import rsft.generation.engine as engine_module
from rsft import layout
from rsft.bases import SHIPPED
from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.canary import Canary, distance
from rsft.data.template import load_tokenizer
from rsft.errors import EngineError
from rsft.generation.engine import Engine
from rsft.generation.nucleus import Nucleus, cut
from rsft.generation.requests import Adapter, CellRequest, EvalTask
from rsft.records import Generation
from rsft.scoring.estimators import estimates
from rsft.scoring.grade import grade_all
from rsft.scoring.pool import GraderPool
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


def task_of(weights: str, canary: Canary, folder: str = "f") -> EvalTask:
    """Twenty problems, greedily."""
    cell = CellRequest(
        benchmark="gsm-symbolic", key="k", folder=folder, problems=20, samples=1, max_new_tokens=24
    )
    return EvalTask(
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


def greedy(engine: Engine, weights: str, canary: Canary) -> list[str]:
    """Greedy answers of the live weights to twenty problems."""
    asked = problems(CARDS["gsm-symbolic"], 20)
    ((_, answers),) = engine.answer([task_of(weights, canary)], {"f": asked}, {"f": set()})
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


def beside_and_merged(folder: Path) -> dict[str, object]:
    """Answers of two adapters served at the same time, and those of an engine on the merged weights."""
    base = str(SHIPPED / "nano-1m")
    tokenizer = load_tokenizer(base, ModelSpec(source=base))
    base_canary = reference_canary(base, None, tokenizer)
    merged: list[Path] = []
    for number in (1, 2):
        torch.manual_seed(number)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        lora = get_peft_model(model, LoraConfig(r=5, lora_alpha=10, target_modules=["q_proj", "down_proj"]))
        for name, weight in lora.named_parameters():
            if "lora_" in name:
                weight.data = 0.1 * torch.randn_like(weight)
        merged.append(folder / f"merged {number}")
        lora.save_pretrained(merged[-1] / layout.ADAPTER)
        lora.merge_and_unload().save_pretrained(merged[-1])
        tokenizer.save_pretrained(merged[-1])
    canaries = [reference_canary(str(one), None, tokenizer) for one in merged]
    asked = problems(CARDS["gsm-symbolic"], 20)
    engine = Engine(base, ModelSpec(source=base), "cpu", 768, adapters=2, rank=5)
    engine.load(base, base_canary)
    tasks = []
    for one, canary in zip(merged, canaries, strict=True):
        own = str(one / layout.ADAPTER)
        engine.adopt(own, canary)
        adapter = Adapter(folder=own, rank=5, base=base, base_canary=base_canary)
        tasks.append(replace(task_of(str(one), canary, folder=one.name), adapter=adapter))
    have: dict[str, set[tuple[str, int]]] = {one.name: set() for one in merged}
    told = {
        cell.folder: [g.text for g in sorted(answers, key=lambda g: g.problem)]
        for cell, answers in engine.answer(tasks, {one.name: asked for one in merged}, have)
    }
    try:
        engine.adopt(str(merged[0] / layout.ADAPTER), canaries[1])
        wrong = "accepted"
    except EngineError as error:
        wrong = str(error)
    engine.close()
    plain = Engine(base, ModelSpec(source=base), "cpu", 768)
    same = []
    for one, canary in zip(merged, canaries, strict=True):
        plain.load(str(one), canary)
        same.append(sum(a == b for a, b in zip(told[one.name], greedy(plain, str(one), canary), strict=True)))
    told_again = sampled(plain, base, base_canary)
    plain.close()
    differ = sum(a != b for a, b in zip(*told.values(), strict=True))
    return {"same as merged": same, "differ": differ, "wrong canary": wrong, "sampled": told_again}


def sampled(engine: Engine, weights: str, canary: Canary) -> dict[str, object]:
    """The same requests twice, and then more samples of them: texts of all, accuracies and errors."""
    engine.load(weights, canary)
    asked = problems(CARDS["gcd"], 40)
    by_id = {problem.id: problem for problem in asked}

    def drawn(samples: int, kept: list[Generation]) -> list[Generation]:
        cell = CellRequest(
            benchmark="gcd", key="k", folder="f", problems=40, samples=samples, max_new_tokens=96
        )
        task = replace(task_of(weights, canary), cells=(cell,), temperature=0.6, top_p=0.95)
        have = {(one.problem, one.sample) for one in kept}
        ((_, new),) = engine.answer([task], {"f": asked}, {"f": have})
        return sorted([*kept, *new], key=lambda one: (one.problem, one.sample))

    one, again = drawn(1, []), drawn(1, [])
    four = drawn(4, one)
    every = {1: one, 4: four, 16: drawn(16, four)}
    pool = GraderPool("reasoning_gym")
    accuracies = {}
    for samples, answers in every.items():
        pairs = [(by_id[answer.problem], answer) for answer in answers]
        scores = grade_all(pairs, grader="reasoning_gym", pool=pool, workers=2)
        (found,) = (e for e in estimates(scores) if e.metric == "accuracy")
        accuracies[samples] = (found.value, found.stderr, len(answers))
    pool.close()
    return {
        "same twice": sum(a == b for a, b in zip(one, again, strict=True)),
        "different seeds": len({answer.seed for answer in every[16]}),
        "accuracy": accuracies,
    }


def nucleus(engine: Engine, weights: str, canary: Canary) -> dict[str, object]:
    """Top-p as vLLM cuts it and as we do: which tokens are left, and what is drawn with the same seeds."""
    torch.manual_seed(0)
    logits, mass = 3 * torch.randn(64, 4_096), torch.rand(64, 1)
    theirs = apply_top_k_top_p_pytorch(logits.clone(), None, mass.squeeze(1))
    ours = cut(logits.clone(), mass)
    processor = Nucleus(None, torch.device("cpu"), False)
    processor._masses = {3: 0.5, 1: 0.9}  # two of four rows, as requests that moved leave them
    some = processor.apply(logits[:4].clone())
    task = replace(task_of(weights, canary), temperature=0.8, top_p=0.7)
    asked, sampling = problems(CARDS["gsm-symbolic"], 20), Engine._sampling

    def drawn() -> list[str]:
        ((_, answers),) = engine.answer([task], {"f": asked}, {"f": set()})
        return [g.text for g in sorted(answers, key=lambda g: g.problem)]

    def plain(self: Engine, task: EvalTask, seed: int, budget: int) -> SamplingParams:
        made = sampling(self, task, seed, budget)
        made.top_p, made.extra_args = task.top_p, None
        return made

    with_ours = drawn()
    engine_module.Engine._sampling = plain  # type: ignore[method-assign]
    with_theirs = drawn()
    engine_module.Engine._sampling = sampling  # type: ignore[method-assign]
    return {
        "masked otherwise": int((ours.isinf() != theirs.isinf()).sum()),
        "masked": int(ours.isinf().sum()),
        "rows cut": [row for row in range(4) if some[row].isinf().any()],
        "same answers": sum(a == b for a, b in zip(with_ours, with_theirs, strict=True)),
        "different answers": len(set(with_ours)),
    }


def main(folder: Path) -> None:
    found: dict[str, object] = {}
    for architecture, tied in (("qwen3", False), ("llama", True), ("llama", False)):
        name = f"{architecture} {'tied' if tied else 'untied'}"
        base = base_of(architecture, tied, folder / f"{name} base")
        found[name], engine, *_ = swapped_and_fresh(base, folder / name)
        engine.close()

    found["adapters"] = beside_and_merged(folder)

    base = base_of("qwen3", True, folder)
    found["qwen3 tied"], engine, base_canary, other_canary = swapped_and_fresh(base, folder / "qwen3 tied")

    found["nucleus"] = nucleus(engine, str(folder / "qwen3 tied"), other_canary)

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
