"""Prepared data: a variant as token ids of one tokenizer, with the manifest that says what was done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rsft import layout
from rsft.data.source import Row, Tally, fingerprint, rows
from rsft.data.template import Tokenizer, prompt_ids, target_ids, tokenizer_hash
from rsft.errors import DataError
from rsft.spec.base import content_hash
from rsft.spec.data import DataSpec
from rsft.storage import Storage

SHOWN_ROWS = 3
"""Rows of a manifest that are shown decoded."""

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", pa.list_(pa.int32())),
        ("target", pa.list_(pa.int32())),
    ]
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One row as token ids."""

    id: str
    prompt: list[int]
    """Not trained on."""
    target: list[int]
    """Trained on: response and end marker."""


def prepared_name(data: DataSpec, tokenizer: Tokenizer, max_tokens: int) -> str:
    """`<variant>-<hash>`: the same recipe and tokenizer give the same name."""
    facts = {
        "data": data.model_dump(mode="json", exclude={"name"}),
        "tokenizer": tokenizer_hash(tokenizer),
        "max_tokens": max_tokens,
        "content": fingerprint(data),
    }
    return f"{data.name}-{content_hash(facts, 10)}"


def prepare(
    storage: Storage,
    data: DataSpec,
    tokenizer: Tokenizer,
    max_tokens: int,
) -> dict[str, Any]:
    """Builds the prepared rows of a variant unless they are there; returns the manifest.

    Args:
        storage: of the sweep.
        data: the variant.
        tokenizer: of the base; bases with equal tokenizers share the result.
        max_tokens: longest row, prompt and target together.

    Raises:
        DataError: no row is left, a row has no target, or one is too long under the policy `fail`.
    """
    name = prepared_name(data, tokenizer, max_tokens)
    known = storage.read_json_or_none(layout.manifest(name))
    if known is not None:
        return dict(known)
    tally = Tally()
    kept: list[Tokens] = []
    too_long: list[str] = []
    for row in rows(data, tally):
        tokens = _tokens(row, tokenizer)
        if len(tokens.prompt) + len(tokens.target) > max_tokens:
            too_long.append(row.id)
            cut = _shortened(tokens, data, max_tokens)
            if cut is None:
                continue
            tokens = cut
        kept.append(tokens)
    if not kept:
        raise DataError(
            f"data variant {data.name!r} is empty: of {tally.seen} rows {tally.unverified} were not "
            f"verified, {tally.held_out} are benchmark questions and {len(too_long)} are longer than "
            f"max_tokens={max_tokens}; give it rows, or a larger max_tokens."
        )
    table = pa.Table.from_pylist(
        [{"id": t.id, "prompt": t.prompt, "target": t.target} for t in kept], schema=SCHEMA
    )
    manifest = {
        "name": name,
        "variant": data.name,
        "spec": data.model_dump(mode="json"),
        "tokenizer": tokenizer_hash(tokenizer),
        "max_tokens": max_tokens,
        "content": fingerprint(data),
        "rows_in": tally.seen,
        "rows_kept": len(kept),
        "dropped": {
            "not_verified": tally.unverified,
            "benchmark_question": tally.held_out,
            "too_long": len(too_long) if data.too_long == "drop" else 0,
        },
        "truncated": len(too_long) if data.too_long == "truncate" else 0,
        "prompt_tokens": _percentiles([len(t.prompt) for t in kept]),
        "target_tokens": _percentiles([len(t.target) for t in kept]),
        "hash": rows_hash(kept),
        "sample": [
            {"id": t.id, "prompt": tokenizer.decode(t.prompt), "target": tokenizer.decode(t.target)}
            for t in kept[:SHOWN_ROWS]
        ],
    }
    storage.write_table(layout.prepared_rows(name), table)
    storage.write_json(layout.manifest(name), manifest)
    return manifest


def _tokens(row: Row, tokenizer: Tokenizer) -> Tokens:
    if not row.response.strip():
        raise DataError(f"row {row.id} has an empty response, so nothing of it would be trained on.")
    return Tokens(row.id, prompt_ids(tokenizer, row.messages), target_ids(tokenizer, row.response))


def _shortened(tokens: Tokens, data: DataSpec, max_tokens: int) -> Tokens | None:
    """A row above the limit under the variant's policy; None when it is left out.

    Raises:
        DataError: under the policy `fail`.
    """
    if data.too_long == "fail":
        raise DataError(
            f"row {tokens.id} of variant {data.name!r} has {len(tokens.prompt) + len(tokens.target)} "
            f"tokens, above max_tokens={max_tokens}, and too_long='fail'; raise TrainSpec.max_tokens, or "
            "set DataSpec.too_long to 'drop' or 'truncate'."
        )
    room = max_tokens - len(tokens.prompt)
    if data.too_long == "drop" or room < 1:
        return None
    return Tokens(tokens.id, tokens.prompt, tokens.target[:room])


def _percentiles(lengths: Sequence[int]) -> dict[str, int]:
    points = {"min": 0, "p50": 50, "p95": 95, "max": 100}
    return {name: int(np.percentile(lengths, point)) for name, point in points.items()}


def rows_hash(kept: Sequence[Tokens]) -> str:
    """Digest of all token ids in order: equal hashes are equal training data."""
    digest = hashlib.sha256()
    for tokens in kept:
        digest.update(np.asarray([len(tokens.prompt), *tokens.prompt], dtype=np.int32).tobytes())
        digest.update(np.asarray(tokens.target, dtype=np.int32).tobytes())
    return digest.hexdigest()[:16]


def load_rows(storage: Storage, name: str) -> list[Tokens]:
    """The prepared rows, in order."""
    records = storage.read_table(layout.prepared_rows(name)).to_pylist()
    return [Tokens(record["id"], record["prompt"], record["target"]) for record in records]
