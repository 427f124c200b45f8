"""Which trained checkpoints to compare for an effect: they differ in one axis or two, and in nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

Setting = frozenset[tuple[str, str]]
"""Pairs of axis and level, one for each axis."""
Steps = tuple[tuple[str, str], ...]
"""Of one axis, or of two, the level and its reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A trained checkpoint and where it stands. Arms of equal levels are seeds of one setting."""

    trial: str
    step: int
    weights: str
    """Whose weights these are: trials that share a trunk share some."""
    origin: str
    """The same of its untrained base."""
    levels: Mapping[str, str]
    """Axis -> level; axes that are not asked about must agree in a comparison too."""

    @property
    def setting(self) -> Setting:
        return frozenset(self.levels.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A main effect, or an interaction of two axes."""

    axes: tuple[str, ...]
    levels: Steps
    weights: Mapping[Setting, float]
    """They sum to 0."""
    places: int
    """Settings of the other axes that it is averaged over."""


def contrasts(
    settings: Sequence[Setting], axes: Sequence[str], order: Mapping[str, Sequence[str]]
) -> Iterator[Contrast]:
    """Main effects of each axis, then interactions of each two, as far as the settings allow.

    A main effect is a level minus the axis's reference, averaged over all settings of the other axes that
    exist at both; an interaction is the difference of such differences, where all four exist.

    Args:
        settings: that there are; all name the same axes.
        axes: asked about.
        order: the levels of each axis; the first is the reference.
    """
    there = set(settings)
    for asked in (*((axis,) for axis in axes), *combinations(axes, 2)):
        places = dict.fromkeys(frozenset(pair for pair in one if pair[0] not in asked) for one in settings)
        for levels in product(*([(one, order[axis][0]) for one in order[axis][1:]] for axis in asked)):
            weights: defaultdict[Setting, float] = defaultdict(float)
            count = 0
            for place in places:
                corners = _corners(place, asked, levels)
                if corners.keys() <= there:
                    count += 1
                    for setting, sign in corners.items():
                        weights[setting] += sign
            if count:
                shares = {setting: weight / count for setting, weight in weights.items()}
                yield Contrast(axes=asked, levels=levels, weights=shares, places=count)


def _corners(place: Setting, axes: Sequence[str], levels: Steps) -> dict[Setting, float]:
    """Settings at a place, with the sign that each has: a reference turns it around."""
    found: dict[Setting, float] = {place: 1.0}
    for axis, (level, reference) in zip(axes, levels, strict=True):
        found = {
            setting | {(axis, value)}: sign * side
            for setting, sign in found.items()
            for value, side in ((level, 1.0), (reference, -1.0))
        }
    return found
