"""Rows as they are read: schemas, and faults that are refused by row number."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rsft.data.rows import Row, Tally, parse_record
from rsft.data.source import rows
from rsft.errors import DataError
from rsft.spec import DataSpec, FileRows

GOOD: dict[str, Any] = {"prompt": "2+2?", "response": "4"}


def read(path: Path, count: int = 99) -> list[Row]:
    return list(rows(DataSpec(name="d", source=FileRows(path=str(path)), rows=count), Tally()))


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize(
    "record",
    [
        {"message": [{"role": "user", "content": "2+2?"}], "response": "4", "advantage": 1.0},
        {"message": json.dumps([{"role": "user", "content": "2+2?"}]), "response": "4", "logprob": [-0.1]},
        {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]},
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
        {"prompt": "2+2?", "response": "4"},
        {"prompt": [{"role": "user", "content": "2+2?"}], "response": "4"},
    ],
)
def test_known_schemas_are_understood(record: dict[str, object]) -> None:
    row = parse_record(record, "r")
    assert row.messages == ({"role": "user", "content": "2+2?"},) and row.response == "4"


def test_a_row_keeps_its_own_id_and_gold_answer() -> None:
    row = parse_record(GOOD | {"id": 17, "answer": "4"}, "row 1 of x")
    assert (row.id, row.gold) == ("17", "4")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"question": "?", "answer": "!"}, "columns answer, question; understood are message"),
        (GOOD | {"response": None}, "its response text is NoneType"),
        (GOOD | {"response": 4}, "its response text is int"),
        (GOOD | {"response": " \n"}, "has an empty response"),
        (GOOD | {"prompt": " "}, "has an empty question"),
        (GOOD | {"advantage": float("nan")}, "its advantage is nan"),
        (GOOD | {"logprob": [-1.0, float("-inf")]}, "its logprob is -inf"),
        ({"messages": [user("2+2?")]}, "its messages end with user"),
        ({"message": "no json", "response": "4"}, "neither a list nor JSON"),
        ({"message": [], "response": "4"}, "roles before the response are none"),
        ({"message": [user("a"), user("b")], "response": "4"}, "roles before the response are user, user"),
        (
            {"message": [user("a"), {"role": "system", "content": "s"}, user("b")], "response": "4"},
            "roles before the response are user, system, user",
        ),
        ({"message": [{"role": "assistant", "content": "a"}], "response": "4"}, "are assistant; they are"),
    ],
)
def test_a_row_that_is_not_sound_is_refused_by_its_number(
    record: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = lines(tmp_path / "x.jsonl", GOOD, record, GOOD)
    with pytest.raises(DataError, match=r"row 2 of x\.jsonl") as refused:
        read(path)
    assert words in str(refused.value)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "json", "jsonl"])
def test_files_of_all_kinds_give_their_rows_in_order(ending: str, tmp_path: Path) -> None:
    records = [{"prompt": f"{i}?", "response": str(i)} for i in range(1_000)]
    path, table = tmp_path / f"x.{ending}", pa.Table.from_pylist(records)
    if ending == "parquet":
        pq.write_table(table, path)
    elif ending == "arrow":
        with pa.ipc.new_file(str(path), table.schema) as out:
            out.write_table(table, max_chunksize=300)
    elif ending == "csv":
        path.write_text("prompt,response\n" + "".join(f'"{r["prompt"]}",{r["response"]}\n' for r in records))
    elif ending == "json":
        path.write_text(json.dumps(records))
    else:
        lines(path, *records)
    assert [row.response for row in read(path, 990)] == [str(i) for i in range(990)]


def test_a_csv_field_beyond_pythons_own_limit_is_read(tmp_path: Path) -> None:
    # The limit belongs to the process: set here, so that no test before this one has raised it.
    before = csv.field_size_limit(2**17)
    try:
        (tmp_path / "x.csv").write_text(f"prompt,response\n2 + 2?,{'4' * 2**18}\n")
        (row,) = read(tmp_path / "x.csv")
    finally:
        csv.field_size_limit(before)
    assert row.response == "4" * 2**18


def half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("ending", "words"), [("parquet", "x.parquet cannot be read"), ("jsonl", "is no JSON")]
)
def test_a_file_cut_in_half_is_refused(ending: str, words: str, tmp_path: Path) -> None:
    records = [{"prompt": f"{i}?", "response": "4" * 100} for i in range(99)]
    path = lines(tmp_path / f"x.{ending}", *records)
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    half(path)
    with pytest.raises(DataError, match=words):
        read(path)


def test_bytes_that_are_not_utf8_name_their_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", GOOD)
    path.write_bytes(path.read_bytes() + b'{"prompt": "caf\xe9?", "response": "4"}\n')
    with pytest.raises(DataError, match=r"x\.jsonl: line 2 is not UTF-8 near .*caf\\xe9"):
        read(path)


def test_a_line_of_a_gigabyte_is_refused(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", GOOD)
    with path.open("ab") as file:
        file.truncate(2**30)  # a sparse gigabyte behind the first line
    with pytest.raises(DataError, match=r"x\.jsonl: line 2 is longer than 64 MiB"):
        read(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.jsonl", "does not exist; correct FileRows.path"),
        ("x.txt", "ends in '.txt'; readable are .parquet"),
    ],
)
def test_a_file_that_is_missing_or_of_another_kind_is_named(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(DataError, match=name) as refused:
        read(tmp_path / name)
    assert words in str(refused.value)
