"""Where two judges, or a judge and a person, have judged the same responses: how far they agree."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rsft.report.exports import Table
from rsft.report.tables import DASH
from rsft.scoring.agreement import Agreement


def judges_table(found: Mapping[tuple[str, str, str], Agreement]) -> Table | None:
    """A row per rubric and pair of judges (`rsft.sweep.judges.agreements`); None where nobody has judged."""
    if not found:
        return None
    return Table(
        name="judges",
        about="How far two judges, or a judge and a person, agree on the same responses: the share of "
        "verdicts that are the same, good or not, and Cohen's kappa, agreement beyond chance, both with "
        "intervals of 95%. People label what rsft label draws for them.",
        head=("rubric", "judge", "other judge", "responses", "agree", "kappa", "only one", "only the other"),
        rows=[_row(*names, both) for names, both in sorted(found.items())],
    )


def _row(rubric: str, one: str, other: str, both: Agreement) -> tuple[str, ...]:
    if not both.items:
        return rubric, one, "nobody yet", "0", DASH, DASH, DASH, DASH
    low, high = both.accuracy_interval
    least, most = both.kappa_interval
    return (
        *(rubric, one, other),
        f"{both.items:,}",
        f"{100 * both.accuracy:.0f}% ({100 * low:.0f} to {100 * high:.0f})",
        DASH if math.isnan(both.kappa) else f"{both.kappa:.2f} ({least:.2f} to {most:.2f})",
        f"{both.false_negative:,} good",
        f"{both.false_positive:,} good",
    )
