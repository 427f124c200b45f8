"""How well the patterns of procedures agree with labelled lines, and what reading a trace costs.

    python bench/procedures.py [--show]

Lines and labels: tests/procedure_lines.tsv, written for this purpose, look-alikes included. The `first` batch
is older than the patterns; `later` and `third` came after their first and second version. A hash of the line
cuts the first two in halves; patterns were changed on the `tune` halves and on all of the third. The `last`
batch was written when the patterns were done, and none was changed for it: it is the measurement, the others
flatter. Later, four sentences of the first two batches that were taken for subgoals changed the patterns of
these, for which those halves are held out no longer. The `subgoals` batch (20 of them, 20 look-alikes) was
labelled before that change, by someone who had read the patterns, and has changed none. `--show` prints the
misjudged lines of `tune`.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rsft.analysis.procedures import agreement, procedures_in, read, sentences
from rsft.scoring.agreement import wilson

LINES = Path(__file__).resolve().parent.parent / "tests" / "procedure_lines.tsv"

PARTS = ("tune", "held-out, first", "held-out, later", "last", "subgoals")

Line = tuple[str, frozenset[str]]


def part_of(batch: str, line: str) -> str:
    """One of PARTS, by batch and a hash of the line."""
    if batch in ("third", "last", "subgoals"):
        return "tune" if batch == "third" else batch
    held_out = hashlib.sha256(line.encode()).digest()[0] % 2
    return f"held-out, {batch}" if held_out else "tune"


def labelled(part: str) -> list[Line]:
    """Lines of a part with their labels."""
    rows = [line.split("\t") for line in LINES.read_text(encoding="utf-8").splitlines()[1:]]
    return [
        (line, frozenset(labels.split(",")) - {"none"})
        for batch, labels, line in rows
        if part_of(batch, line) == part
    ]


def found_in(line: str) -> frozenset[str]:
    """Procedures in any sentence of a line."""
    return frozenset().union(*(procedures_in(sentence) for sentence in sentences(line)))


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="misjudged lines of the tuning half")
    show = parser.parse_args().show
    table = Table("lines", "procedure", "labelled", "found", "precision", "recall", "kappa")
    for part in PARTS:
        lines = labelled(part)
        found = [found_in(line) for line, _ in lines]
        for name, one in agreement(found, [labels for _, labels in lines]).items():
            if part == "subgoals" and name != part:
                continue
            hits, tries = one.true_positive, one.true_positive + one.false_positive
            truth = one.true_positive + one.false_negative
            shares = [
                f"{share:.2f} ({low:.2f}..{high:.2f})"
                for share, (low, high) in (
                    (one.precision, wilson(hits, tries)),
                    (one.recall, wilson(hits, truth)),
                )
            ]
            table.add_row(f"{part} ({len(lines)})", name, str(truth), str(tries), *shares, f"{one.kappa:.2f}")
        if show and part == "tune":
            for (line, labels), ours in zip(lines, found, strict=True):
                if labels != ours:
                    print(f"{sorted(ours)}, labelled {sorted(labels)}: {line}")
    Console(width=118).print(table)
    for characters in (20_000, 200_000, 2_000_000):
        text = "".join(
            f"Wait, {i} is off. To get {i}, I need a {i}, so {i} * 2.\n" for i in range(characters // 55)
        )
        begun = time.perf_counter()
        procedures_in.cache_clear()
        read(text)
        print(f"{characters:,} characters: {1000 * (time.perf_counter() - begun):.1f} ms")


if __name__ == "__main__":
    main()
