"""What an engine's process need not import, though engines do where they find it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal


@contextmanager
def without_unused(device: Literal["cpu", "gpu"]) -> Iterator[None]:
    """Imports inside find as not installed what neither a training worker nor an engine has a use for.

    DeepSpeed and transformers import, where they are there, MLflow for an autotuner, scikit-learn for an
    assistant model, and scipy for the loss of an object detector: three of ten seconds of a training worker,
    two seconds and 235 MB of vLLM's. torch imports Triton, 70 MB that compile for GPUs alone.
    """
    names = ("mlflow", "sklearn", "scipy", *(("triton",) if device == "cpu" else ()))
    blocked = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # None: an import error
    try:
        yield
    finally:
        for name in blocked:
            del sys.modules[name]
