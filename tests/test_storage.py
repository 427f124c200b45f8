"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from rsft.errors import StorageError
from rsft.storage import Storage


def test_what_is_written_is_read(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "new")
    storage.write_json("a/b.json", {"x": 1})
    storage.write_lines("a/c.jsonl", [{"y": 2}, {"y": 3}])
    storage.write_table("d.parquet", pa.table({"z": [4]}))
    assert storage.read_json("a/b.json") == {"x": 1}
    assert storage.read_lines("a/c.jsonl") == [{"y": 2}, {"y": 3}]
    assert storage.read_table("d.parquet").to_pylist() == [{"z": 4}]
    assert storage.names("a") == ["b.json", "c.jsonl"]
    assert storage.read_lines("none.jsonl") == [] and storage.read_json_or_none("none") is None


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with pytest.raises(TypeError):
        storage.write_json("a.json", object())
    with pytest.raises(TypeError):
        storage.write_bytes("b.bin", "no bytes")  # type: ignore[arg-type]
    assert storage.names() == []


def test_a_folder_is_uploaded_with_its_marker_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a_marker.json", "weights.bin", "z.txt"):
        (source / name).write_text(name)
    order: list[str] = []
    storage = Storage(tmp_path / "target")
    write = storage.write_bytes

    def noted(name: str, content: bytes) -> None:
        order.append(name)
        write(name, content)

    monkeypatch.setattr(storage, "write_bytes", noted)
    storage.upload_folder(source, "c", last="a_marker.json")
    assert order == ["c/weights.bin", "c/z.txt", "c/a_marker.json"]


def test_an_unwritable_root_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot be written to .*; give another place"):
        Storage(tmp_path / "file" / "below").check_writable()


def test_an_unknown_scheme_is_one_sentence() -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        Storage("nowhere://bucket/x")
