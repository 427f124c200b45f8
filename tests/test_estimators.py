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
from rsft.scoring.estimators import accuracy_at, estimates, pass_at_k, passes, quantile, ratio, wilson

METRICS = ["accuracy", "accuracy_finished", "truncated", "no_answer", "response_tokens"]
LENGTHS = ["response_tokens_median", "response_tokens_p95"]


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
    assert [estimate.metric for estimate in estimates(singles(1, 2))] == [*METRICS, *LENGTHS]
    five = [replace(one, sample=i) for one in singles(1, 2) for i in range(5)]
    assert [e.metric for e in estimates(five)] == [*METRICS, "pass@2", "pass@4", *LENGTHS]


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
    assert names == [*METRICS, *LENGTHS]


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


def samples(problem: str, correct: int, of: int, tokens: int = 10) -> list[Score]:
    return [
        score(problem, "correct" if i < correct else "wrong", sample=i, tokens=tokens + i) for i in range(of)
    ]


def test_pass_at_k_is_averaged_over_problems() -> None:
    found = {e.metric: e for e in passes([*samples("a", 1, 4), *samples("b", 4, 4), *samples("c", 0, 5)])}
    # a: 1 - C(3,2)/C(4,2) = 1/2; b: 1; c: 0. With k = 4 a, b are sure.
    assert list(found) == ["pass@2", "pass@4"]
    assert found["pass@2"].value == pytest.approx(0.5)
    assert found["pass@2"].stderr == pytest.approx(0.5 / math.sqrt(3))
    assert found["pass@4"].value == pytest.approx(2 / 3)
    assert (found["pass@4"].problems, found["pass@4"].samples) == (3, 13)
    assert passes([]) == [] and passes(singles(1, 3)) == []


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)],
)
def test_the_intervals_of_newcombe(hits: int, of: int, low: float, high: float) -> None:
    """Newcombe 1998, Stat. Med. 17:857, table I, method 3."""
    found = wilson(ratio([[float(i < hits)] for i in range(of)]))
    assert found == pytest.approx((low, high), abs=6e-5)


def test_the_standard_error_of_efron_and_tibshiranis_mice() -> None:
    """Efron and Tibshirani 1993, table 2.1."""
    found = ratio([[94.0], [197.0], [16.0], [38.0], [99.0], [141.0], [23.0]])
    assert (found.value, found.stderr) == pytest.approx((86.86, 25.24), abs=5e-3)


def test_a_smaller_budget_by_hand() -> None:
    scores = [
        *samples("a", 2, 4, tokens=10),
        score("b", "truncated", tokens=20),
        score("c", "error", tokens=1),
    ]
    found = {e.metric: e for e in accuracy_at(scores, (20, 11, 10, 9))}
    # Tokens of a: 10 and 11 correct, 12 and 13 wrong; b was cut at 20.
    assert [e.value for e in found.values()] == pytest.approx([0.25, 0.25, 0.125, 0.0])
    assert [e.truncated for e in found.values()] == pytest.approx([0.2, 0.6, 0.8, 1.0])
    assert list(found)[1] == "accuracy@11 tokens"
    assert found["accuracy@20 tokens"].value == by_name(scores)["accuracy"].value
    assert accuracy_at([], (5,)) == []
    with pytest.raises(DataError, match="above 0"):
        accuracy_at(scores, (0,))


def test_a_smaller_budget_is_what_a_shorter_run_would_have_scored() -> None:
    """Responses are drawn left to right, so a run with a smaller budget writes their beginnings."""
    lengths = [7, 30, 12, 55, 21, 3]

    def run(budget: int) -> list[Score]:
        return [
            score(f"p{i}", "correct" if i % 2 else "wrong", tokens=length)
            if length <= budget
            else score(f"p{i}", "truncated", tokens=budget)
            for i, length in enumerate(lengths)
        ]

    for budget in (1, 7, 12, 29, 30, 54, 55):
        assert accuracy_at(run(60), (budget,))[0].value == by_name(run(budget))["accuracy"].value


def test_quantiles_by_hand() -> None:
    values = [[float(i)] for i in range(1, 101)]
    median, low, high = quantile(values, 0.5)
    # 0.5 +- 1.96 sqrt(0.25 / 99) is 0.40 to 0.60; 0.95 +- 1.96 sqrt(0.0475 / 99) is 0.907 to 0.993.
    assert (median, low, high) == (50.0, 41.0, 60.0)
    p95, low, high = quantile(values, 0.95)
    assert (p95, low, high) == (95.0, 91.0, 100.0)
    # Ten copies of each problem are no more evidence.
    assert quantile([each * 10 for each in values], 0.5) == (50.0, 41.0, 60.0)
    assert quantile([[3.0], [3.0]], 0.95) == (3.0, 3.0, 3.0)
    assert quantile([[3.0, 4.0]], 0.95)[0] == 4.0 and math.isnan(quantile([[3.0]], 0.95)[1])
    for clusters, share in (([], 0.5), ([[1.0]], 1.0), ([[1.0], []], 0.5)):
        with pytest.raises(DataError):
            quantile(clusters, share)


def test_lengths_come_with_their_errors() -> None:
    found = by_name([score(f"p{i}", "wrong", tokens=i) for i in range(1, 101)])
    median, p95 = found["response_tokens_median"], found["response_tokens_p95"]
    assert (median.value, p95.value, median.problems, p95.samples) == (50.0, 95.0, 100, 100)
    assert median.stderr == pytest.approx((median.ci_high - median.ci_low) / 3.92, rel=1e-4)
    one = by_name([score("a", "wrong", tokens=7)])["response_tokens_median"]
    assert one.value == 7.0 and math.isnan(one.stderr) and math.isnan(one.ci_low)


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
    of = {estimate.metric: estimate for estimate in copied}
    for before in once:
        if before.metric.startswith(("pass@", "response_tokens_")):
            continue  # of another kind of mean; what more samples do to them is no copy
        after = of[before.metric]
        assert after.value == pytest.approx(before.value, nan_ok=True)
        assert after.stderr == pytest.approx(before.stderr, abs=1e-9, nan_ok=True)
        assert after.samples == n * before.samples


@given(SCORES)
def test_intervals_hold_their_value_and_shares_stay_in_bounds(scores: list[Score]) -> None:
    for estimate in estimates(scores):
        if estimate.samples == 0:
            assert estimate.metric == "accuracy_finished" and math.isnan(estimate.value)
            continue
        if estimate.metric.startswith("response_tokens"):
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
