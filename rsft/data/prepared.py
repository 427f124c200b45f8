"""Prepared rows on disk: token ids in a memory-mapped Arrow file, the same rows as text beside it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rsft import layout
from rsft.data.rows import Row
from rsft.data.template import Tokens
from rsft.storage import Storage
from rsft.wheels import cache_folder

IDS = pa.schema([("id", pa.string()), ("ids", pa.list_(pa.int32())), ("spans", pa.list_(pa.int32()))])
"""spans: start, end, start, end, ... of what is trained on."""

TEXTS = pa.schema([("id", pa.string()), ("prompt", pa.string()), ("response", pa.string())])
"""prompt: what was said before the response, without the template's own text."""


class PreparedWriter:
    """Writes rows batch by batch to two local files, so that memory holds one batch. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.ids_file, self.texts_file = folder / "rows.arrow", folder / "texts.parquet"
        self._ids = pa.ipc.new_file(str(self.ids_file), IDS)
        self._texts = pq.ParquetWriter(self.texts_file, TEXTS, compression="zstd")

    def __enter__(self) -> PreparedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ids.close()
        self._texts.close()

    def write(self, batch: Sequence[tuple[Row, Tokens]]) -> None:
        """Appends rows, in order."""
        if not batch:
            return
        tokens = [t for _, t in batch]
        offsets = np.cumsum([0, *(len(t) for t in tokens)], dtype=np.int32)
        flat = np.concatenate([t.ids for t in tokens])
        columns = {
            "id": pa.array([t.id for t in tokens], pa.string()),
            "ids": pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat)),
            "spans": pa.array(
                [[n for span in t.spans for n in span] for t in tokens], IDS.field("spans").type
            ),
        }
        self._ids.write_batch(pa.RecordBatch.from_arrays(list(columns.values()), schema=IDS))
        rows = [row for row, _ in batch]
        self._texts.write_table(texts(rows, [t.id for t in tokens]))


def texts(rows: Sequence[Row], ids: Sequence[str] | None = None) -> pa.Table:
    """Rows as text, as `contamination.scan` reads them."""
    said = ["\n".join(message["content"] for message in row.messages) for row in rows]
    columns = [ids or [row.id for row in rows], said, [row.response for row in rows]]
    return pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], schema=TEXTS)


class PreparedRows(Sequence[Tokens]):
    """Rows of an Arrow file, read from disk as they are asked for."""

    def __init__(self, path: str | Path) -> None:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        self._batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        self._ends = np.cumsum([batch.num_rows for batch in self._batches]).tolist()

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._ends else 0

    def __getitem__(self, index: int) -> Tokens:  # type: ignore[override]  # slices are not needed
        if not 0 <= index < len(self):
            raise IndexError(index)
        at = bisect_right(self._ends, index)
        batch = self._batches[at]
        row = index - (self._ends[at] - batch.num_rows)
        ids, spans = (batch.column(name)[row].values.to_numpy() for name in ("ids", "spans"))
        pairs = tuple(zip(spans[::2].tolist(), spans[1::2].tolist(), strict=True))
        return Tokens(batch.column("id")[row].as_py(), ids, pairs)

    def lengths(self) -> np.ndarray:
        """(rows,) tokens of every row."""
        found = [np.diff(batch.column("ids").offsets.to_numpy()) for batch in self._batches]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int32)


def open_rows(storage: Storage, name: str) -> PreparedRows:
    """The prepared rows of that name; from a bucket they are copied to this machine once."""
    folder = storage.local_folder(layout.prepared(name), cache_folder() / "prepared" / name)
    return PreparedRows(Path(folder) / Path(layout.prepared_rows(name)).name)


def read_texts(storage: Storage, name: str) -> Iterator[pa.RecordBatch]:
    """The prepared rows as text, in order, a batch at a time."""
    folder = storage.local_folder(layout.prepared(name), cache_folder() / "prepared" / name)
    with pq.ParquetFile(Path(folder) / Path(layout.prepared_texts(name)).name) as file:
        yield from file.iter_batches(batch_size=1_024)
