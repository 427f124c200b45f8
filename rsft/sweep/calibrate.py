"""The study's published checkpoints, asked by us, with its own figures beside ours: `sweeps/calibrate.py`.

The door of the hub's file client: step checkpoints are folders of one repository, which engines cannot name.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from rsft import layout
from rsft.analysis.calibration import HEADS, Compared, as_csv, as_markdown, compare, published_of, summary
from rsft.analysis.calibration import cells as cells_of_row
from rsft.analysis.published import Published, published
from rsft.errors import DataError, MissingEngine, SpecError
from rsft.records import Estimate
from rsft.spec.calibration import CalibrationSpec, PublishedRun
from rsft.spec.data import GivenCheckpoint
from rsft.spec.given import GivenRun
from rsft.spec.model import ModelSpec
from rsft.spec.sweep import SweepSpec
from rsft.spec.train import TrainSpec
from rsft.storage import Storage
from rsft.sweep.entry import DEFAULT_STORAGE, EXIT_INCOMPLETE, StorageOption, guarded
from rsft.sweep.jobs import Engines
from rsft.sweep.live import Progress
from rsft.sweep.plan import Cell, Plan, make_plan
from rsft.sweep.questions import Question, questions
from rsft.sweep.run import run_sweep
from rsft.sweep.standalone import why_not
from rsft.tracking.tracker import Tracker

FILES = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model", "*.txt")
"""Of a checkpoint's folder; weights as safetensors alone."""

Fetch = Callable[[PublishedRun, int], str]
"""(run, step) -> local folder with that checkpoint; step 0 is the base."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One checkpoint that is to be asked."""

    run: PublishedRun
    step: int


def chosen(spec: CalibrationSpec, only: str = "*") -> list[Asking]:
    """The checkpoints of all runs whose repository fits a glob; a base once, before the first run on it.

    Raises:
        SpecError: the glob fits nothing.
    """
    runs = [run for run in spec.runs if fnmatch.fnmatchcase(run.label, only)]
    if not runs:
        raise SpecError(f"--only {only!r} fits none of {', '.join(run.label for run in spec.runs)}.")
    found: dict[tuple[str, int], Asking] = {}
    for run in runs:
        for step in (0, *sorted(set(run.steps))):
            found.setdefault((run.repository if step else run.base, step), Asking(run, step))
    return list(found.values())


def known_of(asking: Asking, rows: Sequence[Published]) -> list[Published]:
    """What was published of a checkpoint."""
    run, step = asking.run, asking.step
    data = run.data if step else None
    return published_of(rows, run.base_label, data, step, run.epochs, run.batch_sequences)


def show_plan(spec: CalibrationSpec, only: str, console: Console) -> None:
    """Prints what would be asked, and what was published of it. Opens no connection."""
    asked, rows = chosen(spec, only), list(published())
    asks = questions(spec.evaluation)
    each = sum(one.problems * one.samples for one in asks)
    of = Column("of", overflow="fold")  # two runs of one base differ at the end of their names
    table = Table("checkpoints", of, "steps", "published numbers", "generations", box=None)
    by_label: dict[str, list[Asking]] = {}
    for one in asked:
        by_label.setdefault(one.run.label if one.step else one.run.base_label, []).append(one)
    names = {one.card.name for one in asks}
    for label, some in by_label.items():
        numbers = sum(row.benchmark in names for one in some for row in known_of(one, rows))
        steps = " ".join(str(one.step) for one in some)
        table.add_row(str(len(some)), escape(label), steps, str(numbers), f"{each * len(some):,}")
    console.print(table)
    for ask in asks:
        about = ask.card
        console.print(
            f"{about.name}: {ask.problems:,} problems x {ask.samples}, {about.grader}, "
            f"{about.origin}; {about.note}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    console.print(
        f"{len(asked)} checkpoints, {len(asked) * len(asks)} cells, {each * len(asked):,} generations",
        highlight=False,
    )


def calibrate(
    spec: CalibrationSpec,
    storage: Storage,
    engines: Engines,
    tracker: Tracker,
    progress: Progress,
    fetch: Fetch,
    console: Console,
    only: str = "*",
) -> int:
    """Asks what is open, run by run; writes `calibration.md` and `.csv` after each. Returns the exit code.

    Raises:
        RsftError: a checkpoint or a benchmark's rows cannot be had, before an engine starts on them.
    """
    asked = chosen(spec, only)
    folders: dict[Asking, str] = {}
    complete, rows = True, list[Compared]()
    for label in dict.fromkeys(one.run.label for one in asked):
        folders |= {one: fetch(one.run, one.step) for one in asked if one.run.label == label}
        sweep = given(spec, folders)
        cells = run_sweep(sweep, storage, engines, tracker, progress)["cells"]
        complete = cells["done"] == sum(cells.values())
        rows = compared(asked, make_plan(sweep, storage))
        storage.write_text("calibration.md", as_markdown(rows))
        storage.write_text("calibration.csv", as_csv(rows))
    table = Table(*HEADS, box=None)
    for row in rows:
        table.add_row(*map(escape, cells_of_row(row)))
    console.print(table)
    console.print(summary(rows), highlight=False, soft_wrap=True)
    console.print(f"table and deviations: {storage.path('calibration.md')}", highlight=False, soft_wrap=True)
    return 0 if complete else EXIT_INCOMPLETE


def given(spec: CalibrationSpec, folders: Mapping[Asking, str]) -> SweepSpec:
    """The runs whose checkpoints are here, as a sweep that trains nothing."""
    bases = {one.run.base_label: folder for one, folder in folders.items() if not one.step}
    steps: dict[str, list[GivenCheckpoint]] = {}
    for one, folder in folders.items():
        if one.step:
            steps.setdefault(one.run.label, []).append(GivenCheckpoint(step=one.step, source=folder))
    return SweepSpec(
        name=spec.name,
        models=tuple(ModelSpec(source=folder, name=label) for label, folder in bases.items()),
        given=tuple(
            GivenRun(name=run.label, model=run.base_label, checkpoints=tuple(steps[run.label]))
            for run in spec.runs
            if run.label in steps
        ),
        train=TrainSpec(device=spec.device),
        evaluation=spec.evaluation,
    )


def compared(asked: Sequence[Asking], plan: Plan) -> list[Compared]:
    """Every published number that there is a question for; those of checkpoints that were not fetched yet,
    and of cells that are not done, have nothing beside them.

    Args:
        asked: the checkpoints.
        plan: of those that are here.
    """
    rows, found = list(published()), []
    by_name = {one.card.name: one for one in plan.questions}
    cells = {
        (trial.data.name if cell.step else trial.model.label, cell.step, cell.question.card.name): cell
        for trial in plan.trials
        for cell in plan.cells(trial)
    }
    for one in asked:
        label = one.run.label if one.step else one.run.base_label
        for row in known_of(one, rows):
            if (wanted := by_name.get(row.benchmark)) is not None:
                found.append(_beside(row, wanted, cells.get((label, one.step, row.benchmark)), plan))
    return found


def _beside(row: Published, asked: Question, cell: Cell | None, plan: Plan) -> Compared:
    why = "" if cell is None else why_not(plan, cell)
    estimates = None
    if cell is not None and not why:
        marker = plan.storage.read_json(layout.cell_marker(cell.folder))
        estimates = [Estimate(**estimate) for estimate in marker["estimates"]]
    return compare(
        row,
        estimates,
        asked=(asked.problems, asked.samples),
        of=asked.card.problems,
        note=asked.card.note,
        why=f"not done: {why}" if why else "",
    )


def from_hub(run: PublishedRun, step: int) -> str:
    """The folder of a checkpoint in the hub's cache, downloaded on first use.

    Raises:
        DataError: the hub cannot be reached, or has no such repository or step.
        MissingEngine: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError:
        raise MissingEngine.named("huggingface_hub") from None
    name, revision = (run.repository, run.revision) if step else (run.base, None)
    try:
        if not step:
            return str(snapshot_download(name, allow_patterns=list(FILES)))
        folder = step_folder(HfApi().list_repo_files(name, revision=revision), name, step)
        patterns = [f"{folder}/{pattern}" for pattern in FILES]
        return str(Path(snapshot_download(name, revision=revision, allow_patterns=patterns)) / folder)
    except DataError:
        raise
    except Exception as error:  # the HTTP client's are not even OSErrors
        raise DataError(
            f"checkpoint {name} step {step} cannot be had from the hub ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:120]}); check network and access, or see --plan."
        ) from None


def step_folder(files: Sequence[str], repository: str, step: int) -> str:
    """The folder of a step: its name ends in the step's number.

    Raises:
        DataError: there is none, or more than one.
    """
    folders = {str(Path(file).parent) for file in files if file.endswith("config.json")}
    fit = sorted(f for f in folders if (m := re.search(r"(\d+)$", f)) and int(m[1]) == step)
    if len(fit) != 1:
        raise DataError(
            f"repository {repository} has {len(fit)} folders for step {step} (of "
            f"{', '.join(sorted(folders))}); correct the run's steps."
        )
    return fit[0]


def main(spec: CalibrationSpec) -> None:
    """Command line of a calibration's page; ends the process with its exit code."""

    def command(
        storage: StorageOption = None,
        only: Annotated[str, typer.Option(help="Runs whose repository fits this glob.")] = "*",
        plan: Annotated[bool, typer.Option("--plan", help="Show what would be asked; no network.")] = False,
    ) -> None:
        def action() -> int:
            console = Console()
            if plan:
                show_plan(spec, only, console)
                return 0
            return _start(spec, storage, only, console)

        raise typer.Exit(guarded(action))

    command.__doc__ = f"Asks the published checkpoints of {spec.name!r}; what is done already is kept."
    typer.run(command)


def _start(spec: CalibrationSpec, storage_uri: str | None, only: str, console: Console) -> int:
    from rsft.sweep.quiet import set_environment
    from rsft.sweep.start import real_engines

    first = chosen(spec, only)[0]
    from_hub(first.run, first.step)  # a hub out of reach ends here, before engines are imported
    set_environment()
    from rsft.tracking.mlflow_tracker import MlflowTracker

    asked = spec.evaluation
    storage = Storage(storage_uri or os.environ.get("RSFT_STORAGE") or DEFAULT_STORAGE).child(spec.name)
    with (
        real_engines(
            spec.device,
            asked.engines,
            asked.max_model_tokens,
            console,
            tensor_parallel=asked.tensor_parallel,
        ) as engines,
        Progress(storage, console) as progress,
    ):
        tracker = MlflowTracker(os.environ.get("MLFLOW_TRACKING_URI") or None, storage)
        return calibrate(spec, storage, engines, tracker, progress, from_hub, console, only)
