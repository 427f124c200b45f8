"""Who may draw which random problems.

Most reasoning-gym tasks make item `i` from `Random(seed + i)`. Two data sets with different seeds
therefore share items as soon as their ranges of `seed + i` overlap: seed 0 with 1,000 rows and seed 500
are half the same problems. So a seed here is never handed out alone, but as a block of a purpose.
"""

from __future__ import annotations

from typing import Literal

from rsft.errors import SpecError

Purpose = Literal["evaluation", "training", "pretraining"]

BLOCK = 1_000_000
"""Item seeds per (purpose, seed): also the largest generated data set."""

BLOCKS = 1_000
"""Seeds per purpose: 0 to 999."""

_FIRST: dict[Purpose, int] = {"evaluation": 0, "training": 10**9, "pretraining": 2 * 10**9}


def item_seeds(purpose: Purpose, seed: int, rows: int) -> range:
    """The item seeds of `rows` problems; disjoint for any two different (purpose, seed).

    Raises:
        SpecError: seed outside 0..999 or more rows than a block holds.
    """
    if not 0 <= seed < BLOCKS:
        raise SpecError(f"seed={seed} is outside 0..{BLOCKS - 1}; choose a seed in that range.")
    if not 0 < rows <= BLOCK:
        raise SpecError(f"rows={rows} is outside 1..{BLOCK:,}; a seed's block holds that many.")
    first = _FIRST[purpose] + seed * BLOCK
    return range(first, first + rows)
