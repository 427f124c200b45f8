"""Published numbers that are about trials of ours: same base, data, epochs and recipe, same benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rsft.analysis.published import ANSWERS, Published, published, published_curve, reading
from rsft.analysis.trajectory import Trajectory
from rsft.spec.claim import Claim, Pick
from rsft.spec.recipes import STUDY
from rsft.spec.trial import Trial

References = Mapping[tuple[str, str], Mapping[int, float]]
"""Trial and benchmark -> step -> published score, in [0, 1]."""
_OURS = {("truthfulqa", "truthful")}
"""Benchmark and published metric that is our accuracy under another name."""


def references(trials: Sequence[Trial]) -> dict[tuple[str, str], dict[int, float]]:
    """What was published of each trial, step 0 included; doubtful numbers are left out.

    Where tables disagree, as they do on a base's GPQA, the first one counts.
    """
    known = [one for one in published() if one.trust != "doubtful" and _a_score(one)]
    by_base: dict[str, list[Published]] = {}
    for one in known:
        by_base.setdefault(one.base, []).append(one)
    found: dict[tuple[str, str], dict[int, float]] = {}
    for trial in trials:
        for one in by_base.get(trial.model.label, ()):
            if _about(trial, one):
                found.setdefault((trial.id, one.benchmark), {}).setdefault(one.step, one.value)
    return {key: dict(sorted(steps.items())) for key, steps in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A published curve that a trial of ours repeats, judged as ours are; see `published_curve`."""

    base: str
    data: str
    benchmark: str
    found: Trajectory

    @property
    def assumed(self) -> str:
        """`n = 1,500 (500 problems × 3 answers, taken as independent)`: the tables have no single answers."""
        n = math.prod(ANSWERS[self.benchmark])
        return f"n = {n:,} ({assumed_size(self.benchmark)}, taken as independent)"


def assumed_size(benchmark: str) -> str:
    """Behind a published score: `500 problems × 3 answers`; empty where nothing is known of it."""
    if benchmark not in ANSWERS:
        return ""
    problems, samples = ANSWERS[benchmark]
    return f"{problems:,} problems × {samples} answer{'' if samples == 1 else 's'}"


def readings(trials: Sequence[Trial], known: References) -> list[Reading]:
    """Of the curves that are published step by step and are not doubtful, each once and by itself."""
    axes = {trial.id: (trial.model.label, trial.data.name) for trial in trials}
    found: dict[tuple[str, str, str], Reading] = {}
    for (trial, benchmark), steps in known.items():
        base, data = key = axes[trial]
        if len(steps) < 3 or benchmark not in ANSWERS or (*key, benchmark) in found:
            continue
        if published_curve(base, data, benchmark).steps == tuple(steps):  # else some are doubtful
            one = reading(base, data, benchmark)
            found[*key, benchmark] = Reading(base=base, data=data, benchmark=benchmark, found=one)
    return list(found.values())


def _a_score(one: Published) -> bool:
    return one.metric == "accuracy" or (one.benchmark, one.metric) in _OURS


def _about(trial: Trial, one: Published) -> bool:
    """Whether it is, when it is about the trial's base."""
    if one.data is None:
        return True
    if trial.given is not None:
        return False  # its settings are not known
    same = all(getattr(trial.train, name) == getattr(STUDY, name) for name in ("learning_rate", "schedule"))
    return (
        same
        and one.data == trial.data.name
        and (trial.length.unit, trial.length.amount) == ("epochs", one.epochs)
        and one.batch_sequences == trial.train.batch_sequences
    )


def claimed(claim: Claim, names: Sequence[str], trials: Sequence[Trial], known: References) -> float | None:
    """What was published of a claim's difference, in [-1, 1]; None unless all of it was.

    Args:
        claim: about a difference.
        names: its benchmarks.
        trials: all of the sweep.
        known: as `references` has it.
    """
    if claim.shape or claim.metric != "accuracy" or not names:
        return None
    against = claim.against if isinstance(claim.against, Pick) else None
    sides = [(claim.trials, claim.step, 1.0)] + ([(against, claim.against_step, -1.0)] if against else [])
    value = 0.0
    for pick, step, sign in sides:
        chosen = [trial for trial in trials if pick.matches(trial)]
        for trial in chosen:
            for name in names:
                curve = known.get((trial.id, name), {})
                wanted = [(step or trial.steps, 1.0)]
                if against is None or claim.measure == "gain":
                    wanted.append((0, -1.0))
                for at, part in wanted:
                    if at not in curve:
                        return None
                    value += sign * part * curve[at] / len(chosen) / len(names)
    return value
