"""Open cells, asked in one task per checkpoint, and the scores of those that are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rsft import checkpoints, layout
from rsft.analysis.table import ScoredCell
from rsft.bases import Base, architecture
from rsft.benchmarks.source import problems
from rsft.canary import Canary
from rsft.generation.requests import Adapter, CellRequest, EvalTask
from rsft.records import Checkpoint, Estimate
from rsft.spec.base import content_hash
from rsft.spec.model import ModelSpec
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.jobs import AnswerJob, Engines
from rsft.sweep.overlap import clean_estimates, overlaps, prepared_of
from rsft.sweep.plan import Cell, Plan, Question, State


def write_problems(storage: Storage, questions: Sequence[Question]) -> None:
    """Puts the problems of every benchmark into the storage, as they are asked and graded.

    Raises:
        DataError: a benchmark's rows are not to be had.
    """
    for question in questions:
        path = layout.problems(question.key)
        if len(storage.read_lines(path)) < question.problems:
            found = problems(question.card, question.problems)
            storage.write_lines(path, [asdict(problem) for problem in found])


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
    families: dict[str, list[str]] = {}
    models = {trial.model.label: trial.model for trial in plan.trials}
    for label, model in models.items():
        facts = [architecture(plan.bases[label]), model.revision, model.chat_template, model.end_marker]
        families.setdefault(content_hash(facts), []).append(label)
    for labels in families.values():
        trials = [trial for label in labels for trial in plan.trials if trial.model.label == label]
        tasks: list[EvalTask] = []
        seen: set[str] = set()
        for trial in trials:
            for step in (0, *trial.checkpoint_steps):
                cells = [c for c in plan.cells(trial) if c.step == step and c.folder not in seen]
                seen |= {cell.folder for cell in cells}
                wanted = [c for c in cells if plan.cell_state(c) in states and not unjudged(plan, c)]
                weights = _weights(plan, trial, step) if wanted else None
                if weights is None:
                    continue  # nothing open, or the checkpoint has not landed
                canary = (
                    base_canary(plan, trial, engines)
                    if step == 0
                    else Canary(**_marker(plan, trial, step)["canary"])
                )
                tasks.append(_task(plan, trial, step, weights, canary, wanted))
                if step and trial.train.lora and plan.sweep.evaluation.adapters_at_once > 1:
                    adapter = Adapter(
                        folder=f"{weights}/{layout.ADAPTER}",
                        rank=trial.train.lora.rank,
                        base=plan.bases[trial.model.label].source,
                        base_canary=base_canary(plan, trial, engines),
                    )
                    tasks[-1] = replace(tasks[-1], adapter=adapter)
        if tasks:
            model, base = models[labels[0]], plan.bases[labels[0]]
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


def _weights(plan: Plan, trial: Trial, step: int) -> str | None:
    if step == 0:
        return plan.bases[trial.model.label].source
    if not checkpoints.landed(plan.storage, trial, step):
        return None
    return plan.storage.path(checkpoints.folder(trial, step))


def base_canary(plan: Plan, trial: Trial, engines: Engines) -> Canary:
    """The canary of a trial's base, computed once and kept."""
    path = layout.base_record(plan.base_folder(trial.model))
    return kept_canary(plan.storage, path, trial.model, plan.bases[trial.model.label], engines)


def kept_canary(storage: Storage, path: str, model: ModelSpec, base: Base, engines: Engines) -> Canary:
    """The canary of an untrained model, from its record at `path`; computed and recorded if there is none."""
    known = storage.read_json_or_none(path)
    if known is not None:
        return Canary(**known["canary"])
    canary = engines.canary(model, base)
    storage.write_json(path, asdict(base) | {"canary": asdict(canary)})
    return canary


def _task(
    plan: Plan, trial: Trial, step: int, weights: str, canary: Canary, cells: Sequence[Cell]
) -> EvalTask:
    sampling = plan.sweep.evaluation.sampling
    return EvalTask(
        owner=plan.owner(trial, step),
        trial_id=trial.id,
        step=step,
        weights=weights,
        canary=canary,
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
    if step == 0:
        path = plan.bases[trial.model.label].source
        return Checkpoint(trial_id=trial.id, step=0, path=path)
    record = _marker(plan, trial, step)
    kept = {name: record[name] for name in ("step", "path", "target_tokens")}
    return Checkpoint(trial_id=trial.id, **kept)  # a trunk's checkpoint is each of its trials'
