"""DeepSpeed's settings and the workers' environment, as plain dicts. Built here, obeyed in the loop."""

from __future__ import annotations

from typing import Any, Literal

from rsft.spec.train import TrainSpec


def deepspeed_config(train: TrainSpec) -> dict[str, Any]:
    """DeepSpeed's configuration of one trial.

    Batch sizes are ours, not DeepSpeed's: the loop lays each step out itself, normalises the loss by
    the step's target tokens and says which backward pass is the last. So micro-batch and accumulation
    are 1 here, and DeepSpeed neither scales nor counts.
    """
    zero: dict[str, Any] = {"stage": train.zero_stage}
    if train.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if train.offload:
        zero["offload_optimizer"] = {"device": "cpu"}
        if train.zero_stage == 3:
            zero["offload_param"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": train.clip_norm,
        "zero_optimization": zero,
        "bf16": {"enabled": train.precision == "bf16"},
        # torch's AdamW: the optimizer we pass in; DeepSpeed's own would compile C++ at first use.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
        "wall_clock_breakdown": False,
    }


def worker_environment(device: Literal["cpu", "gpu"]) -> dict[str, str]:
    """Environment of a training worker, set before torch or DeepSpeed is imported."""
    common = {"TOKENIZERS_PARALLELISM": "false", "DS_LOG_LEVEL": "error"}
    if device == "gpu":
        return common
    return common | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
