r"""Takes the dress off a final answer, and gives each sign one spelling.

Spacing, sizes, fonts and colours mean nothing; `\dfrac` is `\frac`, `\leq` is `\le`, `½` is `\frac{1}{2}`,
`sqrt(5)` is `\sqrt{5}`, and of `\text{24 cm}` only `cm` is text. What is left is read by
`rsft.scoring.notation`.
"""

from __future__ import annotations

import re

from rsft.scoring.quantities import GAP
from rsft.scoring.signs import in_latex

_WORDS = re.compile(r"\s*[a-zA-Z][a-zA-Z.' -]*")
_FENCES = {
    r"\lvert": "|",
    r"\rvert": "|",
    r"\lbrack": "[",
    r"\rbrack": "]",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
}
_POWERS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}


def _outside(found: re.Match[str]) -> str:
    return _WORDS.sub(lambda words: rf"\text{{{words[0]}}}", found[1])


def _counted(found: re.Match[str]) -> str:
    behind = rf"\text{{{found[3]}}}" if found[3] else ""
    return rf"\times 10^{{{_POWERS[found[2]]}}}{behind}"


def _interval(found: re.Match[str]) -> str:
    before, opened, ends, closed = found.groups()
    return before + ("(" if opened == "]" else "[") + ends + (")" if closed == "[" else "]")


_RESPELLED = tuple(
    (re.compile(pattern), spelled)
    for pattern, spelled in (
        # what is seen and means nothing
        (r"\\(?:left|right|middle|[bB]ig{1,2}[lr]?)(?![a-zA-Z])\.?", ""),
        (r"\\(?:displaystyle|textstyle|limits|underline|checkmark|therefore)(?![a-zA-Z])", ""),
        (r"\\(?:small|normalsize|[lL]arge|LARGE|[hH]uge)(?![a-zA-Z])", ""),
        (r"\\(?:text)?color\s?\{[^{}]*\}|\\[hv]?phantom\s?\{[^{}]*\}", ""),
        (r"(?<=\d),\\!\s*(?=\d{3})", ","),
        (r"(?<!\\)\\!|\{\}|\\(?:math)?strut(?![a-zA-Z])", ""),
        (r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm)\s*\]", r"\\\\"),  # more space between rows
        (r"\\ldotp(?![a-zA-Z])", "."),
        (r"\{,\}|(?<!\\)\\[,;: ]|~|\\(?:thin|med|thick|en)space(?![a-zA-Z])", GAP),
        (r"\\(?:begin|end)\{(?:aligned|align\*?|gathered|equation\*?)\}", ""),
        (r"\\q?quad(?![a-zA-Z])|\\enspace(?![a-zA-Z])", " "),
        (r"(?<![\\a-zA-Z])\{([:.])\}", r"\1"),
        # text and what is none
        (r"\\(?:mathbf|mathit|boldsymbol|bm)\s?\{\s*([a-zA-Z])\s*\}", r"\1"),  # a vector is its letter
        (
            r"\\(?:math(?:rm|bf|it|sf|tt|normal)|text(?:bf|it|rm|sf|tt|normal)|mbox|hbox|boldsymbol|bm|emph)(?![a-zA-Z])",
            r"\\text",
        ),
        (r"(?<=\d)\s*\\text\s?\{\s*[eE]\s*\}\s*(?=[-+]?\d)", "E"),  # 1.5E3
        (r"(?<=[\dA-Z])\s*\\text\s?\{\s*([A-Z])\s*\}(?=\w*\s*_)", r"\1"),  # a digit above 9
        (r"\\text\s?\{\s*([ei]|[^{}]*=[^{}]*)\s*\}", r"\1"),  # upright constants, a whole equation in bold
        (r"\\text\s?\{\s*([A-Z](?:[\s,]+(?:(?:and|or)\s+)?[A-Z])+)\s*\}", r"\1"),  # letters of options
        (r"(?<=\d)\s*\\text\s?\{\s*to\s*\}\s*(?=\d)", ":"),
        (r"(?<![a-zA-Z])([aApP])\.\s?([mM])(?![a-zA-Z])\.?", r"\1\2"),
        (
            r"(\\text\s?\{[^{}]*?(?:\bis|\bare|:))\s+(?=[^{}]*\d)([^{}]*)\}",
            r"\1}\\text{\2}",
        ),  # the number is 9
        (
            r"(?<=[\dA-F)])\s*\\text\s?\{\s*\(?(?:in )?base(?:[ -](\w+)\)?\s*\}|\s*\}\s*(\d+))",
            lambda found: rf"_{{\text{{{found[1] or found[2]}}}}}",
        ),
        (
            r"\\frac\s?\{\s*\\text\s?\{([^{}]*)\}\s*\}\s?\{\s*\\text\s?\{([^{}]*)\}\s*\}"
            r"|\\text\s?\{([^{}]*)\}\s*/\s*\\text\s?\{([^{}]*)\}",
            lambda found: rf"\text{{{found[1] or found[3]}/{found[2] or found[4]}}}",
        ),
        (r"\\text\s?\{([^{}\d]*)\}\s*\\cdot\s*\\text\s?\{([^{}\d]*)\}", r"\\text{\1 \2}"),  # newton metres
        (r"\\text\s?\{([^{}a-zA-Z]*(?:\d[^{}]*)?)\}", _outside),
        (
            r"(?<=\d)\s*(\\text\s?\{\s*)?(thousand|million|billion|trillion)(?![a-zA-Z])(?(1)([^{}]*)\}|)",
            _counted,
        ),
        (r"(?<![a-zA-Z])US(?:D(?![a-zA-Z])|\s?\\\$)", r"\\$"),
        (r"\\text\s?\{\s*(\\\$|[€£])\s*\}", r"\1"),
        # one spelling for each sign
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
        (r"(?<![a-zA-Z])\\?sqrt\s?\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"(\\sqrt\s?\[[^\[\]]*\])\s?(\w)", r"\1{\2}"),
        (r"(?<![a-zA-Z\\])pi(?![a-zA-Z])", r"\\pi "),
        (r"(?<![a-zA-Z\\])infinity(?![a-zA-Z])", r"\\infty "),
        (r"\\lg(?![a-zA-Z])", r"\\log_{10} "),
        (r"\\log_\s?(?:e(?![a-zA-Z])|\{\s*e\s*\})", r"\\ln "),
        (
            r"(?<=\d)\s*_\s*(?:\{\s*(?:10|\\text\s?\{\s*(?:10|ten)\s*\})\s*\}|10)$",
            "",
        ),  # as every other number
        (r"\(\s*\\approx[^()]*\)$|\\\\\s*$", ""),
        (r"\\pmod\s?(?:\{[^{}]*\}|\w)", ""),  # says what the value is a remainder of
        (r"(?<=[^\\]\{)\d{1,3}(?:,\d{3})+(?=\})", lambda found: found[0].replace(",", "")),
        (r"\\(?:lt|less)(?![a-zA-Z])", "<"),
        (r"\\(?:gt|greater)(?![a-zA-Z])", ">"),
        (r"\\le(?:q|qslant)?(?![a-zA-Z])|<=", r"\\le "),
        (r"\\ge(?:q|qslant)?(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\neq(?![a-zA-Z])|\\not\s*=|!=", r"\\ne "),
        (r"\\equiv(?![a-zA-Z])", "="),
        (r"\\[lr](?:brace|vert|brack)(?![a-zA-Z])", lambda found: _FENCES[found[0]]),
        (r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset "),
        (r"\\langle(?![a-zA-Z])", "("),  # angles hold coordinates
        (r"\\rangle(?![a-zA-Z])", ")"),
        (r"(^|\\cup\s*)([\[\]])([^\[\](),;]+[,;][^\[\](),;]+)([\[\]])(?=\s*(?:$|\\cup))", _interval),  # ]0,1]
        (r"\\(?:R|reals|Reals)(?![a-zA-Z])|\\text\{\s*[Aa]ll real(?: number)?s\s*\}", r"\\mathbb{R}"),
        (r"\^\s*\{\s*\\circ\s*\}|\\degree(?![a-zA-Z])", r"^\\circ"),
        (r"(?<=\^\\circ)\s*(?:\\text\s?\{\s*[CF]\s*\}|[CF])$", ""),
        (r"\\text\{\s*(?:degrees?|°|\^\\circ)\s*\}|(?<=\d)\s+degrees?$", r"^\\circ"),
        (r"\\text\{\s*(?:per ?cent|\\?%)\s*\}|(?<=\d)\s+per ?cent$|(?<!\\)%", r"\\%"),
        (r"\\ast(?![a-zA-Z])|\*", r"\\cdot "),
    )
)
_DOLLARS = re.compile(r"(?<!\\)\$")
_SPACES = re.compile(r" {2,}")


def plain(answer: str) -> str:
    """The same answer without dress, and each sign in one spelling."""
    bare = answer.strip().rstrip(".,;:")
    if bare.endswith("\\"):  # the last sign was a space of LaTeX, such as `\\;`
        bare += " "
    text = _DOLLARS.sub("", in_latex(bare))
    for pattern, spelled in _RESPELLED:
        text = pattern.sub(spelled, text)
    return _SPACES.sub(" ", text).lstrip(f" {GAP}").rstrip(f" {GAP}.,;:")
