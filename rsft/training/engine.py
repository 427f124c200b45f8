"""The model of a trial inside a DeepSpeed engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import deepspeed
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from rsft.spec.model import ModelSpec
from rsft.spec.train import TrainSpec
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.training import attention, ulysses
from rsft.training.kernels import Kernels, apply_liger, installed, kernels
from rsft.training.lora import add_adapters
from rsft.training.loss import TargetLoss
from rsft.training.settings import deepspeed_config, makes_own_optimizer

# DeepSpeed would ask a compiler which of its ops could be built, and on CPU build a shared-memory collective
# then, minutes on a busy laptop; gloo does the same work. What is no op here is not built.
deepspeed.ops.__compatible_ops__ = {}


@dataclass(slots=True)
class Job:
    """What a worker needs to know; built from `train_loop_config`."""

    trial: Trial
    storage: Storage
    prepared: str
    """Name of the prepared rows."""
    base: str
    """Folder or hub id of the base."""
    heldout: tuple[tuple[str, str], ...] = ()
    """(name of the slice, name of its prepared rows)."""

    @classmethod
    def read(cls, config: dict[str, Any]) -> Job:
        return cls(
            Trial(**config["trial"]),
            Storage(config["storage"]),
            config["prepared"],
            config["base"],
            tuple((name, rows) for name, rows in config["heldout"]),
        )


@dataclass(slots=True)
class Engine:
    """A model that trains."""

    deepspeed: Any
    """DeepSpeed's engine around the loss."""
    model: PreTrainedModel
    dtype: torch.dtype
    """Of the base's weights, and of every checkpoint's."""
    zero_stage: int
    kernels: Kernels
    adapters: ModelSpec | None = None
    """The base that adapters are trained on; None when all weights are."""

    def weights(self) -> dict[str, torch.Tensor]:
        """All weights by the model's names, from any ZeRO stage. A collective: every worker must call it."""
        if self.zero_stage == 3:
            state = self.deepspeed._zero3_consolidated_16bit_state_dict()
        else:
            state = self.deepspeed.module.state_dict()
        return {name.removeprefix("model."): value for name, value in (state or {}).items()}


def build(job: Job, universal: bool = False) -> Engine:
    """Loads the base and starts DeepSpeed around it.

    Args:
        job: of this worker.
        universal: a state in DeepSpeed's universal format will be loaded.
    """
    train = job.trial.train
    torch.manual_seed(job.trial.seed)
    model = AutoModelForCausalLM.from_pretrained(
        job.base,
        revision=job.trial.model.revision,
        dtype="auto",
        attn_implementation=attention.NAME,
        trust_remote_code=False,
        use_safetensors=True,
    )
    dtype = model.dtype
    capability = torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    chosen = kernels(train, installed(), capability, model.config.model_type)
    if chosen.attention != attention.NAME:
        model.set_attn_implementation(chosen.attention)
    if chosen.liger:
        apply_liger(model)
    model.to(torch.float32 if train.precision == "fp32" else torch.bfloat16)
    if train.lora:
        add_adapters(model, train.lora, job.trial.seed)
    if train.device == "gpu" if train.gradient_checkpointing is None else train.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    mpu = ulysses.join(model, train, chosen.attention)
    loss = TargetLoss(model)
    weights = [p for p in loss.parameters() if p.requires_grad]
    engine, *_ = deepspeed.initialize(
        model=loss,
        model_parameters=weights,
        optimizer=None if makes_own_optimizer(train) else _optimizer(train, weights),
        config=deepspeed_config(train, universal),
        mpu=mpu,
        dist_init_required=False,
    )
    return Engine(engine, model, dtype, train.zero_stage, chosen, job.trial.model if train.lora else None)


def _optimizer(train: TrainSpec, weights: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    if train.optimizer == "adafactor":
        return torch.optim.Adafactor(weights, lr=train.learning_rate, weight_decay=train.weight_decay)
    return torch.optim.AdamW(
        weights,
        lr=train.learning_rate,
        betas=train.betas,
        eps=train.epsilon,
        weight_decay=train.weight_decay,
        fused=True,
    )
