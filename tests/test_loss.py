"""The loss on a real (tiny) Qwen3: laid out in any way, the same number and the same gradient."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.engines

torch = pytest.importorskip("torch")
from transformers import Qwen3Config, Qwen3ForCausalLM  # noqa: E402

import rsft.training.loss as loss_module  # noqa: E402
from rsft.data.batches import assign, micro_batch  # noqa: E402
from rsft.data.prepare import Tokens  # noqa: E402
from rsft.training.attention import NAME as DOCUMENTS  # noqa: E402
from rsft.training.loss import TargetLoss  # noqa: E402

TOLERANCE = 1e-5
"""Relative; fp32 sums of some hundred terms in another order differ by about 1e-7 x sqrt(terms)."""


@pytest.fixture(scope="module")
def model() -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=64,
        tie_word_embeddings=True,
        attn_implementation=DOCUMENTS,
    )
    return Qwen3ForCausalLM(config).float()


@pytest.fixture(scope="module")
def rows() -> list[Tokens]:
    generator = torch.Generator().manual_seed(1)

    def ids(count: int) -> list[int]:
        return torch.randint(1, 97, (count,), generator=generator).tolist()

    return [Tokens.of(str(i), ids(3 + i), ids(5 + 2 * i)) for i in range(7)]


def laid_out(model: Qwen3ForCausalLM, rows: list[Tokens], **shape: int) -> tuple[float, torch.Tensor]:
    """(summed loss, gradient of the embeddings) over all workers and micro-batches of a layout."""
    model.zero_grad()
    loss, total = TargetLoss(model), 0.0
    for worker in assign([len(tokens) for tokens in rows], **shape):
        for members in worker:
            arrays = micro_batch([rows[n] for n in members], pad=0)
            parts = (arrays.input_ids, arrays.position_ids, arrays.labels)
            nll, _ = loss(*(torch.from_numpy(a) for a in parts))
            nll.backward()
            total += float(nll.detach())
    return total, model.get_input_embeddings().weight.grad.clone()


def row_by_row(model: Qwen3ForCausalLM, rows: list[Tokens]) -> tuple[float, torch.Tensor]:
    """The same by plain transformers: one row at a time, its own attention, all logits."""
    model.zero_grad()
    model.set_attn_implementation("sdpa")
    total = 0.0
    for tokens in rows:
        ids = torch.tensor(tokens.ids).long()
        ((start, end),) = tokens.spans
        logits = model(input_ids=ids[None]).logits[0, start - 1 : end - 1]
        nll = torch.nn.functional.cross_entropy(logits, ids[start:end], reduction="sum")
        nll.backward()
        total += float(nll.detach())
    model.set_attn_implementation(DOCUMENTS)
    return total, model.get_input_embeddings().weight.grad.clone()


@pytest.mark.parametrize(
    "shape",
    [
        {"workers": 1, "micro_batch_tokens": 30},
        {"workers": 1, "micro_batch_tokens": 256},
        {"workers": 2, "micro_batch_tokens": 60},
        {"workers": 4, "micro_batch_tokens": 64},
    ],
)
def test_packing_workers_and_micro_batches_do_not_change_loss_or_gradient(
    model: Qwen3ForCausalLM, rows: list[Tokens], shape: dict[str, int]
) -> None:
    expected, expected_gradient = row_by_row(model, rows)
    total, gradient = laid_out(model, rows, **shape)
    assert total == pytest.approx(expected, rel=TOLERANCE)
    assert torch.allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-4)


def test_documents_of_a_packed_sequence_do_not_see_each_other(
    model: Qwen3ForCausalLM, rows: list[Tokens]
) -> None:
    alone, _ = laid_out(model, rows[:1], workers=1, micro_batch_tokens=64)
    other = [rows[0], Tokens.of("x", [5] * 9, [7] * 9)]
    together, _ = laid_out(model, other, workers=1, micro_batch_tokens=64)
    only_other, _ = laid_out(model, other[1:], workers=1, micro_batch_tokens=64)
    assert together == pytest.approx(alone + only_other, rel=TOLERANCE)


def test_chunks_of_the_cross_entropy_change_nothing(
    model: Qwen3ForCausalLM, rows: list[Tokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, gradient = laid_out(model, rows, workers=1, micro_batch_tokens=256)
    monkeypatch.setattr(loss_module, "CHUNK", 7)
    chunked, chunked_gradient = laid_out(model, rows, workers=1, micro_batch_tokens=256)
    assert chunked == pytest.approx(whole, rel=TOLERANCE)
    assert torch.allclose(gradient, chunked_gradient, rtol=1e-4, atol=1e-4)


def test_an_empty_micro_batch_adds_nothing_but_reaches_every_weight(model: Qwen3ForCausalLM) -> None:
    arrays = micro_batch([], pad=0)
    model.zero_grad()
    nll, _ = TargetLoss(model)(
        *(torch.from_numpy(a) for a in (arrays.input_ids, arrays.position_ids, arrays.labels))
    )
    nll.backward()
    assert float(nll) == 0.0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
