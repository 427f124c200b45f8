"""Trials that differ in length alone share their first steps: which do, what it saves, who goes with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rsft.spec.trial import Trial
from rsft.sweep.jobs import TrainJob


@dataclass(frozen=True, slots=True)
class Trunk:
    """Steps that several trials have in common, trained once."""

    id: str
    members: tuple[Trial, ...]
    """In the order in which they leave the trunk."""

    @property
    def steps(self) -> int:
        """Steps that are trained: the trunk as far as any member follows it, and each one's own rest."""
        return max(t.shared_steps for t in self.members) + sum(t.steps - t.shared_steps for t in self.members)

    @property
    def saved(self) -> int:
        """Steps that separate runs would train again."""
        return sum(trial.steps for trial in self.members) - self.steps

    def lines(self) -> list[str]:
        """The tree, a line per branch."""
        found = [f"trunk {self.id}: {self.steps:,} steps instead of {self.steps + self.saved:,}"]
        for number, trial in enumerate(self.members):
            corner = "└" if number == len(self.members) - 1 else "├"
            rest = trial.steps - trial.shared_steps
            own = f", then {rest:,} of its own" if rest else ""
            found.append(f"  {corner} {trial.id}: leaves at step {trial.shared_steps:,}{own}")
        return found


def trunks(trials: Sequence[Trial]) -> list[Trunk]:
    """Every trunk that two or more trials share."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.trunk is not None:
            found.setdefault(trial.trunk, []).append(trial)
    return [
        Trunk(name, tuple(sorted(members, key=lambda trial: (trial.shared_steps, trial.steps))))
        for name, members in found.items()
        if len(members) > 1
    ]


def missed(trials: Sequence[Trial]) -> str | None:
    """A remark when a schedule could share its steps and the page's warm-up prevents it."""
    able = [t for t in trials if t.shared_steps and t.train.warmup_steps is None and t.train.warmup_share]
    alone = {(t.model.label, t.data.name, t.seed, t.recipe, t.trunk) for t in able}
    groups = {key[:4] for key in alone}
    if len(alone) == len(groups):
        return None
    return (
        f"{len(alone)} trials of schedule {able[0].train.schedule!r} differ in length and share no step, "
        "since warmup_share gives each its own warm-up; set warmup_steps to share them"
    )


def families(jobs: Sequence[TrainJob]) -> list[list[TrainJob]]:
    """Jobs that share a trunk together, whoever leaves it first first; every other job alone."""
    found: dict[str, list[TrainJob]] = {}
    for job in jobs:
        found.setdefault(job.trial.trunk or job.trial.id, []).append(job)
    return [sorted(members, key=lambda job: job.trial.shared_steps) for members in found.values()]


def series(jobs: Sequence[TrainJob], slots: int) -> list[list[TrainJob]]:
    """Families dealt to so many groups of workers, which start once and train one trial after the other.

    Trials of unlike hardware settings never share a group.
    """
    found: dict[tuple[int, str], list[list[TrainJob]]] = {}
    for family in sorted(families(jobs), key=lambda f: -sum(job.trial.steps for job in f)):
        train = family[0].trial.train
        lanes = found.setdefault((train.workers, train.device), [])
        if len(lanes) < slots:
            lanes.append(list(family))
        else:
            min(lanes, key=lambda lane: sum(job.trial.steps for job in lane)).extend(family)
    return [lane for lanes in found.values() for lane in lanes]
