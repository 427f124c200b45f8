"""What a sweep will cost: counts, and disk. Arithmetic on a plan; needs no engine."""

from __future__ import annotations

from typing import Any

from rsft.sweep.disk import GENERATION_BYTES, RESUME_BYTES, WEIGHT_BYTES
from rsft.sweep.plan import Plan, status
from rsft.sweep.retention import notes


def forecast(plan: Plan) -> dict[str, Any]:
    """Counts and disk of the whole sweep, and what of it is open.

    A cell is a (trial, step, benchmark), step 0 included, as in the table of results; the base's cells
    are computed once for all trials on it, so `n_generations` counts them once.
    """
    asked = sum(question.problems * question.samples for question in plan.questions)
    checkpoints = sum(len(trial.checkpoint_steps) for trial in plan.trials)
    used = {trial.model.label: trial.model for trial in plan.trials}
    generations = asked * (checkpoints + len(used))
    sizes = {label: base.parameters for label, base in plan.bases.items()}
    disk: int | None = None
    if all(sizes[label] is not None for label in used):
        weights = sum(
            len(t.checkpoint_steps) * (sizes[t.model.label] or 0) * WEIGHT_BYTES for t in plan.trials
        )
        largest = max(sizes[label] or 0 for label in used)
        disk = weights + largest * RESUME_BYTES + generations * GENERATION_BYTES
    states = status(plan)
    return {
        "sweep": plan.sweep.name,
        "n_trials": len(plan.trials),
        "n_steps": sum(trial.steps for trial in plan.trials),
        "n_checkpoints": checkpoints,
        "n_cells": sum(1 for trial in plan.trials for _ in plan.cells(trial)),
        "n_generations": generations,
        "disk_bytes": disk,
        "open_trials": states["trials"]["open"] + states["trials"]["failed"],
        "open_cells": states["cells"]["open"] + states["cells"]["failed"],
        "notes": [*plan.notes, *notes(plan)],
        "trials": [
            {
                "id": trial.id,
                "base": trial.model.label,
                "data": trial.data.name,
                "length": trial.length.label,
                "steps": trial.steps,
                "seed": trial.seed,
                "recipe": trial.recipe,
                "checkpoint_steps": list(trial.checkpoint_steps),
                "state": plan.trial_state(trial),
            }
            for trial in plan.trials
        ],
    }
