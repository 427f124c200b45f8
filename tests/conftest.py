"""What every test run shares: files that a marker leaves out are not imported, and PDFs are light."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The same examples in every run, and no example fails because a machine is busy.
settings.register_profile("rsft", derandomize=True, deadline=None)
settings.load_profile("rsft")

_MODULE_MARKS = re.compile(r"^pytestmark = (.+)$", re.MULTILINE)
_MARK = re.compile(r"pytest\.mark\.(\w+)")
_LEFT_OUT = re.compile(r"not (\w+)")


def left_out(text: str, markers: str) -> bool:
    """Whether each test of a file is deselected: its `pytestmark` names a marker that `-m` rules out.

    Only expressions of the form `not a and not b` are read; of any other, every file is collected.
    """
    terms = [_LEFT_OUT.fullmatch(term) for term in markers.split(" and ")]
    ruled_out = {term[1] for term in terms if term is not None}
    own = _MODULE_MARKS.search(text)
    return all(terms) and own is not None and not ruled_out.isdisjoint(_MARK.findall(own[1]))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Spares each worker the seconds that torch and its like take to import, for tests that do not run."""
    markers = config.getoption("markexpr")
    if collection_path.suffix != ".py" or not markers:
        return None
    return left_out(collection_path.read_text(encoding="utf-8"), markers) or None


@pytest.fixture(scope="session", autouse=True)
def light_pdfs() -> Iterator[dict[str, Any]]:
    """Type 3 fonts instead of TrueType: cutting a TrueType font to size is most of the time of a figure.

    Yields the settings as they were, for the test of a real PDF, which asks for `embedded_fonts`.
    """
    drawing = sys.modules.get("rsft.report.drawing")
    own = dict(drawing.BASE_RC) if drawing is not None else {}
    with pytest.MonkeyPatch.context() as patch:
        if drawing is not None:
            patch.setitem(drawing.BASE_RC, "pdf.fonttype", 3)
        yield own


@pytest.fixture
def embedded_fonts(light_pdfs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The report's own fonts again, whatever they are, so that a test of them can fail."""
    from rsft.report import drawing

    monkeypatch.setattr(drawing, "BASE_RC", light_pdfs)
