"""What a sweep consists of, and what of it is done. Reads, starts nothing."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rsft import layout
from rsft.bases import Base, resolve
from rsft.benchmarks.cards import HubProblems
from rsft.checkpoints import marker
from rsft.errors import SpecError
from rsft.spec.base import content_hash
from rsft.spec.data import GivenCheckpoint, HubRows
from rsft.spec.model import ModelSpec
from rsft.spec.sweep import SweepSpec
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.questions import Question, questions
from rsft.sweep.snapshot import Snapshot
from rsft.training import ulysses
from rsft.training.memory import Shape

State = Literal["done", "failed", "open"]
LARGE = ("estimates", "canary")
"""Fields of markers that no state depends on."""


class Cell(NamedTuple):
    """One (weights, step, benchmark) that is computed once; a base's cells serve all its trials."""

    owner: str
    step: int
    question: Question
    folder: str

    @classmethod
    def of(cls, owner: str, step: int, question: Question) -> Cell:
        # Given weights have a place of their own, whichever run and step they are taken for.
        own = 0 if owner.startswith(f"{layout.BASES}/") else step
        return cls(owner, step, question, layout.cell(owner, question.key, own))


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep against its storage, at the moment it was made."""

    sweep: SweepSpec
    storage: Storage
    trials: tuple[Trial, ...]
    bases: dict[str, Base]
    """By model label."""
    given: dict[str, Base]
    """By source, of checkpoints that were trained elsewhere."""
    questions: tuple[Question, ...]
    notes: list[str] = field(default_factory=list)
    """What a reader should know, such as an unpinned base."""
    _base_folders: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    _cells: dict[str, tuple[Cell, ...]] = field(default_factory=dict, repr=False, compare=False)

    def at_once(self, *, results: bool = False) -> Plan:
        """The same plan on all its markers as they are now, read in one go: for questions about all of it.

        Args:
            results: keep estimates and canaries, and read the trials' records too.
        """
        if isinstance(self.storage, Snapshot) and not (results and self.storage.without):
            return self
        files = [
            layout.checkpoint_marker(trial.owner(step), step)
            for trial in self.trials
            if trial.given is None
            for step in trial.checkpoint_steps
        ]
        files += [layout.cell_marker(cell.folder) for trial in self.trials for cell in self.cells(trial)]
        files += [layout.trial_record(trial.id) for trial in self.trials if results]
        return replace(self, storage=Snapshot(self.storage, files, () if results else LARGE))

    def base_folder(self, model: ModelSpec) -> str:
        """Where the untrained base's own cells lie, relative to the storage root."""
        if model.label not in self._base_folders:
            base = self.bases[model.label]
            self._base_folders[model.label] = weights_folder(model.label, base.identity, model)
        return self._base_folders[model.label]

    def weights(self, trial: Trial, step: int) -> Base | None:
        """Of the untrained base, or of a checkpoint that was trained elsewhere; None for one of ours."""
        if step == 0:
            return self.bases[trial.model.label]
        sources = {checkpoint.step: checkpoint.source for checkpoint in trial.given or ()}
        return self.given[sources[step]] if step in sources else None

    def owner(self, trial: Trial, step: int) -> str:
        """Folder that a step's cells lie under: the weights' where they were not trained here, else the
        trunk's or the trial's own."""
        if step == 0:
            return self.base_folder(trial.model)
        base = self.weights(trial, step)
        if base is None:
            return trial.owner(step)
        return weights_folder(Path(base.source).name, base.identity, trial.model)

    def cells(self, trial: Trial) -> tuple[Cell, ...]:
        """All cells of a trial, step 0 included, in order of steps."""
        if trial.id not in self._cells:
            self._cells[trial.id] = tuple(
                Cell.of(owner, step, question)
                for step in (0, *trial.checkpoint_steps)
                for owner in (self.owner(trial, step),)
                for question in self.questions
            )
        return self._cells[trial.id]

    def asking(self, samples: Mapping[str, int]) -> Plan:
        """The same plan of some of its cells alone, each asked so many samples of its problems.

        Args:
            samples: by folder; never more than the page asks.
        """
        cells = {
            trial.id: tuple(
                cell._replace(question=replace(cell.question, samples=samples[cell.folder]))
                for cell in self.cells(trial)
                if cell.folder in samples
            )
            for trial in self.trials
        }
        return replace(self, _cells=cells)

    def checkpoint_state(self, trial: Trial, step: int) -> Literal["landed", "dropped", "open"]:
        """`dropped`: its weights were removed, and no cell is open that would need them."""
        if trial.given is not None:
            return "landed"
        found = marker(self.storage, trial, step)
        if found is None or not found.get("dropped"):
            return "open" if found is None else "landed"
        return "dropped" if self.answered(trial, step) else "open"

    def answered(self, trial: Trial, step: int) -> bool:
        """Whether every question of the sweep is answered at a step."""
        return all(self.cell_state(cell) == "done" for cell in self.cells(trial) if cell.step == step)

    def trial_state(self, trial: Trial) -> State:
        if all(self.checkpoint_state(trial, step) != "open" for step in trial.checkpoint_steps):
            return "done"
        return "failed" if self.storage.exists(layout.failure(trial.id)) else "open"

    def cell_state(self, cell: Cell) -> State:
        marker = self.storage.read_json_or_none(layout.cell_marker(cell.folder))
        if marker is None:
            return "open"
        if marker["error"] or marker["errors"]:
            return "failed"
        return "done" if cell.question.answered_by(marker) else "open"

    def scored(self, cell: Cell) -> bool:
        """Whether a cell has scores: of all samples that are asked, or of some (`Question.scored_by`)."""
        marker = self.storage.read_json_or_none(layout.cell_marker(cell.folder))
        return marker is not None and cell.question.scored_by(marker)


def make_plan(sweep: SweepSpec, storage: Storage, only: str = "*") -> Plan:
    """Resolves bases and benchmarks and expands the grid.

    Args:
        sweep: the page.
        storage: of the sweep; need not exist.
        only: glob on trial ids, for running a part.

    Raises:
        SpecError: an unknown benchmark, a glob that matches no trial, or `sequence_parallel` that a base's
            attention heads cannot be cut by.
        ModelError: a base that cannot be used.
    """
    asked = questions(sweep.evaluation)
    bases = {model.label: resolve(model) for model in sweep.models}
    given = {
        one.source: given_base(one, model)
        for model in sweep.models
        for run in sweep.given
        if run.model == model.label
        for one in run.checkpoints
    }
    every = tuple(sweep.trials(lambda model: bases[model.label].identity))
    trials = tuple(trial for trial in every if fnmatch.fnmatch(trial.id, only))
    if not trials:
        raise SpecError(f"--only {only!r} matches none of the {len(every)} trials; see `rsft plan`.")
    for label, train in {(t.model.label, t.train) for t in trials if t.train.sequence_parallel > 1}:
        if (shape := Shape.read(bases[label].source)) is not None:
            ulysses.check(train, shape.heads, shape.kv_heads)
    notes = [f"base {label} is not pinned to a revision" for label, b in bases.items() if not b.pinned]
    notes += [
        f"rows of {source.dataset} for variant {data.name} are not pinned to a revision"
        for data in sweep.data
        for source in data.sources
        if isinstance(source, HubRows) and source.revision is None
    ]
    notes += [
        f"problems of {one.card.name} ({one.card.source.dataset}) are not pinned to a revision"
        for one in asked
        if isinstance(one.card.source, HubProblems) and one.card.source.revision is None
    ]
    notes += _over_context(bases, asked, sweep.evaluation.max_model_tokens)
    return Plan(sweep, storage, trials, bases, given, asked, notes)


def _over_context(bases: Mapping[str, Base], asked: Sequence[Question], engine: int | None) -> list[str]:
    found = []
    for label, base in bases.items():
        context = min((size for size in (engine, base.context_tokens) if size), default=None)
        over = [one for one in asked if context and one.max_new_tokens > context]
        if over:
            found.append(
                f"the context of {label} is {context:,} tokens, prompt included, and answers are cut there: "
                f"{', '.join(f'{one.card.name} allows {one.max_new_tokens:,}' for one in over)}"
            )
    return found


def given_base(checkpoint: GivenCheckpoint, model: ModelSpec) -> Base:
    """The weights of a run that was trained elsewhere, from `model`.

    Raises:
        ModelError: a folder that cannot be used.
    """
    if checkpoint.identity is None:
        return resolve(ModelSpec(source=checkpoint.source, chat_template=model.chat_template))
    return Base(checkpoint.source, checkpoint.identity, None, None, pinned=True)


def weights_folder(name: str, identity: str, model: ModelSpec) -> str:
    """Where cells of weights that were not trained here lie, relative to the storage root.

    Args:
        name: of the weights, for eyes.
        identity: pins them.
        model: says how a conversation is written.
    """
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lower()
    return layout.base(f"{slug}__{content_hash([identity, model.chat_template, model.end_marker])}")


def status(plan: Plan) -> dict[str, Any]:
    """Counts of done, failed and open trials and cells, and each failure with its next action."""
    plan = plan.at_once()
    trials: dict[State, int] = {"done": 0, "failed": 0, "open": 0}
    cells: dict[State, int] = {"done": 0, "failed": 0, "open": 0}
    failures: list[dict[str, Any]] = []
    known: dict[str, State] = {}
    for trial in plan.trials:
        state = plan.trial_state(trial)
        trials[state] += 1
        if state == "failed":
            record = plan.storage.read_json(layout.failure(trial.id))
            failures.append({"trial": trial.id, "what": "training", **record})
        for cell in plan.cells(trial):
            folder = cell.folder
            if folder in known:
                cells[known[folder]] += 1
                continue
            known[folder] = state = plan.cell_state(cell)
            cells[state] += 1
            if state == "failed":
                failures.append(_cell_failure(plan, trial, cell))
    return {"trials": trials, "cells": cells, "failures": failures}


def complete(plan: Plan) -> bool:
    """Whether nothing of a sweep is left to do."""
    counts = status(plan)
    return all(what["done"] == sum(what.values()) for what in (counts["trials"], counts["cells"]))


def _cell_failure(plan: Plan, trial: Trial, cell: Cell) -> dict[str, Any]:
    marker = plan.storage.read_json_or_none(layout.cell_marker(cell.folder))
    what = f"evaluation {cell.question.card.name} step {cell.step}"
    if marker["error"]:
        return {"trial": trial.id, "what": what} | classify(marker["error"])
    return {
        "trial": trial.id,
        "what": what,
        "kind": "grader error",
        "message": f"{marker['errors']} of {marker['answers']} answers could not be graded "
        f"({marker['first_error']})",
        "next": "run again: answers are kept, only grading is repeated",
    }


_KINDS: Sequence[tuple[str, str, str]] = (
    (
        r"out of memory|OutOfMemory|OOM",
        "out of memory",
        "lower micro_batch_tokens or raise zero_stage",
    ),
    (r"loss is (nan|inf|-inf)", "bad data", "lower the learning rate, or look at the named rows"),
    (r"No space left", "disk full", "make space, then run again"),
    (r"canary", "engine death", "delete the named checkpoint folder, then run again"),
    (r"DataError", "bad data", "mend the data as the message says, then run again"),
    (r"NodeDied|node.*(died|lost)|ActorUnavailable|preempt", "lost node", "run again"),
    (
        r"EngineDead|EngineCore|WorkerCrashed|ActorDied",
        "engine death",
        "run again; see the logs folder",
    ),
    (r"KeyboardInterrupt|interrupted", "user stop", "run again"),
)


def classify(message: str) -> dict[str, str]:
    """A failure's kind, its message on one line, and the one next action."""
    line = " ".join(message.split())[:500]
    for pattern, kind, action in _KINDS:
        if re.search(pattern, message, re.IGNORECASE):
            return {"kind": kind, "message": line, "next": action}
    return {"kind": "unknown", "message": line, "next": "see the logs folder, then run again"}
