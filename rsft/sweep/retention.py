"""Which checkpoints keep their weights: SweepSpec.keep_weights, after evaluation.

A checkpoint whose weights are removed keeps its marker, which says `dropped`, and its cells, with answers and
scores. When a question is added later it is open again: its trial is trained once more, and since training is
deterministic, the same weights come back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rsft import layout
from rsft.checkpoints import folder, marker
from rsft.spec.trial import Trial
from rsft.sweep.plan import Plan


def drop_weights(plan: Plan, say: Callable[[str], None]) -> None:
    """Removes the weights that the sweep does not keep; never those that a question is open for.

    The marker is written first, so that none claims weights which are gone, whenever it ends.

    Args:
        plan: of the sweep, or of the part that was run.
        say: told how many and how much.
    """
    keep = plan.sweep.keep_weights
    if keep == "all":
        return
    kept = _kept(plan) if keep == "log-spaced" else set[str]()
    removed = bytes_removed = 0
    for trial in plan.trials:
        for step in trial.checkpoint_steps if trial.given is None else ():
            where = folder(trial, step)
            state = plan.checkpoint_state(trial, step)
            if state == "landed" and where not in kept and plan.answered(trial, step):
                _mark(plan, trial, step, dropped=True)
                removed += 1
                state = "dropped"
            if state == "dropped":  # also what a killed run left behind
                bytes_removed += _remove_files(plan, where)
    if removed:
        say(f"removed the weights of {removed} evaluated checkpoints ({bytes_removed / 1e6:,.0f} MB)")


def log_spaced(steps: Sequence[int]) -> tuple[int, ...]:
    """The last step and, for each halving of it, the listed step that is nearest in the logarithm."""
    last, kept = steps[-1], {steps[-1]}
    target = last / 2
    while target >= steps[0]:
        kept.add(min(steps, key=lambda step: abs(math.log(step / target))))
        target /= 2
    return tuple(sorted(kept))


def wanted_again(plan: Plan) -> list[tuple[Trial, int]]:
    """Dropped checkpoints that a question is open for."""
    return [
        (trial, step)
        for trial in plan.trials
        if trial.given is None
        for step in trial.checkpoint_steps
        if marker(plan.storage, trial, step) is not None and plan.checkpoint_state(trial, step) == "open"
    ]


def notes(plan: Plan) -> list[str]:
    """What a reader of the plan should know of dropped weights."""
    again: dict[str, list[int]] = {}
    for trial, step in wanted_again(plan):
        again.setdefault(trial.id, []).append(step)
    return [
        f"weights of {trial_id} at step {', '.join(map(str, steps))} were removed (keep_weights) and are "
        "asked something new, so the trial is trained again"
        for trial_id, steps in again.items()
    ]


def reopen(plan: Plan, say: Callable[[str], None]) -> None:
    """Prepares dropped checkpoints that are wanted again for being trained anew.

    Resumable states after them are removed: who resumes there would not come by. A marker that is still
    `dropped` shows that no such state is newer than the last removal.
    """
    for note in notes(plan):
        say(f"note: {note}")
    for trial, step in wanted_again(plan):
        for owner in {trial.owner(step), trial.owner(trial.steps)}:
            for name in plan.storage.names(layout.resume(owner)):
                if layout.step_of(name) >= step:
                    plan.storage.delete_folder(f"{layout.resume(owner)}/{name}")
        _mark(plan, trial, step, dropped=True, wanted=True)


def _kept(plan: Plan) -> set[str]:
    """Folders that a log-spaced subset keeps, counting every trial of the sweep, also those not run now."""
    every = plan.sweep.trials(lambda model: plan.bases[model.label].identity)
    ours = [trial for trial in every if trial.given is None]
    return {folder(trial, step) for trial in ours for step in log_spaced(trial.checkpoint_steps)}


def _mark(plan: Plan, trial: Trial, step: int, **facts: bool) -> None:
    path = layout.checkpoint_marker(trial.owner(step), step)
    plan.storage.write_json(path, plan.storage.read_json(path) | facts)


def _remove_files(plan: Plan, where: str) -> int:
    """Removes all of a checkpoint but its marker; returns the bytes."""
    before = plan.storage.size_bytes(where)
    plan.storage.clear_folder(where, keep=layout.CHECKPOINT_MARKER)
    return before - plan.storage.size_bytes(where)
