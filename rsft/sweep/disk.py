"""Room on disk: what a run still has to write, whether that fits, and one sentence when it did not."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rsft.bases import Base
from rsft.errors import StorageError
from rsft.spec.trial import Trial
from rsft.storage import Storage, existing, out_of_space
from rsft.sweep.plan import Plan
from rsft.sweep.room import Cluster, trials_at_once

WEIGHT_BYTES = 2
"""Per parameter of an exported checkpoint in bf16, for a base whose files are not here."""
RESUME_BYTES = 16
"""Per parameter of a resumable state, at most: fp32 weights, their copy in the optimizer, two moments."""
GENERATION_BYTES = 1_500
"""Per answer, compressed, with its score; measured on nano models, more for long traces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Bytes that a run still writes."""

    checkpoints: int
    """How many are open."""
    weights: int
    states: int
    """The largest resumable states at once, each beside its predecessor, and one per trunk."""
    answers: int
    staging: int
    """Exports on their way, in the folder for temporary files."""
    unknown: tuple[str, ...]
    """Labels of bases whose size is not known; nothing of theirs is counted."""

    @property
    def total(self) -> int:
        """In the storage."""
        return self.weights + self.states + self.answers


def weight_bytes(base: Base) -> int | None:
    """Size of one exported checkpoint; None when the base's size is not known."""
    files = sorted(Path(base.source).glob("*.safetensors")) if os.path.isdir(base.source) else []
    if files:
        return sum(file.stat().st_size for file in files)
    return None if base.parameters is None else base.parameters * WEIGHT_BYTES


def need(plan: Plan) -> Need:
    """What is still to be written for all that is open of a plan."""
    plan = plan.at_once()
    sizes = {label: weight_bytes(base) for label, base in plan.bases.items()}
    open_trials = [trial for trial in plan.trials if plan.trial_state(trial) != "done"]
    missing = {
        (trial.owner(step), step): sizes[trial.model.label] or 0
        for trial in open_trials
        for step in trial.checkpoint_steps
        if plan.checkpoint_state(trial, step) == "open"
    }
    cells = {cell.folder: cell for trial in plan.trials for cell in plan.cells(trial)}
    asked = [cell.question for cell in cells.values() if plan.cell_state(cell) == "open"]
    at_once = _at_once(plan, open_trials)
    states = [_state_bytes(trial, plan.bases[trial.model.label]) for trial in open_trials]
    side_by_side = [state * _states_at_once(trial) for trial, state in zip(open_trials, states, strict=True)]
    running = sum(sorted(side_by_side, reverse=True)[:at_once])
    trunks = {trial.trunk: state for trial, state in zip(open_trials, states, strict=True) if trial.trunk}
    largest = max((sizes[trial.model.label] or 0 for trial in open_trials), default=0)
    return Need(
        checkpoints=len(missing),
        weights=sum(missing.values()),
        states=running + sum(trunks.values()),
        answers=sum(q.problems * q.samples for q in asked) * GENERATION_BYTES,
        staging=at_once * largest,
        unknown=tuple(sorted({t.model.label for t in open_trials if sizes[t.model.label] is None})),
    )


def check_room(plan: Plan, say: Callable[[str], None]) -> None:
    """Refuses to begin what a local storage cannot hold.

    Args:
        plan: of the sweep, or of the part that is run.
        say: told what is not known.

    Raises:
        StorageError: less room than the run needs.
    """
    needed = need(plan)
    if needed.unknown:
        labels = ", ".join(needed.unknown)
        say(f"note: size of {labels} not known (ModelSpec.parameters), so the disk may be too small")
    if not plan.storage.is_local:
        return
    here, staged = existing(plan.storage.root), existing(tempfile.gettempdir())
    together = here.stat().st_dev == staged.stat().st_dev
    wanted = needed.total + (needed.staging if together else 0)
    free = shutil.disk_usage(here).free
    if wanted > free:
        parts = [(needed.weights, f"weights of {needed.checkpoints} checkpoints")]
        parts += [(needed.states, "resumable states"), (needed.answers, "answers")]
        parts += [(needed.staging, "exports on their way")] if together else []
        sizes = ", ".join(f"{what} {gigabytes(size)}" for size, what in parts if size)
        raise StorageError(
            f"the disk of storage {plan.storage.root!r} has {gigabytes(free)} free, and this run needs "
            f"about {gigabytes(wanted)} ({sizes}); make space, list fewer evaluation.checkpoint_steps, "
            "give another --storage, or run it in parts with --only and keep_weights='until-evaluated'."
        )
    if not together and needed.staging > (left := shutil.disk_usage(staged).free):
        raise StorageError(
            f"the folder for temporary files {str(staged)!r} has {gigabytes(left)} free, and exports on "
            f"their way need about {gigabytes(needed.staging)}; make space there, or name another in TMPDIR."
        )


@contextmanager
def one_sentence_when_full(storage: Storage) -> Iterator[None]:
    """Ends a run whose disk is full with what to do about it, whoever noticed.

    Raises:
        StorageError: no space was left.
    """
    try:
        yield
    except Exception as error:
        if not out_of_space(error):
            raise
        raise full(storage) from error


def full(storage: Storage) -> StorageError:
    """The error of a run whose disk is full."""
    room = f" ({gigabytes(shutil.disk_usage(existing(storage.root)).free)} free)" if storage.is_local else ""
    return StorageError(
        f"the disk of storage {storage.root!r} is full{room}; the sweep stopped there, what is done is kept "
        "and what was half-written is gone: make space, then run again to go on."
    )


def gigabytes(size: int) -> str:
    """Bytes for the eye."""
    return f"{size / 1e9:,.1f} GB" if size >= 5e7 else f"{size / 1e6:,.1f} MB"


def _at_once(plan: Plan, trials: Sequence[Trial]) -> int:
    """Trials that run at the same time, as far as that is known before a cluster is."""
    if not trials:
        return 0
    most = plan.sweep.concurrent_trials
    if most is None:
        # GPUs are not known yet, so one trial at a time is the least that will be needed.
        here = Cluster(cpus=os.cpu_count() or 1, gpus=0, local=True)
        most = trials_at_once([trial.train for trial in trials], here)
    return min(most, len(trials))


def _state_bytes(trial: Trial, base: Base) -> int:
    """Of one resumable state."""
    per_parameter = 2 * WEIGHT_BYTES if trial.train.lora else RESUME_BYTES  # adapters' own moments are small
    return per_parameter * (base.parameters or 0)


def _states_at_once(trial: Trial) -> int:
    """States of a trial that lie side by side: the newest, and the one before it until that is complete."""
    return min(2, (trial.steps - 1) // trial.train.resume_every_steps)
