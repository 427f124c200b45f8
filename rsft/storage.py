"""Atomic reads and writes below one root: a local folder or a bucket URI (pyarrow file systems)."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from pydantic_core import from_json

from rsft.errors import StorageError

BUCKET_READS = 32
"""Small objects of a bucket that are asked for at a time."""
_BLOCK = 65_536
"""Bytes that one read of a small file asks for."""


class Storage:
    """One root under which a sweep keeps all it knows.

    A file appears whole or not at all: local files are written beside their place and renamed,
    objects of a bucket are put in one piece.
    """

    def __init__(self, root: str | Path) -> None:
        """Opens `root`, a path or a URI such as s3://bucket/folder; creates nothing.

        Raises:
            StorageError: a URI no file system here understands.
        """
        self.root = str(root)
        try:
            if "://" in self.root:
                self._fs, self._base = pyarrow.fs.FileSystem.from_uri(self.root)
            else:
                self._fs = pyarrow.fs.LocalFileSystem()
                self._base = self.root = str(Path(self.root).expanduser().absolute())
        except (pa.ArrowInvalid, OSError) as error:
            raise StorageError(
                f"storage {self.root!r} cannot be opened ({error}); give a folder or an s3:// or gs:// URI."
            ) from None
        self._base = self._base.rstrip("/")

    @property
    def is_local(self) -> bool:
        return isinstance(self._fs, pyarrow.fs.LocalFileSystem)

    def path(self, relative: str = "") -> str:
        """The full path or URI of something below the root."""
        return f"{self.root.rstrip('/')}/{relative}" if relative else self.root

    def child(self, relative: str) -> Storage:
        return Storage(self.path(relative))

    def _at(self, relative: str) -> str:
        return f"{self._base}/{relative}" if relative else self._base

    def check_writable(self) -> None:
        """Writes and removes a probe.

        Raises:
            StorageError: the root cannot be written to.
        """
        probe = f".rsft-probe-{uuid.uuid4().hex[:8]}"
        try:
            self.write_bytes(probe, b"probe")
            self.delete(probe)
        except OSError as error:
            raise StorageError(
                f"storage {self.root!r} cannot be written to ({type(error).__name__}: {error}); "
                "give another place with --storage or RSFT_STORAGE."
            ) from None

    def exists(self, relative: str) -> bool:
        kind = self._fs.get_file_info(self._at(relative)).type
        return bool(kind != pyarrow.fs.FileType.NotFound)

    def names(self, relative: str = "") -> list[str]:
        """Names directly below a folder, sorted; empty when it does not exist."""
        selector = pyarrow.fs.FileSelector(self._at(relative), allow_not_found=True)
        try:
            return sorted(info.base_name for info in self._fs.get_file_info(selector))
        except NotADirectoryError:
            return []

    def size_bytes(self, relative: str = "") -> int:
        selector = pyarrow.fs.FileSelector(self._at(relative), allow_not_found=True, recursive=True)
        return sum(info.size or 0 for info in self._fs.get_file_info(selector) if info.is_file)

    def read_bytes(self, relative: str) -> bytes:
        if self.is_local:
            with open(self._at(relative), "rb") as local:
                return local.read()
        with self._fs.open_input_stream(self._at(relative)) as source:
            return bytes(source.read())

    def write_bytes(self, relative: str, content: bytes) -> None:
        target = self._at(relative)
        if not self.is_local:
            with self._fs.open_output_stream(target) as sink:
                sink.write(content)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        part = f"{target}.{uuid.uuid4().hex[:8]}.part"
        try:
            with open(part, "wb") as out:
                out.write(content)
            os.replace(part, target)
        except BaseException:
            if os.path.exists(part):
                os.remove(part)
            raise

    def write_file(self, relative: str, local: str | Path) -> None:
        """Copies a local file into the storage, whole or not at all, without reading it into memory."""
        target = self._at(relative)
        part = f"{target}.{uuid.uuid4().hex[:8]}.part" if self.is_local else target
        if self.is_local:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            pyarrow.fs.copy_files(
                str(local),
                part,
                source_filesystem=pyarrow.fs.LocalFileSystem(),
                destination_filesystem=self._fs,
            )
            if self.is_local:
                os.replace(part, target)
        except BaseException:
            if self.is_local and os.path.exists(part):
                os.remove(part)
            raise

    def read_text(self, relative: str) -> str:
        return self.read_bytes(relative).decode("utf-8")

    def write_text(self, relative: str, text: str) -> None:
        self.write_bytes(relative, text.encode("utf-8"))

    def read_json(self, relative: str) -> Any:
        return json.loads(self.read_bytes(relative))

    def write_json(self, relative: str, value: Any) -> None:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        self.write_text(relative, text + "\n")

    def read_json_or_none(self, relative: str) -> Any:
        """The JSON value, or None when the file does not exist."""
        try:
            return self.read_json(relative)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_json_each(self, relatives: Sequence[str], without: Sequence[str] = ()) -> list[Any]:
        """`read_json_or_none` of many small files: many at a time from a bucket, else with few system calls.

        Args:
            relatives: places of the files.
            without: fields of objects to leave out, for memory.
        """
        found: list[Any] = []
        if not self.is_local:
            with ThreadPoolExecutor(BUCKET_READS) as pool:
                for value in pool.map(self.read_json_or_none, relatives):
                    found.append(_lacking(value, without))
            return found
        for relative in relatives:
            try:
                file = os.open(self._at(relative), os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError):
                found.append(None)
                continue
            try:
                content = os.read(file, _BLOCK)
                while len(content) % _BLOCK == 0 and (more := os.read(file, _BLOCK)):
                    content += more
            finally:
                os.close(file)
            # Several times as fast as json.loads.
            found.append(_lacking(from_json(content), without))
        return found

    def read_lines(self, relative: str) -> list[dict[str, Any]]:
        """The objects of a JSON-lines file; empty when it does not exist. A line without its end is not there
        yet: somebody is writing it, or was killed while doing so.
        """
        try:
            text = self.read_text(relative)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [json.loads(line) for line in text.split("\n")[:-1] if line]

    def write_lines(self, relative: str, rows: Sequence[dict[str, Any]]) -> None:
        self.write_text(relative, "".join(json.dumps(row) + "\n" for row in rows))

    def append_line(self, relative: str, row: dict[str, Any]) -> None:
        """Adds a row to a local JSON-lines file, in one write."""
        target = self._at(relative)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "ab", buffering=0) as out:
            out.write((json.dumps(row) + "\n").encode())

    def read_table(self, relative: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A Parquet file, or some of its columns."""
        # Not pq.read_table, which is made for large files and takes several times as long on small ones.
        file = pq.ParquetFile(pa.BufferReader(self.read_bytes(relative)), pre_buffer=False)
        return file.read(columns=list(columns) if columns else None, use_threads=False)

    def write_table(self, relative: str, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self.write_bytes(relative, sink.getvalue().to_pybytes())

    def delete(self, relative: str) -> None:
        """Removes a file; no error when it is not there."""
        if self.exists(relative):
            self._fs.delete_file(self._at(relative))

    def delete_folder(self, relative: str) -> None:
        if self.exists(relative):
            self._fs.delete_dir(self._at(relative))

    def clear_folder(self, relative: str, *, keep: str) -> None:
        """Removes all that lies in a folder, other folders included, but the file named `keep`."""
        selector = pyarrow.fs.FileSelector(self._at(relative), allow_not_found=True)
        for info in self._fs.get_file_info(selector):
            if info.type == pyarrow.fs.FileType.Directory:
                self._fs.delete_dir(info.path)
            elif info.base_name != keep:
                self._fs.delete_file(info.path)

    def upload_folder(self, local: str | Path, relative: str, *, last: str) -> None:
        """Copies a local folder into the storage; the file named `last` goes last, as the marker."""
        files = sorted(p for p in Path(local).rglob("*") if p.is_file())
        for file in sorted(files, key=lambda p: p.name == last):
            name = file.relative_to(local).as_posix()
            self.write_bytes(f"{relative}/{name}", file.read_bytes())

    def local_folder(self, relative: str, cache: str | Path, without: Collection[str] = ()) -> str:
        """A local path with the folder's files: itself, or a copy below `cache` for a bucket.

        Args:
            relative: of the folder.
            cache: where copies lie.
            without: names in the folder that are not copied.
        """
        if self.is_local:
            return self._at(relative)
        target = Path(cache) / relative
        if not target.exists():  # once per machine; who comes second throws its copy away
            part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
            part.mkdir(parents=True)
            selector = pyarrow.fs.FileSelector(self._at(relative), allow_not_found=True)
            for info in self._fs.get_file_info(selector):
                if info.base_name in without:
                    continue
                if info.type == pyarrow.fs.FileType.Directory:
                    (part / info.base_name).mkdir()
                pyarrow.fs.copy_files(
                    info.path,
                    str(part / info.base_name),
                    source_filesystem=self._fs,
                    destination_filesystem=pyarrow.fs.LocalFileSystem(),
                )
            try:
                os.replace(part, target)
            except OSError:
                if not target.exists():
                    raise
                shutil.rmtree(part)
        return str(target)


def _lacking(value: Any, fields: Sequence[str]) -> Any:
    if isinstance(value, dict):
        for name in fields:
            value.pop(name, None)
    return value


_FULL = re.compile(r"No space left|Disk quota exceeded|database or disk is full")
_NOTHING_LEFT = 16 * 2**20
"""Bytes free on a local disk below which a write that failed has failed for want of room."""


def out_of_space(error: BaseException | str, storage: Storage | None = None) -> bool:
    """Whether an error, or the text of one from another process, says that a disk is full.

    Args:
        error: what a write raised.
        storage: where it wrote, when it did so just now. Libraries that write themselves, torch among them,
            do not say why they failed; an error of theirs counts when there is hardly any room left.
    """
    if isinstance(error, BaseException):
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        causes = [cause for cause in (error.__cause__, error.__context__) if cause is not None]
        if full or any(out_of_space(cause) for cause in causes):
            return True
        if storage is not None and isinstance(error, OSError | RuntimeError) and storage.is_local:
            return shutil.disk_usage(existing(storage.root)).free < _NOTHING_LEFT
    return bool(_FULL.search(str(error)))


def existing(path: str | Path) -> Path:
    """The nearest folder above a path, or itself, that exists."""
    found = Path(path).absolute()
    while not found.exists():
        found = found.parent
    return found
