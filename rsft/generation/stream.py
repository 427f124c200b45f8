"""Ray Data over checkpoints: tasks in, answered cells out. The door of `ray.data`.

Not `ray.data.llm`: it keeps one sample per row, drops the finish reason, and starts an engine per
checkpoint.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import ray
import ray.data
from ray.exceptions import RayError

from rsft import layout
from rsft.errors import EngineError
from rsft.generation import parts
from rsft.generation.endpoint import Endpoint
from rsft.generation.requests import CellRequest, EvalTask, convoys, split
from rsft.generation.settings import Device, actor_environment, actor_resources
from rsft.imports import without_unused
from rsft.records import Problem
from rsft.spec.model import ModelSpec
from rsft.storage import Storage

log = logging.getLogger(__name__)
Batch = dict[str, np.ndarray]

PART_ANSWERS = 4_096
"""Answers that an engine is asked for at once, that wait in memory, and that are repeated when it dies."""


class EngineActor:
    """Owns one engine; turns a task into a row per part of a cell."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._storage = Storage(settings["storage"])
        self._cache: str = settings["cache"]
        self._problems: dict[str, list[Problem]] = {}
        here = ray.get_runtime_context()
        self._life = (here.get_actor_id(), here.get_worker_id())
        # Ray starts an actor anew whose process has died, and gives it the task again.
        self._died = here.was_current_actor_reconstructed
        self._engine: Any
        if settings.get("endpoint"):
            self._engine = Endpoint(settings["endpoint"], settings["base"])
            return
        # Not as the actor's runtime environment: Ray starts a new process for each of those, where it has
        # idle ones that can be taken.
        os.environ.update(actor_environment(settings["device"]))
        with without_unused(settings["device"]):
            from rsft.generation.engine import Engine  # vLLM loads in the actors alone

        self._engine = Engine(
            settings["base"],
            ModelSpec(**settings["model"]),
            settings["device"],
            settings["max_model_tokens"],
            settings["tensor_parallel"],
            settings["adapters"],
            settings["rank"],
        )

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for text in batch["tasks"]:
            for row in self._answer([EvalTask.read(values) for values in json.loads(text)]):
                yield {"cell": np.array([json.dumps(row)], dtype=object)}

    def _answer(self, tasks: list[EvalTask]) -> Iterator[dict[str, Any]]:
        """Writes the new answers of every part; yields a row per part."""
        owners = {
            cell.folder: {"owner": task.owner, "trial_id": task.trial_id, "step": task.step}
            for task in tasks
            for cell in task.cells
        }
        open_cells = [cell for task in tasks for cell in task.cells]
        restarts, died, self._died = self._engine.restarts, self._died, False
        error = ""

        def row(cell: CellRequest) -> dict[str, Any]:
            lived = {"restarts": self._engine.restarts - restarts, "life": self._life, "died": died}
            return owners[cell.folder] | {"error": error} | lived | asdict(cell)

        try:
            tasks = [self._ready(task) for task in tasks]
            problems = {c.folder: self._load(c.key)[c.first : c.first + c.problems] for c in open_cells}
            have = {c.folder: parts.known(self._storage, c.folder) for c in open_cells}
            answered = self._engine.answer(tasks, problems, have)
            for cell, new in answered if tasks[0].stream else list(answered):
                parts.write(self._storage, cell, sorted(new, key=lambda g: (g.problem, g.sample)))
                open_cells.remove(cell)
                yield row(cell)
        except Exception as failure:
            # The one broad except of this room: a checkpoint that cannot be answered becomes failed
            # cells with their reason, and the actor goes on with the next checkpoint.
            names = ", ".join(f"{task.trial_id} step {task.step}" for task in tasks)
            log.exception("checkpoint %s", names)
            error = f"{type(failure).__name__}: {failure}"
        for cell in open_cells:
            yield row(cell)

    def _ready(self, task: EvalTask) -> EvalTask:
        """The task with what it names on this machine, loaded."""
        if task.adapter is None:
            self._engine.load(self._local(task.weights), task.canary)
            return task
        self._engine.load(self._local(task.adapter.base), task.adapter.base_canary)
        adapter = replace(task.adapter, folder=self._local(task.adapter.folder))
        self._engine.adopt(adapter.folder, task.canary)
        return replace(task, adapter=adapter)

    def _local(self, weights: str) -> str:
        if "://" not in weights:
            return weights
        relative = weights.removeprefix(self._storage.root).lstrip("/")
        return self._storage.local_folder(relative, self._cache)

    def _load(self, key: str) -> list[Problem]:
        if key not in self._problems:
            rows = self._storage.read_lines(layout.problems(key))
            self._problems[key] = [Problem(**row) for row in rows]
        return self._problems[key]


class FinishActor:
    """Finishes cells whose last part has been answered, while the engines go on."""

    def __init__(self, storage: str, make: Callable[[], Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
        self._storage = Storage(storage)
        self._finish = make()
        self._ids: dict[str, list[str]] = {}
        self._restarts = parts.Restarts()

    def __call__(self, batch: Batch) -> Batch:
        done = [json.dumps(row) for text in batch["cell"] if (row := self._finished(json.loads(text)))]
        return {"cell": np.array(done, dtype=object)}

    def _finished(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """The final row of a cell; None while parts of it are open."""
        cell = CellRequest(**{name: row[name] for name in CellRequest.__dataclass_fields__})
        restarts = self._restarts.count(row)
        if not row["error"]:
            if cell.key not in self._ids:
                self._ids[cell.key] = [p["id"] for p in self._storage.read_lines(layout.problems(cell.key))]
            if not parts.gather(self._storage, cell, self._ids[cell.key]):
                return None
        whole = {"problems": cell.total or cell.problems, "restarts": restarts}
        return self._finish(row | whole)


def answer_all(
    tasks: Sequence[EvalTask],
    settings: dict[str, Any],
    finish: Callable[[], Callable[[dict[str, Any]], dict[str, Any]]],
    *,
    device: Device,
    engines: int,
) -> Iterator[dict[str, Any]]:
    """Answers every task on a pool of engine actors and finishes each cell beside it.

    Args:
        tasks: checkpoints of one base model, with their open cells.
        settings: of `EngineActor`: storage, cache, base, model, device, max_model_tokens, tensor_parallel,
            adapters (LoRA checkpoints at the same time), rank (of theirs the highest, or 0), endpoint (the
            address of an OpenAI-compatible server that has the model called `base`; None starts vLLM).
        finish: makes, in an actor of its own, what turns an answered cell's row into its final row;
            grading runs there, off the engines.
        device: of the actors.
        engines: actors in the pool.

    Yields:
        Final rows, in the order in which cells are done.

    Raises:
        EngineError: no engine could be started, or no grader.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its files below the session's logs keep all

    small = [part for task in tasks for part in split(task, PART_ANSWERS)]
    rows = [
        {"tasks": json.dumps([task.as_json() for task in convoy])}
        for convoy in convoys(small, settings["adapters"])
    ]
    answered = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        EngineActor,
        fn_constructor_args=(settings,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(engines, len(rows))),
        **actor_resources(device, settings["tensor_parallel"]),
    )
    finished = answered.map_batches(
        FinishActor,
        fn_constructor_args=(settings["storage"], finish),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=1),
        num_cpus=0.5,
    )
    seen: set[str] = set()  # a cell fails with each of its parts
    try:
        for item in finished.iter_rows():
            row = json.loads(item["cell"])
            if row["folder"] not in seen:
                seen.add(row["folder"])
                yield row
    except RayError as error:
        # It holds the worker's whole traceback, as its log does; what went wrong first is why.
        why = re.search(r"^\s*[\w.]+(Error|Exception): .*(\n.+)*", str(error), re.MULTILINE)
        raise EngineError(
            f"the engines of {settings.get('base')!r} or their graders ended "
            f"({' '.join((why[0] if why else str(error)).split()):.300}); mend that, or see the logs folder, "
            "then run again: answers are kept."
        ) from None
