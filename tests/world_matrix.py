"""Interrupts a trial and goes on with another number of workers or another ZeRO stage, on real DeepSpeed.

    python tests/world_matrix.py [--whole]     one line of JSON per change

Each phase is a process group of gloo workers that run the trainer's own `TrialRun`, without Ray. What an
interrupted trial ends with is compared with the trial that ran through on the first hardware.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
from typing import Any

os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error", "OMP_NUM_THREADS": "1"}

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file

from rsft import checkpoints, layout
from rsft.bases import SHIPPED
from rsft.data.prepare import prepare
from rsft.data.template import load_tokenizer
from rsft.spec import DataSpec, GeneratedRows, ModelSpec, TrainSpec
from rsft.spec.trial import Length, Trial
from rsft.storage import Storage

STEPS, SAVED, BREAK = 8, 4, 6
"""Saved after 4 steps, broken off after 6."""
MODEL = ModelSpec(source="nano-1m")
BASE = str(SHIPPED / "nano-1m")
DATA = DataSpec(name="cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=24)


def trial(name: str, hardware: dict[str, Any]) -> Trial:
    train = TrainSpec(
        **{"zero_stage": 1} | hardware,
        learning_rate=1e-3,
        batch_sequences=4,
        max_tokens=512,
        micro_batch_tokens=1_024,
        precision="fp32",
        device="cpu",
        resume_every_steps=SAVED,
    )
    return Trial(
        id=name,
        model=MODEL,
        data=DATA,
        length=Length(unit="steps", amount=STEPS),
        steps=STEPS,
        seed=0,
        train=train,
        recipe="default",
        base_identity="b",
        checkpoint_steps=(2, STEPS),
    )


def worker(
    rank: int, world: int, port: int, root: str, prepared: str, facts: dict[str, Any], end: int
) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_SIZE": str(world)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=world)
    from rsft.training.engine import Job
    from rsft.training.loop import TrialRun

    made = Trial(**facts)
    run = TrialRun(Job(made, Storage(root), prepared, BASE), rank, world)
    if end == STEPS:
        run.to_the_end()
    else:
        run.begin()
        for step in range(run.start, end):
            run.step(step)
        run.exporter.wait()
    dist.barrier()
    dist.destroy_process_group()


_ports = iter(range(29_600 + os.getpid() % 300, 40_000))


def phase(root: str, prepared: str, made: Trial, end: int = STEPS) -> None:
    arguments = (made.train.workers, next(_ports), root, prepared, made.model_dump(), end)
    mp.start_processes(worker, arguments, nprocs=made.train.workers, start_method="forkserver")


def weights(storage: Storage, made: Trial) -> dict[str, torch.Tensor]:
    return load_file(storage.path(f"{checkpoints.folder(made, STEPS)}/model.safetensors"))


def changes(whole: bool) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(hardware before, hardware after) of each case."""

    def case(before: tuple[int, int], after: tuple[int, int]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Each as (workers, ZeRO stage)."""
        old, new = ({"workers": workers, "zero_stage": stage} for workers, stage in (before, after))
        return old, new

    some = [case((2, 1), (2, 1)), case((2, 1), (1, 1)), case((2, 1), (1, 3)), case((1, 3), (2, 2))]
    if not whole:
        return some
    same = [case((2, stage), (2, stage)) for stage in (0, 2, 3)]
    without = [case((1, 0), (2, 0)), case((2, 0), (1, 0))]
    stages = ((1, 1), (2, 2), (3, 3), (1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2))
    more = [
        case((before, stage), (after, other))
        for stage, other in stages
        for before, after in ((1, 2), (2, 1), (2, 2), (2, 4))
    ]
    return list({json.dumps(pair): pair for pair in [*some, *same, *without, *more]}.values())


def main() -> None:
    # Workers are forked from a process that has imported the trainer, which takes ten seconds.
    multiprocessing.set_forkserver_preload(["__main__", "rsft.training.engine", "rsft.training.loop"])
    with tempfile.TemporaryDirectory() as root:
        storage = Storage(root)
        tokenizer = load_tokenizer(BASE, MODEL)
        prepared = prepare(storage, DATA, tokenizer, 512)["name"]
        undisturbed: dict[str, dict[str, torch.Tensor]] = {}
        wholes: dict[str, int] = {}
        for number, (before, after) in enumerate(changes("--whole" in sys.argv)):
            key = json.dumps(before)
            if key not in undisturbed:
                wholes[key] = len(undisturbed)
                whole = trial(f"whole-{wholes[key]}", before)
                phase(root, prepared, whole)
                undisturbed[key] = weights(storage, whole)
            broken = trial(f"broken-{number}", before)
            phase(root, prepared, broken, BREAK)
            phase(root, prepared, trial(broken.id, after))
            found, wanted = weights(storage, broken), undisturbed[key]
            pairs = [(found[n].float(), wanted[n].float()) for n in wanted]
            log = storage.read_lines(layout.train_log(layout.trial(broken.id)))
            other = storage.read_lines(layout.train_log(layout.trial(f"whole-{wholes[key]}")))
            attempts = storage.read_lines(layout.attempts(layout.trial(broken.id)))
            facts = {
                "before": before,
                "after": after,
                "relative": max(float(((a - b).abs() / b.abs().clamp(min=1e-3)).max()) for a, b in pairs),
                "losses": max(abs(a["loss"] - b["loss"]) for a, b in zip(log, other, strict=True)),
                "identical": all(torch.equal(found[n], wanted[n]) for n in wanted),
                "steps": [row["step"] for row in log],
                "from_step": attempts[-1]["from_step"],
            }
            print("CHANGE " + json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
