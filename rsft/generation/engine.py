"""One warm vLLM engine that many checkpoints pass through. The door of vLLM.

A checkpoint is swapped in place (hundredths of a second for a small model, against many seconds for a
new engine) and the swap is proven before anything is asked: the log-probabilities of a fixed text must
be those that the checkpoint's own export recorded.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vllm import LLM, SamplingParams, TokensPrompt
from vllm.distributed.parallel_state import cleanup_dist_env_and_memory
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind

from rsft.canary import Canary, distance
from rsft.data.template import load_tokenizer, user_prompt_ids
from rsft.errors import EngineError
from rsft.generation.nucleus import MASS, Nucleus
from rsft.generation.requests import (
    CellRequest,
    EvalTask,
    sample_seed,
    token_budget,
)
from rsft.generation.settings import ADAPTER_TOLERANCE, CANARY_TOLERANCE, Device, engine_arguments
from rsft.records import Generation, Problem
from rsft.spec.model import ModelSpec

log = logging.getLogger(__name__)


class Engine:
    """An engine for all checkpoints of one base model."""

    def __init__(
        self,
        base: str,
        model: ModelSpec,
        device: Device,
        max_model_tokens: int | None,
        tensor_parallel: int = 1,
        adapters: int = 1,
        rank: int = 0,
    ) -> None:
        """Starts with the base.

        Args:
            base: folder or hub id.
            model: for its tokenizer.
            device: of the engine.
            max_model_tokens: context; None means the model's own.
            tensor_parallel: GPUs.
            adapters: LoRA checkpoints served at the same time.
            rank: the highest of theirs; 0 for none.
        """
        self._device = device
        self._settings = (device, max_model_tokens, tensor_parallel, adapters, rank)
        self._adapters: dict[str, LoRARequest] = {}
        self._adopted = 0
        self._tokenizer = load_tokenizer(base, model)
        self._llm = self._start(base)
        self._live = base
        self._requests = 0
        self.restarts = 0
        """How often a swap could not be proven and the engine was started anew."""

    def _start(self, weights: str) -> LLM:
        processors = [Nucleus] if self._device == "cpu" else None
        return LLM(**engine_arguments(weights, *self._settings), logits_processors=processors)

    def close(self) -> None:
        """Gives the engine's memory back; nothing can be asked afterwards."""
        del self._llm
        gc.collect()
        cleanup_dist_env_and_memory()

    def _restart(self, weights: str) -> None:
        self.close()
        self._llm = self._start(weights)
        self.restarts += 1

    def load(self, weights: str, canary: Canary) -> None:
        """Makes `weights` live and proves it.

        Raises:
            EngineError: even a fresh engine does not reproduce the canary.
        """
        if weights != self._live:
            self._swap(weights)
            self._live = weights
        off = self._distance(canary)
        if off <= CANARY_TOLERANCE[self._device]:
            return
        log.warning("swap to %s not proven (canary off by %.3g); new engine", weights, off)
        self._restart(weights)
        off = self._distance(canary)
        if off > CANARY_TOLERANCE[self._device]:
            raise EngineError(
                f"weights {weights} do not reproduce their canary in a fresh engine (off by {off:.3g} "
                "nats per token); the folder was changed after its export: delete it and run again."
            )

    def adopt(self, folder: str, canary: Canary) -> None:
        """Serves an adapter beside the live base from now on, and proves it.

        Raises:
            EngineError: base and adapter together do not reproduce the canary.
        """
        if folder not in self._adapters:
            self._adopted += 1
            # Only what is asked for now is kept: vLLM itself holds as many as it may.
            self._adapters[folder] = LoRARequest(folder, self._adopted, folder)
        off = self._distance(canary, self._adapters[folder])
        if off > ADAPTER_TOLERANCE:
            raise EngineError(
                f"adapter {folder} does not reproduce its canary on {self._live} (off by {off:.3g} nats per "
                "token); it belongs to another base or was changed: delete its checkpoint and run again."
            )

    def _swap(self, weights: str) -> None:
        self._llm.collective_rpc("reload_weights", kwargs={"weights_path": weights})
        if self._device == "cpu":
            self._llm.apply_model(repack_tied_head)
        self._llm.reset_prefix_cache()

    def _distance(self, canary: Canary, adapter: LoRARequest | None = None) -> float:
        ids = canary.ids
        asked = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=0)
        prompt = TokensPrompt(prompt_token_ids=ids)
        (output,) = self._llm.generate([prompt], asked, use_tqdm=False, lora_request=adapter)
        assert output.prompt_logprobs is not None
        observed = [
            position[token].logprob
            for position, token in zip(output.prompt_logprobs[1:], ids[1:], strict=True)
        ]
        return distance(canary.logprobs, observed)

    def answer(
        self,
        tasks: Sequence[EvalTask],
        problems: Mapping[str, Sequence[Problem]],
        have: Mapping[str, set[tuple[str, int]]],
    ) -> Iterator[tuple[CellRequest, list[Generation]]]:
        """All samples of all cells, submitted at once.

        Args:
            tasks: the live checkpoint's, or those of several adopted adapters.
            problems: per cell folder, the problems asked.
            have: per cell folder, (problem, sample) pairs that exist and are not asked again.

        Yields:
            Each cell with its new generations, in any order, as soon as its last answer is there.
        """
        asked: dict[str, tuple[CellRequest, Problem, int, int, int]] = {}
        cells = [(task, cell) for task in tasks for cell in task.cells]
        found: dict[str, list[Generation]] = {cell.folder: [] for _, cell in cells}
        left = Counter[str]()
        engine = self._llm.llm_engine
        context = engine.model_config.max_model_len
        for task, cell in cells:
            adapter = self._adapters[task.adapter.folder] if task.adapter else None
            for problem in problems[cell.folder]:
                ids = user_prompt_ids(self._tokenizer, problem.prompt)
                budget = token_budget(cell.max_new_tokens, len(ids), context)
                for sample in range(cell.samples):
                    if (problem.id, sample) in have[cell.folder]:
                        continue
                    seed = sample_seed(task.seed, cell.benchmark, problem.id, sample)
                    if budget == 0:
                        found[cell.folder].append(_no_room(problem, sample, seed, len(ids)))
                        continue
                    self._requests += 1
                    name = str(self._requests)
                    asked[name] = (cell, problem, sample, seed, len(ids))
                    left[cell.folder] += 1
                    prompt = TokensPrompt(prompt_token_ids=ids)
                    engine.add_request(name, prompt, self._sampling(task, seed, budget), lora_request=adapter)
            if not left[cell.folder]:
                yield cell, found[cell.folder]
        while engine.has_unfinished_requests():
            for output in engine.step():
                if not output.finished:  # with FINAL_ONLY there is one output a request; the last says so
                    continue
                cell, problem, sample, seed, prompt_tokens = asked[output.request_id]
                answer = output.outputs[0]
                found[cell.folder].append(
                    Generation(
                        problem=problem.id,
                        sample=sample,
                        seed=seed,
                        text=self._tokenizer.decode(_text_ids(answer.token_ids, self._tokenizer)),
                        tokens=len(answer.token_ids),
                        prompt_tokens=prompt_tokens,
                        finish="length" if answer.finish_reason == "length" else "stop",
                    )
                )
                left[cell.folder] -= 1
                if not left[cell.folder]:
                    yield cell, found[cell.folder]

    def _sampling(self, task: EvalTask, seed: int, budget: int) -> SamplingParams:
        own = self._device == "cpu" and 0 < task.top_p < 1 and task.temperature > 0
        return SamplingParams(
            temperature=task.temperature,
            top_p=1.0 if own else task.top_p,
            extra_args={MASS: task.top_p} if own else None,
            seed=seed,
            max_tokens=budget,
            stop_token_ids=[self._tokenizer.eos_token_id],
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _text_ids(ids: Sequence[int], tokenizer: Any) -> list[int]:
    """The ids without a closing end marker; think markers stay, also where they are special tokens."""
    kept = list(ids)
    return kept[:-1] if kept and kept[-1] == tokenizer.eos_token_id else kept


def _no_room(problem: Problem, sample: int, seed: int, prompt_tokens: int) -> Generation:
    """A prompt that fills the whole context: cut before the first token."""
    return Generation(
        problem=problem.id,
        sample=sample,
        seed=seed,
        text="",
        tokens=0,
        prompt_tokens=prompt_tokens,
        finish="length",
    )


def repack_tied_head(model: Any) -> bool:
    """Gives a tied output head the embedding's new weights after a swap; True if there was one.

    vLLM's CPU build packs the head's weights for its matrix kernels when the engine starts. A reload
    writes the shared embedding but does not pack again, so a tied head goes on with the old weights.
    """
    head = getattr(model, "lm_head", None)
    embedding = getattr(getattr(model, "model", None), "embed_tokens", None)
    if head is None or embedding is None or not model.config.tie_word_embeddings:
        return False
    head.weight = embedding.weight
    head.quant_method.process_weights_after_loading(head)
    return True
