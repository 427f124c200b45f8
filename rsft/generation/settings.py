"""vLLM's settings and the actors' environment, as plain dicts. CPU and GPU differ here alone."""

from __future__ import annotations

from typing import Any, Literal

Device = Literal["cpu", "gpu"]

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM's kernels are made for."""

ADAPTER_TOLERANCE = 5e-2
"""As CANARY_TOLERANCE, for an adapter beside its base against the canary of the merged weights, which were
rounded to the base's dtype. An adapter is asked for by its folder and never overwrites another."""

CANARY_TOLERANCE: dict[Device, float] = {"cpu": 1e-3, "gpu": 5e-2}
"""Mean difference of log-probabilities that still counts as the same weights, nats per token.

On CPU engine and reference both compute in fp32 from the same bf16 weights: about 1e-6 was measured, and
1.6 for the stale output head of a tied model. On GPU the engine computes in bf16.
"""


def engine_arguments(
    model: str,
    device: Device,
    max_model_tokens: int | None,
    tensor_parallel: int = 1,
    adapters: int = 1,
    rank: int = 0,
) -> dict[str, Any]:
    """Keyword arguments of `vllm.LLM`.

    Args:
        model: folder or hub id the engine starts with; later checkpoints are swapped in.
        device: of the actor.
        max_model_tokens: context; None means the model's own.
        tensor_parallel: GPUs that one engine is spread over.
        adapters: LoRA checkpoints served at the same time.
        rank: the highest of theirs; 0 for none.
    """
    common: dict[str, Any] = {
        "model": model,
        "max_model_len": max_model_tokens,
        "trust_remote_code": False,
        "load_format": "safetensors",
        "disable_log_stats": True,
        "seed": 0,
    }
    if rank:
        common |= {
            "enable_lora": True,
            "max_loras": adapters,
            "max_lora_rank": next(size for size in LORA_RANKS if size >= rank),
        }
    if device == "gpu":
        return common | {
            "dtype": "auto",
            "gpu_memory_utilization": 0.9,
            "tensor_parallel_size": tensor_parallel,
            # Samples of a problem share its prompt, and so do problems with the same examples.
            "enable_prefix_caching": True,
            "enable_chunked_prefill": True,
        }
    return common | {
        # Exact, and faster than bf16 on processors without bf16 arithmetic.
        "dtype": "float32",
        "enforce_eager": True,
        # A seeded request whose prompt is prefilled in pieces ends the CPU engine of vLLM 0.32
        # ("CPU Generator does not use offset"), so prompts go in whole.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(8_192, max_model_tokens or 0),
        # A step of a small model is Python for the most part, whatever it holds: a tenth faster than with
        # vLLM's 256 where a checkpoint has 300 requests.
        "max_num_seqs": 512,
    }


def actor_environment(device: Device) -> dict[str, str]:
    """Environment of an engine actor, set before vLLM is imported."""
    common = {
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if device == "gpu":
        return common
    return common | {
        # The engine lives in the actor's own process, on the actor's own core.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        # Eager as it is, the engine would still compile one small function, of the prompts'
        # log-probabilities: seconds of every start, and a need for a C++ compiler.
        "TORCHDYNAMO_DISABLE": "1",
    }


def actor_resources(device: Device, tensor_parallel: int = 1) -> dict[str, float]:
    """What one engine actor asks of Ray. On GPUs each of its processes keeps a core busy."""
    if device == "gpu":
        return {"num_cpus": tensor_parallel, "num_gpus": tensor_parallel}
    return {"num_cpus": 1}
