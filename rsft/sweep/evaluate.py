"""Open cells, asked in one task per checkpoint, and the scores of those that are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rsft import checkpoints, layout
from rsft.analysis.table import ScoredCell
from rsft.bases import Base, architecture
from rsft.benchmarks.source import problems
from rsft.canary import Canary
from rsft.generation.requests import Adapter, CellRequest, EvalTask
from rsft.records import Checkpoint, Estimate, Problem
from rsft.spec.base import content_hash
from rsft.spec.model import ModelSpec
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.jobs import AnswerJob, Engines
from rsft.sweep.overlap import clean_estimates, overlaps, prepared_of
from rsft.sweep.plan import Cell, Plan, State
from rsft.sweep.questions import Question


def new_problems(storage: Storage, questions: Sequence[Question]) -> dict[str, list[Problem]]:
    """Problems that the storage does not hold yet, as they are asked and graded, by where they belong.

    Raises:
        DataError: a benchmark's rows are not to be had.
        SpecError: a task refuses its settings.
    """
    return {
        path: problems(question.card, question.problems)
        for question in questions
        if len(storage.read_lines(path := layout.problems(question.key))) < question.problems
    }


def answer_jobs(
    plan: Plan, engines: Engines, states: tuple[State, ...] = ("open", "failed")
) -> Iterator[AnswerJob]:
    """One job per architecture with the cells of all checkpoints that exist, those of a base first: one
    engine holds them all in turn.

    Args:
        plan: of the sweep.
        engines: who computes the canary of a base.
        states: of the cells to ask.
    """
    families: dict[str, tuple[ModelSpec, Base, list[EvalTask]]] = {}
    seen: set[str] = set()
    labels = list(dict.fromkeys(trial.model.label for trial in plan.trials))
    for trial in sorted(plan.trials, key=lambda trial: labels.index(trial.model.label)):
        for step in (0, *trial.checkpoint_steps):
            cells = [c for c in plan.cells(trial) if c.step == step and c.folder not in seen]
            seen |= {cell.folder for cell in cells}
            wanted = [c for c in cells if plan.cell_state(c) in states and not unjudged(plan, c)]
            task = _task(plan, trial, step, wanted, engines) if wanted else None
            if task is None:
                continue  # nothing open, or the checkpoint has not landed
            model, base = trial.model, plan.bases[trial.model.label]
            if step and (given := plan.weights(trial, step)) is not None:
                # Who saved it may have written another configuration, or another tokenizer.
                model, base = model.model_copy(update={"source": given.source, "revision": None}), given
            facts = [architecture(base), model.revision, model.chat_template, model.end_marker]
            families.setdefault(content_hash(facts), (model, base, []))[2].append(task)
    for model, base, tasks in families.values():
        yield AnswerJob(
            model=model,
            base=base,
            storage=plan.storage.root,
            tasks=tuple(tasks),
            adapters=plan.sweep.evaluation.adapters_at_once,
        )


def unjudged(plan: Plan, cell: Cell) -> dict[str, Any] | None:
    """The marker of a cell that needs no engine but a judge."""
    if cell.question.card.grader != "judge":
        return None
    marker = plan.storage.read_json_or_none(layout.cell_marker(cell.folder))
    return marker if cell.question.unjudged(marker) else None


def _marker(plan: Plan, trial: Trial, step: int) -> dict[str, Any]:
    found = checkpoints.marker(plan.storage, trial, step)
    assert found is not None, "asked for after it landed"
    return found


def kept_canary(storage: Storage, path: str, model: ModelSpec, base: Base, engines: Engines) -> Canary:
    """The canary of weights that were not trained here: as their export recorded it; else from the record at
    `path`, computed and recorded if there is none."""
    if (exported := exported_marker(base)) is not None:
        return Canary(**exported["canary"])
    known = storage.read_json_or_none(path)
    if known is not None:
        return Canary(**known["canary"])
    canary = engines.canary(model, base)
    storage.write_json(path, asdict(base) | {"canary": asdict(canary)})
    return canary


def exported_marker(base: Base) -> dict[str, Any] | None:
    """What rsft wrote into the folder of a checkpoint; None where these weights are none of its."""
    if not Path(base.source).is_dir():
        return None
    found = Storage(base.source).read_json_or_none(layout.CHECKPOINT_MARKER)
    return found if isinstance(found, dict) and "canary" in found else None


def _task(plan: Plan, trial: Trial, step: int, cells: Sequence[Cell], engines: Engines) -> EvalTask | None:
    """What a checkpoint is asked; None while it has not landed."""

    def canary_of(step: int, base: Base) -> Canary:
        model = trial.model.model_copy(update={"source": base.source}) if step else trial.model
        return kept_canary(plan.storage, layout.base_record(plan.owner(trial, step)), model, base, engines)

    base, adapter = plan.weights(trial, step), None
    if base is not None:
        weights, canary = base.source, canary_of(step, base)
    elif checkpoints.landed(plan.storage, trial, step):
        weights = plan.storage.path(checkpoints.folder(trial, step))
        canary = Canary(**_marker(plan, trial, step)["canary"])
        if trial.train.lora and plan.sweep.evaluation.adapters_at_once > 1:
            untrained = plan.bases[trial.model.label]
            adapter = Adapter(
                folder=f"{weights}/{layout.ADAPTER}",
                rank=trial.train.lora.rank,
                base=untrained.source,
                base_canary=canary_of(0, untrained),
            )
    else:
        return None
    sampling = plan.sweep.evaluation.sampling
    return EvalTask(
        owner=plan.owner(trial, step),
        trial_id=trial.id,
        step=step,
        weights=weights,
        canary=canary,
        adapter=adapter,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        cells=tuple(
            CellRequest(
                benchmark=cell.question.card.name,
                key=cell.question.key,
                folder=cell.folder,
                problems=cell.question.problems,
                samples=cell.question.samples,
                max_new_tokens=cell.question.max_new_tokens,
            )
            for cell in cells
        ),
    )


def scored_cells(plan: Plan) -> Iterator[ScoredCell]:
    """Every cell of every trial that has scores, the base's step 0 repeated for each trial on it."""
    plan = plan.at_once(results=True)
    found: dict[str, list[Estimate]] = {}
    by_rows = {name: _by_benchmark(flags) for name, flags in overlaps(plan).items()}
    flagged = {trial.id: by_rows.get(prepared_of(plan, trial), {}) for trial in plan.trials}
    asked = [
        (cell.folder, hit)
        for trial in plan.trials
        if flagged[trial.id]
        for cell in plan.cells(trial)
        if (hit := flagged[trial.id].get(cell.question.card.name)) and plan.scored(cell)
    ]
    clean = clean_estimates(plan, asked)
    for trial in plan.trials:
        tokens: dict[int, int] = {}
        for cell in plan.cells(trial):
            if cell.folder not in found:
                found[cell.folder] = _estimates(plan, cell)
            if found[cell.folder]:
                name = cell.question.card.name
                hit = flagged[trial.id].get(name) or frozenset()
                if cell.step not in tokens:
                    tokens[cell.step] = checkpoint(plan, trial, cell.step).target_tokens
                yield ScoredCell(
                    trial=trial,
                    step=cell.step,
                    target_tokens=tokens[cell.step],
                    benchmark=name,
                    dimension=cell.question.card.dimension,
                    estimates=found[cell.folder],
                    flagged=len(hit),
                    unflagged=clean.get((cell.folder, hit), {}),
                )


def _by_benchmark(flags: Sequence[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Flagged problems."""
    found: dict[str, set[str]] = {}
    for flag in flags:
        found.setdefault(flag["benchmark"], set()).add(flag["problem"])
    return {name: frozenset(problems) for name, problems in found.items()}


def _estimates(plan: Plan, cell: Cell) -> list[Estimate]:
    if not plan.scored(cell):
        return []
    marker = plan.storage.read_json_or_none(layout.cell_marker(cell.folder))
    return [Estimate(**estimate) for estimate in marker["estimates"]]


def checkpoint(plan: Plan, trial: Trial, step: int) -> Checkpoint:
    """The record of a trial's checkpoint; the base's for step 0."""
    base = plan.weights(trial, step)
    if base is not None:
        known = exported_marker(base) if step else None
        tokens = (known or {}).get("target_tokens", 0)
        return Checkpoint(trial_id=trial.id, step=step, path=base.source, target_tokens=tokens)
    record = _marker(plan, trial, step)
    kept = {name: record[name] for name in ("step", "path", "target_tokens")}
    return Checkpoint(trial_id=trial.id, **kept)  # a trunk's checkpoint is each of its trials'
