"""Trains what is open of a sweep, and nothing else: what `rsft verify-resume` starts, watches and kills.

    python -m rsft.resume.train_only ROOT

The way to the training workers is that of `rsft run`: plan, prepared rows, Tune, Train, DeepSpeed.
"""

from __future__ import annotations

import sys

from rich.console import Console

from rsft import layout
from rsft.errors import MissingEngine
from rsft.spec.sweep import SweepSpec
from rsft.storage import Storage
from rsft.sweep.entry import EXIT_INCOMPLETE, guarded
from rsft.sweep.plan import make_plan
from rsft.sweep.quiet import set_environment
from rsft.sweep.run import prepare_trials
from rsft.sweep.start import real_engines


def train_only(root: str) -> int:
    """Trains the open trials of the sweep whose storage this is; returns the exit code.

    Raises:
        RsftError: input that cannot run.
    """
    storage = Storage(root)
    sweep = SweepSpec(**storage.read_json(layout.SWEEP)["spec"])
    set_environment()
    console = Console()
    try:
        with real_engines(sweep.train.device, 1, None, console, sweep.concurrent_trials) as engines:
            jobs = prepare_trials(make_plan(sweep, storage), engines, console.print)
            failed = engines.train(jobs) if jobs else {}
    except ModuleNotFoundError as error:
        raise MissingEngine.named(error.name or "an engine") from None
    for trial_id, message in failed.items():
        console.print(f"{trial_id}: {message}", highlight=False, markup=False, soft_wrap=True)
    return EXIT_INCOMPLETE if failed else 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: train_only(sys.argv[1])))
