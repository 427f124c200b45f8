"""What a tracking store is known to hold of one run, so that nothing is written twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class KnownRun:
    """A run as it was read when the store was opened, kept up to date by what is written."""

    id: str
    status: str
    described: bool
    """Parameters are there."""
    unread: set[str]
    """Metric keys whose steps have to be read before anything is added to them."""
    linked: set[str]
    """Ids of the models that are outputs of the run."""
    datasets: set[tuple[str, str]]
    """Names and digests."""
    steps: dict[str, set[int]] = field(default_factory=dict)
    """Steps that have a value, by metric key."""
    models: dict[int, str] | None = None
    """Model ids by step; None: not read yet."""

    @classmethod
    def of(cls, run: Any) -> KnownRun:
        """From an `mlflow.entities.Run`."""
        inputs = run.inputs.dataset_inputs if run.inputs else []
        outputs = run.outputs.model_outputs if run.outputs else []
        return cls(
            id=run.info.run_id,
            status=run.info.status,
            described=bool(run.data.params),
            unread=set(run.data.metrics),
            linked={output.model_id for output in outputs},
            datasets={(item.dataset.name, item.dataset.digest) for item in inputs},
        )
