"""Code in an answer: where it stands, and what the sandbox makes of it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rsft.errors import DataError
from rsft.scoring.jail.calls import Outcome
from rsft.scoring.sandbox import CallTests, Limits, ProgramTests, examine

_FENCE = re.compile(r"^(?P<indent>[ \t>]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
_MOST_INDENT = 3
"""Blanks by which a fence may stand deeper than the one it ends (CommonMark 0.31, section 4.5)."""
_PYTHON = frozenset(("python", "py", "python3", "py3", "pypy", "pypy3"))
_IMPORTED = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing"),
)
CONTEST_IMPORTS = "\n".join(
    (
        *(f"from {module} import *" for module in _IMPORTED),
        *(f"import {module}" for module in _IMPORTED),
        "sys.setrecursionlimit(50_000)\n",
    )
)
"""What LiveCodeBench runs before every answer (its testing_util.py): contest code leaves imports out."""

_STARTS_CODE = re.compile(r"(?:async[ ]+def|def|class|import|from)\b|@|#")


@dataclass(frozen=True, slots=True)
class Code:
    """Code that was found in an answer."""

    text: str
    """As written."""
    fenced: bool
    """It stood in a fence; otherwise it is the whole answer, which may be no code at all."""
    closed: bool
    """Its fence ends; an answer that was cut is whole only then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTests:
    """Tests that call a function, or a method of `Solution`, with values and compare what it gives."""

    name: str
    pairs: tuple[tuple[list[Any], Any], ...]
    """Arguments and expected value of each, as JSON has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeReference:
    """What code is asked for, and how it is examined."""

    exam: CallTests | ProgramTests | ValueTests
    prompt: str = ""
    """What a bare answer continues, and what fenced code may take its imports from."""


def read_code(part: str) -> Code | None:
    """The last fence marked as Python, else the last unmarked one, else the whole text.

    One pass over the lines. None for an empty text.

    Args:
        part: the answer part of a response.
    """
    marked, unmarked = None, None
    for language, code in _fences(part):
        if language in _PYTHON:
            marked = code
        elif not language:
            unmarked = code
    if fenced := marked or unmarked:
        return fenced
    return Code(part, False, False) if part.strip() else None


def _fences(part: str) -> Iterator[tuple[str, Code]]:
    """All fences that hold anything, with their language in lower case."""
    language, marks, indent, lines = "", "", "", list[str]()
    for line in [*part.split("\n"), None]:
        bare = "" if line is None else line.rstrip()
        fence = _FENCE.match(bare)
        if fence and marks and len(fence["indent"]) > len(indent) + _MOST_INDENT:
            lines.append((line or "").removeprefix(indent))  # of a docstring in the code
            continue
        ends = bool(marks and fence and not fence["info"] and fence["marks"].startswith(marks))
        ends_behind_code = bool(marks and not fence and bare.endswith(marks))
        # A marked fence that opens in a fence: the model forgot to close the first.
        opens = bool(fence and not ends and (not marks or _language(fence["info"]) in _PYTHON))
        if marks and not (ends or opens or line is None):
            lines.append((bare.removesuffix(marks) if ends_behind_code else line or "").removeprefix(indent))
        if marks and (ends or ends_behind_code or opens or line is None):
            if any(map(str.strip, lines)):
                yield language, Code("\n".join(lines), True, line is not None)
            marks = ""
        if fence and opens:
            language, marks, indent, lines = _language(fence["info"]), fence["marks"], fence["indent"], []


def _language(info: str) -> str:
    words = re.split(r"[\s{}.:,]+", info.strip(" \t{}.:,"))
    return words[0].lower()


def code_reference(reference: Any) -> CodeReference:
    """A reference as a line of JSON holds it.

    `{"prompt", "entry_point", "test"}`, where `test` defines `check(candidate)` (HumanEval);
    `{"stdin_tests": [{"input", "output"}]}`; `{"functional_tests": [{"input", "output"}], "entry_point"}`,
    whose inputs have one argument in JSON on each line (LiveCodeBench); `{"tests": [source], "setup":
    source}` (MBPP).

    Raises:
        DataError: it is none of these.
    """
    if not isinstance(reference, dict):
        raise DataError("the reference of a code answer is an object with test, tests or stdin_tests.")
    prompt = reference.get("prompt") or ""
    if not isinstance(prompt, str):
        raise DataError("the reference's prompt is no text.")
    if "stdin_tests" in reference:
        exam = ProgramTests(pairs=_pairs(reference["stdin_tests"], "stdin_tests"))
        return CodeReference(exam=exam, prompt=CONTEST_IMPORTS)
    if "functional_tests" in reference:
        return CodeReference(exam=_value_tests(reference), prompt=CONTEST_IMPORTS)
    if "tests" in reference:
        tests = reference["tests"]
        if not (isinstance(tests, list) and tests and all(isinstance(test, str) for test in tests)):
            raise DataError("the reference's tests are not a list of one or more sources.")
        setup = reference.get("setup") or ""
        return CodeReference(exam=CallTests(tests=(str(setup), *tests)), prompt=prompt)
    entry, test = reference.get("entry_point"), reference.get("test")
    if not (isinstance(entry, str) and entry.isidentifier()):
        raise DataError(f"the reference's entry_point {entry!r:.80} is no name.")
    if not isinstance(test, str) or not test.strip():
        raise DataError("the reference has no test.")
    checks = CallTests(tests=(f"{test}\n\ncheck({entry})\n",), helpers=prompt, entry_point=entry)
    return CodeReference(exam=checks, prompt=prompt)


def _pairs(tests: Any, name: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(tests, list) or not tests:
        raise DataError(f"the reference's {name} are not a list of one or more tests.")
    for test in tests:
        texts = isinstance(test, dict) and [test.get("input"), test.get("output")]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise DataError(f"a test of {name} has no input and output as texts: {test!r:.80}")
    return tuple((test["input"], test["output"]) for test in tests)


def _value_tests(reference: dict[str, Any]) -> ValueTests:
    name = reference.get("entry_point")
    if not (isinstance(name, str) and name.isidentifier()):
        raise DataError(f"the reference's entry_point {name!r:.80} is no name.")
    found = []
    for given, wanted in _pairs(reference["functional_tests"], "functional_tests"):
        try:
            found.append(([json.loads(line) for line in given.strip().splitlines()], json.loads(wanted)))
        except ValueError:
            raise DataError(f"a test of functional_tests is no JSON: {given!r:.60}, {wanted!r:.60}") from None
    return ValueTests(name=name, pairs=tuple(found))


def _calls(tests: ValueTests, text: str) -> CallTests:
    """Compared by value, a tuple as a list, as LiveCodeBench does; one `Solution` for all tests, too."""
    owner = "Solution" if re.search(r"^class +Solution\b", text, re.MULTILINE) else ""
    asked = f"getattr(Solution(), {tests.name!r})" if owner else tests.name
    source = f"""import json
asked = {asked}
for number, (given, wanted) in enumerate(json.loads({json.dumps(tests.pairs)!r}), 1):
    found = asked(*given)
    assert (list(found) if isinstance(found, tuple) else found) == wanted, f"test {{number}}"
"""
    return CallTests(tests=(source,), entry_point=owner or tests.name)


def grade_code(code: Code, reference: CodeReference, limits: Limits | None = None) -> Outcome:
    """Examines code that was found in an answer.

    Raises:
        EngineError: this machine cannot isolate it.
    """
    exam = reference.exam
    if isinstance(exam, ValueTests):
        exam = _calls(exam, code.text)
    return examine(programs_of(code, reference), exam, limits)


def programs_of(code: Code, reference: CodeReference) -> list[list[str]]:
    """What the code may mean, the likeliest first: a program, or what continues the prompt."""
    text, prompt = code.text, reference.prompt
    entry = reference.exam.entry_point if isinstance(reference.exam, CallTests) else None
    if prompt and entry and not _defines(text, entry) and _is_method(text, entry):
        return [[prompt, f"{text}\n\n{entry} = Solution().{entry}\n"]]
    if not prompt or entry is None or _defines(text, entry):
        return [[prompt, text]] if code.fenced else [[prompt, text], *_without_prose(prompt, text)]
    start = prompt if prompt.endswith("\n") else f"{prompt}\n"
    body = text.lstrip("\n").rstrip()
    indented = textwrap.indent(textwrap.dedent(body), "    ")
    if code.fenced or not body[:1].isspace():
        # The third for a body whose outer blanks were taken away, with its first line's own.
        bodies = (body, indented, f"    {body}")
        return [*([start + one + "\n"] for one in bodies), [prompt, text]]
    return [[start + body + "\n"], [start + _first_block(body) + "\n"]]


def _defines(text: str, name: str) -> bool:
    ways = rf"^(?:(?:async +def|def|class) +{name}\b|{name} *[=:]|from .* import .*\b{name}\b)"
    return re.search(ways, text, re.MULTILINE) is not None


def _is_method(text: str, name: str) -> bool:
    """Whether a class `Solution` has it, as answers to contests are written."""
    owner = re.search(r"^class +Solution\b", text, re.MULTILINE)
    method = re.compile(rf"^[ \t]+def +{name}\b", re.MULTILINE)
    return owner is not None and method.search(text, owner.end()) is not None


def _first_block(body: str) -> str:
    """Lines up to the first that is neither indented nor the start of more code."""
    kept: list[str] = []
    for line in body.split("\n"):
        if kept and line[:1].strip() and not _STARTS_CODE.match(line):
            break
        kept.append(line)
    return "\n".join(kept)


def _without_prose(prompt: str, text: str) -> list[list[str]]:
    """From the first line that starts code to the last that may belong to it."""
    lines = text.split("\n")
    start = next((number for number, line in enumerate(lines) if _STARTS_CODE.match(line)), None)
    return [] if start is None else [[prompt, _first_block("\n".join(lines[start:]))]]
