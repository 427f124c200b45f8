"""maj@n against counting all subsets: python -m pytest tests/test_votes.py"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsft.errors import DataError
from rsft.records import Outcome, Score
from rsft.scoring.estimators import estimates
from rsft.scoring.votes import majority, vote, votes, written_alike


def score(problem: str, sample: int, answer: str | None, outcome: Outcome) -> Score:
    return Score(
        problem=problem,
        sample=sample,
        outcome=outcome,
        answer=answer,
        where=None,
        raw=0.0,
        truncated=False,
        tokens=1,
    )


def ballot(problem: str, answers: str) -> list[Score]:
    """`r` is right, `-` is no answer, any other letter a wrong answer."""
    outcomes: dict[str, Outcome] = {"r": "correct", "-": "no_answer", "!": "error"}
    return [
        score(problem, i, None if letter in "-!" else letter, outcomes.get(letter, "wrong"))
        for i, letter in enumerate(answers)
    ]


def counted(answers: str, n: int) -> float:
    """By looking at every subset."""
    won = []
    for drawn in combinations(answers, n):
        votes = Counter(letter for letter in drawn if letter != "-")
        best = [letter for letter, number in votes.items() if number == max(votes.values())]
        won.append(best.count("r") / len(best) if best else 0.0)
    return sum(won) / len(won)


@given(st.text("rab-", min_size=1, max_size=9), st.integers(1, 9))
def test_a_vote_is_the_mean_over_all_subsets(answers: str, n: int) -> None:
    n = min(n, len(answers))
    assert majority(ballot("p", answers), n).value == pytest.approx(counted(answers, n))


def test_votes_by_hand() -> None:
    assert vote(3, [2], 0, 5) == 1.0
    assert vote(2, [2], 1, 5) == 0.5  # a tie is shared
    assert vote(1, [1, 1], 0, 3) == pytest.approx(1 / 3)
    assert vote(0, [1], 2, 3) == 0.0 and vote(0, [], 4, 4) == 0.0
    # Three of five right, three drawn: C(3,3) + C(3,2) C(2,1) of C(5,3).
    assert vote(3, [2], 0, 3) == pytest.approx(7 / 10)
    assert vote(40, [30, 20], 10, 100) == 1.0


def test_one_vote_is_accuracy() -> None:
    scores = [*ballot("a", "rrab"), *ballot("b", "r---"), *ballot("c", "aaab")]
    one, accuracy = majority(scores, 1), estimates(scores)[0]
    assert (one.value, one.stderr, one.ci_low) == pytest.approx(
        (accuracy.value, accuracy.stderr, accuracy.ci_low)
    )
    assert one.metric == "maj@1" and (one.problems, one.samples) == (3, 12)


def test_a_majority_lifts_what_is_mostly_right_and_errors_do_not_vote() -> None:
    scores = [*ballot("a", "rrra!"), *ballot("b", "rrba")]
    assert majority(scores, 4).value == 1.0
    assert majority(scores, 4).samples == 8
    with pytest.raises(DataError, match="one has 4"):
        majority(scores, 5)
    with pytest.raises(DataError, match="one has 0"):
        majority([], 1)


def test_wrong_answers_are_one_where_they_are_written_alike() -> None:
    answers: list[tuple[str, Outcome]] = [
        ("7", "correct"),
        ("3", "correct"),
        ("0.50", "wrong"),
        ("1/2", "wrong"),
    ]
    scores = [score("a", i, answer, outcome) for i, (answer, outcome) in enumerate(answers)]
    assert majority(scores, 4).value == 0.5, "both groups have two votes"
    assert majority(scores, 4, same=lambda one, two: one == two).value == 1.0
    assert written_alike(r"\frac{1}{2}", "0.5") and not written_alike("x", "y")


def test_a_cell_votes_with_as_many_samples_as_each_problem_has() -> None:
    long, short = ballot("p", "rraab-rr"), ballot("q", "rrr!aab")
    assert [e.metric for e in votes(long)] == ["maj@4", "maj@8"]
    (four,) = votes([*long, *short])
    assert four == majority([*long, *short], 4), "the second problem has six, one is an error"
    assert votes(ballot("p", "rra")) == votes([]) == []
