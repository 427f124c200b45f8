"""Every card on a real or a documented row: python -m pytest tests/test_cards.py"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rsft.benchmarks import gym
from rsft.benchmarks.card import Benchmark
from rsft.benchmarks.cards import (
    CARDS,
    STUDY,
    FileProblems,
    GeneratedProblems,
    HubProblems,
    WheelProblems,
    card,
)
from rsft.benchmarks.rows import LETTERS, READERS, Asked, shuffled
from rsft.benchmarks.source import problems, read
from rsft.errors import DataError, ModelError, SpecError
from rsft.records import Problem
from rsft.scoring.instructions import check
from rsft.scoring.programs import code_reference
from rsft.scoring.refusal import classify
from rsft.spec.evaluation import BenchmarkUse, EvalSpec, JudgeSpec, SamplingSpec
from rsft.spec.model import ModelSpec
from rsft.sweep.questions import question, questions

LOCAL = [c for c in CARDS.values() if isinstance(c.source, WheelProblems | FileProblems)]
GENERATED = [c for c in CARDS.values() if isinstance(c.source, GeneratedProblems)]


def packed(cases: list[dict[str, str]]) -> str:
    """Private tests as LiveCodeBench stores them."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


STDIN = {"input": "3\n", "output": "9\n", "testtype": "stdin"}
CALL = {"input": "[3]", "output": "9", "testtype": "functional"}
PROGRAM = {
    "question_title": "Square",
    "question_content": "Print the square of n.",
    "starter_code": "",
    "public_test_cases": json.dumps([STDIN]),
    "private_test_cases": packed([STDIN]),
    "metadata": "{}",
}

# A row of each hub data set, written by hand in the columns that its authors document; then what must be
# in the prompt, and the gold.
ROWS: dict[str, tuple[dict[str, Any], str, str]] = {
    "aime-2024": (
        {"ID": "2024-I-0", "Problem": "Find $1+1$.", "Solution": "It is 2.", "Answer": 2},
        "Find $1+1$.\nPlease reason step by step",
        "2",
    ),
    "aime-2025": ({"problem": "Find $2+2$.", "answer": "4", "id": "0"}, "Find $2+2$.\nPlease", "4"),
    "gpqa-diamond": (
        {
            "Record ID": "rec0",
            "Question": "Which is a metal?",
            "Correct Answer": "Iron\n",
            "Incorrect Answer 1": "Neon",
            "Incorrect Answer 2": "Argon",
            "Incorrect Answer 3": "Xenon",
        },
        "Which is a metal?\n\nA. ",
        "C",
    ),
    "livecodebench-v2": (PROGRAM, "Print the square of n.\n\nRead from standard input", ""),
    "mmlu-pro": (
        {
            "question_id": 1,
            "question": "2+2?",
            "options": [str(n) for n in range(10)],
            "answer": "E",
            "answer_index": 4,
            "category": "math",
        },
        "2+2?\n\nA. 0\nB. 1",
        "E",
    ),
    "ifeval": (
        {
            "key": 1000,
            "prompt": "Say hello. Use no commas.",
            "instruction_id_list": ["punctuation:no_comma"],
            "kwargs": [{"num_words": None, "relation": None}],
        },
        "Say hello. Use no commas.",
        "",
    ),
    "alpaca-eval": (
        {"instruction": "Name a tree.", "output": "Oak.", "generator": "m", "dataset": "helpful_base"},
        "Name a tree.",
        "Oak.",
    ),
    "halueval": (
        {"knowledge": "Rome is in Italy.", "question": "Where?", "answer": "Spain.", "hallucination": "yes"},
        "Knowledge: Rome is in Italy.\nQuestion: Where?\nAnswer: Spain.\n\nDoes the answer contain",
        "A",
    ),
    "truthfulqa": (
        {
            "type": "Adversarial",
            "category": "Science",
            "question": "What is the sun?",
            "best_answer": "A star",
            "correct_answers": ["A star"],
            "incorrect_answers": ["A planet"],
            "source": "",
        },
        "What is the sun?",
        "A star",
    ),
    "hex-phi": ({"prompt": " A harmful request. "}, "A harmful request.", "refused"),
}
ROWS["mmlu-pro-1k"] = ROWS["mmlu-pro"]

FIRST: dict[str, tuple[str, str]] = {
    # beginning of the first prompt in the wheel, gold; no text of the sets that must not be spread
    "math-500": ("Convert the point $(0,3)$", r"\left( 3, \frac{\pi}{2} \right)"),
    "gsm8k": ("Janet", "18"),
    "humaneval": ("Complete this function.\n```python\nfrom typing import List", ""),
    "mbpp": ("Write a python function to remove first and last occurrence", ""),
    "mmlu": ("Find the degree for the given field extension", "B"),
    "aime-2025-25": ("Find the sum of all integer bases", "70"),
    "gpqa-diamond-25": ("", "B"),
    "truthfulqa-mc1-100": ("", ""),
    "ifbench": ("What should the world's smartest man", ""),
    "strongreject": ("", "refused"),
    "strongreject-refusal": ("", "refused"),
    "over-refusal": ("How do I kill a Python process", "complied"),
}


def only(benchmark: Benchmark) -> Benchmark:
    """The card with a source of one row."""
    source = benchmark.source
    if isinstance(source, HubProblems):
        source = dataclasses.replace(source, subset_of=None)
    return dataclasses.replace(benchmark, source=source, problems=1)


def check_metadata(benchmark: Benchmark, problem: Problem) -> None:
    """Whether a problem has what its grader needs."""
    have = problem.metadata
    if benchmark.grader == "choice":
        assert len(have["choices"]) > LETTERS.index(problem.gold)
    elif benchmark.grader == "code":
        assert code_reference(have)
    elif benchmark.grader == "ifeval":
        check(have["prompt"], "Hello", have["instruction_id_list"], have["kwargs"])
    elif benchmark.grader == "refusal":
        assert problem.gold in ("refused", "complied")
        classify("No.", have["prompt"])
    elif benchmark.grader == "judge":
        assert have["rubric"]


def test_every_card_that_is_not_generated_has_a_row_here() -> None:
    assert {c.name for c in LOCAL} == FIRST.keys()
    assert CARDS.keys() == FIRST.keys() | ROWS.keys() | {c.name for c in GENERATED}
    assert CARDS.keys() >= set(STUDY)
    assert {CARDS[name].dimension for name in STUDY} == {"in-domain", "out-of-domain", "general", "safety"}
    assert all(c.note for c in CARDS.values()), "each card says how it stands to the study"


@pytest.mark.parametrize("name", ROWS)
def test_a_documented_row_becomes_its_problem(name: str) -> None:
    row, prompt, gold = ROWS[name]
    benchmark = only(CARDS[name])
    (problem,) = read(benchmark, [row], 1)
    assert prompt in problem.prompt
    assert problem.prompt.endswith(benchmark.instruction)
    assert problem.gold == gold
    check_metadata(benchmark, problem)
    json.dumps(problem.metadata)


@pytest.mark.parametrize("benchmark", LOCAL, ids=lambda c: c.name)
def test_the_rows_of_a_wheel_are_all_there(benchmark: Benchmark) -> None:
    found = problems(benchmark)
    prompt, gold = FIRST[benchmark.name]
    assert len(found) == benchmark.problems
    assert len({problem.id for problem in found}) == len(found)
    assert found[0].prompt.startswith(prompt)
    assert not gold or found[0].gold == gold
    assert all(problem.prompt.endswith(benchmark.instruction) for problem in found)
    for problem in found:
        check_metadata(benchmark, problem)


@pytest.mark.parametrize("benchmark", GENERATED, ids=lambda c: c.name)
def test_a_generated_card_makes_its_problems(benchmark: Benchmark) -> None:
    found = problems(benchmark, 3)
    assert [problem.id for problem in found] == ["00000", "00001", "00002"]
    assert all(problem.gold and problem.metadata["entry"] for problem in found)


def test_prompts_never_change_unseen() -> None:
    """A changed prompt is another benchmark: this digest changes with it, on purpose only."""
    texts = [card.prompt("?") for card in CARDS.values()]
    texts += [read(only(CARDS[name]), [row], 1)[0].prompt for name, (row, _, _) in ROWS.items()]
    assert hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16] == "ae1abcdeb7dda7fa"


def test_options_are_shuffled_the_same_in_every_process() -> None:
    code = "from rsft.benchmarks.rows import shuffled; print(*shuffled('abcdefgh', 'rec0'))"
    orders = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert orders == {" ".join(shuffled("abcdefgh", "rec0")) + "\n"}
    assert shuffled("abcd", "rec1") != shuffled("abcd", "rec2")


def test_shuffling_moves_the_right_option_everywhere() -> None:
    row = ROWS["gpqa-diamond"][0]
    golds = []
    for n in range(400):
        asked = READERS["gpqa"](row | {"Record ID": f"rec{n}"}, n)
        assert asked.metadata["choices"][LETTERS.index(asked.gold)] == "Iron"
        golds.append(asked.gold)
    assert all(70 < golds.count(letter) < 130 for letter in "ABCD")  # 100, binomial s.d. 8.7


def test_equal_options_leave_the_right_one_right() -> None:
    row = ROWS["gpqa-diamond"][0] | {"Incorrect Answer 1": "Iron"}
    assert READERS["gpqa"](row, 0).gold == READERS["gpqa"](ROWS["gpqa-diamond"][0], 0).gold


def test_livecodebench_tests_of_both_kinds() -> None:
    read_program = READERS["livecodebench"]
    test = {"input": "3\n", "output": "9\n"}
    assert read_program(PROGRAM, 0).metadata == {"stdin_tests": [test, test]}
    plain = PROGRAM | {"private_test_cases": json.dumps([STDIN])}
    assert read_program(plain, 0).metadata == {"stdin_tests": [test, test]}
    functional = PROGRAM | {
        "starter_code": "class Solution:\n    def square(self, n: int) -> int:\n        ",
        "public_test_cases": json.dumps([CALL]),
        "private_test_cases": packed([CALL]),
        "metadata": json.dumps({"func_name": "square"}),
    }
    asked = read_program(functional, 0)
    assert asked.metadata["entry_point"] == "square"
    assert asked.metadata["functional_tests"] == [{"input": "[3]", "output": "9"}] * 2
    assert "class Solution" in asked.question


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("ran",)


def test_no_code_of_a_test_case_runs(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    with pytest.raises(DataError, match="only text"):
        READERS["livecodebench"](PROGRAM | {"private_test_cases": hostile}, 0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_the_authors_solutions_pass_the_tests_as_given(name: str) -> None:
    for problem in problems(CARDS[name])[:40]:  # known, harmless programs
        have = problem.metadata
        scope: dict[str, Any] = {}
        if name == "mbpp":
            exec("\n".join((have["setup"], problem.gold, *have["tests"])), scope)
        else:
            exec(f"{have['prompt']}{problem.gold}\n\n{have['test']}", scope)
            scope["check"](scope[have["entry_point"]])


def test_a_part_of_a_split_is_chosen_by_content_alone() -> None:
    row = ROWS["mmlu-pro"][0]
    rows = [row | {"question": f"{n}?", "question_id": n} for n in range(50)]
    source = dataclasses.replace(CARDS["mmlu-pro-1k"].source, subset_of=50)
    part = dataclasses.replace(CARDS["mmlu-pro-1k"], source=source, problems=20)
    first = read(part, rows, 20)
    assert [p.question for p in first] == [p.question for p in read(part, rows[::-1], 20)]
    assert [p.question for p in first[:5]] == [p.question for p in read(part, rows, 5)]
    assert {p.question for p in first} != {READERS["mmlu_pro"](r, 0).question for r in rows[:20]}


def test_a_row_without_its_columns_and_a_short_source_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"row 0 of benchmark aime-2024 is .*KeyError: 'Problem'.*it has problem"
    ):
        read(only(CARDS["aime-2024"]), [{"problem": "x", "answer": 1}], 1)
    with pytest.raises(DataError, match="should have 12032 problems, its source holds 1"):
        read(CARDS["mmlu-pro-1k"], [ROWS["mmlu-pro"][0]], 1)
    with pytest.raises(DataError, match="multiple-choice"):
        read(only(CARDS["mmlu-pro"]), [ROWS["mmlu-pro"][0] | {"answer_index": 10}], 1)


def test_a_local_file_stands_for_the_hub(tmp_path: Path) -> None:
    path = tmp_path / "aime.jsonl"
    row = ROWS["aime-2024"][0]
    path.write_text("".join(json.dumps(row | {"Answer": n}) + "\n" for n in range(30)), encoding="utf-8")
    found = card(f"aime-2024@{path}")
    assert (found.name, found.grader) == ("aime-2024", "math")
    assert [problem.gold for problem in problems(found)] == [str(n) for n in range(30)]
    moved = path.rename(tmp_path / "other.jsonl")
    assert card(f"aime-2024@{moved}").facts() == found.facts() != CARDS["aime-2024"].facts()
    with pytest.raises(DataError, match="cannot read"):
        problems(found)
    moved.write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="plan again"):
        problems(dataclasses.replace(found, source=dataclasses.replace(found.source, path=str(moved))))
    with pytest.raises(SpecError, match="cannot be read"):
        card(f"aime-2024@{tmp_path / 'none.jsonl'}")
    with pytest.raises(SpecError, match="generated"):
        card(f"countdown@{moved}")


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("x.jsonl", b'{"ID": 1, "Prob', "x.jsonl: line 1 is no JSON"),
        ("x.jsonl", b"3", "no JSON object"),
        ("x.jsonl", b"\xff\xfe", "not UTF-8"),
        ("x.json", b'{"rows": []}', "should have 30 problems"),
        ("x.parquet", b"PAR1", "x.parquet cannot be read"),
        ("x.arrow", b"junk", "x.arrow cannot be read"),
        ("x.txt", b"{}", "ends in '.txt'"),
        ("x.jsonl", b'{"Problem": null, "Answer": 1}\n' * 30, "row 0 of benchmark aime-2024 is unreadable"),
        ("x.jsonl", b'{"Problem": "Why?", "Answer": null}\n' * 30, "no answer"),
    ],
)
def test_a_damaged_file_is_one_sentence(file: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        problems(card(f"aime-2024@{tmp_path / file}"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "write"),
    [
        ("x.parquet", lambda rows, path: pq.write_table(pa.Table.from_pylist(rows), path)),
        ("x.json", lambda rows, path: path.write_text(json.dumps(rows))),
        ("x.jsonl", lambda rows, path: path.write_text("\ufeff" + "\r\n".join(map(json.dumps, rows)))),
        ("x.csv", lambda rows, path: path.write_text("\ufeffProblem,Answer\n" + "Why?,7\n" * 30)),
    ],
)
def test_a_local_file_may_be_as_the_hub_or_an_editor_writes_it(
    file: str, write: Callable[[Any, Path], Any], tmp_path: Path
) -> None:
    write([{"Problem": "Why?", "Answer": 7}] * 30, tmp_path / file)
    found = problems(card(f"aime-2024@{tmp_path / file}"))
    assert [(one.question, one.gold) for one in found] == [("Why?", "7")] * 30


def test_a_part_of_a_split_is_chosen_from_the_whole_file_too(tmp_path: Path) -> None:
    row, path = ROWS["mmlu-pro"][0], tmp_path / "test.jsonl"
    rows = [row | {"question": f"{n}?"} for n in range(12_032)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    found = problems(card(f"mmlu-pro-1k@{path}"))
    assert [one.question for one in found] == [
        one.question for one in read(CARDS["mmlu-pro-1k"], rows, 1_000)
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows[:1_000]))
    with pytest.raises(DataError, match="should have 12032 problems"):  # the first 1,000 are not the part
        problems(card(f"mmlu-pro-1k@{path}"))


@pytest.mark.parametrize("name", ["gpqa-diamond", "hex-phi", "livecodebench-v2", "halueval"])
@pytest.mark.parametrize("failure", [ConnectionError("no\nroute"), Exception("no route")])
def test_a_hub_out_of_reach_is_one_sentence(
    name: str, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr("datasets.load_dataset", load)
    with pytest.raises(DataError, match=rf"from the hub, which failed .*no route.*{name}@FILE") as error:
        problems(CARDS[name], 2)
    assert "\n" not in str(error.value)


def test_a_program_without_a_test_is_refused() -> None:
    with pytest.raises(DataError, match="no test case"):
        READERS["livecodebench"](PROGRAM | {"public_test_cases": "[]", "private_test_cases": "[]"}, 0)


def test_cards_sample_as_the_study_does_where_a_sweep_says_nothing() -> None:
    plain, told = EvalSpec(benchmarks=("gcd",)), SamplingSpec(samples=2, max_new_tokens=99)
    asked = {name: question(BenchmarkUse(name=name), JUDGED) for name in STUDY}
    assert {name: one.samples for name, one in asked.items() if one.samples > 1} == {
        **{"math-500": 3, "aime-2024": 10, "gpqa-diamond": 3, "livecodebench-v2": 3}
    }
    assert {name for name, one in asked.items() if one.max_new_tokens != 32_768} == {"alpaca-eval", "hex-phi"}
    assert (plain.sampling.temperature, plain.sampling.top_p) == (0.6, 0.95)
    aime = BenchmarkUse(name="aime-2024")
    found = question(aime, EvalSpec(benchmarks=("gcd",), sampling=told))
    assert (found.samples, found.max_new_tokens) == (2, 99)
    assert question(aime.model_copy(update={"samples": 5}), plain).samples == 5
    assert question(aime, EvalSpec(benchmarks=("gcd",), sampling=SamplingSpec(temperature=0))).samples == 1


def test_a_language_model_is_no_reward_model() -> None:
    use = BenchmarkUse(name="alpaca-eval")
    with pytest.raises(ModelError, match="'nano-1m' has 2 outputs"):
        question(use, EvalSpec(benchmarks=(use,), reward=ModelSpec(source="nano-1m")))


def test_a_benchmark_from_two_sources_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(SpecError, match="'aime-2024' from two sources"):
        questions(EvalSpec(benchmarks=("aime-2024", f"aime-2024@{tmp_path / 'a.jsonl'}")))


def test_any_reasoning_gym_task_by_name() -> None:
    found = card("reasoning_gym:countdown?seed=7&size=200&min_numbers=3&max_numbers=3")
    source = found.source
    assert isinstance(source, GeneratedProblems)
    assert (found.problems, source.seed, source.task) == (200, 7, "countdown")
    assert source.config == {"min_numbers": 3, "max_numbers": 3}
    asked = problems(found, 4)
    assert all(len(p.metadata["entry"]["metadata"]["numbers"]) == 3 for p in asked)
    other = problems(card("reasoning_gym:countdown?seed=8&size=200&min_numbers=3&max_numbers=3"), 4)
    assert {p.question for p in asked}.isdisjoint(p.question for p in other)
    assert card("reasoning_gym:leg_counting").problems == gym.SIZE


def test_the_tasks_are_those_of_the_package() -> None:
    from reasoning_gym.factory import DATASETS

    assert DATASETS.keys() - {"composite"} == gym.TASKS


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reasoning_gym:countdwon", "nearest is 'countdown'"),
        ("reasoning_gym:countdown?seed=1000", "seed=1000"),
        ("reasoning_gym:countdown?seed=x", "seed=x"),
        ("reasoning_gym:countdown?size=1", "size=1"),
        ("reasoning_gym:countdown?size=5&size=6", "twice"),
        ("math-5000", "nearest is 'math-500'"),
        ("nothing@here", "catalogue"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as error:
        card(name)
    assert str(error.value).endswith(".") or str(error.value).endswith(").")
    assert "\n" not in str(error.value)


def test_settings_that_a_task_refuses_are_one_sentence() -> None:
    with pytest.raises(SpecError, match="refuses the settings"):
        problems(card("reasoning_gym:countdown?size=3&no_such=1"))


JUDGED = EvalSpec(
    benchmarks=("gcd",),
    judge=JudgeSpec(address="http://127.0.0.1:1/v1", model="one", version="2"),
    reward=ModelSpec(source="some/rewards", revision="abc"),
)


@pytest.mark.parametrize("benchmark", CARDS.values(), ids=lambda c: c.name)
def test_a_sweep_may_ask_what_somebody_is_named_to_grade(benchmark: Benchmark) -> None:
    use = BenchmarkUse(name=benchmark.name)
    asked = question(use, JUDGED)
    assert asked.problems == benchmark.problems
    assert asked.judged_by == {"judge": "one@2", "reward": "hub:some/rewards@abc"}.get(benchmark.grader, "")
    nobody = EvalSpec(benchmarks=("gcd",))
    if asked.judged_by:
        with pytest.raises(SpecError, match=f"EvalSpec.{benchmark.grader} names none"):
            question(use, nobody)
    else:
        assert question(use, nobody) == asked


def test_the_three_parts_of_halueval_are_asked_in_their_own_words() -> None:
    talk = {"knowledge": "K.", "dialogue_history": "[Human]: Where?", "response": "R.", "hallucination": "no"}
    told = {"document": "D.", "summary": "S.", "hallucination": "yes"}
    spoken, summed = READERS["halueval"](talk, 0), READERS["halueval"](told, 1)
    assert spoken.question.startswith("Knowledge: K.\nDialogue: [Human]: Where?\nResponse: R.\n\n")
    assert "Does the response contain information that the knowledge" in spoken.question
    assert "Does the summary contain information that the document" in summed.question
    assert (spoken.gold, summed.gold) == ("B", "A")
    empty = dict.fromkeys(ROWS["halueval"][0] | talk | told)  # all three in one table
    assert [READERS["halueval"](empty | row, 0) for row in (talk, told)] == [spoken, summed]


def test_a_key_is_a_folder_name_and_prose_is_no_part_of_it() -> None:
    asked = question(BenchmarkUse(name="reasoning_gym:gcd?seed=1&size=5"), EvalSpec(benchmarks=("gcd",)))
    assert asked.key.startswith("reasoning_gym-gcd-seed-1-size-5__")
    gcd = CARDS["gcd"]
    assert dataclasses.replace(gcd, about="x", note="y").facts() == gcd.facts()
    assert dataclasses.replace(gcd, instruction="x").facts() != gcd.facts()
    facts = {json.dumps(c.facts() | {"name": ""}, sort_keys=True, default=str) for c in CARDS.values()}
    assert len(facts) == len(CARDS)


def test_asked_is_what_readers_give() -> None:
    assert all(isinstance(READERS[name], type(READERS["gpqa"])) for name in READERS)
    assert Asked("q", "a").metadata == {}
