"""Answered cells: graded, written, marker last."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rsft import layout, provenance
from rsft.bases import resolve
from rsft.benchmarks.cards import card
from rsft.generation.settings import Device
from rsft.records import Generation, Problem, Score
from rsft.scoring.estimators import accuracy_at, estimates, raw_mean
from rsft.scoring.grade import grade_all
from rsft.scoring.judge import Judge
from rsft.scoring.judged import Pair, judge_pairs
from rsft.scoring.pool import GraderPool
from rsft.scoring.references import GraderName
from rsft.scoring.responses import response_estimates
from rsft.scoring.rubrics import rubric
from rsft.scoring.votes import votes
from rsft.spec.base import content_hash
from rsft.spec.evaluation import EvalSpec, JudgeSpec
from rsft.spec.model import ModelSpec
from rsft.storage import Storage
from rsft.sweep.earlier import keep_earlier
from rsft.wheels import cache_folder


def judge_identity(spec: JudgeSpec) -> str:
    """What a verdict hangs on: not where an endpoint is reached, but what our own engines hold and may say.

    Raises:
        ModelError: a judge of our own engines that is not to be had.
    """
    name = f"{spec.model}@{spec.version}" if spec.version else spec.model
    if spec.address is not None:
        return name
    facts = [resolve(ModelSpec(source=spec.model)).identity, spec.max_new_tokens]
    return f"{Path(name).name}#{content_hash(facts)}"


def _smaller(budget: int) -> list[int]:
    """Token budgets that a longer one tells of: a quarter and a half of it."""
    return [budget // 4, budget // 2] if budget >= 4 else []


def known_problems(storage: Storage, key: str) -> dict[str, Problem]:
    """The problems of a benchmark as they were asked, by id."""
    return {row["id"]: Problem(**row) for row in storage.read_lines(layout.problems(key))}


def answered(storage: Storage, folder: str, known: Mapping[str, Problem]) -> list[Pair]:
    """The answers of a cell, each with its problem."""
    rows = storage.read_table(layout.generations(folder)).to_pylist()
    return [(known[row["problem"]], Generation(**row)) for row in rows]


def make_judge(spec: JudgeSpec, name: str, storage: Storage) -> Judge:
    """The judge with its verdicts on one rubric so far.

    Raises:
        SpecError: no such rubric.
    """
    identity = judge_identity(spec)
    file = layout.judgements(name, identity)
    # Verdicts are added line by line, which buckets cannot; there they lie on this machine.
    local = Path(storage.path(file)) if storage.is_local else cache_folder() / file
    model, version = (spec.model, spec.version) if spec.address else (identity, "")
    return Judge(
        spec.address,
        model,
        rubric(name),
        local,
        version=version,
        parallel=spec.parallel,
        limit_s=spec.limit_s,
    )


VOTED: tuple[GraderName, ...] = ("math", "choice", "reasoning_gym")
"""Whose answers are short enough for samples to agree on one."""

CORES_PER_ANSWER = 4
"""Answers that are graded at a time take no more than every fourth core: engines need the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graders:
    """Who grades the cells of a storage."""

    storage: str
    """Its root."""
    rule: GraderName | None = None
    """Instead of each benchmark's own."""
    judge: JudgeSpec | None = None
    reward: ModelSpec | None = None
    device: Device = "cpu"
    """Of the reward model."""

    @classmethod
    def of(cls, evaluation: EvalSpec, storage: Storage, device: Device = "cpu") -> Graders:
        return cls(storage=storage.root, judge=evaluation.judge, reward=evaluation.reward, device=device)


class CellGrader:
    """Grades answered cells, off the engines; keeps its graders from cell to cell.

    A grader's fault is counted as an error and leaves the cell failed, with its answers kept.
    """

    def __init__(self, graders: Graders) -> None:
        """Starts nothing yet."""
        self._graders = graders
        self._storage = Storage(graders.storage)
        self._problems: dict[str, dict[str, Problem]] = {}
        self._pools: dict[GraderName, GraderPool] = {}
        self._judges: dict[str, Judge] = {}
        self._reward: Any = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Writes the scores of an answered cell, then its marker; returns the marker."""
        storage = self._storage
        folder = row["folder"]
        kept = ("owner", "trial_id", "step", "benchmark", "key", "problems", "samples", "error")
        marker: dict[str, Any] = {name: row[name] for name in kept}
        # How often its engine was started anew: it died, or a swap of weights could not be proven.
        marker["restarts"] = row.get("restarts", 0)
        marker["max_new_tokens"] = row.get("max_new_tokens", 0)
        marker |= {"folder": folder, "errors": 0, "answers": 0, "first_error": "", "estimates": []}
        if not row["error"]:
            pairs = answered(storage, folder, self._known(row["key"]))
            generations = [generation for _, generation in pairs]
            scores, marker["judged_by"] = self._grade(pairs, row["benchmark"])
            keep_earlier(storage, folder, scores)
            storage.write_table(
                layout.scores(folder), pa.Table.from_pylist([asdict(score) for score in scores])
            )
            errors = [score.why for score in scores if score.outcome == "error"]
            marker["answers"], marker["errors"] = len(scores), len(errors)
            marker["first_error"] = errors[0] if errors else ""
            marker["response_tokens"] = sum(generation.tokens for generation in generations)
            found = estimates(scores) + response_estimates(generations)
            found += accuracy_at(scores, _smaller(row.get("max_new_tokens", 0)))
            if (self._graders.rule or card(row["benchmark"]).grader) in VOTED:
                found += votes(scores)
            found += raw_mean(scores) if marker["judged_by"] else []
            marker["estimates"] = [asdict(estimate) for estimate in found]
            # What is stored may be more than was asked for this time, and of some problems more than of
            # others; the marker says how many samples those that are asked have, and who has as many.
            counts = Counter(score.problem for score in scores)
            there = [counts[problem] for problem in self._known(row["key"]) if problem in counts]
            marker["samples"] = least = min(there[: row["problems"]], default=0)
            marker["problems"] = next((n for n, count in enumerate(there) if count < least), len(there))
        marker |= {"graded_at": provenance.now(), "graded_with": provenance.graders()}
        storage.write_json(layout.cell_marker(folder), marker)
        return marker

    def _known(self, key: str) -> dict[str, Problem]:
        if key not in self._problems:
            self._problems[key] = known_problems(self._storage, key)
        return self._problems[key]

    def _grade(self, pairs: Sequence[Pair], benchmark: str) -> tuple[list[Score], str]:
        """The scores, and the judge or reward model that gave them."""
        grader = self._graders.rule or card(benchmark).grader
        if grader == "judge":
            spec = self._graders.judge
            assert spec is not None, "the plan refuses a judged benchmark without a judge"
            name = pairs[0][0].metadata["rubric"]
            if name not in self._judges:
                self._judges[name] = make_judge(spec, name, self._storage)
            return judge_pairs(pairs, self._judges[name]), judge_identity(spec)
        if grader == "reward":
            return self._rewarded(pairs)
        if grader not in self._pools:
            self._pools[grader] = GraderPool(grader)
        workers = max(1, (os.cpu_count() or 1) // CORES_PER_ANSWER)
        return grade_all(pairs, grader=grader, pool=self._pools[grader], workers=workers), ""

    def _rewarded(self, pairs: Sequence[Pair]) -> tuple[list[Score], str]:
        from rsft.generation.reward import RewardModel

        spec = self._graders.reward
        assert spec is not None, "the plan refuses such a benchmark without a reward model"
        if self._reward is None:
            self._reward = RewardModel(resolve(spec).source, spec.revision, self._graders.device)
        return self._reward.score(pairs), resolve(spec).identity

    def close(self) -> None:
        """Ends the grading processes."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
