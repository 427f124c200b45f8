"""Effects of a storage's axes, from the scores of its cells."""

from __future__ import annotations

from collections.abc import Mapping

from rsft import layout
from rsft.analysis.effects import Answered, Effect, effects
from rsft.analysis.means import ProblemMeans
from rsft.analysis.views import Run, views
from rsft.spec.base import content_hash
from rsft.spec.data import Subset
from rsft.spec.train import hardware_fields
from rsft.spec.trial import Trial
from rsft.sweep.evaluate import checkpoint
from rsft.sweep.plan import Plan


def axis_effects(plan: Plan, means: Mapping[str, ProblemMeans]) -> list[Effect]:
    """Main effects and interactions of length, data and base, as far as cells are done; of trials that were
    trained here, since of others it is not known in what else they differ.

    Args:
        plan: of the sweep.
        means: of its done cells, by folder.
    """
    asked = views([_run(plan, trial, means) for trial in plan.trials if trial.given is None])
    wanted = {(arm.trial, step) for one in asked for arm in one.arms for step in (0, arm.step)}
    answers: dict[tuple[str, int, str], Answered] = {}
    dimensions: dict[str, list[str]] = {}
    for question in plan.questions:
        dimensions.setdefault(question.card.dimension, []).append(question.card.name)
    for trial in plan.trials:
        for cell in plan.cells(trial):
            if (trial.id, cell.step) in wanted and cell.folder in means:
                one = means[cell.folder]
                count = int(one.samples.sum())
                name = cell.question.card.name
                answers[trial.id, cell.step, name] = Answered(one.problems, one.scores, count)
    return effects(asked, dimensions, answers)


def _run(plan: Plan, trial: Trial, means: Mapping[str, ProblemMeans]) -> Run:
    """A trial with the steps at which some question is answered."""
    begun = {cell.step for cell in plan.cells(trial) if cell.folder in means}
    steps = [step for step in trial.checkpoint_steps if step in begun]
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
