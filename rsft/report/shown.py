"""What of a large sweep stands on the page: nobody reads ten thousand rows. The tables beside it have all.

Nothing is picked by its result, so that what is shown looks like the rest.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from rsft.report.look import DASHES, OKABE_ITO
from rsft.report.results import Results

LISTED_TRIALS = 200
LISTED_ROWS = 10_000
"""Evaluated steps, over all benchmarks, of the trials that are listed."""
DRAWN_BASES = 6
DRAWN_VARIANTS = len(OKABE_ITO)
DRAWN_LENGTHS = len(DASHES)
DRAWN_CURVES = DRAWN_BASES * DRAWN_VARIANTS * DRAWN_LENGTHS
"""Means over seeds in one figure; a sweep that has more is drawn by as many bases, data and lengths as can be
told apart."""
DRAWN_LOGS = 100
"""Lines of a figure that has one per trial."""
FAILURES = 200
OPENED_CERTIFICATES = 40
"""Sets of training data whose decoded rows are shown."""
SPEC_CHARACTERS = 200_000

ALL = "all are in tables/ beside this page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Parts of results for the page, and sentences that say so; these are empty where it is all of them."""

    results: Results
    listed: Results
    """For tables: trials drawn at random, the same every time."""
    drawn: Results
    """For figures: the first bases and data, and lengths from the shortest to the longest."""
    about_listed: str
    about_drawn: str

    @classmethod
    def of(cls, results: Results) -> Shown:
        listed, drawn = _listed(results), _drawn(results)
        few = "" if listed is results else f"{len(listed.trials):,} of {len(results.trials):,} trials"
        return cls(
            results=results,
            listed=listed,
            drawn=drawn,
            about_listed=few and f"Listed are {few}, drawn at random; {ALL}.",
            about_drawn=_about_drawn(drawn, results),
        )

    def logs(self, trials: Iterable[str]) -> list[str]:
        """Of trials that have training logs those to draw; one without any result may be among them."""
        hidden = {axes.trial for axes in self.results.trials} - {axes.trial for axes in self.drawn.trials}
        return _sample([trial for trial in trials if trial not in hidden], DRAWN_LOGS)


def _listed(results: Results) -> Results:
    rows = sum(len(steps) for (_, _, metric), steps in results.series.items() if metric == "accuracy")
    most = int(LISTED_ROWS * len(results.trials) / max(1, rows))
    count = max(1, min(LISTED_TRIALS, most))
    return part(results, _sample([axes.trial for axes in results.trials], count))


def _drawn(results: Results) -> Results:
    curves = {(axes.base, axes.variant, axes.length) for axes in results.trials}
    if len(curves) <= DRAWN_CURVES:
        return results
    bases = results.bases[:DRAWN_BASES]
    variants = list(dict.fromkeys(axes.variant for axes in results.trials if axes.base in bases))
    steps = {axes.length: axes.length_steps for axes in results.trials}
    lengths = sorted(steps, key=lambda name: (steps[name], name))
    if len(lengths) > DRAWN_LENGTHS:
        apart = (len(lengths) - 1) / (DRAWN_LENGTHS - 1)
        lengths = [lengths[round(i * apart)] for i in range(DRAWN_LENGTHS)]
    some = {(b, v, length) for b in bases for v in variants[:DRAWN_VARIANTS] for length in lengths}
    return part(results, {a.trial for a in results.trials if (a.base, a.variant, a.length) in some})


def _about_drawn(drawn: Results, results: Results) -> str:
    if drawn is results:
        return ""
    counts = [
        (word, len({key(axes) for axes in drawn.trials}), len({key(axes) for axes in results.trials}))
        for word, key in (
            ("bases", lambda axes: axes.base),
            ("data sets", lambda axes: axes.variant),
            ("lengths", lambda axes: axes.length),
        )
    ]
    said = ", ".join(f"{some} of {every} {word}" for word, some, every in counts if some < every)
    return f"Drawn are {said}, as many as can be told apart; {ALL}."


def _sample(every: Sequence[str], count: int) -> list[str]:
    """So many of them, in their order, the same every time."""
    if len(every) <= count:
        return list(every)
    return [every[i] for i in sorted(random.Random(0).sample(range(len(every)), count))]


def part(results: Results, trials: Collection[str]) -> Results:
    """The results of some trials."""
    chosen = set(trials)
    if len(chosen) == len(results.trials):
        return results
    return replace(
        results,
        trials=tuple(axes for axes in results.trials if axes.trial in chosen),
        series={key: steps for key, steps in results.series.items() if key[0] in chosen},
    )
