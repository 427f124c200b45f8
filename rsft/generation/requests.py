"""What is asked of an engine: plain values between the conductor and the actors. No engine here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rsft.canary import Canary


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRequest:
    """One benchmark to be answered by one checkpoint."""

    benchmark: str
    """Card name."""
    key: str
    """Card name and hash of card and sampling; names the cell's folder and the problem file."""
    folder: str
    """Where generations go, relative to the storage root."""
    problems: int
    """The first so many of the problem file."""
    samples: int
    max_new_tokens: int
    first: int = 0
    """Problems of the file that are left out at its start."""
    total: int | None = None
    """Problems of the whole cell, where this is a part of it; None: all of it."""
    begin: int = 0
    """Problems of the file that the whole cell leaves out at its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA checkpoint that is served on its base instead of being swapped in merged."""

    folder: str
    """With peft's two files (a path or URI)."""
    rank: int
    base: str
    """What the engine holds meanwhile."""
    base_canary: Canary

    @classmethod
    def read(cls, values: dict[str, Any]) -> Adapter:
        return cls(**(values | {"base_canary": Canary(**values["base_canary"])}))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalTask:
    """One checkpoint and everything it is still to be asked."""

    owner: str
    """Folder of the trial or base, relative to the storage root."""
    trial_id: str
    step: int
    weights: str
    """Folder with the weights (a path or URI)."""
    canary: Canary
    """What proves that these weights are live."""
    cells: tuple[CellRequest, ...]
    temperature: float
    top_p: float
    seed: int
    adapter: Adapter | None = None
    """Served instead of `weights`, which are the same model merged."""
    stream: bool = False
    """Write each cell as soon as it is answered instead of all at the end. What is asked again after an
    interruption then meets another batch, whose rounding may change a sampled token."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, values: dict[str, Any]) -> EvalTask:
        cells = tuple(CellRequest(**cell) for cell in values["cells"])
        adapter = values.get("adapter") and Adapter.read(values["adapter"])
        return cls(**(values | {"cells": cells, "canary": Canary(**values["canary"]), "adapter": adapter}))


def split(task: EvalTask, most: int) -> list[EvalTask]:
    """A task in parts of at most so many answers, of one problem at least; a small one stays whole.

    What an answer is batched with decides the last bit of its logits, so parts are cut at the same places
    every time: a part that is asked again after an interruption gives the same answers.
    """
    parts: list[list[CellRequest]] = [[]]
    room = most
    for cell in task.cells:
        done = 0
        while done < cell.problems:
            fits = room // cell.samples
            if fits <= 0 and parts[-1]:
                parts.append([])
                room = most
                continue
            count = min(max(fits, 1), cell.problems - done)
            parts[-1].append(
                replace(cell, first=cell.first + done, problems=count, total=cell.problems, begin=cell.first)
            )
            done += count
            room -= count * cell.samples
    return [replace(task, cells=tuple(cells)) for cells in parts if cells]


def convoys(tasks: Sequence[EvalTask], at_once: int) -> list[list[EvalTask]]:
    """Tasks that an engine answers at the same time: adapters of one base, each once; others alone."""
    found: list[list[EvalTask]] = []
    for task in tasks:
        last = found[-1] if found else []
        if (
            task.adapter
            and 0 < len(last) < at_once
            and last[0].adapter
            and last[0].adapter.base == task.adapter.base
            and all(one.weights != task.weights for one in last)
        ):
            last.append(task)
        else:
            found.append([task])
    return found


def sample_seed(seed: int, benchmark: str, problem: str, sample: int) -> int:
    """Seed of one answer: the same whatever else is sampled, so adding samples keeps the old ones."""
    text = f"{seed}\0{benchmark}\0{problem}\0{sample}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def token_budget(wanted: int, prompt_tokens: int, context_tokens: int) -> int:
    """Tokens an answer may have: what was asked for, or what the context leaves after the prompt."""
    return max(0, min(wanted, context_tokens - prompt_tokens))
