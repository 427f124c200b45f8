"""The whole gradient matrix, as a table: how far weights end from plain torch in float64, in every layout.

    python bench/gradient.py [--out bench/gradient.md]

Runs `tests/gradient_matrix.py --whole` with 1, 2 and 4 workers; minutes on two cores (`make soak`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

MATRIX = Path(__file__).resolve().parents[1] / "tests" / "gradient_matrix.py"


def lines() -> list[str]:
    found = [
        "| workers | reduction | ZeRO | micro-batch | packed | off float64 | plain fp32 off it | weights moved |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for world in (1, 2, 4):
        done = subprocess.run(
            [sys.executable, str(MATRIX), str(world), "--whole"], capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        for line in done.stdout.splitlines():
            if not line.startswith("LAYOUT "):
                continue
            facts = json.loads(line.removeprefix("LAYOUT "))
            study = facts.get("loss_reduction") == "microbatch_sum"
            size = (
                f"{facts['micro_batch_sequences']} rows" if study else f"{facts['micro_batch_tokens']} tokens"
            )
            cells = (
                str(facts["world"]),
                "microbatch_sum" if study else "token_mean",
                str(facts["zero_stage"]),
                size,
                "no" if study or not facts["packed"] else "yes",
                f"{facts['apart']:.1e}",
                f"{facts['rounding']:.1e}",
                f"{facts['moved']:.1e}",
            )
            found.append(f"| {' | '.join(cells)} |")
            print(found[-1], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    table = lines()
    if given.out:
        given.out.write_text("\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
