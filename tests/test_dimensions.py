"""The figure of gains by dimension, from made-up facts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from test_figures import curve, texts
from test_report import made_up_cells

from rsft.analysis.trajectory import Trajectory
from rsft.report.dimensions import dimension_figure
from rsft.report.dimensions import gains as dimension_gains
from rsft.report.results import Results, read_cells


def bent(results: Results, *benchmarks: str) -> dict[tuple[str, str], Trajectory]:
    """For each trial a curve per benchmark, deeper on each next one; of a trained step more than its base."""
    return {
        (axes.trial, name): replace(
            curve(*np.clip(0.6 - 0.1 * (i + 1) * np.sin(np.arange(len(steps)) / 2), 0, 1)), steps=tuple(steps)
        )
        for axes in results.trials
        for i, name in enumerate(benchmarks)
        if (steps := results.of(axes.trial, name))
    }


def test_a_dimensions_gain_is_the_mean_of_its_benchmarks_where_all_are_evaluated() -> None:
    cells = made_up_cells()
    results = read_cells(cells)
    known = bent(results, "gsm-symbolic", "countdown")
    found = dimension_gains(results, ["gsm-symbolic", "countdown"], known)
    assert len(found) == 8
    trial = results.trials[0].trial
    first, second = (known[trial, name].gains for name in ("gsm-symbolic", "countdown"))
    (mine,) = [one for one in found if (one.base, one.variant, one.length) == place(results)]
    assert mine.points[0] == (0, 0.0, 0.0)
    halves = [(gain.high - gain.low) / 2 for gain in (first[2], second[2])]
    step, mean, half = mine.points[3]
    assert step == sorted(results.of(trial, "countdown"))[3]
    assert mean == pytest.approx((first[2].value + second[2].value) / 2)
    assert half == pytest.approx(math.hypot(*halves) / 2)

    missing = cells[
        ~((cells["trial"] == trial) & (cells["step"] == step) & (cells["benchmark"] == "countdown"))
    ]
    fewer = read_cells(missing)
    known[trial, "countdown"] = bent(fewer, "gsm-symbolic", "countdown")[trial, "countdown"]
    (mine,) = [
        one
        for one in dimension_gains(fewer, ["gsm-symbolic", "countdown"], known)
        if (one.base, one.variant, one.length) == place(results)
    ]
    assert step not in [at for at, *_ in mine.points]


def place(results: Results) -> tuple[str, str, str]:
    first = results.trials[0]
    return first.base, first.variant, first.length


def test_dimensions_have_a_panel_per_base_with_bands_and_what_was_published() -> None:
    results = read_cells(made_up_cells())
    names = [column.benchmark for column in results.columns]
    known, trial = bent(results, *names), results.trials[0].trial
    drawing = dimension_figure(results, known)
    assert drawing is not None and drawing.file == "dimensions.svg" and "published" not in drawing.caption
    said = texts(drawing.svg)
    assert {"in-domain (points)", "out-of-domain (points)", "safety (points)", "nano-4m"} <= set(said)
    assert drawing.svg.count("FillBetweenPolyCollection") >= 8, "a band per curve"
    inside = [column.benchmark for column in results.columns if column.dimension == "in-domain"]
    references = {(trial, name): {0: 0.5, 8: 0.4} for name in inside}
    more = dimension_figure(results, known, references)
    assert more is not None and "Open diamonds: published." in more.caption
    partly = dimension_figure(results, known, {(trial, inside[0]): {0: 0.5, 8: 0.4}})
    assert partly is not None and "published" not in partly.caption, "of one benchmark there is no mean"
    assert dimension_figure(results, {}) is None
