"""Files of responses, graded: python -m pytest tests/test_lines.py"""

from __future__ import annotations

import codecs
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from test_grade import BOMB

from rsft.errors import DataError, EngineError, SpecError, StorageError
from rsft.scoring import references, sandbox
from rsft.scoring.lines import grade_file
from rsft.scoring.references import Graded

pytestmark = pytest.mark.slow

CITIES = {"answer": "C", "choices": ["London", "Berlin", "Paris", "Rome"]}
ADD = {
    "prompt": 'def add(a, b):\n    """Adds."""\n',
    "entry_point": "add",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}
GOOD = "```python\ndef add(a, b):\n    return a + b\n```"


def graded(grader: str, tmp_path: Path, lines: Iterable[Any], **options: Any) -> dict[Any, dict[str, Any]]:
    """Scores by id; a line is an object, or the text or bytes of a bad one."""
    rows = [line if isinstance(line, str | bytes) else json.dumps(line) for line in lines]
    source, target = tmp_path / "responses.jsonl", tmp_path / "scores.jsonl"
    source.write_bytes(b"\n".join(row.encode() if isinstance(row, str) else row for row in rows) + b"\n")
    grade_file(grader, source, target, **options)
    scores = [json.loads(line) for line in target.read_text().splitlines()]
    assert all(list(score) == ["id", "status", "score", "answer", "detail"] for score in scores)
    return {score["id"]: score for score in scores}


def said(id: str, response: str, reference: Any = CITIES, finish: str = "stop") -> dict[str, Any]:
    return {"id": id, "reference": reference, "response": response, "finish_reason": finish}


def test_choices_and_the_rules_of_thinking_and_cutting(tmp_path: Path) -> None:
    found = graded(
        "choice",
        tmp_path,
        [
            said("right", "<think>\\boxed{A}</think>The answer is (C)."),
            said("wrong", "</think>\\boxed{A}"),
            said("thought only", "<think>\\boxed{C}</think> hm"),
            said("open, stopped", "<think>\\boxed{C}"),
            said("open, cut", "<think>\\boxed{C}", finish="length"),
            said("cut but whole", "<think>x</think>\\boxed{C} which is", finish="length"),
            said("cut in the answer", "<think>x</think>The answer is C", finish="length"),
            said("cut before it", "<think>x</think>Well", finish="length"),
            said("nothing", "<think>x</think>"),
            said("nothing, cut", "<think>x</think>\n", finish="length"),
            said("twice", "<think>a</think>\\boxed{A}<think>b</think>\\boxed{C}"),
            said("by text", "paris"),
        ],
    )
    assert {id: (score["status"], score["score"], score["answer"]) for id, score in found.items()} == {
        "right": ("correct", 1.0, "C"),
        "wrong": ("wrong", 0.0, "A"),
        "thought only": ("no_answer", 0.0, None),
        "open, stopped": ("no_answer", 0.0, None),
        "open, cut": ("truncated", 0.0, None),
        "cut but whole": ("correct", 1.0, "C"),
        "cut in the answer": ("truncated", 0.0, "C"),
        "cut before it": ("truncated", 0.0, None),
        "nothing": ("no_answer", 0.0, None),
        "nothing, cut": ("truncated", 0.0, None),
        "twice": ("correct", 1.0, "C"),
        "by text": ("correct", 1.0, "C"),
    }


def test_a_bad_line_costs_only_itself(tmp_path: Path) -> None:
    lines = [
        said("first", "C"),
        "{not json",
        "",
        "[]",
        b"\xff\xfe",
        "[" * 100_000,
        {"reference": CITIES, "response": "C"},
        {"id": "no response", "reference": CITIES},
        said("number", "C") | {"response": 3},
        said("finish", "C", finish="tool"),
        said("reference", "C", reference={"answer": "Z", "choices": ["x"]}),
        said("surrogate \ud800", "C\0\ud800"),
        said("last", "C"),
    ]
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(
        codecs.BOM_UTF8
        + b"\n".join(
            x if isinstance(x, bytes) else x.encode() if isinstance(x, str) else json.dumps(x).encode()
            for x in lines
        )
    )
    counts = grade_file("choice", source, target)
    scores = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(scores) == 12 and counts["error"] == 9
    by_id = {score["id"]: score for score in scores if score["id"]}
    assert by_id["first"]["status"] == by_id["last"]["status"] == "correct"
    assert by_id["surrogate \ud800"]["status"] == "no_answer"
    assert "'Z'" in by_id["reference"]["detail"] and "'tool'" in by_id["finish"]["detail"]
    details = " ".join(score["detail"] for score in scores if score["id"] is None)
    for words in (
        "line 2 is not JSON",
        "line 4 is no object",
        "line 5 is not UTF-8",
        "line 6",
        "line 7 has no id",
    ):
        assert words in details


def test_a_graders_own_mistake_costs_only_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def clumsy(reference: Any, part: str, cut: bool) -> Graded:
        return Graded("correct", 1 / len(part.replace("x", "")), part)

    monkeypatch.setattr(references, "_choice", clumsy)
    found = graded("choice", tmp_path, [said("bad", "x"), said("good", "y")])
    assert found["bad"]["status"] == "error" and "ZeroDivisionError" in found["bad"]["detail"]
    assert found["good"]["status"] == "correct"


def test_code_end_to_end(tmp_path: Path) -> None:
    stdin = {"stdin_tests": [{"input": "2\n", "output": "4\n"}]}
    start = time.monotonic()
    found = graded(
        "code",
        tmp_path,
        [
            said("right", f"<think>```python\nx\n```</think>{GOOD}", ADD),
            said("continued", "    return a + b\n", ADD),
            said("wrong", GOOD.replace("+", "-"), ADD),
            said("leaves", "```python\nimport os; os._exit(0)\n```", ADD),
            said("cut", "```python\ndef add(a, b):\n    return a + b\n", ADD, finish="length"),
            said("cut behind", GOOD + "\nThis adds", ADD, finish="length"),
            said("prose", "I would rather not do this.", ADD),
            said("broken", GOOD, ADD | {"test": "def check(c:"}),
            said("no reference", GOOD, None),
            said("program", "```python\nprint(int(input()) * 2)\n```", stdin),
        ],
    )
    assert {id: score["status"] for id, score in found.items()} == {
        "right": "correct",
        "continued": "correct",
        "wrong": "wrong",
        "leaves": "wrong",
        "cut": "truncated",
        "cut behind": "correct",
        "prose": "no_answer",
        "broken": "error",
        "no reference": "error",
        "program": "correct",
    }
    assert found["right"]["answer"] == "def add(a, b):\n    return a + b"
    assert time.monotonic() - start < 60


def test_where_code_cannot_be_isolated_the_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_START", "raise SystemExit(1)")
    with pytest.raises(EngineError, match="cannot be isolated"):
        graded("code", tmp_path, [said(str(number), GOOD, ADD) for number in range(20)])


def test_files_that_cannot_work_are_refused(tmp_path: Path) -> None:
    here = tmp_path / "here"
    with pytest.raises(DataError, match="cannot be read: No such file"):
        grade_file("choice", here, tmp_path / "out")
    here.write_text("{}\n")
    with pytest.raises(SpecError, match="same file"):
        grade_file("choice", here, here)
    with pytest.raises(StorageError, match="cannot be written"):
        grade_file("choice", here, tmp_path / "none" / "out")
    with pytest.raises(SpecError, match="no grader 'taste'"):
        grade_file("taste", here, tmp_path / "out")
    assert here.read_text() == "{}\n"
    with pytest.raises(StorageError, match="cannot be written: No space left"):
        grade_file("choice", here, Path("/dev/full"))


def test_results_are_written_as_they_come(tmp_path: Path) -> None:
    """A source that never ends: what was graded before is there."""
    os.mkfifo(tmp_path / "in")
    command = ["-m", "rsft.cli", "grade", "--grader", "choice", "--input", "in", "--output", "out"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with (tmp_path / "in").open("w") as lines:
        for number in range(40):
            lines.write(json.dumps(said(str(number), "C")) + "\n")
        lines.flush()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if (tmp_path / "out").exists() and len((tmp_path / "out").read_text().splitlines()) > 10:
                break
            time.sleep(0.05)
        process.kill()
    process.wait()
    written = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert len(written) > 10 and {score["status"] for score in written} == {"correct"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--grader", "taste"), ("no grader 'taste'", "refusal")),
        (("--input", "none.jsonl"), ("'none.jsonl'", "cannot be read")),
    ],
)
def test_the_command_refuses_in_one_sentence(
    options: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("")
    base = ["--grader", "choice", "--input", "in", "--output", "out"]
    done = subprocess.run(
        [sys.executable, "-m", "rsft.cli", "grade", *base, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1 and all(word in done.stderr for word in words)


@pytest.mark.slow  # real grading processes
def test_mathematics_and_reasoning_gym_end_to_end(tmp_path: Path) -> None:
    found = graded(
        "math",
        tmp_path,
        [
            said("right", "<think>1</think>so \\boxed{0.5}", "\\frac{1}{2}"),
            said("number", "\\boxed{2}", 2),
            said("wrong", "\\boxed{0.6}", "\\frac{1}{2}"),
            said("none", "hm", "1"),
            said("stated", "The answer is 12.", "12"),
            said("cut", "The answer is 12", "120", finish="length"),
            said("bomb", f"\\boxed{{{BOMB}}}", "7"),
            said("no gold", "\\boxed{1}", None),
            said("no number", "\\boxed{1}", math.nan),
            said("a solution", "\\boxed{5}", "2 + 3 = <<2+3=5>>5\n#### 5"),
            said("a boxed solution", "\\boxed{5}", "It is $2 + 3 = \\boxed{5}$."),
        ],
        workers=1,
    )
    statuses = {id: score["status"] for id, score in found.items()}
    assert statuses == {
        "right": "correct",
        "number": "correct",
        "wrong": "wrong",
        "none": "no_answer",
        "stated": "correct",
        "cut": "truncated",
        "bomb": "error",
        "no gold": "error",
        "no number": "error",
        "a solution": "correct",
        "a boxed solution": "correct",
    }
    item = {"dataset": "gcd", "entry": {"question": "", "answer": "6", "metadata": {}}}
    found = graded(
        "reasoning_gym",
        tmp_path,
        [
            said("tag", "<answer>1</answer> no <answer> 6 </answer> \\boxed{5}", item),
            said("tag closed twice", "<answer>6</answer></answer>", item),
            said("box", "it is \\boxed{6}.", item),
            said("text", " 6\n", item),
            said("wrong", "<answer>7</answer>", item),
            said("cut", "6", item, finish="length"),
            said("cut but whole", "<answer>6</answer>", item, finish="length"),
            said("unknown", "6", item | {"dataset": "none"}),
            said("no entry", "6", {"dataset": "gcd"}),
        ],
        workers=1,
    )
    assert {id: score["status"] for id, score in found.items()} == {
        "tag": "correct",
        "tag closed twice": "correct",
        "box": "correct",
        "text": "correct",
        "wrong": "wrong",
        "cut": "truncated",
        "cut but whole": "correct",
        "unknown": "error",
        "no entry": "error",
    }
