r"""The last \boxed{...} of a text: how benchmarks write gold answers and how models give theirs."""

from __future__ import annotations

import re

_BOX = re.compile(r"\\f?boxed\s*\{")


def last_boxed(text: str) -> str | None:
    r"""Content of the last \boxed{} or \fbox{} whose braces close; None if there is none.

    Braces are counted, escaped ones (`\{`) are not, so nested LaTeX comes back whole. Linear in the
    length of the text.
    """
    found: str | None = None
    end = 0
    for match in _BOX.finditer(text):
        if match.start() < end:
            continue  # a box inside the box just read
        close = _closing_brace(text, match.end())
        if close is None:
            break  # no later box can close either
        found, end = text[match.end() : close], close
    return found


def _closing_brace(text: str, start: int) -> int | None:
    depth = 1
    position = start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return None
