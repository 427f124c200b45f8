"""A difference between checkpoints, problem by problem: its value, and its error over problems and seeds.

All checkpoints answer the same problems, so what problems have in common cancels (Miller 2024,
arXiv:2411.00640, section 4.2): an error that took two sides for independent would be half as large again or
more. Benchmarks are independent, and each counts alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rsft.analysis.bootstrap import Array, paired_errors
from rsft.analysis.crossed import DRAWS, Between, Error
from rsft.analysis.means import ProblemMeans

MEASURED = {"accuracy": "scores", "response_tokens": "tokens"}
"""Metrics that are known problem by problem, as fields of ProblemMeans."""

Place = tuple[str, int]
"""Whose weights, and step."""
Known = Mapping[tuple[str, int, str], ProblemMeans]
"""By place and benchmark."""


class Benchmark(NamedTuple):
    """Answers of all checkpoints of a difference to the same problems."""

    table: Array
    """(checkpoints, problems)."""
    errors: Array
    """(draws,) of the difference."""
    samples: int
    """Of each problem at least."""
    luck: float
    """Variance of the difference that goes when samples of the same problems grow without end."""


def benchmark(
    weights: Mapping[Place, float], name: str, metric: str, known: Known, seed: int = 0
) -> Benchmark | None:
    """None where a checkpoint, or two problems in common, are not known.

    Args:
        weights: of the checkpoints, summing to 0.
        name: of the benchmark.
        metric: of the tidy table.
        known: answers by problem, of as many cells as there are.
        seed: of the draws.
    """
    cells = [known.get((*place, name)) for place in weights]
    found = [cell for cell in cells if cell is not None]
    if metric not in MEASURED or len(found) < len(cells):
        return None
    table = aligned([(cell.problems, getattr(cell, MEASURED[metric])) for cell in found])
    if table.shape[1] < 2:
        return None
    factors, samples = np.array(list(weights.values())), int(min(cell.samples.min() for cell in found))
    errors = paired_errors((factors @ table)[None], seed=seed, draws=DRAWS)[:, 0]
    luck = float(factors**2 @ luck_of(table, samples)) if metric == "accuracy" else 0.0
    return Benchmark(table, errors, samples if luck else 1, luck)


def luck_of(table: Array, samples: int) -> Array:
    """Variance (checkpoints,) that the luck of right-or-wrong samples gives to means of scores (checkpoints,
    problems); 0 with one sample each, which does not tell it."""
    count = table.shape[1] * (samples - 1)
    return np.asarray((table * (1 - table)).mean(1) / count if count else np.zeros(len(table)))


def error_of(
    benchmarks: Sequence[Benchmark], weights: Mapping[Place, float], seeds: Sequence[Sequence[Place]]
) -> Error:
    """Of the mean of a difference over benchmarks.

    Args:
        benchmarks: each with a row per weight.
        weights: of the checkpoints.
        seeds: those trained alike but for the seed, as groups; in one of its own one that has no like.
    """
    row = {place: i for i, place in enumerate(weights)}
    groups = [[row[place] for place in group] for group in seeds]
    return Error.of(
        np.mean([one.errors for one in benchmarks], axis=0),
        [Between.of([one.table[rows] for one in benchmarks]) for rows in groups if len(rows) > 1],
        sum(weights[place] ** 2 for group in seeds for place in group),
        np.random.default_rng(0),
    )


def aligned(rows: Sequence[tuple[npt.NDArray[Any], Array]]) -> Array:
    """Scores (rows, problems) of the problems that all rows have, in order of their ids.

    Args:
        rows: ids of problems, each once and in any order, with their scores.
    """
    first = rows[0][0]
    if all(np.array_equal(first, problems) for problems, _ in rows):
        return np.stack([scores for _, scores in rows])
    common = reduce(np.intersect1d, [problems for problems, _ in rows])
    sorters = [np.argsort(problems) for problems, _ in rows]
    return np.stack(
        [
            scores[sorter[np.searchsorted(problems, common, sorter=sorter)]]
            for (problems, scores), sorter in zip(rows, sorters, strict=True)
        ]
    )
