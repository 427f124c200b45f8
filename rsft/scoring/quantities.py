r"""Numbers and units as answers write them, read exactly: a rational number is equal to another or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

GAP = "\u2009"
"""What a gap inside a number is in a plain answer: it was a comma in braces or a space of LaTeX."""

_GROUPED = r"\d{1,3}(?:%s\d{3})+"
BY_COMMA = re.compile(rf"[-+]?{_GROUPED % ','}(?:\.\d+)?")
_BYGAP = re.compile(rf"([-+]?)({_GROUPED % f'[ {GAP}]'})(\.\d+)?")
_WHOLE = r"(?:\d+(?:\.\d*)?|\.\d+)"
_BRACED = r"(?:\{\s*(-?\s*\d+)\s*\}|(\d))"
_FRACTION = re.compile(rf"(\d+)?\s*\\frac\s*{_BRACED}\s*{_BRACED}")
_SLASHED = re.compile(r"(?:(\d+) +)?(\d+)\s*/\s*(\d+)")
_DECIMAL = re.compile(
    rf"({_WHOLE})(?:\s*(?:\\times|\\cdot|x)\s*10\^(?:(\d)|\{{\s*([-+]?\d{{1,4}})\s*\}})|[eE]([-+]?\d{{1,4}}))?"
)
_POWER_OF_TEN = re.compile(r"10\^(?:(\d)|\{\s*([-+]?\d{1,4})\s*\})")
_REPEATING = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*(?:\{(\d+)\}|(\d))")
_IN_BASE = re.compile(
    r"(?:\\text\s?\{|\()?([-+]?[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)?)[)}]?"
    r"\s*_\s*(?:\{?\(?(\d{1,2})\)?\}?|\{?\\text\s?\{(?:(\d{1,2})|(\w+))\}\}?)"
)
_BASES = {
    word: base
    for base, word in enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 2)
}
_BASES |= {"eleven": 11, "twelve": 12, "sixteen": 16}


def rational(text: str) -> Fraction | None:
    r"""The value of a whole text that is one rational number; None for anything else.

    `-1{,}234.5`, `2\frac{3}{4}`, `2 3/4`, `1.5 \times 10^{-3}`, `1.5e3`, `0.1\overline{6}`.
    """
    text = text.strip(f" {GAP}")
    sign = 1
    while text[:1] in ("-", "+"):
        sign, text = (-sign if text[0] == "-" else sign), text[1:].lstrip(f" {GAP}")
    value = _unsigned(text)
    return None if value is None else sign * value


def _unsigned(text: str) -> Fraction | None:
    if BY_COMMA.fullmatch(text):
        return Fraction(text.replace(",", ""))
    if _BYGAP.fullmatch(text):
        return Fraction(text.replace(" ", "").replace(GAP, ""))
    text = text.replace(GAP, " ")
    if found := _DECIMAL.fullmatch(text):
        return Fraction(found[1]) * _ten_to(found[2] or found[3] or found[4] or "0")
    if found := _POWER_OF_TEN.fullmatch(text):
        return _ten_to(found[1] or found[2])
    if found := _FRACTION.fullmatch(text):
        below = _int(found[4] or found[5])
        return None if below == 0 else int(found[1] or 0) + Fraction(_int(found[2] or found[3]), below)
    if found := _SLASHED.fullmatch(text):
        return None if int(found[3]) == 0 else int(found[1] or 0) + Fraction(int(found[2]), int(found[3]))
    if found := _REPEATING.fullmatch(text):
        return _repeating(found)
    return None


def _int(digits: str) -> int:
    return int(digits.replace(" ", ""))


def _ten_to(exponent: str) -> Fraction:
    return Fraction(10) ** int(exponent)


def _repeating(found: re.Match[str]) -> Fraction:
    """0.a(b) is (ab - a) / (10^a (10^b - 1)) with lengths as exponents."""
    fixed, again = found[2], found[3] or found[4]
    tail = Fraction(int(fixed + again) - int(fixed or 0), 10 ** len(fixed) * (10 ** len(again) - 1))
    return int(found[1] or 0) + tail


def repeating_as_fractions(text: str) -> str:
    r"""`0.\overline{3}` inside an expression, as math-verify can read it."""

    def fraction(found: re.Match[str]) -> str:
        value = _repeating(found)
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"

    return _REPEATING.sub(fraction, text)


def in_base(text: str) -> tuple[str, int] | None:
    """Digits and base of a number whose base is stated."""
    found = _IN_BASE.fullmatch(text)
    if not found or not (found[1][-1].isdigit() or found[1].isupper()):
        return None  # x_1 is a name
    base = int(found[2] or found[3] or 0) or _BASES.get((found[4] or "").lower(), 0)
    digits = found[1].lstrip("-+").replace(".", "").upper()
    if not 2 <= base <= 36 or not all(int(digit, 36) < base for digit in digits):
        return None
    return found[1].upper().lstrip("+"), base


# Units --------------------------------------------------------------------------------------------------

_UNITS = {
    name: (dimension, Fraction(factor))
    for dimension, names in {
        "length": "mm 0.001 millimeter 0.001 cm 0.01 centimeter 0.01 m 1 meter 1 metre 1 km 1000 "
        "kilometer 1000 in 0.0254 inch 0.0254 inche 0.0254 ft 0.3048 foot 0.3048 feet 0.3048 "
        "yd 0.9144 yard 0.9144 mi 1609.344 mile 1609.344",
        "time": "s 1 sec 1 second 1 min 60 minute 60 h 3600 hr 3600 hour 3600 day 86400 week 604800",
        "mass": "mg 0.000001 g 0.001 gram 0.001 kg 1 kilogram 1 lb 0.45359237 pound 0.45359237 "
        "oz 0.028349523125 ounce 0.028349523125",
        "money": r"\$ 1 dollar 1 cent 0.01",
        "euros": "€ 1 euro 1",
        "sterling": "£ 1",
        "before noon": "am 1",
        "after noon": "pm 1",
        "volume": "ml 0.001 milliliter 0.001 l 1 liter 1 litre 1",
    }.items()
    for name, factor in zip(names.split()[::2], names.split()[1::2], strict=True)
}
_SUFFIX = re.compile(
    r"(?:\\text\s?\{(?P<text>[^{}]*)\}|(?<=[\d} ])(?P<bare>(?:an? )?[A-Za-z]{2,}(?:[ /][A-Za-z]+){0,5})\.?"
    rf"|(?<=\d[ {GAP}])(?P<letter>[mgshlL]))"
    r"(?:\s*\^\s*\{?\s*(?P<power>[123])\s*\}?)?$"
)


_CURRENCY = re.compile(r"[-+ ]*(?P<sign>\\\$|[€£])")
_CURRENCY_BEHIND = re.compile(r"(?P<sign>\\\$|[€£])$")
_PREFIX = re.compile(
    r"\\text\s?\{\s*(?:\([A-E]\)|[^{}]*(?:\bis|\bare|:))\s*\}\s*(?=\S)"
    r"|^(?:[A-Za-z]+ ){1,9}(?:is|are|was|were|has|have) (?=\S)"
)
"""A letter of the options or the words of a sentence before the value."""
_MORE = re.compile(r"\s*(?:and|or|plus|minus|hundreds?|halves|squared|cubed|factorial)\b")
"""Words behind a value that go on with it: `12\text{ and a half}`."""
_OPERATOR = re.compile(
    "sin|cos|tan|cot|sec|csc|log|exp|sqrt|mod|div|plus|minus|times|over|choose|factorial|more|less|than"
    "|alpha|beta|gamma|delta|theta|lambda"
)
"""Words of mathematics, which may follow a number."""
_ANGULAR = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
"""Functions that the degrees of their argument belong to."""


@dataclass(frozen=True, slots=True)
class Marked:
    """An answer with what is written behind or before its value."""

    core: str
    percent: bool = False
    degrees: bool = False
    unit: tuple[str, Fraction, int] | None = None
    """Dimension, factor and power of a known unit; words that are none are dropped."""

    @property
    def kind(self) -> str:
        """What is written; empty for nothing."""
        if self.unit:
            return f"{self.unit[0]} {self.unit[2]}"
        return "percent" if self.percent else "degrees" if self.degrees else ""


def marked(text: str) -> Marked:
    """Takes percent, degrees, currency and units off a plain answer."""
    core, percent, degrees, unit = text, False, False, None
    core = _PREFIX.sub("", core)
    if found := _CURRENCY.match(core) or _CURRENCY_BEHIND.search(core):
        core, unit = core.replace(found["sign"], "", 1).strip(f" {GAP}"), (*_UNITS[found["sign"]], 1)
    found = _SUFFIX.search(core)
    behind = (found["text"] or found["bare"] or found["letter"] or "") if found else ""
    if found and core[: found.start()].strip(f" {GAP}{{}}") and not _MORE.match(behind):
        known = _unit(behind, int(found["power"] or 1))
        if found["text"] is not None or known or _is_counted(core[: found.start()], found["bare"]):
            core, unit = core[: found.start()].strip(f" {GAP}"), known or unit
    if core.endswith(r"\%"):
        core, percent = core[:-2].strip(f" {GAP}"), True
    elif core.endswith(r"^\circ") and not _ANGULAR.search(core):
        core, degrees = core[:-6].strip(f" {GAP}"), True
    return Marked(core, percent, degrees, unit)


def _is_counted(value: str, words: str) -> bool:
    """Whether bare words behind a value say what is counted or measured: `72 clips`, `45 km/h`."""
    first = re.split("[ /]", words.lower())[0]
    named = (len(first) > 2 and not _OPERATOR.fullmatch(first)) or words.lower().startswith(("a ", "an "))
    return value.rstrip()[-1] in "0123456789}" and (named or _unit(first, 1) is not None)


def _unit(words: str, power: int) -> tuple[str, Fraction, int] | None:
    *before, name = words.lower().replace(".", "").split() or [""]
    shape = {"square": 2, "sq": 2, "cubic": 3}.get(before[0], 0) if len(before) == 1 else 0
    if before and not shape:
        return None
    known = _UNITS.get(name) or _UNITS.get(name.removesuffix("s"))
    return None if known is None else (*known, shape or power)
