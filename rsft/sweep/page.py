"""Sweeps from where they are written down: a Python page, or a storage."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TypeVar

from rsft import layout
from rsft.errors import SpecError, StorageError
from rsft.spec.sweep import SweepSpec
from rsft.storage import Storage
from rsft.sweep.plan import Plan, make_plan

Found = TypeVar("Found")


def load_page(path: Path) -> SweepSpec:
    """The SWEEP of a page. Raises as `from_page`."""
    return from_page(path, "SWEEP", SweepSpec)


def from_page(path: Path, name: str, kind: type[Found]) -> Found:
    """What a page defines under a name.

    Raises:
        SpecError: no such file, or it defines nothing of that kind under that name.
    """
    if not path.exists():
        raise SpecError(f"sweep page {str(path)!r} does not exist; give a Python file.")
    module_spec = importlib.util.spec_from_file_location("sweep_page", path)
    if module_spec is None or module_spec.loader is None:
        raise SpecError(f"sweep page {str(path)!r} is no Python file; give one that ends in .py.")
    module = importlib.util.module_from_spec(module_spec)
    sys.path.insert(0, str(path.parent.resolve()))  # as `python page.py` does: pages import one another
    module_spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not isinstance(found, kind):
        raise SpecError(f"sweep page {str(path)!r} defines no {name} = {kind.__name__}(...); add it.")
    return found


def stored_plan(root: str) -> Plan:
    """The plan of a sweep as its storage knows it.

    Raises:
        StorageError: no sweep there, or several.
    """
    storage = Storage(root)
    if not storage.exists(layout.SWEEP):
        found = [name for name in storage.names() if storage.exists(f"{name}/{layout.SWEEP}")]
        if len(found) != 1:
            what = f"holds the sweeps {', '.join(found)}; name one" if found else "holds no sweep"
            raise StorageError(f"storage {storage.root!r} {what}; it is where `rsft run` put sweep.json.")
        storage = storage.child(found[0])
    return make_plan(SweepSpec(**storage.read_json(layout.SWEEP)["spec"]), storage)
