"""The loss: negative log-likelihood of target tokens, with logits for those positions alone.

Legend: S = packed sequences, T = positions, N = target positions of a micro-batch, H = hidden size,
V = vocabulary.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from rsft.data.batches import IGNORE

CHUNK = 2_048
"""Target positions whose logits exist at once; memory is CHUNK x V instead of T x V."""


class TargetLoss(nn.Module):
    """Wraps a causal language model so that its forward pass returns a summed loss.

    Prompt positions never reach the output head, and the cross entropy runs over chunks whose logits
    are computed again in the backward pass.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, position_ids: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Summed negative log-likelihood of all targets, nats.

        Args:
            input_ids: (S, T).
            position_ids: (S, T), restarting with each document; attention is blocked by it.
            labels: (S, T), the next token at trained positions, IGNORE elsewhere.

        Returns:
            A scalar; 0 (with a gradient path) when there is no target.
        """
        body = getattr(self.model, self.model.base_model_prefix)
        hidden_STH = body(input_ids=input_ids, position_ids=position_ids, use_cache=False).last_hidden_state
        trained_ST = labels != IGNORE
        hidden_NH, labels_N = hidden_STH[trained_ST], labels[trained_ST]
        if len(labels_N) == 0:
            # Every parameter must still take part, or ZeRO's collectives would wait for ever.
            hidden_NH, labels_N = hidden_STH[:1, 0], input_ids[:1, 0]
            return self._chunk(hidden_NH, labels_N) * 0.0
        total = hidden_NH.new_zeros((), dtype=torch.float32)
        for start in range(0, len(labels_N), CHUNK):
            part = (hidden_NH[start : start + CHUNK], labels_N[start : start + CHUNK])
            if len(labels_N) <= CHUNK:
                total = total + self._chunk(*part)
            else:
                total = total + checkpoint(self._chunk, *part, use_reentrant=False)
        return total

    def _chunk(self, hidden_NH: torch.Tensor, labels_N: torch.Tensor) -> torch.Tensor:
        logits_NV = self.model.get_output_embeddings()(hidden_NH).float()
        return nn.functional.cross_entropy(logits_NV, labels_N, reduction="sum")
