"""Ray Data over checkpoints: tasks in, answered cells out. The door of `ray.data`.

Not `ray.data.llm`: it keeps one sample per row, drops the finish reason, and starts an engine per
checkpoint.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data

from rsft import layout
from rsft.generation.endpoint import Endpoint
from rsft.generation.requests import EvalTask
from rsft.generation.settings import Device, actor_resources
from rsft.records import Generation, Problem
from rsft.spec.model import ModelSpec
from rsft.storage import Storage

log = logging.getLogger(__name__)
Batch = dict[str, np.ndarray]


class EngineActor:
    """Owns one engine; turns a task into a row per answered cell."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._storage = Storage(settings["storage"])
        self._cache: str = settings["cache"]
        self._problems: dict[str, list[Problem]] = {}
        self._engine: Any
        if settings.get("endpoint"):
            self._engine = Endpoint(settings["endpoint"], settings["base"])
            return
        from rsft.generation.engine import Engine  # vLLM loads in the actors alone

        self._engine = Engine(
            settings["base"],
            ModelSpec(**settings["model"]),
            settings["device"],
            settings["max_model_tokens"],
        )

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for text in batch["task"]:
            for row in self._answer(EvalTask.read(json.loads(text))):
                yield {"cell": np.array([json.dumps(row)], dtype=object)}

    def _answer(self, task: EvalTask) -> Iterator[dict[str, Any]]:
        """Writes the generations of every cell; yields a row per cell."""
        base = {"owner": task.owner, "trial_id": task.trial_id, "step": task.step}
        open_cells = {cell.folder: cell for cell in task.cells}
        error = ""
        try:
            self._engine.load(self._local(task.weights), task.canary)
            problems = {c.folder: self._load(c.key)[c.first : c.first + c.problems] for c in task.cells}
            old = {c.folder: self._old(c.folder) for c in task.cells}
            have = {folder: {(g.problem, g.sample) for g in kept} for folder, kept in old.items()}
            answered = self._engine.answer(task, problems, have)
            for cell, new in answered if task.stream else list(answered):
                kept = sorted([*old[cell.folder], *new], key=lambda g: (g.problem, g.sample))
                table = pa.Table.from_pylist([asdict(generation) for generation in kept])
                self._storage.write_table(layout.generations(cell.folder), table)
                del open_cells[cell.folder]
                yield base | {"error": "", "restarts": self._engine.restarts} | asdict(cell)
        except Exception as failure:
            # The one broad except of this room: a checkpoint that cannot be answered becomes failed
            # cells with their reason, and the actor goes on with the next checkpoint.
            log.exception("checkpoint %s step %s", task.trial_id, task.step)
            error = f"{type(failure).__name__}: {failure}"
        for cell in open_cells.values():
            yield base | {"error": error, "restarts": self._engine.restarts} | asdict(cell)

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

    def _old(self, folder: str) -> list[Generation]:
        """Answers of an earlier, smaller or interrupted evaluation of the same cell."""
        if not self._storage.exists(layout.generations(folder)):
            return []
        table = self._storage.read_table(layout.generations(folder))
        return [Generation(**row) for row in table.to_pylist()]


class FinishActor:
    """Finishes answered cells while the engines go on."""

    def __init__(self, make: Callable[[], Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
        self._finish = make()

    def __call__(self, batch: Batch) -> Batch:
        done = [json.dumps(self._finish(json.loads(text))) for text in batch["cell"]]
        return {"cell": np.array(done, dtype=object)}


def answer_all(
    tasks: Sequence[EvalTask],
    settings: dict[str, Any],
    finish: Callable[[], Callable[[dict[str, Any]], dict[str, Any]]],
    *,
    device: Device,
    engines: int,
    environment: dict[str, str],
) -> Iterator[dict[str, Any]]:
    """Answers every task on a pool of engine actors and finishes each cell beside it.

    Args:
        tasks: checkpoints of one base model, with their open cells.
        settings: of `EngineActor`: storage, cache, base, model, device, max_model_tokens, and endpoint (the
            address of an OpenAI-compatible server that has the model called `base`; None starts vLLM).
        finish: makes, in an actor of its own, what turns an answered cell's row into its final row;
            grading runs there, off the engines.
        device: of the actors.
        engines: actors in the pool.
        environment: of the actors (see `settings.actor_environment`).

    Yields:
        Final rows, in the order in which cells are done.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its files below the session's logs keep all

    rows = [{"task": json.dumps(task.as_json())} for task in tasks]
    answered = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        EngineActor,
        fn_constructor_args=(settings,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(engines, len(tasks))),
        runtime_env={"env_vars": environment},
        **actor_resources(device),
    )
    finished = answered.map_batches(
        FinishActor,
        fn_constructor_args=(finish,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=1),
        num_cpus=0.5,
    )
    for row in finished.iter_rows():
        yield json.loads(row["cell"])
