"""Memory while millions of answers pass from engines to Parquet, against keeping a pass's answers.

    python bench/stream.py [--answers 2000000] [--characters 1000]

Real Ray Data, actors, parts, Parquet files and back-pressure; the engine alone is replaced by one that
returns ready texts, since what is measured is what holds the answers. Nothing is graded. The memory of the
driver, of the engine's actor and of the one that gathers cells is read every half second (unique set size);
the naive way keeps answers in a list, for a tenth of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from rsft import layout
from rsft.canary import Canary
from rsft.generation import stream
from rsft.generation.requests import CellRequest, EvalTask, sample_seed
from rsft.records import Generation, Problem
from rsft.storage import Storage
from rsft.sweep.cluster import LazyCluster
from rsft.sweep.quiet import set_environment

PROBLEMS, SAMPLES = 1_250, 16
CELL = PROBLEMS * SAMPLES
"""Answers of a cell."""


def texts(characters: int) -> Callable[[int], str]:
    """Different answers of a length, at the price of a copy."""
    pool = "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz     ", k=characters + 100_000))
    return lambda seed: pool[seed % 100_000 :][:characters]


class Ready:
    """In the place of `Engine`: every answer is there at once."""

    restarts = 0

    def __init__(self, characters: int) -> None:
        self._text = texts(characters)

    def load(self, weights: str, canary: Canary) -> None:
        """Nothing to swap."""

    def answer(
        self,
        tasks: Sequence[EvalTask],
        problems: Mapping[str, Sequence[Problem]],
        have: Mapping[str, set[tuple[str, int]]],
    ) -> Iterator[tuple[CellRequest, list[Generation]]]:
        for cell in (cell for task in tasks for cell in task.cells):
            asked = [(p.id, s) for p in problems[cell.folder] for s in range(cell.samples)]
            yield cell, [self._answer(p, s) for p, s in asked if (p, s) not in have[cell.folder]]

    def _answer(self, problem: str, sample: int) -> Generation:
        seed = sample_seed(0, "bench", problem, sample)
        text = self._text(seed)
        return Generation(
            problem=problem,
            sample=sample,
            seed=seed,
            text=text,
            tokens=len(text) // 4,
            prompt_tokens=50,
            finish="stop",
        )


def ready_actor(characters: int) -> type[stream.EngineActor]:
    """`EngineActor` with that engine."""

    class EngineActor(stream.EngineActor):
        def __init__(self, settings: dict[str, Any]) -> None:
            super().__init__(settings | {"endpoint": "http://127.0.0.1:9"})  # asks nothing until it is used
            self._engine = Ready(characters)

    return EngineActor


class Watch:
    """Unique memory of the processes that hold answers, as time goes on."""

    def __init__(self) -> None:
        self.seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """(seconds, MB) by part."""
        self._begun, self._over = time.monotonic(), threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for process in [*psutil.Process().children(recursive=True), psutil.Process()]:
                try:
                    part = self._part(process)
                    if part:
                        used = process.memory_full_info().uss / 1e6
                        self.seen[part].append((time.monotonic() - self._begun, used))
                except psutil.Error:
                    continue

    @staticmethod
    def _part(process: psutil.Process) -> str | None:
        if process.pid == os.getpid():
            return "driver"
        command = " ".join(process.cmdline())
        names = {"EngineActor": "engine's actor", "FinishActor": "gathering actor"}
        return next((part for name, part in names.items() if name in command), None)


def streamed(answers: int, characters: int, folder: str) -> tuple[float, Watch]:
    """Seconds, and what was held."""
    storage, cells = Storage(folder), answers // CELL
    asked = [Problem(id=f"{n:05d}", question="", prompt="", gold="") for n in range(PROBLEMS)]
    storage.write_lines(layout.problems("bench"), [asdict(problem) for problem in asked])
    tasks = [
        EvalTask(
            owner="bench",
            trial_id="bench",
            step=number,
            weights="none",
            canary=Canary(ids=[], logprobs=[]),
            cells=(
                CellRequest(
                    benchmark="bench",
                    key="bench",
                    folder=f"evals/{number}",
                    problems=PROBLEMS,
                    samples=SAMPLES,
                    max_new_tokens=9,
                ),
            ),
            temperature=0.6,
            top_p=0.95,
            seed=0,
        )
        for number in range(cells)
    ]
    stream.EngineActor = ready_actor(characters)  # type: ignore[misc]
    settings = {"storage": storage.root, "cache": folder, "base": "none", "adapters": 1, "tensor_parallel": 1}
    with LazyCluster(lambda cluster: None) as cluster:
        cluster.get()
        watch, begun = Watch(), time.monotonic()
        rows = list(stream.answer_all(tasks, settings, lambda: lambda row: row, device="cpu", engines=1))
        seconds = time.monotonic() - begun
        watch.stop()
    assert len(rows) == cells and not any(row["error"] for row in rows), rows[:1]
    there = sum(
        storage.read_table(layout.generations(f"evals/{n}"), columns=[]).num_rows for n in range(cells)
    )
    assert there == cells * CELL, there
    return seconds, watch


def kept(answers: int, characters: int) -> float:
    """MB that this many answers take in a list."""
    engine, before = Ready(characters), psutil.Process().memory_full_info().uss
    held = [engine._answer(f"{n // SAMPLES:05d}", n % SAMPLES) for n in range(answers)]
    taken = (psutil.Process().memory_full_info().uss - before) / 1e6
    assert len(held) == answers
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=2_000_000)
    parser.add_argument("--characters", type=int, default=1_000)
    given = parser.parse_args()
    console = Console()
    set_environment()
    naive = kept(given.answers // 10, given.characters) * 10
    with tempfile.TemporaryDirectory() as folder:
        seconds, watch = streamed(given.answers, given.characters, folder)
    console.print(
        f"{os.cpu_count()} cores {platform.machine()}; {given.answers:,} answers of {given.characters:,} "
        f"characters, {CELL:,} a cell, parts of {stream.PART_ANSWERS:,}; {seconds:.0f} s"
    )
    quarters = ("first quarter", "second", "third", "last")
    table = Table("peak MB of", *quarters, box=None)
    for part, seen in watch.seen.items():
        peaks = [
            max((used for at, used in seen if n <= 4 * at / seconds < n + 1), default=float("nan"))
            for n in range(4)
        ]
        table.add_row(part, *(f"{peak:,.0f}" for peak in peaks))
    table.add_row("naive: a list", *(f"{naive * share:,.0f}" for share in (0.25, 0.5, 0.75, 1.0)))
    console.print(table)


if __name__ == "__main__":
    main()
