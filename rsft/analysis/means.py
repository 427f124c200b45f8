"""A cell's scores by problem, as arrays: what curves are made of."""

from __future__ import annotations

from dataclasses import dataclass

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
    def of(cls, scores: pa.Table) -> ProblemMeans:
        """
        Args:
            scores: a cell's, with COLUMNS, a row per answer in any order.
        """
        problem = scores["problem"].combine_chunks().dictionary_encode()
        outcome = scores["outcome"].combine_chunks().dictionary_encode()
        names = np.array(problem.dictionary.to_pylist(), dtype=object)
        kinds = np.array(outcome.dictionary.to_pylist(), dtype=object)
        at, kind = problem.indices.to_numpy(), outcome.indices.to_numpy()
        graded = (kinds != "error")[kind]
        at, right = at[graded], (kinds == "correct")[kind][graded]
        samples = np.bincount(at, minlength=len(names))
        found = np.flatnonzero(samples)
        found = found[np.argsort(names[found])]
        count = samples[found]
        return cls(
            problems=names[found],
            scores=np.bincount(at, weights=right, minlength=len(names))[found] / count,
            tokens=np.bincount(at, weights=scores["tokens"].to_numpy()[graded], minlength=len(names))[found]
            / count,
            samples=count,
        )

    def of_problems(self, wanted: npt.NDArray[np.object_]) -> ProblemMeans:
        """The same of some problems, ascending and all of them here."""
        if len(wanted) == len(self.problems):
            return self
        at = np.searchsorted(self.problems, wanted)
        return ProblemMeans(wanted, self.scores[at], self.tokens[at], self.samples[at])
