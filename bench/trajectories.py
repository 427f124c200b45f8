"""Verdicts on curves whose truth is known: how often right, how wide, and when undecided.

    python bench/trajectories.py [--repeats 80] [--seed 0]

A problem is answered rightly with probability sigmoid(a_t + 2 z + 0.7 e_t): z is its difficulty, the same at
every step, e_t what a step changes about it alone, and a_t such that the expected score over all problems is
the shape's (by Gauss-Hermite quadrature). A verdict is right when all it states is true of the expected
scores. Intervals are at 95 %. Takes five minutes on one core with --repeats 40.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from rsft.analysis.bootstrap import Bootstrap
from rsft.analysis.power import Condition, Power
from rsft.analysis.trajectory import (
    Curve,
    Trajectory,
    controlled,
    trajectory,
)
from rsft.analysis.verdicts import MARGIN, verdict_conditions

Array = npt.NDArray[np.float64]

CONDITIONS: dict[str, tuple[Condition, ...]] = {str(v): c for v, c in verdict_conditions(9).items()}
STEPS = (0, 10, 20, 40, 80, 160, 320, 480, 640)
DIFFICULTY, OWN = 2.0, 0.7
"""Spread of difficulty, and of what one step changes about one problem, in logits."""

SHAPES: dict[str, tuple[float, ...]] = {
    "no change": (0.5,) * 9,
    "dip and recovery": (0.50, 0.44, 0.40, 0.46, 0.52, 0.56, 0.60, 0.61, 0.61),
    "dip, not recovered": (0.59, 0.55, 0.52, 0.43, 0.46, 0.47, 0.50, 0.51, 0.51),
    "monotone gain": (0.40, 0.42, 0.45, 0.49, 0.53, 0.57, 0.60, 0.61, 0.61),
    "decline": (0.55, 0.53, 0.50, 0.48, 0.46, 0.44, 0.43, 0.43, 0.43),
    "gain, then loss": (0.40, 0.45, 0.52, 0.58, 0.62, 0.60, 0.56, 0.53, 0.51),
}
"""Expected scores at STEPS, under the verdict that is true of them."""


@dataclass(frozen=True)
class World:
    """Problems without end, and what a checkpoint scores on them."""

    shape: tuple[float, ...]

    @property
    def offsets(self) -> Array:
        """(steps,) logits that give the shape's expected scores."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
        spread = np.hypot(DIFFICULTY, OWN) * nodes
        found = []
        for target in self.shape:
            low, high = -12.0, 12.0
            for _ in range(50):
                middle = (low + high) / 2
                mean = float(weights @ (1 / (1 + np.exp(-middle - spread))) / weights.sum())
                low, high = (middle, high) if mean < target else (low, middle)
            found.append((low + high) / 2)
        return np.array(found)

    def curve(self, problems: int, samples: int, random: np.random.Generator) -> Curve:
        """One study of it."""
        shape = (len(self.shape), problems)
        logits = DIFFICULTY * random.standard_normal(problems) + OWN * random.standard_normal(shape)
        chance = 1 / (1 + np.exp(-logits - self.offsets[:, None]))
        scores = random.binomial(samples, chance) / samples
        return Curve(steps=STEPS[: len(self.shape)], scores=scores, samples=samples)


LARGEST = ("dip", "best", "recovered", "fall")


def largest(expected: Array) -> dict[str, float]:
    """The true values of the numbers that are the largest of several differences, by their names."""
    falls = [expected[i] - expected[i + 1 :].min() for i in range(len(expected) - 1)]
    return {
        "dip": float(expected[0] - expected[1:].min()),
        "best": float(expected[1:].max() - expected[0]),
        "recovered": max(0.0, float(expected[-1] - expected[1:-1].min())),
        "fall": float(max(falls)),
    }


def is_true(verdict: str, expected: Array) -> bool:
    """Whether what a verdict states holds of expected scores, in its own words and not the package's."""
    base, end, trained = expected[0], expected[-1], expected[1:]
    fall = max(float((expected[i] - expected[i:]).max()) for i in range(len(expected)))
    no_dip = bool(trained.min() > base - MARGIN)
    return {
        "no change": no_dip and bool(trained.max() < base + MARGIN),
        "dip, not recovered": bool(trained.min() < end < base),
        "decline": bool(end < base and trained.min() > end - 2 * MARGIN),
        "dip and recovery": bool(trained.min() < min(base, end) and end > base - MARGIN),
        "monotone gain": no_dip and bool(end > base) and fall < 2 * MARGIN,
        "gain, then loss": no_dip and bool(trained.max() > max(base, end)),
        "loss, shape open": bool(end < base),
        "gain, shape open": bool(end > base),
        "dip, end open": bool(trained.min() < base),
        "rise, end open": bool(trained.max() > base),
        "undecided": True,
    }[verdict]


def studies(
    shape: tuple[float, ...], problems: int, samples: int, repeats: int, random: np.random.Generator
) -> list[Trajectory]:
    world = World(shape)
    return [
        trajectory(world.curve(problems, samples, random), seed=int(random.integers(2**31)))
        for _ in range(repeats)
    ]


def families(
    names: Sequence[str], problems: int, samples: int, repeats: int, random: np.random.Generator
) -> tuple[int, Counter[str], int]:
    """Families with a curve of each named shape under Holm's control: how many hold a wrong verdict, which
    ones are given to curves that change, and of how many of these a shape."""
    worlds, wrong, given, shaped = (
        [(World(SHAPES[n]), np.array(SHAPES[n])) for n in names],
        0,
        Counter[str](),
        0,
    )
    for _ in range(repeats):
        curves = [world.curve(problems, samples, random) for world, _ in worlds]
        found = controlled([trajectory(one, seed=int(random.integers(2**31))) for one in curves])
        wrong += not all(is_true(one.verdict, truth) for one, (_, truth) in zip(found, worlds, strict=True))
        changing = [one for one, name in zip(found, names, strict=True) if name != "no change"]
        given.update(one.verdict for one in changing)
        shaped += sum(one.verdict in SHAPES for one in changing)
    return wrong, given, shaped


def random_shape(random: np.random.Generator) -> tuple[float, ...]:
    """A base anywhere from 0.25 to 0.75, a dip of up to 20 points anywhere, an end from -15 to +20."""
    base, depth, end = random.uniform(0.25, 0.75), random.uniform(0, 0.2), random.uniform(-0.15, 0.2)
    center, width = random.uniform(0.1, 0.7), random.uniform(0.1, 0.3)
    at = np.linspace(0, 1, len(STEPS))
    change = end * at - depth * np.exp(-(((at - center) / width) ** 2)) * (at > 0)
    return tuple(np.clip(base + change, 0.02, 0.98))


@dataclass
class Tally:
    """Counts over all shapes and sizes."""

    studies: int = 0
    decided: int = 0
    right: int = 0
    inside: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    hits_decided: Counter[str] = field(default_factory=Counter)

    @property
    def gains(self) -> int:
        return self.studies * (len(STEPS) - 1)

    def add(self, studies: int, decided: int, right: int, inside: int, hits: dict[str, int]) -> None:
        self.studies += studies
        self.decided += decided
        self.right += right
        self.inside += inside
        self.hits.update(hits)


def share(some: int, of: int) -> str:
    return f"{100 * some / of:.1f} %" if of else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, console = np.random.default_rng(options.seed), Console(width=130)
    kept = Tally()

    table = Table(title=f"{options.repeats} studies of each shape; coverage of 95 % intervals")
    for column in (
        "truth",
        "problems x samples",
        "decided",
        "right",
        "dips seen",
        *("gains", "final", "area", *LARGEST),
    ):
        table.add_column(column)
    for name, shape in SHAPES.items():
        expected = np.array(shape)
        for problems, samples in ((30, 1), (500, 1), (500, 3)):
            found = studies(shape, problems, samples, options.repeats, random)
            decided = [one for one in found if one.verdict != "undecided"]
            right_here = sum(is_true(one.verdict, expected) for one in decided)
            log = np.log2(1.0 + np.array(STEPS))
            truths = {
                "final": expected[-1] - expected[0],
                "area": np.trapezoid(expected - expected[0], log) / log[-1],
            } | largest(expected)
            hits, hits_decided = (
                {
                    key: sum(getattr(one, key).low <= truth <= getattr(one, key).high for one in some)
                    for key, truth in truths.items()
                }
                for some in (found, decided)
            )
            inside = sum(
                gain.low <= truth <= gain.high
                for one in found
                for gain, truth in zip(one.gains, expected[1:] - expected[0], strict=True)
            )
            table.add_row(
                name,
                f"{problems} x {samples}",
                share(len(decided), len(found)),
                share(right_here, len(decided)),
                share(sum(one.dip.low > 0 for one in found), len(found)),
                share(inside, len(found) * (len(STEPS) - 1)),
                *(share(hit, len(found)) for hit in hits.values()),
            )
            kept.add(len(found), len(decided), right_here, inside, hits)
            kept.hits_decided.update(hits_decided)
    console.print(table)

    right, decided_all = Counter[str](), Counter[str]()
    for _ in range(options.repeats):
        shape = random_shape(random)
        (one,) = studies(shape, int(random.choice([100, 300, 1000])), int(random.choice([1, 3])), 1, random)
        decided_all[one.verdict] += 1
        right[one.verdict] += is_true(one.verdict, np.array(shape))
    table = Table(title=f"{options.repeats} studies of random shapes, 100 to 1,000 problems x 1 or 3")
    for column in ("verdict", "given", "right"):
        table.add_column(column)
    for verdict, given in decided_all.most_common():
        table.add_row(verdict, str(given), "" if verdict == "undecided" else share(right[verdict], given))
    decided_sum = sum(n for v, n in decided_all.items() if v != "undecided")
    right_sum = sum(n for v, n in right.items() if v != "undecided")
    table.add_row("all decided", str(decided_sum), share(right_sum, decided_sum))
    console.print(table)

    many = options.repeats // 2
    table = Table(title=f"{many} families of 56 curves, verdicts corrected for all of them")
    for column in ("changing", "problems x samples", "families with a wrong one", "changing: shape", "open"):
        table.add_column(column)
    for changing in (0, 16):
        names = ["no change"] * (56 - changing) + [list(SHAPES)[1 + i % 5] for i in range(changing)]
        for problems, samples in ((48, 1), (100, 1), (500, 3)):
            wrong, given, shaped = families(names, problems, samples, many, random)
            opened = given.total() - shaped - given["undecided"]
            table.add_row(
                str(changing),
                f"{problems} x {samples}",
                share(wrong, many),
                share(shaped, given.total()),
                share(opened, given.total()),
            )
    console.print(table)

    null = studies(SHAPES["no change"], 100, 1, 20 * many, random)
    seen = sum(one.dip.low > 0 for one in null)
    console.print(
        f"{len(null)} curves without change, 100 x 1: a dip is seen in {share(seen, len(null))}.\n"
        f"All shapes and sizes: {share(kept.right, kept.decided)} of {kept.decided} verdicts right; coverage "
        f"of gains {share(kept.inside, kept.gains)}.\nCoverage of all, and where decided: "
        + ", ".join(
            f"{name} {share(kept.hits[name], kept.studies)} and {share(hit, kept.decided)}"
            for name, hit in kept.hits_decided.items()
        )
        + "."
    )

    table = Table(title="Power: what is foretold of a shape, and what studies of that size then say")
    for column in ("verdict", "problems x samples", "foretold", "found"):
        table.add_column(column)
    for name, shape in SHAPES.items():
        power = foresight(name, shape, random)
        for problems, samples in ((150, 2), (300, 2), (600, 2), (300, 8), (2_400, 2)):
            foretold = power.chance(problems, samples)
            if 0.1 < foretold < 0.97:
                found = studies(shape, problems, samples, options.repeats, random)
                hit = sum(one.verdict == name for one in found)
                table.add_row(
                    name, f"{problems} x {samples}", f"{100 * foretold:.0f} %", share(hit, len(found))
                )
    console.print(table)


def foresight(verdict: str, shape: tuple[float, ...], random: np.random.Generator) -> Power:
    """The power calculation, from a study so large that it knows the truth."""
    curve = World(shape).curve(20_000, 2, random)
    return Power(Bootstrap(curve.scores, seed=1), CONDITIONS[verdict], curve.luck, 2)


if __name__ == "__main__":
    main()
