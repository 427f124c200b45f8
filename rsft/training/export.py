"""Weights for evaluation: a folder in the base's own format, complete before its marker is written."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from rsft import layout
from rsft.bases import header
from rsft.canary import TEXT, Canary
from rsft.data.template import Tokenizer
from rsft.errors import EngineError
from rsft.records import Checkpoint
from rsft.training.lora import base_shapes

MARKER = layout.CHECKPOINT_MARKER


def export(
    model: PreTrainedModel,
    state: dict[str, torch.Tensor],
    dtype: torch.dtype,
    tokenizer: Tokenizer,
    folder: Path,
    checkpoint: Checkpoint,
) -> None:
    """Writes model, tokenizer, chat template and marker to a local folder.

    Args:
        model: for its configuration and tensor names; its own weights are not read.
        state: consolidated weights by the model's tensor names, from any ZeRO stage.
        dtype: of the written tensors: the base's own.
        tokenizer: with the chat template the training prompts were rendered with.
        folder: created; must not hold another checkpoint.
        checkpoint: the record that becomes the marker, with its final place as `path`.

    Raises:
        EngineError: the written tensors are not the model's tensors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().to("cpu", dtype) for name, tensor in state.items()}
    kept_dtype = model.config.dtype
    model.config.dtype = dtype
    if model.generation_config is not None:  # where other tools look for the end marker
        model.generation_config.eos_token_id = tokenizer.eos_token_id
    try:
        model.save_pretrained(folder, state_dict=weights, safe_serialization=True)
    finally:
        model.config.dtype = kept_dtype
    tokenizer.save_pretrained(folder)
    _verify(model, folder)
    marker: dict[str, Any] = asdict(checkpoint)
    marker["canary"] = asdict(reference_canary(str(folder), None, tokenizer))
    (folder / MARKER).write_text(json.dumps(marker, indent=2, sort_keys=True), encoding="utf-8")


@torch.no_grad()
def reference_canary(source: str, revision: str | None, tokenizer: Tokenizer) -> Canary:
    """Loads a model folder afresh, on CPU in fp32, and records what it says about the canary's text."""
    model = AutoModelForCausalLM.from_pretrained(
        source,
        revision=revision,
        dtype=torch.float32,
        trust_remote_code=False,
        use_safetensors=True,
    )
    ids = list(tokenizer(TEXT, add_special_tokens=False)["input_ids"])
    logits = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
    chosen = logits.gather(1, torch.tensor(ids[1:]).unsqueeze(1)).squeeze(1)
    return Canary(ids=ids, logprobs=[float(value) for value in chosen])


def _verify(model: PreTrainedModel, folder: Path) -> None:
    """Compares names and shapes on disk with the model's."""
    written: dict[str, list[int]] = {}
    for file in folder.glob("*.safetensors"):
        written |= {name: tensor["shape"] for name, tensor in header(file).items()}
    expected = base_shapes(model)
    missing = sorted(expected.keys() - written.keys())
    wrong = sorted(n for n in expected.keys() & written.keys() if expected[n] != written[n])
    if missing or wrong:
        raise EngineError(
            f"export to {folder} is incomplete: missing {missing[:3]}, of another shape {wrong[:3]}; "
            "nothing was kept, run again."
        )
