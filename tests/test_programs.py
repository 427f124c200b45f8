"""Code in answers, read and examined: python -m pytest tests/test_programs.py"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rsft.errors import DataError
from rsft.scoring.jail.calls import Status
from rsft.scoring.jail.programs import difference
from rsft.scoring.programs import Code, code_reference, grade_code, read_code
from rsft.scoring.sandbox import Limits

pytestmark = pytest.mark.slow

PROMPT = 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """ Sum them.\n    """\n'
HUMANEVAL = {
    "prompt": PROMPT,
    "entry_point": "total",
    "test": "\n\ndef check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n",
}
STDIN = {"stdin_tests": [{"input": "1 2\n", "output": "3\n"}, {"input": "5 -5", "output": "0"}]}
MBPP = {"tests": ["assert total([1, 2]) == 3", "assert total([]) == 0"]}

READ = [
    ("```python\nx\n```", "x", True, True),
    ("```python\nx\n```\nand\n```python\ny\n```\ndone", "y", True, True),
    ("```python\nx\n```\nprints\n```\n3\n```", "x", True, True),
    ("```\nx\n```\n```bash\nls\n```", "x", True, True),
    ("```Python3\nx\n```", "x", True, True),
    ("``` {.python}\nx\n```", "x", True, True),
    ("~~~py\nx\n~~~", "x", True, True),
    ("````python\n```\nx\n````", "```\nx", True, True),
    ("1. So:\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y", True, True),
    ("```python\nx```", "x", True, True),
    ("```python\nx\n```python\ny\n```", "y", True, True),
    ("```python\n\n```\n```python\nx", "x", True, False),
    ("```python:main.py\nx\n```\n```\ny\n```", "x", True, True),
    ("```python\ns = '''\n    ```\n'''\n```", "s = '''\n    ```\n'''", True, True),
    ("```py\nd = '''\n    ```python\n'''\n```", "d = '''\n    ```python\n'''", True, True),
    ("```js\nx\n```", "```js\nx\n```", False, False),
    ("    return x", "    return x", False, False),
]


@pytest.mark.parametrize(("part", "text", "fenced", "closed"), READ)
def test_the_last_python_fence_is_read(part: str, text: str, fenced: bool, closed: bool) -> None:
    assert read_code(part) == Code(text, fenced, closed)


def test_nothing_is_no_code() -> None:
    assert read_code(" \n") is None


@pytest.mark.parametrize("piece", ["```python\n", "```", "`", "~~~\n", " > ", "```python\nx```\n", "x\n"])
def test_reading_takes_time_in_proportion_to_the_text(piece: str) -> None:
    def seconds(characters: int) -> float:
        start = time.process_time()
        read_code(piece * (characters // len(piece)))
        return time.process_time() - start

    assert seconds(400_000) < 30 * max(seconds(50_000), 0.01)


def status(reference: dict[str, Any], part: str, wall_s: float = 5.0) -> Status:
    code = read_code(part)
    assert code
    return grade_code(code, code_reference(reference), Limits(wall_s=wall_s)).status


PASSES = {
    "a whole function": "```python\ndef total(numbers: List[int]) -> int:\n    return sum(numbers)\n```",
    "its own imports": "```python\nfrom __future__ import annotations\ndef total(n): return sum(n)\n```",
    "a lambda": "```python\ntotal = lambda n: sum(n)\n```",
    "a fenced body": "```python\n    return sum(numbers)\n```",
    "a body without indentation": "```python\ns = 0\nfor n in numbers:\n    s += n\nreturn s\n```",
    "a body without its first blanks": "s = 0\n    for n in numbers:\n        s += n\n    return s",
    "a bare body": "    return sum(numbers)\n",
    "a bare body and more": "    return sum(numbers)\n\nThis sums them. It's linear.\n",
    "a bare function": "def total(numbers):\n    return sum(numbers)\n",
    "a bare function in prose": "Here you are:\ndef total(n):\n    return sum(n)\nI hope this helps!",
    "a main block": "```python\ndef total(n): return sum(n)\nif __name__ == '__main__':\n    input()\n```",
    "a method of Solution": "```python\nclass Solution:\n    def total(self, n):\n        return sum(n)\n```",
    "with a helper": "```python\ndef one(n):\n    return sum(n)\n\ndef total(n):\n    return one(n)\n```",
}


@pytest.mark.parametrize("form", PASSES)
def test_right_answers_of_all_forms_pass(form: str) -> None:
    assert status(HUMANEVAL, PASSES[form]) == "passed"


def test_wrong_answers_fail_and_prose_is_unreadable() -> None:
    assert status(HUMANEVAL, "```python\ndef total(numbers): return 3\n```") == "failed"
    assert status(HUMANEVAL, "```python\ndef other(numbers): return 3\n```") == "failed"
    assert status(HUMANEVAL, "    pass") == "failed"
    assert status(HUMANEVAL, "```python\nclass Solution:\n    def total(self, n): return 3\n```") == "failed"
    assert status(HUMANEVAL, "I cannot do that, sorry.") == "unreadable"
    assert status(HUMANEVAL, "```python\ndef total(numbers:\n```") == "unreadable"
    assert status(HUMANEVAL, "```python\ndef total(n):\n    '\0'\n```") == "unreadable"
    assert status(HUMANEVAL, "```python\nx = '\ud800'\n```") == "unreadable"
    assert status(HUMANEVAL, "```python\n" + "(" * 200_000 + "\n```") == "unreadable"
    assert status(STDIN, "I cannot do that, sorry.") == "unreadable"


def test_programs_and_asserts() -> None:
    assert status(STDIN, "```python\nprint(sum(map(int, input().split())))\n```") == "passed"
    assert status(STDIN, "```python\nprint(3)\n```") == "failed"
    assert status(MBPP, "```python\ndef total(n):\n    return sum(n)\n```") == "passed"
    assert status(MBPP, "```python\ndef total(n):\n    return 3\n```") == "failed"
    assert status(MBPP, "```python\ndef sum_of(n):\n    return 3\n```") == "failed"
    divisors = {"tests": ["assert sum(10, 15) == 6"]}  # MBPP 115 asks for a function of a builtin's name
    assert status(divisors, "```python\ndef divisors(n, m):\n    return 6\n```") == "failed"
    assert status(divisors, "```python\ndef sum(n, m):\n    return 6\n```") == "passed"


VALUES = {
    "functional_tests": [
        {"input": "[2, 7, 11, 15]\n9", "output": "[0, 1]"},
        {"input": "[3, 3]\n6\n", "output": "[0, 1]"},
        {"input": "[0.5, -0.5]\n0", "output": "[0, 1]"},
    ],
    "entry_point": "twoSum",
}
TWO_SUM = """```python
class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        seen = {}
        for i, n in enumerate(nums):
            if target - n in seen:
                return [seen[target - n], i]
            seen[n] = i
```"""


def test_functions_are_called_with_values() -> None:
    assert status(VALUES, TWO_SUM) == "passed"
    plain = "```python\ndef twoSum(nums, target):\n    return (0, 1)\n```"
    assert status(VALUES, plain) == "passed"  # a tuple counts as a list
    assert status(VALUES, TWO_SUM.replace("[seen[target - n], i]", "[i, seen[target - n]]")) == "failed"
    assert status(VALUES, TWO_SUM.replace("twoSum", "other")) == "failed"
    assert status(VALUES, TWO_SUM.replace("Solution", "Answer")) == "failed"
    assert status(VALUES, "No program, sorry.") == "unreadable"


WRONG_CALLS = {
    "a text": "return '[0, 1]'",
    "nothing": "pass",
    "a hang": "while True: pass",
    "an exit": "import os; os._exit(0)",
    "a soft exit": "raise SystemExit(0)",
    "an exception": "return nums[9]",
    "equal to all": "return type('All', (), {'__eq__': lambda *a: True})()",
    "a generator": "yield from (0, 1)",
    "prints only": "print([0, 1])",
    "a memory bomb": "return [0] * 10**10",
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_functions_that_do_anything_else_fail(name: str) -> None:
    code = f"class Solution:\n    def twoSum(self, nums, target):\n        {WRONG_CALLS[name]}"
    assert status(VALUES, fenced(code), wall_s=1.0) == "failed"


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def test_a_name_of_the_test_is_not_taken_from_the_code() -> None:
    cheat = "class Always:\n    __eq__ = lambda *a: True\ndef list(x): return Always()\nisinstance = list\n"
    assert status(VALUES, fenced(f"{cheat}def twoSum(*a): return 5")) == "failed"
    assert status(VALUES | {"entry_point": "sum"}, fenced(f"{cheat}def sum(*a): return 5")) == "failed"


def test_contest_programs_need_no_imports_and_keep_their_builtins() -> None:
    assert status(STDIN, fenced("print(sum(map(int, deque(sys.stdin.read().split()))))")) == "passed"
    built_in = "assert pow(2, 3, 5) == 3\nprint(sum(map(int, input().split())))"
    assert status(STDIN, fenced(built_in)) == "passed"


@pytest.mark.parametrize(
    ("printed", "wanted", "why"),
    [
        ("1 2\n3", "1  2 \n 3\n\n", ""),
        ("0.50 7", "0.5 7", ""),
        ("1e3", "1000", ""),
        ("07", "7", "word 1 of line 1"),
        ("0.30000000000000004", "0.3", "word 1 of line 1"),
        ("1 2 3", "1\n2\n3", "1 lines, not 3"),
        ("1\n\n2", "1\n2", "3 lines, not 2"),
        ("1", "1 2", "missing, not '2'"),
        ("1 2", "1", "not there"),
        ("nan", "NaN", "word 1"),
    ],
)
def test_what_is_printed_is_compared_as_livecodebench_does(printed: str, wanted: str, why: str) -> None:
    found = difference(printed, wanted)
    assert (why in found) if why else not found


def test_a_broken_reference_is_a_fault() -> None:
    right = PASSES["a whole function"]
    for test in (
        "def check(candidate:",
        "def checks(candidate): pass",
        "x",
        "def check(c): assert helper(c)",
    ):
        assert status(HUMANEVAL | {"test": test}, right) == "fault", test
    assert status({"tests": ["assert total([1]) =="]}, right) == "fault"


def test_a_plain_value_where_the_tests_want_another_is_the_codes_failure() -> None:
    """The tests use it without a question to the code's process."""
    assert status({"tests": ["assert total == 2"]}, "```python\ntotal = 2\n```") == "passed"
    for use in ("assert list(total) == [1]", "assert total([1]) == 1", "assert total == 3"):
        assert status({"tests": [use]}, "```python\ntotal = 2\n```") == "failed", use


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("x", "object with test"),
        ({}, "entry_point None"),
        ({"entry_point": "a b", "test": "x"}, "'a b'"),
        ({"entry_point": "a", "test": ""}, "no test"),
        ({"tests": []}, "one or more"),
        ({"stdin_tests": []}, "one or more"),
        ({"stdin_tests": [{"input": 1, "output": ""}]}, "input and output"),
        ({"functional_tests": [{"input": "1", "output": "1"}]}, "entry_point None"),
        ({"functional_tests": [{"input": "x", "output": "1"}], "entry_point": "f"}, "no JSON"),
        ({"functional_tests": [], "entry_point": "f"}, "one or more"),
        ({"prompt": 3, "tests": ["x"]}, "prompt"),
    ],
)
def test_a_reference_of_another_form_is_refused(reference: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        code_reference(reference)


def test_programs_run_side_by_side() -> None:
    parts = [f"```python\ndef total(n):\n    return sum(n)  # {i}\n```" for i in range(20)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda part: status(HUMANEVAL, part), parts))
    assert found == ["passed"] * 20
