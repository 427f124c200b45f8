"""A training row: what it is, what makes one sound, and the schemas it is read from."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rsft.errors import DataError

THINK, END_THINK = "<think>\n", "\n</think>\n\n"
"""How our own rows open and close their thinking."""

Message = dict[str, str]
"""role (system, user or assistant) and content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One example: a conversation up to the last user message, and the response that answers it."""

    id: str
    """Unique in its source, and stable: the source's own id, or its name and the record's number."""
    messages: tuple[Message, ...]
    """System first if at all, then user and assistant in turn, user last. Assistant turns among them are
    trained on too."""
    response: str
    gold: str | None = None
    """The right answer, where the source states one."""
    verified: bool | None = None
    """Whether a grader found the response right; None: not asked."""

    @property
    def question(self) -> str:
        """The last user message."""
        return self.messages[-1]["content"]


@dataclass(slots=True)
class Tally:
    """What happened to the rows that were looked at."""

    seen: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> rows left out."""
    changed: Counter[str] = field(default_factory=Counter)
    """What was done to rows that stay -> their number."""


def split_thinking(response: str) -> tuple[str, str]:
    """(thinking with its tags and the line ends behind it, the rest); no thinking gives an empty first."""
    _, tag, rest = response.rpartition("</think>")
    if not tag:
        return "", response
    answer = rest.lstrip("\n")
    return response[: len(response) - len(answer)], answer


def parse_record(record: Mapping[str, Any], row_id: str) -> Row:
    """One stored record as a sound Row.

    Understood are the study's columns (`message`, `response`, optional `answer`, `advantage`, `logprob`),
    chat `messages` that end with the assistant, ShareGPT `conversations`, and prompt + response.

    Args:
        record: column -> value.
        row_id: for rows without an `id` of their own, and for messages.

    Raises:
        DataError: none of the schemas fits, or the row is not sound; names the row.
    """
    messages: Sequence[Message]
    if "message" in record and "response" in record:
        messages, response = _turns(record["message"], row_id), record["response"]
    elif "messages" in record or "conversations" in record:
        turns = _turns(record.get("messages", record.get("conversations")), row_id)
        if len(turns) < 2 or turns[-1]["role"] != "assistant":
            last = turns[-1]["role"] if turns else "nobody"
            raise DataError(f"{row_id}: its messages end with {last}; the last is the assistant's answer.")
        messages, response = turns[:-1], turns[-1]["content"]
    elif "prompt" in record and "response" in record:
        prompt = record["prompt"]
        messages = (
            [{"role": "user", "content": prompt}] if isinstance(prompt, str) else _turns(prompt, row_id)
        )
        response = record["response"]
    else:
        raise DataError(
            f"{row_id} has columns {', '.join(sorted(record))}; understood are message + response, messages "
            "or conversations that end with the assistant, and prompt + response."
        )
    for column in ("advantage", "logprob"):
        _finite(record.get(column), column, row_id)
    gold = record.get("answer", record.get("gold"))
    row = Row(
        id=str(record["id"]) if record.get("id") is not None else row_id,
        messages=tuple(messages),
        response=response,
        gold=None if gold is None else str(gold),
    )
    check(row, row_id)
    return row


_SHAREGPT = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}


def _turns(value: Any, row_id: str) -> list[Message]:
    """Chat messages, ShareGPT turns (from, value), or either as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise DataError(f"{row_id}: its messages are neither a list nor JSON: {value!r:.120}") from None
    if not isinstance(value, Sequence) or not all(isinstance(turn, Mapping) for turn in value):
        raise DataError(f"{row_id}: its messages are no list of turns: {value!r:.120}")
    turns = []
    for turn in value:
        if "from" in turn:
            role, content = _SHAREGPT.get(turn["from"], turn["from"]), turn.get("value")
        else:
            role, content = turn.get("role"), turn.get("content")
        turns.append({"role": role, "content": content})
    return turns


def _finite(value: Any, column: str, row_id: str) -> None:
    for number in value if isinstance(value, Sequence) and not isinstance(value, str) else (value,):
        if number is not None and not math.isfinite(float(number)):
            raise DataError(f"{row_id}: its {column} is {number}; every weight of a row is a finite number.")


def check(row: Row, where: str) -> None:
    """Raises a DataError that names the row unless its turns are in order and have text."""
    turns = row.messages[1:] if row.messages and row.messages[0]["role"] == "system" else row.messages
    roles = [turn["role"] for turn in turns]
    expected = [("user", "assistant")[number % 2] for number in range(len(roles))]
    if roles != expected or len(roles) % 2 == 0:
        found = ", ".join(str(turn["role"]) for turn in row.messages) or "none"
        raise DataError(
            f"{where}: roles before the response are {found}; they are user and assistant in turn, user "
            "first and last, after one system message at most."
        )
    for role, text in (
        *((turn["role"], turn["content"]) for turn in row.messages),
        ("response", row.response),
    ):
        if not isinstance(text, str):
            raise DataError(
                f"{where}: its {role} text is {type(text).__name__} ({text!r:.80}), not a string."
            )
    for text in (*(turn["content"] for turn in turns if turn["role"] == "assistant"), row.response):
        if not text.strip():
            raise DataError(f"{where} has an empty response, so nothing of it would be trained on.")
    if not row.question.strip():
        raise DataError(f"{where} has an empty question; remove the row.")
