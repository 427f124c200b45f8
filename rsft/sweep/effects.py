"""Effects of a storage's axes: reads the scores that its views need, a benchmark at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow.compute as pc

from rsft import layout
from rsft.analysis.effects import Answered, Effect, effects
from rsft.analysis.views import Run, views
from rsft.benchmarks.card import Benchmark
from rsft.spec.base import content_hash
from rsft.spec.data import Subset
from rsft.spec.train import hardware_fields
from rsft.spec.trial import Trial
from rsft.sweep.evaluate import checkpoint
from rsft.sweep.plan import Cell, Plan

HARMLESS = "harmless requests"
"""Dimension of benchmarks whose score is the share of harmless requests that are answered: as a part of
safety it would hide that a model refuses everything."""


def dimension(card: Benchmark) -> str:
    """Of effects: the card's own, but for what is asked to find over-refusal."""
    return HARMLESS if card.metric == "compliance rate" else card.dimension


def axis_effects(plan: Plan) -> list[Effect]:
    """Main effects and interactions of length, data and base, as far as cells are done."""
    asked = views([_run(plan, trial) for trial in plan.trials])
    wanted = {(arm.trial, step) for one in asked for arm in one.arms for step in (0, arm.step)}
    read: dict[str, Answered] = {}
    answers: dict[tuple[str, int, str], Answered] = {}
    dimensions: dict[str, list[str]] = {}
    for question in plan.questions:
        dimensions.setdefault(dimension(question.card), []).append(question.card.name)
        for trial in plan.trials:
            for step in (0, *trial.checkpoint_steps):
                cell = Cell(owner=plan.owner(trial, step), step=step, question=question)
                if (trial.id, step) in wanted and plan.cell_state(cell) == "done":
                    if cell.folder not in read:
                        read[cell.folder] = _answered(plan, cell)
                    answers[trial.id, step, question.card.name] = read[cell.folder]
    return effects(asked, dimensions, answers)


def _run(plan: Plan, trial: Trial) -> Run:
    """A trial with the steps at which some question is answered."""
    steps = [step for step in trial.checkpoint_steps if _begun(plan, trial, step)]
    tokens = {step: checkpoint(plan, trial, step).target_tokens for step in steps}
    kept = [one for one in trial.data.transforms if not isinstance(one, Subset)]
    facts = [trial.data.source.model_dump(mode="json"), [one.model_dump(mode="json") for one in kept]]
    return Run(
        trial=trial.id,
        base=trial.model.label,
        parameters=plan.bases[trial.model.label].parameters,
        data=trial.data.name,
        family=content_hash(facts),
        rows=trial.data.rows,
        length=trial.length.label,
        steps=trial.steps,
        recipe=content_hash(trial.train.model_dump(mode="json", exclude=set(hardware_fields(trial.train)))),
        origin=plan.base_folder(trial.model),
        weights={step: f"{trial.owner(step)}/{layout.step_name(step)}" for step in steps},
        tokens=tokens,
        passes=None if trial.train.batch_tokens else trial.train.batch_sequences / trial.data.rows,
    )


def _begun(plan: Plan, trial: Trial, step: int) -> bool:
    cells: Iterable[Cell] = (
        Cell(owner=plan.owner(trial, step), step=step, question=question) for question in plan.questions
    )
    return any(plan.cell_state(cell) == "done" for cell in cells)


def _answered(plan: Plan, cell: Cell) -> Answered:
    table = plan.storage.read_table(layout.scores(cell.folder)).select(["problem", "outcome"])
    correct = pc.cast(pc.equal(table["outcome"], "correct"), "float64")
    means = table.append_column("correct", correct).group_by("problem").aggregate([("correct", "mean")])
    means = means.sort_by("problem")
    return Answered(np.array(means["problem"].to_pylist()), means["correct_mean"].to_numpy(), table.num_rows)
