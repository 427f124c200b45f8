"""Any models, any benchmarks, no training: `rsft evaluate` is a sweep of which all runs are given."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from rsft import layout
from rsft.errors import ModelError, StorageError
from rsft.records import Estimate
from rsft.spec.data import GivenCheckpoint
from rsft.spec.evaluation import EvalSpec
from rsft.spec.given import GivenRun
from rsft.spec.model import ModelSpec
from rsft.spec.sweep import SweepSpec
from rsft.spec.train import TrainSpec
from rsft.storage import Storage
from rsft.sweep.judges import agreements
from rsft.sweep.plan import Cell, Plan, given_base

Device = Literal["cpu", "gpu"]
ALONE = "alone"
"""Stands where a run's name would, of a model that is asked by itself."""


def given_sweep(
    name: str, models: Sequence[str], evaluation: EvalSpec, device: Device, base: str | None = None
) -> SweepSpec:
    """The sweep that asks these models, each by itself, and each folder of step checkpoints as one run.

    Args:
        name: of the sweep.
        models: model folders, shipped bases, hub ids; folders of step checkpoints, or trials of rsft's.
        evaluation: what is asked; its checkpoint_steps are not read.
        device: of the engines.
        base: untrained base of the runs; a trial of rsft's says it itself.

    Raises:
        ModelError: a folder of steps whose base nobody names, or a base of no such folder.
        SpecError: what is asked cannot be.
    """
    sources: list[str] = []
    runs: list[tuple[str, str, tuple[GivenCheckpoint, ...]]] = []
    for one in dict.fromkeys(models):
        if steps := step_folders(Path(one).expanduser()):
            found = base or _base_of_trial(Path(one).expanduser())
            if found is None:
                raise ModelError(
                    f"{one!r} holds checkpoints of steps {', '.join(str(s.step) for s in steps)}, and their "
                    "untrained base is not known; name it with --base, or name one of the steps' folders."
                )
            found = _source(found)
            model = ModelSpec(source=found)
            pinned = [s.model_copy(update={"identity": given_base(s, model).identity}) for s in steps]
            runs.append((_run_name(Path(one).expanduser()), found, tuple(pinned)))
            sources.append(found)
        else:
            sources.append(_source(one))
            runs.append((ALONE, sources[-1], ()))
    if base is not None and not any(steps for _, _, steps in runs):
        raise ModelError(
            f"--base {base!r} is of step checkpoints, and none of {', '.join(map(repr, models))} is a folder "
            "of such; leave it out, or name the folder that holds them."
        )
    labels = _labels(dict.fromkeys(sources))
    return SweepSpec(
        name=name,
        models=tuple(ModelSpec(source=source, name=label) for source, label in labels.items()),
        given=tuple(GivenRun(name=run, model=labels[of], checkpoints=steps) for run, of, steps in runs),
        train=TrainSpec(device=device),
        evaluation=evaluation,
    )


def _source(name: str) -> str:
    """A model folder as it is known from everywhere; else a shipped base or a hub id, as it is."""
    folder = Path(name).expanduser()
    return str(folder.resolve()) if (folder / "config.json").exists() else name


def step_folders(folder: Path) -> tuple[GivenCheckpoint, ...]:
    """Checkpoints below a folder that is no model itself: folders with a config.json whose names end in the
    step's number (`step_000040`, `checkpoint-40`, `global_step_40`), ascending; step 0 is left out.

    Raises:
        ModelError: two of one step.
    """
    if (folder / "config.json").exists() or not folder.is_dir():
        return ()
    inner = folder / "checkpoints"
    found: dict[int, str] = {}
    for path in sorted((inner if inner.is_dir() else folder).iterdir()):
        number = re.search(r"(\d+)$", path.name)
        if number is None or not (path / "config.json").exists() or not int(number[1]):
            continue
        if int(number[1]) in found:
            raise ModelError(
                f"{found[int(number[1])]!r} and {str(path)!r} are both of step {int(number[1])}; name one."
            )
        found[int(number[1])] = str(path.resolve())
    return tuple(GivenCheckpoint(step=step, source=found[step]) for step in sorted(found))


def _trial_folder(folder: Path) -> Path:
    return folder.parent if folder.name == "checkpoints" else folder


def _run_name(folder: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", _trial_folder(folder.resolve()).name)


def _base_of_trial(folder: Path) -> str | None:
    """What a trial of rsft's, or a trunk's first one, was trained from."""
    record = Storage(_trial_folder(folder)).read_json_or_none("trial.json")
    return record["model"]["source"] if isinstance(record, dict) and "model" in record else None


def _labels(sources: Sequence[str] | dict[str, Any]) -> dict[str, str]:
    """A word for each source: the last part of its path, or as many as tell it from the others."""
    parts = {source: [part for part in source.split("/") if part.strip(".~")] for source in sources}
    words: dict[str, str] = {}
    for source, own in parts.items():
        others = [other for name, other in parts.items() if name != source]
        count = next((n for n in range(1, len(own)) if all(own[-n:] != o[-n:] for o in others)), len(own))
        words[source] = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(own[-count:])) or "model"
    return words


def refuse_other_sweeps(storage: Storage) -> None:
    """Keeps the record of a sweep that trains from being replaced.

    Raises:
        StorageError: the storage is one's.
    """
    known = storage.read_json_or_none(layout.SWEEP)
    if known is not None and known["spec"].get("data"):
        raise StorageError(
            f"storage {storage.root!r} holds sweep {known['spec']['name']!r}, which trains; give another "
            "--name."
        )


def no_longer_shown(storage: Storage, sweep: SweepSpec) -> str:
    """What the tables of a storage were of and will not be of any more, as a note; empty if there is none."""
    known = storage.read_json_or_none(layout.SWEEP)
    if known is None:
        return ""

    def sources(spec: dict[str, Any]) -> list[str]:
        runs = [run["checkpoints"] for run in spec.get("given", ())]
        return [one["source"] for some in (spec["models"], *runs) for one in some]

    now = set(sources(sweep.model_dump(mode="json")))
    gone = [source for source in sources(known["spec"]) if source not in now]
    if not gone:
        return ""
    more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    return (
        f"note: {', '.join(gone[:3])}{more} answered here before; that is kept, but tables and report are of "
        "the models of this call alone: name all of them, or give this call another --name"
    )


def why_not(plan: Plan, cell: Cell) -> str:
    """Why a cell is not done; empty when it is."""
    if plan.cell_state(cell) == "done":
        return ""
    marker = plan.storage.read_json_or_none(layout.cell_marker(cell.folder))
    return "no answer" if marker is None else marker["error"] or marker["first_error"] or "not all answers"


def show_judges(storage: Storage, console: Console) -> None:
    """Prints how far the judges of a storage agree, with each other and with people."""
    from rsft.report.judges import judges_table  # the report's packages

    if found := judges_table(agreements(storage)):
        table = Table(*found.head, box=None)
        for row in found.rows:
            table.add_row(*map(escape, row))
        console.print(table)


def show_scores(plan: Plan, console: Console) -> None:
    """Prints a row per checkpoint and benchmark; a model is named in the first of its rows."""
    table, seen = Table(Column("model", overflow="fold"), "step", "benchmark", box=None), set[str]()
    above = ""
    for head in ("accuracy", "truncated", "finished", "tokens", "asked"):
        table.add_column(head, no_wrap=True, justify="right")
    for trial in plan.trials:
        for cell in plan.cells(trial):
            if cell.folder in seen:
                continue
            seen.add(cell.folder)
            model = trial.data.name if cell.step else trial.model.label
            named = ("" if model == above else model, str(cell.step or ""), cell.question.card.name)
            above = model
            if reason := why_not(plan, cell):
                table.add_row(*map(escape, (*named, f"failed: {reason}"[:120])), "", "", "", "")
                continue
            marker = plan.storage.read_json(layout.cell_marker(cell.folder))
            by = {estimate["metric"]: Estimate(**estimate) for estimate in marker["estimates"]}
            accuracy, finished = by["accuracy"], by["accuracy_finished"].value
            table.add_row(
                *map(escape, named),
                f"{100 * accuracy.value:.1f} ± {100 * accuracy.stderr:.1f}",
                f"{100 * by['truncated'].value:.0f} %",
                "none" if math.isnan(finished) else f"{100 * finished:.1f}",
                f"{by['response_tokens'].value:.0f}",
                f"{accuracy.problems} x {cell.question.samples}",
            )
    console.print(table)
    if any(question.card.grader == "judge" for question in plan.questions):
        show_judges(plan.storage, console)
