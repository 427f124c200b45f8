"""Ten thousand trials: seconds and memory of `rsft status`, `rsft plan` and `rsft report`.

    python bench/report.py [--trials 200 | --full] [--root FOLDER] [--naive]

Writes a finished sweep through the real layout, with answers made up from curves that dip, gain, decline or
stay, and times each command in a process of its own, the files in the page cache: `status` and `plan` as
medians of three runs, `report` once. Memory is the most that the command and its children held together, as
the sum of their resident sets. `--full` is 10,000 trials, 100,000 evaluated cells beside those of the bases,
and 2 million scored answers; it writes 280,000 files (2 GB on a file system of 4 KB blocks) and takes minutes
to write them.

The naive way, with `--naive`: one file after the other, every answer an object, every trajectory by itself,
on 1 % of the trials and scaled up.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from rsft import layout, provenance
from rsft.analysis.means import ProblemMeans
from rsft.analysis.trajectory import curve_of, trajectory
from rsft.benchmarks.source import problems
from rsft.data.contamination import FLAGS
from rsft.errors import DataError
from rsft.records import Generation, Outcome, Score
from rsft.scoring.estimators import estimates
from rsft.spec import (
    BenchmarkUse,
    Claim,
    DataSpec,
    EvalSpec,
    GeneratedRows,
    LogSpaced,
    ModelSpec,
    Pick,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
)
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.overlap import questions_key
from rsft.sweep.plan import Cell, Plan, make_plan
from rsft.sweep.samples import browsed_trials

AXES = {100: (2, 5, 5, 2), 200: (2, 5, 5, 4), 1_000: (2, 10, 10, 5), 10_000: (5, 20, 10, 10)}
"""Trials -> bases, data variants, lengths and seeds."""
LENGTHS = (16, 24, 32, 48, 64, 80, 96, 112, 128, 160)
PROBLEMS, SAMPLES, STEPS = 10, 2, 5
BENCHMARKS = ("countdown", "gcd")
SHAPES = (
    (0.0, 0.0, 0.0, 0.0, 0.0),
    (-2.5, -3.0, -1.5, 0.5, 1.0),
    (-1.0, -1.5, -2.5, -3.0, -3.0),
    (0.5, 1.0, 1.5, 2.5, 3.0),
)
"""What the evaluated steps add to the base's score, in logits."""


def sweep(trials: int) -> SweepSpec:
    models, data, lengths, seeds = AXES[trials]
    claims = [
        Claim(
            name=f"dip-{model}",
            says=f"Out of domain {model} dips and recovers on every data set.",
            trials=Pick(model=model),
            dimension="out-of-domain",
            expects="dip and recovery",
        )
        for model in ("nano-1m", "nano-3m")
    ]
    claims.append(
        Claim(
            name="gain",
            says="Long training scores higher in domain than short training.",
            trials=Pick(steps=LENGTHS[lengths - 1]),
            dimension="in-domain",
            against=Pick(steps=LENGTHS[0]),
            expects="higher",
        )
    )
    return SweepSpec(
        name="scale",
        models=[
            ModelSpec(source=source, revision=None if source.startswith("nano") else "1", parameters=size)
            for source, size in (
                *(("nano-1m", None), ("nano-3m", None)),
                *((f"made-up/base-{size}b", size * 10**9) for size in (1, 4, 8)),
            )
        ][:models],
        data=[
            DataSpec(
                name=f"variant-{number:02d}",
                source=GeneratedRows(task="countdown", style="long-cot", seed=number),
                rows=1_024,
            )
            for number in range(data)
        ],
        lengths_steps=LENGTHS[:lengths],
        seeds=tuple(range(seeds)),
        train=TrainSpec(batch_sequences=16, max_tokens=512, micro_batch_tokens=4_096, device="cpu"),
        evaluation=EvalSpec(
            benchmarks=[BenchmarkUse(name=name, problems=PROBLEMS) for name in BENCHMARKS],
            sampling=SamplingSpec(samples=SAMPLES, max_new_tokens=256),
            checkpoint_steps=LogSpaced(count=STEPS, first=2),
        ),
        claims=claims,
    )


def write_storage(trials: int, storage: Storage) -> int:
    """Everything a finished sweep leaves but weights, and answers of trials that the sample browser leaves
    out; returns the number of scored answers."""
    page = sweep(trials)
    storage.write_json(
        layout.SWEEP, {"spec": page.model_dump(mode="json"), "provenance": provenance.record()}
    )
    plan = make_plan(page, storage)
    for question in plan.questions:
        rows = [asdict(problem) for problem in problems(question.card, question.problems)]
        storage.write_lines(layout.problems(question.key), rows)
    for trial in plan.trials:
        name = _prepared(trial)
        if not storage.exists(layout.certificate(name, "json")):
            summary = [["Rows", "1,024"], ["Target tokens", "181,120"]]
            storage.write_json(
                layout.certificate(name, "json"), {"name": name, "summary": summary, "sample": []}
            )
            flag = ("row 7", BENCHMARKS[0], "3", "exact", 1.0, True)
            flags = [dict(zip(FLAGS.names, flag, strict=True))] if trial.data.name == "variant-00" else []
            storage.write_table(
                layout.overlap(name, questions_key(plan)), pa.Table.from_pylist(flags, schema=FLAGS)
            )
    bases = {trial.model.label: trial for trial in plan.trials}
    answers = 0
    for trial in bases.values():
        answers += sum(_write_cell(plan, trial, cell, True) for cell in plan.cells(trial) if cell.step == 0)
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores) as pool:
        parts = [pool.submit(_write_trials, trials, storage.root, i, cores) for i in range(cores)]
        return answers + sum(part.result() for part in parts)


def _prepared(trial: Trial) -> str:
    return f"{trial.data.name}-{trial.model.label.replace('/', '-')}"


def _write_trials(trials: int, root: str, first: int, stride: int) -> int:
    storage = Storage(root)
    plan, answers = make_plan(sweep(trials), storage), 0
    browsed = {trial.id for trial in browsed_trials(plan)}
    for trial in plan.trials[first::stride]:
        record = trial.model_dump(mode="json") | {"prepared": _prepared(trial)}
        storage.write_json(layout.trial_record(trial.id), record)
        steps = np.arange(1, trial.steps + 1)
        losses = 0.5 + 2 * np.exp(-steps / 20)
        rows = [
            {"step": int(step), "loss": round(float(loss), 4), "lr": 1e-3, "grad_norm": 1.0}
            | {"tokens": 4_000, "target_tokens": 3_000, "data": "0123abcd", "seconds": 0.5}
            for step, loss in zip(steps, losses, strict=True)
        ]
        storage.write_lines(layout.train_log(layout.trial(trial.id)), rows)
        for step in trial.checkpoint_steps:
            marker = {
                "trial_id": trial.id,
                "step": step,
                "path": layout.checkpoint(trial.owner(step), step),
                "target_tokens": 3_000 * step,
                "canary": {"ids": [1, 2], "logprobs": [-1.0]},
            }
            storage.write_json(layout.checkpoint_marker(trial.owner(step), step), marker)
        texts = trial.id in browsed
        answers += sum(_write_cell(plan, trial, cell, texts) for cell in plan.cells(trial) if cell.step)
    return answers


def _write_cell(plan: Plan, trial: Trial, cell: Cell, texts: bool) -> int:
    """Scores and marker of a cell, as `rsft.sweep.grading` writes them; its answers as well with `texts`."""
    name = cell.question.card.name
    # A trial's curves have a shape by its data; problems differ in difficulty, the same for all trials.
    hard = np.random.default_rng(BENCHMARKS.index(name)).normal(0, 1.5, PROBLEMS)
    seed = [trial.seed, trial.steps, *map(ord, cell.folder[-40:])]
    chance = np.random.default_rng(seed)
    shape = SHAPES[int(trial.data.name.rpartition("-")[2]) % len(SHAPES)]
    at = 0.0 if cell.step == 0 else shape[trial.checkpoint_steps.index(cell.step)]
    right = chance.random((PROBLEMS, SAMPLES)) < 1 / (1 + np.exp(-(at + hard)))[:, None]
    tokens = chance.integers(20, 256, (PROBLEMS, SAMPLES))
    scores = [
        Score(
            problem=str(problem),
            sample=sample,
            outcome=_outcome(bool(right[problem, sample]), int(tokens[problem, sample])),
            answer="42",
            where="last boxed",
            raw=float(right[problem, sample]),
            truncated=bool(tokens[problem, sample] > 250),
            tokens=int(tokens[problem, sample]),
        )
        for problem in range(PROBLEMS)
        for sample in range(SAMPLES)
    ]
    storage, folder = plan.storage, cell.folder
    storage.write_table(layout.scores(folder), pa.Table.from_pylist([asdict(score) for score in scores]))
    if texts:
        generations = [
            Generation(
                problem=score.problem,
                sample=score.sample,
                seed=0,
                text=f"<think>{'so it is even. ' * 20}</think> \\boxed{{{score.answer}}}",
                tokens=score.tokens,
                prompt_tokens=40,
                finish="length" if score.truncated else "stop",
            )
            for score in scores
        ]
        table = pa.Table.from_pylist([asdict(generation) for generation in generations])
        storage.write_table(layout.generations(folder), table)
    marker = {
        "owner": cell.owner,
        "trial_id": trial.id,
        "step": cell.step,
        "benchmark": name,
        "key": cell.question.key,
        "problems": PROBLEMS,
        "samples": SAMPLES,
        "error": "",
        "restarts": 0,
        "folder": folder,
        "errors": 0,
        "answers": len(scores),
        "first_error": "",
        "judged_by": "",
        "response_tokens": int(tokens.sum()),
        "estimates": [asdict(estimate) for estimate in estimates(scores)],
        "graded_at": provenance.now(),
    }
    storage.write_json(layout.cell_marker(folder), marker)
    return len(scores)


def _outcome(right: bool, tokens: int) -> Outcome:
    return "correct" if right else "truncated" if tokens > 250 else "wrong"


def measure(*arguments: str) -> tuple[float, float]:
    """Wall seconds of an `rsft` command and the most memory it held with its children, in GB."""
    start, most = time.perf_counter(), 0
    command = [sys.executable, "-m", "rsft.cli", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, _resident(process.pid))
            time.sleep(0.05)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"rsft {' '.join(arguments)} ended with {process.returncode}")
    return seconds, most / 1e9


def _resident(pid: int) -> int:
    """Bytes in memory of a process and its children; 0 when it has just ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident(int(child)) for child in children)


def naive(plan: Plan, share: int = 100) -> dict[str, float]:
    """Seconds of the plain way, on one trial in `share`, scaled up."""
    some = plan.trials[::share]
    start = time.perf_counter()
    for trial in some:
        plan.trial_state(trial)
        for cell in plan.cells(trial):
            plan.cell_state(cell)
    states = time.perf_counter() - start
    start = time.perf_counter()
    for trial in some:
        curves: dict[str, dict[int, list[Score]]] = {}
        for cell in plan.cells(trial):
            if plan.cell_state(cell) == "done":
                rows: list[dict[str, Any]] = plan.storage.read_table(layout.scores(cell.folder)).to_pylist()
                curves.setdefault(cell.question.card.name, {})[cell.step] = [Score(**row) for row in rows]
        for steps in curves.values():
            try:
                trajectory(curve_of({step: _means(scores) for step, scores in steps.items()}))
            except DataError:
                continue
    times = len(plan.trials) / len(some)
    return {"states": states * times, "trajectories": (time.perf_counter() - start) * times}


def _means(scores: list[Score]) -> ProblemMeans:
    by_problem: dict[str, list[Score]] = {}
    for score in scores:
        by_problem.setdefault(score.problem, []).append(score)
    names = sorted(by_problem)
    return ProblemMeans(
        problems=np.array(names, dtype=object),
        scores=np.array([np.mean([one.outcome == "correct" for one in by_problem[name]]) for name in names]),
        tokens=np.array([np.mean([one.tokens for one in by_problem[name]]) for name in names]),
        samples=np.array([len(by_problem[name]) for name in names]),
    )


def into_cache(folder: str) -> None:
    """Reads every file once, so that what is timed is the command and not the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            Path(place, name).read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, choices=sorted(AXES), default=200)
    parser.add_argument("--full", action="store_true", help="10,000 trials")
    parser.add_argument("--root", help="keep the storage here, and use the one that is there")
    parser.add_argument("--naive", action="store_true", help="time the naive way too")
    options = parser.parse_args()
    trials = 10_000 if options.full else options.trials
    root = options.root or tempfile.mkdtemp(prefix="rsft-scale-")
    storage, console = Storage(f"{root}/scale"), Console()
    finished = f"{root}/{trials}.written"
    try:
        if not os.path.exists(finished):
            start = time.perf_counter()
            answers = write_storage(trials, storage)
            Path(finished).write_text(str(answers))
            console.print(f"written in {time.perf_counter() - start:.0f} s", highlight=False)
        page = Path(root) / "page.py"
        page.write_text(
            f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            f"from report import sweep\nSWEEP = sweep({trials})\n"
        )
        table = Table("command", "seconds", "peak GB", "naive seconds", box=None)
        plan = make_plan(sweep(trials), storage)
        plain = naive(plan) if options.naive else {}
        cells = sum(1 for trial in plan.trials for cell in plan.cells(trial) if cell.step)
        for command, name in (
            (("status", storage.root, "--json"), "states"),
            (("plan", str(page), "--json", "--storage", storage.root), "states"),
            (("report", storage.root), "trajectories"),
        ):
            into_cache(storage.root)
            runs = [measure(*command) for _ in range(1 if command[0] == "report" else 3)]
            seconds, memory = (statistics.median(each) for each in zip(*runs, strict=True))
            beside = f"{plain[name]:.0f} ({name} alone)" if plain else ""
            table.add_row(f"rsft {command[0]}", f"{seconds:.1f}", f"{memory:.2f}", beside)
        index = Path(storage.path(f"{layout.REPORT}/index.html"))
        console.print(
            f"{trials:,} trials, {cells:,} evaluated cells, {int(Path(finished).read_text()):,} answers; "
            f"{len(os.sched_getaffinity(0))} cores, {platform.processor() or platform.machine()}",
            highlight=False,
        )
        console.print(table)
        console.print(f"the page has {index.stat().st_size / 1e6:.2f} MB", highlight=False)
    finally:
        if not options.root:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
