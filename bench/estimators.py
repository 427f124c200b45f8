"""How often 95 % intervals hold the truth: simulated benchmarks, see tests/coverage_of_intervals.py.

    python bench/estimators.py [--repeats 2000]

93 to 97 % is what is asked of accuracy and differences. Takes some minutes on one core.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from coverage_of_intervals import SETTINGS, coverage
from rich.console import Console
from rich.table import Table


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2_000, help="benchmarks; of differences a quarter")
    repeats = parser.parse_args().repeats
    table: Table | None = None
    for setting in SETTINGS:
        found = coverage(setting, repeats)
        table = table or Table(
            "accuracy", "problems", "samples", *found, title=f"{repeats:,} benchmarks each"
        )
        facts = (f"{setting.accuracy:.2f}", str(setting.problems), str(setting.samples))
        table.add_row(*facts, *(f"{share:.1%}" for share in found.values()))
    Console(width=118).print(table)


if __name__ == "__main__":
    main()
