"""Workers that share rows: the same loss and the same gradients as workers by themselves."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import numpy as np
import pytest

from rsft.data.batches import IGNORE, MicroBatch
from rsft.errors import SpecError
from rsft.spec.train import TrainSpec
from rsft.storage import Storage
from rsft.sweep.page import load_page
from rsft.sweep.plan import make_plan
from rsft.training import ulysses


def train(size: int, workers: int = 8, stage: int = 1) -> TrainSpec:
    return TrainSpec(sequence_parallel=size, workers=workers, zero_stage=stage)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("heads", "kv_heads", "size"), [(16, 8, 2), (16, 8, 8), (16, 4, 8), (4, 1, 4), (14, 2, 2)]
)
def test_heads_that_a_team_can_share(heads: int, kv_heads: int, size: int) -> None:
    ulysses.check(train(size), heads, kv_heads)


@pytest.mark.parametrize(
    ("heads", "kv_heads", "size", "possible"),
    [(16, 8, 3, "[2, 4, 8, 16]"), (14, 2, 7, "[2, 14]"), (40, 10, 4, "[2, 5, 10, 20, 40]")],
)
def test_heads_that_a_team_cannot_share_are_one_sentence(
    heads: int, kv_heads: int, size: int, possible: str
) -> None:
    with pytest.raises(SpecError) as caught:
        ulysses.check(train(size, workers=size), heads, kv_heads)
    assert str(caught.value) == (
        f"TrainSpec.sequence_parallel={size} cannot share the {heads} attention heads and {kv_heads} key and "
        f"value heads of the base evenly; use one of {possible}, or 1."
    )


def test_settings_that_no_team_can_have_are_one_sentence() -> None:
    assert train(4).teams == 2
    with pytest.raises(SpecError, match="=4 does not divide workers=6; set workers to a multiple of it"):
        train(4, workers=6)
    with pytest.raises(SpecError, match="'microbatch_sum' is about rows per worker, and with sequence_par"):
        TrainSpec(sequence_parallel=2, loss_reduction="microbatch_sum")


def test_teams_need_rows_and_not_their_workers() -> None:
    facts = {"max_tokens": 100, "batch_sequences": 2}
    assert TrainSpec(**facts, sequence_parallel=4).teams == 2
    with pytest.raises(SpecError, match="batch_sequences=2 is below workers / sequence_parallel=4"):
        TrainSpec(**facts, sequence_parallel=2)


def test_a_page_whose_base_cannot_be_shared_is_refused_before_anything_runs(tmp_path: Path) -> None:
    page = load_page(Path(__file__).resolve().parents[1] / "sweeps" / "laptop.py")
    shared = page.train.model_dump() | {"workers": 4, "sequence_parallel": 4}
    with pytest.raises(SpecError, match="cannot share the 6 attention heads"):
        make_plan(page.model_copy(update={"train": TrainSpec(**shared)}), Storage(tmp_path))


def test_neighbours_are_a_team() -> None:
    assert [ulysses.place(train(2), rank) for rank in range(4)] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def batch(lengths: tuple[int, ...]) -> MicroBatch:
    total = sum(lengths)
    positions = np.concatenate([np.arange(length) for length in lengths])
    labels = np.where(positions % 3, np.arange(1, total + 1), IGNORE)
    return MicroBatch(np.arange(total)[None], positions[None], labels[None])


@pytest.mark.parametrize("lengths", [(7, 5), (9,), (2,), (3, 1, 1, 6)])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_stretches_put_together_are_the_whole_and_a_pad_document(lengths: tuple[int, ...], size: int) -> None:
    whole = batch(lengths)
    cuts = [ulysses.cut(whole, place, size, pad=77) for place in range(size)]
    total, padded = sum(lengths), -(-sum(lengths) // size) * size
    for name in ("input_ids", "position_ids", "labels"):
        parts = [getattr(stretch, name) for stretch, _ in cuts]
        assert {part.shape for part in parts} == {(1, padded // size)}
        assert {part.dtype for part in parts} == {np.dtype(np.int64)}
        joined = np.concatenate(parts, axis=1)[0]
        assert joined[:total].tolist() == getattr(whole, name)[0].tolist()
        tail = {"input_ids": 77, "labels": IGNORE}
        wanted = range(padded - total) if name == "position_ids" else [tail[name]] * (padded - total)
        assert joined[total:].tolist() == list(wanted)
    told = {tuple(positions[0].tolist()) for _, positions in cuts}
    assert told == {tuple(np.concatenate([c.position_ids for c, _ in cuts], axis=1)[0].tolist())}


@pytest.mark.engines
def test_deepspeed_knows_every_keyword() -> None:
    os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error"}
    from deepspeed.runtime.sequence_parallel.ulysses_sp import UlyssesSPAttentionHF

    signature = inspect.signature(UlyssesSPAttentionHF.register_with_transformers)
    given = ulysses.registration(train(2), "documents")
    signature.bind("model", **given)
    needed = {n for n, p in signature.parameters.items() if p.default is inspect.Parameter.empty}
    assert needed == {
        "model_name_or_path",
        "core_attn_implementation",
        "sequence_parallel_size",
        "micro_batch_size",
    }
