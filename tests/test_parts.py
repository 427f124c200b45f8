"""Tasks cut into parts, and parts that become a cell again: python -m pytest tests/test_parts.py"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rsft import layout
from rsft.canary import Canary
from rsft.generation import parts
from rsft.generation.requests import Adapter, CellRequest, EvalTask, convoys, split
from rsft.records import Generation
from rsft.storage import Storage


def cell(name: str, problems: int, samples: int, first: int = 0) -> CellRequest:
    return CellRequest(
        benchmark=name,
        key=name,
        folder=name,
        problems=problems,
        samples=samples,
        max_new_tokens=9,
        first=first,
    )


def task(*cells: CellRequest) -> EvalTask:
    return EvalTask(
        owner="o",
        trial_id="t",
        step=1,
        weights="w",
        canary=Canary(ids=[], logprobs=[]),
        cells=cells,
        temperature=0.6,
        top_p=0.95,
        seed=0,
    )


def answer(problem: int, sample: int, text: str = "x") -> Generation:
    return Generation(
        problem=f"{problem:05d}", sample=sample, seed=0, text=text, tokens=1, prompt_tokens=1, finish="stop"
    )


sizes = some.lists(some.tuples(some.integers(1, 50), some.integers(1, 9)), min_size=1, max_size=5)


@given(sizes=sizes, most=some.integers(1, 60), begin=some.integers(0, 3))
def test_parts_ask_everything_once_and_none_is_too_large(
    sizes: list[tuple[int, int]], most: int, begin: int
) -> None:
    whole = task(*(cell(f"b{n}", p, s, begin) for n, (p, s) in enumerate(sizes)))
    found = split(whole, most)
    for one in found:
        answers = sum(c.problems * c.samples for c in one.cells)
        assert answers <= most or (len(one.cells) == 1 and one.cells[0].problems == 1)
        assert len({c.folder for c in one.cells}) == len(one.cells), "a cell once in each part"
    for asked in whole.cells:
        slices = [c for one in found for c in one.cells if c.folder == asked.folder]
        numbers = [n for c in slices for n in range(c.first, c.first + c.problems)]
        assert numbers == list(range(begin, begin + asked.problems))
        assert {(c.total, c.begin, c.samples) for c in slices} == {(asked.problems, begin, asked.samples)}
    assert split(whole, most) == found
    assert split(whole, 10_000) == [split(whole, 10_000)[0]], "a small task stays whole"


def test_adapters_of_one_base_travel_together(tmp_path: Path) -> None:
    def lora(base: str, weights: str) -> EvalTask:
        adapter = Adapter(folder=weights, rank=8, base=base, base_canary=Canary(ids=[], logprobs=[]))
        return replace(task(cell("b", 1, 1)), adapter=adapter, weights=weights)

    full = task(cell("b", 1, 1))
    tasks = [full, lora("x", "1"), lora("x", "1"), lora("x", "2"), lora("x", "3"), lora("y", "4"), full]
    found = [[tasks.index(one) for one in convoy] for convoy in convoys(tasks, 2)]
    assert found == [[0], [1], [1, 3], [4], [5], [0]], "parts of one checkpoint one after the other"
    assert all(len(convoy) == 1 for convoy in convoys(tasks, 1))
    assert EvalTask.read(json.loads(json.dumps(tasks[1].as_json()))) == tasks[1]


def test_a_cell_is_whole_with_its_last_part_and_not_before(tmp_path: Path) -> None:
    storage, ids = Storage(tmp_path), [f"{n:05d}" for n in range(6)]
    first, second = (c for one in split(task(cell("b", 5, 2)), 6) for c in one.cells)
    assert (first.problems, second.problems, second.first) == (3, 2, 3)
    parts.write(storage, second, [answer(n, s) for n in (3, 4) for s in range(2)])
    assert not parts.gather(storage, second, ids)
    assert not storage.exists(layout.generations("b"))
    parts.write(storage, first, [answer(n, s) for n in (0, 1, 2) for s in range(2)])
    assert parts.gather(storage, first, ids)
    rows = storage.read_table(layout.generations("b")).to_pylist()
    assert [(row["problem"], row["sample"]) for row in rows] == [(i, s) for i in ids[:5] for s in range(2)]
    assert storage.names("b/parts") == []
    assert parts.known(storage, "b") == {(i, s) for i in ids[:5] for s in range(2)}


def test_more_samples_keep_the_old_ones(tmp_path: Path) -> None:
    storage, ids = Storage(tmp_path), ["00000", "00001"]
    parts.write(storage, cell("b", 2, 1), [answer(n, 0, "old") for n in range(2)])
    assert parts.gather(storage, cell("b", 2, 1), ids)
    more = cell("b", 2, 3)
    assert not parts.gather(storage, more, ids)
    parts.write(storage, more, [answer(n, s, "new") for n in range(2) for s in (1, 2)])
    assert parts.gather(storage, more, ids)
    rows = storage.read_table(layout.generations("b")).to_pylist()
    assert [row["text"] for row in rows] == ["old", "new", "new"] * 2


def test_a_kill_between_the_whole_file_and_the_end_of_its_parts_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, asked = Storage(tmp_path), cell("b", 2, 1)
    parts.write(storage, asked, [answer(n, 0) for n in range(2)])
    with monkeypatch.context() as killed:
        killed.setattr(storage, "delete", lambda relative: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            parts.gather(storage, asked, ["00000", "00001"])
    assert len(storage.names("b/parts")) == 1
    parts.write(storage, cell("b", 2, 2), [answer(n, 1) for n in range(2)])
    assert parts.gather(storage, cell("b", 2, 2), ["00000", "00001"])
    rows = storage.read_table(layout.generations("b")).to_pylist()
    assert [(row["problem"], row["sample"]) for row in rows] == [
        ("00000", 0),
        ("00000", 1),
        ("00001", 0),
        ("00001", 1),
    ]


def test_what_is_asked_again_writes_nothing(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    parts.write(storage, cell("b", 2, 1), [])
    assert storage.names("b/parts") == []


@pytest.mark.parametrize(
    ("rows", "restarts"),
    [
        # (engine, its life, the row is the first of a life that followed a death, swaps not proven)
        ([("a", "a1", False, 0), ("a", "a1", False, 0)], 0),
        ([("a", "a1", False, 0), ("b", "b1", False, 0)], 0),  # two engines share a cell
        ([("a", "a1", False, 0), ("a", "a2", True, 0), ("a", "a2", False, 0)], 1),
        ([("a", "a1", False, 0), ("a", "a2", False, 0)], 1),  # the row that would have said so was dropped
        ([("a", "a2", True, 0), ("b", "b1", False, 0), ("a", "a2", False, 0)], 1),
        ([("a", "a2", False, 0), ("a", "a2", False, 0)], 0),  # it had died in another cell
        ([("a", "a1", False, 1), ("a", "a2", False, 0), ("a", "a3", True, 0)], 3),
    ],
)
def test_a_cell_counts_the_deaths_of_its_engines(
    rows: list[tuple[str, str, bool, int]], restarts: int
) -> None:
    counter = parts.Restarts()
    counts = [
        counter.count({"folder": "f", "life": [engine, life], "died": died, "restarts": again})
        for engine, life, died, again in rows
    ]
    assert counts[-1] == restarts
    assert counter.count({"folder": "g", "life": ["a", "a3"], "died": False, "restarts": 0}) == 0
