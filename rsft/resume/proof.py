"""One trial trained undisturbed, and again with kills; whether the same comes out.

Every training is a subprocess on the way of `rsft run`, in a storage of its own.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rsft import layout
from rsft.data.batches import RowOrder
from rsft.data.prepared import open_rows
from rsft.errors import EXIT_USER_ERROR, EngineError
from rsft.resume.compare import Tolerance, differing_log, differing_weights
from rsft.resume.killer import Blow, Landed, Watched, finish, strike
from rsft.resume.tree import Run
from rsft.spec.sweep import SweepSpec
from rsft.storage import Storage
from rsft.sweep.plan import make_plan
from rsft.sweep.run import claim_storage

TRIES = 3
"""Of a kill that comes too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one kind of kill."""

    kind: str
    verdict: Literal["holds", "differs", "failed", "not shown", "left out"]
    reason: str = ""
    """Why it is none of the first two."""
    killed: tuple[str, ...] = ()
    resumed_from: tuple[int, ...] = ()
    """The step that each new attempt went on from."""
    weights: str = ""
    log: str = ""
    tries: int = 1
    seconds: float = 0.0
    """Of all tries."""


class Proof:
    """The trainings of one trial below a scratch folder."""

    def __init__(self, sweep: SweepSpec, scratch: Storage, seed: int, say: Callable[[str], None]) -> None:
        """Of a sweep with one trial; `seed` is that of random steps."""
        self._scratch, self._seed, self._say = scratch, seed, say
        self._whole = scratch.child("undisturbed")
        claim_storage(sweep, self._whole)
        (self.trial,) = make_plan(sweep, self._whole).trials
        self.tolerance = Tolerance() if self.trial.train.device == "gpu" else None
        """None where the same sums come out bit for bit."""

    def undisturbed(self) -> float:
        """Trains without a kill; returns the seconds that it took.

        Raises:
            EngineError: the trial fails without any kill.
        """
        started = time.monotonic()
        with Run(self._whole) as run:
            run.start()
            code = finish(run, Watched(self._whole, self.trial))
        if code == EXIT_USER_ERROR:
            raise EngineError(run.last_words().removeprefix("error: "))
        if code:
            raise EngineError(f"the trial fails without any kill ({run.last_words()}); see {run.log}.")
        return time.monotonic() - started

    def epoch(self) -> int | None:
        """The step that takes the last row of the first epoch; None where that is the last step or later."""
        prepared = self._whole.read_json(layout.trial_record(self.trial.id))["prepared"]
        lengths, train = open_rows(self._whole, prepared).lengths(), self.trial.train
        order = RowOrder(lengths, self.trial.seed, train.shuffle, train.batch_sequences, train.batch_tokens)
        return epoch_end(order, len(lengths), self.trial.steps)

    def disturbed(self, kind: str, choose: Callable[[random.Random], Sequence[Blow]]) -> Result:
        """Trains with the chosen blows and compares.

        Args:
            kind: names the result.
            choose: draws the blows; called again where one came too late.
        """
        started = time.monotonic()
        for tries in range(1, TRIES + 1):
            storage = self._scratch.child(f"{kind}-{tries}")
            result = self._tried(storage, kind, choose(random.Random(f"{self._seed}/{kind}/{tries}")))
            if result.verdict != "not shown":
                break
            self._say(f"{kind}: {result.reason}" + ("; trying again" if tries < TRIES else ""))
        if result.verdict == "holds":
            storage.delete_folder("")
        return replace(result, tries=tries, seconds=round(time.monotonic() - started, 1))

    def _tried(self, storage: Storage, kind: str, blows: Sequence[Blow]) -> Result:
        """One training with kills."""
        self._prepare(storage)
        watched, landed = Watched(storage, self.trial), list[Landed]()
        reason = ""
        try:
            with Run(storage) as run:
                run.start()
                for blow in blows:
                    hit = strike(run, watched, blow, before=len(landed))
                    if hit is None:
                        break
                    landed.append(hit)
                    self._say(f"{kind}: killed {hit}")
                    if hit.target == "all":
                        run.start()
                if finish(run, watched):
                    reason = f"{run.last_words()}; see {run.log}"
        except EngineError as error:
            reason = str(error)
        starts = watched.starts()
        result = Result(
            kind=kind,
            verdict="failed",
            reason=reason,
            killed=tuple(str(hit) for hit in landed),
            resumed_from=tuple(starts[1:]),
        )
        if reason:
            return result
        if len(landed) < len(blows) or len(starts) <= len(blows):
            late = blows[min(len(landed), len(blows) - 1)]
            return replace(result, verdict="not shown", reason=f"the run had ended before the kill {late}")
        return self._compared(storage, result)

    def _prepare(self, storage: Storage) -> None:
        """A storage with the page and its rows, which are the same every time."""
        shutil.copytree(self._whole.path("prepared"), storage.path("prepared"))
        shutil.copy(self._whole.path(layout.SWEEP), storage.path(layout.SWEEP))

    def _compared(self, storage: Storage, result: Result) -> Result:
        log = layout.train_log(layout.trial(self.trial.id))
        weights = differing_weights(storage, self._whole, self.trial, self.tolerance)
        lines = differing_log(storage.read_lines(log), self._whole.read_lines(log), self.tolerance)
        same = "identical" if self.tolerance is None else "within tolerance"
        return replace(
            result,
            verdict="differs" if weights or lines else "holds",
            weights=_few(weights) or same,
            log=_few(lines) or "each step once",
        )


def epoch_end(order: RowOrder, rows: int, steps: int) -> int | None:
    """The step that takes the last of so many rows; None where that is the last step or later."""
    seen = 0
    for step in range(1, steps):
        seen += len(order[step - 1])
        if seen >= rows:
            return step
    return None


def _few(complaints: list[str]) -> str:
    more = f" and {len(complaints) - 3} more" if len(complaints) > 3 else ""
    return "; ".join(complaints[:3]) + more
