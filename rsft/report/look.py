"""How data variants and training lengths look, the same in every figure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rsft.report.results import TrialAxes

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers; the palette's yellow is left out, too pale on white."""
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 1.5, 1, 1.5)))
FILLS = ("full", "left", "top")
"""Of markers, when the colours begin again: half filled, not open, as published values are."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6b7280"
INK = "#1f2937"
GAIN, LOSS = OKABE_ITO[:2]
"""What goes up and what goes down, where no colour of a data variant is meant."""

WIDE_IN = 9.4
"""Of every figure, in inches, so that all have text of one size on the page."""


def shortened(text: str, most: int) -> str:
    """A label that is cut in its middle where it is longer: both ends tell names apart."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[len(text) - (most - most // 2 - 1) :]}"


@dataclass(frozen=True, slots=True)
class Look:
    """Colour by data variant, dash and marker by training length; the same in every figure."""

    variants: tuple[str, ...]
    lengths: tuple[str, ...]
    """The one of most trials first, of several the longest: it gets the solid line."""
    shortest_first: tuple[str, ...]
    """The same in another order, for the legend."""

    @classmethod
    def of(cls, trials: Iterable[TrialAxes]) -> Look:
        known = tuple(trials)
        steps = {axes.length: axes.length_steps for axes in known}
        count = Counter(axes.length for axes in known)
        return cls(
            tuple(dict.fromkeys(axes.variant for axes in known)),
            tuple(sorted(steps, key=lambda name: (-count[name], -steps[name], name))),
            tuple(sorted(steps, key=lambda name: (steps[name], name))),
        )

    def line(self, variant: str, length: str) -> dict[str, Any]:
        at = self.lengths.index(length)
        return self._colour(self.variants.index(variant)) | {
            "linestyle": DASHES[at % len(DASHES)],
            "marker": MARKERS[at % len(MARKERS)],
        }

    @staticmethod
    def _colour(at: int) -> dict[str, Any]:
        again, colour = divmod(at, len(OKABE_ITO))
        if not again:
            return {"color": OKABE_ITO[colour]}
        fill = {"fillstyle": FILLS[again % len(FILLS)], "markerfacecoloralt": "white"}
        return {"color": OKABE_ITO[colour]} | fill

    def legend(self, figure: Figure, *, base: bool, markers: bool = True) -> None:
        """Writes the legend into the head that `panel_grid` left free."""
        handles = [
            Line2D([], [], lw=4 if i < len(OKABE_ITO) else 1.4, label=variant, **self._colour(i) | mark)
            for i, variant in enumerate(self.variants)
            for mark in [{"marker": "o", "markersize": 7} if i >= len(OKABE_ITO) else {}]
        ]
        for length in self.shortest_first:
            line = self.line(self.variants[0], length) | {"color": GREY}
            if not markers:
                line["marker"] = ""
            handles.append(Line2D([], [], lw=1.4, markersize=4.5, label=length, **line))
        if base:
            handles.append(Line2D([], [], lw=1, ls="--", color=GREY, label="untrained base"))
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0, 1),
            ncols=self.legend_columns,
            handlelength=2.6,
            columnspacing=1.6,
            borderaxespad=0,
        )

    @property
    def legend_columns(self) -> int:
        """As many entries side by side as the longest label allows."""
        longest = max(map(len, (*self.variants, *self.lengths, "untrained base")), default=1)
        return max(1, int(WIDE_IN / (0.55 + 0.075 * longest)))

    @property
    def legend_in(self) -> float:
        """Height of the legend in inches."""
        entries = len(self.variants) + len(self.lengths) + 1
        return 0.1 + 0.19 * math.ceil(entries / self.legend_columns)
