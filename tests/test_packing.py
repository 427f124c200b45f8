"""Figures packed to stand inside a page: python -m pytest tests/test_packing.py"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from test_report import few_cells

from rsft.report.drawing import Drawing
from rsft.report.figures import length_figure, score_figures
from rsft.report.packing import Packing, inlined
from rsft.report.results import read_cells

HREF = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    results = read_cells(few_cells())
    lengths = length_figure(results)
    assert lengths is not None
    return [*score_figures(results), lengths]


def looks(svg: str, css: dict[str, str]) -> list[tuple[str, ...]]:
    """Every element that is seen, in order: name, place, text, and the style it has or inherits."""
    root = ET.fromstring(svg if "xmlns:xlink" in svg else svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
    found: list[tuple[str, ...]] = []

    def walk(element: ET.Element, style: str, clip: str) -> None:
        own = element.get("style") or css.get(element.get("class", ""), "")
        style, clip = own or style, element.get("clip-path") or clip
        name = element.tag.rpartition("}")[2]
        if name in ("path", "use", "text"):
            path = " ".join(re.findall(r"[A-Za-z]|-?[\d.]+", element.get("d", "")))
            turned = re.sub(r"rotate\(-0 .*", "", element.get("transform", ""))
            target = element.get("href") or element.get(HREF) or ""
            place = (element.get("x", ""), element.get("y", ""))
            found.append((name, path, target, *place, turned, clip, style, element.text or ""))
        for child in element:
            walk(child, style, clip)

    walk(root, "", "")
    return [one for one in found if one[0] != "path" or one[1]]


def test_a_packed_figure_has_the_same_marks_at_the_same_places_in_the_same_style(
    drawings: list[Drawing],
) -> None:
    packing = Packing()
    for drawing in drawings:
        packed = packing.pack(drawing.svg)
        assert len(packed) < 0.62 * len(drawing.svg)
        styles = {name: style for style, name in packing.classes.items()}
        plain = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", drawing.svg, flags=re.DOTALL)
        assert looks(packed, styles) == looks(plain, {})
        assert 'style="' not in packed and "<style" not in packed


def test_classes_are_those_of_the_whole_page(drawings: list[Drawing]) -> None:
    inside, css = inlined(drawings, 10**7)
    assert inside.keys() == {drawing.file for drawing in drawings}
    named = set(re.findall(r'class="(\w+)"', "".join(inside.values())))
    assert named == set(re.findall(r"^\.(\w+) \{", css, flags=re.MULTILINE))


def test_the_first_figures_of_the_page_are_the_ones_inside(drawings: list[Drawing]) -> None:
    first = len(Packing().pack(drawings[0].svg))
    inside, _ = inlined(drawings, first + 10)
    assert list(inside) == [drawings[0].file]
