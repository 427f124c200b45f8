"""Records of local files, streamed; a fault names the file and the record's number (the first is 1)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rsft.errors import DataError

LONGEST_LINE = 64 * 2**20
"""Bytes of a JSON line or CSV field; a row of 16k tokens has about 64 kB."""

Records = Iterator[dict[str, Any]]


def records(path: Path) -> Records:
    """Every record of a file, in order, one batch in memory at a time.

    Raises:
        DataError: no such file, an unknown ending, or content that cannot be read; names the record.
    """
    if not path.is_file():
        raise DataError(f"data file {str(path)!r} does not exist; correct FileRows.path, or put it there.")
    if path.suffix not in READERS:
        raise DataError(
            f"data file {str(path)!r} ends in {path.suffix!r}; readable are {', '.join(READERS)}."
        )
    number = 0
    try:
        for record in READERS[path.suffix](path):
            number += 1
            yield record
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path.name} cannot be read after record {number} ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:160]}); the file is damaged or cut, get a whole copy."
        ) from None


def _parquet(path: Path) -> Records:
    with pq.ParquetFile(path, memory_map=True) as file:
        for batch in file.iter_batches(batch_size=256):
            yield from batch.to_pylist()


def _arrow(path: Path) -> Records:
    with pa.memory_map(str(path)) as source:
        try:
            reader: Any = pa.ipc.open_file(source)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            batches = pa.ipc.open_stream(source)
        for batch in batches:
            for start in range(0, batch.num_rows, 256):
                yield from batch.slice(start, 256).to_pylist()


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """(line number, text) of every line that is not blank."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"{name}: line {number} is longer than {LONGEST_LINE >> 20} MiB ({line[:60]!r}...); it is no "
                "row, write one JSON object per line."
            )
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")  # some editors write a mark first
        except UnicodeDecodeError as error:
            around = line[max(error.start - 20, 0) : error.start + 20]
            raise DataError(
                f"{name}: line {number} is not UTF-8 near {around!r}; convert the file."
            ) from None
        if text.strip():
            yield number, text


def _jsonl(path: Path) -> Records:
    with path.open("rb") as file:
        for number, line in _lines(file, path.name):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{path.name}: line {number} is no JSON ({error.msg} at column {error.colno}: "
                    f"{line[max(error.pos - 30, 0) : error.pos + 30]!r}); the line is cut or damaged."
                ) from None
            if not isinstance(record, dict):
                raise DataError(f"{path.name}: line {number} is no JSON object: {line!r:.80}")
            yield record


def _json(path: Path) -> Records:
    """A list of objects in one text, or JSON lines under the other ending."""
    with path.open("rb") as file:
        first = file.read(64).lstrip()[:1]
    if first != b"[":
        yield from _jsonl(path)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    for number, record in enumerate(found, start=1):
        if not isinstance(record, dict):
            raise DataError(f"{path.name}: record {number} is no JSON object: {record!r:.80}")
        yield record


def _csv(path: Path) -> Records:
    csv.field_size_limit(LONGEST_LINE)
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, record in enumerate(csv.DictReader(file), start=1):
            if None in record or None in record.values():
                raise DataError(f"{path.name}: record {number} has another number of fields than the header.")
            yield record


READERS: dict[str, Callable[[Path], Records]] = {
    ".parquet": _parquet,
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".arrow": _arrow,
}
"""Ending of a file's name -> its reader."""
