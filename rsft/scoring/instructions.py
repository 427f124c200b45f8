"""Whether a response follows the verifiable instructions of its prompt (IFEval).

Strict and loose are defined in Zhou et al. 2023 (arXiv 2311.07911, section 2.2) and by `evaluation_lib.py` of
the authors' program. IFBench's 58 instructions are another set: `rsft.scoring.unseen_instructions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsft.errors import DataError
from rsft.scoring import sentences
from rsft.scoring.instruction_checks import CHECKS
from rsft.scoring.reading import answer_part


@dataclass(frozen=True, slots=True)
class Followed:
    """A verdict per instruction, in the order of the prompt's list."""

    instructions: tuple[str, ...]
    strict: tuple[bool, ...]
    """By the response as it is."""
    loose: tuple[bool, ...]
    """By the response, or by it without markdown stars, first line, last line."""

    @property
    def score(self) -> float:
        """Prompt-level strict: 1.0 when every instruction is followed, else 0.0."""
        return float(all(self.strict))

    @property
    def prompt_loose(self) -> bool:
        """Every instruction is followed, loosely."""
        return all(self.loose)


def check(
    prompt: str,
    response: str,
    instruction_id_list: Sequence[str],
    kwargs: Sequence[Mapping[str, Any] | None],
) -> Followed:
    """Checks a response against a row of google/IFEval.

    Only the text after the last `</think>` counts. Thinking that never ends, and an empty answer, follow
    nothing.

    Args:
        prompt: the row's prompt, which `combination:repeat_prompt` falls back on.
        response: what the model wrote.
        instruction_id_list: ids such as `punctuation:no_comma`.
        kwargs: arguments per instruction; those that are None count as not given.

    Raises:
        DataError: the row is at fault: no instruction, an unknown one, or an argument missing or unfit.
        MissingEngine: nltk or langdetect is not installed.
    """
    ids = tuple(instruction_id_list)
    if not ids or len(ids) != len(kwargs):
        raise DataError(
            f"an IFEval row has {len(ids)} instructions and {len(kwargs)} sets of arguments; both must be "
            "there and equal in number."
        )
    if unknown := [name for name in ids if name not in CHECKS]:
        raise DataError(f"instruction {unknown[0]!r} is none of IFEval's {len(CHECKS)}; see CHECKS.")
    part = answer_part(response)
    if part is None or not part.strip():
        nothing = (False,) * len(ids)
        return Followed(ids, nothing, nothing)
    if part is not response and len(part) < len(response):
        part = part.strip()  # the blank lines after thinking are the template's, not an empty paragraph
    others = variants(part)
    strict, loose = [], []
    for name, given in zip(ids, kwargs, strict=True):
        arguments = {key: value for key, value in (given or {}).items() if value is not None}
        if name == "combination:repeat_prompt":
            arguments.setdefault("prompt_to_repeat", prompt)
        strict.append(_follows(name, part, arguments))
        loose.append(strict[-1] or any(_follows(name, text, arguments) for text in others))
    return Followed(ids, tuple(strict), tuple(loose))


def preload() -> None:
    """Imports what the checks need, before any clock runs and while the wheel can still be read.

    Raises:
        MissingEngine: nltk or langdetect is not installed.
        DataError: the wheel with Punkt's parameters cannot be fetched.
    """
    sentences.words("One sentence. Two.")
    sentences.language("This is a sentence.")


def variants(response: str) -> list[str]:
    """The other texts of which one must follow for `loose`, without empty ones."""
    lines = response.split("\n")
    cuts = [response, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    texts = dict.fromkeys(cuts + [text.replace("*", "") for text in cuts])
    return [text for text in texts if text.strip() and text != response]


def _follows(name: str, response: str, arguments: Mapping[str, Any]) -> bool:
    try:
        return CHECKS[name](response, arguments)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"instruction {name!r} with arguments {dict(arguments)!r:.200} cannot be checked "
            f"({type(error).__name__}: {error}); mend the row."
        ) from None
