"""Estimators against numbers worked by hand: python -m pytest tests/test_estimators.py"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsft.errors import DataError
from rsft.records import Estimate, Outcome, Score
from rsft.scoring.estimators import estimates, pass_at_k, ratio, wilson

METRICS = ["accuracy", "accuracy_finished", "truncated", "no_answer", "response_tokens"]


def score(problem: str, outcome: Outcome, *, sample: int = 0, tokens: int = 10, cut: bool = False) -> Score:
    return Score(
        problem=problem,
        sample=sample,
        outcome=outcome,
        answer=None,
        where=None,
        raw=float(outcome == "correct"),
        truncated=cut or outcome == "truncated",
        tokens=tokens,
    )


def by_name(scores: list[Score]) -> dict[str, Estimate]:
    return {estimate.metric: estimate for estimate in estimates(scores)}


def singles(correct: int, problems: int) -> list[Score]:
    return [score(f"p{i}", "correct" if i < correct else "wrong") for i in range(problems)]


def test_metrics_come_in_a_fixed_order() -> None:
    assert [estimate.metric for estimate in estimates(singles(1, 2))] == METRICS


def test_nothing_graded_gives_no_estimates() -> None:
    assert estimates([]) == []
    assert estimates([score("a", "error"), score("b", "error")]) == []


def test_accuracy_is_clustered_by_problem() -> None:
    found = by_name(
        [
            score("a", "correct", sample=0),
            score("a", "wrong", sample=1),
            score("b", "correct", sample=0),
            score("b", "correct", sample=1),
        ]
    )["accuracy"]
    # Means 0.5 and 1: mean 0.75, se = sqrt((0.25^2 + 0.25^2) / (2 - 1) / 2).
    assert (found.value, found.problems, found.samples) == (0.75, 2, 4)
    assert found.stderr == pytest.approx(0.25)


def test_each_problem_counts_alike_in_accuracy() -> None:
    many = [score("a", "wrong", sample=i) for i in range(9)]
    assert by_name([*many, score("b", "correct")])["accuracy"].value == 0.5


def test_accuracy_of_finished_samples_is_a_ratio() -> None:
    found = by_name(
        [
            score("a", "correct", sample=0),
            score("a", "wrong", sample=1),
            score("b", "correct", sample=0),
            score("b", "truncated", sample=1),
        ]
    )["accuracy_finished"]
    # R = 2/3 over m = (2, 1); residuals -1/3 and 1/3; se^2 = (2/9) / (2 * 1 * 1.5^2).
    assert found.value == pytest.approx(2 / 3)
    assert found.stderr == pytest.approx(2 / 9)
    assert (found.problems, found.samples, found.truncated) == (2, 3, 0.0)


def test_a_correct_answer_that_hit_the_limit_is_not_among_the_finished() -> None:
    found = by_name([score("a", "correct", cut=True), score("b", "wrong")])
    assert found["accuracy"].value == 0.5
    assert found["accuracy_finished"].value == 0.0
    assert found["truncated"].value == 0.5


def test_accuracy_of_finished_samples_is_absent_when_all_were_cut() -> None:
    names = [estimate.metric for estimate in estimates([score("a", "truncated")])]
    assert names == METRICS


def test_shares_of_truncated_and_unread_samples() -> None:
    found = by_name(
        [score("a", "truncated"), score("b", "no_answer"), score("c", "wrong"), score("d", "wrong")]
    )
    assert found["truncated"].value == found["no_answer"].value == 0.25
    assert {estimate.truncated for name, estimate in found.items() if "finished" not in name} == {0.25}


def test_errors_are_left_out_everywhere() -> None:
    scores = singles(3, 7)
    broken = [score("p0", "error", sample=1, tokens=999), score("new", "error", cut=True)]
    assert estimates(scores + broken) == estimates(scores)


def test_tokens_have_a_normal_interval_floored_at_zero() -> None:
    found = by_name([score("a", "wrong", tokens=100), score("b", "wrong", tokens=200)])
    tokens = found["response_tokens"]
    assert (tokens.value, tokens.stderr) == pytest.approx((150.0, 50.0))
    assert (tokens.ci_low, tokens.ci_high) == pytest.approx((52.0018, 247.9982), abs=1e-4)
    wide = by_name([score("a", "wrong", tokens=1), score("b", "wrong", tokens=1000)])
    assert wide["response_tokens"].ci_low == 0.0


def test_interval_is_the_textbook_wilson_with_one_sample_per_problem() -> None:
    half = by_name(singles(5, 10))["accuracy"]
    assert (half.ci_low, half.ci_high) == pytest.approx((0.23659, 0.76341), abs=1e-5)
    assert half.stderr == pytest.approx(math.sqrt(0.25 / 9))


def test_none_of_n_has_an_interval_of_positive_width() -> None:
    none, every = by_name(singles(0, 10))["accuracy"], by_name(singles(10, 10))["accuracy"]
    assert none.stderr == every.stderr == 0.0
    assert (none.ci_low, none.ci_high) == pytest.approx((0.0, 0.277533), abs=1e-6)
    assert (every.ci_low, every.ci_high) == pytest.approx((0.722467, 1.0), abs=1e-6)
    # More samples of the same problems are no new evidence about other problems.
    again = [replace(s, sample=i) for s in singles(0, 10) for i in range(8)]
    assert by_name(again)["accuracy"].ci_high == none.ci_high


def test_samples_count_as_independent_when_problems_do_not_differ() -> None:
    scores = [score(f"p{i}", "correct" if j else "wrong", sample=j) for i in range(10) for j in (0, 1)]
    found = by_name(scores)["accuracy"]
    assert found.stderr == 0.0
    twenty = by_name(singles(10, 20))["accuracy"]
    assert (found.ci_low, found.ci_high) == pytest.approx((twenty.ci_low, twenty.ci_high))


def test_one_problem_has_no_standard_error_but_a_wide_interval() -> None:
    found = by_name([score("a", "correct", sample=i) for i in range(100)])
    assert math.isnan(found["accuracy"].stderr)
    assert found["accuracy"].ci_low == pytest.approx(0.20654, abs=1e-4)
    assert math.isnan(found["response_tokens"].ci_low)


def test_ratio_refuses_empty_problems() -> None:
    with pytest.raises(DataError, match="one or more values"):
        ratio([])
    with pytest.raises(DataError, match="one or more values"):
        ratio([[1.0], []])


@pytest.mark.parametrize(("n", "k"), [(4, 2), (5, 1), (6, 3), (5, 5)])
def test_pass_at_k_is_the_mean_over_all_subsets(n: int, k: int) -> None:
    for c in range(n + 1):
        hits = [any(i < c for i in chosen) for chosen in combinations(range(n), k)]
        assert pass_at_k(n, c, k) == pytest.approx(sum(hits) / len(hits))


def test_pass_at_k_stays_exact_for_many_samples() -> None:
    assert pass_at_k(10_000, 1, 5_000) == 0.5
    assert pass_at_k(10_000, 0, 5_000) == 0.0


@pytest.mark.parametrize(("n", "c", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 0), (4, 2, 5)])
def test_pass_at_k_names_values_that_make_no_sense(n: int, c: int, k: int) -> None:
    with pytest.raises(DataError, match=f"n={n}, c={c}, k={k}"):
        pass_at_k(n, c, k)


OUTCOMES: list[Outcome] = ["correct", "wrong", "no_answer", "truncated", "error"]
SCORES = st.lists(
    st.builds(
        score,
        st.sampled_from("abcdefg"),
        st.sampled_from(OUTCOMES),
        tokens=st.integers(1, 40_000),
        cut=st.booleans(),
    ),
    max_size=40,
)


@given(SCORES, st.randoms())
def test_order_does_not_matter(scores: list[Score], random: object) -> None:
    shuffled = scores[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert repr(estimates(scores)) == repr(estimates(shuffled))  # repr: nan equals itself


@given(SCORES, st.integers(2, 5))
def test_copies_of_samples_do_not_shrink_the_standard_error(scores: list[Score], n: int) -> None:
    once, copied = estimates(scores), estimates(scores * n)
    for before, after in zip(once, copied, strict=True):
        assert after.value == pytest.approx(before.value, nan_ok=True)
        assert after.stderr == pytest.approx(before.stderr, abs=1e-9, nan_ok=True)
        assert after.samples == n * before.samples


@given(SCORES)
def test_intervals_hold_their_value_and_shares_stay_in_bounds(scores: list[Score]) -> None:
    for estimate in estimates(scores):
        if estimate.samples == 0:
            assert estimate.metric == "accuracy_finished" and math.isnan(estimate.value)
            continue
        if estimate.metric == "response_tokens":
            assert estimate.problems == 1 or 0 <= estimate.ci_low <= estimate.value
            continue
        assert 0.0 <= estimate.ci_low <= estimate.value <= estimate.ci_high <= 1.0
        assert estimate.ci_high > estimate.ci_low
        assert 1 <= estimate.problems <= estimate.samples


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=2, max_size=12))
def test_effective_size_never_passes_the_number_of_samples(clusters: list[list[int]]) -> None:
    share = ratio([[float(value) for value in cluster] for cluster in clusters])
    low, high = wilson(share)
    tight = wilson(replace(share, stderr=0.0, problems=share.samples))
    assert high - low >= tight[1] - tight[0] - 1e-12
