"""The real engines behind `run_sweep`.

The one module where engines are imported inside functions: planning, status and reports must work where
none is installed, and Ray reads its environment at import.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from rich.console import Console

from rsft.bases import Base
from rsft.canary import Canary
from rsft.data.contamination import Index
from rsft.data.overlap import flagged
from rsft.data.template import Tokens, load_tokenizer
from rsft.errors import EngineError, MissingEngine, ModelError
from rsft.spec.distill import DistillSpec
from rsft.spec.evaluation import EvalSpec
from rsft.spec.model import ModelSpec
from rsft.spec.sweep import SweepSpec
from rsft.storage import Storage
from rsft.sweep.budget import offer
from rsft.sweep.entry import DEFAULT_STORAGE, EXIT_INCOMPLETE, summarize, sweep_storage
from rsft.sweep.jobs import AnswerJob, Engines, MakeFinish, TrainJob
from rsft.sweep.live import Progress
from rsft.sweep.plan import complete, make_plan
from rsft.sweep.quiet import set_environment
from rsft.sweep.room import Cluster, room_beside, trials_at_once
from rsft.sweep.run import run_sweep

Device = Literal["cpu", "gpu"]

CLUSTER_ROWS = 200_000
"""Prepared rows from which contamination is looked for by the whole cluster instead of one machine."""


def start(
    sweep: SweepSpec, storage_uri: str | None = None, only: str = "*", adaptive: str | None = None
) -> int:
    """Runs a sweep on real engines; returns the exit code.

    Raises:
        RsftError: input that cannot run, before any engine starts or anything is written.
    """
    storage = sweep_storage(sweep.name, storage_uri)
    plan = make_plan(sweep, storage, only)  # bad input ends here, in under a second
    if adaptive is not None:
        offer(plan, adaptive)
    set_environment()
    console = Console()
    try:
        if sweep.train.device == "gpu" and not complete(plan):
            from rsft.training.kernels import refuse_without_gpu

            refuse_without_gpu("gpu")
        storage.check_writable()
        from rsft.tracking.mlflow_tracker import MlflowTracker

        with (
            real_engines(
                sweep.train.device,
                sweep.evaluation.engines,
                sweep.evaluation.max_model_tokens,
                console,
                sweep.concurrent_trials,
                sweep.evaluation.tensor_parallel,
            ) as engines,
            Progress(storage, console) as progress,
        ):
            tracker = MlflowTracker(os.environ.get("MLFLOW_TRACKING_URI") or None, storage)
            after = run_sweep(sweep, storage, engines, tracker, progress, only, adaptive)
    except ModuleNotFoundError as error:
        raise MissingEngine.named(error.name or "an engine") from None
    return summarize(storage, after, console, chosen=adaptive is not None)


@contextmanager
def real_engines(
    device: Device,
    actors: int,
    max_model_tokens: int | None,
    console: Console,
    at_once: int | None = None,
    tensor_parallel: int = 1,
) -> Iterator[Engines]:
    """Ray, and the engines on it; it starts when the first of them is needed."""
    from rsft.generation.stream import answer_all
    from rsft.sweep.cluster import LazyCluster, remotely
    from rsft.sweep.tuner import train_all
    from rsft.training.kernels import refuse_bf16
    from rsft.training.settings import worker_environment

    def started(cluster: Cluster) -> None:
        console.print(f"engines write to {cluster.logs}", highlight=False, soft_wrap=True)
        if device == "gpu" and not cluster.gpus:
            console.print("note: the cluster has no GPU; waiting until it has one", highlight=False)

    with LazyCluster(started, device) as lazy:

        def scan(storage: Storage, name: str, index: Index, rows: int) -> pa.Table:
            if rows < CLUSTER_ROWS:
                return flagged(storage, name, index, rows)
            lazy.get()
            from rsft.sweep.scan import flagged as flagged_on_cluster

            return flagged_on_cluster(storage, name, index)

        # What engines take beside trainers: a GPU for each of their processes, or a core.
        taken = actors * tensor_parallel

        def beside(jobs: Sequence[TrainJob]) -> bool:
            return room_beside([job.trial.train for job in jobs], lazy.get(), taken, at_once)

        def train(jobs: Sequence[TrainJob]) -> dict[str, str]:
            cluster = lazy.get()
            for job in jobs:
                refuse_bf16(job.trial.train, cluster.accelerators)
            trains = [job.trial.train for job in jobs]
            fits = at_once or trials_at_once(trains, cluster, taken if beside(jobs) else 0)
            attempt = time.strftime("attempt-%Y%m%dT%H%M%S", time.gmtime())
            # On one machine a group of workers takes longer to start than a nano trial to train.
            return train_all(jobs, concurrent=fits, attempt=attempt, slots=fits if cluster.local else None)

        def canary(model: ModelSpec, base: Base) -> Canary:
            lazy.get()
            facts = model.model_dump(mode="json")
            try:
                found = remotely(base_canary, worker_environment(device), base.source, facts)
            except EngineError as error:
                raise ModelError(
                    f"model {base.source!r} cannot be loaded ({error}); correct its folder or hub id, or "
                    "check network, access and memory."
                ) from None
            return Canary(**found)

        def answer(job: AnswerJob, finish: MakeFinish) -> Iterator[dict[str, Any]]:
            lazy.get()
            settings = {
                "storage": job.storage,
                "cache": str(Path.home() / ".cache" / "rsft" / "weights"),
                "base": job.base.source,
                "model": job.model.model_dump(mode="json"),
                "device": device,
                "max_model_tokens": max_model_tokens,
                "tensor_parallel": tensor_parallel,
                "adapters": job.adapters,
                "rank": max((task.adapter.rank for task in job.tasks if task.adapter), default=0),
                "endpoint": job.endpoint,
            }
            return answer_all(job.tasks, settings, finish, device=device, engines=actors)

        yield Engines(
            tokenizer=load_tokenizer,
            prove=prove,
            scan=scan,
            beside=beside,
            train=train,
            canary=canary,
            answer=answer,
        )


def prove(rows: Sequence[Tokens]) -> dict[str, Any] | None:
    """The certificate's loss check; None on a machine without torch."""
    try:
        from rsft.training.proof import loss_three_ways
    except ModuleNotFoundError:
        return None
    return loss_three_ways(rows)


def base_canary(source: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The canary of an untrained base, as a plain dict; runs in a worker process."""
    from dataclasses import asdict

    import rsft.training.export as export

    model = ModelSpec(**facts)
    return asdict(export.reference_canary(source, model.revision, load_tokenizer(source, model)))


def distill_rows(spec: DistillSpec, storage_uri: str | None) -> int:
    """Builds a distilled variant; returns the exit code.

    Raises:
        RsftError: input that cannot run, before any engine starts.
    """
    from rsft.sweep.distill import distill

    set_environment()
    console = Console()
    storage = Storage(storage_uri or os.environ.get("RSFT_STORAGE") or DEFAULT_STORAGE).child(spec.name)
    with real_engines(spec.device, spec.engines, spec.max_model_tokens, console) as engines:
        facts = distill(spec, storage, engines, lambda line: console.print(line, highlight=False))
    console.print(
        f"{facts['rows_kept']:,} rows from {facts['problems']:,} problems ({facts['solved']:.0%} solved, "
        f"{facts['correct']:.0%} of {facts['samples']:,} answers right, {facts['truncated']:.0%} cut)\n"
        f"rows        {facts['rows']}\nunverified  {facts['unverified']}\npool        {facts['pool']}",
        highlight=False,
        soft_wrap=True,
    )
    if not facts["failed"]:
        return 0
    why = facts["why"] or "not all answers are there"
    console.print(
        f"failed: {facts['failed']:,} problems ({why}); run again: answers are kept",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return EXIT_INCOMPLETE


def evaluate_only(
    models: list[str],
    evaluation: EvalSpec,
    storage_uri: str | None,
    name: str,
    device: Device,
    base: str | None,
) -> int:
    """Asks models benchmarks without training; returns the exit code.

    Raises:
        RsftError: input that cannot run, before any engine starts.
    """
    from rsft.sweep.standalone import given_sweep, no_longer_shown, refuse_other_sweeps, show_scores

    sweep = given_sweep(name, models, evaluation, device, base)
    storage = sweep_storage(name, storage_uri)
    refuse_other_sweeps(storage)
    if note := no_longer_shown(storage, sweep):
        Console().print(note, highlight=False, markup=False, soft_wrap=True)
    code = start(sweep, storage_uri)
    show_scores(make_plan(sweep, storage), Console())
    return code
