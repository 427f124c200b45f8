"""What a budget of adaptive evaluation buys: cells as places for answers, and the record of what was asked.

Reads, starts nothing, and needs no engine, so that `rsft plan` can say it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rsft import checkpoints, layout
from rsft.analysis import adaptive
from rsft.analysis.adaptive import Place, Track
from rsft.analysis.claims import benchmarks_of, value_key, weights_of
from rsft.analysis.trajectory import Curve
from rsft.errors import SpecError
from rsft.spec.base import content_hash
from rsft.spec.claim import Claim, Pick
from rsft.sweep.plan import Cell, Plan

Key = tuple[str, str]
"""Trial id and benchmark."""
Samples = dict[str, int]
"""By folder of a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a budget is, in answers, beside what there is and what the fixed plan takes."""

    fixed: int
    """Answers of the fixed plan: a base's and a trunk's once."""
    there: int
    """Of these in the storage, or promised by a round that was begun; they count."""
    budget: int
    first: int
    """What the first round still asks."""
    first_cells: int


def offer(plan: Plan, budget: str) -> Offer:
    """What a budget comes to; starts nothing.

    Args:
        plan: of the whole sweep.
        budget: answers that there may be in the end, as `20000`, or their share of the fixed plan, as `40%`.

    Raises:
        SpecError: no such number, more than the fixed plan, too few for the first round or for one that was
            begun; or a plan of some trials alone.
    """
    every = plan.sweep.trials(lambda model: plan.bases[model.label].identity)
    if len(plan.trials) < sum(1 for _ in every):
        raise SpecError("--adaptive weighs all trials of a sweep against each other; leave --only out.")
    plan = plan.at_once()
    record = read_record(plan)
    places = places_of(plan, record, trained=True)
    fixed = sum(place.full * place.problems for place in places.values())
    first = adaptive.first_round(list(tracks_of(plan).values()), places)
    there, price = answers_in(places), adaptive.cost(first, places)
    written = answers_in(places_of(plan, {"first": {}, "stages": []}))
    found = Offer(
        fixed=fixed, there=there, budget=_number(budget, fixed), first=price, first_cells=len(first)
    )
    if first and found.budget < there + price:
        have = f"the {there:,} answers that are there and " if there else ""
        share = math.ceil(1000 * (there + price) / fixed) / 10
        raise SpecError(
            f"--adaptive {budget} is {found.budget:,} answers, and {have}the first round's {price:,} are "
            f"more; give {there + price} or more ({share:g}% of the fixed plan's {fixed:,})."
        )
    if found.budget < there and written < there:
        raise SpecError(
            f"--adaptive {budget} is {found.budget:,} answers, and a round that was begun with a larger "
            f"budget comes to {there:,}; give {there} or more, which finishes it."
        )
    return found


def _number(text: str, fixed: int) -> int:
    given = re.fullmatch(r"(\d+|\d*\.\d+|\d+\.\d*)(%?)", text.strip().replace(",", "").replace("_", ""))
    if given is None or (not given[2] and not given[1].isdigit()):
        raise SpecError(
            f"--adaptive {text!r} is no budget; give a number of answers such as 20000, or a share of the "
            f"fixed plan's {fixed:,} such as 40%."
        )
    number = int(float(given[1]) / 100 * fixed) if given[2] else int(given[1])
    if not 0 < number <= fixed:
        raise SpecError(
            f"--adaptive {text} is {number:,} answers; give 1 to {fixed:,}, which is the whole fixed plan."
        )
    return number


def names_of(plan: Plan, claim: Claim) -> tuple[str, ...]:
    return benchmarks_of(claim, {asked.card.name: asked.card.dimension for asked in plan.questions})


def compared(plan: Plan, claim: Claim) -> list[Cell]:
    """The cells that a difference is made of, each once."""
    wanted = {of for name in names_of(plan, claim) for of in weights_of(claim, name, plan.trials)}
    sides = [claim.trials, *([claim.against] if isinstance(claim.against, Pick) else [])]
    found = {
        cell.folder: cell
        for trial in plan.trials
        if any(side.matches(trial) for side in sides)
        for cell in plan.cells(trial)
        if value_key(trial, cell.step, cell.question.card.name, claim.metric) in wanted
    }
    return list(found.values())


def tracks_of(plan: Plan, curves: Mapping[Key, Curve] | None = None) -> dict[Key, Track]:
    """Every trial on every benchmark."""
    named = {cell.folder for claim in plan.sweep.claims if not claim.shape for cell in compared(plan, claim)}
    found: dict[Key, Track] = {}
    for trial in plan.trials:
        by_name: dict[str, list[Cell]] = {}
        for cell in plan.cells(trial):
            by_name.setdefault(cell.question.card.name, []).append(cell)
        for name, cells in by_name.items():
            found[trial.id, name] = Track(
                steps=tuple(cell.step for cell in cells),
                cells=tuple(cell.folder for cell in cells),
                named=frozenset(cell.step for cell in cells if cell.folder in named),
                curve=(curves or {}).get((trial.id, name)),
            )
    return found


def read_record(plan: Plan) -> dict[str, Any]:
    """The record of this plan's rounds; another plan's counts no more, though its answers do."""
    cells = {cell.folder: cell.question for trial in plan.trials for cell in plan.cells(trial)}
    mark = content_hash(sorted((folder, q.problems, q.samples) for folder, q in cells.items()), 16)
    known = plan.storage.read_json_or_none(layout.ADAPTIVE)
    if known is not None and known["plan"] == mark:
        return {name: known[name] for name in ("plan", "first", "stages")}
    return {"plan": mark, "first": {}, "stages": []}


def promised(record: Mapping[str, Any]) -> Samples:
    """The most samples of each cell that any round asked."""
    found: Samples = dict(record["first"])
    for stage in record["stages"]:
        for wanted in stage["rounds"]:
            found |= {cell: max(samples, found.get(cell, 0)) for cell, samples in wanted.items()}
    return found


def places_of(plan: Plan, record: Mapping[str, Any], *, trained: bool = False) -> dict[str, Place]:
    """Every cell with the samples that it has or was promised; `trained`: as if all trials were."""
    asked_before, found = promised(record), dict[str, Place]()
    plan = plan.at_once()
    for trial in plan.trials:
        for cell in plan.cells(trial):
            if cell.folder in found:
                continue
            asked = cell.question
            marker = plan.storage.read_json_or_none(layout.cell_marker(cell.folder))
            there = marker["samples"] if marker is not None and asked.scored_by(marker) else 0
            found[cell.folder] = Place(
                cell=cell.folder,
                problems=asked.problems,
                full=asked.samples,
                samples=min(asked.samples, max(there, asked_before.get(cell.folder, 0))),
                ready=trained or cell.step == 0 or checkpoints.landed(plan.storage, trial, cell.step),
            )
    return found


def answers_in(places: Mapping[str, Place]) -> int:
    return sum(place.samples * place.problems for place in places.values())


def reserved(plan: Plan, record: Mapping[str, Any]) -> int:
    """Answers that there are, that were promised, and that the first round of unready trials will take."""
    places = places_of(plan, record)
    return answers_in(places) + adaptive.cost(
        adaptive.first_round(list(tracks_of(plan).values()), places), places
    )
