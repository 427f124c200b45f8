"""Run by test_swap.py in a process of its own: an engine's process is killed while it answers.

Two cells ask the same of the same weights, the second with its engine killed once its first part is written.
Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import psutil

from rsft import layout
from rsft.bases import SHIPPED
from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.data.template import load_tokenizer
from rsft.generation import stream
from rsft.generation.requests import CellRequest, EvalTask
from rsft.spec.model import ModelSpec
from rsft.storage import Storage
from rsft.sweep.cluster import LazyCluster
from rsft.sweep.grading import CellGrader, Graders
from rsft.sweep.quiet import set_environment
from rsft.training.export import reference_canary

BASE = str(SHIPPED / "nano-1m")
PROBLEMS, PART, TOKENS = 48, 4, 96
"""Of the cell, of each of its parts, of an answer: eleven parts are open when the first is written, so that
the engine has much left to do however late the kill comes."""


def engines_of(driver: psutil.Process) -> list[psutil.Process]:
    """The engines of this driver's cluster alone: another test's may live on this machine."""
    found = []
    for process in driver.children(recursive=True):
        with suppress(psutil.Error):  # it ended since it was listed
            if "EngineActor" in " ".join(process.cmdline()):
                found.append(process)
    return found


def kill_engine(storage: Path, killed: dict[str, object]) -> None:
    """Waits for the first part of the second cell, then kills the process of the engine at once."""
    while not any(storage.glob("quiet/**/*.parquet")):
        time.sleep(0.02)
    engines = engines_of(psutil.Process())  # looked for now, since a look through all processes takes time
    while not any(storage.glob("disturbed/parts/*.parquet")):
        time.sleep(0.002)
    killed["engines"] = len(engines)
    for engine in engines:
        engine.kill()
    killed["parts"] = len(list(storage.glob("disturbed/parts/*.parquet")))


def main() -> None:
    storage = Storage(sys.argv[1])
    tokenizer = load_tokenizer(BASE, ModelSpec(source=BASE))
    canary = reference_canary(BASE, None, tokenizer)
    asked = problems(CARDS["gsm-symbolic"], PROBLEMS)
    storage.write_lines(layout.problems("gsm-symbolic"), [asdict(problem) for problem in asked])
    settings = {
        "storage": storage.root,
        "cache": sys.argv[1],
        "base": BASE,
        "model": ModelSpec(source=BASE).model_dump(mode="json"),
        "device": "cpu",
        "max_model_tokens": 768,
        "tensor_parallel": 1,
        "adapters": 1,
        "rank": 0,
        "endpoint": None,
    }
    stream.PART_ANSWERS = PART
    killed: dict[str, object] = {}
    found: dict[str, object] = {"killed": killed}
    set_environment()
    with LazyCluster(lambda cluster: None) as cluster:
        cluster.get()
        tasks = [
            EvalTask(
                owner="o",
                trial_id=name,
                step=1,
                weights=BASE,
                canary=canary,
                cells=(
                    CellRequest(
                        benchmark="gsm-symbolic",
                        key="gsm-symbolic",
                        folder=name,
                        problems=PROBLEMS,
                        samples=1,
                        max_new_tokens=TOKENS,
                    ),
                ),
                temperature=0,
                top_p=1,
                seed=0,
            )
            for name in ("quiet", "disturbed")
        ]
        threading.Thread(target=kill_engine, args=(Path(sys.argv[1]), killed), daemon=True).start()
        grade = partial(CellGrader, Graders(storage=storage.root))
        for row in stream.answer_all(tasks, settings, grade, device="cpu", engines=1):
            answers = storage.read_table(layout.generations(row["folder"])).to_pylist()
            found[row["folder"]] = {
                "marker": row,
                "answers": {answer["problem"]: answer["text"] for answer in answers},
                "rows": len(answers),
            }
    print("RESULT " + json.dumps(found))


if __name__ == "__main__":
    main()
