r"""Training rows that hold a problem of a benchmark, found by comparing words.

A row counts as contaminated by a problem when its prompt holds the problem's whole text ("exact"), or most
of what only this problem says together with all of its numbers ("n-gram"): the problem with another
question behind it, a clause more or less, other names. The same template with other numbers is another
problem. Not found are a problem told in other words, one with its numbers in another order, and a short one
in the midst of other text. Texts are compared by `words`, to which case, spacing, punctuation, Unicode
forms and the dialects of LaTeX are the same.
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
"""Share of a problem's telling n-grams that must occur in a row.

Of 4,500 MATH rows beside MATH-500, those with a problem's numbers and 0.64 to 0.82 of it are that problem
with its last sentence reworded, or with another question behind the same facts; from 0.57 down they are
other problems. Rows of gsm-symbolic from 0.63 up are a problem under another name."""

COMMON = 3
"""An n-gram in more different questions than this is template text: it tells nothing.

No n-gram of MATH-500 and GSM8K is in more than two; those of a template are in most of its problems."""

FEW = 5
"""A problem with fewer telling n-grams has no share worth the name, it must close the prompt as a whole.

A slot of two to five words at the end of a template (letter-counting) gives one to four, and the next
problem of that template may only prolong it."""

FLAGS = pa.schema(
    [(name, pa.string()) for name in ("row", "benchmark", "problem", "kind")]
    + [("overlap", pa.float64()), ("answered", pa.bool_())]
)
"""Id of the training row; the problem in it; `exact` or `n-gram`; share of the problem's telling n-grams
that occur (1 when exact); whether the gold answer occurs in the response: a short one does by chance."""

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


def _framed(signs: str, frame: str) -> dict[str, str]:
    return {sign: frame.format(unicodedata.normalize("NFKC", sign)) for sign in signs}


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# NFKC makes x² x2, and 3½ 31⁄2: what stands high, low or as a fraction is set apart before it.
_SET_APART = str.maketrans(
    _framed("⁰¹²³⁴⁵⁶⁷⁸⁹", "^{}")
    | _framed("₀₁₂₃₄₅₆₇₈₉", "_{}")
    | _framed("¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞", " {} ")
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", "")
)
_SIGNS = str.maketrans(
    {sign: f"\\{unicodedata.name(sign).split()[-1].lower()} " for sign in "αβγδεζηθικμνξοπρστυφχψω"}
    | dict.fromkeys("‐‑‒–−", "-")
    | dict.fromkeys("×·⋅∙", "*")
    | {"÷": "/", "⁄": "/", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "√": r"\sqrt ", "∞": r"\infty "}
    | {"λ": r"\lambda ", "°": r"^\circ ", "—": ";"}
)
_SAME = (
    {"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "div": "/"}
    | {"leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "lt": "<", "gt": ">"}
    | {"rightarrow": "to", "varepsilon": "epsilon", "varphi": "phi"}
    | dict.fromkeys(_listed("times cdot dots ldots cdots dotsb dotsc dotsm left right middle bigl bigr"), "")
    | dict.fromkeys(_listed("big bigg limits displaystyle textstyle text textbf textit textrm textsf"), "")
    | dict.fromkeys(_listed("ast textnormal mbox mathrm mathbf mathit operatorname bold"), "")
)
"""LaTeX command -> what it is read as; others are read by their names."""
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_REWRITTEN = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"\\\\", ";"),  # the end of a line
        (r"\\[,;:!>\s]|\\q?quad(?![a-z])|~", " "),
        (r"<\s*=", r"\\le "),
        (r">\s*=", r"\\ge "),
        (r"\\[dtc]?(frac|binom)\s*(\d)\s*(\d)?", r"\\\1{\2}{\3}"),  # \frac12 is \frac{1}{2}
        (r"_\s*(\d)", r"_{\1}"),  # \log_264 is \log_{2} 64
        (r"\^\s*(\d+)", r"^{\1}"),  # lest 10^3 500 be 10^{3500}
        (r"\{\s*,\s*\}", ","),
        (rf"-\s*(?=[^\W\d_{_CJK}]{{2}})", " "),  # a hyphen; a sign stands before a letter or a command
    )
)
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:[\s,]+\d{3}(?!\d))+")
_COMMAND = re.compile(r"\\([a-z]+)")
_WORD = re.compile(rf"\d+|[{_CJK}]|[^\W\d_{_CJK}]+|[-+/^=<>%]")


def words(text: str) -> list[str]:
    r"""A text as what it says, in lower case: words, numbers, and the signs - + / ^ = < > %.

    Spellings of one thing give one list: `$1{,}000 \, x^2$`, `1 000x²` and `1000 x ^ {2}`. All other signs
    go, those of multiplication among them, which many leave out. Digits that stand like thousands are one
    number even in a list (`100, 200`): nothing tells the two apart when spaces do not count.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_SET_APART)
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_SIGNS)
    text = text.lower()
    for pattern, by in _REWRITTEN:
        text = pattern.sub(by, text)
    text = _THOUSANDS.sub(lambda found: "".join(filter(str.isdigit, found[0])), text)
    return _WORD.findall(_COMMAND.sub(lambda found: f" {_SAME.get(found[1], found[1])} ", text))


_ASKS = _listed(
    "please reason think put give show provide explain write return solve answer solution your let respond "
    "response output enclose box make remember user assistant work final only just format do step"
)
"""Words that may open an instruction behind a problem."""
_INSTRUCTION = _ASKS | _listed(
    "a about an and answers are as at be below between boxed by carefully end enclosed following for from "
    "here helpful in inside instruction instructions is it latex math mathematical mathematics maths of on "
    "or problem q question questions reasoning result s should steps sure tags that the then thinking this "
    "to us using will with within working you"
)
"""Words that together ask no problem of their own."""


class Index:
    """Questions by their n-grams; a plain value, built once a sweep and sent to other processes."""

    def __init__(self, questions: Iterable[Question]) -> None:
        """Reads all questions; what is template text shows in all of them together."""
        texts: defaultdict[Words, list[Question]] = defaultdict(list)
        for question in questions:
            texts[tuple(words(question.text))].append(question)
        self._texts, self._questions = list(texts), list(texts.values())
        self._numbers = [_numbers(text) for text in self._texts]
        # Each text counts once: a problem that two benchmarks share is no template.
        grams = [_grams(text) for text in self._texts]
        frequency = Counter(gram for found in grams for gram in found)
        self._telling: list[int] = []
        self._owners: defaultdict[Words, list[int]] = defaultdict(list)
        # What must match as a whole, by its rarest n-gram or, if too short for one, by its core.
        self._wholes: defaultdict[Words, list[int]] = defaultdict(list)
        for number, (text, found) in enumerate(zip(self._texts, grams, strict=True)):
            telling = [gram for gram in found if frequency[gram] <= COMMON]
            self._telling.append(len(telling))
            if len(telling) >= FEW:
                for gram in telling:
                    self._owners[gram].append(number)
            elif found:
                self._wholes[min(found, key=lambda gram: (frequency[gram], gram))].append(number)
            elif core := _core(text):
                self._wholes[core].append(number)

    def find(self, prompt: str) -> list[tuple[Question, str, float]]:
        """(question, kind, overlap) of every question in a prompt, by benchmark and problem."""
        said = tuple(words(prompt))
        grams = _grams(said)
        shared = Counter(number for gram in grams for number in self._owners.get(gram, ()))
        found: dict[int, tuple[str, float]] = {}
        for number, count in shared.items():
            share = count / self._telling[number]
            if _within(self._texts[number], said):
                found[number] = "exact", 1.0
            elif share >= OVERLAP and self._numbers[number] <= _numbers(said):
                found[number] = "n-gram", share
        for key in (*grams, _core(said)):
            for number in self._wholes.get(key, ()):
                if _closes(self._texts[number], said):
                    found[number] = "exact", 1.0
        flags = [(question, *found[number]) for number in found for question in self._questions[number]]
        return sorted(flags, key=lambda flag: (flag[0].benchmark, flag[0].problem))


def scan(batch: pa.RecordBatch | pa.Table, index: Index) -> pa.Table:
    """The flags of some training rows, each row judged by itself.

    Args:
        batch: columns id, prompt (all that the user said) and response; strings.
        index: the benchmarks' questions.

    Returns:
        FLAGS, in row order, then by benchmark and problem.

    Raises:
        DataError: a column is missing.
    """
    names = ("id", "prompt", "response")
    if missing := set(names) - set(batch.schema.names):
        raise DataError(f"rows without {', '.join(sorted(missing))} cannot be searched for problems.")
    flags = []
    for row, prompt, response in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
        for question, kind, overlap in index.find(prompt):
            answer = tuple(words(question.answer))
            answered = bool(answer) and _within(answer, tuple(words(response)))
            flags.append((row, question.benchmark, question.problem, kind, overlap, answered))
    return pa.Table.from_pylist([dict(zip(FLAGS.names, flag, strict=True)) for flag in flags], schema=FLAGS)


def _grams(text: Words) -> set[Words]:
    return set(zip(*(text[start:] for start in range(N)), strict=False))


def _numbers(text: Words) -> Counter[str]:
    return Counter(word for word in text if word.isdigit())


def _within(part: Words, whole: Words) -> bool:
    """Whether one text stands in another in one piece."""
    return f" {' '.join(part)} " in f" {' '.join(whole)} "


def _closes(text: Words, said: Words) -> bool:
    """Whether a text ends what was said, but for an instruction."""
    for end in range(len(said), len(text) - 1, -1):
        if said[end - len(text) : end] == text and (end == len(said) or said[end] in _ASKS):
            return True
        if said[end - 1] not in _INSTRUCTION:
            break
    return False


def _core(text: Words) -> Words:
    """A text without the words of an instruction before and behind it."""
    content = [place for place, word in enumerate(text) if word not in _INSTRUCTION]
    return text[content[0] : content[-1] + 1] if content else ()
