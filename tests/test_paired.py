"""Means and differences over problems against published examples: python -m pytest tests/test_paired.py"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from rsft.analysis.bootstrap import benjamini_hochberg, holm
from rsft.analysis.paired import bootstrap_interval, paired_difference, problem_means
from rsft.errors import DataError
from rsft.records import Outcome, Score

REPERFUSION = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
    *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]
"""Benjamini and Hochberg 1995, section 4.1: Bonferroni finds three, their procedure four."""


def score(problem: str, outcome: Outcome, sample: int = 0) -> Score:
    return Score(
        problem=problem,
        sample=sample,
        outcome=outcome,
        answer=None,
        where=None,
        raw=float(outcome == "correct"),
        truncated=False,
        tokens=1,
    )


def checkpoint(shares: list[float], samples: int = 10) -> list[Score]:
    return [
        score(f"p{i:03d}", "correct" if j < round(share * samples) else "wrong", j)
        for i, share in enumerate(shares)
        for j in range(samples)
    ]


def test_the_example_of_benjamini_and_hochberg() -> None:
    assert sum(p <= 0.05 for p in holm(REPERFUSION)) == 3
    assert sum(p <= 0.05 for p in benjamini_hochberg(REPERFUSION)) == 4
    assert benjamini_hochberg(REPERFUSION)[3] == pytest.approx(0.0095 * 15 / 4)


def test_adjusted_p_values_keep_their_place_and_their_order() -> None:
    # By hand: 4 p values; sorted .01 .02 .03 .5 times 4/1, 4/2, 4/3, 1, then the least from above.
    assert benjamini_hochberg([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.04, 0.04])
    assert holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert benjamini_hochberg([]) == [] and benjamini_hochberg([0.2]) == [0.2]
    with pytest.raises(DataError, match="0 to 1"):
        benjamini_hochberg([0.1, 1.1])


def test_a_paired_difference_by_hand() -> None:
    one, two = checkpoint([1.0, 0.5, 0.8, 0.2]), checkpoint([0.6, 0.5, 0.6, 0.2])
    found = paired_difference(two, one)
    # Differences 0.4, 0, 0.2, 0: mean 0.15, sd sqrt((.0625 + .0225 + .0025 + .0225) / 3).
    assert found.change.value == pytest.approx(0.15)
    assert (found.first, found.second) == pytest.approx((0.475, 0.625))
    assert found.stderr == pytest.approx(math.sqrt(0.11 / 3) / 2)
    assert (found.problems, found.differing, found.left_out) == (4, 2, 0)
    assert found.change.low < found.change.value < found.change.high
    turned = paired_difference(one, two)
    assert (turned.change.value, turned.stderr) == pytest.approx((-found.change.value, found.stderr))
    assert turned.p == pytest.approx(found.p, abs=0.02)


def test_pairing_sees_what_two_means_cannot() -> None:
    random = np.random.default_rng(0)
    ease = random.integers(0, 10, 200) / 10
    better = [min(1.0, share + 0.1) for share in ease]
    found = paired_difference(checkpoint([float(share) for share in ease]), checkpoint(better))
    apart = math.hypot(*(np.std(each, ddof=1) / math.sqrt(200) for each in (better, ease)))
    assert found.stderr < apart / 10
    assert found.change.low > 0 and found.p < 0.01


def test_no_difference_is_not_found() -> None:
    random = np.random.default_rng(1)
    shares = [float(share) for share in random.integers(0, 11, 100) / 10]
    again = [float(share) for share in random.permutation(shares)]
    assert paired_difference(checkpoint(shares), checkpoint(again)).p > 0.05
    same = paired_difference(checkpoint(shares), checkpoint(shares))
    assert (same.change.value, same.stderr) == (0.0, 0.0) and same.p > 0.5
    assert same.change.low < 0 < same.change.high


def test_problems_of_one_side_are_left_out_and_counted() -> None:
    one = [*checkpoint([1.0, 0.0, 0.5]), score("other", "correct"), score("broken", "error")]
    found = paired_difference(one, checkpoint([0.0, 0.0, 0.5]))
    assert (found.problems, found.left_out) == (3, 1)
    with pytest.raises(DataError, match="there are 0"):
        paired_difference([score("a", "correct")], [score("b", "correct")])


def test_a_paired_interval_agrees_with_the_bootstrap_of_scipy() -> None:
    random = np.random.default_rng(0)
    one = random.integers(0, 11, 200) / 10
    two = np.clip(one + random.integers(-3, 5, 200) / 10, 0, 1)
    found = paired_difference(checkpoint(list(one)), checkpoint(list(two)), draws=10_000).change
    known = bootstrap((two - one,), np.mean, n_resamples=10_000, rng=random).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(known), abs=0.05 * (known.high - known.low))


def test_means_of_problems_leave_errors_out() -> None:
    scores = [score("a", "correct"), score("a", "error", 1), score("a", "wrong", 2), score("b", "error")]
    assert problem_means(scores) == {"a": 0.5}


def test_the_mice_of_efron_and_tibshirani() -> None:
    # Table 2.1: seven treated mice, mean 86.86 with standard error 25.24.
    mice = [94.0, 197.0, 16.0, 38.0, 99.0, 141.0, 23.0]
    found = bootstrap_interval(mice, draws=20_000)
    assert found.value == pytest.approx(86.857, abs=1e-3)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(25.24, rel=0.03)
    assert bootstrap_interval(mice[::-1], draws=20_000) == found, "the order of problems does not matter"
    assert bootstrap_interval(mice, seed=1, draws=20_000) != found
    with pytest.raises(DataError, match="two or more"):
        bootstrap_interval([1.0])
