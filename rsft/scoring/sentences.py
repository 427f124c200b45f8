"""Sentences, words and language of a text as IFEval counts them: NLTK's Punkt and langdetect.

The door of both. They are imported where they are used (NLTK takes a second), and Punkt's English parameters
come out of a pinned wheel instead of a download.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from rsft.errors import MissingEngine
from rsft.wheels import LLAMA_INDEX, PUNKT_ENGLISH, STOPWORDS_ENGLISH, member_path

_LOADING = threading.Lock()
"""Threads ask at the same time; NLTK's circular imports and langdetect's profiles bear one that loads."""


def count(text: str) -> int:
    """Number of sentences."""
    return len(_loaded()[0].tokenize(text))


def words(text: str) -> list[str]:
    """Word tokens, as `nltk.word_tokenize`: sentences first, then the Penn Treebank's rules in each."""
    punkt, treebank = _loaded()
    return [word for sentence in punkt.tokenize(text) for word in treebank.tokenize(sentence)]


def language(text: str) -> str | None:
    """ISO 639-1 code of the language, the same at every call; None where there is nothing to tell it by."""
    with _LOADING:
        langdetect = _langdetect()
    try:
        found: str = langdetect.detect(text)
    except langdetect.LangDetectException:
        return None
    return found


def fetch() -> None:
    """Gets Punkt's parameters, so that a process without a network can count.

    Raises:
        DataError: the wheel cannot be fetched.
    """
    for member in (*PUNKT_ENGLISH, STOPWORDS_ENGLISH):
        member_path(LLAMA_INDEX, member)


def offline() -> None:
    """Lets NLTK's own loaders find the wheel's data, and lets nothing in this process download more.

    Raises:
        MissingEngine: nltk is not installed.
        DataError: the wheel cannot be fetched.
    """
    try:
        import nltk
    except ImportError:
        raise MissingEngine.named("nltk") from None
    fetch()
    folder = str(member_path(LLAMA_INDEX, STOPWORDS_ENGLISH).parents[2])
    if folder not in nltk.data.path:
        nltk.data.path.insert(0, folder)
    nltk.download = _refused


def _refused(*arguments: Any, **named: Any) -> bool:
    return False


@lru_cache(maxsize=1)
def _langdetect() -> Any:
    try:
        import langdetect
        from langdetect.detector_factory import init_factory
    except ImportError:
        raise MissingEngine.named("langdetect") from None
    langdetect.DetectorFactory.seed = 0  # it draws random parts of the text
    init_factory()
    return langdetect


def _loaded() -> tuple[Any, Any]:
    """What splits a text into sentences, and a sentence into words."""
    with _LOADING:
        return _tokenizers()


@lru_cache(maxsize=1)
def _tokenizers() -> tuple[Any, Any]:
    try:
        from nltk.tokenize.destructive import NLTKWordTokenizer
        from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer
    except ImportError:
        raise MissingEngine.named("nltk") from None
    abbreviations, collocations, context, starters = (
        member_path(LLAMA_INDEX, member).read_text(encoding="utf-8").splitlines() for member in PUNKT_ENGLISH
    )
    # Not NLTK's own loader: it refuses files outside its search path.
    tokenizer = PunktSentenceTokenizer()
    parameters = tokenizer._params = PunktParameters()
    parameters.abbrev_types = set(abbreviations)
    parameters.collocations = {tuple(line.split("\t")) for line in collocations}
    parameters.ortho_context.update((word, int(flags)) for word, flags in (x.split("\t") for x in context))
    parameters.sent_starters = set(starters)
    return tokenizer, NLTKWordTokenizer()
