"""DeepSpeed's settings and the workers' environment, as plain dicts. Built here, obeyed in the engine."""

from __future__ import annotations

from typing import Any, Literal

from rsft.spec.train import TrainSpec

CHUNK = 2_048
"""Target positions whose logits exist at once; memory is CHUNK x vocabulary, however many positions."""


def deepspeed_config(train: TrainSpec, universal: bool = False) -> dict[str, Any]:
    """DeepSpeed's configuration of one trial.

    Batch sizes are ours, not DeepSpeed's: the loop lays each step out itself, normalises the loss by
    the step's target tokens and says which backward pass is the last. So micro-batch and accumulation
    are 1 here, and DeepSpeed neither scales nor counts.

    Args:
        train: settings of the trial.
        universal: a state in DeepSpeed's universal format will be loaded.
    """
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": 0.0 if plain_optimizer(train) else train.clip_norm,
        "zero_optimization": _zero(train),
        # torch's AdamW: the optimizer we pass in; DeepSpeed's own would compile C++ at first use.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
        "wall_clock_breakdown": False,
    }
    config |= _precision(train)
    if makes_own_optimizer(train):
        config["optimizer"] = _cpu_adam(train)
    if universal:
        config["checkpoint"] = {"load_universal": True}
    return config


def plain_optimizer(train: TrainSpec) -> bool:
    """Whether DeepSpeed uses the optimizer as it is, without its own norm, clipping and check for NaN, which
    the step then does itself.
    """
    return train.zero_stage == 0 and train.precision == "fp32"


def makes_own_optimizer(train: TrainSpec) -> bool:
    """Whether DeepSpeed builds the optimizer itself, so that none may be passed in.

    Offloaded moments in bf16 exist in its C++ Adam alone, which is compiled when first used.
    """
    return train.offload and train.precision == "bf16-pure"


def _zero(train: TrainSpec) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": train.zero_stage}
    if train.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if train.offload:
        zero["offload_optimizer"] = {"device": "cpu"}
        if train.zero_stage == 3:
            zero["offload_param"] = {"device": "cpu"}
    return zero


def _precision(train: TrainSpec) -> dict[str, Any]:
    """Dtypes of weights, of gradient sums over micro-batches, and of their reduction over workers.

    A sum in bf16 loses what is 256 times smaller than it, so several micro-batches and workers are added up
    in fp32. `bf16-pure` is the study's: reduced in fp32, kept in bf16.
    """
    if train.precision == "fp32":
        return {"bf16": {"enabled": False}}
    if train.precision == "bf16-pure":
        pure = {"bf16_master_weights_and_grads": True, "bf16_optimizer_states": True}
        return {"bf16": {"enabled": True} | pure, "communication_data_type": "fp32"}
    return {
        "bf16": {"enabled": True},
        "communication_data_type": "fp32",
        "data_types": {"grad_accum_dtype": "fp32"},
    }


def _cpu_adam(train: TrainSpec) -> dict[str, Any]:
    return {
        "type": "AdamW",
        "params": {
            "lr": train.learning_rate,
            "betas": list(train.betas),
            "eps": train.epsilon,
            "weight_decay": train.weight_decay,
        },
    }


def worker_environment(device: Literal["cpu", "gpu"]) -> dict[str, str]:
    """Environment of a training worker, set before torch or DeepSpeed is imported."""
    common = {"TOKENIZERS_PARALLELISM": "false", "DS_LOG_LEVEL": "error"}
    if device == "gpu":
        return common
    return common | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
