"""Which rows an optimizer step sees, and how they are laid out. Pure arithmetic, no tensors.

The order of rows is a function of (seed, epoch, position). The rows of a step are dealt to workers, and each
worker's rows are packed best-fit into micro-batches, side by side without padding; none of this changes the
gradient, since the loss is a mean over all target tokens of the step.
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

Layout = list[list[list[int]]]
"""Of one step: per worker, per micro-batch, the numbers of its rows. All workers have equally many."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """One forward pass of one worker: documents side by side, as numpy arrays (1, T)."""

    input_ids: np.ndarray
    position_ids: np.ndarray
    """Restart at 0 with every document, so that documents never see each other."""
    labels: np.ndarray
    """The next token where it is a target, IGNORE elsewhere."""


class RowOrder:
    """Row numbers of every optimizer step: windows on the endless stream of epochs."""

    def __init__(
        self, lengths: np.ndarray, seed: int, shuffle: bool, sequences: int, tokens: int | None = None
    ) -> None:
        """Windows of so many rows, or of as many rows, in order, as stay within `tokens`.

        Args:
            lengths: (rows,) tokens of every row.
            seed: of the order.
            shuffle: a new order in each epoch; otherwise the rows' own.
            sequences: rows per step; unused when `tokens` is given.
            tokens: per step, at least the longest row.
        """
        self._lengths, self._seed, self._shuffle = lengths, seed, shuffle
        self._sequences, self._tokens = sequences, tokens
        self._starts = [0]
        self._epoch: tuple[int, np.ndarray] | None = None

    def __getitem__(self, step: int) -> list[int]:
        """Rows of optimizer step `step`, from 0."""
        if self._tokens is None:
            window = range(step * self._sequences, (step + 1) * self._sequences)
        else:
            while len(self._starts) < step + 2:
                self._starts.append(self._end(self._starts[-1], self._tokens))
            window = range(self._starts[step], self._starts[step + 1])
        return [self._row(position) for position in window]

    def _end(self, position: int, room: int) -> int:
        while (length := self._lengths[self._row(position)]) <= room:
            room -= length
            position += 1
        return position

    def _row(self, position: int) -> int:
        epoch, offset = divmod(position, len(self._lengths))
        if not self._shuffle:
            return offset
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = epoch, epoch_order(epoch, len(self._lengths), self._seed)
        return int(self._epoch[1][offset])


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


def assign(lengths: Sequence[int], *, workers: int, micro_batch_tokens: int) -> Layout:
    """Deals rows to workers, longest first to whoever has least, and packs each worker's into micro-batches.

    Every worker gets the same number of micro-batches (some may be empty), since collectives need that.

    Raises:
        ValueError: a row longer than a micro-batch.
    """
    dealt: list[list[int]] = [[] for _ in range(workers)]
    load = [0] * workers
    for row in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        least = load.index(min(load))
        dealt[least].append(row)
        load[least] += lengths[row]
    packed = [
        [
            [mine[item] for item in members]
            for members in best_fit([lengths[i] for i in mine], micro_batch_tokens)
        ]
        for mine in dealt
    ]
    most = max(len(batches) for batches in packed)
    return [batches + [[]] * (most - len(batches)) for batches in packed]


def assign_unpacked(rows: int, *, workers: int, micro_batch_sequences: int) -> Layout:
    """The study's layout: rows dealt to workers in turn, micro-batches of a fixed number of rows (so worker
    r's t-th one of m rows on W workers has the rows r + W (m t + i), i < m).
    """
    dealt = [list(range(worker, rows, workers)) for worker in range(workers)]
    size = micro_batch_sequences
    return [[mine[at : at + size] for at in range(0, len(mine), size)] for mine in dealt]


def micro_batch(documents: Sequence[Tokens], pad: int) -> MicroBatch:
    """Arrays of one forward pass; without documents, two pad tokens and no target."""
    ids = [tokens.ids for tokens in documents] or [np.array([pad, pad])]
    positions = [np.arange(len(part)) for part in ids]
    labels = [np.full(len(part), IGNORE, dtype=np.int64) for part in ids]
    for tokens, label in zip(documents, labels, strict=False):
        for start, stop in tokens.spans:
            # Position i predicts token i + 1, so the last prompt token has the first target as label.
            label[start - 1 : stop - 1] = tokens.ids[start:stop]
    return MicroBatch(*(np.concatenate(parts).astype(np.int64)[None] for parts in (ids, positions, labels)))


def data_hash(rows: Sequence[Tokens]) -> str:
    """Digest of the token ids of one step, in order; logged so that two runs can be compared."""
    digest = hashlib.sha256()
    for tokens in rows:
        digest.update(tokens.ids.tobytes())
    return digest.hexdigest()[:12]
