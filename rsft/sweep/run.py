"""A sweep from its page to its report: the page to read first.

`run_sweep` is the whole story, with engines passed in. `main` is what `python sweeps/x.py` calls: it
builds the real engines, and is the one place where imports stand inside a function, so that planning
and the whole-house test run where no engine is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from rsft import layout, provenance
from rsft.data.prepare import prepare
from rsft.data.source import fingerprint
from rsft.errors import DataError, StorageError
from rsft.spec.sweep import SweepSpec
from rsft.spec.trial import Trial
from rsft.storage import Storage, out_of_space
from rsft.sweep.adaptive import evaluate_adaptively
from rsft.sweep.budget import offer
from rsft.sweep.disk import check_room, full, one_sentence_when_full
from rsft.sweep.evaluate import answer_jobs, new_problems, unjudged
from rsft.sweep.grading import CellGrader, Graders
from rsft.sweep.heldout import heldout_rows
from rsft.sweep.jobs import Engines, TrainJob
from rsft.sweep.judging import judge_waiting, judges_here
from rsft.sweep.live import Progress, score_words
from rsft.sweep.overlap import find_overlaps
from rsft.sweep.plan import Plan, State, classify, make_plan, status
from rsft.sweep.results import write_results
from rsft.sweep.retention import drop_weights, reopen
from rsft.sweep.rounds import Rounds
from rsft.tracking.tracker import Tracker


def run_sweep(
    sweep: SweepSpec,
    storage: Storage,
    engines: Engines,
    tracker: Tracker,
    progress: Progress,
    only: str = "*",
    adaptive: str | None = None,
) -> dict[str, Any]:
    """Carries a sweep from its page to its report. Safe to call again: what is done is found and kept.

    Args:
        sweep: the page.
        storage: of this sweep.
        engines: who tokenizes, trains and answers.
        tracker: who watches.
        progress: what the user sees meanwhile.
        only: glob on trial ids.
        adaptive: budget of answers (see `rsft.sweep.adaptive.offer`); None asks the whole fixed plan.

    Returns:
        The status afterwards (see `plan.status`).

    Raises:
        RsftError: input that cannot run; raised before anything is trained.
    """
    plan = make_plan(sweep, storage, only)
    if adaptive is not None:
        offer(plan, adaptive)
    with one_sentence_when_full(storage):
        found = new_problems(storage, plan.questions)  # what cannot be asked leaves nothing behind
        claim_storage(sweep, storage)
        for note in plan.notes:
            progress.say(f"note: {note}")
        check_room(plan, progress.say)
        for path, new in found.items():
            storage.write_lines(path, [asdict(problem) for problem in new])
        jobs = prepare_trials(plan, engines, progress.say)
        find_overlaps(plan, engines.scan, progress.say)
        begin_tracking(plan, tracker)
        reopen(plan, progress.say)
        train(plan, jobs, engines, tracker, progress, beside=adaptive is None)
        if adaptive is None:
            evaluate(plan, engines, progress)
        else:
            ask = partial(evaluate, engines=engines, progress=progress)
            evaluate_adaptively(plan, adaptive, ask, progress.say)
        drop_weights(plan, progress.say)
        return write_results(plan, tracker)


def claim_storage(sweep: SweepSpec, storage: Storage) -> None:
    """Makes the storage this sweep's, or checks that it is.

    Raises:
        StorageError: it cannot be written to, or holds another sweep.
    """
    storage.check_writable()
    known = storage.read_json_or_none(layout.SWEEP)
    if known is not None and known["spec"]["name"] != sweep.name:
        raise StorageError(
            f"storage {storage.root!r} belongs to sweep {known['spec']['name']!r}, not to {sweep.name!r}; "
            "give another --storage, or rename the sweep."
        )
    resolved = sweep.model_dump(mode="json")
    if known is None or known["spec"] != resolved:
        storage.write_json(layout.SWEEP, {"spec": resolved, "provenance": provenance.record()})


def prepare_trials(plan: Plan, engines: Engines, say: Callable[[str], None]) -> list[TrainJob]:
    """Builds the rows of every trial that is not done; nothing is trained before all of them are good."""
    jobs: list[TrainJob] = []
    manifests: dict[tuple[str, str, int], dict[str, Any]] = {}
    for trial in plan.trials:
        base = plan.bases[trial.model.label]
        if trial.given is not None:
            continue
        key = (trial.model.label, trial.data.name, trial.train.max_tokens)
        check_rows(plan, trial)
        done = plan.trial_state(trial) == "done"
        if done and plan.storage.exists(layout.trial_record(trial.id)):
            continue
        if key not in manifests:
            tokenizer = engines.tokenizer(base.source, trial.model)
            limit = trial.train.max_tokens
            manifests[key] = prepare(plan.storage, trial.data, tokenizer, limit, engines.prove, say)
            kept = manifests[key]["rows_kept"]
            if kept < trial.data.rows and trial.data.target_tokens is None:
                say(
                    f"note: {trial.data.name} keeps {kept:,} of the {trial.data.rows:,} rows it asks for, "
                    "and an epoch is planned with the latter; its certificate says why"
                )
        manifest = manifests[key]
        record = trial.model_dump(mode="json") | {"prepared": manifest["name"]}
        plan.storage.write_json(layout.trial_record(trial.id), record)
        if done:  # a longer trial went all of its way
            shared = plan.storage.read_lines(layout.train_log(trial.owner(0)))
            log = [row for row in shared if row["step"] <= trial.steps]
            plan.storage.write_lines(layout.train_log(layout.trial(trial.id)), log)
            continue
        jobs.append(
            TrainJob(
                trial=trial,
                storage=plan.storage.root,
                prepared=manifest["name"],
                base=base.source,
                heldout=heldout_rows(plan, trial, manifest["name"], engines, say),
            )
        )
    return jobs


def check_rows(plan: Plan, trial: Trial) -> None:
    """Refuses to go on with a trial whose local file has changed since it began.

    Raises:
        DataError: another content than the one that was trained on.
    """
    record = plan.storage.read_json_or_none(layout.trial_record(trial.id))
    if record is None:
        return
    known = plan.storage.read_json(layout.manifest(record["prepared"]))["content"]
    if (found := fingerprint(trial.data)) not in (None, known):
        raise DataError(
            f"the file of variant {trial.data.name!r} has changed since trial {trial.id} began (content "
            f"{found}, was {known}); restore it, or give the new rows a file of another name."
        )


def begin_tracking(plan: Plan, tracker: Tracker) -> None:
    """Opens the tracker and tells it of every trial and its data."""
    tracker.begin(plan.sweep.name, plan.storage.read_json(layout.SWEEP))
    for trial in plan.trials:
        tracker.trial(trial)
        record = plan.storage.read_json_or_none(layout.trial_record(trial.id))
        if record is not None:
            manifest = plan.storage.read_json(layout.manifest(record["prepared"]))
            certificate = plan.storage.read_text(layout.certificate(manifest["name"], "md"))
            tracker.dataset(trial.id, manifest["name"], manifest["hash"], manifest["rows_kept"], certificate)


def train(
    plan: Plan,
    jobs: list[TrainJob],
    engines: Engines,
    tracker: Tracker,
    progress: Progress,
    *,
    beside: bool = True,
) -> None:
    """Trains what is open; a trial that fails becomes a row with its reason, and the rest goes on.

    Where there is room for engines beside the trainers, they answer checkpoints as those land, unless
    `beside` is False.
    """
    if not jobs:
        return
    progress.on_rows = tracker.training
    progress.training([(trial, plan.trial_state(trial)) for trial in plan.trials])
    started = time.monotonic()
    progress.say(f"training {len(jobs)} trials, {sum(job.trial.steps for job in jobs)} steps")
    if beside and engines.beside(jobs):
        progress.cells(*_cells(plan))
        with Rounds(partial(answer, plan, engines, progress, ("open",))) as rounds:
            failed = engines.train(jobs)
        if rounds.error is not None:
            progress.say(f"note: evaluation beside training stopped and goes on after it ({rounds.error})")
    else:
        failed = engines.train(jobs)
    for job in jobs:
        trial = job.trial
        tracker.training(trial.id, plan.storage.read_lines(layout.train_log(layout.trial(trial.id))))
        if trial.id in failed:
            plan.storage.write_json(layout.failure(trial.id), classify(failed[trial.id]))
            tracker.finish_trial(trial.id, "failed")
        elif plan.trial_state(trial) == "done":
            plan.storage.delete(layout.failure(trial.id))
    if any(out_of_space(text) for text in failed.values()):
        raise full(plan.storage)  # evaluation would only fail as well
    progress.say(
        f"trained {len(jobs) - len(failed)} of {len(jobs)} trials in {time.monotonic() - started:.0f} s"
    )


def evaluate(plan: Plan, engines: Engines, progress: Progress) -> None:
    """Fills the open cells of every checkpoint that exists, the untrained bases included."""
    judge(plan, engines, progress)
    done, total = _cells(plan)
    if done == total:
        return
    progress.evaluating(done, total)
    progress.say(f"evaluating {total - done} cells")
    started = time.monotonic()
    answer(plan, engines, progress)
    if judges_here(plan.sweep.evaluation):
        judge(plan, engines, progress)
    progress.say(f"evaluated in {time.monotonic() - started:.0f} s")


def judge(plan: Plan, engines: Engines, progress: Progress) -> None:
    """Lets the judge, if the page names one, judge what has been answered."""
    cells = {cell.folder: cell for trial in plan.trials for cell in plan.cells(trial)}.values()
    waiting = [marker for cell in cells if (marker := unjudged(plan, cell)) is not None]
    graders = Graders.of(plan.sweep.evaluation, plan.storage, plan.sweep.train.device)
    for marker in judge_waiting(waiting, plan.sweep.evaluation, graders, engines, progress.say):
        what = f"{marker['benchmark']} of {marker['trial_id']} at step {marker['step']}"
        progress.say(f"{what}: {score_words(marker)}")


def _cells(plan: Plan) -> tuple[int, int]:
    """How many cells are done, and how many there are."""
    counts = status(plan)["cells"]
    return counts["done"], sum(counts.values())


def answer(
    plan: Plan, engines: Engines, progress: Progress, states: tuple[State, ...] = ("open", "failed")
) -> None:
    """Asks what is in one of these states and can be asked now.

    Raises:
        StorageError: the disk is full.
    """
    sharing: dict[str, list[str]] = {}
    for trial in plan.trials:
        for cell in plan.cells(trial):
            sharing.setdefault(cell.folder, []).append(trial.id)
    graders = Graders.of(plan.sweep.evaluation, plan.storage, plan.sweep.train.device)
    for job in answer_jobs(plan, engines, states):
        for marker in engines.answer(job, partial(CellGrader, graders)):
            if out_of_space(marker["error"]):
                raise full(plan.storage)
            what = f"{marker['benchmark']} of {marker['trial_id']} at step {marker['step']}"
            progress.cell_done(f"{what}: {score_words(marker)}", len(sharing[marker["folder"]]))
