"""The nouns that travel between rooms: Checkpoint, Problem, Generation, Score, and a cell's summary.

All frozen, all plain values: each is one JSON object or one Parquet row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["correct", "wrong", "no_answer", "truncated", "error"]
"""`truncated`: the token limit came before an answer; `error`: ours or the grader's fault, never wrong."""

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights that can be evaluated."""

    trial_id: str
    step: int
    path: str
    """Folder with safetensors, tokenizer and chat template; a local path or a URI."""
    target_tokens: int = 0
    """Target tokens trained on so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row of a benchmark."""

    id: str
    """Unique within the benchmark and stable across runs."""
    question: str
    prompt: str
    """The user message: question and instruction."""
    gold: str
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the benchmark's grader needs beside `gold`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One answer of one checkpoint."""

    problem: str
    """Problem.id."""
    sample: int
    """0 .. samples - 1."""
    seed: int
    """Of this answer's sampling; a function of benchmark, problem and sample."""
    text: str
    """The response without the end marker."""
    tokens: int
    """Response tokens, end marker included."""
    prompt_tokens: int
    finish: FinishReason
    """`length` when the token budget was hit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The verdict on one generation."""

    problem: str
    sample: int
    outcome: Outcome
    answer: str | None
    """What was read in the text, before normalisation; None if nothing was found."""
    where: str | None
    """How it was read, such as `last boxed`."""
    raw: float
    """The grader's own number, in [0, 1] except for reward models; accuracy counts `outcome`, not this."""
    truncated: bool
    """The token budget was hit, whatever the outcome."""
    tokens: int
    """Response tokens."""
    why: str = ""
    """Why the outcome is what it is, where there is more to say: an error's reason, a failed test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number that does not travel alone."""

    metric: str
    value: float
    stderr: float
    """Standard error, clustered by problem; 0 when all problems agree."""
    ci_low: float
    ci_high: float
    problems: int
    samples: int
    """Generations behind the value."""
    truncated: float
    """Share of those generations cut at the token limit."""


def row(record: Any) -> dict[str, Any]:
    """A record as a plain dict."""
    return asdict(record)
