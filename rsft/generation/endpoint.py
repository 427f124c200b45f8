"""A teacher behind an OpenAI-compatible endpoint, asked as an engine is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

from openai import OpenAI

from rsft.canary import Canary
from rsft.generation.requests import CellRequest, EvalTask, sample_seed
from rsft.records import Generation, Problem

PARALLEL = 32
"""Requests in flight."""

KEY = "RSFT_ENDPOINT_KEY"
"""Environment variable with the endpoint's key; read where the requests are made, never stored."""


class Endpoint:
    """Answers tasks by chat completions; retries are the client's (network faults, 429, 5xx)."""

    restarts = 0

    def __init__(self, address: str, model: str, client: OpenAI | None = None) -> None:
        """Opens no connection yet.

        Args:
            address: such as http://127.0.0.1:8000/v1.
            model: name of the model there.
            client: another client, for tests.
        """
        key = os.environ.get(KEY) or "none"
        self._client = client or OpenAI(base_url=address, api_key=key, max_retries=5, timeout=3_600)
        self._model = model

    def load(self, weights: str, canary: Canary) -> None:
        """Nothing to load: the weights are the endpoint's."""

    def answer(
        self,
        tasks: Sequence[EvalTask],
        problems: Mapping[str, Sequence[Problem]],
        have: Mapping[str, set[tuple[str, int]]],
    ) -> Iterator[tuple[CellRequest, list[Generation]]]:
        """As `rsft.generation.engine.Engine.answer`."""
        cells = [(task, cell) for task in tasks for cell in task.cells]
        found: dict[str, list[Generation]] = {cell.folder: [] for _, cell in cells}
        left = Counter[str]()
        with ThreadPoolExecutor(PARALLEL) as pool:
            asked: dict[Future[Generation], CellRequest] = {}
            for task, cell in cells:
                for problem in problems[cell.folder]:
                    for sample in range(cell.samples):
                        if (problem.id, sample) not in have[cell.folder]:
                            asked[pool.submit(self._ask, task, cell, problem, sample)] = cell
                            left[cell.folder] += 1
                if not left[cell.folder]:
                    yield cell, found[cell.folder]
            try:
                for future in as_completed(asked):
                    cell = asked[future]
                    found[cell.folder].append(future.result())
                    left[cell.folder] -= 1
                    if not left[cell.folder]:
                        yield cell, found[cell.folder]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, task: EvalTask, cell: CellRequest, problem: Problem, sample: int) -> Generation:
        seed = sample_seed(task.seed, cell.benchmark, problem.id, sample)
        done: Any = self._client.chat.completions.create(
            model=self._model,
            messages=[{"role": "user", "content": problem.prompt}],
            temperature=task.temperature,
            top_p=task.top_p,
            max_completion_tokens=cell.max_new_tokens,
            seed=seed,
        )
        choice = done.choices[0]
        text = choice.message.content or ""
        # Servers with a reasoning parser hand the thinking over apart; a trace needs it in its place.
        thinking = getattr(choice.message, "reasoning_content", None)
        return Generation(
            problem=problem.id,
            sample=sample,
            seed=seed,
            text=f"<think>\n{thinking.strip()}\n</think>\n\n{text.lstrip()}" if thinking else text,
            tokens=done.usage.completion_tokens,
            prompt_tokens=done.usage.prompt_tokens,
            finish="length" if choice.finish_reason == "length" else "stop",
        )
