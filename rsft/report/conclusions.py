"""Claims, verdicts and effects in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rsft.analysis.claims import Answer
from rsft.analysis.effects import Effect
from rsft.analysis.references import Reading
from rsft.analysis.trajectory import Trajectory
from rsft.report.exports import Table
from rsft.report.results import Results
from rsft.report.tables import DASH, MINUS

MARKS = {"supported": "up", "contradicted": "down", "undecided": "same"}
"""State of a claim -> colour class of the page."""
VERDICT_MARKS = {
    "monotone gain": "up",
    "gain, shape open": "up",
    "decline": "down",
    "dip, not recovered": "down",
    "loss, shape open": "down",
}
"""By where the curve ends."""


def claim_rows(answers: Sequence[Answer]) -> list[dict[str, str]]:
    """Per claim: name, family, says, state, mark, effect with its interval, n, why,
    and what forbids to conclude."""
    return [
        {
            "name": one.claim.name,
            "family": one.claim.family,
            "says": one.claim.says,
            "state": one.state,
            "mark": MARKS[one.state],
            "effect": _found(one),
            "n": f"{one.problems:,} problems, {one.answers:,} answers{_each(one.seeds)}"
            if one.answers
            else "–",
            "why": one.why,
            "caution": _caution(one.moving),
        }
        for one in answers
    ]


def verdict_rows(
    results: Results, trajectories: Mapping[tuple[str, str], Trajectory]
) -> list[dict[str, Any]]:
    """Per trial and benchmark that has a trajectory, in the order of the grid: axes, benchmark, verdict, its
    mark, whether it is decided, the sentence that goes with it, numbers that
    the sentence has not, and a caution."""
    return [
        {
            "axes": axes,
            "benchmark": column.benchmark,
            "verdict": found.verdict,
            "mark": VERDICT_MARKS.get(found.verdict, "same"),
            "decided": found.verdict != "undecided",
            "sentence": found.sentence,
            "numbers": _numbers(found),
            "caution": "" if found.converged else "not converged",
        }
        for axes in results.trials
        for column in results.columns
        if (found := trajectories.get((axes.trial, column.benchmark))) is not None
    ]


def _numbers(found: Trajectory) -> str:
    """Best gain, area and recovery step with their intervals."""
    said = [f"best gain {found.best.points()}", f"area (mean gain over log steps) {found.area.points()}"]
    back = found.recovery_step
    if back is not None:
        latest = f"{back.high:.0f}" if math.isfinite(back.high) else "never"
        said.append(f"back at step {back.value:.0f} ({back.low:.0f} to {latest})")
    return "; ".join(said)


def _each(seeds: int) -> str:
    """Of each setting; nothing where that is not known."""
    return {0: "", 1: ", one seed each"}.get(seeds, f", {seeds} seeds each")


def readings_table(readings: Sequence[Reading]) -> Table:
    return Table(
        name="published",
        about="Published curves, each read by itself as ours are, as if each score were the mean of n "
        "independent answers.",
        head=["base", "data", "benchmark", "assumed", "verdict", "in words"],
        rows=[
            [one.base, one.data, one.benchmark, one.assumed, one.found.verdict, one.found.sentence]
            for one in readings
        ],
    )


EFFECTS_SHOWN = 200
"""Of a view; the table has all."""
EFFECT_MARKS = {"higher": "up", "lower": "down", "same": "same", "undecided": "same"}


def effect_rows(effects: Sequence[Effect]) -> dict[str, list[dict[str, Any]]]:
    """By view, at most EFFECTS_SHOWN: dimension, axes, name, effect, verdict, mark, p, n, why."""
    views: dict[str, list[dict[str, Any]]] = {}
    for one in effects:
        if len(views.get(one.view, ())) == EFFECTS_SHOWN:
            continue
        views.setdefault(one.view, []).append(
            {
                "dimension": one.dimension,
                "axes": " × ".join(one.axes),
                "name": one.name,
                "effect": one.effect.points(),
                "verdict": one.verdict,
                "mark": EFFECT_MARKS[one.verdict],
                "p": f"{one.p:.2g}" if one.verdict != "undecided" else "–",
                "n": f"{one.problems:,} problems, {one.answers:,} answers of {one.trials:,} trials"
                f"{_each(one.seeds)}",
                "why": one.why,
            }
        )
    return views


def verdict_tally(
    results: Results, trajectories: Mapping[tuple[str, str], Trajectory]
) -> list[dict[str, Any]]:
    """Per verdict that occurs, the most frequent first but `undecided` last: name, and counts by benchmark
    in their order."""
    counts: dict[str, Counter[str]] = {column.benchmark: Counter() for column in results.columns}
    for (_, benchmark), found in trajectories.items():
        counts.setdefault(benchmark, Counter())[found.verdict] += 1
    total: Counter[str] = sum(counts.values(), Counter())
    return [
        {"verdict": verdict, "counts": [counts[column.benchmark][verdict] for column in results.columns]}
        for verdict, _ in sorted(total.most_common(), key=lambda found: found[0] == "undecided")
    ]


def _caution(moving: int) -> str:
    if not moving:
        return ""
    return f"{moving} curve{'' if moving == 1 else 's'} not converged: do not conclude"


def claim_tally(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """How many claims have each answer that one has: state, mark, count."""
    counts = Counter[str](one.state for one in answers)
    return [
        {"state": state, "mark": mark, "count": counts[state]}
        for state, mark in MARKS.items()
        if counts[state]
    ]


def _found(one: Answer) -> str:
    """The effect with its interval; of a shape on several curves how many have which."""
    effect = one.effect
    if effect is None:
        verdicts = Counter(part for part in one.parts.values() if isinstance(part, str))
        return ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()) or DASH
    if one.claim.unit == "points":
        return effect.points(" deep" if one.claim.shape else "")
    digits, unit = (0, " tokens") if one.claim.unit else (2, "")
    value, low, high = (f"{end:,.{digits}f}" for end in (effect.value, effect.low, effect.high))
    return f"{value}{unit} ({low} to {high})".replace("-", MINUS)
