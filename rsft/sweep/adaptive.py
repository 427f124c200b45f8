"""Adaptive evaluation of a sweep: rounds of answers, each chosen by what the ones before left undecided.

`rsft.analysis.adaptive` says which answers and why. Here they are asked, and written down before they are, in
`layout.ADAPTIVE`: a run that is killed asks the rest of its round and goes on as it would have. Cells keep
their identity, so a run of the page without a budget asks what is left of the fixed plan and nothing twice.
A round is a batch of its own, and a batch decides the last bit of a logit: on a real engine an answer may
differ from the one that the fixed plan would have sampled, as when a page's `samples` are raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsft import layout
from rsft.analysis import adaptive
from rsft.analysis.adaptive import Aim
from rsft.analysis.claims import Answer
from rsft.analysis.table import cells_table
from rsft.analysis.trajectory import Trajectory
from rsft.spec.claim import SHAPES, Claim
from rsft.sweep.budget import (
    Samples,
    answers_in,
    compared,
    names_of,
    offer,
    places_of,
    promised,
    read_record,
    reserved,
    tracks_of,
)
from rsft.sweep.conclusions import CHANCE, Key, answers, curves_of, of_curves, together
from rsft.sweep.evaluate import scored_cells
from rsft.sweep.means import read_means
from rsft.sweep.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the storage says at one moment, and what is still to be decided."""

    claims: Sequence[Answer]
    verdicts: Mapping[Key, Trajectory]
    """Corrected for their number."""
    aims: Sequence[Aim]


def evaluate_adaptively(
    plan: Plan, budget: str, ask: Callable[[Plan], None], say: Callable[[str], None]
) -> None:
    """Asks round after round until all is decided or the budget is spent, and says what that saved.

    Trials that have no checkpoint are left out; their part of the first round stays reserved. A cell that
    fails is asked again by the next run. A smaller budget than the last one only finishes what was begun.

    Args:
        plan: of the whole sweep, its trials trained.
        budget: see `offer`.
        ask: fills the open cells of a plan.
        say: takes a line for the user.

    Raises:
        SpecError: see `offer`.
    """
    offered, record = offer(plan, budget), read_record(plan)

    def promise(wanted: Samples) -> None:
        plan.storage.write_json(layout.ADAPTIVE, record)
        if wanted:
            ask(plan.asking(wanted))

    promise(promised(record))
    places = places_of(plan, record)
    first = adaptive.first_round(list(tracks_of(plan).values()), places)
    ready = {cell: samples for cell, samples in first.items() if places[cell].ready}
    if ready:
        say(f"first round: {adaptive.cost(ready, places):,} answers in {len(ready):,} cells")
        record["first"] |= ready
        promise(ready)
    stages: list[dict[str, Any]] = record["stages"]
    if not stages or _worth(plan, record, offered.budget):
        stages.append({"budget": offered.budget, "start": reserved(plan, record), "rounds": []})
    raised, stage = len(stages) - 1, stages[-1]
    going_on = offered.budget >= stage["budget"]
    while True:
        rounds: list[Samples] = stage["rounds"]
        looked = look(plan, adaptive.chance(raised, last=len(rounds) == adaptive.ROUNDS))
        wanted: Samples = {}
        while going_on and looked.aims and not wanted and len(rounds) < adaptive.ROUNDS:
            places = places_of(plan, record)
            most = adaptive.cap(stage["start"], stage["budget"], len(rounds) + 1)
            wanted = adaptive.next_round(looked.aims, places, most - reserved(plan, record))
            rounds.append(wanted)
        if not wanted:
            break
        say(
            f"round {len(rounds)} of {adaptive.ROUNDS}: {len(looked.aims):,} undecided, asking "
            f"{adaptive.cost(wanted, places):,} answers in {len(wanted):,} cells"
        )
        promise(wanted)
    last = look(plan, chance_of(plan, record))
    found = summary(plan, last.claims, last.verdicts)
    plan.storage.write_json(layout.ADAPTIVE, record | {"summary": found})
    say(sentence(found) if found else "adaptive evaluation: the fixed plan is complete")


def _worth(plan: Plan, record: dict[str, Any], budget: int) -> bool:
    """Whether a larger budget than the last asks anything more; else it is no further chance either."""
    if budget <= record["stages"][-1]["budget"]:
        return False
    aims = look(plan, chance_of(plan, record)).aims
    return bool(adaptive.next_round(aims, places_of(plan, record), budget - reserved(plan, record)))


def look(plan: Plan, chance: float) -> Look:
    """What is decided when even one false verdict, or one false answer to a claim, has this chance.

    The page's claims come first, then the verdicts of all curves. A claim that lacks cells, since a trial has
    failed, is not to be decided by asking the others more.
    """
    plan = plan.at_once(results=True)
    means = read_means(plan)
    curves = curves_of(plan, means)
    alone = of_curves(curves)
    verdicts = together(alone, chance)
    table = cells_table(scored_cells(plan)) if plan.sweep.claims else None
    claims = answers(plan, table, alone, means, chance) if table is not None else []
    tracks = tracks_of(plan, curves)
    aims: dict[str, Aim] = {}

    def curve_aim(key: Key, rank: int, family: int) -> None:
        track = tracks[key]
        if track.curve is not None:
            name = " ".join(key)
            times = adaptive.times_of(alone[key], chance, family)
            aims.setdefault(name, Aim(name=name, rank=rank, times=times, track=track))

    for answer in claims:
        if answer.state != "undecided":
            continue
        if not answer.claim.shape:
            if answer.effect is not None:
                name = f"claim {answer.claim.name}"
                aims[name] = Aim(
                    name=name,
                    rank=0,
                    times=max(1.0, answer.times),
                    cells=tuple(cell.folder for cell in compared(plan, answer.claim)),
                )
            continue
        keys = _shape_keys(plan, answer.claim)
        if all(key in alone for key in keys):
            unsure = [key for key in keys if alone[key].verdict == "undecided"]
            for key in unsure or keys:
                curve_aim(key, 0, len(claims))
    for key in tracks:
        if key in verdicts and verdicts[key].verdict not in SHAPES:
            curve_aim(key, 1, len(verdicts))
    return Look(claims=claims, verdicts=verdicts, aims=tuple(aims.values()))


def _shape_keys(plan: Plan, claim: Claim) -> list[Key]:
    chosen = [trial for trial in plan.trials if claim.trials.matches(trial)]
    return [(trial.id, name) for trial in chosen for name in names_of(plan, claim)]


def chance_of(plan: Plan, record: Mapping[str, Any] | None = None) -> float:
    """Of even one false verdict in a report of this storage: smaller where looks at parts of the plan chose
    what was asked, and the whole share again where the fixed plan is complete."""
    record = read_record(plan) if record is None else record
    if not record["stages"] or _complete(plan):
        return CHANCE
    return adaptive.chance(len(record["stages"]) - 1, last=True)


def _complete(plan: Plan) -> bool:
    plan = plan.at_once()
    return all(plan.cell_state(cell) == "done" for trial in plan.trials for cell in plan.cells(trial))


def summary(
    plan: Plan, claims: Sequence[Answer], verdicts: Mapping[Key, Trajectory]
) -> dict[str, Any] | None:
    """What adaptive evaluation asked, left out and decided; None where there was none, or where the fixed
    plan has been completed since."""
    record = read_record(plan)
    if not record["stages"] or _complete(plan):
        return None
    places = places_of(plan, {"first": {}, "stages": []})
    fixed = sum(place.full * place.problems for place in places.values())
    asked = answers_in(places)
    tracks = tracks_of(plan)
    # As in the table of results and in `status`: a base's cells count for each of its trials.
    cells = [places[cell] for track in tracks.values() for cell in track.cells]
    left = {
        f"{trial} {name}": steps
        for (trial, name), track in tracks.items()
        if (steps := [s for s, c in zip(track.steps, track.cells, strict=True) if not places[c].samples])
    }
    decided = [key for key, found in verdicts.items() if found.verdict in SHAPES]
    return {
        "answers": asked,
        "budget": record["stages"][-1]["budget"],
        "fixed": fixed,
        "saved": 1 - asked / fixed,
        "rounds": 1 + sum(bool(wanted) for stage in record["stages"] for wanted in stage["rounds"]),
        "chance": chance_of(plan, record),
        "cells": len(cells),
        "cells_in_full": sum(place.samples == place.full for place in cells),
        "cells_with_fewer_samples": sum(0 < place.samples < place.full for place in cells),
        "cells_left_out": sum(not place.samples for place in cells),
        "claims_decided": [one.claim.name for one in claims if one.state != "undecided"],
        "claims_undecided": [one.claim.name for one in claims if one.state == "undecided"],
        "curves": len(plan.trials) * len(plan.questions),
        "curves_decided": len(decided),
        "steps_left_out": left,
    }


def sentence(found: Mapping[str, Any]) -> str:
    """A summary in a line; the report's page opens with the same figures."""
    said = (
        f"adaptive evaluation: {found['answers']:,} of the fixed plan's {found['fixed']:,} answers "
        f"({found['saved']:.0%} saved; budget {found['budget']:,}) in {found['rounds']} rounds; of "
        f"{found['cells']:,} cells {found['cells_in_full']:,} in full, "
        f"{found['cells_with_fewer_samples']:,} with fewer samples, {found['cells_left_out']:,} left out; "
    )
    claims = len(found["claims_decided"]) + len(found["claims_undecided"])
    if claims:
        said += f"{len(found['claims_decided'])} of {claims} claims and "
    return said + f"{found['curves_decided']:,} of {found['curves']:,} curves decided"
