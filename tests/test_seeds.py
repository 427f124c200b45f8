"""Training, evaluation and pretraining never draw the same random problem."""

from __future__ import annotations

from itertools import combinations

import pytest
import reasoning_gym

from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.data.source import Tally, rows
from rsft.errors import SpecError
from rsft.spec import DataSpec, GeneratedRows
from rsft.spec.seeds import BLOCK, item_seeds


def test_no_two_blocks_share_an_item_seed() -> None:
    blocks = [
        item_seeds(purpose, seed, BLOCK)
        for purpose in ("evaluation", "training", "pretraining")
        for seed in (0, 1, 998, 999)
    ]
    for one, other in combinations(blocks, 2):
        assert one.stop <= other.start or other.stop <= one.start


def test_reasoning_gym_makes_item_i_from_seed_plus_i() -> None:
    """The reason for blocks: neighbouring seeds are nearly the same data set."""
    for task in ("countdown", "gcd"):
        shifted = reasoning_gym.create_dataset(task, size=10, seed=107)[0]
        assert reasoning_gym.create_dataset(task, size=10, seed=100)[7]["question"] == shifted["question"]


@pytest.mark.parametrize("task", ["gsm-symbolic", "countdown"])
@pytest.mark.slow
def test_no_benchmark_question_is_trained_on(task: str) -> None:
    asked = {problem.question.strip() for problem in problems(CARDS[task])}
    data = DataSpec(name="d", source=GeneratedRows(task=task, style="answer-only"), rows=300)
    trained = [row.messages[0]["content"] for row in rows(data, Tally())]
    assert len(trained) == 300
    assert not any(prompt.startswith(question) for prompt in trained for question in asked)


@pytest.mark.parametrize(("seed", "count"), [(-1, 1), (1000, 1), (0, 0), (0, BLOCK + 1)])
def test_a_seed_outside_its_range_is_refused(seed: int, count: int) -> None:
    with pytest.raises(SpecError, match="outside"):
        item_seeds("training", seed, count)
