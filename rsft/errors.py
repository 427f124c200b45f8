"""Everything rsft raises on purpose.

RsftError
├── SpecError(ValueError)        the sweep as written cannot run
├── DataError(ValueError)        rows are not what the spec promised
├── ModelError(ValueError)       a base model or checkpoint folder cannot be used
├── StorageError(OSError)        the storage cannot be written, or belongs to something else
├── EngineError(RuntimeError)    an engine started but did not do its work
└── MissingEngine(ImportError)   an optional package is not installed

Each error is one sentence for the user: what, where, the value, the next step. All of them survive
pickling (no custom constructors), since Ray carries exceptions between processes.
"""

from __future__ import annotations

import sys
from types import TracebackType


class RsftError(Exception):
    """Root of everything rsft raises on purpose. Ends a command with exit code 2."""


class SpecError(RsftError, ValueError):
    """The sweep as written cannot run."""


class DataError(RsftError, ValueError):
    """Rows are not what the spec promised."""


class ModelError(RsftError, ValueError):
    """A base model or checkpoint folder cannot be used."""


class StorageError(RsftError, OSError):
    """The storage cannot be read or written, or belongs to something else."""


class EngineError(RsftError, RuntimeError):
    """An engine started but did not do its work."""


class MissingEngine(RsftError, ImportError):
    """An optional package is not installed."""

    @classmethod
    def named(cls, package: str, extra: str = "cpu") -> MissingEngine:
        return cls(f"{package} is not installed. Run: pip install 'rsft[{extra}]' (or make setup).")


EXIT_USER_ERROR = 2
"""Exit code of every command that ends because of what the user gave it."""


def install_one_sentence_hook() -> None:
    """Makes an uncaught RsftError print its sentence and exit with 2, without a traceback.

    A sweep file builds its specs at import, before any of our functions can catch an error, so
    `python sweeps/x.py` needs this. Every other exception keeps the hook that was there before.
    """
    previous = sys.excepthook

    def hook(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        if isinstance(value, RsftError):
            print(f"error: {value}", file=sys.stderr)
            raise SystemExit(EXIT_USER_ERROR)
        previous(kind, value, traceback)

    sys.excepthook = hook
