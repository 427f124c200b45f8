"""95 % intervals hold the truth 95 times in a hundred: python -m pytest tests/test_coverage.py"""

from __future__ import annotations

import numpy as np
import pytest
from coverage_of_intervals import Setting, accuracy_held, difference_held, median_held

pytestmark = pytest.mark.slow

SETTINGS = (Setting(0.15, 100, 4), Setting(0.5, 100, 4), Setting(0.8, 200, 1))
LOW, HIGH = 0.93, 0.97


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_intervals_of_accuracy_hold_it(setting: Setting) -> None:
    random = np.random.default_rng(0)
    wilson, boot = np.array([accuracy_held(setting, random) for _ in range(1_000)]).mean(0)
    assert LOW <= wilson <= HIGH and LOW <= boot <= HIGH, (wilson, boot)


def test_intervals_of_a_difference_hold_it() -> None:
    random = np.random.default_rng(0)
    share = np.mean([difference_held(SETTINGS[1], random) for _ in range(600)])
    assert LOW <= share <= HIGH, share


def test_intervals_of_the_median_length_hold_it() -> None:
    random = np.random.default_rng(0)
    median, _ = np.array([median_held(SETTINGS[1], random) for _ in range(1_500)]).mean(0)
    assert LOW <= median <= HIGH, median
