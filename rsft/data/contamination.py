r"""Training rows that hold a problem of a benchmark, found by comparing words.

A row counts as contaminated by a problem when its prompt holds the problem's whole text ("exact"), or most
of what only this problem says together with all of its numbers ("n-gram"): the problem with another
question behind it, a clause more or less, some words changed. The same template with other numbers is
another problem, and so is one told in other words. Texts are compared by `words`, to which case, spacing,
punctuation, Unicode forms and the dialects of LaTeX are the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from rsft.errors import DataError

N = 13
"""Words of an n-gram, as in appendix C of the GPT-3 paper and in later work."""

OVERLAP = 0.6
"""Share of a problem's telling n-grams that must occur in a row."""

COMMON = 3
"""An n-gram in more different questions than this is template text: it tells nothing."""

FLAGS = pa.schema(
    [
        ("row", pa.string()),
        ("benchmark", pa.string()),
        ("problem", pa.string()),
        ("kind", pa.string()),
        ("overlap", pa.float64()),
        ("answered", pa.bool_()),
    ]
)
"""One flag a row: id of the training row; the problem; `exact` or `n-gram`; share of the problem's telling
n-grams that occur (1 when exact); whether the gold answer occurs in the response, which says little when
the answer is as short as 2."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A problem of a benchmark."""

    benchmark: str
    problem: str
    """Problem.id."""
    text: str
    """The problem alone, without the instruction behind it."""
    answer: str
    """The gold answer."""


def _plain(signs: str, frame: str) -> dict[str, str]:
    return {sign: frame.format(unicodedata.normalize("NFKC", sign)) for sign in signs}


# NFKC makes x² x2, and 3½ 31⁄2: what stands high, low or as a fraction is set apart before. Invisible
# signs go.
_SET_APART = str.maketrans(
    _plain("⁰¹²³⁴⁵⁶⁷⁸⁹", "^{}")
    | _plain("₀₁₂₃₄₅₆₇₈₉", "_{}")
    | _plain("¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞", " {} ")
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", "")
)
_GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
_SIGNS = str.maketrans(
    {sign: f"\\{unicodedata.name(sign).split()[-1].lower()} " for sign in _GREEK}
    | dict.fromkeys("‐‑‒–−", "-")
    | dict.fromkeys("×·⋅∙", "*")
    | {"÷": "/", "⁄": "/", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "√": r"\sqrt ", "∞": r"\infty "}
    | {"λ": r"\lambda ", "°": r"^\circ ", "—": "\n", "~": " "}
)
_SPACES = re.compile(r"\\[,;:!>\s]|\\q?quad(?![a-z])")
_ONE_DIGIT = re.compile(r"\\[dtc]?(frac|binom)\s*(\d)\s*(\d)?")  # TeX reads \frac12 as 1 over 2
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:(?:[^\S\n]|,)+\d{3}(?!\d))+")
_COMMAND = re.compile(r"\\([a-z]+)")
_SAME = (
    dict.fromkeys(("dfrac", "tfrac", "cfrac"), "frac")
    | dict.fromkeys(("dbinom", "tbinom"), "binom")
    | {"leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "div": "/"}
    | {"lt": "<", "gt": ">", "rightarrow": "to", "varepsilon": "epsilon", "varphi": "phi"}
    | dict.fromkeys(("times", "cdot", "ast", "dots", "ldots", "cdots", "dotsb", "dotsc", "dotsm"), "")
    | dict.fromkeys(("left", "right", "bigl", "bigr", "big", "bigg", "middle", "displaystyle"), "")
    | dict.fromkeys(("text", "textbf", "textit", "textrm", "textsf", "textnormal", "textstyle"), "")
    | dict.fromkeys(("mbox", "mathrm", "mathbf", "mathit", "operatorname", "bold", "limits"), "")
)
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"\d+|[{_CJK}]|[^\W\d_{_CJK}]+|[-+/^=<>%]")


def words(text: str) -> list[str]:
    r"""A text as what it says: words, numbers, and the signs - + / ^ = < > %, in lower case.

    Spelling that means the same gives the same list: `$1{,}000 \, x^2$`, `1 000x²` and `1000 x ^ {2}`. All
    other signs go, multiplication's among them, which many leave out. Digits that stand like thousands are
    one number even where they are a list (`100, 200`): nothing tells the two apart once spaces vary.
    """
    text = unicodedata.normalize("NFC", text).translate(_SET_APART)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_SIGNS)
    text = _SPACES.sub(" ", text.replace("\\\\", "\n")).replace("<=", r"\le ").replace(">=", r"\ge ")
    text = _ONE_DIGIT.sub(r"\\\1{\2}{\3}", text)
    text = re.sub(r"_\s*(\d)", r"_{\1}", text)  # \log_264 is \log_{2} 64
    text = re.sub(r"\^\s*(\d+)", r"^{\1}", text)  # lest 10^3 500 be 10^{3500}
    text = _THOUSANDS.sub(lambda found: re.sub(r"\D", "", found[0]), text.replace("{,}", ","))
    text = re.sub(rf"-\s*(?=[^\W\d_{_CJK}]{{2}})", " ", text)  # a hyphen of prose, not a sign
    return _WORD.findall(_COMMAND.sub(lambda found: f" {_SAME.get(found[1], found[1])} ", text))


_INSTRUCTION = frozenset(
    [
        "please",
        "reason",
        "reasoning",
        "think",
        "thinking",
        "step",
        "steps",
        "by",
        "and",
        "or",
        "put",
        "your",
        "final",
        "answer",
        "answers",
        "within",
        "in",
        "inside",
        "between",
        "using",
        "box",
        "boxed",
        "the",
        "a",
        "an",
        "of",
        "for",
        "to",
        "solve",
        "following",
        "math",
        "maths",
        "mathematics",
        "mathematical",
        "problem",
        "problems",
        "question",
        "q",
        "give",
        "provide",
        "show",
        "work",
        "working",
        "only",
        "just",
        "result",
        "as",
        "is",
        "be",
        "explain",
        "solution",
        "write",
        "return",
        "you",
        "are",
        "helpful",
        "assistant",
        "carefully",
        "let",
        "us",
        "lets",
        "s",
        "user",
        "instruction",
        "below",
        "here",
        "this",
        "it",
        "output",
        "respond",
        "response",
        "format",
        "latex",
        "tags",
        "enclose",
        "enclosed",
        "at",
        "end",
        "with",
        "then",
    ]
)
"""Words that ask for no problem of their own."""


class Index:
    """Questions by their n-grams. Built once a sweep; a plain value that can be sent to other processes."""

    def __init__(self, questions: Iterable[Question]) -> None:
        """Reads all questions; what is template text among them is measured on all of them together."""
        texts: defaultdict[Words, list[Question]] = defaultdict(list)
        for question in questions:
            texts[tuple(words(question.text))].append(question)
        self._texts = list(texts)
        self._questions = list(texts.values())  # several problems may have one text
        self._numbers = [_numbers(text) for text in self._texts]
        # A text counts once however often it is asked: a problem in two benchmarks is no template.
        grams = [_grams(text) for text in self._texts]
        frequency = Counter(gram for found in grams for gram in found)
        self._telling: list[int] = []
        self._owners: defaultdict[Words, list[int]] = defaultdict(list)
        self._whole: defaultdict[Words, list[int]] = defaultdict(list)
        """Where only the whole text counts: its core or, when longer than N words, its rarest n-gram."""
        for number, (text, found) in enumerate(zip(self._texts, grams, strict=True)):
            telling = [gram for gram in found if frequency[gram] <= COMMON]
            self._telling.append(len(telling))
            for gram in telling:
                self._owners[gram].append(number)
            if not found and (core := _core(text)):
                self._whole[core].append(number)
            elif found and not telling:
                self._whole[min(found, key=lambda gram: (frequency[gram], gram))].append(number)

    def find(self, prompt: str) -> list[tuple[Question, str, float]]:
        """(question, kind, overlap) of every question in a prompt, by benchmark and problem."""
        said = tuple(words(prompt))
        grams = _grams(said)
        shared = Counter(number for gram in grams for number in self._owners.get(gram, ()))
        found: dict[int, tuple[str, float]] = {}
        for number, count in shared.items():
            if _within(self._texts[number], said):
                found[number] = "exact", 1.0
            elif count >= OVERLAP * self._telling[number] and self._numbers[number] <= _numbers(said):
                found[number] = "n-gram", count / self._telling[number]
        for key in (*grams, _core(said)):
            for number in self._whole.get(key, ()):
                if _within(self._texts[number], said):
                    found[number] = "exact", 1.0
        flags = [(question, *found[number]) for number in found for question in self._questions[number]]
        return sorted(flags, key=lambda flag: (flag[0].benchmark, flag[0].problem))


def scan(batch: pa.RecordBatch | pa.Table, index: Index) -> pa.Table:
    """The flags of some training rows, each judged by itself.

    Args:
        batch: columns id, prompt (all that the user said) and response, strings.
        index: the benchmarks' questions.

    Returns:
        FLAGS, in row order, then by benchmark and problem.

    Raises:
        DataError: a column is missing.
    """
    missing = {"id", "prompt", "response"} - set(batch.schema.names)
    if missing:
        raise DataError(
            f"rows to scan for benchmark problems lack {', '.join(sorted(missing))}; they have "
            f"{', '.join(batch.schema.names) or 'no column'}."
        )
    flags = []
    columns = (batch.column(name).to_pylist() for name in ("id", "prompt", "response"))
    for row, prompt, response in zip(*columns, strict=True):
        for question, kind, overlap in index.find(prompt or ""):
            answer = tuple(words(question.answer))
            answered = bool(answer) and _within(answer, tuple(words(response or "")))
            flags.append((row, question.benchmark, question.problem, kind, overlap, answered))
    names = FLAGS.names
    return pa.Table.from_pylist([dict(zip(names, flag, strict=True)) for flag in flags], schema=FLAGS)


def _grams(text: Words) -> set[Words]:
    return set(zip(*(text[start:] for start in range(N)), strict=False))


def _numbers(text: Words) -> Counter[str]:
    return Counter(word for word in text if word.isdigit())


def _within(part: Words, whole: Words) -> bool:
    """Whether one text stands in another in one piece."""
    return f" {' '.join(part)} " in f" {' '.join(whole)} "


def _core(text: Words) -> Words:
    """A text without the words of an instruction before and behind it."""
    start, end = 0, len(text)
    while start < end and text[start] in _INSTRUCTION:
        start += 1
    while start < end and text[end - 1] in _INSTRUCTION:
        end -= 1
    return text[start:end]
