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
from rsft.analysis.procedure_rates import Trace, differences, fingerprint, link, measures, read_trace
from rsft.benchmarks.card import GeneratedProblems
from rsft.cores import each
from rsft.records import Generation
from rsft.spec.base import content_hash
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.plan import Plan
from rsft.sweep.questions import Question
from rsft.sweep.samples import browsed_trials

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

MANY = 200
"""Cells from which other processes help."""
AT_ONCE = 10
"""Cells that a process is handed at a time."""

Games = Mapping[str, Countdown]
"""Countdown problems by id; empty for any other benchmark."""
Found = dict[str, Any]
"""What lies beside a cell: `measures`, `differences` and their `links`; `fingerprint` and `cell` of what they
are read of."""


def procedures_table(plan: Plan) -> pa.Table:
    """Reads what is new, writes `tables/procedures.parquet` and returns it.

    Of a sweep too large for that (rsft.sweep.samples.BROWSED_CELLS) the trials that the sample browser has.
    """
    trials = browsed_trials(plan)
    known = _known(plan, trials, fingerprint())
    rows = [row for trial in trials for row in _rows(plan, trial, known)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    plan.storage.write_table(layout.PROCEDURES, table)
    return table


def _rows(plan: Plan, trial: Trial, known: Mapping[str, Found]) -> Iterator[dict[str, Any]]:
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
        found = known.get(cell.folder)
        if found is None:
            continue
        name, dimension = cell.question.card.name, cell.question.card.dimension
        where = {"step": cell.step, "benchmark": name, "dimension": dimension}
        yield from (axes | where | measure for measure in found["measures"])
        yield from (axes | where | measure for measure in found["links"])
        for problem, one in found["differences"].items():
            linked[dimension, name][problem].append(one)
            linked[dimension, None][f"{name} {problem}"].append(one)
    for (of, benchmark), by_problem in linked.items():
        over = {"step": None, "benchmark": benchmark, "dimension": of}
        yield from (axes | over | asdict(measure) for measure in link(by_problem))


def _known(plan: Plan, trials: Sequence[Trial], mark: str) -> dict[str, Found]:
    """Measures and differences of done cells by folder, read anew where what they are read of changed."""
    storage, games = plan.storage, dict[str, Games]()
    marks: dict[str, str] = {}
    keys: dict[str, str] = {}
    for cell in (cell for trial in trials for cell in plan.cells(trial)):
        marker = storage.read_json_or_none(layout.cell_marker(cell.folder))
        if cell.folder not in marks and marker is not None and cell.question.scored_by(marker):
            marks[cell.folder], keys[cell.folder] = content_hash(marker, 12), cell.question.key
            if cell.question.key not in games:
                games[cell.question.key] = countdown_games(storage, cell.question)
    files = storage.read_json_each([layout.procedures(folder) for folder in marks])
    known: dict[str, Found] = {
        folder: found
        for (folder, of), found in zip(marks.items(), files, strict=True)
        if found is not None and (found["fingerprint"], found["cell"]) == (mark, of)
    }
    new = [folder for folder in marks if folder not in known]
    asked = [
        (storage.root, folder, games[keys[folder]], {"fingerprint": mark, "cell": marks[folder]})
        for folder in new
    ]
    return known | dict(zip(new, each(_read_anew, asked, AT_ONCE, MANY), strict=True))


def _read_anew(cells: Sequence[tuple[str, str, Games, Found]]) -> list[Found]:
    """Of (root, folder, games, what they are read of); writes each beside its cell."""
    found: list[Found] = []
    for root, folder, games, of in cells:
        storage = Storage(root)
        traces = list(read_cell(storage, folder, games))
        apart = differences(traces)
        own = link({problem: [one] for problem, one in apart.items()})
        shown = {"measures": measures(traces), "links": own}
        found.append(of | {name: [asdict(one) for one in ones] for name, ones in shown.items()})
        found[-1]["differences"] = apart
        storage.write_json(layout.procedures(folder), found[-1])
    return found


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
