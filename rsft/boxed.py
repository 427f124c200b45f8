r"""The last \boxed{...} of a text: how benchmarks write gold answers and models give theirs."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"(?P<box>\\(?:boxed|fbox)\s*\{)"
    r"|(?P<bare>\\(?:boxed|fbox)[ \t]+(?=[^\s{}$]))"
    # A double backslash is a line break of LaTeX, unless a model escaped its box twice (\\boxed{}).
    r"|\\\\(?!boxed|fbox)|\\[{}]"
    r"|(?P<open>\{)|(?P<close>\})"
)


def last_boxed(text: str) -> str | None:
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
        if start > found_at and (content := trimmed(text[start:end])):
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


def trimmed(answer: str) -> str:
    r"""Without surrounding white space and dollars; the dollar of a final `\$` stays."""
    answer = answer.strip().lstrip("$")
    bare = answer.rstrip("$")
    if bare.endswith("\\") and bare != answer:
        bare += "$"
    return bare.strip()
