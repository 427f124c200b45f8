"""Where everything of one sweep lies. Nobody else joins paths. All paths are relative to its root."""

from __future__ import annotations

import re
from functools import cache

SWEEP = "sweep.json"
CELLS = "tables/cells.parquet"
PROCEDURES = "tables/procedures.parquet"
ADAPTIVE = "adaptive.json"
"""Rounds of adaptive evaluation, each written before it is asked, and what came of them."""
REGRADED = "regraded.json"
"""What grading the whole storage again came to, the last time."""
JUDGEMENTS = "judgements"
LABELS = "labels"
"""What people say of responses that judges have judged."""
BASES = "bases"
OWNERS = (BASES, "trunks", "trials")
"""Folders of what is evaluated."""
CHECKPOINT_MARKER = "checkpoint.json"
ADAPTER = "adapter"
"""Folder of a LoRA checkpoint with the adapter alone, beside the merged weights."""
TUNE = "tune"
"""Ray Tune's own files; the error files of failed trials, nothing that rsft reads."""
REPORT = "report"
MLFLOW_DB = "mlflow.db"
MLFLOW_ARTIFACTS = "mlflow-artifacts"


@cache
def step_name(step: int) -> str:
    """Zero-padded, so that steps sort as text."""
    return f"step_{step:06d}"


def step_of(name: str) -> int:
    """The step of a `step_name`."""
    return int(name.removeprefix("step_"))


def prepared(name: str) -> str:
    return f"prepared/{name}"


def manifest(name: str) -> str:
    return f"{prepared(name)}/manifest.json"


def prepared_rows(name: str) -> str:
    """Token ids, as an Arrow file that is memory-mapped."""
    return f"{prepared(name)}/rows.arrow"


def prepared_texts(name: str) -> str:
    """The same rows as text: id, prompt, response."""
    return f"{prepared(name)}/texts.parquet"


def certificate(name: str, ending: str) -> str:
    """What is trained on, for eyes (`md`) and for programs (`json`)."""
    return f"{prepared(name)}/certificate.{ending}"


def overlap(name: str, questions_key: str) -> str:
    """Which benchmark problems occur in prepared rows; `questions_key` hashes the problems."""
    return f"{prepared(name)}/overlap-{questions_key}.parquet"


def part(folder: str, first: int) -> str:
    """Answers to problems of a cell from number `first` on, until all of the cell's are there."""
    return f"{folder}/parts/{first:07d}.parquet"


def earlier(folder: str, time: str, ending: str) -> str:
    """Scores of a cell (`parquet`) and their marker (`json`) from before a verdict changed."""
    return f"{folder}/earlier/{time}.{ending}"


def judging(rubric: str, judge: str, batch: str) -> str:
    """What a judge in our own engines was asked at a time, and said."""
    return f"{judgements(rubric, judge).removesuffix('.jsonl')}/{batch}"


def judgements(rubric: str, judge: str) -> str:
    """Verdicts of a judge as they come; never deleted, and asked for once."""
    return f"{JUDGEMENTS}/{_of_judge(rubric, judge)}"


def labels(rubric: str, person: str) -> str:
    """Labels of one person by one rubric, one line for each response."""
    return f"{LABELS}/{_of_judge(rubric, person)}"


def _of_judge(rubric: str, name: str) -> str:
    return f"{rubric}__{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.jsonl"


def trial(trial_id: str) -> str:
    return f"trials/{trial_id}"


def trial_record(trial_id: str) -> str:
    return f"{trial(trial_id)}/trial.json"


def failure(trial_id: str) -> str:
    """Why the last attempt ended; gone once the trial is done."""
    return f"{trial(trial_id)}/failure.json"


def trunk(trunk_id: str) -> str:
    """Steps that trials of several lengths have in common; laid out as a trial."""
    return f"trunks/{trunk_id}"


def stopped(trial_id: str) -> str:
    """Why the workers of a running attempt gave up; read and removed by its driver."""
    return f"{trial(trial_id)}/stopped.json"


def train_log(owner: str) -> str:
    """One line per optimizer step; `owner` is trial(...) or trunk(...), here and below."""
    return f"{owner}/train.jsonl"


def attempts(owner: str) -> str:
    """One line per start of the workers: from which step, on what."""
    return f"{owner}/attempts.jsonl"


def resume(owner: str) -> str:
    """Resumable states, of which the newest is kept."""
    return f"{owner}/resume"


def state(owner: str, step: int) -> str:
    """Everything that training goes on from after `step`."""
    return f"{resume(owner)}/{step_name(step)}"


def state_marker(owner: str, step: int) -> str:
    """Written last: a state exists when this does."""
    return f"{state(owner, step)}/state.json"


def checkpoint(owner: str, step: int) -> str:
    return f"{owner}/checkpoints/{step_name(step)}"


def checkpoint_marker(owner: str, step: int) -> str:
    """Written last: a checkpoint exists when this does."""
    return f"{checkpoint(owner, step)}/{CHECKPOINT_MARKER}"


def base(base_id: str) -> str:
    """The place of weights that were not trained here. An untrained base's serves every trial on it."""
    return f"{BASES}/{base_id}"


def base_record(base_folder: str) -> str:
    return f"{base_folder}/base.json"


def cell(owner: str, benchmark_key: str, step: int) -> str:
    """Folder of one evaluated cell; `owner` is trial(...), trunk(...) or base(...)."""
    return f"{evals(owner, benchmark_key)}/{step_name(step)}"


def evals(owner: str, benchmark_key: str = "") -> str:
    """Folder of what an owner was asked: benchmarks, and below each of them its steps."""
    return f"{owner}/evals/{benchmark_key}".rstrip("/")


def problems(benchmark_key: str) -> str:
    """The benchmark's problems as they were asked: prompt, gold, what the grader needs."""
    return f"problems/{benchmark_key}.jsonl"


def generations(cell_folder: str) -> str:
    return f"{cell_folder}/generations.parquet"


def scores(cell_folder: str) -> str:
    return f"{cell_folder}/scores.parquet"


def procedures(cell_folder: str) -> str:
    """What was counted in a cell's traces, with what read them."""
    return f"{cell_folder}/procedures.json"


def cell_marker(cell_folder: str) -> str:
    """Written last: a cell is done when this exists, matches, and counts no error."""
    return f"{cell_folder}/cell.json"
