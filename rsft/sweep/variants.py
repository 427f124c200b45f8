"""Data variants by name: built outside a sweep, and shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from rich.markdown import Markdown
from rich.rule import Rule
from rich.text import Text

from rsft import layout
from rsft.bases import resolve
from rsft.data.certificate import markdown, shown
from rsft.data.prepare import prepare
from rsft.data.prepared import open_rows
from rsft.data.template import Tokenizer, load_tokenizer
from rsft.errors import DataError, SpecError
from rsft.spec.data import DataSpec
from rsft.spec.model import ModelSpec
from rsft.spec.sweep import SweepSpec
from rsft.spec.variants import variant
from rsft.storage import Storage
from rsft.sweep.entry import DEFAULT_STORAGE, sweep_storage
from rsft.sweep.start import prove


def build(
    name: str,
    sweep: SweepSpec | None,
    base: str,
    max_tokens: int,
    rows: int | None,
    storage_uri: str | None,
    say: Callable[[str], None],
) -> tuple[Storage, dict[str, Any], Tokenizer]:
    """Builds a variant unless it is there.

    Args:
        name: of the catalogue, or of the sweep's own data.
        sweep: a page whose variant, base, length limit and storage count; None takes the arguments below.
        base: whose tokenizer.
        max_tokens: longest row.
        rows: take the first so many; None takes all.
        storage_uri: where storages of sweeps lie; a build without a page goes to `data/` there.
        say: told about progress.

    Returns:
        (storage, certificate, tokenizer).

    Raises:
        RsftError: no such variant or base, or rows that cannot be trained on.
    """
    if sweep is not None:
        data, model, max_tokens = _of_page(sweep, name)
        storage = sweep_storage(sweep.name, storage_uri)
    else:
        data, model = variant(name), ModelSpec(source=base)
        storage = Storage(storage_uri or os.environ.get("RSFT_STORAGE") or DEFAULT_STORAGE).child("data")
    if rows is not None:
        data = DataSpec(**data.model_dump() | {"rows": rows})
    storage.check_writable()
    tokenizer = load_tokenizer(resolve(model).source, model)
    manifest = prepare(storage, data, tokenizer, max_tokens, prove, say)
    return storage, storage.read_json(layout.certificate(manifest["name"], "json")), tokenizer


def _of_page(sweep: SweepSpec, name: str) -> tuple[DataSpec, ModelSpec, int]:
    found = {data.name: data for data in sweep.data}
    if name not in found:
        raise SpecError(f"the page has no variant {name!r}; its data axis has {', '.join(found)}.")
    return found[name], sweep.models[0], sweep.train.max_tokens


def pages(
    storage: Storage, certificate: dict[str, Any], tokenizer: Tokenizer, first: int, count: int
) -> list[Any]:
    """What `rsft data show` prints: rows decoded, what is trained on in bold green; then the certificate.

    Raises:
        DataError: there is no such row.
    """
    found = open_rows(storage, certificate["name"])
    if not 1 <= first <= len(found):
        raise DataError(f"--first {first} is no row of {certificate['name']}; it has 1 to {len(found):,}.")
    out: list[Any] = []
    for number in range(first, min(first + count, len(found) + 1)):
        tokens = found[number - 1]
        out.append(Rule(Text(f"row {number:,} of {len(found):,}  {tokens.id}  {tokens.targets:,} targets")))
        text = Text()
        for part in shown(tokenizer, tokens):
            text.append(part["text"], style="bold green" if part["trained"] else "dim")
        out.append(text)
    facts, _, _ = markdown(certificate).partition("## Rows, decoded")
    return [*out, Markdown(facts)]
