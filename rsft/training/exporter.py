"""Checkpoints for evaluation, written beside training: weights are copied, then training goes on."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from rsft import layout
from rsft.data.template import Tokenizer
from rsft.records import Checkpoint
from rsft.storage import Storage
from rsft.training.engine import Engine
from rsft.training.export import MARKER, export
from rsft.training.lora import adapter_files, merged


class Exporter:
    """Writes, verifies and uploads one checkpoint at a time, on the first worker, in a thread of its own."""

    def __init__(self, engine: Engine, storage: Storage, tokenizer: Tokenizer, rank: int) -> None:
        self._engine, self._storage, self._tokenizer, self._rank = engine, storage, tokenizer, rank
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None

    def submit(self, checkpoint: Checkpoint) -> None:
        """Takes a copy of the weights as they are now. A collective."""
        self.wait()  # one copy in memory, not several
        weights = self._engine.weights()
        if self._rank == 0:
            tied = set(self._engine.model.all_tied_weights_keys)
            # Adapters are merged in the precision that they were trained in.
            dtype = None if self._engine.adapters else self._engine.dtype
            kept = {
                name: tensor.detach().to("cpu", dtype or tensor.dtype, copy=True)
                for name, tensor in weights.items()
                if name not in tied
            }
            self._pending = self._thread.submit(self._write, kept, checkpoint)

    def wait(self) -> None:
        """Returns when everything submitted has landed.

        Raises:
            EngineError: a checkpoint is incomplete.
            OSError: it could not be written.
        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def _write(self, weights: dict[str, torch.Tensor], checkpoint: Checkpoint) -> None:
        model, dtype = self._engine.model, self._engine.dtype
        with tempfile.TemporaryDirectory(prefix="rsft-export-") as folder:
            if self._engine.adapters:
                beside = Path(folder) / layout.ADAPTER
                beside.mkdir()
                base = self._engine.adapters
                adapter_files(model, weights, beside, base.source, base.revision)
                weights = merged(model, weights, dtype)
            export(model, weights, dtype, self._tokenizer, Path(folder), checkpoint)
            try:
                self._storage.clear_folder(checkpoint.path, keep=MARKER)  # halves of a killed attempt
                self._storage.upload_folder(folder, checkpoint.path, last=MARKER)
            except OSError:
                # There is a marker where dropped weights were to come back.
                self._storage.clear_folder(checkpoint.path, keep=MARKER)
                raise
