r"""Where the answer of a response stands: the last \boxed{...}, or a sentence that states it.

Pure string work, linear in the length of the text. What an answer means is the grader's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rsft.boxed import last_boxed, trimmed

_STATED_CHARACTERS = 2_000
"""How far behind "The answer is" we look; bounds the work for a text without line ends."""

_MARKER = re.compile(
    r"(?<!wrong )(?<!incorrect )(?<!if the )(?<!suppose the )"
    r"\banswers?\b(?: (?:to|for) (?:the|this|our|your)(?: \w{1,20}){1,4}?)?[*_ \t]{0,8}"
    r"(?:(?:is|are|would be|will be|should be|must be|equals)\b|:|=)[*_ \t:]{0,8}"
    r"(?:(?:that|exactly|definitely|indeed|therefore|thus|then|hence|equal to|given by|approximately)\b"
    r"[ \t:]{0,4})?\s{0,8}"
    r"|^[#*_ \t]{0,8}(?:the |my )?(?:final |correct )?answer[*_ \t]{0,8}\n\s{0,8}"
    r"|####[ \t]{0,8}|<answer>\s{0,8}(?=[^<]{1,200}</answer>)",
    re.IGNORECASE | re.MULTILINE,
)
"""The words of a sentence, a heading of its own line, GSM8K's sign, and a tag."""
_MATH = re.compile(
    r"[*_]{0,4}(?:\$\$([^$]+)\$\$|\$([^$\n]+)\$(?!\d)|\\\((.+?)\\\)|\\\[((?:[^\\]|\\[^\]])+)\\\])"
)
_AND = re.compile(r"\s{0,4}(?:,\s{0,4}(?:and\b)?|and\b)\s{0,4}")
"""Between answers that are stated one after the other: $2$, $3$ and $5$."""
_SENTENCE_END = re.compile(
    r"[.!?;](?=[*_]{0,4}(?:\s|$))|,?(?=\s{1,4}\(?(?:because|since|which)\b)|,(?=\s{1,4}[a-z]{2})|</answer>"
)
"""A comma ends an answer when a word follows ("3, since"), not between numbers ("1, 2")."""
_EMPTY_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,4}\{[\s$]{0,8}\}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a response."""

    answer: str | None
    """As written, without surrounding white space and dollar signs; None: nothing found."""
    where: str | None
    """`last boxed` or `stated answer`; None when nothing was found."""
    at_end: bool = field(default=False, compare=False)
    """The text ends with the answer, and nothing closes it: if it was cut, the answer may go on."""


NOTHING = Reading(None, None)
"""The reading of a response without an answer."""


def read_answer(text: str, *, think_open: str = "<think>", think_close: str = "</think>") -> Reading:
    r"""Reads the final answer of a response.

    Thinking is set aside first. In the rest the last box wins (`\boxed{X}`, `\boxed X`, `\fbox{X}`;
    of nested boxes the inner one, as in the MATH benchmark's own reader, which searches from the
    right). Without a box it is the last stated form: "The answer is X", "Answer: X", "#### X",
    "<answer>X</answer>".
    Empty boxes and statements are passed over: models repeat the instruction `\boxed{}`.

    Args:
        text: the response, end marker removed.
        think_open: what opens thinking; may stand in the prompt instead of in `text`.
        think_close: what ends thinking; the answer part starts after the last one.

    Returns:
        The reading; `NOTHING` as well for a text that opens thinking and does not close it.
    """
    part = answer_part(text, think_open=think_open, think_close=think_close)
    if part is None:
        return NOTHING
    if boxed := last_boxed(part):
        # Where nothing follows, only a brace shows that a box is whole (`\boxed 1` has none).
        return Reading(boxed, "last boxed", part.rstrip(" \n$.").endswith(boxed))
    if stated := _last_stated(part):
        # A line's end closes a statement.
        return Reading(stated, "stated answer", part.rstrip(" ").endswith(stated))
    return NOTHING


def answer_part(text: str, *, think_open: str = "<think>", think_close: str = "</think>") -> str | None:
    """What follows the last end of thinking; all of it without any; None when thinking never ends."""
    start = text.rfind(think_close)
    if text.rfind(think_open) > start:
        return None
    return text if start < 0 else text[start + len(think_close) :]


def _mathematics(math: re.Match[str]) -> str:
    return next(group for group in math.groups() if group)


def _last_stated(text: str) -> str | None:
    """What the last marker that is followed by anything states."""
    for end in reversed([match.end() for match in _MARKER.finditer(text)]):
        window = text[end : end + _STATED_CHARACTERS]
        if math := _MATH.match(window):
            stated = _mathematics(math)
            while (and_ := _AND.match(window, math.end())) and (math := _MATH.match(window, and_.end())):
                stated += f", {_mathematics(math)}"
        else:
            line = window.split("\n", 1)[0]
            stop = _SENTENCE_END.search(line)
            stated = (line[: stop.start()] if stop else line).strip(' \t*_`"“”')
        if content := trimmed(_EMPTY_BOX.sub("", stated)):
            return content
    return None
