"""How far the judges of a storage agree, people among them: on the same responses, by the same rubric."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

from rsft import layout
from rsft.scoring.agreement import Agreement
from rsft.scoring.rubrics import rubric
from rsft.storage import Storage
from rsft.wheels import cache_folder


def agreements(storage: Storage) -> dict[tuple[str, str, str], Agreement]:
    """By rubric and two judges, how often the second finds good (true, safe) what the first does.

    Responses that one of both gave no verdict on are left out. Of judges that another version of rsft asked,
    nothing is known to have judged the same. A model that shares no response with anybody stands beside "".
    """
    found: dict[tuple[str, str], dict[str, bool]] = {}
    for name, judge, what, good in chain(_verdicts(storage), _labels(storage)):
        found.setdefault((name, judge), {})[what] = good
    both = {}
    for (name, first), (other, second) in combinations(sorted(found), 2):
        shared = sorted(found[name, first].keys() & found[other, second].keys()) if name == other else []
        if shared:
            pairs = [(found[name, second][what], found[name, first][what]) for what in shared]
            both[name, first, second] = Agreement.of(pairs)
    compared = {(name, judge) for name, *judges in both for judge in judges}
    alone = found.keys() - compared
    return both | {(name, judge, ""): Agreement.of(()) for name, judge in alone if not _is_person(judge)}


def _labels(storage: Storage) -> Iterator[tuple[str, str, str, bool]]:
    """Rubric, person, what was judged, and whether it is good."""
    for file in storage.names(layout.LABELS):
        for row in storage.read_lines(f"{layout.LABELS}/{file}"):
            yield row["rubric"], f"{row['by']}{_PERSON}", row["id"], row["good"]


_PERSON = " (a person)"


def _is_person(judge: str) -> bool:
    return judge.endswith(_PERSON)


def _verdicts(storage: Storage) -> Iterator[tuple[str, str, str, bool]]:
    """Rubric, judge, what was judged, and whether it is good."""
    folder = storage.path(layout.JUDGEMENTS) if storage.is_local else cache_folder() / layout.JUDGEMENTS
    for file in sorted(Path(folder).glob("*.jsonl")):
        for line in file.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, LookupError, TypeError):  # torn by a kill
                row = json.loads(line)
                _, dash, what = str(row["key"]).partition("-")
                if dash and not row.get("why"):
                    version = f" {row['version']}" if row["version"] else ""
                    name = str(row["rubric"])
                    yield name, f"{row['judge']}{version}", what, rubric(name).good(float(row["raw"]))
