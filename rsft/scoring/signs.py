r"""Signs of Unicode as LaTeX writes them: `−5`, `½`, `10⁻⁶`, `√10`, `∪`."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−–‐‑", "-"),
        **dict.fromkeys("\u00a0\u2009\u202f\u2003\t\n", " "),
        "×": r"\times ",
        "·": r"\cdot ",
        "÷": r"\div ",
        "⁄": "/",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "±": r"\pm ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "∅": r"\emptyset ",
        "ℝ": r"\mathbb{R}",
        "ℤ": r"\mathbb{Z}",
        "√": r"\sqrt ",
        "θ": r"\theta ",
        "°": r"^\circ ",
        "…": r"\ldots ",
        "⟨": r"\langle ",
        "⟩": r"\rangle ",
    }
)
_FRACTION = re.compile("[¼-¾⅐-⅞]")
_FOLDED = re.compile("(.+)⁄(.*)")
_RAISED = re.compile("[⁰¹²³⁴-⁾ⁿⁱ]+")
_LOWERED = re.compile("[₀-₎]+")
_ROOT = re.compile(r"([√∛∜])\s?(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[a-zA-Z]))")
_INDICES = {"√": "", "∛": "[3]", "∜": "[4]"}
_NESTED_ROOTS = 4


def in_latex(text: str) -> str:
    """The same text with signs that only Unicode has spelled in LaTeX."""
    if text.isascii():
        return text
    text = _FRACTION.sub(lambda sign: _FOLDED.sub(r"\\frac{\1}{\2}", _folded(sign[0])), text)
    text = _RAISED.sub(lambda run: f"^{{{_folded(run[0])}}}", text)
    text = _LOWERED.sub(lambda run: f"_{{{_folded(run[0])}}}", text)
    for _ in range(_NESTED_ROOTS):  # the innermost parentheses first
        text = _ROOT.sub(lambda root: rf"\sqrt{_INDICES[root[1]]}{{{root[2] or root[3]}}}", text)
    # Letters and digits of other fonts and widths are the letters and digits themselves.
    return _folded(text.translate(_SIGNS))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
