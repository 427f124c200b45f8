"""Where a card's problems come from: the only module of this room that reads anything."""

from __future__ import annotations

import json
from typing import Any

from rsft.benchmarks.cards import Benchmark, GeneratedProblems, WheelProblems
from rsft.boxed import last_boxed
from rsft.errors import DataError
from rsft.records import Problem
from rsft.spec.seeds import item_seeds
from rsft.wheels import documents


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
    rows = documents(source.wheel, source.member)
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
