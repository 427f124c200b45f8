"""Which test files are not even imported: python -m pytest tests/test_selection.py"""

from __future__ import annotations

import pytest
from conftest import left_out

ENGINES = "import torch\n\npytestmark = pytest.mark.engines\n"
BOTH = "pytestmark = [pytest.mark.ray, pytest.mark.slow]  # a cluster\n"
SOME = "@pytest.mark.engines\ndef test_one() -> None:\n    pytestmark = pytest.mark.engines\n"


@pytest.mark.parametrize(
    ("text", "markers", "expected"),
    [
        (ENGINES, "not engines", True),
        (ENGINES, "not ray and not engines", True),
        (BOTH, "not engines and not slow", True),
        (ENGINES, "not ray and not slow", False),
        (SOME, "not engines", False),
        (ENGINES, "engines", False),
        (ENGINES, "not ray and (not engines or slow)", False),
        (ENGINES, "slow or not engines", False),
        (ENGINES, "not engines and slow", False),
    ],
)
def test_a_file_is_left_out_only_if_each_of_its_tests_is(text: str, markers: str, expected: bool) -> None:
    assert left_out(text, markers) is expected
