"""Many regular expressions over one sentence, of which few are tried: those whose needed words occur.

What a match needs is read off the expression's own parse tree: any text that matches `plug (?:it|them) back`
holds "plug " and " back", so the expression is tried only where one of them occurs. That changes no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from re import _constants as nodes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

SHORTEST = 2
"""Characters of a needed text; shorter ones occur everywhere."""


class PatternIndex:
    """Named lists of expressions; says which names have one that is found."""

    def __init__(self, named: Mapping[str, Sequence[str]]) -> None:
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        self._always: list[int] = []
        by_text: dict[str, list[int]] = {}
        for name, patterns in named.items():
            for pattern in patterns:
                texts = needed(pattern)
                for text in texts or ():
                    by_text.setdefault(text, []).append(len(self._patterns))
                if texts is None:
                    self._always.append(len(self._patterns))
                self._patterns.append((name, re.compile(pattern)))
        self._by_text = tuple(by_text.items())

    def names(self, sentence: str) -> set[str]:
        """Names of which an expression is found in a sentence."""
        found: set[str] = set()
        tried = [self._always, *(held for text, held in self._by_text if text in sentence)]
        for i in {i for held in tried for i in held}:
            name, pattern = self._patterns[i]
            if name not in found and pattern.search(sentence):
                found.add(name)
        return found


def needed(pattern: str) -> frozenset[str] | None:
    """Texts of which any match of a lower-case expression holds one; None where nothing can be said."""
    return _needed(parser.parse(pattern))


def _needed(sequence: Iterable[Any]) -> frozenset[str] | None:
    choices: list[frozenset[str]] = []
    literal = ""
    for kind, argument in sequence:
        if kind is nodes.LITERAL:
            literal += chr(argument)
            continue
        choices, literal = [*choices, frozenset({literal})], ""
        if kind is nodes.BRANCH:
            branches = [_needed(branch) for branch in argument[1]]
            if None not in branches:
                choices.append(frozenset(text for branch in branches for text in branch or ()))
        elif kind is nodes.SUBPATTERN:
            choices.append(_needed(argument[3]) or frozenset())
        elif kind in (nodes.MAX_REPEAT, nodes.MIN_REPEAT) and argument[0] > 0:
            choices.append(_needed(argument[2]) or frozenset())
    choices.append(frozenset({literal}))
    long = [texts for texts in choices if texts and min(map(len, texts)) >= SHORTEST]
    return max(long, key=lambda texts: (min(map(len, texts)), -len(texts)), default=None)
