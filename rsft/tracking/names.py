"""Words under which a sweep appears in a tracking store: runs, tags, parameters, metric keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rsft.records import Checkpoint, Estimate
from rsft.spec.trial import Trial

TRIAL_TAG = "rsft.trial_id"
"""By which a run is found again."""
KIND_TAG = "rsft.kind"
"""`sweep` on the parent run, `trial` on every other."""

TRAINING = (
    *("loss", "lr", "grad_norm", "token_accuracy", "entropy", "tokens", "target_tokens"),
    *("seconds", "seconds_checkpoint", "tokens_per_second", "mfu"),
)
"""Fields of a train.jsonl row that become curves; the rest of a row is not a number to plot."""

_TAG_LIMIT = 4_000
"""Characters of a tag or parameter; stores refuse longer ones, at lengths of their own."""


def run_name(trial: Trial) -> str:
    """For eyes, such as `nano-3m countdown-cot 24st s0`; what makes it unique is the tag."""
    words = [trial.model.label, trial.data.name, trial.length.label, f"s{trial.seed}"]
    return " ".join(words if trial.recipe == "default" else [*words, trial.recipe])[:200]


def axes(trial: Trial) -> dict[str, str]:
    """Flat values of every axis, for filters and groups."""
    return {
        "base": trial.model.label,
        "data": trial.data.name,
        "length": trial.length.label,
        "length_steps": str(trial.steps),
        "seed": str(trial.seed),
        "recipe": trial.recipe[:_TAG_LIMIT],
    }


def params(trial: Trial) -> dict[str, str]:
    """The axes and every training setting, flat; logged once, stores refuse a second value. How a run was
    trained elsewhere is not known."""
    if trial.given is not None:
        return axes(trial) | {"base_identity": trial.base_identity}
    facts = {"base_identity": trial.base_identity, "data_rows": trial.data.rows}
    settings = {**facts, **trial.train.model_dump(mode="json")}
    return axes(trial) | {name: str(value)[:_TAG_LIMIT] for name, value in settings.items()}


def model_name(trial: Trial, step: int) -> str:
    """Step first, since tables cut names off; MLflow refuses / : . % and quotes."""
    return re.sub(r"[/:.%\"']+", "-", f"step {step} {run_name(trial)}")


def model_params(trial: Trial, checkpoint: Checkpoint) -> dict[str, str]:
    facts = {
        "trial_id": trial.id,
        "step": str(checkpoint.step),
        "target_tokens": str(checkpoint.target_tokens),
        "path": checkpoint.path,
    }
    return axes(trial) | facts


def training_points(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Metric keys and values of one train.jsonl row."""
    for field in TRAINING:
        if row.get(field) is not None:
            yield f"train/{field}", float(row[field])
    for name, loss in (row.get("heldout") or {}).items():
        yield _key(f"heldout/{name}"), float(loss)


def cell_points(benchmark: str, estimates: Iterable[Estimate]) -> Iterator[tuple[str, float]]:
    """Metric keys and values of one cell. Only accuracy brings its error, to keep the keys few."""
    for estimate in estimates:
        key = _key(f"eval/{benchmark}/{estimate.metric}")
        yield key, estimate.value
        if estimate.metric == "accuracy":
            yield f"{key}_stderr", estimate.stderr


def cell_note(estimates: Iterable[Estimate]) -> str:
    """What a value rests on, such as `accuracy over 200 problems, 800 answers, 3.1 % cut`."""
    return "; ".join(
        f"{e.metric} over {e.problems} problems, {e.samples} answers, {e.truncated:.1%} cut"
        for e in estimates
    )[:_TAG_LIMIT]


def _key(text: str) -> str:
    """A metric key that stores accept: `pass@4` becomes `pass_at_4`."""
    return re.sub(r"[^\w\-./ ]", "_", text.replace("@", "_at_"), flags=re.ASCII)[:240]
