"""Slices of rows whose loss is measured and that are not trained on."""

from __future__ import annotations

from collections.abc import Callable

from rsft.data.prepare import prepare
from rsft.data.prepared import read_texts
from rsft.spec.trial import Trial
from rsft.storage import Storage
from rsft.sweep.jobs import Engines
from rsft.sweep.plan import Plan


def heldout_rows(
    plan: Plan, trial: Trial, prepared: str, engines: Engines, say: Callable[[str], None]
) -> tuple[tuple[str, str], ...]:
    """(name, name of the prepared rows) of every slice, for a trial's base.

    Slices that share a question with the trial's rows are said to: their loss flatters.
    """
    tokenizer = engines.tokenizer(plan.bases[trial.model.label].source, trial.model)
    trained: set[str] | None = None
    found: list[tuple[str, str]] = []
    for data in plan.sweep.heldout:
        manifest = prepare(
            plan.storage, data, tokenizer, trial.train.max_tokens, engines.prove, lambda _: None
        )
        found.append((data.name, manifest["name"]))
        trained = _prompts(plan.storage, prepared) if trained is None else trained
        asked = _prompts(plan.storage, manifest["name"])
        if both := len(trained & asked):
            say(
                f"note: {both} of {len(asked)} questions of the held-out slice {data.name} are trained on in "
                f"{trial.data.name}; give the slice other rows"
            )
    return tuple(found)


def _prompts(storage: Storage, prepared: str) -> set[str]:
    return {text for batch in read_texts(storage, prepared) for text in batch.column("prompt").to_pylist()}
