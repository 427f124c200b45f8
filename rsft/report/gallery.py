"""All figures of a report, drawn on all cores where the report is large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rsft.cores import begun
from rsft.report.claim_figures import claim_figures
from rsft.report.dimensions import dimension_figure
from rsft.report.drawing import Drawing
from rsft.report.facts import ReportFacts
from rsft.report.figures import (
    heldout_figures,
    length_figure,
    loss_figure,
    score_figures,
    truncation_figure,
)
from rsft.report.forest import effect_figures
from rsft.report.heatmap import gain_map
from rsft.report.procedures import ProcedureSection
from rsft.report.scaling import scaling_figure
from rsft.report.shown import Shown
from rsft.report.tradeoff import asymmetry_figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All drawings, by section of the page."""

    claims: Mapping[str, Drawing]
    """By name of the claim."""
    dimensions: Drawing | None
    scores: Sequence[Drawing]
    gains: Drawing | None
    effects: Sequence[Drawing]
    scaling: Drawing | None
    runs: Sequence[Drawing]
    """Truncation, length, loss."""
    asymmetry: Drawing | None
    procedures: Sequence[Drawing]

    def __iter__(self) -> Iterator[Drawing]:
        """In the order of the page."""
        every = [
            self.dimensions,
            self.gains,
            *self.scores,
            *self.effects,
            self.scaling,
            *self.runs,
            self.asymmetry,
        ]
        every += self.procedures
        return (drawing for drawing in (*self.claims.values(), *every) if drawing is not None)


def draw(shown: Shown, facts: ReportFacts, traces: ProcedureSection) -> Figures:
    """All that facts have something for."""
    results, drawn, listed = shown.results, shown.drawn, shown.listed
    trials, rows = ({axes.trial for axes in some.trials} for some in (drawn, listed))
    shapes = {key: found for key, found in facts.trajectories.items() if key[0] in rows}
    curved = {key: found for key, found in facts.trajectories.items() if key[0] in trials}
    points = [point for point in facts.asymmetry if point.trial in trials]
    # What is made of all results, too many to send, is drawn here meanwhile.
    scores, effects = begun(
        [partial(score_figures, drawn, facts.references), partial(effect_figures, facts.effects)]
    )
    one_each: list[Callable[[], Drawing | None]] = [
        partial(dimension_figure, drawn, curved, facts.references),
        partial(gain_map, listed, shapes),
        partial(truncation_figure, drawn),
        partial(length_figure, drawn),
        partial(asymmetry_figure, drawn, points),
    ]
    dimensions, gains, truncation, lengths, asymmetry = begun(one_each)
    claims = claim_figures(results, facts.answers, facts.published, facts.references, facts.trajectories)
    scaling = scaling_figure(results, facts.parameters, facts.trajectories)
    logs = {trial: facts.training[trial] for trial in shown.logs(facts.training)}
    loss, heldout = loss_figure(drawn, logs), heldout_figures(drawn, logs)
    return Figures(
        claims=claims,
        dimensions=dimensions(),
        scores=scores(),
        gains=gains(),
        effects=effects(),
        scaling=scaling,
        runs=[one for one in (truncation(), lengths(), loss, *heldout) if one is not None],
        asymmetry=asymmetry(),
        procedures=[one for one in (*traces.figures, traces.transfer_figure) if one is not None],
    )
