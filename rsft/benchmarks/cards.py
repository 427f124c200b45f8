"""The catalogue: one card per benchmark. All prompt text of evaluation lives in this room.

A card has the number of answers and the token budget that a sweep takes where it names none. Temperature and
top-p belong to the EvalSpec (0.6 and 0.95 where it says nothing), so that two benchmarks of a sweep cannot
disagree silently; where the study sampled one otherwise, its note says so. A card that runs on a stand-in
has a name of its own; a real benchmark's name means its real, complete test rows.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from pathlib import Path

from rsft.benchmarks import gym
from rsft.benchmarks.card import BOXED, Benchmark, FileProblems, GeneratedProblems, HubProblems, WheelProblems
from rsft.benchmarks.catalogue import general, in_domain, reasoning, safety
from rsft.errors import SpecError

__all__ = [
    "BOXED",
    "CARDS",
    "STUDY",
    "Benchmark",
    "FileProblems",
    "GeneratedProblems",
    "HubProblems",
    "WheelProblems",
    "card",
]

CARDS: dict[str, Benchmark] = {
    card.name: card for card in (*in_domain.CARDS, *reasoning.CARDS, *general.CARDS, *safety.CARDS)
}

STUDY = (
    *("math-500", "aime-2024", "gpqa-diamond", "livecodebench-v2", "mmlu-pro-1k", "ifeval", "alpaca-eval"),
    *("halueval", "truthfulqa", "hex-phi"),
)
"""The study's ten benchmarks as cards; MMLU-Pro with as many questions as it asked."""


def card(name: str) -> Benchmark:
    """The card of that name.

    Beside the names of the catalogue: `reasoning_gym:TASK?seed=7&size=200` for any generated task, and
    `NAME@PATH` for a benchmark whose rows lie in a local file with the columns of its data set.

    Raises:
        SpecError: no such benchmark (names the nearest), no such file, or one for a card that is generated.
    """
    if name in CARDS:
        return CARDS[name]
    if name.startswith(gym.PREFIX):
        return gym.by_name(name)
    base, at, path = name.partition("@")
    if at and base in CARDS:
        return _from_file(CARDS[base], path)
    near = difflib.get_close_matches(name, CARDS, n=1, cutoff=0.0)[0]
    raise SpecError(
        f"evaluation.benchmarks names {name!r}, which is not in the catalogue; "
        f"the nearest is {near!r} (all: {', '.join(CARDS)}; and {gym.PREFIX}TASK)."
    )


def _from_file(found: Benchmark, path: str) -> Benchmark:
    if isinstance(found.source, GeneratedProblems):
        raise SpecError(
            f"evaluation.benchmarks: {found.name} is generated and reads no file; leave @{path} out."
        )
    try:
        with Path(path).expanduser().open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise SpecError(
            f"evaluation.benchmarks: {found.name} should come from {path}, which cannot be read "
            f"({type(error).__name__}); give a file of its rows."
        ) from None
    part = getattr(found.source, "subset_of", None)  # of the whole file, as of the whole split
    source = FileProblems(path=path, reader=found.source.reader, sha256=digest, subset_of=part)
    return dataclasses.replace(found, source=source)
