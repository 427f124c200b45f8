"""What a sweep will cost: counts, disk, memory. Arithmetic on a plan; needs no engine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rsft.spec.recipes import beside
from rsft.sweep.disk import GENERATION_BYTES, RESUME_BYTES, weight_bytes
from rsft.sweep.plan import Plan, status
from rsft.sweep.retention import notes
from rsft.sweep.trunks import missed, trunks
from rsft.training.memory import Shape, estimate, gpu_gigabytes, remedy


def forecast(plan: Plan, adaptive: str | None = None) -> dict[str, Any]:
    """Counts and disk of the whole sweep, and what of it is open. `n_steps` is the sum of all lengths, of
    which trials that share a trunk save `n_steps_saved`.

    A cell is a (trial, step, benchmark), step 0 included, as in the table of results; the base's cells
    are computed once for all trials on it, so `n_generations` counts them once.

    Args:
        plan: of the sweep.
        adaptive: budget of answers; None says nothing of adaptive evaluation.

    Raises:
        SpecError: a budget that will not do (see `rsft.sweep.adaptive.offer`).
    """
    plan = plan.at_once()
    offered = None
    if adaptive is not None:
        from rsft.sweep.budget import offer  # of the analysis, which takes half a second to import

        offered = asdict(offer(plan, adaptive))
    asked = sum(question.problems * question.samples for question in plan.questions)
    # Steps that several lengths share have one checkpoint.
    kept = {(plan.owner(t, step), step): t.model.label for t in plan.trials for step in t.checkpoint_steps}
    trained = [trial for trial in plan.trials if trial.given is None]
    written = {(t.owner(step), step): t.model.label for t in trained for step in t.checkpoint_steps}
    used = {trial.model.label: trial.model for trial in plan.trials}
    generations = asked * (len(kept) + len(used))
    sizes = {label: weight_bytes(plan.bases[label]) for label in used}
    disk: int | None = None
    if None not in sizes.values():
        weights = sum(sizes[label] or 0 for label in written.values())
        largest = max((plan.bases[trial.model.label].parameters or 0 for trial in trained), default=0)
        disk = weights + largest * RESUME_BYTES + generations * GENERATION_BYTES
    states = status(plan)
    shared = trunks(plan.trials)
    missing = missed(plan.trials)
    return {
        "sweep": plan.sweep.name,
        "n_trials": len(plan.trials),
        "n_steps": sum(trial.steps for trial in trained),
        "n_steps_saved": sum(trunk.saved for trunk in shared),
        "n_checkpoints": len(kept),
        "n_bases": len(used),
        "n_benchmarks": len(plan.questions),
        "n_claims": len(plan.sweep.claims),
        "n_cells": sum(1 + len(trial.checkpoint_steps) for trial in plan.trials) * len(plan.questions),
        "n_generations": generations,
        "judge": _judge(plan, len(kept) + len(used)),
        "disk_bytes": disk,
        "adaptive": offered,
        "memory": memory(plan),
        "recipes": beside({id(trial.train): trial.train for trial in trained}.values()),
        "open_trials": states["trials"]["open"] + states["trials"]["failed"],
        "open_cells": states["cells"]["open"] + states["cells"]["failed"],
        "benchmarks": [
            {
                "name": question.card.name,
                "dimension": question.card.dimension,
                "problems": question.problems,
                "of": question.card.problems,
                "samples": question.samples,
                "grader": question.card.grader,
                "metric": question.card.metric,
                "origin": question.card.origin,
                "note": question.card.note,
            }
            for question in plan.questions
        ],
        "notes": [*plan.notes, *notes(plan), *([missing] if missing else [])],
        "trunks": [
            {
                "id": trunk.id,
                "steps": trunk.steps,
                "saved": trunk.saved,
                "branches": [{"trial": t.id, "leaves_at": t.shared_steps} for t in trunk.members],
                "tree": trunk.lines(),
            }
            for trunk in shared
        ],
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


def _judge(plan: Plan, checkpoints: int) -> dict[str, Any] | None:
    """Who judges, where, and how many answers at most: equal ones are judged once."""
    judged = [question for question in plan.questions if question.card.grader == "judge"]
    spec = plan.sweep.evaluation.judge
    if spec is None or not judged:
        return None
    verdicts = checkpoints * sum(question.problems * question.samples for question in judged)
    return {"model": spec.model, "address": spec.address, "verdicts": verdicts}


def memory(plan: Plan) -> list[dict[str, Any]]:
    """What a training worker needs, per base: of its trial that needs most.

    `activations` and `logits` are None where the base's config.json is not here, and `total` is what the
    rest needs at least. `gpu_gigabytes` is the smallest standard GPU that holds it; None for CPU trials, or
    when none does, and then `next` says what to change.
    """
    rows: list[dict[str, Any]] = []
    trained = [trial for trial in plan.trials if trial.given is None]
    for label, base in plan.bases.items():
        shape = Shape.read(base.source)
        # By object: thousands of trials share a few settings.
        trains = {id(trial.train): trial.train for trial in trained if trial.model.label == label}
        if base.parameters is None or not trains:
            continue
        found = [(estimate(base.parameters, train, shape), train) for train in trains.values()]
        needed, train = max(found, key=lambda pair: pair[0].total)
        on_gpu = train.device == "gpu"
        size = gpu_gigabytes(needed.total) if on_gpu else None
        settings = ("workers", "device", "zero_stage", "precision", "micro_batch_tokens")
        rows.append(
            {"base": label, "parameters": base.parameters}
            | {name: getattr(train, name) for name in settings}
            | asdict(needed)
            | {"total": needed.total, "gpu_gigabytes": size}
            | {"next": remedy(base.parameters, train, shape) if on_gpu and size is None else ""}
        )
    return rows
