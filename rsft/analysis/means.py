"""A cell's scores by problem, as arrays: what curves are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

COLUMNS = ("problem", "outcome", "tokens")
"""Of a cell's scores (rsft.records.Score), all that is read."""


@dataclass(frozen=True, slots=True, eq=False)
class ProblemMeans:
    """Means over the graded answers to each problem; outcomes `error` are left out, and so is a problem
    without any other."""

    problems: npt.NDArray[np.object_]
    """(problems,) ids, ascending."""
    scores: npt.NDArray[np.float64]
    """(problems,) share of right answers."""
    tokens: npt.NDArray[np.float64]
    """(problems,) mean response tokens."""
    samples: npt.NDArray[np.int64]
    """(problems,) graded answers."""

    @classmethod
    def of_each(cls, scores: Sequence[pa.Table]) -> list[ProblemMeans]:
        """Of many cells, at once: of a small one by itself, calls take longer than numbers.

        Args:
            scores: each a cell's, with COLUMNS, a row per answer in any order.
        """
        if not scores:
            return []
        cell = np.repeat(np.arange(len(scores)), [table.num_rows for table in scores])
        every = pa.concat_tables(scores)
        problem = every["problem"].combine_chunks().dictionary_encode()
        outcome = every["outcome"].combine_chunks().dictionary_encode()
        names = np.array(problem.dictionary.to_pylist(), dtype=object)
        kinds = np.array(outcome.dictionary.to_pylist(), dtype=object)
        order, size = np.argsort(names), max(1, len(names))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        kind = outcome.indices.to_numpy()
        graded = (kinds != "error")[kind]
        right, tokens = (kinds == "correct")[kind][graded], every["tokens"].to_numpy()[graded]
        key = (cell * size + place[problem.indices.to_numpy()])[graded]
        found, of = np.unique(key, return_inverse=True)
        count = np.bincount(of, minlength=len(found))
        means = [np.bincount(of, weights=one, minlength=len(found)) / count for one in (right, tokens)]
        ends = np.searchsorted(found, np.arange(len(scores) + 1) * size)
        asked = names[order][found % size]
        return [cls(asked[i:j], means[0][i:j], means[1][i:j], count[i:j]) for i, j in pairwise(ends)]

    def of_problems(self, wanted: npt.NDArray[np.object_]) -> ProblemMeans:
        """The same of some problems, ascending and all of them here."""
        if len(wanted) == len(self.problems):
            return self
        at = np.searchsorted(self.problems, wanted)
        return ProblemMeans(wanted, self.scores[at], self.tokens[at], self.samples[at])
