"""What a sweep tells whoever watches it, and the watcher that does nothing.

Tracking watches, it never conducts: `begin` must work or the sweep does not start; after that a
lost call is a logged warning, never an exception. A repeated call adds nothing the second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from rsft.records import Checkpoint, Estimate
from rsft.spec.trial import Trial

TrialState = Literal["done", "failed", "open"]
"""`open`: the sweep ended before the trial did; a later run goes on with it."""


class Tracker(Protocol):
    """Anything that can watch a sweep. Only the driver calls it."""

    def begin(self, sweep_name: str, resolved: dict[str, Any]) -> None:
        """Opens the store and makes or finds the sweep; `resolved` is the content of sweep.json.

        Raises:
            StorageError: the store cannot be opened; one sentence.
        """
        ...

    def trial(self, trial: Trial) -> None:
        """Makes or finds the trial. Comes before every other call about it."""
        ...

    def training(self, trial_id: str, rows: Sequence[Mapping[str, float]]) -> None:
        """Rows of train.jsonl, old ones too: step, loss, lr, grad_norm, tokens, seconds, ..."""
        ...

    def cell(
        self, trial_id: str, checkpoint: Checkpoint, benchmark: str, estimates: Sequence[Estimate]
    ) -> None:
        """Results of one benchmark at `checkpoint.step`, steps in any order; 0 is the base."""
        ...

    def dataset(self, trial_id: str, name: str, digest: str, rows: int, certificate: str) -> None:
        """The prepared data the trial trains on; `digest` is its hash, `certificate` a Markdown page."""
        ...

    def finish_trial(self, trial_id: str, state: TrialState) -> None:
        """How the trial ended in this run of the sweep."""
        ...

    def report(self, folder_or_html: str) -> None:
        """A local report folder, but for its samples, or a page; kept with the sweep."""
        ...


class SilentTracker:
    """Watches nothing."""

    def begin(self, sweep_name: str, resolved: dict[str, Any]) -> None:
        pass

    def trial(self, trial: Trial) -> None:
        pass

    def training(self, trial_id: str, rows: Sequence[Mapping[str, float]]) -> None:
        pass

    def cell(
        self, trial_id: str, checkpoint: Checkpoint, benchmark: str, estimates: Sequence[Estimate]
    ) -> None:
        pass

    def dataset(self, trial_id: str, name: str, digest: str, rows: int, certificate: str) -> None:
        pass

    def finish_trial(self, trial_id: str, state: TrialState) -> None:
        pass

    def report(self, folder_or_html: str) -> None:
        pass
