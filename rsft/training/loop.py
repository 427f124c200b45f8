"""What each training worker does. One loop for CPU and GPU; they differ in settings alone."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import Any

import ray.train
import torch

from rsft import layout, provenance
from rsft.checkpoints import disk_full, due, folder, over, remove_half_written_states
from rsft.data.batches import RowOrder, data_hash
from rsft.data.prepared import PreparedRows, open_rows
from rsft.data.template import Tokens, load_tokenizer
from rsft.records import Checkpoint
from rsft.spec.schedule import learning_rate
from rsft.storage import out_of_space
from rsft.training import state as states
from rsft.training.engine import Job, build
from rsft.training.exporter import Exporter
from rsft.training.heldout import heldout_sums
from rsft.training.signals import Cost, peak
from rsft.training.state import State
from rsft.training.step import Step, Stopwatch, optimizer_step
from rsft.training.steplog import StepLog


def train_loop(config: dict[str, Any]) -> None:
    """Trains trials one after the other, each from its newest resumable state, or from the base, to its end.

    Raises:
        EngineError: an export is incomplete.
    """
    context = ray.train.get_context()
    for facts in config["jobs"]:
        job = Job.read(facts)
        if disk_full(job.storage, job.trial):
            return
        if not over(job.storage, job.trial):
            try:
                TrialRun(job, context.get_world_rank(), context.get_world_size()).to_the_end()
            except (OSError, RuntimeError) as error:
                if out_of_space(error, job.storage):
                    remove_half_written_states(job.storage, job.trial)
                    message = f"No space left on device: {type(error).__name__}: {error}"
                    job.storage.write_json(layout.stopped(job.trial.id), {"message": message})
                raise  # Ray Train starts the workers again, which find this and return
            gc.collect()  # engines hold themselves in circles, and the next needs the memory


class TrialRun:
    """One worker's part in one attempt at a trial. Needs a process group, and nothing of Ray."""

    def __init__(self, job: Job, rank: int, world: int) -> None:
        self.job, self.rank, self.world = job, rank, world
        self.trial, train, self.storage = job.trial, job.trial.train, job.storage
        tokenizer = load_tokenizer(job.base, self.trial.model)
        self.pad = int(tokenizer.eos_token_id)
        self.rows = open_rows(job.storage, job.prepared)
        self.order = RowOrder(
            self.rows.lengths(), self.trial.seed, train.shuffle, train.batch_sequences, train.batch_tokens
        )
        self.heldout = {name: _all(open_rows(job.storage, rows)) for name, rows in job.heldout}
        found = states.find(job.storage, self.trial)
        self.engine = build(job, universal=found is not None and not found.fits(self.trial, world))
        if found is not None:
            states.load(self.engine.deepspeed, job.storage, found, self.trial, rank, world)
        self.start = found.step if found else 0
        self.target_tokens = found.target_tokens if found else 0
        # Asked once, before the first collective: later the first worker writes while others may still look,
        # and workers that disagree about an export would wait for one another.
        self.landed = {step for step in self.trial.checkpoint_steps if not due(job.storage, self.trial, step)}
        self.exporter = Exporter(self.engine, job.storage, tokenizer, rank)
        self.log = StepLog(job.storage, self.trial, self.start) if rank == 0 else None
        self.cost = Cost.of(self.engine.model)
        self.peak = peak(train.device)
        self.checkpoint_seconds = 0.0

    def to_the_end(self) -> None:
        """Trains from where it stands."""
        self.begin()
        for step in range(self.start, self.trial.steps):
            if (stopped := self.step(step)) is not None:
                # Not an exception: Ray Train would start all workers again, for the same end.
                if self.rank == 0:
                    self.storage.write_json(layout.stopped(self.trial.id), {"message": stopped})
                break
        self.exporter.wait()
        self.engine.deepspeed.destroy()

    def begin(self) -> None:
        """Writes down what this attempt runs on, and how well the base does on held-out rows."""
        if self.rank == 0:
            train = self.trial.train
            facts = {
                "at": provenance.now(),
                "from_step": self.start,
                "workers": self.world,
                "device": train.device,
                "zero_stage": train.zero_stage,
                "sequence_parallel": train.sequence_parallel,
                "attention": self.engine.kernels.attention,
                "liger": self.engine.kernels.liger,
                "peak_flops": self.peak.flops if self.peak else None,
                "peak_source": self.peak.source if self.peak else None,
            }
            path = layout.attempts(layout.trial(self.trial.id))
            self.storage.write_lines(path, [*self.storage.read_lines(path), facts])
        if self.start == 0 and self.heldout:
            found = self._heldout()
            if self.log is not None:
                self.log.add({"step": 0, "heldout": found})

    def step(self, step: int) -> str | None:
        """One optimizer step, its line in the log, what is due after it; why training must stop, if so."""
        trial, train, done = self.trial, self.trial.train, step + 1
        # A function of seed, step and worker, so that a base with dropout resumes exactly too.
        torch.manual_seed((trial.seed * 1_000_003 + step) * 1_003 + self.rank)
        watch = Stopwatch()
        started = time.perf_counter()
        batch = [self.rows[row] for row in self.order[step]]
        result = optimizer_step(self.engine, batch, step, trial, self.rank, self.world, self.pad, watch)
        seconds = time.perf_counter() - started
        self.target_tokens += sum(tokens.targets for tokens in batch)
        due = done in trial.checkpoint_steps and done not in self.landed
        heldout = self._heldout() if done in trial.checkpoint_steps and self.heldout else None
        if self.log is not None:
            row = self._facts(result, batch, done, seconds, watch.seconds)
            self.log.add(row | ({"heldout": heldout} if heldout else {}))
        if not result.finite and train.nonfinite == "stop":
            return self._stopped(result, batch, done)
        since = time.perf_counter()
        if due:
            self.exporter.submit(
                Checkpoint(
                    trial_id=trial.id,
                    step=done,
                    path=folder(trial, done),
                    target_tokens=self.target_tokens,
                )
            )
        branch = trial.trunk is not None and done == trial.shared_steps
        if branch or (done % train.resume_every_steps == 0 and done < trial.steps):
            self._save(done)
        self.checkpoint_seconds += time.perf_counter() - since
        return None

    def _save(self, done: int) -> None:
        """A resumable state. Checkpoints before it have landed then, since a resume would not make them."""
        self.exporter.wait()
        owner = self.trial.owner(done)
        if self.log is not None:
            self.log.flush()
            if owner != layout.trial(self.trial.id):
                self.log.share(owner, done)
        train = self.trial.train
        state = State(
            owner=owner,
            step=done,
            target_tokens=self.target_tokens,
            world=self.world,
            zero_stage=train.zero_stage,
            offload=train.offload,
        )
        states.save(self.engine.deepspeed, self.storage, state, self.rank)

    def _heldout(self) -> dict[str, float]:
        train = self.trial.train
        return {
            name: heldout_sums(self.engine, rows, train, self.rank, self.world, self.pad).loss
            for name, rows in self.heldout.items()
        }

    def _facts(
        self, result: Step, batch: Sequence[Tokens], done: int, seconds: float, parts: dict[str, float]
    ) -> dict[str, Any]:
        """A line of train.jsonl."""
        sums, tokens = result.sums, sum(len(t) for t in batch)
        could = self.peak.flops * self.world * seconds if self.peak else None
        blocked, self.checkpoint_seconds = self.checkpoint_seconds, 0.0
        return {
            "step": done,
            "loss": sums.loss if result.finite else None,
            "lr": learning_rate(self.trial.train, done - 1, self.trial.steps),
            "grad_norm": result.grad_norm if result.finite else None,
            "token_accuracy": sums.accuracy,
            "entropy": sums.entropy if result.finite else None,
            "tokens": tokens,
            "target_tokens": sum(t.targets for t in batch),
            "data": data_hash(batch),
            "skipped": not result.finite,
            "seconds": round(seconds, 4),
            "seconds_data": round(parts["data"], 4),
            "seconds_forward": round(parts["forward"], 4),
            "seconds_backward": round(parts["backward"], 4),
            "seconds_step": round(parts["step"], 4),
            "seconds_checkpoint": round(blocked, 4),
            "tokens_per_second": round(tokens / seconds, 1),
            "mfu": round(self.cost.flops(batch) / could, 4) if could else None,
        }

    def _stopped(self, result: Step, batch: Sequence[Tokens], done: int) -> str:
        good = [step for step in self.trial.checkpoint_steps if step < done]
        last = f"the last good checkpoint is step {good[-1]}" if good else "there is no checkpoint before it"
        return (
            f"trial {self.trial.id}: loss is {result.sums.loss}, gradient norm {result.grad_norm} at step "
            f"{done} (rows {', '.join(t.id for t in batch)}); {last}; lower the learning rate, look at these "
            "rows, or set TrainSpec.nonfinite='skip'."
        )


def _all(rows: PreparedRows) -> list[Tokens]:
    return [rows[n] for n in range(len(rows))]
