"""Which checkpoints have landed, told by their markers."""

from __future__ import annotations

from typing import Any

from rsft import layout
from rsft.errors import StorageError
from rsft.spec.trial import Trial
from rsft.storage import Storage, out_of_space


def folder(trial: Trial, step: int) -> str:
    """Where the weights of a step lie."""
    return layout.checkpoint(trial.owner(step), step)


def marker(storage: Storage, trial: Trial, step: int) -> dict[str, Any] | None:
    """The record of a checkpoint, its canary included; None while it has not landed.

    Raises:
        StorageError: the folder was written for something else, such as a copy of another trial's.
    """
    found = storage.read_json_or_none(layout.checkpoint_marker(trial.owner(step), step))
    if found is not None and found["path"] != folder(trial, step):
        raise StorageError(
            f"checkpoint folder {storage.path(folder(trial, step))!r} was written as {found['path']!r}; "
            "move it back there, or delete it, then run again."
        )
    return None if found is None else dict(found)


def landed(storage: Storage, trial: Trial, step: int) -> bool:
    """Whether the weights of a step are there."""
    found = marker(storage, trial, step)
    return found is not None and not found.get("dropped")


def over(storage: Storage, trial: Trial) -> bool:
    """Whether there is nothing to train: no checkpoint is due, or the workers gave up."""
    if storage.exists(layout.stopped(trial.id)):
        return True
    return not any(due(storage, trial, step) for step in trial.checkpoint_steps)


def due(storage: Storage, trial: Trial, step: int) -> bool:
    """Whether training must write the weights of a step: they never landed, or were dropped and are wanted
    again. Dropped weights with nothing open need not come back.
    """
    found = marker(storage, trial, step)
    return found is None or bool(found.get("wanted"))


def disk_full(storage: Storage, trial: Trial) -> bool:
    """Whether the workers gave up for want of room, where the next trial would fail as well."""
    stopped = storage.read_json_or_none(layout.stopped(trial.id))
    return stopped is not None and out_of_space(stopped["message"])


def remove_half_written_states(storage: Storage, trial: Trial) -> None:
    """Removes resumable states on a trial's path that have no marker."""
    for owner in {trial.owner(0), trial.owner(trial.steps)}:
        for name in storage.names(layout.resume(owner)):
            if not storage.exists(layout.state_marker(owner, layout.step_of(name))):
                storage.delete_folder(f"{layout.resume(owner)}/{name}")


def remove_half_written(storage: Storage, trial: Trial) -> None:
    """Removes states and checkpoints without a marker. Nobody may be writing them."""
    remove_half_written_states(storage, trial)
    for step in trial.checkpoint_steps:
        if marker(storage, trial, step) is None:
            storage.delete_folder(folder(trial, step))
