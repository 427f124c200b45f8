"""`rsft verify-resume`: kills one trial of a page in several ways and shows that nothing is lost by it."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import math
import os
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from rsft.errors import SpecError, StorageError
from rsft.resume.killer import Blow, Target
from rsft.resume.proof import Proof, Result
from rsft.resume.table import markdown, show
from rsft.spec.evaluation import EvalSpec
from rsft.spec.sweep import SweepSpec
from rsft.spec.train import TrainSpec
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.entry import DEFAULT_STORAGE, EXIT_INCOMPLETE
from rsft.sweep.plan import make_plan

KINDS = {
    "worker": "a training worker at a random step",
    "driver": "the trial's driver at a random step",
    "all": "everything at a random step",
    "epoch": "everything at an epoch's end",
    "write": "everything while a resumable state, then while a checkpoint is half written",
    "twice": "a worker at a random step, then everything after the next one",
}
LEAST_STEPS = 4
"""Fewer leave no step between the first state and the end at which to kill."""
USUAL_STEPS, MOST_STEPS = 24, 48
STEPS_AFTER_EPOCH = 4


def verify_resume(
    sweep: SweepSpec,
    glob: str = "*",
    steps: int | None = None,
    kills: str | None = None,
    seed: int | None = None,
    *,
    storage_uri: str | None = None,
    out: Path | None = None,
    as_json: bool = False,
) -> int:
    """Kills, compares, and prints a table; returns the exit code.

    Args:
        sweep: the user's page.
        glob: on trial ids; the first that fits is taken.
        steps: how much of it is trained; None means a few dozen at most (see `length`).
        kills: kinds, separated by commas; None means all.
        seed: of random steps; None means one that is drawn and printed.
        storage_uri: folder under which scratch files go, removed where all is well.
        out: a file for the table.
        as_json: print JSON.

    Raises:
        RsftError: input that cannot run.
    """
    chosen = choose(list(make_plan(sweep, Storage(DEFAULT_STORAGE)).trials), glob)
    wanted = kinds(kills)
    short = shortened(sweep, chosen, length(chosen, steps))
    if kills is not None and "epoch" in wanted:
        check_epoch(chosen, short.lengths_steps[0])
    scratch = scratch_storage(storage_uri, sweep.name)
    seed = secrets.randbelow(10**6) if seed is None else seed
    console = Console(stderr=True)
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    proof = Proof(short, scratch, seed, say)
    say(f"{proof.trial.steps} of the {chosen.steps} steps of {chosen.id}, seed {seed}, in {scratch.root}")
    if proof.tolerance:
        say(f"a GPU does not give the same bits twice, so what is asked is: {proof.tolerance}")
    seconds = proof.undisturbed()
    say(f"undisturbed: {seconds:.0f} s")
    results = [_shown(proof, kind, asked=kills is not None) for kind in wanted]
    facts = _facts(proof, seed, seconds, results)
    if out is not None:
        out.write_text(markdown(facts, results), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        show(facts, results, Console())
    if facts["holds"]:
        scratch.delete_folder("")
        with contextlib.suppress(OSError):  # other proofs' files
            os.rmdir(os.path.dirname(scratch.root))
        return 0
    say(f"kept: {scratch.root}")
    return EXIT_INCOMPLETE


def kinds(given: str | None) -> tuple[str, ...]:
    """The kinds of kill that are asked for; None means all.

    Raises:
        SpecError: an unknown one, or none at all.
    """
    if given is None:
        return tuple(KINDS)
    names = tuple(dict.fromkeys(name for name in given.split(",") if name))
    unknown = [name for name in names if name not in KINDS]
    if unknown or not names:
        what = f"names {unknown[0]!r}, which is no kind of kill" if unknown else "names no kind of kill"
        raise SpecError(f"--kills {what}; choose from {', '.join(KINDS)}.")
    return names


def choose(trials: Sequence[Trial], glob: str) -> Trial:
    """The first trial whose id fits.

    Raises:
        SpecError: none does.
    """
    for trial in trials:
        if fnmatch.fnmatch(trial.id, glob):
            return trial
    raise SpecError(f"--trial {glob!r} matches none of the {len(trials)} trials; see `rsft plan`.")


def epoch_steps(trial: Trial) -> int | None:
    """Steps until all rows have been seen; None where only the tokenizer knows."""
    if trial.train.batch_tokens or trial.data.target_tokens:
        return None
    return math.ceil(trial.data.rows / trial.train.batch_sequences)


def length(trial: Trial, steps: int | None) -> int:
    """How long the trial is trained: as asked, else until just after an epoch's end where that is near.

    Raises:
        SpecError: longer than the trial, or too short for a kill in its midst.
    """
    if trial.steps < LEAST_STEPS:
        raise SpecError(
            f"trial {trial.id} has {trial.steps} steps, and a kill in its midst needs {LEAST_STEPS}; name a "
            "longer one with --trial."
        )
    if steps is None:
        near = max(USUAL_STEPS, (epoch_steps(trial) or 0) + STEPS_AFTER_EPOCH)
        return min(trial.steps, near if near <= MOST_STEPS else USUAL_STEPS)
    if not LEAST_STEPS <= steps <= trial.steps:
        raise SpecError(
            f"--steps {steps} does not fit trial {trial.id} of {trial.steps} steps; give {LEAST_STEPS} to "
            f"{trial.steps}."
        )
    return steps


def check_epoch(trial: Trial, steps: int) -> None:
    """Whether a trial cut to `steps` goes beyond the end of an epoch.

    Raises:
        SpecError: it does not.
    """
    epoch = epoch_steps(trial)
    if epoch is not None and epoch >= steps:
        fix = f"give --steps {epoch + 2}" if epoch + 2 <= trial.steps else "name a longer trial with --trial"
        raise SpecError(
            f"--kills epoch needs a step after the epoch's end, which is step {epoch}, and {steps} steps are "
            f"trained; {fix}, or leave epoch out."
        )


def shortened(sweep: SweepSpec, trial: Trial, steps: int) -> SweepSpec:
    """A sweep of this trial alone, `steps` long, with several resumable states and checkpoints."""
    every = max(1, min(trial.train.resume_every_steps, steps // 4))
    listed = sweep.evaluation.steps(steps)
    kept = {"checkpoint_steps": listed if len(listed) > 1 else (steps // 2, steps)}
    return SweepSpec(
        name=sweep.name,
        models=(trial.model,),
        data=(trial.data,),
        lengths_steps=(steps,),
        seeds=(trial.seed,),
        train=TrainSpec(**(trial.train.model_dump() | {"resume_every_steps": every})),
        evaluation=EvalSpec(**(sweep.evaluation.model_dump() | kept)),
        heldout=sweep.heldout,
    )


def scratch_storage(given: str | None, name: str) -> Storage:
    """A new folder below the storage.

    Raises:
        StorageError: it is no folder of this machine, or cannot be written to.
    """
    root = Storage(given or os.environ.get("RSFT_STORAGE") or DEFAULT_STORAGE)
    if not root.is_local:
        raise StorageError(
            f"storage {root.root!r} is a bucket, and verify-resume watches files as they are written; give a "
            "folder with --storage."
        )
    scratch = root.child(f"verify-resume/{name}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    scratch.check_writable()
    return scratch


def blows(kind: str, trial: Trial, epoch: int | None, draw: random.Random) -> list[Blow]:
    """What is killed when, one blow after the other.

    Args:
        kind: of KINDS.
        trial: the shortened one.
        epoch: step at which its first epoch ends; needed for that kind alone.
        draw: where random steps come from.
    """
    every = trial.train.resume_every_steps
    step = draw.randint(every + 1, trial.steps - 2)  # a state lies before it, and the end is not near
    if kind == "epoch":
        return [Blow("all", "step", epoch or 0)]
    if kind == "twice":
        return [Blow("worker", "step", step), Blow("all", "resumed")]
    if kind == "write":
        # In the first half, and from the next checkpoint on: a write that is over too soon leaves others.
        state = draw.choice(range(every, trial.steps // 2 + 1, every))
        later = min(checkpoint for checkpoint in trial.checkpoint_steps if checkpoint > state)
        return [Blow("all", "state", state), Blow("all", "checkpoint", later)]
    target: Target = "worker" if kind == "worker" else "driver" if kind == "driver" else "all"
    return [Blow(target, "step", step)]


def _shown(proof: Proof, kind: str, asked: bool) -> Result:
    """The result of one kind of kill, `asked` for by its name."""
    epoch = proof.epoch() if kind == "epoch" else None
    if kind == "epoch" and epoch is None:
        reason = f"no epoch ends before step {proof.trial.steps}"
        return Result(kind=kind, verdict="not shown" if asked else "left out", reason=reason)
    return proof.disturbed(kind, partial(blows, kind, proof.trial, epoch))


def _facts(proof: Proof, seed: int, seconds: float, results: list[Result]) -> dict[str, Any]:
    """What `--json` prints."""
    trial, train = proof.trial, proof.trial.train
    return {
        "trial": trial.id,
        "steps": trial.steps,
        "checkpoint_steps": list(trial.checkpoint_steps),
        "resume_every_steps": train.resume_every_steps,
        "workers": train.workers,
        "zero_stage": train.zero_stage,
        "device": train.device,
        "tolerance": asdict(proof.tolerance) if proof.tolerance else None,
        "seed": seed,
        "undisturbed_seconds": round(seconds, 1),
        "kills": [asdict(result) for result in results],
        "holds": all(result.verdict in ("holds", "left out") for result in results),
    }
