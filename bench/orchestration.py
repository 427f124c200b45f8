"""Seconds around the training itself: from a trial's start to its first step, from its last step to its end.

    python bench/orchestration.py [--trials 3]

Runs tiny trials one after the other through Ray Tune, Ray Train and DeepSpeed on this machine, two workers
each, and looks at their step logs from outside.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rsft.spec import DataSpec, EvalSpec, GeneratedRows, ModelSpec, SweepSpec, TrainSpec
from rsft.storage import Storage
from rsft.sweep.quiet import set_environment

STEPS = 4


def sweep(trials: int) -> SweepSpec:
    rows = GeneratedRows(task="countdown", style="long-cot")
    return SweepSpec(
        name="orchestration",
        models=(ModelSpec(source="nano-1m"),),
        data=(DataSpec(name="cot", source=rows, rows=64),),
        lengths_steps=(STEPS,),
        seeds=tuple(range(trials)),
        train=TrainSpec(
            batch_sequences=8,
            max_tokens=512,
            micro_batch_tokens=2_048,
            precision="fp32",
            device="cpu",
            workers=2,
            zero_stage=1,
        ),
        evaluation=EvalSpec(benchmarks=("countdown",), checkpoint_steps=(STEPS,)),
    )


class Watch(threading.Thread):
    """Notes when each trial's log gets its first and its last line, and when its driver is done."""

    def __init__(self, root: Path, trials: list[str]) -> None:
        super().__init__(daemon=True)
        self.root, self.trials = root, trials
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.landed: dict[str, float] = {}
        self.over = False

    def run(self) -> None:
        while not self.over:
            for trial in self.trials:
                folder = self.root / "trials" / trial
                log = folder / "train.jsonl"
                lines = log.read_bytes().count(b"\n") if log.exists() else 0
                if lines:
                    self.first.setdefault(trial, time.time())
                if lines == STEPS:
                    self.last.setdefault(trial, time.time())
                if any(folder.glob("checkpoints/*/checkpoint.json")):
                    self.landed.setdefault(trial, time.time())
            time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=3)
    given = parser.parse_args()
    set_environment()
    from rsft.sweep.cluster import LazyCluster
    from rsft.sweep.plan import make_plan
    from rsft.sweep.run import claim_storage, prepare_trials
    from rsft.sweep.start import real_engines
    from rsft.sweep.tuner import train_all

    page = sweep(given.trials)
    console = Console()
    with tempfile.TemporaryDirectory() as folder, LazyCluster(lambda cluster: None) as cluster:
        storage = Storage(folder)
        claim_storage(page, storage)
        plan = make_plan(page, storage)
        with real_engines("cpu", 1, None, console) as engines:
            jobs = prepare_trials(plan, engines, lambda line: None)
        watch = Watch(Path(folder), [trial.id for trial in plan.trials])
        watch.start()
        started = time.time()
        cluster.get()
        ready = time.time()
        failed = train_all(jobs, concurrent=1, attempt="bench", slots=1)
        ended = time.time()
        watch.over = True
    assert not failed, failed
    table = Table("trial", "start to first step", "steps", "last step to checkpoint", box=None)
    around: list[float] = []
    began = ready
    for number, trial in enumerate(sorted(watch.first, key=lambda name: watch.first[name])):
        first, last, landed = watch.first[trial], watch.last[trial], watch.landed[trial]
        seconds = (first - began, last - first, landed - last)
        table.add_row(str(number + 1), *(f"{part:.1f} s" for part in seconds))
        around.append(first - began + landed - last)
        began = landed
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, {given.trials} trials of {STEPS} steps")
    console.print(table)
    console.print(
        f"from the last checkpoint to the end of Tune: {ended - began:.1f} s; Ray: {ready - started:.1f} s"
    )
    console.print(
        f"around a single trial: {around[0] + ended - began:.1f} s (target 20 s); "
        f"around each further one: {statistics.median(around[1:]):.1f} s"
    )


if __name__ == "__main__":
    main()
