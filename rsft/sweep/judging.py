"""A judge in our own engines: asked once the checkpoints have answered, about all cells that wait for it.

Its verdicts are kept where those of an endpoint are, so none is asked for twice, whichever cell, round or run
needs it. Then the cells are graded, without an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rsft import layout
from rsft.bases import resolve
from rsft.generation.requests import CellRequest, EvalTask
from rsft.records import Problem
from rsft.scoring.judge import Judge
from rsft.scoring.judged import item, shown
from rsft.spec.base import content_hash
from rsft.spec.evaluation import EvalSpec, JudgeSpec
from rsft.spec.model import ModelSpec
from rsft.storage import Storage
from rsft.sweep.evaluate import kept_canary
from rsft.sweep.grading import CellGrader, Graders, answered, judge_identity, known_problems, make_judge
from rsft.sweep.jobs import AnswerJob, Engines, Finish

Say = Callable[[str], None]


def judges_here(evaluation: EvalSpec) -> bool:
    """Whether the judge answers in our own engines."""
    return evaluation.judge is not None and evaluation.judge.address is None


def judge_waiting(
    waiting: Sequence[dict[str, Any]], evaluation: EvalSpec, graders: Graders, engines: Engines, say: Say
) -> Iterator[dict[str, Any]]:
    """Asks for the verdicts that are not known, then grades the cells. A judge behind an address is asked
    while they are graded.

    Args:
        waiting: markers of cells (see `Question.unjudged`).
        evaluation: with the judge.
        graders: of the cells.
        engines: of which `canary` and `answer` are used.
        say: told what is asked.

    Yields:
        The new marker of each cell.
    """
    spec = evaluation.judge
    if spec is None or not waiting:
        return
    if spec.address is None:
        _ask(waiting, spec, Storage(graders.storage), engines, say)
    grader = CellGrader(graders)
    try:
        yield from map(grader, waiting)
    finally:
        grader.close()


def _ask(
    waiting: Sequence[dict[str, Any]], spec: JudgeSpec, storage: Storage, engines: Engines, say: Say
) -> None:
    judges: dict[str, Judge] = {}
    wanted: dict[str, dict[str, str]] = {}
    for marker in waiting:
        pairs = answered(storage, marker["folder"], known_problems(storage, marker["key"]))
        name = pairs[0][0].metadata["rubric"]
        if name not in judges:
            judges[name] = make_judge(spec, name, storage)
        wanted.setdefault(name, {}).update(judges[name].wanted([item(pair) for pair in shown(pairs)]))
    cells = {
        cell.folder: (cell, judges[name])
        for name, asked in wanted.items()
        if asked and (cell := _cell(spec, name, asked, storage))
    }
    if not cells:
        return
    count = sum(map(len, wanted.values()))
    say(f"{spec.model} judges {count:,} answers of {len(waiting)} cells")
    unread = 0
    for row in engines.answer(_job(spec, [cell for cell, _ in cells.values()], storage, engines), _as_it_is):
        if row["error"]:
            say(f"note: {spec.model} could not judge ({row['error']}); run again to ask it again")
            continue
        _, judge = cells[row["folder"]]
        for said in storage.read_table(layout.generations(row["folder"])).to_pylist():
            unread += bool(judge.hear(said["problem"], said["text"]).why)
    if unread:
        say(
            f"note: {unread:,} of {count:,} times {spec.model} gave no verdict; these answers count as errors"
        )


def _cell(spec: JudgeSpec, name: str, asked: dict[str, str], storage: Storage) -> CellRequest:
    """What is asked with one rubric, as a cell. What was asked before a kill has the same folder again."""
    batch = content_hash(sorted(asked))
    key = f"judge-{name}__{batch}"
    problems = [Problem(id=one, question="", prompt=text, gold="") for one, text in sorted(asked.items())]
    storage.write_lines(layout.problems(key), [asdict(problem) for problem in problems])
    return CellRequest(
        benchmark=f"judge-{name}",
        key=key,
        folder=layout.judging(name, judge_identity(spec), batch),
        problems=len(problems),
        samples=1,
        max_new_tokens=spec.max_new_tokens,
    )


def _job(spec: JudgeSpec, cells: Sequence[CellRequest], storage: Storage, engines: Engines) -> AnswerJob:
    model = ModelSpec(source=spec.model)
    base = resolve(model)
    owner = f"judgements/{content_hash(base.identity)}"
    task = EvalTask(
        owner=owner,
        trial_id=spec.model,
        step=0,
        weights=base.source,
        canary=kept_canary(storage, layout.base_record(owner), model, base, engines),
        cells=tuple(cells),
        temperature=0,
        top_p=1,
        seed=0,
    )
    return AnswerJob(model=model, base=base, storage=storage.root, tasks=(task,))


def _as_it_is() -> Finish:
    return dict
