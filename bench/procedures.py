"""How well the patterns of procedures agree with labelled lines, and what reading a trace costs.

    python bench/procedures.py [--show] [--judge MODEL@ADDRESS]

Lines and labels: tests/procedure_lines.tsv, written for this purpose, look-alikes included. The `first` batch
is older than the patterns; `later` and `third` came after their first and second version. A hash of the line
cuts the first two in halves; patterns were changed on the `tune` halves and on all of the third. The `last`
batch was written when the patterns were done, and none was changed for it: it is the measurement, the others
flatter. Later, four sentences of the first two batches that were taken for subgoals changed the patterns of
these, for which those halves are held out no longer. The `subgoals` batch (20 of them, 20 look-alikes) was
labelled before that change, by someone who had read the patterns, and has changed none. `--show` prints the
misjudged lines of `tune`.

`--judge` asks a model behind an OpenAI-compatible endpoint, such as `j@http://127.0.0.1:8000/v1` (its key in
RSFT_JUDGE_KEY), about every line and procedure, and prints how far the patterns agree with it, and it with
the labels; verdicts are kept in a file and asked for once.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rsft.analysis.procedure_judge import judged
from rsft.analysis.procedures import agreement, procedures_in, read, sentences
from rsft.scoring.agreement import wilson
from rsft.scoring.judge import Judge

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


def judge_table(model: str, address: str, verdicts: Path) -> Table:
    """Patterns against a judge, and the judge against the labels, on lines of which it says all."""
    lines = [line for part in PARTS for line in labelled(part)]
    said = judged(
        [line for line, _ in lines], lambda rubric: Judge(address, model, rubric, verdicts, pause_s=2.0)
    )
    known = [
        (found_in(line), labels, word)
        for (line, labels), word in zip(lines, said, strict=True)
        if not isinstance(word, str)
    ]
    reasons = [word for word in said if isinstance(word, str)]
    title = f"{model} on {len(known)} of {len(lines)} lines"
    title += f"; of the others, the first: {reasons[0]}" if reasons else ""
    heads = ("procedure", "judge sees", "patterns find", "labelled")
    table = Table(*heads, "patterns and judge: kappa", "judge and labels: kappa", title=title)
    ours, labels, theirs = ([one[i] for one in known] for i in range(3))
    against = agreement(theirs, labels)
    for name, one in agreement(ours, theirs).items():
        counts = (sum(name in each for each in some) for some in (theirs, ours, labels))
        table.add_row(name, *map(str, counts), f"{one.kappa:.2f}", f"{against[name].kappa:.2f}")
    return table


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--show", action="store_true", help="misjudged lines of the tuning half")
    parser.add_argument("--judge", metavar="MODEL@ADDRESS", help="also ask this judge about every line")
    parser.add_argument(
        "--verdicts", type=Path, default=Path("runs/procedure-verdicts.jsonl"), help="the judge's, kept here"
    )
    options = parser.parse_args()
    show = options.show
    if options.judge is not None:
        model, at, address = options.judge.rpartition("@")
        if not (model and at and address.startswith("http")):
            parser.error(f"--judge {options.judge!r} is no MODEL@ADDRESS, such as j@http://127.0.0.1:8000/v1")
        Console(width=118).print(judge_table(model, address, options.verdicts))
        return
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
