"""Where two judges have judged the same responses: how far they agree, as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rsft.report.exports import Table
from rsft.report.tables import DASH
from rsft.scoring.agreement import Agreement, wilson


def judges_table(found: Mapping[tuple[str, str, str], Agreement]) -> Table | None:
    """A row per rubric and pair of judges; None where no two have judged the same."""
    if not found:
        return None
    return Table(
        name="judges",
        about="How far two judges agree on the same responses: the share of verdicts that are the same, good "
        "or not, with Wilson's interval of 95%, and Cohen's kappa, agreement beyond chance.",
        head=("rubric", "judge", "other judge", "responses", "agree", "kappa", "only one", "only the other"),
        rows=[_row(rubric, one, other, both) for (rubric, one, other), both in sorted(found.items())],
    )


def _row(rubric: str, one: str, other: str, both: Agreement) -> tuple[str, ...]:
    low, high = wilson(both.true_positive + both.true_negative, both.items)
    return (
        *(rubric, one, other),
        f"{both.items:,}",
        f"{100 * both.accuracy:.0f}% ({100 * low:.0f} to {100 * high:.0f})",
        DASH if math.isnan(both.kappa) else f"{both.kappa:.2f}",
        f"{both.false_negative:,} good",
        f"{both.false_positive:,} good",
    )
