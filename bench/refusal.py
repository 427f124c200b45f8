"""How well the refusal matcher agrees with human labels.

    python bench/refusal.py [--show]

Labels: PyRIT's refusal scorer set. The patterns were written on `tune` alone; `held-out` and `extra` are the
measurement. `--show` prints the responses of `tune` that the matcher gets wrong, never those of the others.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.table import Table

from rsft.benchmarks.labelled import Part, refusals
from rsft.scoring.agreement import Agreement, wilson
from rsft.scoring.refusal import classify

PARTS: tuple[Part, ...] = ("tune", "held-out", "extra")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="misjudged responses of the tuning half")
    show = parser.parse_args().show
    table = Table("labels", "verdict read as refusal", "items", "TP", "FP", "FN", "TN", "precision", "recall")
    for part in PARTS:
        rows = refusals(part)
        kinds = [classify(row.response, row.prompt).kind for row in rows]
        for name, counted in (("refused", ("refused",)), ("refused or unclear", ("refused", "unclear"))):
            pairs = [(kind in counted, row.refused) for kind, row in zip(kinds, rows, strict=True)]
            table.add_row(part, name, *_cells(Agreement.of(pairs)))
        if show and part == "tune":
            for kind, row in zip(kinds, rows, strict=True):
                if (kind == "refused") != row.refused:
                    print(f"{kind}, labelled {row.refused}: {row.prompt[:80]!r} -> {row.response[:160]!r}")
    Console(width=118).print(table)
    for characters in (200_000, 2_000_000):
        text = "I can't say, but here is 1. " * (characters // 28)
        begun = time.perf_counter()
        classify(text, text)
        print(f"{characters:,} characters: {1000 * (time.perf_counter() - begun):.1f} ms")


def _cells(found: Agreement) -> tuple[str, ...]:
    counts = (found.true_positive, found.false_positive, found.false_negative, found.true_negative)
    precise = wilson(found.true_positive, found.true_positive + found.false_positive)
    recalled = wilson(found.true_positive, found.true_positive + found.false_negative)
    return (
        str(found.items),
        *map(str, counts),
        f"{found.precision:.3f} ({precise[0]:.2f}..{precise[1]:.2f})",
        f"{found.recall:.3f} ({recalled[0]:.2f}..{recalled[1]:.2f})",
    )


if __name__ == "__main__":
    main()
