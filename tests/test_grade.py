"""Grading with the real workers, hostile answers included: python -m pytest tests/test_grade.py"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reasoning_gym

from rsft.errors import DataError, SpecError
from rsft.records import FinishReason, Generation, Problem, Score
from rsft.scoring.grade import grade_all
from rsft.scoring.pool import GraderPool
from rsft.scoring.process import GraderProcess, Verdict

pytestmark = pytest.mark.slow  # real grading processes

BOMB = r"\gcd((99999!)!, 7)"
"""Hangs math-verify inside one multiplication of big integers, where no signal handler runs."""


def problem(gold: str, *, id: str = "0", metadata: dict[str, Any] | None = None) -> Problem:
    return Problem(id=id, question=f"q{id}", prompt="", gold=gold, metadata=metadata or {})


def generated(task: str, index: int = 0, **config: int | str) -> Problem:
    """A problem as benchmarks make it from a reasoning-gym task."""
    item = reasoning_gym.create_dataset(task, size=index + 1, seed=7, **config)[index]
    entry = json.loads(json.dumps(item, default=str))
    metadata = {"task": task, "config": config, "entry": entry}
    return problem(str(entry["answer"]), id=f"{task}-{index}", metadata=metadata)


def says(to: Problem, text: str, *, sample: int = 0, finish: FinishReason = "stop") -> Generation:
    return Generation(
        problem=to.id, sample=sample, seed=0, text=text, tokens=9, prompt_tokens=3, finish=finish
    )


def boxes(to: Problem, answer: str) -> tuple[Problem, Generation]:
    return to, says(to, f"so \\boxed{{{answer}}}")


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = ["sympy", "reasoning_gym", "math_verify", "numpy", "torch", "ray", "vllm", "mlflow"]
    code = "import sys, rsft.scoring.grade, rsft.scoring.estimators, rsft.scoring.graders;"
    code += f"print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# The real workers. Each test is one call with many items, since a start costs seconds.


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Score], Path]]:
    """Scores of code answered to tasks whose scorers evaluate Python, and a good one last."""
    marker = tmp_path_factory.mktemp("hostile") / "marker"
    attacks = [
        f"__import__('os').system('touch {marker}')",
        f"__import__('subprocess').run(['touch', '{marker}'])",
        f"open('{marker}', 'w').write('x')",
        f"__import__('os').open('{marker}', 64)",
        f"__import__('os').symlink('/', '{marker}')",
        """print('{"raw": 1.0}')""",
        "exit()",
        "__import__('os')._exit(0)",
    ]
    tasks = [generated("puzzle24"), generated("string_insertion"), generated("countdown")]
    pairs = [boxes(task, attack) for task in tasks for attack in attacks]
    good = generated("gcd")
    yield grade_all([*pairs, boxes(good, good.gold)], grader="reasoning_gym"), marker


def test_code_in_an_answer_does_nothing(hostile: tuple[list[Score], Path]) -> None:
    scores, marker = hostile
    assert not marker.exists()
    assert not [score for score in scores[:-1] if score.outcome == "correct"]
    assert scores[-1].outcome == "correct"


def test_an_answer_that_ends_the_grader_is_an_error_and_not_wrong(
    hostile: tuple[list[Score], Path],
) -> None:
    scores, _ = hostile
    ended = [score for score in scores if score.answer == "__import__('os')._exit(0)"]
    assert [(score.outcome, score.why) for score in ended] == [
        ("error", "grader died: exit code 0"),
        ("error", "grader died: exit code 0"),
        ("wrong", ""),  # countdown's scorer never saw it
    ]


def test_reasoning_gym_answers_end_to_end() -> None:
    tasks = [
        generated("gsm_symbolic"),
        generated("gcd", max_value=100),
        generated("letter_counting", min_words=2, max_words=5),
        generated("count_bits", max_n=1000),
    ]
    countdown = generated("countdown", min_numbers=3, max_numbers=3)
    solution = countdown.metadata["entry"]["metadata"]["expression"]
    numbers = countdown.metadata["entry"]["metadata"]["numbers"]
    pairs = [boxes(task, task.gold) for task in tasks]
    pairs += [boxes(task, str(float(task.gold) + 1)) for task in tasks]
    pairs += [
        boxes(countdown, solution),
        boxes(countdown, solution.replace("*", r"\times").replace("/", r"\div")),
        boxes(countdown, f"({solution})*1"),  # a number too many
        boxes(countdown, " + ".join(map(str, numbers)) + " + 0"),
        boxes(countdown, "9**9**9**9"),
        boxes(countdown, str(countdown.metadata["entry"]["metadata"]["target"])),
    ]
    scores = grade_all(pairs, grader="reasoning_gym", workers=2)
    assert [score.problem for score in scores] == [task.id for task, _ in pairs]
    outcomes = [score.outcome for score in scores]
    assert outcomes == ["correct"] * 4 + ["wrong"] * 4 + ["correct"] * 2 + ["wrong"] * 4
    assert {score.raw for score in scores if score.outcome == "correct"} == {1.0}
    assert all(0.0 <= score.raw < 1.0 for score in scores if score.outcome == "wrong")
    assert all(score.where == "last boxed" and score.tokens == 9 for score in scores)


def test_mathematics_end_to_end_with_a_bomb_among_the_answers() -> None:
    eighteen, half = problem("18"), problem(r"\frac{1}{2}", id="1")
    pairs = [
        boxes(eighteen, r"\$18"),
        boxes(eighteen, BOMB),
        (eighteen, says(eighteen, "The answer is $18.", sample=2)),
        boxes(half, "0.5"),
        boxes(half, "0.05"),
        (half, says(half, "<think>so \\boxed{1", finish="length")),
        (half, says(half, "I give up.")),
        (half, says(half, "The answer is 0.5 and", finish="length")),
    ]
    start = time.monotonic()
    with GraderPool("math", limit_s=3.0) as pool:
        scores = grade_all(pairs, grader="math", pool=pool)
    assert time.monotonic() - start < 90  # two limits and three starts on a busy machine
    assert [score.outcome for score in scores] == [
        "correct",
        "error",
        "correct",
        "correct",
        "wrong",
        "truncated",
        "no_answer",
        "truncated",  # the statement may go on
    ]
    assert scores[1].why == "grader timeout after 3 s"
    assert (scores[2].answer, scores[2].where, scores[2].sample) == ("18", "stated answer", 2)
    assert [score.truncated for score in scores] == [False] * 5 + [True, False, True]


def test_a_fault_in_the_problem_is_an_error_and_not_wrong() -> None:
    broken = problem("4", metadata={"task": "gcd", "config": {}})
    [score] = grade_all([boxes(broken, "4")], grader="reasoning_gym")
    assert (score.outcome, score.raw) == ("error", 0.0)
    assert "no item of reasoning-gym" in score.why


# What needs no worker.


def test_nothing_to_grade_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GraderProcess, "grade", None)
    only = problem("1")
    scores = grade_all([(only, says(only, "hm"))], grader="math")
    assert [score.outcome for score in scores] == ["no_answer"]
    assert grade_all([], grader="math") == []


def test_equal_answers_to_a_problem_are_graded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def grade(self: GraderProcess, answer: str, gold: str, metadata: dict[str, Any]) -> Verdict:
        asked.append((answer, gold))
        return Verdict(float(answer == gold))

    monkeypatch.setattr(GraderProcess, "grade", grade)
    one, two = problem("1"), problem("2")  # one id: they are of two benchmarks
    pairs = [boxes(one, "1"), boxes(two, "1"), boxes(one, "1"), boxes(one, " 1 "), boxes(one, "3")]
    scores = grade_all(pairs, grader="math")
    assert sorted(asked) == [("1", "1"), ("1", "2"), ("3", "1")]
    assert [s.outcome for s in scores] == ["correct", "wrong", "correct", "correct", "wrong"]


def test_arguments_that_cannot_work_are_refused() -> None:
    with pytest.raises(SpecError, match="limit_s=0"):
        GraderPool("math", limit_s=0)
    with pytest.raises(SpecError, match="workers=0"):
        grade_all([], grader="math", workers=0)
    one, two = problem("1"), problem("2", id="1")
    with pytest.raises(DataError, match="'0' is paired with '1'"):
        grade_all([(two, says(one, "x"))], grader="math")
