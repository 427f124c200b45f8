"""Builds small versions of all variants that need no hub, and prints their hashes (see test_variants.py)."""

import json
import sys

from rsft.bases import SHIPPED
from rsft.data.prepare import prepare
from rsft.data.template import load_tokenizer
from rsft.spec import DataSpec, HubRows, ModelSpec, Subset
from rsft.spec.variants import CATALOGUE
from rsft.storage import Storage


def small(data: DataSpec) -> DataSpec:
    transforms = tuple(Subset(rows=24, of=48) if isinstance(t, Subset) else t for t in data.transforms)
    tokens = 600 if data.target_tokens else None
    return DataSpec(**dict(data) | {"rows": 24, "transforms": transforms, "target_tokens": tokens})


tokenizer = load_tokenizer(str(SHIPPED / "nano-1m"), ModelSpec(source="nano-1m"))
storage = Storage(sys.argv[1])
hashes = {
    name: prepare(storage, small(data), tokenizer, 1_024)["hash"]
    for name, data in CATALOGUE.items()
    if not any(isinstance(source, HubRows) for source in data.sources)
}
print(json.dumps(hashes))
