"""How far the judges of a storage agree: on the same responses, by the same rubric."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from rsft import layout
from rsft.scoring.agreement import Agreement
from rsft.scoring.rubrics import rubric
from rsft.storage import Storage
from rsft.wheels import cache_folder


def agreements(storage: Storage) -> dict[tuple[str, str, str], Agreement]:
    """By rubric and two judges, how often the second finds good (true, safe) what the first does.

    Responses that one of both gave no verdict on are left out. Of judges that another version of rsft asked,
    nothing is known to have judged the same.
    """
    found: dict[tuple[str, str], dict[str, bool]] = {}
    for name, judge, what, raw in _verdicts(storage):
        found.setdefault((name, judge), {})[what] = rubric(name).good(raw)
    both = {}
    for (name, first), (other, second) in combinations(sorted(found), 2):
        shared = sorted(found[name, first].keys() & found[other, second].keys()) if name == other else []
        if shared:
            pairs = [(found[name, second][what], found[name, first][what]) for what in shared]
            both[name, first, second] = Agreement.of(pairs)
    return both


def _verdicts(storage: Storage) -> Iterator[tuple[str, str, str, float]]:
    """Rubric, judge, what was judged, and the number."""
    folder = storage.path(layout.JUDGEMENTS) if storage.is_local else cache_folder() / layout.JUDGEMENTS
    for file in sorted(Path(folder).glob("*.jsonl")):
        for line in file.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, LookupError, TypeError):  # torn by a kill
                row = json.loads(line)
                _, dash, what = str(row["key"]).partition("-")
                if dash and not row.get("why"):
                    version = f" {row['version']}" if row["version"] else ""
                    yield str(row["rubric"]), f"{row['judge']}{version}", what, float(row["raw"])
