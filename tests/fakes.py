"""Stand-ins for engines: a toy tokenizer, a trainer that writes folders, a generator of canned answers.

They test our own logic between the engines, nothing of the engines themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import pyarrow as pa

from rsft import layout
from rsft.bases import Base
from rsft.canary import Canary
from rsft.data.overlap import flagged
from rsft.generation.requests import sample_seed
from rsft.records import Generation, Problem
from rsft.scoring import graders
from rsft.scoring.process import Verdict
from rsft.spec.model import ModelSpec
from rsft.storage import Storage
from rsft.sweep.jobs import AnswerJob, Engines, MakeFinish, TrainJob

BROKEN = "EngineDeadError: gone"
"""What a generator that is told to break says."""
CANARY = Canary(ids=[1, 2], logprobs=[-1.0])


class ToyTokenizer:
    """One id per character; a chat template of the usual shape."""

    eos_token = "\0"
    eos_token_id = 0
    chat_template = "toy"

    added_tokens_decoder: ClassVar[dict[int, Any]] = {}

    class backend_tokenizer:
        @staticmethod
        def to_str() -> str:
            return "toy"

    def __call__(self, text: str | list[str], **options: bool) -> dict[str, list[Any]]:
        if isinstance(text, str):
            return {"input_ids": list(map(ord, text))}
        return {"input_ids": [list(map(ord, one)) for one in text]}

    def batch_decode(self, sequences: Sequence[Sequence[int]], **options: bool) -> list[str]:
        return ["".join(map(chr, ids)) for ids in sequences]

    def apply_chat_template(
        self, messages: list[dict[str, str]], tokenize: bool, add_generation_prompt: bool
    ) -> str:
        return "".join(f"[{m['role']}]{m['content']}" for m in messages) + "[assistant]"


class FakeTrainer:
    """Writes what a training run leaves behind; fails for trials that it is told to fail for."""

    def __init__(self, fails: Callable[[str], bool] = lambda trial_id: False) -> None:
        self.fails = fails
        self.trained: list[str] = []

    def __call__(self, jobs: Sequence[TrainJob]) -> dict[str, str]:
        failed: dict[str, str] = {}
        for job in jobs:
            if self.fails(job.trial.id):
                failed[job.trial.id] = "RuntimeError: out of memory"
                continue
            self.trained.append(job.trial.id)
            self._write(job, Storage(job.storage))
        return failed

    def _write(self, job: TrainJob, storage: Storage) -> None:
        trial = job.trial
        rows = [
            {
                "step": step,
                "loss": 2.0 / step,
                "lr": 1e-3,
                "grad_norm": 1.0,
                "tokens": 100,
                "target_tokens": 50,
                "data": "0",
                "seconds": 0.1,
            }
            for step in range(1, trial.steps + 1)
        ]
        storage.write_lines(layout.train_log(layout.trial(trial.id)), rows)
        for step in trial.checkpoint_steps:
            marker = {
                "trial_id": trial.id,
                "step": step,
                "path": layout.checkpoint(trial.owner(step), step),
                "target_tokens": 50 * step,
                "canary": asdict(CANARY),
            }
            storage.write_json(layout.checkpoint_marker(trial.owner(step), step), marker)


Answer = Callable[[Problem, int, int], str]
"""(problem, step, sample) -> text of the response."""


class FakeGenerator:
    """Writes canned generations where the engine would, then lets the conductor finish the cell."""

    def __init__(
        self, answer: Answer, breaks: Callable[[str, int], bool] = lambda trial, step: False
    ) -> None:
        self.answer = answer
        self.breaks = breaks
        self.answered: list[tuple[str, int, str]] = []

    def __call__(self, job: AnswerJob, make_finish: MakeFinish) -> Iterator[dict[str, Any]]:
        storage, finish = Storage(job.storage), make_finish()
        for task in job.tasks:
            broken = self.breaks(task.trial_id, task.step)
            for cell in task.cells:
                self.answered.append((task.owner, task.step, cell.benchmark))
                rows = storage.read_lines(layout.problems(cell.key))[cell.first : cell.first + cell.problems]
                generations = [
                    self._generation(Problem(**row), task.step, sample, task.seed, cell.benchmark)
                    for row in rows
                    for sample in range(cell.samples)
                ]
                if not broken:
                    table = pa.Table.from_pylist([asdict(g) for g in generations])
                    storage.write_table(layout.generations(cell.folder), table)
                facts = {
                    "owner": task.owner,
                    "trial_id": task.trial_id,
                    "step": task.step,
                    "error": BROKEN if broken else "",
                    "restarts": 0,
                }
                yield finish(facts | asdict(cell))

    def _generation(self, problem: Problem, step: int, sample: int, seed: int, benchmark: str) -> Generation:
        text = self.answer(problem, step, sample)
        return Generation(
            problem=problem.id,
            sample=sample,
            seed=sample_seed(seed, benchmark, problem.id, sample),
            text=text,
            tokens=len(text.split()) + 1,
            prompt_tokens=10,
            finish="stop" if "boxed" in text else "length",
        )


def fake_engines(trainer: FakeTrainer, generator: FakeGenerator, beside: bool = False) -> Engines:
    def canary(model: ModelSpec, base: Base) -> Canary:
        return CANARY

    return Engines(
        tokenizer=lambda source, model: ToyTokenizer(),
        prove=lambda rows: None,
        scan=flagged,
        beside=lambda jobs: beside,
        train=trainer,
        canary=canary,
        answer=generator,
    )


class GraderHere:
    """The real grader in this process: what a grading process would say, without the seconds of its start."""

    def __init__(self, grader: graders.Isolated, limit_s: float = 0.0) -> None:
        self._grader = grader

    def grade(self, answer: str, gold: str, metadata: dict[str, Any]) -> Verdict:
        raw, detail = graders.grade(self._grader, answer, gold, metadata)
        return Verdict(raw, detail=detail)

    def close(self) -> None:
        pass
