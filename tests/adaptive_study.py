"""Studies whose truth is known, evaluated in full, adaptively, and thinned, for tests/test_adaptive.py and
bench/adaptive.py.

Each plan sees the same answers, as far as it asks them: sample k of a problem at a step is the same in all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from trajectories import DIFFICULTY, OWN, SHAPES, STEPS, World, is_true, random_shape

from rsft.analysis import adaptive
from rsft.analysis.adaptive import Aim, Place, Track
from rsft.analysis.trajectory import Curve, Trajectory, controlled, trajectory
from rsft.spec.claim import SHAPES as SHAPED

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """Curves of one page."""

    shapes: tuple[tuple[float, ...], ...]
    answers: npt.NDArray[np.bool_]
    """(curves, samples, steps, problems): whether an answer is right."""

    @classmethod
    def of(
        cls, shapes: Sequence[tuple[float, ...]], problems: int, samples: int, random: np.random.Generator
    ) -> Study:
        found = []
        for shape in shapes:
            size = (len(STEPS), problems)
            logits = DIFFICULTY * random.standard_normal(problems) + OWN * random.standard_normal(size)
            chance = 1 / (1 + np.exp(-logits - World(shape).offsets[:, None]))
            found.append(random.random((samples, *size)) < chance)
        return cls(tuple(shapes), np.array(found))

    @property
    def full(self) -> int:
        """Answers of the fixed plan."""
        return int(self.answers.size)

    def curve(self, number: int, samples: dict[int, int], problems: int | None = None) -> Curve:
        """Of some steps, each with so many samples."""
        asked = self.answers[number, :, :, :problems]
        steps = sorted(samples)
        scores = np.array([asked[: samples[step], STEPS.index(step)].mean(0) for step in steps])
        return Curve(steps=tuple(steps), scores=scores, samples=min(samples.values()))


@dataclass(frozen=True)
class Result:
    """What a plan says of a study."""

    verdicts: tuple[str, ...]
    answers: int

    def false(self, study: Study) -> int:
        """Verdicts that are not true of the expected scores at all steps."""
        pairs = zip(self.verdicts, study.shapes, strict=True)
        return sum(not is_true(verdict, np.array(shape)) for verdict, shape in pairs)

    @property
    def decided(self) -> int:
        return sum(verdict in SHAPED for verdict in self.verdicts)

    def agrees(self, other: Result) -> int:
        """Curves that both decide in the same way."""
        pairs = zip(self.verdicts, other.verdicts, strict=True)
        return sum(one == two and one in SHAPED for one, two in pairs)


def page_of(random: np.random.Generator, more: int = 6) -> list[tuple[float, ...]]:
    """Every shape once, and random ones."""
    return [*SHAPES.values(), *(random_shape(random) for _ in range(more))]


def in_full(study: Study, samples: int | None = None, problems: int | None = None) -> Result:
    """The fixed plan; or all its steps with fewer samples, or the first so many problems."""
    count = samples or study.answers.shape[1]
    every = dict.fromkeys(STEPS, count)
    found = [trajectory(study.curve(number, every, problems)) for number in range(len(study.shapes))]
    asked = len(study.shapes) * len(STEPS) * count * (problems or study.answers.shape[3])
    return Result(tuple(one.verdict for one in controlled(found)), asked)


def adaptively(study: Study, share: float) -> Result:
    """The rounds of rsft.sweep.adaptive, on verdicts, with a share of the fixed plan's answers."""
    _, full, _, problems = study.answers.shape
    tracks = [
        Track(steps=STEPS, cells=tuple(f"{number} {step}" for step in STEPS))
        for number in range(len(study.shapes))
    ]
    places = {
        cell: Place(cell=cell, problems=problems, full=full) for track in tracks for cell in track.cells
    }
    budget = int(share * study.full)

    def ask(wanted: dict[str, int]) -> None:
        places.update({cell: replace(places[cell], samples=count) for cell, count in wanted.items()})

    def spent() -> int:
        return sum(place.samples * place.problems for place in places.values())

    def look(last: bool) -> tuple[list[Trajectory], list[Aim]]:
        known = [
            study.curve(n, {s: m for s, c in zip(STEPS, t.cells, strict=True) if (m := places[c].samples)})
            for n, t in enumerate(tracks)
        ]
        chance = adaptive.chance(last=last)
        alone = [trajectory(curve) for curve in known]
        together = controlled(alone, 1 - chance)
        aims = [
            Aim(
                name=f"{n:03d}",
                rank=1,
                times=adaptive.times_of(alone[n], chance, len(alone)),
                track=replace(tracks[n], curve=known[n]),
            )
            for n, one in enumerate(together)
            if one.verdict not in SHAPED
        ]
        return together, aims

    ask(adaptive.first_round(tracks, places))
    start = spent()
    assert start <= budget
    for number in range(1, adaptive.ROUNDS + 1):
        _, aims = look(last=False)
        if not aims:
            break
        ask(adaptive.next_round(aims, places, adaptive.cap(start, budget, number) - spent()))
    assert spent() <= budget
    return Result(tuple(one.verdict for one in look(last=True)[0]), spent())
