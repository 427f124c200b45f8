"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from rsft.analysis.asymmetry import Point
from rsft.analysis.bootstrap import LEVEL
from rsft.analysis.claims import Answer
from rsft.analysis.effects import Effect
from rsft.analysis.references import Reading, References
from rsft.analysis.trajectory import Trajectory
from rsft.scoring.agreement import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """All that a report is made of."""

    sweep: Mapping[str, Any]
    """sweep.json: `spec`, and `provenance` with commit, packages, python, written_at."""
    cells: pd.DataFrame
    """The tidy table (`rsft.report.results.COLUMNS`); may be empty or partial."""
    status: Mapping[str, Any]
    """`trials` and `cells`, each with counts done, failed and open; `failures`, each with trial,
    what, kind, message and next."""
    training: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Rows of train.jsonl by trial id."""
    certificates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Manifests of prepared data by name."""
    answers: Sequence[Answer] = ()
    """To the claims of the sweep's page."""
    trajectories: Mapping[tuple[str, str], Trajectory] = field(default_factory=dict)
    """By trial id and benchmark."""
    effects: Sequence[Effect] = ()
    """Of the axes."""
    asymmetry: Sequence[Point] = ()
    """Checkpoints that were asked reasoning and safety."""
    parameters: Mapping[str, int] = field(default_factory=dict)
    """Number of weights by base, where they are known."""
    references: References = field(default_factory=dict)
    """Published scores of trials."""
    readings: Sequence[Reading] = ()
    """What we make of published curves."""
    published: Mapping[str, float] = field(default_factory=dict)
    """Published difference by name of the claim."""
    procedures: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The tidy table of `rsft.sweep.procedures`."""
    chance: float = 1 - LEVEL
    """Of even one wrong verdict, or wrong answer to a claim."""
    adaptive: Mapping[str, Any] | None = None
    """Of adaptive evaluation (`rsft.sweep.adaptive.summary`); None where the fixed plan was asked."""
    judges: Mapping[tuple[str, str, str], Agreement] = field(default_factory=dict)
    """Agreement by rubric and two judges."""
    regraded: Mapping[str, Any] | None = None
    """Of grading everything again: `at`, `cells`, `answers`, and `changed`, verdicts by benchmark."""
    browsed: int = 0
    """Trials whose answers samples.html, beside the page, has."""
