"""One grader for each kind of reference: what a sweep and `rsft grade` both judge answers by."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from rsft.boxed import last_boxed, trimmed
from rsft.errors import DataError
from rsft.records import Outcome
from rsft.scoring import sentences
from rsft.scoring.choice import choice_reference, is_right, read_choice
from rsft.scoring.graders import Isolated
from rsft.scoring.process import GraderProcess, Verdict
from rsft.scoring.programs import code_reference, grade_code, read_code
from rsft.scoring.reading import read_answer
from rsft.scoring.sandbox import Limits

GraderName = Literal["math", "choice", "code", "ifeval", "ifbench", "reasoning_gym", "refusal"]
"""All that judge without a model."""

Status = Outcome | Literal["refused", "complied", "unclear"]

ANSWER_S = 4.0
"""For one answer. What hangs is tried twice, in at most 15 s where a process is slow to start."""

KNOWN = 20_000
"""Verdicts that a grading process's owner remembers."""

CODE_LIMITS = Limits(wall_s=10.0)


@dataclass(frozen=True, slots=True)
class Graded:
    """The verdict on one line."""

    status: Status
    score: float = 0.0
    """In [0, 1]."""
    answer: str | None = None
    """What was read."""
    where: str | None = None
    """How it was read, such as `last boxed`."""
    detail: Any = ""
    """Why the status is what it is, in a few words; for instructions an object with the verdict on each."""


class Grader(Protocol):
    """Grades answer parts, one at a time."""

    def grade(self, reference: Any, part: str, cut: bool) -> Graded:
        """The verdict on one answer.

        Args:
            reference: what is right, in the form that README gives for this grader.
            part: what follows the thinking; not empty.
            cut: the token limit ended the response.

        Raises:
            DataError: the reference has another form.
        """

    def kill(self) -> None:
        """Ends a verdict under way, from any thread; the grader is of no use then."""

    def close(self) -> None:
        """Gives back what the grader holds; nobody uses it any more."""


def grader_of(name: GraderName, limit_s: float = ANSWER_S) -> Grader:
    """A grader by its name.

    Args:
        name: which.
        limit_s: seconds for one answer in a grading process; code has limits of its own.
    """
    if name in ("math", "reasoning_gym"):
        return _InProcess("math" if name == "math" else "reasoning_gym", limit_s)
    if name == "ifbench":
        return _Unseen(limit_s)
    return _Plain({"choice": _choice, "code": _code, "ifeval": _instructions, "refusal": _refusal}[name])


class _Plain:
    """A grader that keeps nothing between answers."""

    def __init__(self, function: Callable[[Any, str, bool], Graded]) -> None:
        self._function = function

    def grade(self, reference: Any, part: str, cut: bool) -> Graded:
        return self._function(reference, part, cut)

    def kill(self) -> None:
        """Nothing to end: what takes long has limits of its own."""

    def close(self) -> None:
        """Nothing to give back."""


class _InProcess:
    """Mathematics and reasoning-gym, in a process that is killed when it hangs.

    An answer that comes again for the same reference is not graded again: samples of one problem often agree,
    and one that hangs would take its time each time.
    """

    def __init__(self, name: Isolated, limit_s: float) -> None:
        self._name = name
        self._process = GraderProcess(name, limit_s)
        self._known: dict[str, Verdict] = {}

    def grade(self, reference: Any, part: str, cut: bool) -> Graded:
        if self._name == "math":
            gold, metadata = _gold(reference), dict[str, Any]()
            reading = read_answer(part)
            answer, where, at_end = reading.answer, reading.where, reading.at_end
        else:
            gold, metadata = "", _entry(reference)
            answer, where, at_end = _tagged(part)
        if answer is None or (cut and at_end):
            return _unfinished(cut, answer)
        verdict = self._verdict(answer, gold, metadata)
        if verdict.why:
            return Graded("error", answer=answer, where=where, detail=verdict.why)
        return Graded("correct" if verdict.raw == 1.0 else "wrong", verdict.raw, answer, where or "")

    def _verdict(self, answer: str, gold: str, metadata: dict[str, Any]) -> Verdict:
        key = json.dumps([answer, gold, metadata], sort_keys=True)
        if key not in self._known:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[key] = self._process.grade(answer, gold, metadata)
        return self._known[key]

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.close()


class _Unseen:
    """IFBench's checks, in a process that is killed when it hangs; correct is prompt-level loose."""

    def __init__(self, limit_s: float) -> None:
        self._process = GraderProcess("ifbench", limit_s)

    def grade(self, reference: Any, part: str, cut: bool) -> Graded:
        _, names, arguments = _asked_to(reference)
        if cut:
            return _unfinished(cut)
        sentences.fetch()  # the process itself may not write
        text = part.strip()
        verdict = self._process.grade(text, "", {"instruction_id_list": names, "kwargs": arguments})
        if verdict.why:
            return Graded("error", answer=text, where="answer part", detail=verdict.why)
        status: Status = "correct" if verdict.raw == 1.0 else "wrong"
        return Graded(status, verdict.raw, text, "answer part", verdict.detail)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.close()


def _unfinished(cut: bool, answer: str | None = None) -> Graded:
    if cut:
        return Graded("truncated", answer=answer, detail="the token limit came before the answer's end")
    return Graded("no_answer", detail="no answer was found")


def _gold(reference: Any) -> str:
    if isinstance(reference, int | float) and not isinstance(reference, bool) and math.isfinite(reference):
        return str(reference)
    if not isinstance(reference, str) or not reference.strip():
        raise DataError(f"the reference of a mathematical answer is a text, not {reference!r:.80}.")
    if "####" in reference or last_boxed(reference):  # a whole solution of GSM8K or MATH
        return read_answer(reference).answer or reference
    return reference


def _entry(reference: Any) -> dict[str, Any]:
    if not isinstance(reference, dict) or not isinstance(reference.get("dataset"), str):
        raise DataError("the reference of a reasoning-gym answer is an object with dataset and entry.")
    entry = reference.get("entry")
    if not isinstance(entry, dict) or "answer" not in entry:
        raise DataError("the reference's entry is no item of reasoning-gym: it has no answer.")
    return {"task": reference["dataset"], "config": reference.get("config") or {}, "entry": entry}


def _tagged(part: str) -> tuple[str | None, str, bool]:
    """The last <answer> tag, else the last box, else the whole text; and whether it may go on."""
    start = part.rfind("<answer>", 0, max(0, part.rfind("</answer>")))
    end = part.find("</answer>", start)
    if start >= 0 and (tagged := part[start + len("<answer>") : end].strip()):
        return tagged, "last answer tag", False
    if boxed := last_boxed(part):
        return boxed, "last boxed", trimmed(part).endswith(boxed)
    return part.strip() or None, "whole text", True


def _choice(reference: Any, part: str, cut: bool) -> Graded:
    right = choice_reference(reference)
    chosen = read_choice(part, right.choices)
    if chosen is None or (cut and chosen.at_end):
        return _unfinished(cut, chosen.answer if chosen else None)
    good = is_right(chosen, right)
    return Graded("correct" if good else "wrong", float(good), chosen.answer, chosen.where)


def _code(reference: Any, part: str, cut: bool) -> Graded:
    asked = code_reference(reference)
    code = read_code(part)
    if code is None or (cut and not code.closed):
        return _unfinished(cut, code.text if code else None)
    outcome = grade_code(code, asked, CODE_LIMITS)
    where = "last fence" if code.fenced else "whole text"
    if outcome.status == "unreadable" and not code.fenced:
        return Graded("no_answer", detail=f"no code was found ({outcome.why})")
    if outcome.status == "fault":
        return Graded("error", answer=code.text, where=where, detail=outcome.why)
    good = outcome.status == "passed"
    return Graded("correct" if good else "wrong", float(good), code.text, where, outcome.why)


def _asked_to(reference: Any) -> tuple[str, list[Any], list[Any]]:
    """Prompt, instructions and their arguments."""
    if not isinstance(reference, dict) or not isinstance(reference.get("prompt"), str):
        raise DataError(
            "the reference of instructions is an object with prompt, instruction_id_list, kwargs."
        )
    names, arguments = reference.get("instruction_id_list"), reference.get("kwargs")
    if not isinstance(names, list) or not isinstance(arguments, list) or len(names) != len(arguments):
        raise DataError("the reference's instruction_id_list and kwargs are not two lists of one length.")
    return reference["prompt"], names, arguments


def _instructions(reference: Any, part: str, cut: bool) -> Graded:
    from rsft.scoring.instructions import check

    prompt, names, arguments = _asked_to(reference)
    if cut:
        return _unfinished(cut)
    followed = check(prompt, part.strip(), names, arguments)
    good = followed.score == 1.0
    return Graded("correct" if good else "wrong", float(good), part.strip(), "answer part", asdict(followed))


def _refusal(reference: Any, part: str, cut: bool) -> Graded:
    from rsft.scoring.refusal import classify

    if not (reference is None or isinstance(reference, str | dict)):
        raise DataError(f"the reference of a refusal is null or has a prompt; this is {reference!r:.80}.")
    prompt = reference.get("prompt") if isinstance(reference, dict) else reference
    if not (prompt is None or isinstance(prompt, str)):
        raise DataError("the reference's prompt is no text.")
    found = classify(part.strip(), prompt)
    return Graded(found.kind, float(found.kind == "refused"), detail=found.reason)
