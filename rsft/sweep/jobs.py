"""What the conductor hands to engines, and which engines there are. Plain values and callables.

`run_sweep` takes an `Engines`; `main` builds the real one, tests build one from plain functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rsft.bases import Base
from rsft.canary import Canary
from rsft.data.contamination import Index
from rsft.data.prepare import Prove
from rsft.data.template import Tokenizer
from rsft.generation.requests import EvalTask
from rsft.spec.model import ModelSpec
from rsft.spec.trial import Trial
from rsft.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """One trial, ready to be trained."""

    trial: Trial
    storage: str
    """Root of the sweep."""
    prepared: str
    """Name of the prepared rows."""
    base: str
    """Folder or hub id."""
    heldout: tuple[tuple[str, str], ...] = ()
    """(name of a slice, name of its prepared rows)."""

    def config(self) -> dict[str, Any]:
        """As plain values, for the training workers."""
        return {
            "trial": self.trial.model_dump(mode="json"),
            "storage": self.storage,
            "prepared": self.prepared,
            "base": self.base,
            "heldout": list(self.heldout),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob:
    """Checkpoints of one base, ready to be asked."""

    model: ModelSpec
    base: Base
    storage: str
    tasks: tuple[EvalTask, ...]
    adapters: int = 1
    """LoRA checkpoints that an engine serves at the same time."""
    endpoint: str | None = None
    """Address of a server that answers instead of an engine."""


Finish = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns an answered cell's row into its final row."""
MakeFinish = Callable[[], Finish]
"""Makes one where it is to run; what it makes may be costly and is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Who does the work."""

    tokenizer: Callable[[str, ModelSpec], Tokenizer]
    """(source, model) -> tokenizer."""
    prove: Prove
    """Compares the loss of a few rows in several layouts, for certificates."""
    scan: Callable[[Storage, str, Index, int], pa.Table]
    """Looks for benchmark problems in prepared rows (see rsft.data.overlap.flagged)."""
    beside: Callable[[Sequence[TrainJob]], bool]
    """Whether engines have room beside the training of these jobs."""
    train: Callable[[Sequence[TrainJob]], dict[str, str]]
    """Trains all jobs; returns the error text of each trial that failed."""
    canary: Callable[[ModelSpec, Base], Canary]
    """What an untrained base says about the canary's text."""
    answer: Callable[[AnswerJob, MakeFinish], Iterator[dict[str, Any]]]
    """Answers all tasks of a job; yields each cell's final row as it is done."""
