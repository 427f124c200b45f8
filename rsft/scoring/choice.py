r"""Multiple choice: which letter an answer names, or which option's text it repeats.

Pure string work, linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from rsft.boxed import last_boxed
from rsft.errors import DataError
from rsft.scoring.dress import plain
from rsft.scoring.quantities import GAP, rational
from rsft.scoring.reading import read_answer

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORDS = frozenset("AI")
"""Letters that are words of English: bare, they count only where no sentence goes on."""

_MARKER = re.compile(
    r"(?<!wrong )(?<!incorrect )(?<!if the )(?<!suppose the )"
    r"\b(?:answers?|ans|(?:correct|right|best)\s{1,4}(?:answer|choice|option|letter))\b"
    r"(?: (?:to|for) (?:the|this|our|your)(?: \w{1,20}){1,4}?)?[*_ \t\"']{0,8}"
    r"(?:is\b|are\b|would be\b|should be\b|must be\b|:|=|[-–—](?=\s))[*_ \t:]{0,8}\s{0,8}",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:not\s{1,4}\(?[A-Z]\)?,?\s{1,4}but\s{1,4})?"
    r"(?:(?:the\s{1,4})?(?:option|choice|letter|answer)\s{1,4})?",
    re.IGNORECASE,
)
_SAID_OTHERWISE = re.compile(
    r"(?<!not )(?<!n['’]t )(?<!might )(?<!could )"
    r"\b(?:choose|pick|select|go(?:ing)? with|I(?:['’]d| would) say)\s{1,4}"
    r"(?=(?:the|option|choice|letter)\s|[(*$]{0,3}[A-Z](?![a-zA-Z]))"
    r"|(?=(?<![\w(*])(?<![Ii]f )(?<!hether )(?<!tatement )"
    r"(?:[Oo]ption\s{1,4})?[*(]{0,4}[A-Z][*)]{0,4}\s{1,4}is\s{1,4}"
    r"(?:correct\b|right\b|the\s{1,4}(?:(?:correct|right|best)\s{1,4})?(?:answer|option|choice|one)\b))"
    r"|(?<!not )(?<!n['’]t )(?<!unlikely to )(?<!wrong answer )(?<!incorrect answer )"
    r"\b(?:is|be|matches|corresponds to|[Ii]t['’]s|(?:[Ss]o|[Hh]ence|[Tt]hus|[Tt]herefore),?)"
    r"\s{1,4}(?=(?:option\s{1,4})?[(*$]{0,3}[A-Z][)*$]{0,3}\.?[)*$]{0,3}\s{0,4}\Z)"
)
"""Weaker than a statement: "I choose C", "option C is correct", "(C) is the answer", at the end "it is C"."""
_ANSWER_BEHIND = re.compile(
    r"[*_]{0,3}\s{1,4}is\s{1,4}the\s{1,4}(?:(?:correct|right|best)\s{1,4})?(?:answer|option|choice|one)\b"
    r"(?=[*_]{0,3}(?:[.,!;:]|\s{0,4}$|\s{1,4}(?:because|since|as|here)\b))",
    re.MULTILINE,
)
_BEGINS = re.compile(r"(?:^|[.!?:]|\b(?:so|hence|thus|therefore),?)\s?$")
"""Paris is the answer: an option's text, which begins the sentence."""
_ENCLOSED = re.compile(
    r"(?:\$|\\\()?(?:\(\s?([A-Za-z])\s?\)|\[([A-Z])\]|\*\*\(?([A-Z])\)?(?:[.:)][^*\n]*)?\*\*"
    r"|\\(?:text|mathrm|mathbf|textbf)\s?\{\s?\(?([A-Za-z])\)?\s?\}|['‘<]([A-Z])['’>])\$?"
)
_BARE = re.compile(
    r"[\"'$`]?(?:([A-Z])(?![A-Za-z0-9'’+^=]|-[A-Za-z])[\"'$`]?"
    r"|([a-z])(?=[\"'$`*_]{0,3}\.?[*_ ]{0,3}(?:\n|$)))"
)
"""A small letter counts where the line ends with it."""
_SENTENCE_GOES_ON = re.compile(
    r"[*_]{0,2}[ \t]{1,4}(?!because\b|since\b|as\b|for\b|is\s(?:correct|right|the)\b)[A-Za-z]"
)
_ANOTHER = re.compile(r"[*_]{0,2}\s{0,4}(?:[,/]|or\b|and\b|&)\s{0,4}\(?[A-Z](?![A-Za-z])")
_REJECTED = re.compile(
    r"[*_)]{0,3}\s{1,4}(?:is(?:n['’]t)?|seems|cannot)\s{1,4}(?:not|wrong|incorrect|false|be|un\w+)\b"
)
_WHOLE = re.compile(
    r"(?:[-#>]{1,6}\s)?(?:option|choice|answer)?\s{0,4}[\[(*_]{0,4}\s?(?:\\(?:text|mathrm|mathbf|textbf)\s?\{)?\s?\(?([A-Za-z])"
    r"\)?\s?\}?(?:[*_\])]{0,4}[.:)]{0,2}[*_]{0,4}|[*_\])]{0,4}(?:[.:)][*_]{0,2}\s|\s[-–—]\s).*)",
    re.IGNORECASE | re.DOTALL,
)
_LABEL = re.compile(r"^[ \t(*-]{0,6}([A-Z])[*)]{0,3}[.):][*)\s]", re.MULTILINE)
_TEXT_AND_LETTER = re.compile(r"(.*\S)\s*\((?:option\s)?([A-Z])\)\.?", re.DOTALL)
_LATEX_SPACE = re.compile(r"\\[ ,;:!]|\\q?quad(?![a-zA-Z])|~")
_DRESS = re.compile(
    r"\\(?:text|mathrm|mathbf|textbf|mbox)\s?\{([^{}]*)\}|[`$\"“”]|(?<!\\)\\[()\[\]]"
    r"|(?<![^\s(])[*_]{1,3}|[*_]{1,3}(?![^\s.,;:!?)])"
)
"""Stars around words, not those of `2*3`."""

_MATHEMATICS = re.compile(r"[\\\d^]")
_NO_DIFFERENCE = tuple(
    (re.compile(pattern), spelled)
    for pattern, spelled in (
        (GAP, " "),
        (r"\\text\s?\{([^{}]*)\}", r"\1"),
        (r" {2,}", " "),
        (r"^(-?)(\\?[a-zA-Z]+(?:\{\w+\})?|\d+)/(\w)$", r"\1\\frac{\2}{\3}"),
        (r"(\\[a-zA-Z]+) |(?<!\w) | (?!\w)", r"\1"),
        (r"(?<!\\)\{(\w|\\[a-zA-Z]+)\}", r"\1"),
    )
)
r"""What two spellings of the same LaTeX may differ in: `\sqrt 2`, `\sqrt{2}`."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an answer chose."""

    answer: str
    """The letter, or what was written instead of an option."""
    where: str
    """How it was read, such as `last boxed`."""
    at_end: bool
    """Nothing follows or closes it: if the text was cut, it may go on."""


@dataclass(frozen=True, slots=True)
class ChoiceReference:
    """The right letter and all options in the order of their letters."""

    answer: str
    choices: tuple[str, ...]


def choice_reference(reference: Any) -> ChoiceReference:
    """A reference as a line of JSON holds it: `{"answer": "C", "choices": [texts]}`.

    Raises:
        DataError: it is none, or its letter has no option.
    """
    if not isinstance(reference, dict):
        raise DataError("the reference of a choice is an object with answer and choices.")
    answer, choices = reference.get("answer"), reference.get("choices")
    if not (isinstance(choices, list) and choices and all(isinstance(text, str) for text in choices)):
        raise DataError("the reference's choices are not a list of texts.")
    letters = _LETTERS[: len(choices)]
    if not (isinstance(answer, str) and len(answer.strip()) == 1 and answer.strip().upper() in letters):
        raise DataError(f"the reference's answer {answer!r:.80} is none of the letters {letters}.")
    return ChoiceReference(answer.strip().upper(), tuple(choices))


def read_choice(part: str, choices: Sequence[str]) -> Chosen | None:
    """Reads what an answer part chose.

    In this order: the last box; the last stated form ("the answer is (C)", "Answer: C"); an answer
    that is nothing but a letter or an option's text, as a whole, in its last line or in its first; weaker
    statements ("option C is correct"). A box or a statement that names no option is an answer too, and a
    wrong one.
    """
    boxed = last_boxed(part)
    if boxed is not None and (letter := _whole(boxed, choices)):
        return Chosen(letter, "last boxed", False)
    if stated := _last_stated(part, choices, _MARKER):
        return stated
    said = read_answer(part)
    if said.where == "stated answer" and said.answer and (letter := _by_text(said.answer, choices)):
        return Chosen(letter, "stated answer", said.at_end)
    if boxed is not None:
        return Chosen(boxed, "last boxed", False)
    whole = part.strip()
    first, last = whole.split("\n", 1)[0], whole.rsplit("\n", 1)[-1].strip()
    labels = _LABEL.findall(part)
    several = len(set(labels)) > 1  # the options said again
    recited = several and "".join(labels[-len(choices) :]) == _LETTERS[: len(choices)]
    for text, where in (("" if several else whole, "whole answer"), ("" if recited else last, "last line")):
        if text and (letter := _whole(text, choices)):
            return Chosen(letter, where, True)
    if not several and (letter := _whole(first, choices)):
        return Chosen(letter, "first line", False)
    if stated := _last_stated(part, choices, _SAID_OTHERWISE) or _named_first(part, choices):
        return stated
    if said.answer is not None:
        return Chosen(said.answer, said.where or "", said.at_end)
    return None


def _last_stated(part: str, choices: Sequence[str], marks: re.Pattern[str]) -> Chosen | None:
    letters = _LETTERS[: len(choices)]
    for marker in reversed(list(marks.finditer(part))):
        # A window, so that a text of nothing but markers costs no more than its length.
        rest = part[marker.end() : marker.end() + 200]
        line = rest.split("\n", 1)[0]
        if len(line.strip()) > 1 and (letter := _by_text(line, choices)):  # "B cells" is no B
            return Chosen(letter, "stated answer", line == rest and line[-1] not in ".*)")
        lead = _LEAD.match(rest)
        rest = rest[lead.end() :] if lead else rest
        found = _ENCLOSED.match(rest) or _BARE.match(rest)
        if found is None:
            continue
        letter = next(group for group in found.groups() if group).upper()
        behind = rest[found.end() :]
        if letter not in letters or _ANOTHER.match(behind) or _REJECTED.match(behind):
            continue
        bare = found.re is _BARE
        if bare and letter in _WORDS and _SENTENCE_GOES_ON.match(behind):
            continue
        return Chosen(letter, "stated answer", bare and not behind.strip())
    return None


def _named_first(part: str, choices: Sequence[str]) -> Chosen | None:
    """What the last "... is the answer" says of an option's text."""
    for marker in reversed(list(_ANSWER_BEHIND.finditer(part))):
        longest = max(map(len, choices)) + 50
        line = part[max(0, marker.start() - longest) : marker.start()].rsplit("\n", 1)[-1]
        before = _plain(line, True)
        found = [
            letter
            for letter, text in zip(_LETTERS, choices, strict=False)
            if (said := _plain(text, True)) and before.endswith(said) and _BEGINS.search(before[: -len(said)])
        ]
        if len(found) == 1:
            return Chosen(found[0], "stated answer", False)
    return None


def _whole(text: str, choices: Sequence[str]) -> str | None:
    """The letter of a text that is one choice and nothing else: "C", "(C)", "C. Paris", "Paris"."""
    found = _WHOLE.fullmatch(_DRESS.sub(r"\1", _LATEX_SPACE.sub(" ", text)).strip())
    if found and found[1].upper() in _LETTERS[: len(choices)]:
        return found[1].upper()
    return _by_text(text, choices)


def _by_text(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option with this text: as written, whatever its case, or in other LaTeX."""
    if len(text) > 10 * max(map(len, choices)) + 100:
        return None
    ways: list[Callable[[str], str]] = [partial(_plain, fold=False), partial(_plain, fold=True), _respelled]
    for way in ways if _MATHEMATICS.search(text) else ways[:2]:
        wanted = way(text)
        same = [letter for letter, c in zip(_LETTERS, choices, strict=False) if way(c) == wanted]
        if same and wanted:
            return same[0] if len(same) == 1 else None
    if (both := _TEXT_AND_LETTER.fullmatch(text)) and _by_text(both[1], choices) == both[2]:
        return both[2]  # Paris (C)
    return None


def _plain(text: str, fold: bool) -> str:
    plain = " ".join(_DRESS.sub(r"\1", text).split()).rstrip(".")
    return plain.casefold() if fold else plain


@lru_cache(maxsize=256)
def _respelled(text: str) -> str:
    r"""One spelling for `\frac12`, `\dfrac{1}{2}` and `1/2`; for what is no mathematics the text itself."""
    if not _MATHEMATICS.search(text):
        return text
    bare = plain(_DRESS.sub(r"\1", text))
    if (number := rational(bare)) is not None:
        return str(number)
    for pattern, spelled in _NO_DIFFERENCE:
        bare = pattern.sub(spelled, bare)
    return bare


def is_right(chosen: Chosen, reference: ChoiceReference) -> bool:
    """Whether the right option was chosen."""
    return chosen.answer == reference.answer
