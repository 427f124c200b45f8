"""Where training rows come from: generators, the hub, local files. The door of `datasets`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from rsft.benchmarks.cards import CARDS, GeneratedProblems
from rsft.benchmarks.source import problems
from rsft.data.countdown import solve
from rsft.errors import DataError
from rsft.spec.data import DataSpec, FileRows, GeneratedRows, HubRows
from rsft.spec.seeds import BLOCK, item_seeds

THINK, END_THINK = "<think>\n", "\n</think>\n\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One example: what the user (and anyone before) said, and the response that is trained on."""

    id: str
    messages: tuple[dict[str, str], ...]
    response: str


@dataclass(slots=True)
class Tally:
    """What happened to the items that were looked at."""

    seen: int = 0
    unverified: int = 0
    """No worked solution, or one that the task's own scorer does not accept."""
    held_out: int = 0
    """The very question of the task's benchmark, met again by chance."""


def rows(data: DataSpec, tally: Tally) -> Iterator[Row]:
    """Yields the variant's rows, at most `data.rows`, always the same ones in the same order.

    Args:
        data: the variant.
        tally: counts what was seen and left out.

    Raises:
        DataError: the source cannot be read, or a row has no known schema.
    """
    source = data.source
    if isinstance(source, GeneratedRows):
        yield from islice(_generated(source, tally, data.rows), data.rows)
    else:
        yield from islice(_stored(data, source, tally), data.rows)


def fingerprint(data: DataSpec) -> str | None:
    """Digest of a local file's content; None for other sources, or while the file is not there."""
    if not isinstance(data.source, FileRows):
        return None
    path = Path(data.source.path).expanduser()
    if not path.is_file():
        return None
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


def _generated(source: GeneratedRows, tally: Tally, wanted: int) -> Iterator[Row]:
    import reasoning_gym  # seconds to import; only those who build rows wait for it

    card = CARDS[source.task]
    assert isinstance(card.source, GeneratedProblems)
    first = item_seeds("training", source.seed, BLOCK).start
    items = reasoning_gym.create_dataset(card.source.task, size=BLOCK, seed=first, **card.source.config)
    work = WORKED[source.task]
    # Seeds keep training and evaluation apart; small problem spaces still meet now and then.
    held_out = _benchmark_questions(source.task)
    for index in range(min(BLOCK, 20 * wanted)):
        item = items[index]
        tally.seen += 1
        if item["question"].strip() in held_out:
            tally.held_out += 1
            continue
        worked = work(item, first + index)
        if worked is None or items.score_answer(worked[1], item) != 1.0:
            tally.unverified += 1
            continue
        solution, answer = worked
        thinking = f"{THINK}{solution}{END_THINK}" if source.style == "long-cot" else ""
        yield Row(
            id=f"{source.task}-{first + index}",
            messages=({"role": "user", "content": card.prompt(item["question"])},),
            response=f"{thinking}\\boxed{{{answer}}}",
        )


@cache
def _benchmark_questions(task: str) -> frozenset[str]:
    return frozenset(problem.question.strip() for problem in problems(CARDS[task]))


def _worked_gsm(item: dict[str, Any], seed: int) -> tuple[str, str] | None:
    """The template's own worked solution, without its `#### answer` line."""
    solution, marker, _ = item["metadata"]["answer_cot"].rpartition("\n####")
    return (solution.strip(), str(item["answer"])) if marker else None


def _worked_countdown(item: dict[str, Any], seed: int) -> tuple[str, str] | None:
    """A search that really ran; its order of tries comes from the item's seed."""
    trace = solve(item["metadata"]["numbers"], item["metadata"]["target"], seed)
    return (trace.text, trace.expression) if trace else None


WORKED: dict[str, Callable[[dict[str, Any], int], tuple[str, str] | None]] = {
    "gsm-symbolic": _worked_gsm,
    "countdown": _worked_countdown,
}
"""Task -> (worked solution, answer) of an item; None when it has none."""


def _stored(data: DataSpec, source: HubRows | FileRows, tally: Tally) -> Iterator[Row]:
    for index, record in enumerate(_records(source)):
        tally.seen += 1
        yield parse_record(record, f"{data.name}-{index}")


_LOADERS = {
    ".parquet": "parquet",
    ".jsonl": "json",
    ".json": "json",
    ".csv": "csv",
    ".arrow": "arrow",
}


def _records(source: HubRows | FileRows) -> Iterator[dict[str, Any]]:
    import datasets  # seconds to import; generated variants do without it

    try:
        if isinstance(source, HubRows):
            yield from datasets.load_dataset(
                source.dataset, revision=source.revision, split=source.split, streaming=True
            )
            return
        path = Path(source.path).expanduser()
        if not path.exists():
            raise DataError(f"data file {source.path!r} does not exist; correct FileRows.path.")
        if path.suffix not in _LOADERS:
            raise DataError(
                f"data file {source.path!r} ends in {path.suffix!r}; readable are {', '.join(_LOADERS)}."
            )
        yield from datasets.load_dataset(
            _LOADERS[path.suffix], data_files=str(path), split="train", streaming=True
        )
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        if isinstance(error, DataError):
            raise
        where = source.dataset if isinstance(source, HubRows) else source.path
        raise DataError(
            f"rows of {where!r} cannot be read ({type(error).__name__}: {str(error)[:200]}); "
            "check name, revision and network, or use FileRows with a local copy."
        ) from None


def parse_record(record: dict[str, Any], row_id: str) -> Row:
    """One stored record as a Row; understands the study's columns, chat messages, prompt/response.

    Raises:
        DataError: none of the schemas fits.
    """
    if "response" in record and "message" in record:
        message = record["message"]
        messages = json.loads(message) if isinstance(message, str) else list(message)
        return Row(row_id, tuple(_turn(turn) for turn in messages), str(record["response"]))
    if "messages" in record:
        turns = [_turn(turn) for turn in record["messages"]]
        if len(turns) > 1 and turns[-1]["role"] == "assistant":
            return Row(row_id, tuple(turns[:-1]), turns[-1]["content"])
    if "prompt" in record and "response" in record:
        user = {"role": "user", "content": str(record["prompt"])}
        return Row(row_id, (user,), str(record["response"]))
    raise DataError(
        f"row {row_id} has columns {', '.join(sorted(record))}; understood are message + response, "
        "messages that end with the assistant, and prompt + response."
    )


def _turn(turn: dict[str, Any]) -> dict[str, str]:
    return {"role": str(turn["role"]), "content": str(turn["content"])}
