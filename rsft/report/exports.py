"""The report's tables as files: CSV for programs, Markdown for a pull request, LaTeX for a paper."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from pyarrow.csv import WriteOptions, write_csv

from rsft.analysis.asymmetry import Point
from rsft.analysis.bootstrap import Interval
from rsft.analysis.claims import Answer
from rsft.analysis.effects import Effect
from rsft.analysis.trajectory import Trajectory
from rsft.report.results import Results
from rsft.report.tables import DASH, Grid, GridCell, full_table

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        **{sign: f"{{{sign}}}" for sign in "[*"},  # else part of the row's end before them
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"$<$",
        ">": r"$>$",
        "|": r"$|$",
        "\N{MINUS SIGN}": "$-$",
        "±": r"$\pm$",
        "→": r"$\to$",
        "▲": r"$\uparrow$",
        "▼": r"$\downarrow$",
        "×": r"$\times$",
        "–": "--",
        "…": r"\ldots{}",
        "\N{NARROW NO-BREAK SPACE}": r"\,",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Text in rows and columns."""

    name: str
    """Of its files, without an ending."""
    about: str
    """What the numbers are, as sentences."""
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def files(self) -> Iterator[tuple[str, str]]:
        """File names and contents."""
        yield f"{self.name}.csv", self.csv
        yield f"{self.name}.md", self.markdown
        yield f"{self.name}.tex", self.latex

    @property
    def csv(self) -> str:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([self.head, *self.rows])
        return out.getvalue()

    @property
    def markdown(self) -> str:
        """No text breaks the table, or turns into HTML where it is rendered."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        table = "\n".join(f"| {' | '.join(map(plain, line))} |" for line in lines)
        return f"{plain(self.about)}\n\n{table}\n"

    @property
    def latex(self) -> str:
        """A tabular, for UTF-8 input."""
        lines = [" & ".join(map(_latex, line)) + r" \\" for line in (self.head, *self.rows)]
        return "\n".join(
            [
                f"% {' '.join(self.about.split())}",
                r"% Needs \usepackage{booktabs}.",
                rf"\begin{{tabular}}{{{'l' * len(self.head)}}}",
                r"\toprule",
                lines[0],
                r"\midrule",
                *lines[1:],
                r"\bottomrule",
                r"\end{tabular}",
                "",
            ]
        )


def plain(text: str) -> str:
    """Text that neither breaks a Markdown table nor turns into HTML where it is rendered."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _latex(text: str) -> str:
    return " ".join(text.split()).translate(_LATEX)


def frame_csv(frame: pd.DataFrame) -> bytes:
    """A frame as CSV; what is missing is empty. By Arrow, since pandas takes ten times as long."""
    out = pa.BufferOutputStream()
    options = WriteOptions(quoting_header="none")
    write_csv(pa.Table.from_pandas(frame, preserve_index=False), out, options)
    return bytes(out.getvalue())


def tables(
    results: Results,
    grid: Grid,
    *,
    answers: Sequence[Answer],
    published: Mapping[str, float],
    trajectories: Mapping[tuple[str, str], Trajectory],
    effects: Sequence[Effect],
    points: Sequence[Point],
) -> Iterator[Table]:
    """All that have rows."""
    found = [
        _scores(grid),
        _claims(answers, published),
        _verdicts(results, trajectories),
        _effects(effects),
        _asymmetry(points),
        *_steps(results),
    ]
    return (table for table in found if table.rows)


def _scores(grid: Grid) -> Table:
    return Table(
        name="scores",
        about="Score in per cent ± one standard error, untrained base → last evaluated step. ▲ ▼: the 95% "
        "interval of the change leaves out 0, paired by problem, each cell by itself.",
        head=[
            "base",
            "data",
            "length",
            "seed",
            *(f"{c.benchmark} ({c.dimension}, {c.size})" for c in grid.columns),
        ],
        rows=[
            [axes.base, axes.variant, axes.length, str(axes.seed), *map(_score, cells)]
            for axes, cells in grid.rows
        ],
    )


def _score(cell: GridCell | None) -> str:
    if cell is None:
        return DASH
    mark = {"up": "▲ ", "down": "▼ ", "same": ""}[cell.direction]
    change = f" {mark}{cell.change}" if cell.change else ""
    notes = f" ({'; '.join(cell.notes)})" if cell.notes else ""
    return f"{cell.base} → {cell.final}{change}{notes}"


def _interval(found: Interval | None, unit: str = "points") -> list[str]:
    """Value and ends, or dashes."""
    if found is None:
        return [DASH] * 3
    scale, digits = {"points": (100, 1), "tokens": (1, 1), "": (1, 2)}[unit]
    return [f"{scale * number:z.{digits}f}" for number in (found.value, found.low, found.high)]


def _claims(answers: Sequence[Answer], published: Mapping[str, float]) -> Table:
    return Table(
        name="claims",
        about="What the sweep was to find out, and what its data say, corrected for the number of claims; "
        "effects in the unit beside them with their 95% intervals.",
        head=[
            "claim",
            "says",
            "answer",
            "effect",
            "low",
            "high",
            "unit",
            "published",
            "p",
            "problems",
            "answers",
            "why",
            "curves not converged",
        ],
        rows=[
            [
                one.claim.name,
                one.claim.says,
                one.state,
                *_interval(one.effect, one.claim.unit),
                one.claim.unit or one.claim.metric,
                f"{100 * published[one.claim.name]:.1f}" if one.claim.name in published else DASH,
                f"{one.p:.2g}",
                str(one.problems),
                str(one.answers),
                one.why,
                str(one.moving),
            ]
            for one in answers
        ],
    )


def _verdicts(results: Results, trajectories: Mapping[tuple[str, str], Trajectory]) -> Table:
    numbers = ("dip", "final gain", "best gain", "area")
    return Table(
        name="verdicts",
        about="Shapes of the curves, corrected for their number; in points with 95% intervals. The area is "
        "the mean gain over log2(1 + step).",
        head=[
            *("base", "data", "length", "seed", "benchmark", "verdict", "p"),
            *(part for name in numbers for part in (name, f"{name} low", f"{name} high")),
            *(
                part
                for name in ("dip", "recovery")
                for part in (f"{name} step", f"earliest {name}", f"latest {name}")
            ),
            *("converged", "second rise", "overfitting", "in words"),
        ],
        rows=[
            [
                *(axes.base, axes.variant, axes.length, str(axes.seed), column.benchmark),
                *(found.verdict, f"{found.p:.2g}"),
                *(*_interval(found.dip), *_interval(found.final)),
                *(*_interval(found.best), *_interval(found.area)),
                *(*_steps_of(found.dip_step), *_steps_of(found.recovery_step)),
                *("yes" if one else "no" for one in (found.converged, found.second_rise, found.overfitting)),
                found.sentence,
            ]
            for axes in results.trials
            for column in results.columns
            if (found := trajectories.get((axes.trial, column.benchmark))) is not None
        ],
    )


def _steps_of(found: Interval | None) -> list[str]:
    """A step and where resamples put it, or dashes; `never` where some of them never come back."""
    if found is None:
        return [DASH] * 3
    return [
        f"{step:.0f}" if math.isfinite(step) else "never" for step in (found.value, found.low, found.high)
    ]


def _effects(effects: Sequence[Effect]) -> Table:
    return Table(
        name="effects",
        about="Differences in gain over the base, in points with their 95% intervals; p and verdict are "
        "corrected for all effects of a view.",
        head=[
            "view",
            "dimension",
            "axes",
            "effect",
            "points",
            "low",
            "high",
            "p",
            "verdict",
            "problems",
            "answers",
            "trials",
            "places",
            "seeds",
            "why",
        ],
        rows=[
            [
                *(one.view, one.dimension, " × ".join(one.axes), one.name, *_interval(one.effect)),
                *(f"{one.p:.2g}", one.verdict),
                *map(str, (one.problems, one.answers, one.trials, one.places, one.seeds)),
                one.why,
            ]
            for one in effects
        ],
    )


def _asymmetry(points: Sequence[Point]) -> Table:
    return Table(
        name="asymmetry",
        about="Each checkpoint against its base, in points with 95% intervals; refused is the share of "
        "harmless requests.",
        head=[
            "base",
            "data",
            "trial",
            "step",
            *("reasoning", "reasoning low", "reasoning high", "safety", "safety low", "safety high"),
            *("refused", "refused low", "refused high"),
            "Pareto front",
        ],
        rows=[
            [
                *(one.base, one.data, one.trial, str(one.step)),
                *(*_interval(one.reasoning), *_interval(one.safety), *_interval(one.refusal)),
                "yes" if one.pareto else "no",
            ]
            for one in points
        ],
    )


def _steps(results: Results) -> Iterator[Table]:
    """Every evaluated step, a table per benchmark."""
    taken = set[str]()
    for column in results.columns:
        slug = name = f"steps-{re.sub(r'[^A-Za-z0-9._-]+', '-', column.benchmark)[:80]}"
        count = 1
        while name in taken:
            count += 1
            name = f"{slug}-{count}"
        taken.add(name)
        yield Table(
            name=name,
            about=f"{column.benchmark}: every evaluated step, in per cent ± one standard error; tokens.",
            head=[
                "base",
                "data",
                "length",
                "seed",
                "step",
                "score",
                "interval",
                "finished",
                "cut",
                "no answer",
                "tokens",
                "problems",
                "answers",
            ],
            rows=[
                [axes.base, axes.variant, axes.length, str(axes.seed), *row]
                for axes, rows in full_table(results, column.benchmark)
                for row in rows
            ],
        )
