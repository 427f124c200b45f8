"""What each training worker does. One loop for CPU and GPU; they differ in settings alone."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deepspeed
import ray.train
import torch
import torch.distributed as dist
from transformers import AutoModelForCausalLM

from rsft import layout
from rsft.data.batches import assign, assign_unpacked, data_hash, micro_batch, step_rows
from rsft.data.prepared import open_rows
from rsft.data.template import Tokens, load_tokenizer
from rsft.errors import EngineError
from rsft.records import Checkpoint
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.training.export import MARKER, export
from rsft.training.loss import TargetLoss
from rsft.training.schedule import learning_rate
from rsft.training.settings import deepspeed_config

# DeepSpeed would compile a shared-memory collective on CPU at first use, minutes on a busy laptop and in
# need of a C++ compiler; gloo does the same work.
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False

STATE_TAG = "state"
FLUSH_SECONDS = 2.0
"""How often the step log is written while nothing else is."""


@dataclass(slots=True)
class Job:
    """What a worker needs to know; built from `train_loop_config`."""

    trial: Trial
    storage: Storage
    prepared: str
    """Name of the prepared rows."""
    base: str
    """Folder or hub id of the base."""

    @classmethod
    def read(cls, config: dict[str, Any]) -> Job:
        return cls(Trial(**config["trial"]), Storage(config["storage"]), config["prepared"], config["base"])


def train_loop(config: dict[str, Any]) -> None:
    """Trains one trial from its newest resumable state, or from the base, to its end.

    Raises:
        EngineError: the loss is not finite, or an export is incomplete.
    """
    job = Job.read(config)
    trial, train = job.trial, job.trial.train
    rank, world = ray.train.get_context().get_world_rank(), ray.train.get_context().get_world_size()
    tokenizer = load_tokenizer(job.base, trial.model)
    rows = open_rows(job.storage, job.prepared)
    engine, model, dtype = _engine(job)
    start, target_tokens = _resume(engine)
    # Asked once, before the first collective: later the first worker writes while others may still look,
    # and workers that disagree about an export would wait for one another.
    landed = {
        step
        for step in trial.checkpoint_steps
        if job.storage.exists(layout.checkpoint_marker(trial.id, step))
    }
    log = _Log(job, start) if rank == 0 else None

    for step in range(start, trial.steps):
        started = time.perf_counter()
        chosen = step_rows(step, train.batch_sequences, len(rows), trial.seed, train.shuffle)
        batch = [rows[i] for i in chosen]
        loss = _optimizer_step(engine, batch, step, trial, rank, world, tokenizer.eos_token_id)
        trained = sum(tokens.targets for tokens in batch)
        target_tokens += trained
        done = step + 1
        facts: dict[str, Any] = {
            "step": done,
            "loss": loss,
            "lr": learning_rate(train, step, trial.steps),
            "grad_norm": _number(engine.get_global_grad_norm()),
            "tokens": sum(len(tokens) for tokens in batch),
            "target_tokens": trained,
            "data": data_hash(batch),
            "seconds": round(time.perf_counter() - started, 4),
        }
        if log is not None:
            log.add(facts)
        if not math.isfinite(loss):
            raise EngineError(
                f"trial {trial.id}: loss is {loss} at step {done} (rows "
                f"{', '.join(t.id for t in batch[:4])}, ...); lower the learning rate or look at them."
            )
        if done in trial.checkpoint_steps and done not in landed:
            checkpoint = Checkpoint(
                trial_id=trial.id,
                step=done,
                path=layout.checkpoint(trial.id, done),
                target_tokens=target_tokens,
            )
            _export(engine, model, dtype, tokenizer, job, checkpoint, rank)
        if done in trial.checkpoint_steps or done % train.resume_every_steps == 0:
            if log is not None:
                log.flush()
            _save(engine, done, target_tokens, {"step": done, "loss": loss})


def _engine(job: Job) -> tuple[Any, Any, torch.dtype]:
    """(DeepSpeed engine around the loss, the model inside, the dtype of the base's weights)."""
    train = job.trial.train
    torch.manual_seed(job.trial.seed)
    model = AutoModelForCausalLM.from_pretrained(
        job.base,
        revision=job.trial.model.revision,
        dtype="auto",
        attn_implementation="sdpa",
        trust_remote_code=False,
        use_safetensors=True,
    )
    dtype = model.dtype
    model.to(torch.bfloat16 if train.precision == "bf16" else torch.float32)
    if train.device == "gpu":
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    loss = TargetLoss(model)
    optimizer = torch.optim.AdamW(
        loss.parameters(),
        lr=train.learning_rate,
        betas=train.betas,
        eps=train.epsilon,
        weight_decay=train.weight_decay,
    )
    engine, *_ = deepspeed.initialize(
        model=loss, optimizer=optimizer, config=deepspeed_config(train), dist_init_required=False
    )
    return engine, model, dtype


def _optimizer_step(
    engine: Any, batch: list[Tokens], step: int, trial: Trial, rank: int, world: int, pad: int
) -> float:
    """One optimizer step over the whole batch; returns its mean loss, nats per target token."""
    train = trial.train
    study = train.loss_reduction == "microbatch_sum"
    if study:
        size = train.micro_batch_sequences
        plan = assign_unpacked(len(batch), workers=world, micro_batch_sequences=size)[rank]
    else:
        plan = assign(
            [len(tokens) for tokens in batch],
            workers=world,
            sequence_tokens=train.max_tokens,
            micro_batch_tokens=train.micro_batch_tokens,
        )[rank]
    targets = sum(tokens.targets for tokens in batch)
    for group in engine.optimizer.param_groups:
        group["lr"] = learning_rate(train, step, trial.steps)
    total = torch.zeros((), dtype=torch.float64)
    for number, sequences in enumerate(plan):
        arrays = micro_batch(sequences, batch, pad)
        inputs = [
            torch.from_numpy(array).to(engine.device)
            for array in (arrays.input_ids, arrays.position_ids, arrays.labels)
        ]
        nll = engine(*inputs)
        # DeepSpeed averages gradients over workers; times `world` makes that a sum, and dividing by
        # the step's own targets makes it a mean over tokens, however rows were laid out.
        engine.set_gradient_accumulation_boundary(number == len(plan) - 1)
        # The study takes the mean of each micro-batch instead and adds those up.
        scale = 1 / sum(batch[s[0]].targets for s in sequences) if study else world / targets
        engine.backward(nll * scale, scale_wrt_gas=False)
        engine.step()
        total += nll.detach().double().cpu()
    total = total.to(engine.device)
    dist.all_reduce(total)
    return float(total) / targets


def _export(
    engine: Any,
    model: Any,
    dtype: torch.dtype,
    tokenizer: Any,
    job: Job,
    checkpoint: Checkpoint,
    rank: int,
) -> None:
    """Gathers the weights on every worker, writes them on the first one."""
    if job.trial.train.zero_stage == 3:
        state = engine._zero3_consolidated_16bit_state_dict()
    else:
        state = engine.module.state_dict()
    if rank == 0:
        inner = {name.removeprefix("model."): value for name, value in state.items()}
        tied = set(model.all_tied_weights_keys)
        weights = {name: value for name, value in inner.items() if name not in tied}
        with tempfile.TemporaryDirectory() as folder:
            export(model, weights, dtype, tokenizer, Path(folder), checkpoint)
            job.storage.upload_folder(folder, checkpoint.path, last=MARKER)
    dist.barrier()


def _save(engine: Any, step: int, target_tokens: int, metrics: dict[str, Any]) -> None:
    """Hands the full state of all workers to Ray Train, which keeps the newest one."""
    with tempfile.TemporaryDirectory() as folder:
        state = {"step": step, "target_tokens": target_tokens}
        engine.save_checkpoint(folder, tag=STATE_TAG, client_state=state)
        ray.train.report(
            metrics,
            checkpoint=ray.train.Checkpoint.from_directory(folder),
            checkpoint_dir_name=layout.step_name(step),
        )


def _resume(engine: Any) -> tuple[int, int]:
    """(steps done, target tokens seen) of the newest state, loaded into the engine; zeros if none."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return 0, 0
    with checkpoint.as_directory() as folder:
        _, state = engine.load_checkpoint(folder, tag=STATE_TAG)
    return int(state["step"]), int(state["target_tokens"])


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


class _Log:
    """train.jsonl: one line per optimizer step, each step once, also after a resume."""

    def __init__(self, job: Job, start: int) -> None:
        self._storage, self._path = job.storage, layout.train_log(job.trial.id)
        self._rows = [row for row in self._storage.read_lines(self._path) if row["step"] <= start]
        self._written = time.monotonic()

    def add(self, facts: dict[str, Any]) -> None:
        self._rows.append(facts)
        if time.monotonic() - self._written > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._storage.write_lines(self._path, self._rows)
        self._written = time.monotonic()
