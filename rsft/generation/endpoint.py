"""A teacher behind an OpenAI-compatible endpoint, asked as an engine is."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from openai import OpenAI, OpenAIError

from rsft.canary import Canary
from rsft.errors import EngineError
from rsft.generation.requests import CellRequest, EvalTask, sample_seed
from rsft.records import FinishReason, Generation, Problem

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
        """As `rsft.generation.engine.Engine.answer`.

        Raises:
            EngineError: an answer was not to be had, once all others have been yielded; or as many in a row
                as are in flight, and nothing more is asked.
        """
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
            broken: dict[str, str] = {}
            in_a_row = 0
            try:
                for future in as_completed(asked):
                    cell = asked[future]
                    try:
                        found[cell.folder].append(future.result())
                        in_a_row = 0
                    except EngineError as error:
                        # The others' answers are paid for: this cell alone is left open.
                        broken.setdefault(cell.folder, str(error))
                        in_a_row += 1
                        if in_a_row == PARALLEL:
                            raise
                    left[cell.folder] -= 1
                    if not left[cell.folder] and cell.folder not in broken:
                        yield cell, found[cell.folder]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        if broken:
            raise EngineError(next(iter(broken.values())))

    def _ask(self, task: EvalTask, cell: CellRequest, problem: Problem, sample: int) -> Generation:
        seed = sample_seed(task.seed, cell.benchmark, problem.id, sample)
        try:
            reply = self._client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=[{"role": "user", "content": problem.prompt}],
                temperature=task.temperature,
                top_p=task.top_p,
                max_completion_tokens=cell.max_new_tokens,
                seed=seed,
            )
            text, tokens, prompt_tokens, finish = read(reply.content)
        except (OpenAIError, EngineError) as error:
            said = " ".join(str(error).split())
            if key := os.environ.get(KEY):
                said = said.replace(key, "(the key)")  # some servers repeat what they refuse
            raise EngineError(
                f"endpoint {self._client.base_url} did not answer problem {problem.id} ({said:.240})."
            ) from None
        return Generation(
            problem=problem.id,
            sample=sample,
            seed=seed,
            text=text,
            tokens=tokens,
            prompt_tokens=prompt_tokens,
            finish=finish,
        )


FINISH: dict[str, FinishReason] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length"), "length"),
}
"""What servers call the two ends that an answer may have. Any other, such as a content filter's, left a text
that is not the model's answer."""


def read(body: bytes) -> tuple[str, int, int, FinishReason]:
    """Text, its tokens, the prompt's, and how it ended, of a chat completion.

    Servers with a reasoning parser hand the thinking over apart (`reasoning_content`, in newer ones
    `reasoning`); a trace needs it in its place, and unclosed where the limit cut it.

    Raises:
        EngineError: something of that is missing. Tokens are not guessed: lengths are results.
    """
    try:
        reply = json.loads(body)
        choice = reply["choices"][0]
        message, ended = choice["message"], choice.get("finish_reason")
        text = message.get("content") or ""
        thinking = message.get("reasoning_content") or message.get("reasoning") or ""
        tokens, prompt_tokens = (
            (reply.get("usage") or {}).get(name) for name in ("completion_tokens", "prompt_tokens")
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        said = body[:100].decode("utf-8", "replace")
        raise EngineError(f"its reply is no chat completion: {said!r}") from None
    if not isinstance(ended, str) or ended not in FINISH:
        raise EngineError(f"its answer ended with finish_reason {ended!r}, not by itself or at the limit")
    if not isinstance(text, str) or not isinstance(thinking, str):
        raise EngineError(f"its answer is no text but {text or thinking!r:.80}")
    if not isinstance(tokens, int) or not isinstance(prompt_tokens, int):
        raise EngineError(
            "its reply has no usage with completion_tokens and prompt_tokens; have it report them"
        )
    if thinking:
        end = "" if FINISH[ended] == "length" and not text else f"\n</think>\n\n{text.lstrip()}"
        text = f"<think>\n{thinking.strip()}{end}"
    return text, tokens, prompt_tokens, FINISH[ended]
