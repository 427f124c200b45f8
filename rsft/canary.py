"""How a swap of weights is proven: log-probabilities of one fixed text, as the export recorded them.

The trainer computes them from the exported files; an engine that has swapped the weights in must find
the same numbers, otherwise it still answers with other weights.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXT = "Question: 12 + 30 = ? Wait, let me check 7 * 6 as well.\nAnswer: both are 42, so \\boxed{42}."
"""Any text does: its log-probabilities tell one set of weights from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What a set of weights says about the text."""

    ids: list[int]
    """Token ids of the text."""
    logprobs: list[float]
    """log p(ids[i + 1] | ids[..i]), nats; one shorter than `ids`."""


def distance(reference: list[float], observed: list[float]) -> float:
    """Mean absolute difference of log-probabilities, nats per token.

    Raises:
        ValueError: different lengths.
    """
    pairs = list(zip(reference, observed, strict=True))
    return sum(abs(a - b) for a, b in pairs) / len(pairs)
