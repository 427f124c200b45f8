"""Effects of axes where the truth is known: coverage, false verdicts, and what is found.

    python bench/effects.py [--repeats 200] [--seed 0]

A grid of two lengths, two data variants and two bases, some seeds each. A problem is answered rightly with
probability sigmoid(a + 2 z + 0.7 e + t u): z is its difficulty, the same for all trials, e what a setting
changes about it alone, u the luck of a seed, the same on all problems and benchmarks of a trial, and `a` such
that the expected score over problems and seeds is the setting's. With one seed each, the truth is that of the
runs at hand: their own luck is part of it. Intervals are at 95 %. "Resampled seeds" are percentile intervals
of the plain bootstrap that draws problems and, within each setting, seeds.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from rsft.analysis.contrasts import Arm, contrasts
from rsft.analysis.effects import Answered, Asked, Effect, effects

Array = npt.NDArray[np.float64]

AXES = ("length", "data", "base")
ORDER = {"length": ("1ep", "8ep"), "data": ("answers", "traces"), "base": ("1b", "4b")}
DIFFICULTY, OWN = 2.0, 0.7
"""Spread of difficulty, and of what one setting changes about one problem, in logits."""
NULL: dict[tuple[str, ...], float] = {}
KNOWN: dict[tuple[str, ...], float] = {("length",): 0.06, ("data",): 0.10, ("length", "data"): 0.08}
"""Main effects over the references' mean, and an interaction; everything else is 0."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


def expected(offsets: Array, spread: float) -> Array:
    """Mean of sigmoid(offset + spread x normal), for each offset."""
    found = _WEIGHTS @ (1 / (1 + np.exp(-offsets - spread * _NODES[:, None]))) / _WEIGHTS.sum()
    return np.asarray(found)


def offset(score: float, spread: float) -> float:
    """The logit at which that mean is the score."""
    low, high = -12.0, 12.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(np.array([middle]), spread)[0] < score else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True)
class World:
    """Settings and what each scores; seeds differ by `luck` logits."""

    truth: dict[tuple[str, ...], float]
    luck: float = 0.0
    problems: int = 200
    benchmarks: int = 2
    seeds: int = 3
    samples: int = 1

    def score(self, setting: tuple[str, ...]) -> float:
        """Expected, of a setting in the order of AXES: main effects are centred, so that they are what the
        average over the other axes shows."""
        at = dict(zip(AXES, setting, strict=True))
        side = {axis: (1.0 if at[axis] == ORDER[axis][1] else -1.0) / 2 for axis in AXES}
        return 0.45 + sum(
            value * float(np.prod([side[axis] for axis in axes])) for axes, value in self.truth.items()
        )

    def study(self, random: np.random.Generator) -> tuple[Asked, dict[tuple[str, int, str], Answered], Array]:
        """One sweep: what is asked, its answers, and each arm's own expected score (arms,)."""
        spread, arms, own = float(np.hypot(DIFFICULTY, OWN)), list[Arm](), list[float]()
        answers: dict[tuple[str, int, str], Answered] = {}
        names = [f"b{k}" for k in range(self.benchmarks)]
        ids, hard = np.arange(self.problems), random.standard_normal((self.benchmarks, self.problems))

        def ask(trial: str, step: int, logit: float, own_part: Array) -> None:
            for k, name in enumerate(names):
                chance = 1 / (1 + np.exp(-logit - DIFFICULTY * hard[k] - OWN * own_part[k]))
                scores = random.binomial(self.samples, chance) / self.samples
                answers[trial, step, name] = Answered(ids, scores, self.samples * self.problems)

        base_parts = {base: random.standard_normal(hard.shape) for base in ORDER["base"]}
        base_logit = offset(0.45, spread)
        for setting in product(*(ORDER[axis] for axis in AXES)):
            logit = offset(self.score(setting), float(np.hypot(spread, self.luck)))
            part = random.standard_normal(hard.shape)
            for seed in range(self.seeds):
                trial = "-".join((*setting, str(seed)))
                lucky = logit + self.luck * float(random.standard_normal())
                ask(trial, 1, lucky, part)
                own.append(float(expected(np.array([lucky]), spread)[0]))
                levels = dict(zip(AXES, setting, strict=True))
                arms.append(Arm(trial=trial, step=1, weights=trial, origin=setting[2], levels=levels))
        for base, part in base_parts.items():
            first = next(arm.trial for arm in arms if arm.origin == base)
            ask(first, 0, base_logit, part)
            for arm in arms:
                if arm.origin == base:
                    answers |= {(arm.trial, 0, name): answers[first, 0, name] for name in names}
        return Asked(view="at the end", arms=arms, axes=AXES, order=ORDER), answers, np.array(own)

    def truths(self, asked: Asked, own: Array) -> dict[tuple[str, ...], float]:
        """True effect by axes: over seeds, or of the runs at hand where there is one seed each."""
        settings = list(dict.fromkeys(arm.setting for arm in asked.arms))
        mean = {
            setting: np.mean([s for s, arm in zip(own, asked.arms, strict=True) if arm.setting == setting])
            for setting in settings
        }
        found = {}
        for one in contrasts(settings, AXES, ORDER):
            of_runs = sum(weight * mean[setting] for setting, weight in one.weights.items())
            found[one.axes] = of_runs if self.seeds == 1 else self.truth.get(one.axes, 0.0)
        return found


def resampled(
    asked: Asked, answers: dict[tuple[str, int, str], Answered], random: np.random.Generator
) -> dict[tuple[str, ...], tuple[float, float]]:
    """The plain hierarchical bootstrap, for comparison: ends of percentile intervals by axes."""
    names = sorted({name for _, _, name in answers})
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    for arm in asked.arms:
        groups.setdefault(arm.setting, []).append(arm.trial)
    tables = [
        {
            s: np.stack([answers[t, 1, n].scores - answers[t, 0, n].scores for t in trials])
            for s, trials in groups.items()
        }
        for n in names
    ]
    every = list(contrasts(list(groups), AXES, ORDER))
    draws = np.zeros((400, len(every)))
    for i in range(len(draws)):
        picks = {s: random.integers(len(trials), size=len(trials)) for s, trials in groups.items()}
        for table in tables:
            n = next(iter(table.values())).shape[1]
            counts = np.bincount(random.integers(n, size=n), minlength=n) / n
            means = {s: float(rows[picks[s]].mean(0) @ counts) for s, rows in table.items()}
            draws[i] += [sum(w * means[s] for s, w in c.weights.items()) / len(tables) for c in every]
    ends = np.quantile(draws, (0.025, 0.975), axis=0)
    return {c.axes: (float(a), float(b)) for c, a, b in zip(every, *ends, strict=True)}


@dataclass
class Tally:
    """Counts over studies of one world."""

    main: list[bool] = field(default_factory=list)
    pairs: list[bool] = field(default_factory=list)
    plain: list[bool] = field(default_factory=list)
    wrong: int = 0
    decided: int = 0
    right: int = 0
    found: dict[tuple[str, ...], int] = field(default_factory=dict)


def is_true(effect: Effect, truth: float) -> bool:
    """Whether what a verdict states is so."""
    return {"higher": truth > 0, "lower": truth < 0, "same": abs(truth) < 0.03, "undecided": True}[
        effect.verdict
    ]


def studies(world: World, repeats: int, random: np.random.Generator, plain: bool = False) -> Tally:
    tally, dimensions = Tally(), {"in-domain": [f"b{k}" for k in range(world.benchmarks)]}
    for _ in range(repeats):
        asked, answers, own = world.study(random)
        truths = world.truths(asked, own)
        found = effects([asked], dimensions, answers, seed=int(random.integers(2**31)))
        for one in found:
            truth = truths[one.axes]
            inside = one.effect.low <= truth <= one.effect.high
            (tally.main if len(one.axes) == 1 else tally.pairs).append(inside)
            tally.decided += one.verdict != "undecided"
            tally.right += one.verdict != "undecided" and is_true(one, truth)
            tally.found[one.axes] = tally.found.get(one.axes, 0) + (one.verdict in ("higher", "lower"))
        tally.wrong += any(not is_true(one, truths[one.axes]) for one in found)
        if plain:
            ends = resampled(asked, answers, random)
            tally.plain += [low <= truths[axes] <= high for axes, (low, high) in ends.items()]
    return tally


def share(hits: list[bool] | int, of: int | None = None) -> str:
    some, whole = (sum(hits), len(hits)) if isinstance(hits, list) else (hits, of or 0)
    return f"{100 * some / whole:.1f} %" if whole else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, console = np.random.default_rng(options.seed), Console(width=110)

    table = Table(title=f"{options.repeats} grids of each kind: 3 main effects and 3 interactions in each")
    for column in (
        "problems x samples",
        "seeds",
        "luck of a seed",
        "coverage: main",
        "interactions",
        "resampled seeds",
        "verdicts right",
    ):
        table.add_column(column)
    every = Tally()
    for problems, samples, seeds, luck in (
        (48, 1, 1, 0.0),
        (200, 1, 1, 0.2),
        (500, 3, 1, 0.2),
        (200, 1, 2, 0.0),
        (200, 1, 2, 0.2),
        (500, 3, 2, 0.2),
        (48, 1, 3, 0.2),
        (200, 1, 3, 0.0),
        (200, 1, 3, 0.2),
        (500, 3, 3, 0.2),
        (500, 3, 5, 0.2),
    ):
        world = World(KNOWN, luck, problems, 2, seeds, samples)
        tally = studies(world, options.repeats, random, plain=seeds > 1)
        every.main += tally.main
        every.pairs += tally.pairs
        every.right, every.decided = every.right + tally.right, every.decided + tally.decided
        table.add_row(
            f"2 x {problems} x {samples}",
            str(seeds),
            f"{luck:g} logits",
            share(tally.main),
            share(tally.pairs),
            share(tally.plain),
            f"{share(tally.right, tally.decided)} of {tally.decided}",
        )
    table.add_row(
        "all",
        "",
        "",
        share(every.main),
        share(every.pairs),
        "",
        f"{share(every.right, every.decided)} of {every.decided}",
    )
    console.print(table)

    table = Table(title="False verdicts where nothing has an effect, and how often a known effect is seen")
    for column in (
        "problems x samples",
        "seeds",
        "luck",
        "false families",
        "length +6",
        "data +10",
        "both +8",
    ):
        table.add_column(column)
    for problems, samples, seeds, luck in ((200, 1, 1, 0.2), (200, 1, 3, 0.2), (500, 3, 3, 0.2)):
        null = studies(
            World(NULL, luck if seeds > 1 else 0.0, problems, 2, seeds, samples), options.repeats, random
        )
        known = studies(World(KNOWN, luck, problems, 2, seeds, samples), options.repeats, random)
        table.add_row(
            f"2 x {problems} x {samples}",
            str(seeds),
            f"0 and {luck:g}" if seeds == 1 else f"{luck:g}",
            share(null.wrong, options.repeats),
            *(share(known.found.get(axes, 0), options.repeats) for axes in KNOWN),
        )
    console.print(table)


if __name__ == "__main__":
    main()
