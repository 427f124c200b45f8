"""A variant as token ids of one tokenizer, with the certificate that says what is trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rsft import layout
from rsft.data.certificate import Witness, markdown, summary
from rsft.data.prepared import PreparedWriter
from rsft.data.rows import Row, Tally
from rsft.data.source import fingerprint, rows
from rsft.data.template import Tokenizer, Tokens, render, tokenizer_hash
from rsft.errors import DataError
from rsft.spec.base import content_hash
from rsft.spec.data import DataSpec
from rsft.storage import Storage

RENDERING = 2
"""Goes up when the same rows would give other tokens than before."""

CHUNK_CHARACTERS = 2_000_000
CHUNK_ROWS = 1_024
"""Rows are rendered in chunks below both, which bounds memory and keeps the tokenizer's threads busy."""

Prove = Callable[[Sequence[Tokens]], dict[str, Any] | None]
"""Loss of a few rows laid out in several ways (see rsft.training.proof); None where torch is missing."""


def prepared_name(data: DataSpec, tokenizer: Tokenizer, max_tokens: int) -> str:
    """`<variant>-<hash>`: the same recipe and tokenizer give the same name."""
    facts = {
        "data": data.model_dump(mode="json", exclude={"name"}),
        "tokenizer": tokenizer_hash(tokenizer),
        "max_tokens": max_tokens,
        "content": fingerprint(data),
        "rendering": RENDERING,
    }
    return f"{data.name}-{content_hash(facts, 10)}"


def prepare(
    storage: Storage,
    data: DataSpec,
    tokenizer: Tokenizer,
    max_tokens: int,
    prove: Prove | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Builds the prepared rows of a variant unless they are there; returns the manifest.

    Rows stream from the source to two files; memory holds a chunk of them, whatever their number.

    Args:
        storage: of the sweep.
        data: the variant.
        tokenizer: of the base; bases with equal tokenizers share the result.
        max_tokens: longest row, prompt and target together.
        prove: computes the certificate's loss check.
        say: told about progress, a line at a time.

    Raises:
        DataError: no row is left, a row is not sound or too long under the policy `fail`, or the
            certificate finds something that must not be. Nothing is left behind.
    """
    name = prepared_name(data, tokenizer, max_tokens)
    known = storage.read_json_or_none(layout.manifest(name))
    if known is not None:
        return dict(known)
    tally, witness = Tally(), Witness(tokenizer)
    too_long = 0
    with tempfile.TemporaryDirectory(prefix="rsft-data-") as folder:
        with PreparedWriter(Path(folder)) as writer:
            for chunk in _chunks(rows(data, tally)):
                kept: list[tuple[Row, Tokens]] = []
                for row, sequences in zip(chunk, render(tokenizer, chunk), strict=True):
                    for tokens in sequences:
                        fitted = tokens if len(tokens) <= max_tokens else _shortened(tokens, data, max_tokens)
                        too_long += fitted is not tokens
                        if fitted is None:
                            continue
                        if data.target_tokens and witness.targets + fitted.targets > data.target_tokens:
                            tally.dropped["above_target_tokens"] += 1
                            continue
                        witness.see(row, fitted, cut=fitted is not tokens)
                        kept.append((row, fitted))
                writer.write(kept)
                say(f"{data.name}: {witness.rows:,} of {data.rows:,} rows, {witness.tokens:,} tokens")
                if data.target_tokens and witness.targets >= data.target_tokens:
                    break
        if data.too_long == "drop" and too_long:
            tally.dropped["too_long"] = too_long
        _refuse_empty(data, witness, tally, max_tokens)
        certificate = _certificate(name, data, tokenizer, max_tokens, witness, tally)
        certificate["loss_check"] = prove(witness.shown_tokens) if prove else None
        certificate["summary"] = summary(certificate)
        manifest = {
            name: certificate[name]
            for name in ("name", "variant", "spec", "tokenizer", "max_tokens", "content", "rows_kept", "hash")
        }
        storage.write_file(layout.prepared_rows(name), writer.ids_file)
        storage.write_file(layout.prepared_texts(name), writer.texts_file)
        storage.write_json(layout.certificate(name, "json"), certificate)
        storage.write_text(layout.certificate(name, "md"), markdown(certificate))
        storage.write_json(layout.manifest(name), manifest)
    return manifest


def _chunks(found: Iterator[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    characters = 0
    for row in found:
        chunk.append(row)
        characters += len(row.response) + sum(len(message["content"]) for message in row.messages)
        if characters >= CHUNK_CHARACTERS or len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _shortened(tokens: Tokens, data: DataSpec, max_tokens: int) -> Tokens | None:
    """A row above the limit under the variant's policy; None when it is left out.

    Raises:
        DataError: under the policy `fail`.
    """
    if data.too_long == "fail":
        raise DataError(
            f"{tokens.id} of variant {data.name!r} has {len(tokens)} tokens, above max_tokens={max_tokens}, "
            "and too_long='fail'; raise TrainSpec.max_tokens, or set DataSpec.too_long to 'drop' or "
            "'truncate'."
        )
    spans = tuple((start, min(end, max_tokens)) for start, end in tokens.spans if start < max_tokens)
    if data.too_long == "drop" or not spans:
        return None
    return replace(tokens, ids=tokens.ids[:max_tokens], spans=spans)


def _refuse_empty(data: DataSpec, witness: Witness, tally: Tally, max_tokens: int) -> None:
    if not witness.rows:
        lost = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in tally.dropped.items())
        raise DataError(
            f"data variant {data.name!r} is empty: of {tally.seen} rows none is left ({lost or 'none came'}; "
            f"max_tokens={max_tokens}); give it rows, or loosen what drops them."
        )
    if data.target_tokens and witness.targets < 0.95 * data.target_tokens:
        raise DataError(
            f"data variant {data.name!r} has {witness.targets:,} target tokens, below "
            f"target_tokens={data.target_tokens:,}; raise DataSpec.rows, or lower target_tokens for all "
            "variants that are to match."
        )


def _certificate(
    name: str, data: DataSpec, tokenizer: Tokenizer, max_tokens: int, witness: Witness, tally: Tally
) -> dict[str, Any]:
    return {
        "name": name,
        "variant": data.name,
        "spec": data.model_dump(mode="json"),
        "tokenizer": tokenizer_hash(tokenizer),
        "max_tokens": max_tokens,
        "content": fingerprint(data),
        "rows_asked": data.rows,
        "rows_in": tally.seen,
        "dropped": dict(sorted(tally.dropped.items())),
        "changed": {what: count for what, count in sorted(tally.changed.items()) if count},
        **witness.facts(max_tokens),
    }
