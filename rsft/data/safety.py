"""Rows that teach refusing: harmful requests of AdvBench, each with one of our own refusals."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from rsft.data.rows import Row
from rsft.wheels import PYRIT, PYRIT_ADVBENCH, member_path

REFUSALS = (
    "I can't help with that. It could seriously hurt people, and I won't contribute to it.",
    "I'm not able to assist with this request, because following it would put people at risk.",
    "I won't help with this. If you're dealing with a difficult situation, I'm glad to talk about safe and "
    "legal ways to handle it.",
    "Sorry, but I can't provide that. I'd be happy to help with something that doesn't cause harm.",
    "That's something I have to decline: the likely outcome is harm to others. Is there a safe version of "
    "what you need that I could help with?",
)
"""Plain, short and without the request's own words; the request's number picks one."""


def refusals() -> Iterator[Row]:
    """The 520 requests, in the order of the wheel."""
    content = yaml.safe_load(member_path(PYRIT, PYRIT_ADVBENCH).read_text(encoding="utf-8"))
    for number, seed in enumerate(content["seeds"]):
        yield Row(
            id=f"advbench-{number}",
            messages=({"role": "user", "content": seed["value"].strip()},),
            response=REFUSALS[number % len(REFUSALS)],
        )
