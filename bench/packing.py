"""Training speed: rows packed as rsft packs them, against every row padded to the maximum (the study's
trainer). Same rows, same model, same process; medians of several steps.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM

from rsft.bases import SHIPPED
from rsft.data.batches import MicroBatch, assign, micro_batch
from rsft.data.rows import Tally
from rsft.data.source import rows
from rsft.data.template import Tokens, load_tokenizer, render
from rsft.spec import DataSpec, GeneratedRows, ModelSpec
from rsft.training.loss import TargetLoss

MAX_TOKENS, BATCH, RUNS = 512, 16, 5


def sample(base: str) -> list[Tokens]:
    tokenizer = load_tokenizer(base, ModelSpec(source=base))
    data = DataSpec(name="cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=BATCH)
    return [tokens for found in render(tokenizer, list(rows(data, Tally()))) for tokens in found]


def packed(batch: list[Tokens]) -> list[MicroBatch]:
    lengths = [len(tokens) for tokens in batch]
    (mine,) = assign(lengths, workers=1, sequence_tokens=MAX_TOKENS, micro_batch_tokens=2_048)
    return [micro_batch(sequences, batch, pad=0) for sequences in mine]


def padded(batch: list[Tokens]) -> list[MicroBatch]:
    """Four rows a forward pass, each as long as the maximum."""
    found = []
    for start in range(0, len(batch), 4):
        four = batch[start : start + 4]
        filler = Tokens.of("pad", [0], [0] * (MAX_TOKENS - 1))
        arrays = micro_batch([[0], [1], [2], [3], [4]], [*four, filler], pad=0)
        found.append(MicroBatch(arrays.input_ids[:4], arrays.position_ids[:4], arrays.labels[:4]))
    return found


def seconds(step: Callable[[], None]) -> float:
    step()  # warm-up
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    torch.set_num_threads(1)
    table = Table("base", "layout", "positions", "s/step", "target tokens/s", "times faster", box=None)
    for name in ("nano-1m", "nano-3m"):
        base = str(SHIPPED / name)
        batch = sample(base)
        loss = TargetLoss(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32))
        targets = sum(len(t.target) for t in batch)
        slow = 0.0
        for layout, batches in (("padded to the maximum", padded(batch)), ("packed", packed(batch))):

            def step(batches: list[MicroBatch] = batches, loss: TargetLoss = loss) -> None:
                for arrays in batches:
                    fields = (arrays.input_ids, arrays.position_ids, arrays.labels)
                    loss(*map(torch.from_numpy, fields)).backward()

            taken = seconds(step)
            slow = slow or taken
            positions = sum(arrays.input_ids.size for arrays in batches)
            table.add_row(
                name,
                layout,
                f"{positions:,}",
                f"{taken:.2f}",
                f"{targets / taken:,.0f}",
                f"{slow / taken:.2f}",
            )
    console = Console()
    console.print(f"{platform.machine()}, one thread, torch {torch.__version__}, median of {RUNS} steps")
    console.print(table)


if __name__ == "__main__":
    main()
