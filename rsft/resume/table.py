"""What became of each kind of kill, as a table: on a terminal, and in a Markdown file."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rsft.resume.proof import Result

COLUMNS = ("kill", "killed", "resumed from step", "weights", "log", "verdict", "seconds")


def cells(result: Result) -> tuple[str, ...]:
    """A result as a row under COLUMNS."""
    tries = f" (try {result.tries})" if result.tries > 1 else ""
    return (
        result.kind,
        "; ".join(result.killed),
        ", ".join(map(str, result.resumed_from)),
        result.weights,
        result.log,
        result.verdict + tries + (f": {result.reason}" if result.reason else ""),
        f"{result.seconds:.0f}",
    )


def headline(facts: dict[str, Any]) -> str:
    """What was trained, and how the random steps can be had again."""
    checkpoints = ", ".join(map(str, facts["checkpoint_steps"]))
    tolerance = facts["tolerance"]
    near = f"; weights within {tolerance['weights']}, loss within {tolerance['loss']}" if tolerance else ""
    hardware = f"{facts['workers']} workers ({facts['device']}, ZeRO {facts['zero_stage']})"
    return (
        f"{facts['steps']} steps on {hardware}, checkpoints after {checkpoints}, a resumable state every "
        f"{facts['resume_every_steps']}; seed {facts['seed']}; undisturbed "
        f"{facts['undisturbed_seconds']:.0f} s{near}"
    )


def markdown(facts: dict[str, Any], results: list[Result]) -> str:
    """The table for a file."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(cells, results)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([f"`{facts['trial']}`: {headline(facts)}.", "", *lines, ""])


def show(facts: dict[str, Any], results: list[Result], console: Console) -> None:
    """Prints the table."""
    table = Table(box=None)
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    colors = {"holds": "green", "left out": "yellow"}
    for result in results:
        table.add_row(*map(escape, cells(result)), style=colors.get(result.verdict, "red"))
    console.print(headline(facts), highlight=False, markup=False, soft_wrap=True)
    console.print(table)
