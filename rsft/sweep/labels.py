"""People as judges: responses drawn for them to label, and their labels taken in.

A label names what was judged as a judge's verdict does, by a hash of rubric, prompt and response; so it holds
for every checkpoint that said the same, and `rsft.sweep.judges` compares it with every judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from rsft import layout
from rsft.errors import DataError, SpecError, StorageError
from rsft.scoring.judge import judged, judged_part
from rsft.scoring.judged import Pair, item, shown
from rsft.scoring.rubrics import rubric
from rsft.storage import Storage
from rsft.sweep.grading import answered, known_problems
from rsft.sweep.standalone import show_judges


def label(root: str, sheet: Path, count: int | None, by: str | None, console: Console) -> None:
    """Writes a new sheet of `count` responses; or takes in what `by` has filled in, and prints agreement.

    Raises:
        SpecError: both or neither is asked for, or the sheet is there already.
        RsftError: a storage or sheet that cannot be used.
    """
    if (count is None) == (not by) or (count and sheet.exists()):
        raise SpecError("rsft label takes --draw COUNT and a new sheet, or --by NAME and a filled one.")
    storage = labelled_storage(root)
    if by:
        take(storage, by, read_sheet(sheet))
        show_judges(storage, console)
        return
    rows = draw(storage, count or 0)
    Storage(sheet.resolve().parent).write_lines(sheet.name, rows)
    console.print(
        f"{len(rows):,} responses; set good to true or false in {sheet}, then rsft label {root} {sheet} "
        "--by NAME",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def labelled_storage(root: str) -> Storage:
    """Of a sweep or of `rsft evaluate`, or the only one that a folder holds.

    Raises:
        StorageError: nothing was evaluated there, or several were.
    """
    storage = Storage(root)
    found = [storage, *map(storage.child, storage.names())]
    found = [one for one in found if any(map(one.names, layout.OWNERS))]
    if len(found) != 1 and storage not in found:
        raise StorageError(f"storage {storage.root!r} holds {len(found)} evaluations; name one.")
    return found[0]


def draw(storage: Storage, count: int) -> list[dict[str, Any]]:
    """Lines of a sheet: judged responses, each different one once, drawn at random, without what judges said.

    A larger count draws the same and more. `good` is for the person to fill in.

    Raises:
        DataError: nothing was answered that a judge judges.
    """
    sheet: dict[str, dict[str, Any]] = {}
    for name, pair in _judged(storage):
        asked, given = rubric(name), item(pair)
        about = {
            key: given.metadata[key]
            for key in re.findall(r"{(\w+)}", asked.template)
            if key in given.metadata
        }
        row = {"id": judged(asked, given), "rubric": name, "asks": asked.asks, "prompt": given.prompt}
        sheet[row["id"]] = row | about | {"response": judged_part(given.response), "good": None}
    if not sheet:
        raise DataError(
            f"storage {storage.root!r} has no answers that a judge judges; nothing is there to label."
        )
    return [sheet[one] for one in sorted(sheet)[:count]]  # ids are hashes: their order is a draw


def _judged(storage: Storage) -> Iterator[tuple[str, Pair]]:
    """Answers that a judge is shown, with their rubric."""
    owners = [f"{kind}/{name}" for kind in layout.OWNERS for name in storage.names(kind)]
    for owner in owners:
        for key in storage.names(layout.evals(owner)):
            known = known_problems(storage, key)
            judged_here = any("rubric" in problem.metadata for problem in known.values())
            for step in storage.names(layout.evals(owner, key)) if judged_here else ():
                folder = layout.cell(owner, key, layout.step_of(step))
                if storage.exists(layout.generations(folder)):
                    for pair in shown(answered(storage, folder, known)):
                        yield pair[0].metadata["rubric"], pair


def read_sheet(path: Path) -> list[dict[str, Any]]:
    """The lines that a person has filled in.

    Raises:
        DataError: a line that is none; the message says which.
    """
    found = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the sheet {str(path)!r} cannot be read: {error}.") from None
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line) if line.strip() else {"good": None}
            good = row["good"]
            if good is not None:
                found.append({"id": str(row["id"]), "rubric": rubric(str(row["rubric"])).name, "good": good})
        except (ValueError, LookupError, TypeError):
            raise DataError(f"line {number} of {str(path)!r} has no id, rubric and good.") from None
        if not (good is None or isinstance(good, bool)):
            raise DataError(f"line {number} of {str(path)!r}: good is {good!r}, not true, false or null.")
    return found


def take(storage: Storage, by: str, rows: Sequence[dict[str, Any]]) -> None:
    """Keeps a person's labels; of two of the same response the last counts."""
    for name in sorted({row["rubric"] for row in rows}):
        place = layout.labels(name, by)
        kept = {row["id"]: row for row in storage.read_lines(place)}
        kept |= {row["id"]: row | {"by": by} for row in rows if row["rubric"] == name}
        storage.write_lines(place, list(kept.values()))
