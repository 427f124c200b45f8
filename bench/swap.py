"""The next checkpoint: weights swapped into a warm engine (proof included), against a new engine."""

from __future__ import annotations

import os
import statistics
import time

from rsft.generation.settings import actor_environment

os.environ.update(actor_environment("cpu"))

from rich.console import Console
from rich.table import Table

from rsft.bases import SHIPPED
from rsft.data.template import load_tokenizer
from rsft.generation.engine import Engine
from rsft.training.export import reference_canary

RUNS = 5


def main() -> None:
    table = Table("base", "next checkpoint by", "s", "times faster", box=None)
    for name in ("nano-1m", "nano-3m"):
        base = str(SHIPPED / name)
        canary = reference_canary(base, None, load_tokenizer(base, None, None))
        engine = Engine(base, None, None, "cpu", 768)
        engine.load(base, canary)
        swaps, starts = [], []
        for _ in range(RUNS):
            engine._live = ""  # so that the same folder counts as another checkpoint
            started = time.perf_counter()
            engine.load(base, canary)
            swaps.append(time.perf_counter() - started)
        for _ in range(3):
            started = time.perf_counter()
            engine._restart(base)
            starts.append(time.perf_counter() - started)
        swap, start = statistics.median(swaps), statistics.median(starts)
        table.add_row(name, "new engine in the same process", f"{start:.2f}", "1")
        table.add_row(name, "swap and proof", f"{swap:.2f}", f"{start / swap:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
