"""Distillation: a teacher answers, graders keep what is right, one answer a problem is picked by seed.

Every problem is a cell of its own, so that an interrupted run asks again what was in flight and no more.
Beside the rows stay the raw pool (all answers with their verdicts) and, for the quality axis, an unverified
set: one finished answer a problem, picked without asking whether it is right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa

from rsft import layout, provenance
from rsft.bases import Base, resolve
from rsft.benchmarks.cards import GeneratedProblems, card
from rsft.canary import Canary
from rsft.data.generated import is_held_out
from rsft.data.rows import Row, Tally
from rsft.data.source import plain
from rsft.data.transforms import rank
from rsft.errors import DataError, SpecError, StorageError
from rsft.generation.requests import CellRequest, EvalTask
from rsft.records import Generation, Problem, Score
from rsft.scoring.references import GraderName
from rsft.spec.base import content_hash
from rsft.spec.distill import DistillSpec, RowProblems
from rsft.spec.seeds import BLOCK, item_seeds
from rsft.storage import Storage
from rsft.sweep.grading import CellGrader, Graders
from rsft.sweep.jobs import AnswerJob, Engines

LONGEST_TRACE = 32_768
"""Tokens of an answer where the page says nothing."""

TASK_CELLS = 64
"""Problems that an engine is given at once."""

SPEC, ROWS, UNVERIFIED = "distill.json", "rows.jsonl", "unverified.jsonl"
POOL, SUMMARY = "pool.parquet", "summary.json"


def distill(
    spec: DistillSpec, storage: Storage, engines: Engines, say: Callable[[str], None]
) -> dict[str, Any]:
    """Asks what is not asked yet, grades, and writes the rows; safe to call again.

    Args:
        spec: who is asked what.
        storage: of this distillation.
        engines: of which `canary` and `answer` are used.
        say: told about progress.

    Returns:
        The summary: problems, solved (share), samples, correct (share), truncated (share), errors, and
        `rows` and `unverified`, the places of rows (JSON lines in chat form, for FileRows).

    Raises:
        RsftError: a spec that cannot run, or a storage that holds another distillation.
    """
    claim(spec, storage)
    grader, found = problems(spec)
    key = f"{spec.name}__{content_hash([p.prompt for p in found])}"
    storage.write_lines(layout.problems(key), [asdict(problem) for problem in found])
    cells = [_cell(spec, key, number) for number in range(len(found))]
    wanted = [cell for cell in cells if not _done(storage, cell)]
    say(f"{len(found):,} problems, {len(found) - len(wanted):,} answered before")
    if wanted:
        done = len(found) - len(wanted)
        job = _job(spec, storage, engines, wanted)
        for marker in engines.answer(job, partial(CellGrader, Graders(storage=storage.root, rule=grader))):
            done += not marker["error"]
            if done % 50 == 0 or done == len(found):
                say(f"{done:,} of {len(found):,} problems answered")
    return collect(spec, storage, found, cells)


def claim(spec: DistillSpec, storage: Storage) -> None:
    """Makes the storage this distillation's, or checks that it is; more problems or samples may be asked."""
    storage.check_writable()
    facts = spec.model_dump(mode="json")
    known = storage.read_json_or_none(SPEC)
    changeable = {"count", "engines", "device", "max_model_tokens", "pick_seed", "endpoint"}
    if known is not None:
        before = {name: value for name, value in known["spec"].items() if name not in changeable}
        now = {name: value for name, value in facts.items() if name not in changeable}
        for one in (before, now):
            one["sampling"] = {name: v for name, v in one["sampling"].items() if name != "samples"}
        if before != now:
            differ = ", ".join(sorted(name for name in now if now[name] != before.get(name)))
            raise StorageError(
                f"storage {storage.root!r} holds distillation {known['spec']['name']!r} with another "
                f"{differ}; give this one another name."
            )
    storage.write_json(SPEC, {"spec": facts, "provenance": provenance.record()})


def problems(spec: DistillSpec) -> tuple[GraderName, list[Problem]]:
    """The grader, and the first `count` problems, always the same.

    Raises:
        SpecError: a task that is not generated.
        DataError: fewer problems than asked for.
    """
    source = spec.problems
    if isinstance(source, RowProblems):
        found = list(islice(_of_rows(source), spec.count))
        grader: GraderName = "math"
    else:
        chosen = card(source.task)
        if not isinstance(chosen.source, GeneratedProblems):
            raise SpecError(
                f"DistillSpec.problems.task={source.task!r} is no generated benchmark, so it has no problems "
                "to train on; choose a reasoning-gym task, or RowProblems."
            )
        grader = "reasoning_gym"
        found = _of_task(source.task, chosen.source, source.seed, spec.count)
    if len(found) < spec.count:
        raise DataError(f"DistillSpec.count={spec.count} is more than the {len(found)} problems there are.")
    return grader, found


def _of_rows(source: RowProblems) -> Iterator[Problem]:
    for row in plain(source.source, Tally(), 10**9):
        if row.gold is not None:
            yield Problem(id=row.id, question=row.question, prompt=row.question, gold=row.gold)


def _of_task(name: str, source: GeneratedProblems, seed: int, count: int) -> list[Problem]:
    import reasoning_gym  # seconds to import

    first = item_seeds("training", seed, BLOCK).start
    items = reasoning_gym.create_dataset(source.task, size=BLOCK, seed=first, **source.config)
    found: list[Problem] = []
    for number in range(min(BLOCK, 20 * count)):
        if len(found) == count:
            break
        if is_held_out(name, items[number]):
            continue
        entry = json.loads(json.dumps(items[number], default=str))
        found.append(
            Problem(
                id=f"{name}-{first + number}",
                question=entry["question"],
                prompt=card(name).prompt(entry["question"]),
                gold=str(entry["answer"]),
                metadata={"task": source.task, "config": dict(source.config), "entry": entry},
            )
        )
    return found


def _cell(spec: DistillSpec, key: str, number: int) -> CellRequest:
    return CellRequest(
        benchmark=spec.name,
        key=key,
        folder=f"answers/{number:07d}",
        problems=1,
        samples=spec.sampling.samples or 1,
        max_new_tokens=spec.sampling.max_new_tokens or LONGEST_TRACE,
        first=number,
    )


def _done(storage: Storage, cell: CellRequest) -> bool:
    marker = storage.read_json_or_none(layout.cell_marker(cell.folder))
    if marker is None:
        return False
    return not marker["error"] and not marker["errors"] and marker["samples"] >= cell.samples


def _job(spec: DistillSpec, storage: Storage, engines: Engines, cells: Sequence[CellRequest]) -> AnswerJob:
    if spec.endpoint:
        base = Base(
            source=spec.teacher.source,
            identity=spec.endpoint,
            parameters=None,
            context_tokens=None,
            pinned=False,
        )
        canary = Canary(ids=[], logprobs=[])
    else:
        base = resolve(spec.teacher)
        canary = engines.canary(spec.teacher, base)
    tasks = tuple(
        EvalTask(
            owner="answers",
            trial_id=spec.name,
            step=0,
            weights=base.source,
            canary=canary,
            cells=tuple(cells[start : start + TASK_CELLS]),
            temperature=spec.sampling.temperature,
            top_p=spec.sampling.top_p,
            seed=spec.sampling.seed,
            stream=True,
        )
        for start in range(0, len(cells), TASK_CELLS)
    )
    return AnswerJob(model=spec.teacher, base=base, storage=storage.root, tasks=tasks, endpoint=spec.endpoint)


def collect(
    spec: DistillSpec, storage: Storage, found: Sequence[Problem], cells: Sequence[CellRequest]
) -> dict[str, Any]:
    """Writes pool, rows and summary from the answers there are."""
    rows: list[dict[str, Any]] = []
    unverified: list[dict[str, Any]] = []
    pool: list[dict[str, Any]] = []
    failed, why = 0, ""
    for problem, cell in zip(found, cells, strict=True):
        if not _done(storage, cell):
            failed += 1
            marker = storage.read_json_or_none(layout.cell_marker(cell.folder)) or {}
            why = why or marker.get("error") or marker.get("first_error") or ""
            continue
        answers = [Generation(**g) for g in storage.read_table(layout.generations(cell.folder)).to_pylist()]
        verdicts = [Score(**s) for s in storage.read_table(layout.scores(cell.folder)).to_pylist()]
        by_sample = {score.sample: score for score in verdicts}
        pool += [asdict(g) | {"outcome": by_sample[g.sample].outcome, "gold": problem.gold} for g in answers]
        finished = [g for g in answers if g.finish == "stop" and g.text.strip()]
        right = [g for g in finished if by_sample[g.sample].outcome == "correct"]
        if finished:
            any_one = picked(finished, spec.pick_seed)
            unverified.append(_row(spec, problem, any_one, len(right), len(answers)))
        if right:
            rows.append(_row(spec, problem, picked(right, spec.pick_seed), len(right), len(answers)))
    solved = len(rows)
    storage.write_lines(ROWS, rows)
    storage.write_lines(UNVERIFIED, unverified)
    if pool:
        storage.write_table(POOL, pa.Table.from_pylist(pool))
    summary = {
        "problems": len(found),
        "failed": failed,
        "why": why,
        "solved": solved / max(len(found) - failed, 1),
        "samples": len(pool),
        "correct": sum(row["outcome"] == "correct" for row in pool) / max(len(pool), 1),
        "truncated": sum(row["finish"] == "length" for row in pool) / max(len(pool), 1),
        "rows_kept": len(rows),
        "rows": storage.path(ROWS),
        "unverified": storage.path(UNVERIFIED),
        "pool": storage.path(POOL),
    }
    storage.write_json(SUMMARY, summary)
    return summary


def picked(right: Sequence[Generation], seed: int) -> Generation:
    """One of a problem's right answers: the one of lowest rank, whatever else there is."""

    def place(generation: Generation) -> int:
        name = f"{generation.problem}#{generation.sample}"
        return rank(Row(id=name, messages=(), response=""), seed, "picked")

    return min(right, key=place)


def _row(spec: DistillSpec, problem: Problem, answer: Generation, right: int, asked: int) -> dict[str, Any]:
    return {
        "id": problem.id,
        "messages": [
            {"role": "user", "content": problem.prompt},
            {"role": "assistant", "content": answer.text},
        ],
        "answer": problem.gold,
        "teacher": spec.teacher.label,
        "sample": answer.sample,
        "samples_right": right,
        "samples_asked": asked,
    }
