"""DeepSpeed's universal format: a state that any number of workers and any ZeRO stage can go on from.

DeepSpeed's own converter writes each weight and each optimizer moment whole, in a file of its own. But from
stage 3 it writes them in another form than from stages 1 and 2, and the count of steps, the version and the
engine's facts to other places; stages 1 and 2 read theirs alone, stage 3 its own. `complete` adds what the
others look for.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import deepspeed
import torch
from deepspeed.checkpoint.constants import PARAM

from rsft.errors import EngineError

_FACTS = "mp_rank_00_model_states.pt"
_FACTS_STAGE_3 = f"zero_pp_rank_0_{_FACTS}"
_STATE = "optimizer_state_dict"
"""Where stage 3 keeps its optimizer's state, which the universal format wants of it for the step alone."""


def convert(source: Path, target: Path, owner: str) -> None:
    """Shards of ZeRO 1, 2 or 3 into a universal state.

    Args:
        source: folder with all shards.
        target: folder to write; its parent is DeepSpeed's too, for a note of which is newest.
        owner: whose state it is, for the error.

    Raises:
        EngineError: DeepSpeed cannot convert them.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal"),
            *("--input_folder", str(source), "--output_folder", str(target)),
            *("--num_extract_workers", "1", "--num_merge_workers", "1", "--inject_missing_state"),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise EngineError(
            f"the resumable state of {owner} cannot be converted for other hardware "
            f"({' '.join(done.stderr.strip().splitlines()[-1:])}); set workers and zero_stage as they were, "
            "or delete its resume folder to train from the start."
        )
    complete(target)


def complete(folder: Path) -> None:
    """Adds to a universal state what a stage reads that did not write it. Twice does no harm.

    The files are pickles, DeepSpeed's way: written by this trial, in its own storage.
    """
    path = folder / "zero" / "optimizer_state.pt"
    facts = torch.load(path, map_location="cpu", weights_only=False)
    weights = [file.parent for file in sorted((folder / "zero").rglob("fp32.pt"))]
    if _STATE in facts:  # of stage 3
        step = facts[_STATE]["state"][0]["step"]
        for weight in weights:
            torch.save(step, weight / "step.pt")
            for name in ("fp32.pt", "exp_avg.pt", "exp_avg_sq.pt"):
                value = torch.load(weight / name, map_location="cpu", weights_only=False)
                if isinstance(value, torch.Tensor):
                    torch.save({PARAM: value}, weight / name)
        shutil.copyfile(folder / _FACTS_STAGE_3, folder / _FACTS)
    else:
        steps = [file for weight in weights if (file := weight / "step.pt").exists()]
        step = torch.load(steps[0], map_location="cpu", weights_only=False)
        facts[_STATE] = {"state": {0: {"step": step}}, "param_groups": facts["param_groups"]}
        shutil.copyfile(folder / _FACTS, folder / _FACTS_STAGE_3)
    facts.setdefault("ds_version", deepspeed.__version__)
    torch.save(facts, path)
