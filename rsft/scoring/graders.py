r"""What an answer is worth: math-verify for mathematics, reasoning-gym's own scorers, IFBench's checks.

All feed text of a model to code that may hang, fill the memory or evaluate Python. So these
functions run in `rsft.scoring.worker` only; the rest of rsft grades through `rsft.scoring.grade`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Literal

Isolated = Literal["math", "reasoning_gym", "ifbench"]
"""Graders that run in a process of their own."""

_TEXT = re.compile(r"\\(?:text|math|mbox|operatorname)(?:bf|it|tt|rm|sf)?\s*\{([^{}]*)\}")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_ARITHMETIC = re.compile(r"[-0-9+*/().\s]+")
_NOT_ARITHMETIC = re.compile(r"\*\*|//|\.\s*\d")
_BOARDS = ("arc_agi", "rearc")
"""Tasks whose scorers compare with a tuple of tuples, which a list of JSON never equals."""
_SIGNS = (  # LaTeX and Unicode: times, middle dot, asterisk; division; minus, en dash; spacing
    (re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])|[\u00d7\u00b7\u2217]"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])|\u00f7"), "/"),
    (re.compile(r"[\u2212\u2013]"), "-"),
    (re.compile(r"\\(?:left|right)(?=[()])|\\[,;:! ]|~"), " "),
)


def _overlong(answer: str, gold: str) -> bool:
    """No answer, but a text gone round in circles; only the parser's time would be spent on it."""
    return len(answer) > 1_000 + 10 * len(gold)


def grade_math(answer: str, gold: str) -> float:
    """1.0 when the answer is mathematically the gold answer, else 0.0.

    No clock runs here: math-verify's own would answer False, which would count as wrong. The clock is
    that of `rsft.scoring.grade`, which kills.

    Raises:
        ValueError: the gold answer itself cannot be read.
    """
    answer, gold = answer.strip(), gold.strip()
    if answer == gold:
        return 1.0
    if _overlong(answer, gold):
        return 0.0
    from rsft.scoring.equivalence import equivalent  # seconds: sympy

    return float(equivalent(gold, answer))


def grade_reasoning_gym(answer: str, entry: dict[str, Any], task: str, config: dict[str, Any]) -> float:
    r"""The score that the task's own `score_answer` gives, in [0, 1]; correct is 1.0 and no less.

    The answer is tried as written and without LaTeX dress (`\text{abc}`, `\$`, `1,000`), because
    most scorers compare strings; the better score counts. Answers to countdown must be arithmetic,
    see `countdown_expression`; anything else is 0.0 and never reaches the scorer. Quirks of the
    package stay as they are: its gsm_symbolic scorer does not see a leading minus.

    Args:
        answer: what was read in the response.
        entry: reasoning-gym's item: `question`, `answer`, `metadata`.
        task: name of the data set.
        config: its difficulty settings.

    Raises:
        ValueError: the scorer gives something that is not in [0, 1].
    """
    if _overlong(answer, str(entry["answer"])):
        return 0.0
    candidates: list[str] = [answer, _undressed(answer)]
    if task == "countdown":
        expression = countdown_expression(answer)
        candidates = [] if expression is None else [expression]
    if task in _BOARDS:
        output = tuple(map(tuple, entry["metadata"]["output"]))
        entry = {**entry, "metadata": {**entry["metadata"], "output": output}}
    score = _scorer(task, json.dumps(config, sort_keys=True))
    raw = max((_scored(score, text, entry) for text in dict.fromkeys(candidates)), default=0.0)
    if math.isnan(raw) or not 0.0 <= raw <= 1.0:
        raise ValueError(f"reasoning-gym's scorer of {task} gave {raw}, not a number in [0, 1]")
    return raw


def _scored(score: Callable[[str, dict[str, Any]], float], text: str, entry: dict[str, Any]) -> float:
    """A scorer that reads the right answer and raises on this one (`int("x")`) was given no answer."""
    try:
        return float(score(text, entry))
    except Exception:
        if float(score(entry["answer"], entry)) == 1.0:
            return 0.0
        raise


@lru_cache(maxsize=32)
def _scorer(task: str, config: str) -> Callable[[str, dict[str, Any]], float]:
    import reasoning_gym  # seconds

    scorer: Callable[[str, dict[str, Any]], float] = reasoning_gym.create_dataset(
        task, **json.loads(config)
    ).score_answer
    return scorer


def _undressed(answer: str) -> str:
    """The answer without LaTeX text commands, signs of currency and thousands separators."""
    text = _TEXT.sub(r"\1", answer).replace("{,}", ",").replace("\\,", "").replace("\\$", "")
    text = text.strip(" \t\n$.")
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def countdown_expression(answer: str) -> str | None:
    r"""The answer as plain arithmetic, or None when it is not.

    LaTeX signs become `*`, `/` and parentheses first. Only digits, `+ - * / ( ) .` and white space
    pass, without `**` and `//`: reasoning-gym hands the text to sympy's `parse_expr`, which
    evaluates Python. A digit behind a point is refused too, since the scorer counts the integers it
    sees: `3.5 * 10` would count as a use of 3, 5 and 10.
    """
    text = answer
    for sign, plain in _SIGNS:
        text = sign.sub(plain, text)
    fractions = 1
    while fractions:  # from the inside out
        text, fractions = _FRACTION.subn(r"((\1)/(\2))", text)
    text = text.strip()
    if not _ARITHMETIC.fullmatch(text) or _NOT_ARITHMETIC.search(text):
        return None
    return text


def preload(grader: Isolated) -> None:
    """Imports what a grader needs and warms its parser up, before any clock runs."""
    if grader == "math":
        grade_math("\\frac{1}{2}", "0.5")
        return
    if grader == "ifbench":
        from rsft.scoring import unseen_instructions

        unseen_instructions.preload()
        return
    import reasoning_gym
    from sympy.parsing.sympy_parser import parse_expr

    parse_expr("1 + 1")
    assert reasoning_gym.create_dataset  # the import registers all tasks


def grade(grader: Isolated, answer: str, gold: str, metadata: dict[str, Any]) -> tuple[float, Any]:
    """The raw score in [0, 1] of one answer, and what there is to say beside it (None: nothing).

    Args:
        grader: which of the three.
        answer: what was read in the response; for IFBench all that follows the thinking.
        gold: `Problem.gold`.
        metadata: `Problem.metadata`; for reasoning-gym `task`, `config` and `entry`; for IFBench
            `instruction_id_list` and `kwargs`.

    Raises:
        KeyError: the metadata lacks one of these.
        ValueError: the gold answer, the scorer or the row is at fault.
    """
    if grader == "math":
        return grade_math(answer, gold), None
    if grader == "ifbench":
        from rsft.scoring.unseen_instructions import check

        followed = check(answer, metadata["instruction_id_list"], metadata["kwargs"])
        return float(followed.prompt_loose), asdict(followed)
    return grade_reasoning_gym(answer, metadata["entry"], metadata["task"], metadata["config"]), None
