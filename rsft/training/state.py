"""Resumable states: DeepSpeed's own, in a folder that counts once its marker is written.

Ray Train could keep them too, but writes its list of them in place: a kill at that moment would end the trial
for good. A state lies with whoever owns its step: the trial, or the trunk that several lengths share.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch.distributed as dist

from rsft import layout
from rsft.errors import EngineError
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.training.universal import convert

_TAG = "state"
_UNIVERSAL = "universal"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The marker of a resumable state."""

    owner: str
    """Folder of the trial or trunk."""
    step: int
    target_tokens: int
    """Trained on so far."""
    world: int
    """Workers, each with a shard."""
    zero_stage: int
    offload: bool

    def fits(self, trial: Trial, world: int) -> bool:
        """Whether the shards can be loaded as they are. Without ZeRO there is one, whole, for any worker."""
        train = trial.train
        if self.zero_stage == train.zero_stage == 0:
            return True
        return (self.world, self.zero_stage, self.offload) == (world, train.zero_stage, train.offload)


def find(storage: Storage, trial: Trial) -> State | None:
    """The newest state on the trial's path: its own, or the trunk's up to where they part."""
    found: list[State] = []
    for owner, last in ((trial.owner(0), trial.shared_steps), (trial.owner(trial.steps), trial.steps)):
        for name in storage.names(layout.resume(owner)):
            step = layout.step_of(name)
            marker = storage.read_json_or_none(layout.state_marker(owner, step)) if step <= last else None
            if marker is not None:
                found.append(State(**marker))
    return max(found, key=lambda state: state.step, default=None)


def save(engine: Any, storage: Storage, state: State, rank: int) -> None:
    """Writes the state of all workers, marker last, then removes older ones. A collective."""
    folder = layout.state(state.owner, state.step)
    if rank == 0:
        storage.delete_folder(folder)  # what a killed attempt left there
    dist.barrier()
    if storage.is_local:
        engine.save_checkpoint(storage.path(folder), tag=_TAG, save_latest=False)
    else:
        with tempfile.TemporaryDirectory(prefix="rsft-state-") as local:
            engine.save_checkpoint(local, tag=_TAG, save_latest=False)
            for file in sorted(p for p in Path(local).rglob("*") if p.is_file()):
                storage.write_file(f"{folder}/{file.relative_to(local).as_posix()}", file)
    dist.barrier()
    if rank == 0:
        storage.write_json(layout.state_marker(state.owner, state.step), asdict(state))
        for name in storage.names(layout.resume(state.owner)):
            if layout.step_of(name) < state.step:
                storage.delete_folder(f"{layout.resume(state.owner)}/{name}")


def load(engine: Any, storage: Storage, state: State, trial: Trial, rank: int, world: int) -> None:
    """Puts a state into an engine that was built with `universal=not state.fits(...)`. A collective.

    Raises:
        EngineError: shards of other hardware cannot be converted, or one of both has no ZeRO.
    """
    folder = layout.state(state.owner, state.step)
    tag = _TAG
    if not state.fits(trial, world):
        if 0 in (state.zero_stage, trial.train.zero_stage):
            raise EngineError(
                f"the resumable state of {state.owner} was written with zero_stage={state.zero_stage}, and "
                f"DeepSpeed cannot go on from it with zero_stage={trial.train.zero_stage}; set zero_stage="
                f"{state.zero_stage} again, or delete its resume folder to train from the start."
            )
        tag = _UNIVERSAL
        if rank == 0:
            _convert(storage, folder, state)
        dist.barrier()
    with tempfile.TemporaryDirectory(prefix="rsft-state-") as cache:
        engine.load_checkpoint(storage.local_folder(folder, cache), tag=tag)


def _convert(storage: Storage, folder: str, state: State) -> None:
    """Adds the universal form of a state, beside its shards."""
    with tempfile.TemporaryDirectory(prefix="rsft-state-") as cache:
        source = Path(storage.local_folder(folder, cache)) / _TAG
        with tempfile.TemporaryDirectory(prefix="rsft-universal-") as target:
            convert(source, Path(target) / _UNIVERSAL, state.owner)
            for file in sorted(p for p in Path(target).rglob("*") if p.is_file()):
                storage.write_file(f"{folder}/{file.relative_to(target).as_posix()}", file)
