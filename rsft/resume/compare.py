"""Whether two trainings of one trial are the same: weights tensor by tensor, all other files, the step log.

Tensors are compared as bytes, since bf16 has no numpy type and a NaN would not be equal to itself.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsft import layout
from rsft.bases import header
from rsft.checkpoints import folder
from rsft.spec.trial import Trial
from rsft.storage import Storage

BLOCK = 1 << 22
"""Elements that are turned into numbers at a time."""

_READ = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

GOES_IN = ("data", "tokens", "target_tokens", "lr")
COMES_OUT = ("loss", "grad_norm", "token_accuracy", "entropy", "skipped", "heldout")
"""Fields of the log that a resume must not change; all others are times and speeds."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """For hardware whose sums come out differently from run to run."""

    weights: float = 0.05
    """Distance of two checkpoints, as a share of the way from the first listed checkpoint to the last."""
    loss: float = 0.01
    """Relative."""

    def __str__(self) -> str:
        return (
            f"loss within {self.loss:.0%}, weights within {self.weights:.0%} of the way from the first "
            "listed checkpoint to the last"
        )


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a safetensors file, not read before it is needed."""

    dtype: str
    shape: tuple[int, ...]
    raw: np.ndarray
    """(bytes,)."""

    def same(self, other: Tensor) -> bool:
        return (self.dtype, self.shape) == (other.dtype, other.shape) and bool(
            np.array_equal(self.raw, other.raw)
        )

    def blocks(self) -> Iterator[np.ndarray]:
        """All elements as float64, some at a time; integers of any kind as they are."""
        kind = np.dtype(_READ.get(self.dtype, "<u1"))
        for start in range(0, len(self.raw), BLOCK * kind.itemsize):
            part = np.frombuffer(self.raw[start : start + BLOCK * kind.itemsize].tobytes(), kind)
            if self.dtype == "BF16":  # the upper half of an fp32
                part = (part.astype(np.uint32) << 16).view(np.float32)
            yield part.astype(np.float64)


def tensors(place: Path) -> dict[str, Tensor]:
    """All tensors of a folder's safetensors files, those of sub-folders under `<folder>/<name>`.

    Raises:
        ModelError: a file that is cut off.
    """
    found: dict[str, Tensor] = {}
    for file in sorted(place.rglob("*.safetensors")):
        facts = header(file)
        with file.open("rb") as source:
            start = 8 + int(struct.unpack("<Q", source.read(8))[0])
        raw = np.memmap(file, np.uint8, "r", start) if file.stat().st_size > start else np.zeros(0, np.uint8)
        prefix = "" if file.parent == place else f"{file.parent.relative_to(place).as_posix()}/"
        for name, fact in facts.items():
            first, end = fact["data_offsets"]
            found[prefix + name] = Tensor(fact["dtype"], tuple(fact["shape"]), raw[first:end])
    return found


def distance(these: dict[str, Tensor], those: dict[str, Tensor]) -> float:
    """Euclidean distance of all weights that both have."""
    total = 0.0
    for name in these.keys() & those.keys():
        if these[name].shape == those[name].shape:
            pairs = zip(these[name].blocks(), those[name].blocks(), strict=True)
            total += sum(float(np.square(a - b).sum()) for a, b in pairs)
    return math.sqrt(total)


def differing_tensors(these: dict[str, Tensor], those: dict[str, Tensor]) -> str | None:
    """What is not bit for bit the same, in a few words."""
    if odd := sorted(these.keys() ^ those.keys()):
        return f"tensor {odd[0]} is in one of them alone"
    apart = [name for name in sorted(these) if not these[name].same(those[name])]
    if not apart:
        return None
    shaped = [n for n in apart if (these[n].dtype, these[n].shape) != (those[n].dtype, those[n].shape)]
    if shaped:
        a, b = these[shaped[0]], those[shaped[0]]
        return f"tensor {shaped[0]} is {a.dtype} {a.shape} instead of {b.dtype} {b.shape}"
    worst = {
        name: max(
            float(np.abs(a - b).max())
            for a, b in zip(these[name].blocks(), those[name].blocks(), strict=True)
        )
        for name in apart
    }
    name = max(worst, key=lambda n: worst[n] if worst[n] == worst[n] else math.inf)
    return f"{len(apart)} of {len(these)} tensors differ, at most by {worst[name]:.1e} ({name})"


def differing_weights(
    one: Storage, other: Storage, trial: Trial, tolerance: Tolerance | None = None
) -> list[str]:
    """What is wrong with the checkpoints of `one`, measured by those of `other`.

    Args:
        one: storage of the run in question.
        other: storage of the undisturbed run.
        trial: the trial of both; all its listed checkpoints are compared, the last step's included.
        tolerance: None means bit for bit, all other files of a checkpoint included.
    """
    places = {
        step: tuple(Path(storage.path(folder(trial, step))) for storage in (one, other))
        for step in trial.checkpoint_steps
    }
    complaints: list[str] = []
    first, last = min(places), max(places)
    way = distance(tensors(places[first][1]), tensors(places[last][1])) if tolerance else 0.0
    for step, (mine, theirs) in places.items():
        if not (mine / Path(layout.checkpoint_marker("", 0)).name).exists():
            complaints.append(f"step {step}: no checkpoint")
            continue
        these, those = tensors(mine), tensors(theirs)
        if tolerance is None:
            wrong = differing_tensors(these, those) or _differing_files(mine, theirs)
        else:
            apart = distance(these, those)
            wrong = None if apart <= tolerance.weights * way else f"{apart:.1e} apart, of a way of {way:.1e}"
            if odd := sorted(these.keys() ^ those.keys()):
                wrong = f"tensor {odd[0]} is in one of them alone"
        if wrong:
            complaints.append(f"step {step}: {wrong}")
    return complaints


def _differing_files(mine: Path, theirs: Path) -> str | None:
    """The first file that only one folder has, or whose content is another; weights are left to others."""
    names = [
        {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
        for place in (mine, theirs)
    ]
    for name in sorted(names[0].keys() | names[1].keys()):
        if name not in names[1]:
            return f"file {name} is left over"
        if name not in names[0]:
            return f"file {name} is missing"
        if not name.endswith(".safetensors") and names[0][name].read_bytes() != names[1][name].read_bytes():
            return f"file {name} differs"
    return None


def differing_log(
    rows: list[dict[str, Any]], undisturbed: list[dict[str, Any]], tolerance: Tolerance | None = None
) -> list[str]:
    """What is wrong with a step log: every step of the undisturbed run's once, with its data and its loss."""
    steps, expected = [row["step"] for row in rows], [row["step"] for row in undisturbed]
    repeated = sorted({step for step in steps if steps.count(step) > 1})
    complaints = [f"step {step} is there {steps.count(step)} times" for step in repeated]
    complaints += [f"step {step} is missing" for step in sorted(set(expected) - set(steps))]
    complaints += [f"step {step} does not belong there" for step in sorted(set(steps) - set(expected))]
    if not complaints and steps != expected:
        complaints.append("steps are out of order")
    known = {row["step"]: row for row in undisturbed}
    for row in rows:
        then = known.get(row["step"], row)
        for fact in GOES_IN + (COMES_OUT if tolerance is None else ()):
            now, was = json.dumps(row.get(fact)), json.dumps(then.get(fact))  # as text NaN equals NaN
            if now != was:
                complaints.append(f"step {row['step']}: {fact} is {now}, was {was}")
        if tolerance is not None and not _near(row.get("loss"), then.get("loss"), tolerance.loss):
            complaints.append(f"step {row['step']}: loss is {row.get('loss')}, was {then.get('loss')}")
    return complaints


def _near(now: float | None, then: float | None, share: float) -> bool:
    return now == then or (now is not None and then is not None and math.isclose(now, then, rel_tol=share))
