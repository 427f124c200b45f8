"""Procedures in the traces of a storage: each done cell is read once, what was found lies beside it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from rsft import layout
from rsft.analysis.functional import Countdown
from rsft.analysis.procedure_rates import Measure, Trace, differences, fingerprint, link, measures, read_trace
from rsft.benchmarks.card import GeneratedProblems
from rsft.records import Generation
from rsft.spec.base import content_hash
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.plan import Cell, Plan, Question

MOST_RESPONSES = 2_000
"""Of a cell; of a larger one whole problems are left out, by a hash of their ids, the same at every step."""
BATCH = 256
"""Responses held at once as Python text."""

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("trial", "base")),
        ("parameters", pa.int64()),  # of the base; empty when not known
        *((name, pa.string()) for name in ("data", "length")),
        *((name, pa.int64()) for name in ("length_steps", "seed")),
        ("recipe", pa.string()),
        ("step", pa.int64()),  # empty: over all steps of the trial
        *((name, pa.string()) for name in ("benchmark", "dimension", "measure")),
        *((name, pa.float64()) for name in ("value", "stderr", "ci_low", "ci_high")),
        *((name, pa.int64()) for name in ("problems", "responses")),
    ]
)
"""One row per trial, step, benchmark and measure. Rows without a step are links of a trial over all its
steps, per dimension where they have no benchmark either."""

Games = Mapping[str, Countdown]
"""Countdown problems by id; empty for any other benchmark."""


def procedures_table(plan: Plan) -> pa.Table:
    """Reads what is new, writes `tables/procedures.parquet` and returns it; one cell in memory at a time."""
    mark = fingerprint()
    games: dict[str, Games] = {}
    rows = [row for trial in plan.trials for row in _rows(plan, trial, mark, games)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    plan.storage.write_table(layout.PROCEDURES, table)
    return table


def _rows(plan: Plan, trial: Trial, mark: str, games: dict[str, Games]) -> Iterator[dict[str, Any]]:
    axes = {
        "trial": trial.id,
        "base": trial.model.label,
        "parameters": plan.bases[trial.model.label].parameters,
        "data": trial.data.name,
        "length": trial.length.label,
        "length_steps": trial.steps,
        "seed": trial.seed,
        "recipe": trial.recipe,
    }
    linked: dict[tuple[str, str | None], dict[str, list[dict[str, float]]]]
    linked = defaultdict(lambda: defaultdict(list))
    for cell in plan.cells(trial):
        found = _known(plan, cell, mark, games)
        if found is None:
            continue
        name, dimension = cell.question.card.name, cell.question.card.dimension
        where = {"step": cell.step, "benchmark": name, "dimension": dimension}
        yield from (axes | where | measure for measure in found["measures"])
        own = {problem: [one] for problem, one in found["differences"].items()}
        yield from (axes | where | asdict(measure) for measure in link(own))
        for problem, one in found["differences"].items():
            linked[dimension, name][problem].append(one)
            linked[dimension, None][f"{name} {problem}"].append(one)
    for (of, benchmark), by_problem in linked.items():
        over = {"step": None, "benchmark": benchmark, "dimension": of}
        yield from (axes | over | asdict(measure) for measure in link(by_problem))


def _known(plan: Plan, cell: Cell, mark: str, games: dict[str, Games]) -> dict[str, Any] | None:
    """Measures and differences of a cell, read anew where its answers, verdicts or the patterns changed."""
    marker = plan.storage.read_json_or_none(layout.cell_marker(cell.folder))
    if marker is None or not cell.question.answered_by(marker):
        return None
    path, of = layout.procedures(cell.folder), content_hash(marker, 12)
    known: dict[str, Any] | None = plan.storage.read_json_or_none(path)
    if known is not None and (known["fingerprint"], known["cell"]) == (mark, of):
        return known
    if cell.question.key not in games:
        games[cell.question.key] = countdown_games(plan.storage, cell.question)
    traces = list(read_cell(plan.storage, cell.folder, games[cell.question.key]))
    found: Sequence[Measure] = measures(traces)
    known = {
        "fingerprint": mark,
        "cell": of,
        "measures": [asdict(measure) for measure in found],
        "differences": differences(traces),
    }
    plan.storage.write_json(path, known)
    return known


def read_cell(storage: Storage, folder: str, games: Games) -> Iterator[Trace]:
    """The traces of a cell's responses, those that could be graded."""
    scores = storage.read_table(layout.scores(folder)).select(["problem", "sample", "outcome"])
    outcomes = {(row["problem"], row["sample"]): row["outcome"] for row in scores.to_pylist()}
    kept = _kept({problem for problem, _ in outcomes}, len(outcomes))
    for batch in storage.read_table(layout.generations(folder)).to_batches(max_chunksize=BATCH):
        for row in batch.to_pylist():
            answer = Generation(**row)
            outcome = outcomes.get((answer.problem, answer.sample), "error")
            if outcome != "error" and answer.problem in kept:
                yield read_trace(answer, outcome, games.get(answer.problem))


def _kept(problems: set[str], responses: int) -> set[str]:
    """Problems, each with all its samples, that together have MOST_RESPONSES or a little less."""
    most = len(problems) * MOST_RESPONSES // max(responses, MOST_RESPONSES)
    return set(sorted(problems, key=lambda one: hashlib.sha256(one.encode()).digest())[: max(most, 1)])


def countdown_games(storage: Storage, question: Question) -> Games:
    """The numbers and targets of a countdown benchmark's problems; empty for any other."""
    source = question.card.source
    if not isinstance(source, GeneratedProblems) or source.task != "countdown":
        return {}
    facts = {
        row["id"]: row["metadata"]["entry"]["metadata"]
        for row in storage.read_lines(layout.problems(question.key))
    }
    return {problem: Countdown(tuple(fact["numbers"]), fact["target"]) for problem, fact in facts.items()}
