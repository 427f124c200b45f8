"""Contamination at scale: `contamination.scan` over prepared rows by Ray Data, on a whole cluster."""

from __future__ import annotations

import pyarrow as pa
import ray
import ray.data

from rsft import layout
from rsft.data.contamination import FLAGS, Index, scan
from rsft.storage import Storage


def flagged(storage: Storage, name: str, index: Index) -> pa.Table:
    """Benchmark problems found in prepared rows (columns: contamination.FLAGS), in any order."""
    shared = ray.put(index)  # once per node, not once per block

    def scan_block(block: pa.Table) -> pa.Table:
        return scan(block, ray.get(shared))

    texts = ray.data.read_parquet(storage.path(layout.prepared_texts(name)))
    blocks = texts.map_batches(scan_block, batch_format="pyarrow", batch_size=1_024)
    found = [block for block in ray.get(blocks.to_arrow_refs()) if block.num_rows]
    return pa.concat_tables([block.cast(FLAGS) for block in found]) if found else FLAGS.empty_table()
