"""Figures made small to stand inside a page: what they all say again and again is said once.

Most of an SVG by matplotlib is one style per element, of which a report has a few hundred different ones:
they become classes of the page. With white space and groups of nothing gone too, figures take half the room.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rsft.report.drawing import Drawing

_OWN_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
"""Of everything on a page, and not of the figure alone."""
_IDENTIFIER = re.compile(r' id="[A-Za-z0-9.]+_[0-9]+"')
"""Of a group, which occurs in other figures too; what is referred to has a salted one."""
_STYLE = re.compile(r' style="([\w\s:;,.#%()\'-]*)"')
_UNTURNED = re.compile(r' transform="rotate\(-0 [^"]*"')
_SINGLE = re.compile(r"<g>\s*(<path[^>]*/>|<text[^>]*>[^<]*</text>)\s*</g>")
_PATH = re.compile(r'(?<= d=")[^"]*')
_STEP = re.compile(r"\s*([A-Za-z])\s*")
_ALIKE = re.compile(
    r'<g( clip-path="[^"]*")>\s*((?:<use [^>]*( class="\w+")/>\s*)(?:<use [^>]*\3/>\s*)*)</g>'
)


@dataclass(slots=True)
class Packing:
    """Figures of one page."""

    classes: dict[str, str] = field(default_factory=dict)
    """Style -> name of its class."""

    def pack(self, svg: str) -> str:
        """The <svg> element of a document, which looks as before on a page with `css`."""
        element = _OWN_STYLE.sub("", svg[svg.index("<svg") :])
        element = _UNTURNED.sub("", _IDENTIFIER.sub("", element)).replace("xlink:href", "href")
        element = _STYLE.sub(lambda found: f' class="{self._name(found[1])}"', element)
        element = _PATH.sub(lambda found: _STEP.sub(r"\1", found[0]), element)
        # Marks of a curve are alike, so their group can say how.
        element = _ALIKE.sub(
            lambda found: f"<g{found[1]}{found[3]}>{found[2].replace(found[3], '')}</g>", element
        )
        return _SINGLE.sub(r"\1", element)

    def _name(self, style: str) -> str:
        return self.classes.setdefault(style, f"s{len(self.classes):x}")

    @property
    def css(self) -> str:
        return "\n".join(f".{name} {{ {style} }}" for style, name in self.classes.items())


def inlined(figures: Iterable[Drawing], room: int) -> tuple[dict[str, str], str]:
    """Of figures in the order of a page, by file those that have room in it, and the style they need."""
    packing, inside = Packing(), dict[str, str]()
    for drawing in figures:
        element = packing.pack(drawing.svg)
        if len(element) <= room:
            inside[drawing.file] = element
            room -= len(element)
    return inside, packing.css
