"""What the data say about each claim of a sweep, how surely, and on how many answers.

Scores and response lengths are compared problem by problem (rsft.analysis.differences): an interval is about
other problems of the same kind, and about other seeds too where some setting has several. Of other metrics
the tidy table has values and clustered standard errors alone. Then errors of one side on one benchmark are
added up, as if its trials erred together, since they answered the same problems; the two sides are combined
as if independent, although theirs are the same problems too, which overstates the error of a difference.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from rsft.analysis.bootstrap import LEVEL, SAME, Interval, holm
from rsft.analysis.crossed import Error
from rsft.analysis.differences import Known, Place, benchmark, error_of
from rsft.analysis.trajectory import Trajectories
from rsft.scoring.estimators import Z_95
from rsft.spec.claim import Claim, Pick
from rsft.spec.trial import Trial

State = Literal["supported", "contradicted", "undecided"]
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
    """Two-sided, of the opposite of what is said, corrected for the number of claims; 1 when undecided."""
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
    seeds: int = 0
    """Of the setting with the fewest, where they were compared problem by problem; 1 says that the interval
    is about these runs, 0 that it is not known."""
    times: float = math.inf
    """How many times as many answers of the same kind would decide a difference that is as it seems to be;
    inf where no number would."""
    moving: int = 0
    """Of the curves on whose end it rests, those not converged: longer training might say otherwise."""


def answer_claims(
    claims: Sequence[Claim],
    trials: Sequence[Trial],
    cells: Sequence[Mapping[str, Any]],
    trajectories: Trajectories,
    known: Known | None = None,
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
        known: answers by problem, of as many cells as there are.
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
            one = _of_difference(claim, names, trials, by_key, known or {}, level)
        found.append(replace(one, moving=_moving(claim, names, trials, trajectories)))
    adjusted = holm([one.p for one in found])
    return [
        replace(
            one, p=1.0, state="undecided", why=f"not after correction for {len(found)} claims (p {p:.2g})"
        )
        if one.state != "undecided" and p > (1 - level if chance is None else chance)
        else replace(one, p=p)
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
    known: Known,
    level: float,
) -> Answer:
    """Of a comparison between two sides."""
    chosen = [trial for trial in trials if claim.trials.matches(trial)]
    others = [t for t in trials if isinstance(claim.against, Pick) and claim.against.matches(t)]
    if not names or not chosen:
        return _open(claim, len(chosen), "no benchmark or no trial of it is here")
    used = {name: weights_of(claim, name, trials) for name in names}
    rows = {key: cells[key] for weights in used.values() for key in weights if key in cells}
    missing = sum(map(len, used.values())) - len(rows)
    if missing:
        why = "1 cell is not evaluated yet" if missing == 1 else f"{missing} cells are not evaluated yet"
        return _open(claim, len(chosen) + len(others), why)
    values = {
        name: sum(weight * float(rows[key]["value"]) for key, weight in weights.items())
        for name, weights in used.items()
    }
    value = sum(values.values()) / len(values)
    problems = sum(max(int(rows[key]["problems"]) for key in weights) for weights in used.values())
    places = {(owner, step): weight for (owner, step, *_), weight in used[names[0]].items()}
    seeds = _seeds(claim, trials, places)
    paired = {
        name: one for name in names if (one := benchmark(places, name, claim.metric, known)) is not None
    }
    if len(paired) == len(names):
        errors = {name: error_of([one], places, seeds) for name, one in paired.items()}
        error = error_of(list(paired.values()), places, seeds)
    else:
        alone = {name: _apart(weights, rows) for name, weights in used.items()}
        errors = {name: Error.normal(one) for name, one in alone.items()}
        error = Error.normal(math.hypot(*alone.values()) / len(names))
    if math.isnan(error.spread):
        return _open(claim, len(chosen) + len(others), "one problem says nothing of how problems differ")
    fewest = min(map(len, seeds), default=0) if paired else 0
    state, p = judge(claim, value, error, level)
    distance, why = _distance(claim, value), ""
    if state == "undecided":
        why = error.need(
            distance,
            level,
            problems=problems,
            seeds=max(1, fewest),
            samples=min((one.samples for one in paired.values()), default=1) if fewest else 1,
            luck=sum(one.luck for one in paired.values()) / len(names) ** 2,
        )
    return Answer(
        claim=claim,
        state=state,
        effect=_possible(claim, error.interval(value, level)),
        p=p,
        parts={name: _possible(claim, errors[name].interval(values[name], level)) for name in names},
        trials=len(chosen) + len(others),
        problems=problems,
        answers=sum(int(row["samples"]) for row in rows.values()),
        seeds=fewest,
        times=error.times(distance, level),
        why=why,
    )


def _seeds(claim: Claim, trials: Sequence[Trial], places: Collection[Place]) -> list[list[Place]]:
    """Trained places, each once, as groups: those in one differ in their seed alone."""
    sides = [(claim.trials, claim.step)]
    sides += [(claim.against, claim.against_step)] if isinstance(claim.against, Pick) else []
    settings: dict[Place, tuple[object, ...]] = {}
    for pick, at in sides:
        for trial in filter(pick.matches, trials):
            step = at or trial.steps
            if (place := value_key(trial, step, "", "")[:2]) in places:  # of a trunk, several trials have it
                setting = (trial.model.label, trial.data.name, trial.steps, trial.recipe, step)
                settings.setdefault(place, setting)
    found: dict[tuple[object, ...], list[Place]] = {}
    for place, trained_as in settings.items():
        found.setdefault(trained_as, []).append(place)
    return list(found.values())


def _apart(weights: Mapping[Key, float], rows: Mapping[Key, Mapping[str, Any]]) -> float:
    """Error of a difference on a benchmark, the two sides taken as independent."""
    sides = [
        sum(abs(w) * _error(rows[key]) for key, w in weights.items() if (w > 0) == plus)
        for plus in (True, False)
    ]
    return math.hypot(*sides)


def _error(row: Mapping[str, Any]) -> float:
    """Of a value; where no two answers differ, what its interval leaves possible."""
    return float(row["stderr"]) or (float(row["ci_high"]) - float(row["ci_low"])) / 2 / Z_95


def _possible(claim: Claim, effect: Interval) -> Interval:
    """No score is beyond 0 to 1, so no two differ by more than 1, and no two gains by more than 2."""
    most = 2.0 if claim.measure == "gain" else 1.0
    return effect.within(-most, most) if claim.metric == "accuracy" else effect


def judge(claim: Claim, value: float, error: Error, level: float = LEVEL) -> tuple[State, float]:
    """What a difference with its error says of a claim, and the two-sided p-value.

    `higher` by b is supported when the interval lies above b, contradicted when it lies below b; `lower` the
    other way round; `same` within b is supported when it lies inside +-b, contradicted when outside.
    """
    b = claim.by
    above, below = error.p(value - b, -1.0), error.p(b - value, 1.0)
    over, under = (
        error.p(value + b, -1.0),
        error.p(-b - value, 1.0),
    )  # the same of the limit on the other side
    if claim.expects == "same":
        yes, no = max(below, over), min(above, under)
    else:
        yes, no = (above, below) if claim.expects == "higher" else (under, over)
    if min(yes, no) > 1 - level:
        return "undecided", 1.0
    return ("supported", yes) if yes < no else ("contradicted", no)


def _distance(claim: Claim, value: float) -> float:
    """Of a difference from the nearest limit of what is claimed."""
    limits = (claim.by, -claim.by) if claim.expects == "same" else (claim.by,)
    toward = -value if claim.expects == "lower" else value
    return min(abs(toward - limit) for limit in limits)


def _of_shapes(
    claim: Claim, names: Sequence[str], trials: Sequence[Trial], trajectories: Trajectories
) -> Answer:
    """Of a claim about every curve: all must have the shape; one that has another contradicts."""
    chosen = [trial for trial in trials if claim.trials.matches(trial)]
    keys = [(trial.id, name) for trial in chosen for name in names]
    found = {key: trajectories[key] for key in keys if key in trajectories}
    if not keys or len(found) < len(keys):
        missing = len(keys) - len(found)
        why = "1 curve is not evaluated yet" if missing == 1 else f"{missing} curves are not evaluated yet"
        return _open(claim, len(chosen), why)
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
        are = "curve is" if len(found) == 1 else "curves are"
        why = f"{verdicts['undecided']} of {len(found)} {are} undecided"
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
