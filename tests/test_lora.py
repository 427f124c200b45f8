"""Adapters: what they train to, what they merge to, and that other tools read their files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rsft.bases import SHIPPED
from rsft.errors import EngineError, SpecError
from rsft.spec.train import LoraSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

pytestmark = pytest.mark.engines

BASE = str(SHIPPED / "nano-1m")
TIMES_ROUNDING = 3
"""Adapters may end so many times as far from float64 as plain torch does in fp32 (see test_gradient.py)."""
FP32 = 1e-6
"""W + alpha / rank x B A of weights below 1, summed in another order."""


def model(**settings: Any) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(BASE, **settings)


def adapted(spec: LoraSpec, seed: int = 0, **settings: Any) -> PreTrainedModel:
    from rsft.training import lora

    made = model(**settings)
    lora.add_adapters(made, spec, seed)
    return made


def trained(spec: LoraSpec) -> PreTrainedModel:
    """As after training: B is not zero."""
    import torch

    made = adapted(spec, dtype=torch.float32)
    draw = torch.Generator().manual_seed(1)
    for name, weight in made.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.1, generator=draw)
    return made


def trainable(made: PreTrainedModel) -> dict[str, Any]:
    return {name: weight for name, weight in made.named_parameters() if weight.requires_grad}


def test_the_same_seed_gives_the_same_adapters_and_the_bases_own_answers() -> None:
    import torch

    torch.manual_seed(8)
    first = trainable(adapted(LoraSpec(), seed=3))
    state = torch.get_rng_state()
    second = trainable(adapted(LoraSpec(), seed=3))
    assert torch.equal(state, torch.get_rng_state()), "the seed of the trial itself must not be touched"
    assert first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)
    other = trainable(adapted(LoraSpec(), seed=4))
    assert not torch.equal(*(d["model.layers.0.mlp.up_proj.lora_A.default.weight"] for d in (first, other)))
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.equal(adapted(LoraSpec())(ids).logits, model()(ids).logits)


def test_adapters_stand_at_all_linear_layers_of_the_blocks_and_train_alone() -> None:
    import torch

    names = trainable(made := adapted(LoraSpec(rank=4)))
    places = {name.split(".lora_")[0].rpartition(".")[2] for name in names}
    assert places == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert len(names) == 4 * 7 * 2
    assert all(".lora_" in name and 4 in weight.shape for name, weight in names.items())
    assert {weight.dtype for weight in names.values()} == {made.dtype} == {torch.bfloat16}
    few = trainable(adapted(LoraSpec(targets=("q_proj", "v_proj"))))
    assert len(few) == 4 * 2 * 2 and all(".q_proj." in name or ".v_proj." in name for name in few)


@pytest.mark.parametrize("target", ["query", "lm_head", "embed_tokens", "self_attn"])
def test_an_unknown_target_is_one_sentence_that_names_the_layers_there_are(target: str) -> None:
    with pytest.raises(SpecError) as caught:
        adapted(LoraSpec(targets=("q_proj", target)))
    layers = "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
    assert str(caught.value) == (
        f"LoraSpec.targets names {target}, which Qwen3ForCausalLM has not among the linear layers of its "
        f"blocks; take some of {layers}."
    )


@pytest.mark.parametrize("spec", [LoraSpec(rank=4, alpha=10.5), LoraSpec(targets=("o_proj",))])
def test_merged_weights_are_those_of_peft(spec: LoraSpec, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel

    from rsft.training import lora

    made = trained(spec)
    found = lora.merged(made, made.state_dict())
    lora.adapter_files(made, made.state_dict(), tmp_path)
    plain = model(dtype=torch.float32)
    read = PeftModel.from_pretrained(model(dtype=torch.float32), str(tmp_path))
    wanted = read.merge_and_unload().state_dict()
    assert found.keys() == wanted.keys() == plain.state_dict().keys()
    assert max(float((found[name] - wanted[name]).abs().max()) for name in wanted) < FP32
    changed = {name for name in found if not torch.equal(found[name], plain.state_dict()[name])}
    assert len(changed) == 4 * (7 if not spec.targets else 1)
    assert lora.base_shapes(made) == {name: list(w.shape) for name, w in plain.named_parameters()}


def test_merged_weights_are_rounded_once_and_save_as_the_base(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from rsft.training import lora

    made = trained(LoraSpec())
    exact = lora.merged(made, made.state_dict())
    rounded = lora.merged(made, made.state_dict(), torch.bfloat16)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert rounded[name].dtype == torch.bfloat16 and torch.equal(rounded[name], exact[name].bfloat16())
    made.save_pretrained(tmp_path, state_dict={n: t for n, t in exact.items() if n != "lm_head.weight"})
    assert not (tmp_path / "adapter_config.json").exists()
    read = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).state_dict()
    assert read.keys() == exact.keys() and all(torch.equal(read[n], exact[n]) for n in read)


def test_an_incomplete_state_is_not_merged() -> None:
    from rsft.training import lora

    made = trained(LoraSpec(targets=("q_proj",)))
    state = made.state_dict()
    del state["model.layers.2.self_attn.q_proj.lora_B.default.weight"]
    with pytest.raises(EngineError, match=r"model\.layers\.2\.self_attn\.q_proj are incomplete"):
        lora.merged(made, state)


def test_the_files_of_an_adapter_say_what_it_is(tmp_path: Path) -> None:
    from rsft.bases import header
    from rsft.training import lora

    made = adapted(LoraSpec(rank=4))
    lora.adapter_files(made, made.state_dict(), tmp_path, "me/base", "main")
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("me/base", "main")
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (4, 32, 0.0)
    assert config["inference_mode"] and not made.peft_config["default"].inference_mode
    # In peft's set their order, and with it the file, would be another in each process.
    assert config["target_modules"] == sorted(config["target_modules"])
    tensors = header(tmp_path / "adapter_model.safetensors")
    assert tensors["base_model.model.model.layers.3.mlp.up_proj.lora_B.weight"]["shape"] == [384, 4]
    assert len(tensors) == 56


@pytest.mark.slow
def test_adapters_train_alike_under_every_zero_stage(tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file

    script = Path(__file__).with_name("lora_matrix.py")
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("STAGE ")]
    found = [json.loads(line.removeprefix("STAGE ")) for line in lines]
    assert [stage["zero_stage"] for stage in found] == [0, 2, 3]
    for stage in found:
        assert stage["adapters"] == 56 and stage["moved"] > 1e-3
        assert stage["apart"] < TIMES_ROUNDING * stage["rounding"], stage
        assert stage["rounding"] < 1e-4
        assert stage["names"] and stage["shapes"] and stage["frozen"], stage
        folder = tmp_path / str(stage["zero_stage"])
        read = PeftModel.from_pretrained(model(dtype=torch.float32), str(folder))
        wanted, merged = read.merge_and_unload().state_dict(), load_file(folder / "merged")
        assert max(float((merged[n] - wanted[n]).abs().max()) for n in merged) < FP32


VLLM = """
import sys, torch
from vllm.config.lora import LoRAConfig
from vllm.lora.lora_model import LoRAModel
from vllm.lora.peft_helper import PEFTHelper

helper = PEFTHelper.from_local_dir(sys.argv[1], 2048)
helper.validate_legal(LoRAConfig(max_lora_rank=8, max_loras=1))
layers = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
read = LoRAModel.from_local_checkpoint(sys.argv[1], layers, helper, device="cpu", dtype=torch.float32)
print("READ", len(read.loras), helper.vllm_lora_scaling_factor)
"""


@pytest.mark.slow
def test_vllm_reads_the_files_of_an_adapter(tmp_path: Path) -> None:
    from rsft.training import lora

    made = trained(LoraSpec(rank=4, alpha=8))
    lora.adapter_files(made, made.state_dict(), tmp_path)
    done = subprocess.run([sys.executable, "-c", VLLM, str(tmp_path)], capture_output=True, text=True)
    assert "READ 28 2.0" in done.stdout, done.stderr[-2000:]
