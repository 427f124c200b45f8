"""A forecast on a terminal: what `rsft plan` prints."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from rsft.sweep.disk import gigabytes

REASON_COLUMNS = 140
"""Width of a terminal from which the reasons of the study's quirks have room."""
TRIALS_SHOWN = 200
"""Longer tables take seconds, and are not read on a terminal."""
PARTS = ("weights", "gradients", "optimizer", "buffers", "activations", "logits", "total")


def show_plan(facts: dict[str, Any], console: Console) -> None:
    """Prints what `forecast` found: trials, memory, recipes side by side, counts and notes."""
    table = Table("trial", "base", "data", "length", "steps", "seed", "evaluated steps", "state", box=None)
    for trial in facts["trials"][:TRIALS_SHOWN]:
        table.add_row(
            *(str(trial[name]) for name in ("id", "base", "data", "length", "steps", "seed")),
            " ".join(map(str, trial["checkpoint_steps"])),
            trial["state"],
        )
    console.print(table)
    if (more := len(facts["trials"]) - TRIALS_SHOWN) > 0:
        console.print(f"and {more:,} trials more; --json has them all", highlight=False)
    for trunk in facts["trunks"][:TRIALS_SHOWN]:
        console.print("\n".join(trunk["tree"]), highlight=False, soft_wrap=True)
    _show_benchmarks(facts["benchmarks"], console)
    _show_memory(facts["memory"], console)
    _show_recipes(facts["recipes"], console)
    disk = facts["disk_bytes"]
    saved = f" ({facts['n_steps_saved']:,} of them shared)" if facts["n_steps_saved"] else ""
    console.print(
        f"{facts['n_trials']} trials, {facts['n_steps']:,} optimizer steps{saved}, "
        f"{facts['n_checkpoints']} checkpoints, {facts['n_cells']:,} cells, "
        f"{facts['n_generations']:,} generations, "
        + (f"about {gigabytes(disk)} of disk" if disk else "disk unknown (ModelSpec.parameters)"),
        highlight=False,
    )
    console.print(f"open: {facts['open_trials']} trials, {facts['open_cells']:,} cells", highlight=False)
    if (judge := facts["judge"]) is not None:
        where = judge["address"] or "in our own engines"
        words = f"judge: {judge['model']} ({where}), at most {judge['verdicts']:,} verdicts"
        console.print(words, highlight=False, markup=False, soft_wrap=True)
    if (found := facts["adaptive"]) is not None:
        console.print(
            f"adaptive: {found['budget']:,} of the fixed plan's {found['fixed']:,} answers "
            f"({found['budget'] / found['fixed']:.0%}), {found['there']:,} of them there; the first round "
            f"asks {found['first']:,} in {found['first_cells']:,} cells",
            highlight=False,
            soft_wrap=True,
        )
    for note in facts["notes"]:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)


def _show_benchmarks(rows: list[dict[str, Any]], console: Console) -> None:
    columns = ("benchmark", "dimension", "problems x samples", "grader", "metric", "from")
    wide = console.width >= REASON_COLUMNS
    heads = (*columns, *(["note"] if wide else []))
    table = Table(*(Column(head, overflow="fold") for head in heads), box=None)
    for row in rows:
        asked, of = row["problems"], row["of"]
        part = f"{asked:,}" if asked == of else f"{asked:,} of {of:,}"
        words = (row["name"], row["dimension"], f"{part} x {row['samples']}")
        found = (*words, row["grader"], row["metric"], row["origin"], *([row["note"]] if wide else []))
        table.add_row(*map(escape, found))
    console.print(table)


def _show_memory(rows: list[dict[str, Any]], console: Console) -> None:
    if not rows:
        return
    table = Table("memory of a worker", *PARTS, "holds it", box=None)
    for row in rows:
        known = row["activations"] is not None
        sizes = ["?" if row[part] is None else gigabytes(row[part]) for part in PARTS]
        sizes[-1] = sizes[-1] if known else f"from {sizes[-1]}"
        size = row["gpu_gigabytes"]
        holds = ("" if known else "from ") + f"{size} GB" if size else "no GPU"
        table.add_row(
            f"{row['base']}, {row['workers']} {row['device']}s, ZeRO {row['zero_stage']}, {row['precision']}",
            *sizes,
            holds if row["device"] == "gpu" else "",
        )
    console.print(table)
    for row in rows:
        if row["activations"] is None:
            console.print(
                f"note: activations of {row['base']} are not counted, since its config.json is not here",
                highlight=False,
                soft_wrap=True,
            )
        if row["next"]:
            console.print(f"note: no GPU holds {row['base']}; {row['next']}", highlight=False, soft_wrap=True)


def _show_recipes(rows: list[dict[str, Any]], console: Console) -> None:
    wide = console.width >= REASON_COLUMNS
    table = Table("field", "study", "sane", "this sweep", *(["why"] if wide else []), box=None)
    for row in rows:
        cells = [row["field"], _word(row["study"]), _word(row["sane"])]
        cells.append(" | ".join(map(_word, row["sweep"])))
        table.add_row(*cells, *([row["reason"]] if wide else []))
    if rows:
        console.print(table)


def _word(value: Any) -> str:
    """A setting as one would write it in a page, but shorter."""
    if isinstance(value, dict):
        return " ".join(f"{name}={_word(one)}" for name, one in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
