"""Figures as files: SVG for the page and the web, PDF for a paper.

Same results, same bytes: identifiers are salted by the figure's name and nothing is dated. Text
stays text, so that it takes the page's font, can be searched, and costs little.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib import style
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

_INDENT = re.compile(r"\n +")
_COORDINATES = re.compile(r' (?:d|x|y|transform)="[^"]*"')
_LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")

BASE_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3, and text can be edited and searched
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": "#374151",
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.6,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "xtick.bottom": False,
    "ytick.left": False,
    "legend.frameon": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One figure."""

    file: str
    """Name below the report's figures."""
    title: str
    caption: str
    svg: str
    """A whole SVG document."""
    pdf: bytes
    """The same as PDF."""

    @classmethod
    def of(cls, figure: Figure, *, file: str, title: str, caption: str) -> Drawing:
        """Draws a figure; inside `drawn_as`."""
        return cls(file=file, title=title, caption=caption, svg=_svg(figure), pdf=_pdf(figure))

    @property
    def pdf_file(self) -> str:
        return f"{self.file.removesuffix('.svg')}.pdf"


@contextmanager
def drawn_as(file: str, **more: Any) -> Iterator[None]:
    """The settings to draw one file with, whatever the user's own matplotlib settings are.

    The file's name salts the identifiers, since all figures share one page.
    """
    with style.context(["default", BASE_RC | {"svg.hashsalt": file} | more]):
        yield


def file_name(stem: str, taken: Iterable[str]) -> str:
    """A safe file name for a figure, different from those taken."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[:80]
    names = (f"{slug}{'' if n == 1 else f'-{n}'}.svg" for n in itertools.count(1))
    used = set(taken)
    return next(name for name in names if name not in used)


def _svg(figure: Figure) -> str:
    """An SVG document without date or maker, to a hundredth of a point."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # Not figure.savefig, which draws everything once more to measure it.
    FigureCanvasSVG(figure).print_svg(out, metadata=nothing)
    return _COORDINATES.sub(
        lambda found: _LONG_NUMBER.sub(r"\1", found[0]), _INDENT.sub("\n", out.getvalue())
    )


def _pdf(figure: Figure) -> bytes:
    out = io.BytesIO()
    nothing = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    FigureCanvasPdf(figure).print_pdf(out, metadata=nothing)
    return out.getvalue()
