"""Training speed: the trainer's own step against TRL, against padding to the maximum, against bare torch.

    python bench/train.py [--rows 1000] [--batch 16] [--max-tokens 1024] [--steps 6] [--runs 3] [--compile]

Everybody trains the shipped nano-3m in fp32 with AdamW on the same MATH rows (the first `--rows` that fit
`--max-tokens`, in a fixed random order), `--batch` rows per optimizer step, two threads in all. A contender
is a fresh process, or two workers; its first step counts as start-up, and the seconds of a later step are the
median over runs. Runs take turns; slow lines run once, for half the steps.

TRL is measured in its correct settings, with completion-only loss, without gradient checkpointing and bf16.
Its packing takes one block per forward pass, as many per step as hold `--batch` rows; its grouping by length
is no random batch and stands aside. `--compile` adds its packing under torch.compile: minutes of start-up.
Padding to the maximum is the study's way: 4 rows per pass, activations computed again in the backward pass.

Correct is whose mean loss over the first batch, before any update, is everybody's: a contender whose
documents see one another fails. `make bench` installs TRL.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

THREADS = 2
LEARNING_RATE = 1e-4
CLIP_NORM = 1.0
BETAS = (0.9, 0.999)
TOLERANCE = 1e-4
"""Nats per target token by which contenders may differ before any update."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One line of the table."""

    label: str
    role: Literal["ours", "trl", "padded", "bare", "aside"]
    """What the line decides; `aside` is shown alone."""
    workers: int = 1
    pass_rows: int = 0
    """TRL: rows (or packed blocks) of one forward pass; 0 means the whole batch."""
    to_maximum: bool = False
    packing: bool = False
    grouped: bool = False
    compiled: bool = False
    checkpointing: bool = False
    """Activations are computed again in the backward pass."""
    once: bool = False
    """Slow, so in one run of half the steps."""


CONTENDERS = {
    "trl-rows": Contender("trl, a row per pass", "trl", pass_rows=1),
    "bare": Contender("bare torch loop", "bare"),
    "ours": Contender("ours, 1 worker x 2 threads", "ours"),
    "ours-2": Contender("ours, 2 workers x 1 thread", "ours", workers=2),
    "trl-packed": Contender("trl, packed", "trl", pass_rows=1, packing=True),
    "trl-compiled": Contender(
        "trl, packed, compiled", "trl", pass_rows=1, packing=True, compiled=True, once=True
    ),
    "trl-longest": Contender("trl, padded to the longest", "trl", once=True),
    "trl-grouped": Contender("trl, grouped by length (no random batch)", "aside", grouped=True, once=True),
    "trl-maximum": Contender(
        "trl as the study: padded to the maximum",
        "padded",
        pass_rows=4,
        to_maximum=True,
        checkpointing=True,
        once=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A tokenised row: a prompt and what is trained on."""

    ids: list[int]
    prompt: int
    """Tokens of it that are not trained on."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a contender is given."""

    base: str
    rows: list[Row]
    batch: int
    max_tokens: int
    steps: int
    """Timed ones; one more comes first."""
    rank: int
    born: float
    """When its process was started."""

    def step_rows(self, step: int) -> list[Row]:
        return self.rows[step * self.batch : (step + 1) * self.batch]


class Meter:
    """Seconds, tokens and positions of every step; positions are counted where they enter the model."""

    def __init__(self, task: Task, model: Any) -> None:
        self.facts: dict[str, Any] = {"ready": time.time() - task.born, "steps": []}
        self.tokens = 0
        """Of this step so far, padding not counted."""
        self._positions = 0
        self.start()
        model.get_input_embeddings().register_forward_pre_hook(self._count)

    def _count(self, _module: Any, inputs: tuple[Any, ...]) -> None:
        self._positions += inputs[0].numel()

    def start(self) -> None:
        """Begins a step."""
        self.tokens = self._positions = 0
        self._since = time.perf_counter()

    def lap(self) -> None:
        """Ends a step and begins the next."""
        self.facts["steps"].append([time.perf_counter() - self._since, self.tokens, self._positions])
        self.start()


def bare(contender: Contender, task: Task) -> dict[str, Any]:
    """Plain torch: documents side by side in one row, attention per document, logits at targets only."""
    import torch
    from torch.nn.functional import cross_entropy, scaled_dot_product_attention
    from transformers import AttentionInterface, AutoModelForCausalLM

    lengths: list[int] = []

    def attend(
        module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float, **_: Any
    ) -> tuple[Any, None]:
        parts = zip(*(t.split(lengths, dim=2) for t in (query, key, value)), strict=True)
        found = [
            scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=True)
            for q, k, v in parts
        ]
        return torch.cat(found, dim=2).transpose(1, 2), None

    AttentionInterface.register("per_document", attend)
    model = AutoModelForCausalLM.from_pretrained(
        task.base, dtype=torch.float32, attn_implementation="per_document"
    )
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, weight_decay=0.0, fused=True
    )

    def mean_loss(batch: list[Row], blocks: list[int]) -> Any:
        lengths[:] = blocks
        ids = torch.tensor([token for row in batch for token in row.ids])
        positions = torch.cat([torch.arange(len(row.ids)) for row in batch])
        targets = torch.cat([torch.arange(len(row.ids)) >= row.prompt for row in batch]).nonzero().squeeze(1)
        body = model.model(input_ids=ids[None], position_ids=positions[None], use_cache=False)
        return cross_entropy(model.lm_head(body.last_hidden_state[0, targets - 1]), ids[targets])

    def step(batch: list[Row]) -> float:
        loss = mean_loss(batch, [len(row.ids) for row in batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    first = task.step_rows(0)
    meter = Meter(task, model)
    with torch.no_grad():  # what a mask that lets documents see one another would give
        meter.facts["mixed"] = float(mean_loss(first, [sum(len(row.ids) for row in first)]))
    meter.start()
    for number in range(task.steps + 1):
        batch = task.step_rows(number)
        loss = step(batch)
        meter.tokens = sum(len(row.ids) for row in batch)
        meter.lap()
        meter.facts.setdefault("loss", loss)
    return meter.facts


def ours(contender: Contender, task: Task) -> dict[str, Any]:
    """The trainer's own engine and step with gloo workers; Ray Train, which starts them, is left out."""
    from rsft.training.settings import without_unused

    with without_unused("cpu"):  # as in the trainer's own workers
        from rsft.training.engine import Job, build
        from rsft.training.step import optimizer_step
    import torch
    import torch.distributed as dist

    from rsft.data.template import Tokens
    from rsft.spec import DataSpec, ModelSpec, TrainSpec
    from rsft.spec.data import PackagedRows
    from rsft.spec.trial import Length, Trial
    from rsft.storage import Storage

    world = contender.workers
    dist.init_process_group("gloo", rank=task.rank, world_size=world)
    torch.set_num_threads(THREADS // world)
    train = TrainSpec(
        learning_rate=LEARNING_RATE,
        schedule="constant",
        warmup_steps=0,
        batch_sequences=task.batch,
        max_tokens=task.max_tokens,
        micro_batch_tokens=task.max_tokens * 3 // 2 if world == 1 else task.max_tokens,
        betas=BETAS,
        clip_norm=CLIP_NORM,
        weight_decay=0.0,
        precision="fp32",
        device="cpu",
        workers=world,
        zero_stage=0 if world == 1 else 1,
    )
    trial = Trial(
        id="bench",
        model=ModelSpec(source=task.base),
        data=DataSpec(name="math-human", source=PackagedRows(name="math-human"), rows=len(task.rows)),
        length=Length(unit="steps", amount=task.steps + 1),
        steps=task.steps + 1,
        seed=0,
        train=train,
        recipe="default",
        base_identity="bench",
        checkpoint_steps=(task.steps + 1,),
    )
    engine = build(Job(trial, Storage(task.base), "rows", task.base))
    rows = [Tokens.of("row", row.ids[: row.prompt], row.ids[row.prompt :]) for row in task.rows]
    meter = Meter(task, engine.model)
    for number in range(task.steps + 1):
        batch = rows[number * task.batch : (number + 1) * task.batch]
        done = optimizer_step(engine, batch, number, trial, task.rank, world, pad=0)
        meter.tokens = sum(len(tokens) for tokens in batch)
        meter.lap()
        meter.facts.setdefault("loss", done.sums.loss)
    dist.destroy_process_group()
    return meter.facts


def trl(contender: Contender, task: Task) -> dict[str, Any]:
    """SFTTrainer in one of its settings."""
    import datasets
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from transformers.trainer_pt_utils import get_length_grouped_indices
    from trl import SFTConfig, SFTTrainer

    datasets.disable_progress_bars()

    class Counted(SFTTrainer):
        def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            mask = inputs.get("attention_mask")  # not there when nothing is padded
            meter.tokens += inputs["input_ids"].numel() if mask is None else int(mask.sum())
            return super().compute_loss(model, inputs, *args, **kwargs)

    class Laps(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            meter.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            meter.lap()

    def table(rows: list[Row]) -> datasets.Dataset:
        return datasets.Dataset.from_dict(
            {
                "input_ids": [row.ids for row in rows],
                "completion_mask": [[int(i >= row.prompt) for i in range(len(row.ids))] for row in rows],
            }
        )

    rows, at_once = task.rows, contender.pass_rows or task.batch
    if contender.grouped:  # whole batches of its sampler, evenly from its epoch
        torch.manual_seed(0)
        order = get_length_grouped_indices([len(row.ids) for row in rows], task.batch)
        middles = [
            (2 * step + 1) * (len(rows) // task.batch) // (2 * task.steps) for step in range(task.steps)
        ]
        rows = [rows[i] for at in (0, *middles) for i in order[at * task.batch : (at + 1) * task.batch]]
    passes = task.batch / at_once
    if contender.packing:
        passes = sum(len(row.ids) for row in rows) * task.batch / (len(rows) * task.max_tokens)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Counted(
            model=AutoModelForCausalLM.from_pretrained(
                task.base, dtype=torch.float32, attn_implementation="sdpa"
            ),
            args=SFTConfig(
                output_dir=folder,
                max_length=task.max_tokens,
                completion_only_loss=True,
                packing=contender.packing,
                train_sampling_strategy="random" if contender.packing else "sequential",
                pad_to_multiple_of=task.max_tokens if contender.to_maximum else None,
                per_device_train_batch_size=at_once,
                per_device_eval_batch_size=at_once,
                gradient_accumulation_steps=round(passes),
                max_steps=task.steps + 1,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="constant",
                gradient_checkpointing=contender.checkpointing,
                bf16=False,
                use_cpu=True,
                torch_compile=contender.compiled,
                logging_strategy="no",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=table(rows),
            eval_dataset=table(task.step_rows(0)),
            processing_class=AutoTokenizer.from_pretrained(task.base),
            callbacks=[Laps()],
        )
        meter = Meter(task, trainer.model)
        before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        trainer.train()
        trainer.model.load_state_dict(before)
        sums = [
            float(trainer.compute_loss(trainer.model_wrapped, inputs, num_items_in_batch=torch.tensor(1)))
            for inputs in trainer.get_eval_dataloader()
        ]
    return meter.facts | {"loss": sum(sums) / sum(len(row.ids) - row.prompt for row in task.step_rows(0))}


def peak_mb() -> float:
    """Of this process; `ru_maxrss` would have its parent's from before exec."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def contend(key: str, file: Path, rank: int, born: float) -> None:
    """A process of a contender; prints one line of JSON."""
    given = json.loads(file.read_text(encoding="utf-8"))
    rows = [Row(**row) for row in given.pop("rows")]
    contender = CONTENDERS[key]
    if contender.once:
        given["steps"] = max(given["steps"] // 2, 1)
    run = {"bare": bare, "ours": ours}.get(key.partition("-")[0], trl)
    facts = run(contender, Task(rows=rows, rank=rank, born=born, **given))
    print(json.dumps(facts | {"peak_mb": peak_mb()}))


def measured(key: str, file: Path) -> dict[str, Any]:
    """One run of a contender: the first worker's facts, with the positions and peaks of all."""
    from rsft.training.settings import worker_environment

    world = CONTENDERS[key].workers
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "--contender", key, "--file", str(file)]
    shared = os.environ | worker_environment("cpu") | {"OMP_NUM_THREADS": str(THREADS // world)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    processes = [
        subprocess.Popen(
            [*command, "--rank", str(rank), "--born", str(time.time())],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_SIZE": str(world)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    outputs = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        if process.returncode:
            sys.exit(f"{key}: {errors[-3000:]}")
    facts, *others = [json.loads(out.splitlines()[-1]) for out, _ in outputs]
    for other in others:
        facts["peak_mb"] += other["peak_mb"]
        for step, (_, _, positions) in zip(facts["steps"], other["steps"], strict=True):
            step[2] += positions
    return dict(facts)


@dataclass(frozen=True, slots=True)
class Line:
    """Medians over the runs of a contender."""

    contender: Contender
    runs: int
    rate: float
    """Tokens per second after the first step, padding not counted."""
    padding: float
    start_seconds: float
    peak_mb: float
    loss: float
    """Nats per target token of the first batch, before any update."""

    @classmethod
    def of(cls, contender: Contender, runs: list[dict[str, Any]]) -> Line:
        timed = [run["steps"][1:] for run in runs]
        # A step has the same rows in every run, so its seconds are a median over runs.
        seconds, tokens, positions = (
            sum(statistics.median(step[part] for step in same) for same in zip(*timed, strict=True))
            for part in range(3)
        )
        return cls(
            contender,
            len(runs),
            rate=tokens / seconds,
            padding=1 - tokens / positions,
            start_seconds=statistics.median(run["ready"] + run["steps"][0][0] for run in runs),
            peak_mb=statistics.median(run["peak_mb"] for run in runs),
            loss=runs[0]["loss"],
        )


def write_task(file: Path, rows: int, batch: int, max_tokens: int, steps: int) -> str:
    """Tokenises once for everybody; returns what the rows are, in words."""
    from rsft.bases import SHIPPED
    from rsft.data.batches import epoch_order
    from rsft.data.rows import Tally
    from rsft.data.source import rows as source_rows
    from rsft.data.template import load_tokenizer, render
    from rsft.spec import ModelSpec, variant

    base = str(SHIPPED / "nano-3m")
    tokenizer = load_tokenizer(base, ModelSpec(source=base))
    rendered = render(tokenizer, list(source_rows(variant("math-human"), Tally())))
    fitting = [tokens for (tokens,) in rendered if len(tokens) <= max_tokens][:rows]
    order = epoch_order(0, len(fitting), seed=0)
    chosen = [Row(fitting[i].ids.tolist(), fitting[i].spans[0][0]) for i in order]
    task = {"base": base, "batch": batch, "max_tokens": max_tokens, "steps": steps}
    file.write_text(json.dumps(task | {"rows": [asdict(row) for row in chosen]}), encoding="utf-8")
    mean = sum(len(row.ids) for row in chosen) / len(chosen)
    return f"{len(chosen):,} MATH rows of {mean:.0f} tokens on average"


def check(lines: list[Line], mixed: float) -> str:
    """Asserts that everybody computes the same loss, and that mixed documents would not."""
    losses = [line.loss for line in lines]
    apart = max(losses) - min(losses)
    assert apart <= TOLERANCE, {line.contender.label: line.loss for line in lines}
    assert abs(mixed - losses[0]) > 10 * TOLERANCE, f"mixing documents does not show: {mixed}"
    return (
        f"Loss of the first batch before any update: {losses[0]:.5f} nats per target token, contenders at "
        f"most {apart:.1e} apart; {mixed:.5f} if documents saw one another."
    )


def targets(mine: Line, lines: list[Line]) -> str:
    """The targets, and whether one of our lines reaches them."""
    best = {
        role: max((line for line in lines if line.contender.role == role), key=lambda line: line.rate)
        for role in ("trl", "padded", "bare")
    }
    facts = [
        (f"{mine.rate / best[role].rate:.2f}x {best[role].contender.label} (target {wanted}x)", holds)
        for role, wanted in (("trl", 1.35), ("padded", 5.5), ("bare", 0.92))
        for holds in (mine.rate >= wanted * best[role].rate,)
    ]
    peak, most = mine.peak_mb, best["trl"].peak_mb
    facts.append((f"peak {peak:,.0f} MB (target: at most {most:,.0f})", peak <= most))
    told = "; ".join(f"{fact}: {'holds' if holds else 'MISSED'}" for fact, holds in facts)
    return f"{mine.contender.label}: {told}."


def shown(lines: list[Line]) -> Table:
    ours_rate = max(line.rate for line in lines if line.contender.role == "ours")
    columns = (
        "contender",
        "runs",
        "tokens/s",
        "ours is",
        "padding",
        "peak MB",
        "start-up s",
        "loss",
    )
    table = Table(*columns, box=None)
    for line in sorted(lines, key=lambda line: -line.rate):
        table.add_row(
            line.contender.label,
            str(line.runs),
            f"{line.rate:,.0f}",
            f"{ours_rate / line.rate:.2f}x",
            f"{line.padding:.0%}",
            f"{line.peak_mb:,.0f}",
            f"{line.start_seconds:.1f}",
            f"{line.loss:.5f}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=1_024)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--contender", choices=CONTENDERS)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--born", type=float)
    given = parser.parse_args()
    if given.contender:
        contend(given.contender, given.file, given.rank, given.born)
        return
    console, loads = Console(), [os.getloadavg()[0]]
    keys = [key for key, contender in CONTENDERS.items() if given.compile or not contender.compiled]
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "task.json"
        rows = write_task(file, given.rows, given.batch, given.max_tokens, given.steps)
        for run in range(given.runs):
            for key in keys:
                if run == 0 or not CONTENDERS[key].once:
                    with console.status(f"run {run + 1} of {given.runs}: {CONTENDERS[key].label}"):
                        found[key].append(measured(key, file))
    loads.append(os.getloadavg()[0])
    lines = [Line.of(CONTENDERS[key], runs) for key, runs in found.items()]
    console.print(
        f"{os.cpu_count()} cores {platform.machine()}, {THREADS} threads, torch {version('torch')}, trl "
        f"{version('trl')}; load {loads[0]:.1f} before, {loads[1]:.1f} after; {rows}, {given.batch} a step, "
        f"{given.steps} steps, medians over runs"
    )
    console.print(shown(lines))
    console.print(check(lines, found["bare"][0]["mixed"]))
    for line in lines:
        if line.contender.role == "ours":
            console.print(targets(line, lines))


if __name__ == "__main__":
    main()
