"""Which checkpoints have landed, told by their markers."""

from __future__ import annotations

from typing import Any

from rsft import layout
from rsft.errors import StorageError
from rsft.spec.trial import Trial
from rsft.storage import Storage


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
    """Whether there is nothing to train: all checkpoints have landed, or the workers gave up."""
    if storage.exists(layout.stopped(trial.id)):
        return True
    return all(landed(storage, trial, step) for step in trial.checkpoint_steps)
