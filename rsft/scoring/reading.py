r"""Where the answer of a response stands: the last \boxed{...}, or a sentence that states it.

Pure string work, linear in the length of the text. What an answer means is the grader's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATED_CHARACTERS = 2_000
"""How far behind "The answer is" we look; bounds the work for a text without line ends."""

_TOKEN = re.compile(
    r"(?P<box>\\(?:boxed|fbox)\s*\{)"
    r"|(?P<bare>\\(?:boxed|fbox)[ \t]+(?=[^\s{}$]))"
    # A double backslash is a line break of LaTeX, unless a model escaped its box twice (\\boxed{}).
    r"|\\\\(?!boxed|fbox)|\\[{}]"
    r"|(?P<open>\{)|(?P<close>\})"
)
_MARKER = re.compile(
    r"\banswers?\b[*_ \t]{0,8}(?:is\b|are\b|:|=)[*_ \t:]{0,8}\s{0,8}|####[ \t]{0,8}", re.IGNORECASE
)
_MATH = re.compile(r"[*_]{0,4}(?:\$\$?([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\])")
_SENTENCE_END = re.compile(r"[.!?;](?=[*_]{0,4}(?:\s|$))|,(?=\s{1,4}[a-z]{2})")
"""A comma ends an answer when a word follows ("3, since"), not between numbers ("1, 2")."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a response."""

    answer: str | None
    """As written, without surrounding white space and dollar signs; None: nothing found."""
    where: str | None
    """`last boxed` or `stated answer`; None when nothing was found."""


NOTHING = Reading(None, None)
"""The reading of a response without an answer."""


def read_answer(
    text: str, *, think_open: str = "<think>", think_close: str = "</think>"
) -> Reading:
    r"""Reads the final answer of a response.

    Thinking is set aside first. In the rest the last box wins (`\boxed{X}`, `\boxed X`, `\fbox{X}`;
    of nested boxes the inner one, as in the MATH benchmark's own reader, which searches from the
    right). Without a box it is the last stated form: "The answer is X", "Answer: X", "#### X".
    Empty boxes and statements are passed over: models repeat the instruction `\boxed{}`.

    Args:
        text: the response, end marker removed.
        think_open: what opens thinking; may stand in the prompt instead of in `text`.
        think_close: what ends thinking; the answer part starts after the last one.

    Returns:
        The reading; `NOTHING` as well for a text that opens thinking and does not close it.
    """
    start = text.rfind(think_close)
    if text.rfind(think_open) > start:
        return NOTHING
    part = text if start < 0 else text[start + len(think_close) :]
    if boxed := _last_boxed(part):
        return Reading(boxed, "last boxed")
    if stated := _last_stated(part):
        return Reading(stated, "stated answer")
    return NOTHING


def _last_boxed(text: str) -> str | None:
    r"""Content of the box that opens last among those that close and are not empty.

    One pass with a stack of open braces, so that a box which never closes
    (`\boxed{3 ... \boxed{4}`) hides neither the boxes before it nor those after it.
    """
    found, found_at = None, -1
    braces: list[int] = []  # where the content of an open box starts; -1 for any other brace
    position = 0
    while token := _TOKEN.search(text, position):
        position = token.end()
        start, end = -1, -1
        if token["box"]:
            braces.append(position)
        elif token["open"]:
            braces.append(-1)
        elif token["close"] and braces:
            start, end = braces.pop(), token.start()
        elif token["bare"]:
            start, position = position, _bare_end(text, position)
            end = start + len(text[start:position].rstrip(".,;:"))
        if start > found_at and (content := _trimmed(text[start:end])):
            found, found_at = content, start
    return found


def _bare_end(text: str, start: int) -> int:
    r"""Where the X of `\boxed X` ends: at white space, a dollar or a brace not opened in X."""
    depth = 0
    for position in range(start, len(text)):
        character = text[position]
        depth += (character == "{") - (character == "}")
        if depth < 0 or character in "$\n" or (depth == 0 and character.isspace()):
            return position
    return len(text)


def _last_stated(text: str) -> str | None:
    """What the last marker that is followed by anything states."""
    for end in reversed([match.end() for match in _MARKER.finditer(text)]):
        rest = text[end : end + _STATED_CHARACTERS].split("\n", 1)[0]
        if math := _MATH.match(rest):
            stated = next(group for group in math.groups() if group)
        else:
            stop = _SENTENCE_END.search(rest)
            stated = (rest[: stop.start()] if stop else rest).strip(" \t*_")
        if content := _trimmed(stated):
            return content
    return None


def _trimmed(answer: str) -> str:
    r"""Without surrounding white space and dollars; the dollar of a final `\$` stays."""
    answer = answer.strip().lstrip("$")
    bare = answer.rstrip("$")
    if bare.endswith("\\") and bare != answer:
        bare += "$"
    return bare.strip()
