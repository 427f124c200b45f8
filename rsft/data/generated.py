"""Rows made here: problems of reasoning-gym tasks with solutions that are worked out and verified."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from rsft.benchmarks.cards import CARDS, GeneratedProblems
from rsft.benchmarks.source import problems
from rsft.data.countdown import solve
from rsft.data.rows import END_THINK, THINK, Row, Tally
from rsft.spec.data import GeneratedRows
from rsft.spec.seeds import BLOCK, item_seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """A solution of one item."""

    solution: str
    summary: str
    answer: str


def generated(source: GeneratedRows, tally: Tally, wanted: int) -> Iterator[Row]:
    """Yields up to `wanted` rows whose answers the task's own scorer accepts; looks at 20 items per row."""
    import reasoning_gym  # seconds to import; only those who build rows wait for it

    card = CARDS[source.task]
    assert isinstance(card.source, GeneratedProblems)
    first = item_seeds("training", source.seed, BLOCK).start
    config = card.source.config | source.config
    items = reasoning_gym.create_dataset(card.source.task, size=BLOCK, seed=first, **config)
    work = WORKED[source.task]
    made = 0
    for index in range(min(BLOCK, 20 * wanted)):
        item = items[index]
        tally.seen += 1
        if is_held_out(source.task, item):
            tally.dropped["benchmark_question"] += 1
            continue
        worked = work(item, first + index, source)
        if worked is None or items.score_answer(worked.answer, item) != 1.0:
            tally.dropped["not_verified"] += 1
            continue
        yield Row(
            id=f"{source.task}-{first + index}",
            messages=({"role": "user", "content": card.prompt(item["question"])},),
            response=_response(source, worked),
            gold=worked.answer,
            verified=True,
        )
        made += 1
        if made == wanted:
            return


def _response(source: GeneratedRows, worked: Worked) -> str:
    boxed = f"\\boxed{{{worked.answer}}}"
    if source.style == "answer-only":
        return boxed
    summary = f"{worked.summary}\n" if source.summary else ""
    return f"{THINK}{worked.solution}{END_THINK}{summary}{boxed}"


def is_held_out(task: str, item: dict[str, Any]) -> bool:
    """Whether an item is a problem of the task's benchmark, met again by chance.

    Seeds keep training and evaluation apart, but small problem spaces still meet: one in twenty countdown
    problems has a benchmark problem's target and numbers, mostly in other words and another order.
    """
    return _key(item) in _benchmark_keys(task)


def _key(item: dict[str, Any]) -> Hashable:
    """What makes two items the same problem, whatever the wording."""
    facts = item["metadata"]
    if facts.get("source_dataset") == "countdown":
        return facts["target"], tuple(sorted(facts["numbers"]))
    return " ".join(item["question"].lower().split())


@cache
def _benchmark_keys(task: str) -> frozenset[Hashable]:
    return frozenset(_key(problem.metadata["entry"]) for problem in problems(CARDS[task]))


def _gsm(item: dict[str, Any], seed: int, source: GeneratedRows) -> Worked | None:
    """The template's own worked solution, without its `#### answer` line."""
    solution, marker, _ = item["metadata"]["answer_cot"].rpartition("\n####")
    solution = solution.strip()
    if not marker or not solution:
        return None
    return Worked(solution=solution, summary=solution.splitlines()[-1], answer=str(item["answer"]))


def _countdown(item: dict[str, Any], seed: int, source: GeneratedRows) -> Worked | None:
    """A search that really ran; its order of tries comes from the item's seed."""
    facts = item["metadata"]
    trace = solve(facts["numbers"], facts["target"], seed, max_lines=source.search_lines)
    if trace is None:
        return None
    return Worked(solution=trace.text, summary="\n".join(trace.steps), answer=trace.expression)


WORKED: dict[str, Callable[[dict[str, Any], int, GeneratedRows], Worked | None]] = {
    "gsm-symbolic": _gsm,
    "countdown": _countdown,
}
"""Task -> the worked solution of an item; None when it has none."""
