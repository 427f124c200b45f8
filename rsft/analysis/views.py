"""Which checkpoints of which trials are compared: at the end, at one step, at one number of target tokens.

Trials of unlike lengths are alike in one of these only. In each view, data variants that are subsets of
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
"""A checkpoint stands for a number of tokens when it saw no more than so many times more or fewer."""
_BUDGETS = 64
"""Numbers of tokens that are tried, log-spaced."""


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
    """What to look for in a sweep; views that would choose the same checkpoints are one.

    The reference of an axis is the level with most trials; of several the shortest length, the first data,
    the smallest base. Of exposure it is the fewest passes. The step is the one that most trials were
    evaluated at, the latest of several; the number of target tokens likewise, where a checkpoint within a
    factor of NEAR counts, the nearest of a trial's.
    """
    picked: dict[str, dict[str, int]] = {}
    for name, steps in (
        ("at the end", {run.trial: run.steps for run in runs if run.steps in run.weights}),
        _at_step(runs),
        _at_tokens(runs),
    ):
        if len(steps) > 1 and steps not in picked.values():
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
    return f"at step {step}", {run.trial: step for run in runs if step in run.weights}


def _at_tokens(runs: Sequence[Run]) -> tuple[str, dict[str, int]]:
    seen = [[(math.log(n), step) for step, n in run.tokens.items() if n > 0] for run in runs]
    every = [log for one in seen for log, _ in one]
    if not every:
        return "", {}
    budgets = np.linspace(min(every), max(every), _BUDGETS)
    nearest = [np.abs(np.array([log for log, _ in one])[:, None] - budgets).min(0) for one in seen if one]
    near = (np.stack(nearest) <= math.log(NEAR)).sum(0)
    budget = float(budgets[np.flatnonzero(near == near.max())[-1]])
    found = [min(one, key=lambda pair: abs(pair[0] - budget), default=(math.inf, 0)) for one in seen]
    chosen = {
        run.trial: pair
        for run, pair in zip(runs, found, strict=True)
        if abs(pair[0] - budget) <= math.log(NEAR)
    }
    middle = math.exp(sum(log for log, _ in chosen.values()) / len(chosen))
    steps = {trial: step for trial, (_, step) in chosen.items()}
    return f"at about {_many(middle)} target tokens", steps


def _many(count: float) -> str:
    """Two digits: `12 thousand`, `3.4 million`."""
    for unit, name in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if count >= unit:
            return f"{float(f'{count / unit:.2g}'):g}{name}"
    return f"{count:.0f}"


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
