"""How a trial is trained. Every field changes the weights unless its docstring says otherwise."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rsft.errors import SpecError
from rsft.spec.base import Spec

HARDWARE_FIELDS = frozenset(
    {
        *("workers", "device", "zero_stage", "offload", "micro_batch_tokens", "resume_every_steps"),
        "gradient_checkpointing",
        "sequence_parallel",
    }
)
"""Fields that say where and how fast, not what is learned (see `hardware_fields`)."""


class LoraSpec(Spec):
    """Low-rank adapters on the linear layers of every block (Hu et al. 2021, arXiv 2106.09685); the rest of
    the base stays as it is. Checkpoints hold the merged weights, and the adapter beside them."""

    rank: int = Field(default=16, gt=0)
    alpha: float = Field(default=32.0, gt=0)
    """The update is scaled by alpha / rank."""
    targets: tuple[str, ...] = ()
    """Names of linear layers, such as `q_proj`; all of every block when empty."""


class TrainSpec(Spec):
    """Settings of one optimizer run; defaults are the study's where it states one."""

    learning_rate: float = Field(default=5e-5, gt=0, lt=1)
    """Peak of the schedule."""

    schedule: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    """After warm-up: a half cosine or a line down to `min_lr_share`; constant; or warm-up-stable-decay,
    constant and in the last `decay_share` of the steps a line down to `min_lr_share`."""

    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps with linear warm-up."""

    warmup_steps: int | None = Field(default=None, ge=0)
    """Steps of warm-up whatever the length, instead of `warmup_share`."""

    decay_share: float = Field(default=0.2, gt=0, le=1)
    """Share of all steps in which `wsd` decays (0.2 as in Hu et al. 2024, arXiv 2404.06395: 0.1 to 0.2)."""

    min_lr_share: float = Field(default=0.0, ge=0, le=1)
    """Learning rate at the end, as a share of the peak (constant stays at the peak)."""

    batch_sequences: int = Field(default=256, gt=0)
    """Rows per optimizer step, over all workers and micro-batches."""

    batch_tokens: int | None = Field(default=None, gt=0)
    """Tokens per optimizer step instead: as many rows, in order, as fit."""

    max_tokens: int = Field(default=20_000, gt=8)
    """Prompt and response together; DataSpec.too_long says what happens above."""

    optimizer: Literal["adamw", "adafactor"] = "adamw"
    """`adafactor` (Shazeer & Stern 2018, arXiv 1804.04235) keeps factored moments, which ZeRO's flat
    partitions would destroy: zero_stage 0 alone."""

    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW moments."""

    epsilon: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)

    clip_norm: float = Field(default=1.0, gt=0)
    """Global gradient norm above which the gradient is scaled down."""

    nonfinite: Literal["stop", "skip"] = "stop"
    """A step whose loss or gradient is not finite ends the trial, or leaves the weights as they are, counts,
    and is marked in the log (the study's way)."""

    precision: Literal["bf16", "bf16-pure", "fp32"] = "bf16"
    """bf16 keeps fp32 master weights in DeepSpeed; bf16-pure keeps weights, gradients and moments in bf16, as
    the study did; fp32 is exact and the choice on CPU."""

    lora: LoraSpec | None = None
    """Adapters instead of full fine-tuning."""

    shuffle: bool = True
    """Order of rows from (seed, epoch); False keeps the source's order in every epoch."""

    loss_reduction: Literal["token_mean", "microbatch_sum"] = "token_mean"
    """`token_mean`: mean over all target tokens of the optimizer step, whatever micro-batches and workers.
    `microbatch_sum`: what the study's trainer does: token means of micro-batches, summed, and averaged over
    workers, so that the gradient grows with batch_sequences / (workers x micro_batch_sequences). Rows are not
    packed then, and `workers` is part of the identity."""

    micro_batch_sequences: int = Field(default=4, gt=0)
    """Rows per worker and forward pass under `microbatch_sum`; unused otherwise."""

    workers: int = Field(default=8, gt=0)
    """Ray Train workers (processes; one GPU each on a GPU cluster). Not part of the identity."""

    device: Literal["gpu", "cpu"] = "gpu"
    """Where workers run. Not part of the identity."""

    zero_stage: Literal[0, 1, 2, 3] = 3
    """DeepSpeed ZeRO stage. Not part of the identity."""

    offload: bool = False
    """ZeRO-3 or ZeRO-2 optimizer states in CPU memory. Not part of the identity."""

    micro_batch_tokens: int = Field(default=40_000, gt=0)
    """Upper bound of one forward pass, of all workers that share it. Not part of the identity."""

    gradient_checkpointing: bool | None = None
    """Activations are computed again in the backward pass; None means on GPUs. Not part of the identity."""

    sequence_parallel: int = Field(default=1, gt=0)
    """Workers that share each forward pass, every one with a stretch of its positions (Ulysses, arXiv
    2309.14509): for rows whose activations one GPU cannot hold. Not part of the identity."""

    resume_every_steps: int = Field(default=25, gt=0)
    """Distance of resumable states; what a kill can cost. Not part of the identity."""

    @property
    def teams(self) -> int:
        """Groups of workers that rows are dealt to: single workers, unless they share rows."""
        return self.workers // self.sequence_parallel

    @model_validator(mode="after")
    def _fits(self) -> Self:
        rows = self.workers * self.micro_batch_sequences
        among = f"workers={self.workers}"
        if self.sequence_parallel > 1:
            among = f"workers / sequence_parallel={self.teams}"
        study = self.loss_reduction == "microbatch_sum"
        if self.micro_batch_tokens < self.max_tokens:
            raise SpecError(
                f"TrainSpec.micro_batch_tokens={self.micro_batch_tokens} is below "
                f"max_tokens={self.max_tokens}, so the longest row fits in no forward pass; "
                f"set micro_batch_tokens to {self.max_tokens} or more."
            )
        if self.offload and self.zero_stage < 2:
            raise SpecError(
                f"TrainSpec.offload needs zero_stage 2 or 3, got {self.zero_stage}; set zero_stage=2."
            )
        if self.optimizer == "adafactor" and (self.zero_stage > 0 or self.precision != "fp32"):
            raise SpecError(
                f"TrainSpec.optimizer='adafactor' needs whole matrices, which DeepSpeed flattens with "
                f"zero_stage={self.zero_stage} and precision={self.precision!r}; set zero_stage=0 and "
                "precision='fp32', or optimizer='adamw'."
            )
        if self.precision != "fp32" and self.zero_stage == 0:
            raise SpecError(
                f"TrainSpec.precision={self.precision!r} with zero_stage=0 would add gradients up in bf16, "
                "for which DeepSpeed has no remedy; set zero_stage=1, which on one worker is the same."
            )
        if self.workers % self.sequence_parallel:
            raise SpecError(
                f"TrainSpec.sequence_parallel={self.sequence_parallel} does not divide "
                f"workers={self.workers}; set workers to a multiple of it."
            )
        if study and self.sequence_parallel > 1:
            raise SpecError(
                "TrainSpec.loss_reduction='microbatch_sum' is about rows per worker, and with "
                f"sequence_parallel={self.sequence_parallel} workers share them; leave it out."
            )
        if study and self.batch_tokens:
            raise SpecError(
                "TrainSpec.loss_reduction='microbatch_sum' is about rows per worker, and batch_tokens="
                f"{self.batch_tokens} leaves those open; leave it out."
            )
        if study and self.batch_sequences % rows:
            raise SpecError(
                f"TrainSpec.batch_sequences={self.batch_sequences} does not divide into micro-batches of "
                f"{self.micro_batch_sequences} rows on {self.workers} workers, as loss_reduction="
                f"'microbatch_sum' needs; use a multiple of {rows}."
            )
        if self.batch_tokens and self.batch_tokens < self.teams * self.max_tokens:
            raise SpecError(
                f"TrainSpec.batch_tokens={self.batch_tokens} is below max_tokens={self.max_tokens} times "
                f"{among}, so a worker could have no row; set batch_tokens to "
                f"{self.teams * self.max_tokens} or more."
            )
        if not self.batch_tokens and self.batch_sequences < self.teams:
            raise SpecError(
                f"TrainSpec.batch_sequences={self.batch_sequences} is below {among}, "
                f"so a worker would have no row; set batch_sequences to {self.teams} or more."
            )
        return self


def hardware_fields(train: TrainSpec) -> frozenset[str]:
    """Fields that do not change what is learned; under `microbatch_sum` the number of workers does."""
    return HARDWARE_FIELDS - ({"workers"} if train.loss_reduction == "microbatch_sum" else set())
