"""The loss: negative log-likelihood of target tokens, with logits for those positions alone.

Legend: T = positions, N = target positions of a micro-batch, H = hidden size, V = vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from rsft.data.batches import IGNORE
from rsft.training.attention import document_lengths
from rsft.training.settings import CHUNK

BLOCK = 128
"""Target positions whose softmax is taken at a time, small enough for a processor's cache."""


class TargetLoss(nn.Module):
    """Wraps a causal language model so that its forward pass returns summed losses.

    Prompt positions never reach the output head, and the cross entropy runs over chunks whose logits
    are computed again in the backward pass.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        labels: torch.Tensor,
        row_positions: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums over the targets of one row of documents.

        Args:
            input_ids: (1, T).
            position_ids: (1, T), restarting with each document; attention is blocked by it.
            labels: (1, T), the next token at trained positions, IGNORE elsewhere.
            row_positions: `position_ids` of the whole row, where this is a stretch of it (see ulysses).

        Returns:
            The negative log-likelihood, nats (a scalar; 0, with a gradient path, without a target), and
            (2,) without gradient: targets that the model ranks first, and entropy of its distributions.
        """
        body = getattr(self.model, self.model.base_model_prefix)
        told = documents(position_ids if row_positions is None else row_positions)
        hidden_TH = body(
            input_ids=input_ids, position_ids=position_ids, use_cache=False, **told
        ).last_hidden_state[0]
        trained_T = labels[0] != IGNORE
        hidden_NH, labels_N = hidden_TH[trained_T], labels[0][trained_T]
        if len(labels_N) == 0:
            # Every parameter must still take part, or ZeRO's collectives would wait for ever.
            nll, facts = self._chunk(hidden_TH[:1], input_ids[0, :1])
            return nll * 0.0, facts * 0.0
        parts = [
            (hidden_NH[at : at + CHUNK], labels_N[at : at + CHUNK]) for at in range(0, len(labels_N), CHUNK)
        ]
        if len(parts) == 1:
            nll, facts = self._chunk(*parts[0])
            return nll, facts
        sums = [checkpoint(self._chunk, *part, use_reentrant=False) for part in parts]
        return sum(nll for nll, _ in sums), sum(facts for _, facts in sums)

    def _chunk(self, hidden_NH: torch.Tensor, labels_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _SummedLoss.apply(self.model.get_output_embeddings()(hidden_NH), labels_N)


class _SummedLoss(torch.autograd.Function):
    """Cross entropy from logits, with accuracy and entropy out of the same softmax.

    The distributions take the place of the logits, which nobody needs again: one (N, V) tensor in all.
    """

    @staticmethod
    def forward(
        ctx: Any, logits_NV: torch.Tensor, labels_N: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        shares_NV = logits_NV.detach().float()  # of fp32 no copy
        sums_3 = shares_NV.new_zeros(3)
        for shares, labels in zip(shares_NV.split(BLOCK), labels_N.split(BLOCK), strict=True):
            logs = shares.log_softmax(-1)
            own = logs.gather(1, labels[:, None])[:, 0]
            right = (own == logs.amax(-1)).sum()  # argmax takes ten times as long on CPUs
            torch.exp(logs, out=shares)
            sums_3 -= torch.stack([own.sum(), -right, torch.linalg.vecdot(shares, logs).sum()])
        nll, facts = sums_3[0].clone(), sums_3[1:].clone()
        ctx.save_for_backward(shares_NV, labels_N)
        ctx.dtype = logits_NV.dtype
        ctx.mark_non_differentiable(facts)
        return nll, facts

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor, None]:
        shares_NV, labels_N = ctx.saved_tensors
        slope_NV = shares_NV.mul_(grad)
        slope_NV[torch.arange(len(labels_N), device=labels_N.device), labels_N] -= grad
        return slope_NV.to(ctx.dtype), None


def documents(position_ids: torch.Tensor) -> dict[str, Any]:
    """What attention must know of a row, in the words of transformers' flash kernels and ours."""
    lengths = document_lengths(position_ids)
    ends = torch.tensor([0, *lengths], device=position_ids.device).cumsum(0).to(torch.int32)
    return {
        "documents": lengths,
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }
