"""A reward model beside the engines: one number for a prompt and its response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rsft.errors import ModelError
from rsft.generation.settings import Device
from rsft.records import Generation, Outcome, Problem, Score
from rsft.scoring.reading import answer_part

BATCH = 8
"""Conversations in one forward pass."""


class RewardModel:
    """A sequence classifier with one output, read from safetensors."""

    def __init__(self, source: str, revision: str | None, device: Device) -> None:
        """Loads it.

        Raises:
            ModelError: it has more than one output, or no chat template.
        """
        self._tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        # Weights as they were saved on a GPU; plain fp32 where there are no bf16 units.
        kind = torch.bfloat16 if device == "gpu" else torch.float32
        self._model = AutoModelForSequenceClassification.from_pretrained(
            source, revision=revision, dtype=kind, use_safetensors=True
        ).eval()
        if self._model.config.num_labels != 1 or self._tokenizer.chat_template is None:
            raise ModelError(
                f"reward model {source!r} has {self._model.config.num_labels} outputs and "
                f"{'a' if self._tokenizer.chat_template else 'no'} chat template; give a sequence classifier "
                "with one output and a template."
            )
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        # The classifier finds the last position that is no padding by this id.
        self._model.config.pad_token_id = self._tokenizer.pad_token_id
        self._model.to("cuda" if device == "gpu" else "cpu")

    @torch.inference_mode()
    def rewards(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """One number per (prompt, response), whatever it is batched with."""
        texts = [self._ids(prompt, response) for prompt, response in pairs]
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        found = [0.0] * len(texts)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = self._tokenizer.pad(
                {"input_ids": [texts[at] for at in chosen]}, padding_side="right", return_tensors="pt"
            ).to(self._model.device)
            for at, reward in zip(chosen, self._model(**batch).logits[:, 0].tolist(), strict=True):
                found[at] = reward
        return found

    def _ids(self, prompt: str, response: str) -> list[int]:
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        ids: Any = self._tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        limit = getattr(self._model.config, "max_position_embeddings", None) or len(ids)
        return list(ids)[:limit]

    def score(self, pairs: Sequence[tuple[Problem, Generation]]) -> list[Score]:
        """Scores of generations, in the order given: `correct` where the answer's reward is above that of the
        problem's gold answer. `raw` is the reward itself, on the model's own scale.

        An answer whose thinking never ends is not shown: it is `truncated` or `no_answer`.
        """
        golds = {problem.id: (problem.question, problem.gold) for problem, _ in pairs}
        limits = dict(zip(golds, self.rewards(list(golds.values())), strict=True))
        parts = [(answer_part(generation.text) or "").strip() for _, generation in pairs]
        shown = [at for at, part in enumerate(parts) if part]
        found = dict(
            zip(shown, self.rewards([(pairs[at][0].question, parts[at]) for at in shown]), strict=True)
        )
        scores = []
        for at, (problem, generation) in enumerate(pairs):
            cut = generation.finish == "length"
            outcome: Outcome = "truncated" if cut else "no_answer"
            if at in found:
                outcome = "correct" if found[at] > limits[problem.id] else "wrong"
            scores.append(
                Score(
                    problem=generation.problem,
                    sample=generation.sample,
                    outcome=outcome,
                    answer=None,
                    where="answer part" if at in found else None,
                    raw=found.get(at, 0.0),
                    truncated=cut,
                    tokens=generation.tokens,
                    why=f"the reference has {limits[problem.id]:.3f}" if at in found else "",
                )
            )
        return scores
