"""What a sweep leaves behind: the tidy table, the report, the tracker's copy. From storage alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rsft import layout
from rsft.analysis.asymmetry import asymmetry
from rsft.analysis.references import claimed, readings, references
from rsft.analysis.table import ScoredCell, cells_table
from rsft.cores import shared
from rsft.report.facts import ReportFacts
from rsft.report.gallery import draw
from rsft.report.page import write_report
from rsft.sweep.adaptive import chance_of, summary
from rsft.sweep.conclusions import answers, together, trajectories_begun
from rsft.sweep.effects import axis_effects
from rsft.sweep.evaluate import checkpoint, scored_cells
from rsft.sweep.judges import agreements
from rsft.sweep.means import means_begun
from rsft.sweep.overlap import overlaps, prepared_names
from rsft.sweep.plan import Plan, status
from rsft.sweep.procedures import procedures_table
from rsft.sweep.samples import samples_begun
from rsft.tracking.tracker import Tracker

SHOWN_FLAGS = 50
"""Overlaps of rows with benchmarks that the report lists; the file in the storage has them all."""
MANY = 500
"""Trials from which other processes help throughout."""
HELPED = (means_begun, trajectories_begun, procedures_table, draw)


def write_results(plan: Plan, tracker: Tracker) -> dict[str, Any]:
    """Writes table and report, tells the tracker, and returns the status."""
    plan = plan.at_once(results=True)
    return tell(plan, write_tables_and_report(plan).scored, tracker)


class Written(NamedTuple):
    """What a report was made of, and where it is."""

    page: str
    scored: list[ScoredCell]


def write_tables_and_report(plan: Plan, samples: str = "") -> Written:
    """Writes tables/cells.parquet, tables/procedures.parquet and report/.

    `samples` is `samples_begun`'s `first`.
    """
    with shared(HELPED) if len(plan.trials) >= MANY else nullcontext():
        return _write(plan.at_once(results=True), samples)


def _write(plan: Plan, samples: str) -> Written:
    reading = means_begun(plan)
    scored = list(scored_cells(plan))
    table = cells_table(scored)
    plan.storage.write_table(layout.CELLS, table)
    certificates: dict[str, dict[str, Any]] = {
        name: plan.storage.read_json(layout.certificate(name, "json")) for name in prepared_names(plan)
    }
    for name, flags in overlaps(plan).items():
        said = [f"{f['row']} holds {f['benchmark']} {f['problem']} ({f['kind']})" for f in flags]
        more = [f"and {len(said) - SHOWN_FLAGS} more"] if len(said) > SHOWN_FLAGS else []
        found = "; ".join(said[:SHOWN_FLAGS] + more) or "none"
        certificates[name]["summary"].append(("Rows that hold benchmark problems", found))
    means, chance = reading(), chance_of(plan)
    judging = trajectories_begun(plan, means)
    effects, cells = axis_effects(plan, means), table.to_pandas()
    procedures, browsing = procedures_table(plan).to_pandas(), samples_begun(plan, samples)
    curves = judging()
    answered, known = answers(plan, table, curves, means, chance), references(plan.trials)
    verdicts = together(curves, chance)
    literature = {
        one.claim.name: claimed(one.claim, tuple(one.parts), plan.trials, known) for one in answered
    }
    facts = ReportFacts(
        answers=answered,
        trajectories=verdicts,
        chance=chance,
        adaptive=summary(plan, answered, verdicts),
        effects=effects,
        asymmetry=asymmetry(
            verdicts,
            {question.card.name: question.card.dimension for question in plan.questions},
            {trial.id: (trial.model.label, trial.data.name) for trial in plan.trials},
        ),
        parameters={label: base.parameters for label, base in plan.bases.items() if base.parameters},
        references=known,
        readings=readings(plan.trials, known),
        published={name: value for name, value in literature.items() if value is not None},
        sweep=plan.storage.read_json(layout.SWEEP),
        cells=cells,
        status=status(plan),
        training=TrainingLogs(plan),
        certificates=certificates,
        procedures=procedures,
        browsed=browsing.trials,
        judges=agreements(plan.storage),
        regraded=plan.storage.read_json_or_none(layout.REGRADED),
    )
    page = write_report(plan.storage, facts)
    browsing.finish()
    return Written(page, scored)


class TrainingLogs(Mapping[str, list[dict[str, Any]]]):
    """Rows of train.jsonl by trial id, read when they are asked for: a page draws some of thousands."""

    def __init__(self, plan: Plan) -> None:
        self._storage = plan.storage
        self._trials = [trial.id for trial in plan.trials]

    def __getitem__(self, trial_id: str) -> list[dict[str, Any]]:
        return self._storage.read_lines(layout.train_log(layout.trial(trial_id)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._trials)

    def __len__(self) -> int:
        return len(self._trials)


def tell(plan: Plan, scored: list[ScoredCell], tracker: Tracker) -> dict[str, Any]:
    """Gives the tracker everything it may not have yet; repeated facts add nothing.

    A value that was told is not told again, so cells are told when they hold all samples that are asked.
    """
    plan = plan.at_once(results=True)
    done = {
        (trial.id, cell.step, cell.question.card.name)
        for trial in plan.trials
        for cell in plan.cells(trial)
        if plan.cell_state(cell) == "done"
    }
    for trial in plan.trials:
        tracker.training(trial.id, plan.storage.read_lines(layout.train_log(layout.trial(trial.id))))
    for cell in scored:
        if (cell.trial.id, cell.step, cell.benchmark) not in done:
            continue
        record = checkpoint(plan, cell.trial, cell.step)
        tracker.cell(cell.trial.id, record, cell.benchmark, cell.estimates)
    after = status(plan)
    open_cells = {failure["trial"] for failure in after["failures"]}
    for trial in plan.trials:
        state = plan.trial_state(trial)
        finished = all(plan.cell_state(cell) == "done" for cell in plan.cells(trial))
        failed = state == "failed" or trial.id in open_cells
        tracker.finish_trial(trial.id, "failed" if failed else "done" if finished else "open")
    with TemporaryDirectory() as copy:  # of a report in a bucket; a tracker reads local files, but no samples
        tracker.report(plan.storage.local_folder(layout.REPORT, copy, without=("samples", "samples.html")))
    return after
