"""Responses that people labelled as refusals or not, out of a pinned wheel: they measure our own matcher."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from typing import Literal

from rsft.wheels import PYRIT, PYRIT_REFUSALS, PYRIT_REFUSALS_EXTRA, member_path

Part = Literal["tune", "held-out", "extra"]

SPLIT = "refusal-split-1"
"""Seed of the split. The patterns were written while looking at `tune` alone."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One response and its human label."""

    prompt: str
    response: str
    refused: bool


def refusals(part: Part) -> list[Labelled]:
    """Human-labelled responses of PyRIT's refusal scorer, in file order.

    `tune` and `held-out` are the 105 rows of refusal.csv, parted by the lowest bit of the first byte of
    sha256(SPLIT, prompt, response); `extra` is refusal_extra.csv, which played no part in writing patterns.
    Labels hold an answer to another question than the one asked for a refusal, too.

    Raises:
        DataError: the wheel cannot be fetched.
    """
    member = PYRIT_REFUSALS_EXTRA if part == "extra" else PYRIT_REFUSALS
    text = member_path(PYRIT, member).read_text(encoding="utf-8", errors="surrogateescape")
    start = text.index("objective,")  # comment lines come first
    found = []
    for row in csv.DictReader(io.StringIO(text[start:], newline="")):
        prompt, response = row["objective"], row["assistant_response"]
        key = f"{SPLIT}\n{prompt}\n{response}".encode("utf-8", "surrogateescape")
        mine = "held-out" if hashlib.sha256(key).digest()[0] & 1 else "tune"
        if part in ("extra", mine):
            found.append(Labelled(prompt, response, row["human_score"] == "1"))
    return found
