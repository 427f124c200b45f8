"""Contamination of prepared rows on one machine: `contamination.scan` on `datasets` workers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pyarrow as pa

from rsft import layout
from rsft.data.contamination import FLAGS, Index, scan
from rsft.data.prepared import read_texts
from rsft.storage import Storage
from rsft.wheels import cache_folder

ROWS_PER_WORKER = 5_000
"""Rows below which another process costs more than it saves."""


def flagged(storage: Storage, name: str, index: Index, rows: int, workers: int | None = None) -> pa.Table:
    """Benchmark problems found in prepared rows (columns: contamination.FLAGS), in row order.

    Args:
        storage: of the sweep.
        name: of the prepared rows.
        index: of the benchmarks' problems.
        rows: number of prepared rows, for choosing the number of workers.
        workers: processes; None means one per core, but none for few rows.
    """
    count = min(os.cpu_count() or 1, rows // ROWS_PER_WORKER) if workers is None else workers
    if count <= 1:
        found = [scan(batch, index) for batch in read_texts(storage, name)]
        return pa.concat_tables(found) if found else FLAGS.empty_table()
    import datasets  # seconds to import, and few rows do without it

    folder = storage.local_folder(layout.prepared(name), cache_folder() / "prepared" / name)
    with tempfile.TemporaryDirectory(prefix="rsft-overlap-") as cache:
        texts = datasets.Dataset.from_parquet(
            str(Path(folder) / Path(layout.prepared_texts(name)).name), cache_dir=cache
        )
        found = texts.with_format("arrow").map(
            scan,
            fn_kwargs={"index": index},
            batched=True,
            num_proc=count,
            remove_columns=texts.column_names,
            features=datasets.Features.from_arrow_schema(FLAGS),
        )
        # Copied out of the memory map, since its file goes with the folder.
        return pa.Table.from_pylist(found.data.table.to_pylist(), schema=FLAGS)
