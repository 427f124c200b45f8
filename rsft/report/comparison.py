"""Two sweeps side by side: a page, a table as CSV and Markdown, and one for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jinja2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rsft.analysis.paired import Difference
from rsft.report.exports import plain
from rsft.report.tables import percent, signed
from rsft.storage import Storage

Way = Literal["higher", "lower", "not shown"]
"""Of B against A; `not shown` where chance alone may explain the difference."""

PAGE_ROWS = 2_000
"""Rows of the page; the CSV file has all."""
TERMINAL_ROWS = 40
MARKS = {"higher": "▲", "lower": "▼", "not shown": ""}
COLOURS = {"higher": "up", "lower": "down", "not shown": "same"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One cell that both have."""

    trials: tuple[str, str]
    base: str
    data: str
    """Empty, as the next three are, for the untrained base."""
    length: str
    seed: int | None
    recipe: str
    step: int
    benchmark: str
    dimension: str
    answers: tuple[int, int]
    difference: Difference
    """B minus A."""
    note: str
    """What the two do not have in common though they are compared."""

    @property
    def where(self) -> str:
        """The trial's place in the grid, in words."""
        if self.seed is None:
            return f"{self.base}, untrained"
        recipe = "" if self.recipe == "default" else self.recipe
        words = (self.base, self.data, self.length, f"seed {self.seed}", recipe)
        return " · ".join(word for word in words if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All cells that A and B share, and what only one of them has."""

    names: tuple[str, str]
    roots: tuple[str, str]
    written: tuple[Mapping[str, Any], ...]
    """Provenance of either."""
    rows: tuple[Compared, ...]
    adjusted: tuple[float, ...]
    """p-value of each row, corrected for the number of rows by Holm's method."""
    level: float
    only: tuple[list[str], ...]
    """Trials, benchmarks and cells of A alone and of B alone, in words."""

    def way(self, number: int) -> Way:
        """What a row shows."""
        if self.adjusted[number] > 1 - self.level:
            return "not shown"
        return "higher" if self.rows[number].difference.change.value > 0 else "lower"

    def count(self, way: Way) -> int:
        return sum(self.way(number) == way for number in range(len(self.rows)))

    @property
    def surest(self) -> list[int]:
        """Numbers of the rows, those with the smallest p-values first."""
        return sorted(range(len(self.rows)), key=lambda n: (self.adjusted[n], self.rows[n].difference.p))

    @property
    def summary(self) -> str:
        """One sentence."""
        same = sum(not row.difference.differing for row in self.rows)
        cells = f"{len(self.rows):,} shared cell{'' if len(self.rows) == 1 else 's'}"
        return (
            f"Of {cells}, B is higher than A in {self.count('higher'):,}, lower in {self.count('lower'):,}; "
            f"in {self.count('not shown'):,} no difference is shown, and {same:,} of these score the same on "
            "every problem"
        )


def write_comparison(storage: Storage, found: Comparison) -> str:
    """Writes compare.csv, compare.md and compare.html into a folder; returns the page's path.

    Raises:
        OSError: the folder cannot be written.
    """
    for ending, text in (("csv", as_csv(found)), ("md", markdown(found)), ("html", render(found))):
        storage.write_text(f"compare.{ending}", text)
    return storage.path("compare.html")


def as_csv(found: Comparison) -> str:
    """A line per shared cell; scores and differences in [0, 1]."""
    out = io.StringIO()
    fields = ("base", "data", "length", "seed", "recipe", "step", "benchmark", "dimension")
    more = ("trial_a", "trial_b", "score_a", "score_b", "difference", "ci_low", "ci_high", "p", "p_holm")
    table = csv.writer(out, lineterminator="\n")
    table.writerow((*fields, *more, "problems", "differing", "answers_a", "answers_b", "b_is", "note"))
    for number, (row, p) in enumerate(zip(found.rows, found.adjusted, strict=True)):
        one = row.difference
        numbers = (one.first, one.second, one.change.value, one.change.low, one.change.high, one.p, p)
        table.writerow(
            (
                *("" if (value := getattr(row, name)) is None else value for name in fields),
                *row.trials,
                *(f"{value:.6g}" for value in numbers),
                one.problems,
                one.differing,
                *row.answers,
                found.way(number),
                row.note,
            )
        )
    return out.getvalue()


HEAD = ("trial", "benchmark", "step", "A", "B", "B − A (95%)", "p (Holm)", "problems")


def cells(found: Comparison, number: int) -> list[str]:
    """A row in words, under HEAD; scores in per cent, differences in points."""
    row, mark = found.rows[number], MARKS[found.way(number)]
    one = row.difference
    low, high = (signed(100 * end) for end in (one.change.low, one.change.high))
    change = f"{mark} {signed(100 * one.change.value)} ({low} to {high})".strip()
    p = found.adjusted[number]
    return [
        row.where,
        row.benchmark,
        str(row.step),
        percent(one.first),
        percent(one.second),
        change,
        "<0.001" if p < 0.001 else f"{p:.3f}",
        str(one.problems),
    ]


def markdown(found: Comparison) -> str:
    """The comparison as Markdown, every row of it."""
    lines = [list(HEAD), ["---"] * len(HEAD), *(cells(found, number) for number in range(len(found.rows)))]
    table = "\n".join(f"| {' | '.join(map(plain, line))} |" for line in lines)
    only = [
        f"- only in {side}: {plain(one)}" for side, ones in zip("AB", found.only, strict=True) for one in ones
    ]
    names = "; ".join(
        f"{s}: {plain(n)} ({plain(r)})" for s, n, r in zip("AB", found.names, found.roots, strict=True)
    )
    return "\n\n".join(part for part in (f"{names}. {found.summary}.", table, "\n".join(only)) if part) + "\n"


def show_comparison(found: Comparison, console: Console) -> None:
    """Prints the surest rows and what only one side has."""
    table = Table(*HEAD, box=None)
    for number in found.surest[:TERMINAL_ROWS]:
        table.add_row(*map(escape, cells(found, number)))
    console.print(table)
    if len(found.rows) > TERMINAL_ROWS:
        console.print(f"and {len(found.rows) - TERMINAL_ROWS:,} more, in compare.csv", highlight=False)
    for side, ones in zip("AB", found.only, strict=True):
        if ones:
            more = f" and {len(ones) - 5} more" if len(ones) > 5 else ""
            said = f"only in {side}: {', '.join(ones[:5])}{more}"
            console.print(said, highlight=False, markup=False, soft_wrap=True)
    console.print(found.summary, highlight=False, soft_wrap=True)


def render(found: Comparison) -> str:
    """The page: light, printable, without scripts; every text that comes from data is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ends = [abs(end) for row in found.rows for end in (row.difference.change.low, row.difference.change.high)]
    reach = max(*ends, 0.01)
    rows = [
        {
            "words": cells(found, number),
            "note": found.rows[number].note,
            "colour": COLOURS[found.way(number)],
            "bar": _bar(found.rows[number].difference, reach),
        }
        for number in found.surest[:PAGE_ROWS]
    ]
    return environment.get_template("compare.html.j2").render(
        found=found,
        head=HEAD,
        rows=rows,
        reach=f"{100 * reach:.0f}",
        sides=list(zip("AB", found.names, found.roots, found.written, found.only, strict=True)),
    )


def _bar(one: Difference, reach: float) -> Sequence[str]:
    """Low end, value and high end on a line of 100 whose middle is no difference."""
    return [f"{50 + 50 * end / reach:.1f}" for end in (one.change.low, one.change.value, one.change.high)]
