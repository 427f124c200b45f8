"""What a sweep leaves behind: the tidy table, the report, the tracker's copy. From storage alone."""

from __future__ import annotations

from typing import Any

from rsft import layout
from rsft.analysis.table import ScoredCell, cells_table
from rsft.report.page import ReportFacts, write_report
from rsft.sweep.conclusions import answers, together, trajectories
from rsft.sweep.evaluate import checkpoint, scored_cells
from rsft.sweep.overlap import overlaps
from rsft.sweep.plan import Plan, status
from rsft.tracking.tracker import Tracker

SHOWN_FLAGS = 50
"""Overlaps of rows with benchmarks that the report lists; the file in the storage has them all."""


def write_results(plan: Plan, tracker: Tracker) -> dict[str, Any]:
    """Writes table and report, tells the tracker, and returns the status."""
    scored = list(scored_cells(plan))
    write_tables_and_report(plan, scored)
    return tell(plan, scored, tracker)


def write_tables_and_report(plan: Plan, scored: list[ScoredCell]) -> str:
    """Writes tables/cells.parquet and report/; returns the place of the page."""
    table = cells_table(scored)
    plan.storage.write_table(layout.CELLS, table)
    certificates: dict[str, dict[str, Any]] = {}
    training: dict[str, list[dict[str, Any]]] = {}
    for trial in plan.trials:
        training[trial.id] = plan.storage.read_lines(layout.train_log(layout.trial(trial.id)))
        record = plan.storage.read_json_or_none(layout.trial_record(trial.id))
        if record is not None:
            name = record["prepared"]
            certificates[name] = plan.storage.read_json(layout.certificate(name, "json"))
    for name, flags in overlaps(plan).items():
        said = [f"{f['row']} holds {f['benchmark']} {f['problem']} ({f['kind']})" for f in flags]
        more = [f"and {len(said) - SHOWN_FLAGS} more"] if len(said) > SHOWN_FLAGS else []
        found = "; ".join(said[:SHOWN_FLAGS] + more) or "none"
        certificates[name]["summary"].append(("Rows that hold benchmark problems", found))
    curves = trajectories(plan)
    facts = ReportFacts(
        answers=answers(plan, table, curves),
        trajectories=together(curves),
        sweep=plan.storage.read_json(layout.SWEEP),
        cells=table.to_pandas(),
        status=status(plan),
        training=training,
        certificates=certificates,
    )
    return write_report(plan.storage, facts)


def tell(plan: Plan, scored: list[ScoredCell], tracker: Tracker) -> dict[str, Any]:
    """Gives the tracker everything it may not have yet; repeated facts add nothing."""
    for trial in plan.trials:
        tracker.training(trial.id, plan.storage.read_lines(layout.train_log(layout.trial(trial.id))))
    for cell in scored:
        record = checkpoint(plan, cell.trial, cell.step)
        tracker.cell(cell.trial.id, record, cell.benchmark, cell.estimates)
    after = status(plan)
    open_cells = {failure["trial"] for failure in after["failures"]}
    for trial in plan.trials:
        state = plan.trial_state(trial)
        finished = all(plan.cell_state(cell) == "done" for cell in plan.cells(trial))
        failed = state == "failed" or trial.id in open_cells
        tracker.finish_trial(trial.id, "failed" if failed else "done" if finished else "open")
    if plan.storage.is_local:
        tracker.report(plan.storage.path(layout.REPORT))
    return after
