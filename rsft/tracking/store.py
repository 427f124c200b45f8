"""Where a sweep is tracked: a server's address, or a SQLite file in the sweep's own storage."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rsft import layout
from rsft.errors import StorageError
from rsft.storage import Storage

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An MLflow tracking store."""

    uri: str
    artifact_root: str | None
    """URI below which artifacts go; None leaves it to the server."""

    @property
    def sqlite_file(self) -> Path | None:
        if not self.uri.startswith(_SQLITE):
            return None
        return Path(self.uri.removeprefix(_SQLITE).partition("?")[0])

    @property
    def shown(self) -> str:
        """The address without a password."""
        return without_password(self.uri)


def locate(uri: str | None, storage: Storage) -> Store:
    """The store at `uri`; with None the sweep's own.

    Raises:
        StorageError: no URI is given and the storage is a bucket, where SQLite cannot live.
    """
    if uri is None:
        return own(storage)
    through_server = not re.match(r"(sqlite|postgresql|mysql|mssql)\b", uri)
    return Store(uri=uri, artifact_root=None if through_server else _artifact_root(storage))


def own(storage: Storage) -> Store:
    """The SQLite store inside a sweep's storage.

    Raises:
        StorageError: the storage is a bucket, or its path cannot be written as a URI.
    """
    path = storage.path(layout.MLFLOW_DB)
    if not storage.is_local:
        raise StorageError(
            f"storage {storage.root!r} is a bucket, where MLflow's SQLite file cannot live; give a "
            "tracking server with --tracking-uri or MLFLOW_TRACKING_URI."
        )
    if re.search(r"[%?#]", path):
        raise StorageError(
            f"storage {storage.root!r} has one of % ? # in its path, which MLflow's SQLite address "
            "cannot hold; give another folder, or a server with --tracking-uri."
        )
    return Store(uri=f"{_SQLITE}{path}", artifact_root=_artifact_root(storage))


def _artifact_root(storage: Storage) -> str:
    root = storage.path(layout.MLFLOW_ARTIFACTS)
    return Path(root).as_uri() if storage.is_local else root


def without_password(text: str) -> str:
    return re.sub(r"://[^@/\s]*@", "://***@", text)


def check_sqlite(path: Path) -> None:
    """Reads a table and takes the write lock for a moment, since MLflow would retry for minutes.

    Raises:
        StorageError: not an SQLite file, damaged, locked or not writable.
    """
    try:
        with closing(sqlite3.connect(path, timeout=5)) as db:
            db.execute("SELECT version_num FROM alembic_version").fetchone()
            db.execute("BEGIN IMMEDIATE")
            db.rollback()
    except sqlite3.Error as error:
        raise StorageError(
            f"the tracking store {path} cannot be used ({error}); move it away and `rsft track` "
            "writes it again from the results, or give another with --tracking-uri."
        ) from None
