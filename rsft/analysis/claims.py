"""What the data say about each claim of a sweep, how surely, and on how many answers.

From the tidy table alone: values and their clustered standard errors. Errors of one side on one benchmark are
added up, as if its trials erred together, since they answered the same problems; the two sides are combined
as if independent, although theirs are the same problems too, which overstates the error of a difference;
benchmarks are independent. So an interval is rather too wide than too narrow. It is about other problems of
the same kind, and says nothing of other seeds where there is one.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

from rsft.analysis.bootstrap import LEVEL, SAME, Interval, holm
from rsft.analysis.power import FAR, POWER
from rsft.analysis.trajectory import Trajectory
from rsft.spec.claim import Claim, Pick
from rsft.spec.trial import Trial

State = Literal["supported", "contradicted", "undecided"]
Trajectories = Mapping[tuple[str, str], Trajectory]
"""By trial id and benchmark."""
Key = tuple[str, int, str, str]
"""Whose weights, step, benchmark and metric. Two trials on one base share its weights at step 0, and those
on one trunk some later ones: in a difference these cancel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A claim and what became of it."""

    claim: Claim
    state: State
    effect: Interval | None
    """The first minus the second, averaged over benchmarks, in the metric's unit; of a shape claim on one
    curve, how deep it dips; None where several curves have no one number, or cells are missing."""
    p: float
    """Two-sided, of the opposite of what is said; 1 when undecided."""
    parts: Mapping[str, Interval | str]
    """By benchmark the effect; of a shape claim by `trial benchmark` the verdict."""
    trials: int
    problems: int
    """Different ones, of all benchmarks together."""
    answers: int
    """Generations behind the effect, of both sides."""
    why: str
    """Why it is undecided, and what would decide it; empty otherwise."""
    curves: tuple[tuple[str, str], ...] = ()
    """Trial and benchmark of every curve that a shape claim is about."""
    moving: int = 0
    """Of the curves on whose end it rests, those not converged: longer training might say otherwise."""


def answer_claims(
    claims: Sequence[Claim],
    trials: Sequence[Trial],
    cells: Sequence[Mapping[str, Any]],
    trajectories: Trajectories,
    level: float = LEVEL,
    chance: float | None = None,
) -> list[Answer]:
    """Every claim's answer, in order.

    What is said must hold among all of them together: p-values are corrected by Holm's method, and an
    answer that does not stand it is undecided.

    Args:
        claims: of the sweep.
        trials: all of the sweep.
        cells: rows of the tidy table (rsft.analysis.table), complete or not.
        trajectories: of those curves that are there.
        level: of the intervals.
        chance: of even one wrong answer in all; None is 1 - level, and more would not count.
    """
    by_key, by_id = dict[Key, Mapping[str, Any]](), {trial.id: trial for trial in trials}
    dimensions: dict[str, str] = {}
    for row in cells:
        dimensions[str(row["benchmark"])] = str(row["dimension"])
        trial = by_id.get(str(row["trial"]))
        if trial is not None and math.isfinite(float(row["value"])):
            by_key[value_key(trial, int(row["step"]), str(row["benchmark"]), str(row["metric"]))] = row
    found = []
    for claim in claims:
        names = benchmarks_of(claim, dimensions)
        if claim.shape:
            one = _of_shapes(claim, names, trials, trajectories)
        else:
            one = _of_difference(claim, names, trials, by_key, level)
        found.append(replace(one, moving=_moving(claim, names, trials, trajectories)))
    adjusted = holm([one.p for one in found])
    return [
        replace(one, state="undecided", why=f"not after correction for {len(found)} claims (p {p:.2g})")
        if one.state != "undecided" and p > (1 - level if chance is None else chance)
        else one
        for one, p in zip(found, adjusted, strict=True)
    ]


def benchmarks_of(claim: Claim, dimensions: Mapping[str, str]) -> tuple[str, ...]:
    """Of the benchmarks whose dimensions these are, those that a claim is about."""
    return claim.benchmarks or tuple(name for name, of in dimensions.items() if of == claim.dimension)


def _moving(claim: Claim, names: Sequence[str], trials: Sequence[Trial], trajectories: Trajectories) -> int:
    """How many curves that a claim takes the last step of have not converged."""
    sides = [(claim.trials, claim.step)]
    sides += [(claim.against, claim.against_step)] if isinstance(claim.against, Pick) else []
    ends = {
        (trial.id, name)
        for pick, step in sides
        for trial in trials
        if pick.matches(trial) and step in (None, trial.steps)
        for name in names
    }
    return sum(not trajectories[key].converged for key in ends if key in trajectories)


def weights_of(claim: Claim, name: str, trials: Sequence[Trial]) -> dict[Key, float]:
    """What a difference on one benchmark is made of: values and how much each counts; none cancels."""
    chosen = [trial for trial in trials if claim.trials.matches(trial)]
    others = [t for t in trials if isinstance(claim.against, Pick) and claim.against.matches(t)]
    weights: defaultdict[Key, float] = defaultdict(float)
    for side, picked, step in ((1.0, chosen, claim.step), (-1.0, others, claim.against_step)):
        for trial in picked:
            share = side / len(picked)
            weights[value_key(trial, step or trial.steps, name, claim.metric)] += share
            if not others or claim.measure == "gain":
                weights[value_key(trial, 0, name, claim.metric)] -= share
    return {of: weight for of, weight in weights.items() if abs(weight) > SAME}


def value_key(trial: Trial, step: int, benchmark: str, metric: str) -> Key:
    """Of one value of the table."""
    return trial.owner(step) if step else trial.model.label, step, benchmark, metric


def _open(claim: Claim, trials: int, why: str) -> Answer:
    return Answer(
        claim=claim,
        state="undecided",
        effect=None,
        p=1.0,
        parts={},
        trials=trials,
        problems=0,
        answers=0,
        why=why,
    )


def _of_difference(
    claim: Claim,
    names: Sequence[str],
    trials: Sequence[Trial],
    cells: Mapping[Key, Mapping[str, Any]],
    level: float,
) -> Answer:
    """Of a comparison between two sides."""
    chosen = [trial for trial in trials if claim.trials.matches(trial)]
    others = [t for t in trials if isinstance(claim.against, Pick) and claim.against.matches(t)]
    if not names or not chosen:
        return _open(claim, len(chosen), "no benchmark or no trial of it is here")
    effects, variance, problems, answers, missing = dict[str, Interval](), 0.0, 0, 0, 0
    z = NormalDist().inv_cdf((1 + level) / 2)
    for name in names:
        used = weights_of(claim, name, trials)
        rows = {key: cells[key] for key in used if key in cells}
        missing += len(used) - len(rows)
        if len(rows) < len(used):
            continue
        value = sum(weight * float(rows[key]["value"]) for key, weight in used.items())
        sides = [
            sum(abs(w) * float(rows[key]["stderr"]) for key, w in used.items() if (w > 0) == plus)
            for plus in (True, False)
        ]
        error = math.hypot(*sides)
        effects[name] = _possible(claim, Interval(value, value - z * error, value + z * error))
        variance += error**2
        problems += max(int(row["problems"]) for row in rows.values())
        answers += sum(int(row["samples"]) for row in rows.values())
    if missing:
        return _open(claim, len(chosen) + len(others), f"{missing} cells are not evaluated yet")
    value = sum(effect.value for effect in effects.values()) / len(effects)
    error = math.sqrt(variance) / len(effects)
    if math.isnan(error):
        return _open(claim, len(chosen) + len(others), "one problem says nothing of how problems differ")
    effect = _possible(claim, Interval(value, value - z * error, value + z * error))
    state, p = judge(claim, value, error, level)
    return Answer(
        claim=claim,
        state=state,
        effect=effect,
        p=p,
        parts=effects,
        trials=len(chosen) + len(others),
        problems=problems,
        answers=answers,
        why=_need(claim, value, error, problems, level) if state == "undecided" else "",
    )


def _possible(claim: Claim, effect: Interval) -> Interval:
    """No score is beyond 0 to 1, so no two differ by more than 1, and no two gains by more than 2."""
    most = 2.0 if claim.measure == "gain" else 1.0
    return effect.within(-most, most) if claim.metric == "accuracy" else effect


def judge(claim: Claim, value: float, error: float, level: float = LEVEL) -> tuple[State, float]:
    """What a difference with its standard error says of a claim, and the two-sided p-value (normal).

    `higher` by b is supported when the interval lies above b, contradicted when it lies below b; `lower` the
    other way round; `same` within b is supported when it lies inside +-b, contradicted when outside.
    """

    def p(distance: float) -> float:
        """Of the true value being no further than the limit."""
        if error <= 0:
            return 0.0 if distance > 0 else 1.0
        return min(1.0, 2 * NormalDist().cdf(-distance / error))

    if claim.expects == "same":
        yes, no = p(claim.by - abs(value)), p(abs(value) - claim.by)
    else:
        toward = value if claim.expects == "higher" else -value
        yes, no = p(toward - claim.by), p(claim.by - toward)
    if min(yes, no) > 1 - level:
        return "undecided", 1.0
    return ("supported", yes) if yes < no else ("contradicted", no)


def _need(claim: Claim, value: float, error: float, problems: int, level: float) -> str:
    """How many more problems would decide it, if the effect is what it seems to be."""
    times = times_needed(claim, value, error, level)
    if times > FAR:
        return "no number of problems would tell"
    return f"needs about {max(1, math.ceil((times - 1) * problems)):,} more problems of the same kind"


def times_needed(claim: Claim, value: float, error: float, level: float = LEVEL) -> float:
    """How many times as many answers of the same kind would decide a difference that is as it seems to be;
    inf where no number would."""
    limits = (claim.by, -claim.by) if claim.expects == "same" else (claim.by,)
    toward = -value if claim.expects == "lower" else value
    distance = min(abs(toward - limit) for limit in limits)
    normal = NormalDist()
    z = normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(POWER)
    return (z * error / distance) ** 2 if distance > SAME else math.inf


def _of_shapes(
    claim: Claim, names: Sequence[str], trials: Sequence[Trial], trajectories: Trajectories
) -> Answer:
    """Of a claim about every curve: all must have the shape; one that has another contradicts."""
    chosen = [trial for trial in trials if claim.trials.matches(trial)]
    keys = [(trial.id, name) for trial in chosen for name in names]
    found = {key: trajectories[key] for key in keys if key in trajectories}
    if not keys or len(found) < len(keys):
        return _open(claim, len(chosen), f"{len(keys) - len(found)} curves are not evaluated yet")
    verdicts = Counter(one.verdict for one in found.values())
    others = [one for one in found.values() if one.verdict not in ("undecided", claim.expects)]
    state: State = "undecided"
    if others:
        state = "contradicted"
    elif not verdicts["undecided"]:
        state = "supported"
    # One other shape is enough to contradict, so the surest of them counts, corrected for their number.
    p = {
        "supported": max(one.p for one in found.values()),
        "contradicted": min(1.0, len(found) * min((one.p for one in others), default=1.0)),
        "undecided": 1.0,
    }[state]
    why = ""
    if state == "undecided":
        needs = [one.need.words for one in found.values() if one.need is not None]
        why = f"{verdicts['undecided']} of {len(found)} curves are undecided"
        why += f"; one {needs[0]}" if needs else ""
    return Answer(
        claim=claim,
        state=state,
        effect=next(iter(found.values())).dip if len(found) == 1 else None,
        p=p,
        parts={f"{trial} {name}": one.verdict for (trial, name), one in found.items()},
        trials=len(chosen),
        problems=sum(max(one.problems for (_, n), one in found.items() if n == name) for name in names),
        answers=sum(one.problems * one.samples * (len(one.gains) + 1) for one in found.values()),
        why=why,
        curves=tuple(found),
    )
