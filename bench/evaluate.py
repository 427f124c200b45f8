"""Checkpoints x benchmarks: rsft's warm engines against starting engines anew, on the same requests.

    python bench/evaluate.py [--checkpoints 6] [--runs 1] [--growth 24] [--tuned]

Six checkpoints of a 3.15M-parameter Qwen3 with random weights, whose answers hardly ever end before the limit
of 128 new tokens; three benchmarks of 100 problems, temperature 0.6 with a seed per request. Every contender
runs in processes of its own and generates the same requests; ours also grades, writes Parquet and proves each
swap. The start of Ray itself is not counted.

- `benchmark`: a vLLM process for each checkpoint and benchmark, with vLLM's own settings but for what a CPU
  needs: one process, both cores, whole prompts. With `--tuned` they have the settings of our engines too
  (nothing compiled, 512 requests at once), which start sooner.
- `checkpoint`: the same for each checkpoint.
- `ray.data.llm`: Ray Data's own processor, built anew for each checkpoint; one checkpoint is timed.
- `one engine`, `engine per core`: the floor: one set of weights answers all requests, no swap.
- `ours`: two engine actors, one core each. `--growth N` times ours and the floor with N checkpoints too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rsft import layout
from rsft.bases import SHIPPED
from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.canary import Canary
from rsft.data.template import load_tokenizer, user_prompt_ids
from rsft.generation.requests import CellRequest, EvalTask, sample_seed
from rsft.generation.settings import actor_environment, engine_arguments
from rsft.spec.model import ModelSpec
from rsft.storage import Storage

BASE = str(SHIPPED / "nano-3m")
BENCHMARKS = ("gsm-symbolic", "gcd", "countdown")
PROBLEMS, NEW_TOKENS, CONTEXT = 100, 128, 768
ALONE = actor_environment("cpu") | {"VLLM_CPU_OMP_THREADS_BIND": "auto", "OMP_NUM_THREADS": "2"}
"""Of a contender that has both cores for one engine."""
OURS_ALONE = ("TORCHDYNAMO_DISABLE", "max_num_seqs")
"""What vLLM does not come with, and a CPU engine does not need."""


def prepare(folder: Path, count: int) -> None:
    """Random weights of the base's architecture, each with its canary, and the problems."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    from rsft.training.export import reference_canary

    logging.disable_progress_bar()
    tokenizer = load_tokenizer(BASE, ModelSpec(source=BASE))
    storage = Storage(folder)
    for number in range(count):
        torch.manual_seed(number)
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(BASE), dtype=torch.float32)
        target = folder / f"step_{number}"
        model.to(torch.bfloat16).save_pretrained(target)
        tokenizer.save_pretrained(target)
        storage.write_json(f"step_{number}.json", asdict(reference_canary(str(target), None, tokenizer)))
    for name in BENCHMARKS:
        storage.write_lines(layout.problems(name), [asdict(p) for p in problems(CARDS[name], PROBLEMS)])


def generate(weights: str, names: tuple[str, ...], copies: int = 1, without: tuple[str, ...] = ()) -> int:
    """All requests of some benchmarks by one vLLM engine; returns how many tokens came.

    `without`: settings of ours that are left at vLLM's own.
    """
    from vllm import LLM, SamplingParams, TokensPrompt

    tokenizer = load_tokenizer(BASE, ModelSpec(source=BASE))
    settings = engine_arguments(weights, "cpu", CONTEXT)
    llm = LLM(**{name: value for name, value in settings.items() if name not in without})
    prompts, sampling = [], []
    for _ in range(copies):
        for name in names:
            for problem in problems(CARDS[name], PROBLEMS):
                prompts.append(TokensPrompt(prompt_token_ids=user_prompt_ids(tokenizer, problem.prompt)))
                seed = sample_seed(0, name, problem.id, 0)
                sampling.append(SamplingParams(temperature=0.6, top_p=0.95, seed=seed, max_tokens=NEW_TOKENS))
    outputs = llm.generate(prompts, sampling, use_tqdm=False)
    return sum(len(output.outputs[0].token_ids) for output in outputs)


def with_processor(weights: str) -> int:
    """`ray.data.llm` on one checkpoint."""
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    ray.init("local", num_cpus=16, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    rows = [
        {"prompt": problem.prompt, "seed": sample_seed(0, name, problem.id, 0)}
        for name in BENCHMARKS
        for problem in problems(CARDS[name], PROBLEMS)
    ]
    known = engine_arguments(weights, "cpu", CONTEXT)
    config = vLLMEngineProcessorConfig(
        model_source=weights,
        engine_kwargs={key: value for key, value in known.items() if key != "model"},
        concurrency=1,
        batch_size=100,
        log_engine_metrics=False,  # they would need ray[serve]
        runtime_env={"env_vars": ALONE},
        placement_group_config={"bundles": [{"CPU": 1}]},
    )
    processor = build_processor(
        config,
        preprocess=lambda row: {
            "messages": [{"role": "user", "content": row["prompt"]}],
            "sampling_params": {
                "temperature": 0.6,
                "top_p": 0.95,
                "seed": row["seed"],
                "max_tokens": NEW_TOKENS,
            },
        },
        postprocess=lambda row: {"tokens": row["num_generated_tokens"]},
    )
    begun = time.time()
    found = processor(ray.data.from_items(rows)).take_all()
    print(f"SECONDS {time.time() - begun:.2f}")
    return sum(row["tokens"] for row in found)


def ours(folder: Path, count: int) -> int:
    """Our own way: engines, grading and storage as a sweep uses them."""
    from rsft.generation.stream import answer_all
    from rsft.sweep.cluster import LazyCluster
    from rsft.sweep.grading import CellGrader, Graders
    from rsft.sweep.quiet import set_environment

    set_environment()
    storage = Storage(folder)
    tasks = tuple(
        EvalTask(
            owner=f"step_{number}",
            trial_id="bench",
            step=number,
            weights=str(folder / f"step_{number}"),
            canary=Canary(**storage.read_json(f"step_{number}.json")),
            cells=tuple(
                CellRequest(
                    benchmark=name,
                    key=name,
                    folder=f"evals/{name}/{number}",
                    problems=PROBLEMS,
                    samples=1,
                    max_new_tokens=NEW_TOKENS,
                )
                for name in BENCHMARKS
            ),
            temperature=0.6,
            top_p=0.95,
            seed=0,
        )
        for number in range(count)
    )
    settings = {
        "storage": storage.root,
        "cache": str(folder),
        "base": BASE,
        "model": ModelSpec(source=BASE).model_dump(mode="json"),
        "device": "cpu",
        "max_model_tokens": CONTEXT,
        "tensor_parallel": 1,
        "adapters": 1,
        "rank": 0,
        "endpoint": None,
    }
    with LazyCluster(lambda cluster: None) as cluster:
        cluster.get()
        begun = time.time()
        grade = partial(CellGrader, Graders(storage=storage.root))
        done = list(answer_all(tasks, settings, grade, device="cpu", engines=2))
        print(f"SECONDS {time.time() - begun:.2f}")
    assert len(done) == count * len(BENCHMARKS) and not any(row["error"] for row in done), done
    return sum(row["response_tokens"] for row in done)


def contend(name: str, folder: Path, count: int) -> None:
    """A contender's own process; prints its tokens, and its seconds where they are not the whole process."""
    first = str(folder / "step_0")
    if name == "ours":
        tokens = ours(folder, count)
    elif name == "ray.data.llm":
        tokens = with_processor(first)
    elif name.startswith("floor"):
        begun = time.time()
        tokens = generate(first, BENCHMARKS, int(name.split()[1]))
        print(f"SECONDS {time.time() - begun:.2f}")
    else:
        kind, number, *names = name.split()
        without = () if kind == "tuned" else OURS_ALONE
        tokens = generate(str(folder / f"step_{number}"), tuple(names) or BENCHMARKS, without=without)
    print(f"TOKENS {tokens}")


def spawn(name: str, folder: Path, count: int, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--contender", name, "--folder", str(folder)]
    return subprocess.Popen(
        [*command, "--checkpoints", str(count)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[float | None, int]:
    """Seconds that it printed, if it did, and its tokens."""
    out, error = process.communicate()
    if process.returncode:
        raise RuntimeError(error[-1_500:])
    words = [line.split() for line in out.splitlines()]
    seconds = [float(line[1]) for line in words if line[:1] == ["SECONDS"]]
    return (seconds[-1] if seconds else None), sum(int(line[1]) for line in words if line[:1] == ["TOKENS"])


def one_after_another(names: list[str], folder: Path, count: int) -> tuple[float, int]:
    begun, tokens = time.time(), 0
    for name in names:
        left_out = () if name.startswith("tuned") else OURS_ALONE
        environment = {key: value for key, value in ALONE.items() if key not in left_out}
        tokens += ended(spawn(name, folder, count, environment))[1]
    return time.time() - begun, tokens


def measure(name: str, folder: Path, count: int, kind: str = "fresh") -> tuple[float, int]:
    """Seconds and tokens of one contender; `kind` of processes: fresh or tuned."""
    if name == "benchmark":
        names = [f"{kind} {number} {one}" for number in range(count) for one in BENCHMARKS]
        return one_after_another(names, folder, count)
    if name == "checkpoint":
        return one_after_another([f"{kind} {number}" for number in range(count)], folder, count)
    if name == "one engine":
        seconds, tokens = ended(spawn(f"floor {count}", folder, count, ALONE))
    elif name == "engine per core":
        halves = [count - count // 2, count // 2]
        both = [spawn(f"floor {half}", folder, count, actor_environment("cpu")) for half in halves if half]
        found = [ended(process) for process in both]
        seconds, tokens = max(one[0] or 0.0 for one in found), sum(one[1] for one in found)
    elif name == "ray.data.llm":
        seconds, tokens = ended(spawn(name, folder, count, {}))
    else:
        Storage(folder).delete_folder("evals")
        seconds, tokens = ended(spawn("ours", folder, count, {}))
    assert seconds is not None
    return seconds, tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=int, default=6)
    parser.add_argument("--runs", type=int, default=1, help="of ours and the floors")
    parser.add_argument("--growth", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--contender")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.contender:
        contend(given.contender, given.folder, given.checkpoints)
        return
    console, count, kind = Console(), given.checkpoints, "tuned" if given.tuned else "fresh"
    table = Table("contender", "checkpoints", "seconds", "ours is", "tokens", box=None)
    found: dict[str, float] = {}
    rows: list[tuple[str, int, float, int]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder, max(count, given.growth))
        names = ("ours", "engine per core", "one engine", "checkpoint", "benchmark", "ray.data.llm")
        for name in [name for name in names if not given.only or name in given.only.split(",")]:
            several = given.runs if name in ("ours", "engine per core", "one engine") else 1
            try:
                runs = [measure(name, folder, count, kind) for _ in range(several)]
            except RuntimeError as error:
                console.print(f"{name} did not run: {str(error).splitlines()[-1:]}", highlight=False)
                continue
            found[name] = statistics.median(seconds for seconds, _ in runs)
            shown = 1 if name == "ray.data.llm" else count
            rows.append((name, shown, found[name], runs[0][1]))
        if given.growth:
            for name in ("ours", "engine per core"):
                seconds, tokens = measure(name, folder, given.growth)
                rows.append((name, given.growth, seconds, tokens))
                slope = (seconds - found[name]) / (given.growth - count)
                console.print(f"{name}: {slope:.1f} s for each further checkpoint", highlight=False)
    for name, shown, seconds, tokens in rows:
        ratio = f"{seconds / found['ours']:.2f}x" if shown == count and "ours" in found else ""
        table.add_row(name, str(shown), f"{seconds:.0f}", ratio, f"{tokens:,}")
    console.print(
        f"{os.cpu_count()} cores {platform.machine()}; load {os.getloadavg()[0]:.1f}; "
        f"{len(BENCHMARKS)} benchmarks x {PROBLEMS} problems, {NEW_TOKENS} new tokens"
    )
    console.print(table)
    floor = min((found[name] for name in ("one engine", "engine per core") if name in found), default=None)
    if "ours" in found and floor:
        checks = [("the better floor, at most 1.25x", found["ours"] / floor, found["ours"] / floor <= 1.25)]
        for name, target in (("benchmark", 5.5), ("checkpoint", 2.3)):
            if name in found:
                ratio = found[name] / found["ours"]
                checks.append(
                    (f"faster than a process per {name}, at least {target}x", ratio, ratio >= target)
                )
        for words, ratio, holds in checks:
            console.print(f"{words}: {ratio:.2f}x, {'holds' if holds else 'MISSED'}", highlight=False)


if __name__ == "__main__":
    main()
