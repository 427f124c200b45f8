"""Any models, any benchmarks, no training: what `rsft evaluate` does."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rsft import layout
from rsft.bases import Base, architecture, resolve
from rsft.canary import Canary
from rsft.generation.requests import CellRequest, EvalTask
from rsft.records import Estimate
from rsft.spec.base import content_hash
from rsft.spec.evaluation import EvalSpec, SamplingSpec
from rsft.spec.model import ModelSpec
from rsft.storage import Storage
from rsft.sweep.evaluate import kept_canary, write_problems
from rsft.sweep.grading import CellGrader, Graders
from rsft.sweep.jobs import AnswerJob, Engines
from rsft.sweep.judges import agreements
from rsft.sweep.judging import judge_waiting, judges_here
from rsft.sweep.live import score_words
from rsft.sweep.plan import Question, question

Device = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A cell of a model, done or not."""

    model: str
    question: Question
    marker: dict[str, Any] | None

    @property
    def done(self) -> bool:
        return self.marker is not None and self.question.answered_by(self.marker)

    @property
    def unjudged(self) -> bool:
        """Whether it needs no engine but a judge."""
        return self.question.unjudged(self.marker)

    @property
    def why(self) -> str:
        """Why it is not done; empty when it is."""
        if self.done:
            return ""
        return "no answer" if self.marker is None else self.marker["error"] or self.marker["first_error"]


def ask(models: Sequence[str], questions: Sequence[Question], storage: Storage) -> list[Asked]:
    """The cells of models as a storage holds them, model by model.

    Raises:
        ModelError: a model that cannot be used.
    """
    found = []
    for name in models:
        base = resolve(ModelSpec(source=name))
        for one in questions:
            marker = storage.read_json_or_none(layout.cell_marker(_request(base, one).folder))
            found.append(Asked(name, one, marker))
    return found


def evaluate_models(
    models: Sequence[str],
    evaluation: EvalSpec,
    storage: Storage,
    engines: Engines,
    console: Console,
    device: Device = "cpu",
) -> int:
    """Fills the open cells of all models and prints a table; returns the exit code.

    Models of one architecture and tokenizer share one engine. A folder that rsft exported brings its
    canary; for any other the canary is computed first.

    Raises:
        RsftError: a model, benchmark or storage that cannot be used; before an engine starts.
    """
    questions = [question(use, evaluation) for use in evaluation.benchmarks]
    bases = {name: resolve(ModelSpec(source=name)) for name in models}
    storage.check_writable()
    write_problems(storage, questions)
    graders = Graders.of(evaluation, storage, device)

    def say(words: str) -> None:
        console.print(words, highlight=False, markup=False, soft_wrap=True)

    def judge() -> None:
        found = [cell.marker for cell in ask(models, questions, storage) if cell.unjudged and cell.marker]
        for marker in judge_waiting(found, evaluation, graders, engines, say):
            say(f"{marker['benchmark']} of {marker['trial_id']}: {score_words(marker)}")

    judge()
    jobs: dict[str, list[EvalTask]] = {}
    for base in bases.values():
        cells = tuple(_request(base, q) for q in questions if not _has_answers(storage, base, q))
        if cells:
            task = _task(base, cells, evaluation.sampling, _canary(base, storage, engines))
            jobs.setdefault(architecture(base), []).append(task)
    for tasks in jobs.values():
        first = next(base for base in bases.values() if _owner(base) == tasks[0].owner)
        job = AnswerJob(
            model=ModelSpec(source=first.source), base=first, storage=storage.root, tasks=tuple(tasks)
        )
        for marker in engines.answer(job, partial(CellGrader, graders)):
            say(f"{marker['benchmark']} of {marker['trial_id']}: {score_words(marker)}")
    if judges_here(evaluation):
        judge()
    return _show(ask(models, questions, storage), storage, console)


def _owner(base: Base) -> str:
    """Folder of a model's cells."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(base.source).name).lower()
    return layout.base(f"{slug}__{content_hash(base.identity)}")


def _request(base: Base, asked: Question) -> CellRequest:
    return CellRequest(
        benchmark=asked.card.name,
        key=asked.key,
        folder=layout.cell(_owner(base), asked.key, 0),
        problems=asked.problems,
        samples=asked.samples,
        max_new_tokens=asked.max_new_tokens,
    )


def _has_answers(storage: Storage, base: Base, asked: Question) -> bool:
    marker = storage.read_json_or_none(layout.cell_marker(_request(base, asked).folder))
    return marker is not None and (asked.answered_by(marker) or asked.unjudged(marker))


def _task(base: Base, cells: tuple[CellRequest, ...], sampling: SamplingSpec, canary: Canary) -> EvalTask:
    return EvalTask(
        owner=_owner(base),
        trial_id=Path(base.source).name,
        step=0,
        weights=base.source,
        canary=canary,
        cells=cells,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
    )


def _canary(base: Base, storage: Storage, engines: Engines) -> Canary:
    exported = Path(base.source) / "checkpoint.json"
    if exported.exists():
        return Canary(**Storage(base.source).read_json("checkpoint.json")["canary"])
    path = layout.base_record(_owner(base))
    return kept_canary(storage, path, ModelSpec(source=base.source), base, engines)


def show_judges(storage: Storage, console: Console) -> None:
    """Prints how far the judges of a storage agree, with each other and with people."""
    from rsft.report.judges import judges_table  # the report's packages

    if found := judges_table(agreements(storage)):
        table = Table(*found.head, box=None)
        for row in found.rows:
            table.add_row(*map(escape, row))
        console.print(table)


def _show(cells: Sequence[Asked], storage: Storage, console: Console) -> int:
    heads = ("model", "benchmark", "accuracy", "truncated", "finished", "tokens", "problems x samples")
    table = Table(*heads, box=None)
    failed = 0
    for cell in cells:
        named = (cell.model, cell.question.card.name)
        if not cell.done or cell.marker is None:
            table.add_row(*map(escape, (*named, f"failed: {cell.why}"[:120])), "", "", "", "")
            failed += 1
            continue
        by = {e["metric"]: Estimate(**e) for e in cell.marker["estimates"]}
        accuracy, finished = by["accuracy"], by["accuracy_finished"].value
        table.add_row(
            *map(escape, named),
            f"{100 * accuracy.value:.1f} ± {100 * accuracy.stderr:.1f}",
            f"{100 * by['truncated'].value:.0f} %",
            "none" if math.isnan(finished) else f"{100 * finished:.1f}",
            f"{by['response_tokens'].value:.0f}",
            f"{accuracy.problems} x {cell.question.samples}",
        )
    console.print(table)
    if any(cell.question.card.grader == "judge" for cell in cells):
        show_judges(storage, console)
    console.print(f"answers and scores: {storage.root}", highlight=False, soft_wrap=True)
    return 1 if failed else 0
