"""Adaptive evaluation beside the fixed plan and beside plans that are thinned evenly, on known curves.

    python bench/adaptive.py [--repeats 30] [--seed 0]

A page has twelve curves of nine steps: the six shapes of bench/trajectories.py and six random ones. Every
plan sees the same answers as far as it asks them. `decided` is the share of curves with a verdict, corrected
for their number; `as the fixed plan` the share of those that the fixed plan decides and that get the same; a
verdict is false when it is not true of the expected scores at all nine steps. Takes five minutes on one
core with the defaults.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from adaptive_study import SHAPES, Result, Study, adaptively, in_full, page_of

KINDS = ((300, 8, (0.4, 0.5)), (1_000, 3, (0.4, 0.5)), (500, 1, (0.6, 0.75)))
"""Problems, samples, shares of the fixed plan; with one sample the first round is more than half of it."""


@dataclass
class Tally:
    """Counts of one plan over studies."""

    curves: int = 0
    fixed: int = 0
    decided: int = 0
    agreed: int = 0
    false: int = 0
    answers: int = 0
    full: int = 0
    families: int = 0

    def add(self, study: Study, fixed: Result, found: Result) -> None:
        self.curves += len(study.shapes)
        self.fixed += fixed.decided
        self.decided += found.decided
        self.agreed += found.agrees(fixed)
        self.false += found.false(study)
        self.families += found.false(study) > 0
        self.answers += found.answers
        self.full += study.full

    def row(self) -> tuple[str, ...]:
        return (
            share(self.answers, self.full),
            share(self.decided, self.curves),
            share(self.agreed, self.fixed),
            f"{self.false} of {self.decided}",
            str(self.families),
        )


def share(some: int, of: int) -> str:
    return f"{100 * some / of:.1f} %" if of else "none"


def plans(problems: int, samples: int, part: float) -> dict[str, Callable[[Study], Result]]:
    found: dict[str, Callable[[Study], Result]] = {
        f"adaptive, budget {part:.0%}": lambda study: adaptively(study, part)
    }
    if (count := round(samples * part)) and samples > 1:
        found[f"all steps, {count} of {samples} samples"] = lambda study: in_full(study, samples=count)
    few = round(problems * part)
    found[f"all steps, {few} of {problems:,} problems"] = lambda study: in_full(study, problems=few)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, console = np.random.default_rng(options.seed), Console(width=110)

    for problems, samples, parts in KINDS:
        tallies = {"fixed plan": Tally()}
        for _ in range(options.repeats):
            study = Study.of(page_of(random), problems, samples, random)
            fixed = in_full(study)
            tallies["fixed plan"].add(study, fixed, fixed)
            for part in parts:
                for name, plan in plans(problems, samples, part).items():
                    tallies.setdefault(name, Tally()).add(study, fixed, plan(study))
        table = Table(title=f"{options.repeats} pages of 12 curves, {problems:,} problems x {samples}")
        for column in ("plan", "answers", "decided", "as the fixed plan", "false", "on pages"):
            table.add_column(column)
        for name, tally in tallies.items():
            table.add_row(name, *tally.row())
        console.print(table)

    empty = 4 * options.repeats
    table = Table(title=f"{empty} pages of 12 curves without change: pages with a false verdict")
    for column in ("problems x samples", "fixed plan", "adaptive, budget 50 %"):
        table.add_column(column)
    for problems, samples in ((100, 4),):
        counts = {"fixed": Tally(), "adaptive": Tally()}
        for _ in range(empty):
            study = Study.of([SHAPES["no change"]] * 12, problems, samples, random)
            fixed = in_full(study)
            counts["fixed"].add(study, fixed, fixed)
            counts["adaptive"].add(study, fixed, adaptively(study, 0.5))
        table.add_row(f"{problems} x {samples}", *(share(one.families, empty) for one in counts.values()))
    console.print(table)


if __name__ == "__main__":
    main()
