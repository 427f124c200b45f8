"""Whether a response follows IFBench's instructions, by the authors' checks as if-verifiable has them.

Pyatkin et al. 2025 (arXiv 2507.02833) define the 58 instructions; strict and loose are IFEval's. The checks
take quadratic time on some texts and break on others, so they run in `rsft.scoring.worker` only. Verdicts are
theirs, quirks included, with two differences: nothing is drawn at random, and texts in `BROKEN` are judged.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rsft.errors import DataError, MissingEngine
from rsft.scoring import sentences
from rsft.scoring.instructions import Followed, variants

TAGGED = "words:start_verb"
"""Needs a tagger of NLTK whose weights are in no pinned wheel."""

BROKEN: dict[str, tuple[tuple[type[Exception], ...], bool]] = {
    "format:quote_unquote": ((IndexError,), True),  # nothing but digits and punctuation: no quotation
    "custom:csv_city": ((csv.Error,), False),
    "custom:csv_special_character": ((csv.Error,), False),
    "custom:csv_quotes": ((csv.Error, IndexError), False),  # an empty field is in no quotation marks
    "custom:sentence_alphabet": ((IndexError,), False),  # a sentence without a word starts with no letter
}
"""Instruction -> what the authors' check raises on some texts, and what its definition says of them."""


def check(
    response: str, instruction_id_list: Sequence[str], kwargs: Sequence[Mapping[str, Any] | None]
) -> Followed:
    """Checks an answer part, not empty, against a row of IFBench.

    Args:
        response: what follows the thinking.
        instruction_id_list: ids such as `count:numbers`.
        kwargs: arguments per instruction; those that are None count as not given.

    Raises:
        DataError: no instruction, an unknown one, an argument missing or unfit, or a text that the check
            cannot judge.
        MissingEngine: if-verifiable is not installed.
    """
    ids = tuple(instruction_id_list)
    if not ids or len(ids) != len(kwargs):
        raise DataError(f"an IFBench row has {len(ids)} instructions and {len(kwargs)} sets of arguments.")
    strict, loose = [], []
    others = variants(response)
    for name, given in zip(ids, kwargs, strict=True):
        checker = _checker(name, {key: value for key, value in (given or {}).items() if value is not None})
        strict.append(_follows(name, checker, response))
        loose.append(strict[-1] or any(_follows(name, checker, text) for text in others))
    return Followed(ids, tuple(strict), tuple(loose))


def preload() -> None:
    """Imports the checks and reads what they need, before any clock runs.

    Raises:
        MissingEngine: if-verifiable or nltk is not installed.
        DataError: the wheel with NLTK's data cannot be fetched.
    """
    check("One word.", ["ratio:stop_words", "format:title_case"], [{"percentage": 50}, {}])


@lru_cache(maxsize=1)
def checkers() -> dict[str, Any]:
    """Instruction id -> the authors' class.

    Raises:
        MissingEngine: if-verifiable is not installed.
    """
    sentences.offline()  # the import below would download what NLTK lacks
    found = importlib.util.find_spec("if_verifiable")
    if found is None:
        raise MissingEngine.named("if-verifiable")
    # Its __init__ imports `datasets`, seconds, for a loader that needs the hub; the checks do not.
    sys.modules.setdefault("if_verifiable", importlib.util.module_from_spec(found))
    from if_verifiable.ifbench.instructions_registry import INSTRUCTION_DICT

    classes: dict[str, Any] = INSTRUCTION_DICT
    return classes


def _checker(name: str, arguments: Mapping[str, Any]) -> Any:
    """The check with its arguments; what is missing or negative it would draw at random."""
    if name not in checkers():
        raise DataError(f"instruction {name!r} is none of IFBench's {len(checkers())}.")
    checker = checkers()[name](name)
    try:
        checker.build_description(**arguments)
        wanted = checker.get_instruction_args_keys()
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"instruction {name!r} refuses {dict(arguments)!r:.80} ({error}).") from None
    if name == "repeat:repeat_span":  # it takes a start of 0 for none, and a row of the test set has that
        checker._n_start, checker._n_end = arguments.get("n_start"), arguments.get("n_end")
    unfit = [key for key in wanted if _drawn(arguments.get(key), key in ("n", "m", "n_end"))]
    if unfit:
        raise DataError(
            f"instruction {name!r} lacks a fit {unfit[0]}; its check would draw one, mend the row."
        )
    return checker


def _drawn(value: Any, positive: bool) -> bool:
    """Whether the check would take this for not given."""
    if isinstance(value, int | float):
        return value < 0 or (value == 0 and positive)
    return not value


def _follows(name: str, checker: Any, response: str) -> bool:
    try:
        return bool(checker.check_following(response))
    except Exception as error:
        kinds, verdict = BROKEN.get(name, ((), False))
        if type(error) in kinds:
            return verdict
        if name == TAGGED and type(error) is LookupError:
            raise DataError(
                f"instruction {name!r} needs NLTK's averaged_perceptron_tagger_eng; with a network run "
                "`python -m nltk.downloader averaged_perceptron_tagger_eng`, then grade again."
            ) from None
        raise DataError(
            f"the authors' check of {name!r} fails on this text ({type(error).__name__}: {error!s:.60})."
        ) from None
