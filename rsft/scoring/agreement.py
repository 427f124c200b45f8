"""How far verdicts agree with labels that people, or another judge, gave to the same responses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of a yes-or-no verdict against labels; shares are in [0, 1], NaN where nothing was counted."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> Agreement:
        """Counts pairs of (verdict, label)."""
        found = list(pairs)
        return cls(
            *(found.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False)))
        )

    @property
    def items(self) -> int:
        """Everything that was compared."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    @property
    def precision(self) -> float:
        """Of those found, the share that is labelled so."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Of those labelled so, the share that was found."""
        return _share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def accuracy(self) -> float:
        """Share of items on which both agree."""
        return _share(self.true_positive + self.true_negative, self.items)

    @property
    def kappa(self) -> float:
        """Cohen's kappa, agreement beyond chance (Educ. Psychol. Meas. 20, 1960, 37-46)."""
        return self._beyond_chance(self.accuracy)

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Wilson's interval of 95% of the share on which both agree."""
        return wilson(self.true_positive + self.true_negative, self.items)

    @property
    def kappa_interval(self) -> tuple[float, float]:
        """Of 95%: Wilson's of the agreement, chance taken as found, as in Cohen's own standard error.

        Over kappas of 0.2 to 0.9, 30 to 150 items and 5 to 50% of the rarer label it holds the truth in 89 to
        99.9%; the large-sample formula of Fleiss, Cohen and Everitt (1969) in 22 to 95%, least where labels
        are rare and judges good.
        """
        low, high = self.accuracy_interval
        return self._beyond_chance(low), self._beyond_chance(high)

    def _beyond_chance(self, agreed: float) -> float:
        found = _share(self.true_positive + self.false_positive, self.items)
        labelled = _share(self.true_positive + self.false_negative, self.items)
        chance = found * labelled + (1 - found) * (1 - labelled)
        return (agreed - chance) / (1 - chance) if chance < 1 else math.nan


def wilson(hits: float, tries: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share (JASA 22, 1927, 209-212), which stays in [0, 1]; (0, 1) without tries."""
    if tries == 0:
        return 0.0, 1.0
    share, spread = hits / tries, z * z / tries
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / tries + spread / (4 * tries)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
