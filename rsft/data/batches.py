"""Which rows an optimizer step sees, and how they are laid out. Pure arithmetic, no tensors.

The order of rows is a function of (seed, epoch, position). Rows of a step are packed best-fit into
sequences, sequences into micro-batches, micro-batches onto workers; none of this changes the gradient,
since the loss is a mean over all target tokens of the step.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsft.data.template import Tokens

IGNORE = -100
"""Label of a position that is not trained on."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """One forward pass of one worker: S packed sequences of T positions, as numpy arrays (S, T)."""

    input_ids: np.ndarray
    position_ids: np.ndarray
    """Restart at 0 with every document, so that documents never see each other."""
    labels: np.ndarray
    """The next token where it is a target, IGNORE elsewhere."""


def step_rows(step: int, batch_sequences: int, rows: int, seed: int, shuffle: bool) -> list[int]:
    """Row numbers of optimizer step `step` (from 0): a window on the endless stream of epochs."""
    positions = range(step * batch_sequences, (step + 1) * batch_sequences)
    orders: dict[int, np.ndarray] = {}
    chosen = []
    for position in positions:
        epoch, offset = divmod(position, rows)
        if epoch not in orders:
            orders[epoch] = epoch_order(epoch, rows, seed) if shuffle else np.arange(rows)
        chosen.append(int(orders[epoch][offset]))
    return chosen


def epoch_order(epoch: int, rows: int, seed: int) -> np.ndarray:
    """The permutation of one epoch; numpy's PCG64, whose stream is stable across versions."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(rows)


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Packs items into as few bins as best-fit-decreasing finds; returns item numbers per bin.

    Raises:
        ValueError: an item longer than the capacity.
    """
    bins: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, bin), sorted, so that the tightest fit is found at once
    for item in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if lengths[item] > capacity:
            raise ValueError(f"item {item} of length {lengths[item]} exceeds capacity {capacity}")
        at = bisect_left(rooms, (lengths[item], -1))
        if at < len(rooms):
            room, best = rooms.pop(at)
            bins[best].append(item)
        else:
            room, best = capacity, len(bins)
            bins.append([item])
        insort(rooms, (room - lengths[item], best))
    return bins


def assign(
    lengths: Sequence[int], *, workers: int, sequence_tokens: int, micro_batch_tokens: int
) -> list[list[list[list[int]]]]:
    """Lays the rows of a step out: workers -> micro-batches -> sequences -> item numbers.

    Every worker gets the same number of micro-batches (some may be empty), since ZeRO's collectives
    run in all of them.
    """
    bins = best_fit(lengths, sequence_tokens)
    fill = [sum(lengths[i] for i in members) for members in bins]
    per_worker: list[list[int]] = [[] for _ in range(workers)]
    load = [0] * workers
    for b in sorted(range(len(bins)), key=lambda b: (-fill[b], b)):
        lightest = min(range(workers), key=lambda w: (load[w], w))
        per_worker[lightest].append(b)
        load[lightest] += fill[b]
    grouped = [_group(mine, fill, micro_batch_tokens) for mine in per_worker]
    most = max(len(groups) for groups in grouped)
    return [
        [[bins[b] for b in group] for group in groups] + [[]] * (most - len(groups)) for groups in grouped
    ]


def assign_unpacked(rows: int, *, workers: int, micro_batch_sequences: int) -> list[list[list[list[int]]]]:
    """The study's layout, shaped as `assign`: every row a sequence of its own, rows dealt to workers in turn,
    micro-batches of a fixed number of rows (so worker r's t-th one of m rows on W workers has the rows
    r + W (m t + i), i < m).
    """
    dealt = [list(range(worker, rows, workers)) for worker in range(workers)]
    size = micro_batch_sequences
    return [[[[row] for row in mine[at : at + size]] for at in range(0, len(mine), size)] for mine in dealt]


def _group(mine: list[int], fill: list[int], micro_batch_tokens: int) -> list[list[int]]:
    """Bins of one worker, longest first, in groups whose padded size stays within the limit."""
    groups: list[list[int]] = []
    for b in mine:
        if groups and (len(groups[-1]) + 1) * fill[groups[-1][0]] <= micro_batch_tokens:
            groups[-1].append(b)
        else:
            groups.append([b])
    return groups


def micro_batch(sequences: Sequence[Sequence[int]], rows: Sequence[Tokens], pad: int) -> MicroBatch:
    """Arrays of one forward pass; an empty one is a single pad token without a target."""
    packed = [[rows[item] for item in members] for members in sequences] or [[]]
    longest = max([sum(len(t) for t in s) for s in packed] + [2])
    shape = (len(packed), longest)
    ids = np.full(shape, pad, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    labels = np.full(shape, IGNORE, dtype=np.int64)
    for s, documents in enumerate(packed):
        at = 0
        for tokens in documents:
            end = at + len(tokens)
            ids[s, at:end] = tokens.ids
            positions[s, at:end] = np.arange(len(tokens))
            for start, stop in tokens.spans:
                # Position i predicts token i + 1, so the last prompt token has the first target as label.
                labels[s, at + start - 1 : at + stop - 1] = tokens.ids[start:stop]
            at = end
        positions[s, at:] = np.arange(longest - at)  # the padding is a document of its own
    return MicroBatch(ids, positions, labels)


def data_hash(rows: Sequence[Tokens]) -> str:
    """Digest of the token ids of one step, in order; logged so that two runs can be compared."""
    digest = hashlib.sha256()
    for tokens in rows:
        digest.update(tokens.ids.tobytes())
    return digest.hexdigest()[:12]
