"""Gain over the base by dimension: what dips, and whether it comes back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rsft.analysis.references import References
from rsft.analysis.trajectory import Trajectories
from rsft.report.curves import Curve, steps_of
from rsft.report.drawing import Drawing, drawn_as
from rsft.report.look import Look, shortened
from rsft.report.panels import draw_curves, panel_grid, share_y
from rsft.report.results import Results, TrialAxes

PER_ROW = 5
BANDS = 4
"""Curves in a panel up to which each has a band; more of them would hide one another."""
NAME_LONG = 26

Steps = dict[int, tuple[float, float]]
"""Step -> mean gain, and half of its 95% interval."""


def dimension_figure(
    results: Results, trajectories: Trajectories, references: References | None = None
) -> Drawing | None:
    """A row of panels per dimension, a panel per base; None where no curve has a trained step.

    Args:
        results: of the table of cells.
        trajectories: by trial and benchmark; their gains are paired by problem.
        references: published scores of trials.
    """
    names: dict[str, list[str]] = {}
    for column in results.columns:
        names.setdefault(column.dimension, []).append(column.benchmark)
    found = {dimension: gains(results, of, trajectories) for dimension, of in names.items()}
    shown = [dimension for dimension in names if found[dimension]]
    if not shown:
        return None
    said = {dimension: published_gains(results, names[dimension], references or {}) for dimension in shown}
    look, bands = Look.of(results.trials), math.ceil(len(results.bases) / PER_ROW)
    columns = math.ceil(len(results.bases) / bands)
    file = "dimensions.svg"
    with drawn_as(file, **{"axes.titleweight": "normal"}):
        tops = [0.55, *[0.3] * (len(shown) - 1), *[0.8, *[0.3] * (len(shown) - 1)] * (bands - 1)]
        figure, grid = panel_grid(
            tops, columns, panel_in=1.3, head_in=look.legend_in, narrow=True, foot_in=0.2
        )
        for i in range(bands * columns):
            base = results.bases[i] if i < len(results.bases) else None
            for j, dimension in enumerate(shown):
                panel = grid[i // columns * len(shown) + j][i % columns]
                if base is None:
                    panel.remove()
                    continue
                mine = [curve for curve in found[dimension] if curve.base == base]
                title = shortened(base, NAME_LONG) if j == 0 else ""
                steps = steps_of(curve for one in shown for curve in found[one])
                draw_curves(panel, mine, look, steps=steps, scale=100, title=title, small=True)
                for curve in mine if len(mine) <= BANDS else ():
                    at, value, half = zip(*curve.points, strict=True)
                    low, high = (
                        [min(100, max(-100, 100 * (v + s * h))) for v, h in zip(value, half, strict=True)]
                        for s in (-1, 1)
                    )
                    colour = look.line(curve.variant, curve.length)["color"]
                    panel.fill_between(at, low, high, color=colour, alpha=0.13, lw=0)
                for curve in [one for one in said[dimension] if one.base == base]:
                    at, value, _ = zip(*curve.points, strict=True)
                    colour = look.line(curve.variant, curve.length)["color"]
                    panel.plot(at, [100 * v for v in value], "D", color=colour, ms=3.8, mfc="white", mew=0.8)
                share_y([panel], [*found[dimension], *said[dimension]], scale=100, lowest=-100)
                panel.tick_params(labelleft=i % columns == 0, labelbottom=j == len(shown) - 1)
                if i % columns == 0:
                    place = panel.get_position()
                    above = (0.3 if j == 0 else 0.08) / figure.get_figheight()
                    figure.text(0.005, place.y1 + above, f"{dimension} (points)", weight="bold", size=9.5)
                if j == len(shown) - 1:
                    panel.set_xlabel("optimizer step")
        look.legend(figure, base=True)
        caption = (
            "Mean gain over the untrained base (dashed), all benchmarks of a dimension alike, at steps where "
            f"all are evaluated; bands are 95% intervals, paired by problem, where a panel has up to {BANDS} "
            "curves."
        )
        caption += " Open diamonds: published." if any(said.values()) else ""
        return Drawing.of(figure, file=file, title="Dip and recovery by dimension", caption=caption)


def gains(results: Results, benchmarks: Sequence[str], trajectories: Trajectories) -> list[Curve]:
    """Mean gain over benchmarks, one curve per base, variant and length, means over seeds.

    Intervals of benchmarks are independent. Of seeds, which answered the same problems, the wider counts:
    their mean interval, or what they differ by.
    """
    families: dict[tuple[str, str, str], list[Steps]] = {}
    for axes in results.trials:
        steps = _of_trial(results, axes, benchmarks, trajectories)
        if len(steps) > 1:
            families.setdefault((axes.base, axes.variant, axes.length), []).append(steps)
    return [
        Curve(
            base=base,
            variant=variant,
            length=length,
            points=tuple(
                (step, *_over_seeds([one[step] for one in seeds if step in one]))
                for step in sorted(set().union(*seeds))
            ),
        )
        for (base, variant, length), seeds in families.items()
    ]


def _of_trial(
    results: Results, axes: TrialAxes, benchmarks: Sequence[str], trajectories: Trajectories
) -> Steps:
    """At the base and at each step that all benchmarks of the base have."""
    asked = [name for name in benchmarks if 0 in results.of(axes.trial, name)]
    by_step: dict[int, list[tuple[float, float]]] = {}
    for name in asked:
        if (known := trajectories.get((axes.trial, name))) is not None:
            for step, gain in zip(known.steps[1:], known.gains, strict=True):
                by_step.setdefault(step, []).append((gain.value, (gain.high - gain.low) / 2))
    whole = {step: pairs for step, pairs in by_step.items() if len(pairs) == len(asked)}
    found = {
        step: (sum(value for value, _ in pairs) / len(pairs), math.hypot(*(h for _, h in pairs)) / len(pairs))
        for step, pairs in whole.items()
    }
    return {0: (0.0, 0.0), **found}


def _over_seeds(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    count = len(pairs)
    mean, own = (sum(each) / count for each in zip(*pairs, strict=True))
    if count == 1:
        return mean, own
    spread = math.sqrt(sum((value - mean) ** 2 for value, _ in pairs) / (count - 1) / count)
    return mean, max(own, 1.96 * spread)


def published_gains(results: Results, benchmarks: Sequence[str], references: References) -> list[Curve]:
    """The same of published scores, at steps where every benchmark has one."""
    found: dict[tuple[str, str, str], Curve] = {}
    for axes in results.trials:
        known = [references.get((axes.trial, name), {}) for name in benchmarks]
        steps = sorted(set.intersection(*(set(one) for one in known)))
        if len(steps) > 1 and steps[0] == 0:
            points = tuple(
                (step, sum(one[step] - one[0] for one in known) / len(known), 0.0) for step in steps
            )
            key = (axes.base, axes.variant, axes.length)
            found[key] = Curve(base=axes.base, variant=axes.variant, length=axes.length, points=points)
    return list(found.values())
