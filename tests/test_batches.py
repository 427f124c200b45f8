"""Order and layout of rows: each once, none too many, the same on every machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsft.data.batches import IGNORE, RowOrder, assign, assign_unpacked, best_fit, data_hash, micro_batch
from rsft.data.template import Tokens


def step_rows(step: int, batch: int, rows: int, seed: int, shuffle: bool) -> list[int]:
    return RowOrder(np.ones(rows), seed, shuffle, batch)[step]


LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


def test_an_epoch_sees_each_row_once() -> None:
    seen = [row for step in range(5) for row in step_rows(step, 4, 20, seed=3, shuffle=True)]
    assert sorted(seen) == list(range(20))


def test_a_step_across_the_epoch_s_end_takes_from_both() -> None:
    rows = step_rows(1, 6, 9, seed=3, shuffle=True)
    first = [row for s in (0, 1) for row in step_rows(s, 6, 9, seed=3, shuffle=True)][:9]
    assert sorted(first) == list(range(9)) and len(rows) == 6


def test_order_depends_on_seed_and_epoch_and_on_nothing_else() -> None:
    one = step_rows(0, 20, 20, seed=0, shuffle=True)
    assert one == step_rows(0, 20, 20, seed=0, shuffle=True)
    assert one != step_rows(0, 20, 20, seed=1, shuffle=True)
    assert one != step_rows(1, 20, 20, seed=0, shuffle=True)
    assert step_rows(1, 5, 20, seed=0, shuffle=False) == [5, 6, 7, 8, 9]


@given(LENGTHS)
def test_bins_hold_each_item_once_within_capacity(lengths: list[int]) -> None:
    bins = best_fit(lengths, 50)
    assert sorted(item for members in bins for item in members) == list(range(len(lengths)))
    assert all(sum(lengths[item] for item in members) <= 50 for members in bins)


@given(LENGTHS)
def test_no_two_bins_would_fit_into_one(lengths: list[int]) -> None:
    """What any best-fit guarantees, so that less than half of all slots is ever empty."""
    fills = sorted(sum(lengths[item] for item in members) for members in best_fit(lengths, 50))
    assert len(fills) < 2 or fills[0] + fills[1] > 50


def test_the_tightest_bin_is_chosen() -> None:
    assert best_fit([8, 6, 4, 2], 10) == [[0, 3], [1, 2]]


def test_an_item_longer_than_a_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="exceeds capacity 10"):
        best_fit([3, 11], 10)


@given(LENGTHS, st.integers(1, 5), st.integers(50, 200))
def test_workers_share_all_rows_in_equal_numbers_of_micro_batches(
    lengths: list[int], workers: int, limit: int
) -> None:
    plan = assign(lengths, workers=workers, micro_batch_tokens=limit)
    items = [i for worker in plan for rows in worker for i in rows]
    assert sorted(items) == list(range(len(lengths)))
    assert len({len(worker) for worker in plan}) == 1
    assert all(sum(lengths[i] for i in rows) <= limit for worker in plan for rows in worker)
    loads = [sum(lengths[i] for rows in worker for i in rows) for worker in plan]
    assert max(loads) - min(loads) <= max(lengths), "nobody works a whole row more than another"


@given(st.lists(st.integers(1, 50), min_size=8, max_size=40), st.integers(50, 300), st.booleans())
def test_a_batch_in_tokens_takes_rows_in_order_while_they_fit(
    lengths: list[int], tokens: int, shuffle: bool
) -> None:
    order = RowOrder(np.array(lengths), 7, shuffle, sequences=1, tokens=tokens)
    by_one = RowOrder(np.array(lengths), 7, shuffle, sequences=1)
    steps = [order[step] for step in range(6)]
    stream = [row for step in range(sum(map(len, steps)) + 1) for row in by_one[step]]
    assert [row for step in steps for row in step] == stream[:-1]
    at = 0
    for rows in steps:
        at += len(rows)
        filled = sum(lengths[row] for row in rows)
        assert rows and filled <= tokens < filled + lengths[stream[at]]
    again = RowOrder(np.array(lengths), 7, shuffle, sequences=1, tokens=tokens)
    assert again[5] == steps[5], "a resume at step 5 sees the same rows"


def test_labels_are_the_targets_and_positions_restart() -> None:
    rows = [Tokens.of("a", [1, 2], [3, 4]), Tokens.of("b", [5], [6, 7, 8])]
    arrays = micro_batch(rows, pad=9)
    assert arrays.input_ids.tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]]
    no = IGNORE
    assert arrays.labels.tolist() == [[no, 3, 4, no, 6, 7, 8, no]]
    assert arrays.position_ids.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3]]


def test_the_study_s_layout_deals_rows_in_turn() -> None:
    plan = assign_unpacked(32, workers=4, micro_batch_sequences=4)
    assert plan[1] == [[1, 5, 9, 13], [17, 21, 25, 29]]
    assert sorted(row for worker in plan for rows in worker for row in rows) == list(range(32))


def documents(draw: st.DrawFn) -> list[Tokens]:
    """Rows of unlike tokens, some with several trained spans."""
    found, number = [], 0
    for row in range(draw(st.integers(1, 12))):
        edges = sorted(draw(st.sets(st.integers(1, 40), min_size=2, max_size=6)))
        edges = edges[: len(edges) // 2 * 2]
        ids = np.arange(number, number + edges[-1], dtype=np.int32)
        number += edges[-1]
        found.append(Tokens(str(row), ids, tuple(zip(edges[::2], edges[1::2], strict=True))))
    return found


@given(st.composite(documents)(), st.integers(1, 3), st.integers(40, 120))
def test_packing_loses_and_doubles_no_token_and_masks_align(
    rows: list[Tokens], workers: int, limit: int
) -> None:
    seen: list[int] = []
    trained: list[int] = []
    for worker in assign([len(tokens) for tokens in rows], workers=workers, micro_batch_tokens=limit):
        for members in worker:
            arrays = micro_batch([rows[n] for n in members], pad=-7)
            real = arrays.input_ids != -7
            seen += arrays.input_ids[real].tolist()
            at = np.argwhere(arrays.labels != IGNORE)
            for s, t in at:
                # The label is the very next token, of the same document.
                assert arrays.labels[s, t] == arrays.input_ids[s, t + 1]
                assert arrays.position_ids[s, t + 1] == arrays.position_ids[s, t] + 1
                trained.append(int(arrays.labels[s, t]))
    assert sorted(seen) == sorted(int(i) for tokens in rows for i in tokens.ids)
    targets = [int(i) for tokens in rows for a, b in tokens.spans for i in tokens.ids[a:b]]
    assert sorted(trained) == sorted(targets)


def test_an_empty_micro_batch_has_no_target() -> None:
    assert np.all(micro_batch([], pad=0).labels == IGNORE)


def test_the_data_hash_sees_order_and_content() -> None:
    a, b = Tokens.of("a", [1], [2]), Tokens.of("b", [3], [4])
    assert len({data_hash(batch) for batch in ([a, b], [b, a], [a], [b])}) == 4
