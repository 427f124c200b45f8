"""The real engines behind `run_sweep`, and the command line of a sweep's page.

The one module where engines are imported inside functions: planning, status and reports must work where
none is installed, and Ray reads its environment at import.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from rsft import layout
from rsft.bases import Base
from rsft.canary import Canary
from rsft.data.template import load_tokenizer
from rsft.errors import EXIT_USER_ERROR, MissingEngine, RsftError, StorageError
from rsft.spec.evaluation import EvalSpec
from rsft.spec.model import ModelSpec
from rsft.spec.sweep import SweepSpec
from rsft.storage import Storage
from rsft.sweep.jobs import AnswerJob, Engines, MakeFinish, TrainJob
from rsft.sweep.live import Progress
from rsft.sweep.plan import concurrent_trials, make_plan
from rsft.sweep.quiet import set_environment
from rsft.sweep.run import run_sweep

Device = Literal["cpu", "gpu"]
DEFAULT_STORAGE = "runs"
EXIT_INCOMPLETE = 1
"""Something failed or is still open; the summary says what."""

StorageOption = Annotated[
    str | None,
    typer.Option("--storage", help="Folder or bucket URI; RSFT_STORAGE or ./runs otherwise."),
]
OnlyOption = Annotated[str, typer.Option("--only", help="Run just the trials whose id fits this glob.")]


def sweep_storage(name: str, given: str | None) -> Storage:
    """The storage of one sweep: `<storage>/<name>`, or `given` itself when it is that sweep's root.

    Raises:
        StorageError: `given` is the root of another sweep.
    """
    root = Storage(given or os.environ.get("RSFT_STORAGE") or DEFAULT_STORAGE)
    record = root.read_json_or_none(layout.SWEEP)
    if record is None:
        return root.child(name)
    if record["spec"]["name"] == name:
        return root
    raise StorageError(
        f"storage {root.root!r} belongs to sweep {record['spec']['name']!r}, not to {name!r}; "
        "give its parent folder, or another --storage."
    )


def start(sweep: SweepSpec, storage_uri: str | None = None, only: str = "*") -> int:
    """Runs a sweep on real engines; returns the exit code.

    Raises:
        RsftError: input that cannot run, before any engine starts.
    """
    storage = sweep_storage(sweep.name, storage_uri)
    make_plan(sweep, storage, only)  # bad input ends here, in under a second
    storage.check_writable()
    set_environment()
    console = Console()
    try:
        from rsft.tracking.mlflow_tracker import MlflowTracker

        with (
            _engines(sweep.train.device, sweep.evaluation, console, sweep.concurrent_trials) as engines,
            Progress(storage, console) as progress,
        ):
            tracker = MlflowTracker(os.environ.get("MLFLOW_TRACKING_URI") or None, storage)
            after = run_sweep(sweep, storage, engines, tracker, progress, only)
    except ModuleNotFoundError as error:
        raise MissingEngine.named(error.name or "an engine") from None
    return summarize(storage, after, console)


@contextmanager
def _engines(
    device: Device, evaluation: EvalSpec, console: Console, at_once: int | None = None
) -> Iterator[Engines]:
    """Ray, and the engines on it; it starts when the first of them is needed."""
    from rsft.generation.settings import actor_environment
    from rsft.generation.stream import answer_all
    from rsft.sweep.cluster import LazyCluster, remotely
    from rsft.sweep.tuner import train_all
    from rsft.training.settings import worker_environment

    with LazyCluster(
        lambda c: console.print(f"engines write to {c.logs}", highlight=False, soft_wrap=True)
    ) as lazy:

        def train(jobs: Sequence[TrainJob]) -> dict[str, str]:
            cluster = lazy.get()
            fits = at_once or min(concurrent_trials(job.trial, cluster.cpus, cluster.gpus) for job in jobs)
            attempt = time.strftime("attempt-%Y%m%dT%H%M%S", time.gmtime())
            return train_all(jobs, concurrent=fits, attempt=attempt)

        def canary(model: ModelSpec, base: Base) -> Canary:
            lazy.get()
            arguments = (base.source, model.revision, model.chat_template)
            found = remotely(base_canary, worker_environment(device), *arguments)
            return Canary(**found)

        def answer(job: AnswerJob, finish: MakeFinish) -> Iterator[dict[str, Any]]:
            lazy.get()
            settings = {
                "storage": job.storage,
                "cache": str(Path.home() / ".cache" / "rsft" / "weights"),
                "base": job.base.source,
                "revision": job.model.revision,
                "chat_template": job.model.chat_template,
                "device": device,
                "max_model_tokens": evaluation.max_model_tokens,
            }
            return answer_all(
                job.tasks,
                settings,
                finish,
                device=device,
                engines=evaluation.engines,
                environment=actor_environment(device),
            )

        yield Engines(tokenizer=load_tokenizer, train=train, canary=canary, answer=answer)


def base_canary(source: str, revision: str | None, chat_template: str | None) -> dict[str, Any]:
    """The canary of an untrained base, as a plain dict; runs in a worker process."""
    from dataclasses import asdict

    import rsft.training.export as export

    tokenizer = load_tokenizer(source, revision, chat_template)
    return asdict(export.reference_canary(source, revision, tokenizer))


def evaluate_only(
    models: list[str], evaluation: EvalSpec, storage_uri: str | None, name: str, device: Device
) -> int:
    """Asks models benchmarks without training; returns the exit code.

    Raises:
        RsftError: input that cannot run, before any engine starts.
    """
    from rsft.sweep.standalone import evaluate_models

    set_environment()
    console = Console()
    storage = Storage(storage_uri or os.environ.get("RSFT_STORAGE") or DEFAULT_STORAGE).child(name)
    with _engines(device, evaluation, console) as engines:
        return evaluate_models(models, evaluation, storage, engines, console)


def summarize(storage: Storage, after: dict[str, Any], console: Console) -> int:
    """Says what is done, what is not and why, and where to look; returns the exit code."""
    trials, cells = after["trials"], after["cells"]
    console.print(
        f"{trials['done']} of {sum(trials.values())} trials done, "
        f"{cells['done']} of {sum(cells.values())} cells done",
        highlight=False,
    )
    for failure in after["failures"]:
        console.print(
            f"failed: {failure['trial']}, {failure['what']}: {failure['kind']} "
            f"({failure['message']}); {failure['next']}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    for what, value in (
        ("report ", storage.path(f"{layout.REPORT}/index.html")),
        ("compare", f"rsft ui {storage.root}"),
    ):
        console.print(f"{what}  {value}", highlight=False, markup=False, soft_wrap=True)
    complete = not (trials["open"] or trials["failed"] or cells["open"] or cells["failed"])
    return 0 if complete else EXIT_INCOMPLETE


def main(sweep: SweepSpec) -> None:
    """Command line of a sweep's page; ends the process with the sweep's exit code."""

    def command(storage: StorageOption = None, only: OnlyOption = "*") -> None:
        raise typer.Exit(guarded(lambda: start(sweep, storage, only)))

    command.__doc__ = f"Runs the sweep {sweep.name!r}; what is done already is kept."
    typer.run(command)


def guarded(action: Any) -> int:
    """Runs a command's work; a user's mistake becomes one sentence and exit code 2."""
    try:
        return int(action() or 0)
    except RsftError as error:
        typer.echo(f"error: {error}", err=True)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        typer.echo("interrupted; run again to go on from here.", err=True)
        return 130
