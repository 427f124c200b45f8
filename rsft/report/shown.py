"""What of a large sweep stands on the page, since nobody reads ten thousand rows: the tables beside it have all.

Nothing is picked by its result: what is shown looks like the rest.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from rsft.report.look import DASHES, OKABE_ITO
from rsft.report.results import Results

LISTED_TRIALS = 200
LISTED_ROWS = 10_000
"""Rows of all numbers: a row per evaluated step and benchmark of a listed trial."""
DRAWN_BASES = 6
DRAWN_VARIANTS = len(OKABE_ITO)
DRAWN_LENGTHS = len(DASHES)
"""As many as can be told apart."""
DRAWN_LOGS = 100
"""Lines of a figure that has one per trial."""
SHOWN_FAILURES = 200
OPENED_CERTIFICATES = 40
"""Sets of training data that are shown with their decoded rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Parts of results for the page, and sentences that say so; these are empty where it is all of them."""

    listed: Results
    """For tables: a random sample of the trials, the same every time."""
    drawn: Results
    """For figures: the first bases and data sets, and lengths from the shortest to the longest."""
    about_listed: str
    about_drawn: str

    @classmethod
    def of(cls, results: Results) -> Shown:
        """Chooses."""
        listed, drawn = _listed(results), _drawn(results)
        return cls(
            listed=listed,
            drawn=drawn,
            about_listed=_said(listed, results, "drawn at random"),
            about_drawn=_said(drawn, results, "as many as can be told apart"),
        )

    def logs(self, trials: Iterable[str]) -> list[str]:
        """Of trials with training logs those to draw: drawn ones, and ones without any result."""
        known = {axes.trial for axes in self.drawn.trials}
        elsewhere = {trial for trial, _, _ in self.everyone.series}
        return _sample([trial for trial in trials if trial in known or trial not in elsewhere], DRAWN_LOGS)


def _sample(every: Sequence[str], count: int) -> list[str]:
    """So many of them, in their order, the same every time."""
    if len(every) <= count:
        return list(every)
    return [every[i] for i in sorted(random.Random(0).sample(range(len(every)), count))]


def _listed(results: Results) -> Results:
    rows = sum(len(steps) for (_, _, metric), steps in results.series.items() if metric == "accuracy")
    each = rows / max(1, len(results.trials))
    count = min(LISTED_TRIALS, max(1, int(LISTED_ROWS / max(1.0, each))))
    return _only(results, set(_sample([axes.trial for axes in results.trials], count)))


def _drawn(results: Results) -> Results:
    bases = set(results.bases[:DRAWN_BASES])
    variants = list(dict.fromkeys(axes.variant for axes in results.trials if axes.base in bases))
    steps = {axes.length: axes.length_steps for axes in results.trials}
    lengths = sorted(steps, key=lambda name: (steps[name], name))
    if len(lengths) > DRAWN_LENGTHS:
        lengths = [lengths[round(i * (len(lengths) - 1) / (DRAWN_LENGTHS - 1))] for i in range(DRAWN_LENGTHS)]
    some = set(variants[:DRAWN_VARIANTS])
    return _only(
        results,
        {
            axes.trial
            for axes in results.trials
            if axes.base in bases and axes.variant in some and axes.length in lengths
        },
    )


def _only(results: Results, trials: Collection[str]) -> Results:
    if len(trials) == len(results.trials):
        return results
    return replace(
        results,
        trials=tuple(axes for axes in results.trials if axes.trial in trials),
        series={key: steps for key, steps in results.series.items() if key[0] in trials},
    )
