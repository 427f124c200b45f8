"""Which checkpoints of which trials are compared: at the end, at a fixed step, epoch or number of tokens.

Trials of unlike lengths are alike in one of these only: a fixed epoch compares equal exposure to each row, a
fixed step or number of tokens equal training. In each view, data variants that are subsets of
others are compared as *exposure* as well: how often fewer rows were passed against once over more, where
base, source, recipe and steps agree.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rsft.analysis.contrasts import Arm
from rsft.analysis.effects import Asked

AXES = ("length", "data", "base")
NEAR = 1.25
"""A checkpoint stands for a number of tokens, or epochs, up to so many times as large or small as its own."""
_BUDGETS = 64
"""Numbers of tokens, or of epochs, that are tried, log-spaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A trained trial with its evaluated checkpoints, in the order of the page."""

    trial: str
    base: str
    parameters: int | None
    """Of the base, where they are known."""
    data: str
    family: str
    """The same for variants that are subsets of the same rows."""
    rows: int
    length: str
    """Label, such as `8ep`."""
    steps: int
    recipe: str
    """The same for trials that were trained alike."""
    origin: str
    """Whose weights step 0 is."""
    weights: Mapping[int, str]
    """Evaluated step, without 0 -> whose weights it is."""
    tokens: Mapping[int, int]
    """The same steps -> target tokens trained on."""
    passes: float | None
    """Over the rows in one step; None where a step is counted in tokens."""


def views(runs: Sequence[Run]) -> list[Asked]:
    """What to look for in a sweep; views of the same checkpoints are one, under all their names.

    The reference of an axis is the level with most trials; of several the shortest length, the first data,
    the smallest base. Of exposure it is the fewest passes. The step is the one that most trials were
    evaluated at, the latest of several; the epoch and the number of target tokens likewise, where a
    checkpoint within a factor of NEAR counts, the nearest of a trial's.
    """
    epochs = {run.trial: {step: step * run.passes for step in run.weights} for run in runs if run.passes}
    picked: dict[str, dict[str, int]] = {}
    for name, steps in (
        ("at the end", {run.trial: run.steps for run in runs if run.steps in run.weights}),
        _at_step(runs),
        _near("fixed epoch", epochs),
        _near("fixed tokens", {run.trial: run.tokens for run in runs}),
    ):
        same = next((other for other, chosen in picked.items() if chosen == steps), None)
        if same is not None:
            picked = {f"{other} = {name}" if other == same else other: at for other, at in picked.items()}
        elif len(steps) > 1:
            picked[name] = steps
    order = {
        "length": _order([run.length for run in sorted(runs, key=lambda run: run.steps)]),
        "data": _order([run.data for run in runs]),
        "base": _order([run.base for run in sorted(runs, key=lambda run: run.parameters or 0)]),
    }
    asked: list[Asked] = []
    for name, steps in picked.items():
        chosen = [run for run in runs if run.trial in steps]
        arms = [_arm(run, steps[run.trial], {axis: getattr(run, axis) for axis in AXES}) for run in chosen]
        asked.append(Asked(view=name, arms=arms, axes=AXES, order=order))
        exposed = _exposed(chosen, steps)
        if exposed:
            exposure = list(dict.fromkeys(arm.levels["exposure"] for arm in exposed))
            asked.append(Asked(view=name, arms=exposed, axes=("exposure",), order={"exposure": exposure}))
    return asked


def _order(levels: Sequence[str]) -> list[str]:
    """Each level once; the most frequent goes first."""
    counts = Counter(levels)
    reference = max(counts, key=lambda level: counts[level], default="")
    return list(dict.fromkeys([reference, *levels])) if levels else []


def _arm(run: Run, step: int, levels: dict[str, str]) -> Arm:
    return Arm(
        trial=run.trial,
        step=step,
        weights=run.weights[step],
        origin=run.origin,
        levels=levels | {"recipe": run.recipe},
    )


def _at_step(runs: Sequence[Run]) -> tuple[str, dict[str, int]]:
    counts = Counter(step for run in runs for step in run.weights)
    step = max(counts, key=lambda step: (counts[step], step), default=0)
    return f"fixed step ({step:,})", {run.trial: step for run in runs if step in run.weights}


def _near(name: str, amounts: Mapping[str, Mapping[int, float]]) -> tuple[str, dict[str, int]]:
    """The amount that most trials have a checkpoint near, the largest of several, and each one's nearest.

    Args:
        name: of the view; the amount follows it, the middle one of those chosen.
        amounts: by trial, of each evaluated step.
    """
    seen = {
        trial: [(math.log(amount), step) for step, amount in by_step.items() if amount > 0]
        for trial, by_step in amounts.items()
    }
    every = [log for one in seen.values() for log, _ in one]
    if not every:
        return "", {}
    budgets = np.linspace(min(every), max(every), _BUDGETS)
    nearest = [
        np.abs(np.array([log for log, _ in one])[:, None] - budgets).min(0) for one in seen.values() if one
    ]
    near = (np.stack(nearest) <= math.log(NEAR)).sum(0)
    budget = float(budgets[np.flatnonzero(near == near.max())[-1]])
    found = {trial: min(one, key=lambda pair: abs(pair[0] - budget)) for trial, one in seen.items() if one}
    chosen = {trial: pair for trial, pair in found.items() if abs(pair[0] - budget) <= math.log(NEAR)}
    middle = math.exp(sum(log for log, _ in chosen.values()) / len(chosen))
    return f"{name} ({_many(middle)})", {trial: step for trial, (_, step) in chosen.items()}


def _many(count: float) -> str:
    """Two digits: `0.5`, `120`, `12 thousand`, `3.4 million`."""
    for unit, name in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if count >= unit:
            return f"{float(f'{count / unit:.2g}'):g}{name}"
    return f"{float(f'{count:.2g}'):g}"


def _exposed(runs: Sequence[Run], steps: Mapping[str, int]) -> list[Arm]:
    """Arms of families with several sizes, fewest passes over most rows first: those are the reference."""
    sizes: defaultdict[str, set[int]] = defaultdict(set)
    for run in runs:
        sizes[run.family].add(run.rows)
    found = []
    for run in sorted(runs, key=lambda run: ((run.passes or 0.0) * steps[run.trial], -run.rows)):
        if len(sizes[run.family]) > 1 and run.passes is not None:
            step = steps[run.trial]
            levels = {
                "exposure": f"{run.passes * step:.2g} \N{MULTIPLICATION SIGN} {run.rows:,} rows",
                "base": run.base,
                "family": run.family,
                "length": str(run.steps),
            }
            found.append(_arm(run, step, levels))
    return found
