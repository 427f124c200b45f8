"""What must not matter, as tables: layouts of a step, and other hardware after an interruption.

    python bench/matrices.py [--out bench/matrices.md]

Runs `tests/gradient_matrix.py --whole` with 1, 2 and 4 workers and `tests/world_matrix.py --whole`; a
hour or less on two cores (`make soak`).
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

TESTS = Path(__file__).resolve().parents[1] / "tests"


def facts(script: str, *arguments: str, word: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, str(TESTS / script), *arguments]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as running,
    ):
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith(f"{word} "):
                yield json.loads(line.removeprefix(f"{word} "))
        if running.wait():
            errors.seek(0)
            sys.exit(errors.read()[-3000:])


def gradient() -> Iterator[str]:
    yield "## Weights after 20 steps, however a step is laid out\n"
    yield "Largest distance of any weight from plain torch in float64.\n"
    yield "| workers | share a row | reduction | ZeRO | pass | packed | rsft | plain fp32 | moved by | norm |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for world in (1, 2, 4):
        for layout in facts("gradient_matrix.py", str(world), "--whole", word="LAYOUT"):
            study = layout.get("loss_reduction") == "microbatch_sum"
            size = (
                f"{layout['micro_batch_sequences']} rows"
                if study
                else f"{layout['micro_batch_tokens']} tokens"
            )
            yield row(
                layout["world"],
                layout.get("sequence_parallel", 1),
                "microbatch_sum" if study else "token_mean",
                layout["zero_stage"],
                size,
                "no" if study or not layout["packed"] else "yes",
                *(f"{layout[name]:.1e}" for name in ("apart", "rounding", "moved", "norm")),
            )


def world() -> Iterator[str]:
    yield "\n## A trial interrupted after 6 of 8 steps, gone on with on other hardware\n"
    yield "Against the undisturbed run on the first hardware; exported weights are bfloat16.\n"
    yield "| before | after | from step | weights | largest relative distance | of losses, nats |"
    yield "|---|---|---|---|---|---|"
    for change in facts("world_matrix.py", "--whole", word="CHANGE"):
        places = [f"{h['workers']} x ZeRO-{h['zero_stage']}" for h in (change["before"], change["after"])]
        verdict = "identical" if change["identical"] else "within rounding"
        yield row(
            *places, change["from_step"], verdict, f"{change['relative']:.1e}", f"{change['losses']:.1e}"
        )


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    today = datetime.date.today().isoformat()
    lines = [
        f"# What must not matter\n\n{platform.machine()}, fp32 on CPU, torch {torch.__version__}, {today}\n"
    ]
    for table in (gradient, world):
        for line in table():
            lines.append(line)
            print(line, flush=True)
    if given.out:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
