"""Where everything of one sweep lies. Nobody else joins paths. All paths are relative to its root."""

from __future__ import annotations

SWEEP = "sweep.json"
CELLS = "tables/cells.parquet"
TUNE = "tune"
"""Ray Tune's own files; the error files of failed trials, nothing that rsft reads."""
REPORT = "report"
MLFLOW_DB = "mlflow.db"
MLFLOW_ARTIFACTS = "mlflow-artifacts"


def step_name(step: int) -> str:
    """Zero-padded, so that steps sort as text."""
    return f"step_{step:06d}"


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


def trial(trial_id: str) -> str:
    return f"trials/{trial_id}"


def trial_record(trial_id: str) -> str:
    return f"{trial(trial_id)}/trial.json"


def failure(trial_id: str) -> str:
    """Why the last attempt ended; gone once the trial is done."""
    return f"{trial(trial_id)}/failure.json"


def train_log(trial_id: str) -> str:
    return f"{trial(trial_id)}/train.jsonl"


def resume(trial_id: str) -> str:
    """The Ray Train run folder: the newest resumable state and Ray's own snapshot."""
    return f"{trial(trial_id)}/resume"


def checkpoint(trial_id: str, step: int) -> str:
    return f"{trial(trial_id)}/checkpoints/{step_name(step)}"


def checkpoint_marker(trial_id: str, step: int) -> str:
    """Written last: a checkpoint exists when this does."""
    return f"{checkpoint(trial_id, step)}/checkpoint.json"


def base(base_id: str) -> str:
    """The untrained base's own place: its step 0 serves every trial on it."""
    return f"bases/{base_id}"


def base_record(base_folder: str) -> str:
    return f"{base_folder}/base.json"


def cell(owner: str, benchmark_key: str, step: int) -> str:
    """Folder of one evaluated cell; `owner` is trial(...) or base(...)."""
    return f"{owner}/evals/{benchmark_key}/{step_name(step)}"


def problems(benchmark_key: str) -> str:
    """The benchmark's problems as they were asked: prompt, gold, what the grader needs."""
    return f"problems/{benchmark_key}.jsonl"


def generations(cell_folder: str) -> str:
    return f"{cell_folder}/generations.parquet"


def scores(cell_folder: str) -> str:
    return f"{cell_folder}/scores.parquet"


def cell_marker(cell_folder: str) -> str:
    """Written last: a cell is done when this exists, matches, and counts no error."""
    return f"{cell_folder}/cell.json"
