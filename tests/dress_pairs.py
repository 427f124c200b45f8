r"""Pairs as in `notation_pairs`, of the dress that models' answers wear: Unicode, text, colours.

Of 584 new pairs and whole responses of all kinds 540 were right when first graded; each class of fault that
this showed has a few pairs here. Of 190 more that nobody had looked at before, 173 were right.
"""

from __future__ import annotations

from notation_pairs import Pairs

EQUAL: Pairs = (
    # signs that only Unicode has
    ("\\frac{2}{3}", "⅔"),
    ("\\frac{9}{2}", "4½"),
    ("\\frac{1}{2}", "1⁄2"),
    ("3.2 \\times 10^5", "3.2×10⁵"),
    ("10^{-6}", "10⁻⁶"),
    ("1101_2", "1101₂"),
    ("\\sqrt{10}", "√10"),
    ("\\sqrt{10}", "√(10)"),
    ("\\sqrt{1+\\sqrt{2}}", "√(1+√2)"),
    ("\\sqrt[3]{4}", "∛4"),
    ("x+1", "𝑥+１"),
    # fonts and text around values
    ("24", "\\text{24}"),
    ("24", "\\mathbf{24}"),
    ("24", "\\text{24 apples}"),
    ("24 \\text{ cm}", "\\mathrm{24\\,cm}"),
    ("1, 2, 3", "\\text{1, 2, and 3}"),
    ("3 - 4i", "3-4\\mathrm{i}"),
    ("42", "\\color{red}{42}"),
    ("42", "\\large{42}"),
    ("42", "\\phantom{-}42"),
    ("42", "\\text{The answer is } 42"),
    ("12", "\\textbf{(C)}\\ 12"),
    ("\\text{Evelyn}", "\\text{Evelyn.}"),
    ("\\sqrt[3]{4}", "\\sqrt[3]4"),
    # currencies, times, ratios, bases
    ("18", "€18"),
    ("18", "18 \\text{ €}"),
    ("\\$18", "USD 18"),
    ("\\$18", "\\text{\\$18}"),
    ("3:30\\text{ PM}", "\\text{3:30 p.m.}"),
    ("3:30", "03:30"),
    ("4:9", "4\\text{ to }9"),
    ("1101_2", "(1101)_{2}"),
    ("1101_2", "1101_{(2)}"),
    ("\\text{B5}_{16}", "B5_{16}"),
    ("1,200,000", "1.2\\text{ million}"),
    ("\\$5,000,000", "\\$5 million"),
    ("72", "72 clips"),
    ("72", "72 clips in total"),
    ("45", "45 km/h"),
    ("10 \\text{ square inches}", "10 square inches"),
    ("\\frac{1}{1,000}", "0.001"),
    # other spellings
    ("9", "\\;9\\;"),
    ("9", "9\\ "),
    ("9", "\\mathbf{x = 9}"),
    ("9", "9 \\pmod{11}"),
    ("9", "x \\equiv 9 \\pmod{11}"),
    ("9", "\\underline{9}"),
    ("3\\sqrt{5}", "3 * sqrt(5)"),
    ("2\\pi", "2pi"),
    ("\\ln 5", "\\log_e 5"),
    ("(2, 7)", "]2, 7["),
    ("[2, 7)", "[2;7["),
    ("\\text{B}", "\\text{(B) }12"),
    ("(2, \\frac{\\pi}{3})", "(r,\\theta) = \\left(2, \\frac{\\pi}{3}\\right)"),
    # members, points, what is left out
    ("2, 5, 7", "x \\in \\{2, 5, 7\\}"),
    ("(3, -4)", "P(3, -4)"),
    ("(-\\infty,-3)\\cup(-3,3)\\cup(3,\\infty)", "x \\ne \\pm 3"),
    ("x \\ne 1, 2", "(-\\infty,1)\\cup(1,2)\\cup(2,\\infty)"),
)

UNEQUAL: Pairs = (
    ("\\frac{2}{3}", "⅓"),
    ("10^{-6}", "10⁶"),
    ("\\sqrt{10}", "√1"),
    ("24", "\\text{25 apples}"),
    ("24 \\text{ cm}", "\\mathrm{24\\,m}"),
    ("\\$18", "€18"),
    ("3:30\\text{ PM}", "3:30\\text{ AM}"),
    ("3:30", "1:10"),
    ("4:9", "9\\text{ to }4"),
    ("2, 5, 7", "x \\in \\{2, 5\\}"),
    ("(3, -4)", "P(-4, 3)"),
    ("120", "C(10, 4)"),
    ("72", "73 clips"),
    ("2", "2 sin x"),
    ("2", "2 times x"),
    ("1,200,000", "1.2\\text{ billion}"),
    ("[2, 7]", "]2, 7["),
    ("9", "8 \\pmod{11}"),
    ("\\text{B}", "\\text{(C) }12"),
    ("12", "\\text{(B) }13"),
    ("(-\\infty,-3)\\cup(-3,3)\\cup(3,\\infty)", "x \\ne 3"),
)
