"""Claims on tidy tables made by hand: python -m pytest tests/test_claims.py"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

from rsft.analysis.claims import Answer, answer_claims, judge, value_key
from rsft.analysis.crossed import Error
from rsft.analysis.means import ProblemMeans
from rsft.analysis.trajectory import Curve, Trajectory, trajectory
from rsft.errors import SpecError
from rsft.spec import (
    Cell,
    Claim,
    DataSpec,
    EvalSpec,
    FileRows,
    ModelSpec,
    Pick,
    SweepSpec,
    TrainSpec,
    Trial,
)

ROWS = FileRows(path="rows.jsonl")


def sweep(*claims: Claim, **more: Any) -> SweepSpec:
    spec: dict[str, Any] = {
        "name": "claims",
        "models": (ModelSpec(source="o/small"), ModelSpec(source="o/large")),
        "data": (DataSpec(name="cot", source=ROWS, rows=512), DataSpec(name="nocot", source=ROWS, rows=256)),
        "lengths_steps": (80,),
        "train": TrainSpec(workers=1, batch_sequences=8),
        "evaluation": EvalSpec(benchmarks=("gsm8k", "gcd"), checkpoint_steps=(20, 80)),
        "claims": claims,
    }
    return SweepSpec(**(spec | more))


TRIALS = tuple(sweep().trials(lambda model: model.source))
COT = Pick(model="small", data="cot")
NOCOT = Pick(model="small", data="nocot")


def claim(**more: Any) -> Claim:
    facts = {"name": "c", "says": "It is so.", "trials": COT, "benchmarks": ("gsm8k",), "expects": "higher"}
    return Claim(**(facts | more))


def trial(pick: Pick) -> Trial:
    (found,) = [one for one in TRIALS if pick.matches(one)]
    return found


def cell(pick: Pick, step: int, benchmark: str, value: float, stderr: float = 0.01) -> dict[str, Any]:
    return {
        "trial": trial(pick).id,
        "step": step,
        "benchmark": benchmark,
        "dimension": "in-domain" if benchmark == "gsm8k" else "out-of-domain",
        "metric": "accuracy",
        "value": value,
        "stderr": stderr,
        "problems": 100,
        "samples": 300,
    }


TABLE = [
    cell(COT, 0, "gsm8k", 0.50),
    cell(COT, 20, "gsm8k", 0.40),
    cell(COT, 80, "gsm8k", 0.62),
    cell(COT, 0, "gcd", 0.30),
    cell(COT, 80, "gcd", 0.30),
    cell(NOCOT, 0, "gsm8k", 0.50),
    cell(NOCOT, 80, "gsm8k", 0.55),
]


def answer(one: Claim, table: list[dict[str, Any]] | None = None, **curves: Trajectory) -> Answer:
    found = {(trial(COT).id, name): curve for name, curve in curves.items()}
    return answer_claims([one], TRIALS, TABLE if table is None else table, found)[0]


def test_a_gain_over_the_base_by_hand() -> None:
    found = answer(claim())
    assert found.state == "supported" and found.effect is not None
    half = 1.959964 * math.hypot(0.01, 0.01)
    assert found.effect.value == pytest.approx(0.12)
    assert (found.effect.low, found.effect.high) == pytest.approx((0.12 - half, 0.12 + half))
    assert (found.trials, found.problems, found.answers, found.why) == (1, 100, 600, "")


def test_the_other_way_is_contradicted() -> None:
    assert answer(claim(expects="lower")).state == "contradicted"
    assert answer(claim(step=20)).state == "contradicted"
    assert answer(claim(step=20, expects="lower")).state == "supported"


def test_by_asks_for_more_than_a_difference() -> None:
    assert answer(claim(by=0.05)).state == "supported"
    assert answer(claim(by=0.11)).state == "undecided"
    assert answer(claim(by=0.2)).state == "contradicted"


def test_the_same_needs_an_interval_inside_the_limits() -> None:
    near = [cell(COT, 0, "gsm8k", 0.50, 0.005), cell(COT, 80, "gsm8k", 0.505, 0.005)]
    same = claim(expects="same", by=0.03)
    assert answer(same, near).state == "supported"
    wide = [replace_in(row, stderr=0.02) for row in near]
    assert answer(same, wide).state == "undecided"
    assert answer(same).state == "contradicted"


def replace_in(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    return row | more


def test_undecided_says_what_would_decide() -> None:
    table = [cell(COT, 0, "gsm8k", 0.50, 0.02), cell(COT, 80, "gsm8k", 0.54, 0.02)]
    found = answer(claim(), table)
    # ((1.960 + 0.8416) x 0.02828 / 0.04)^2 = 3.92 times 100 problems.
    assert found.state == "undecided" and re.match("needs about 29[2-4] more problems of", found.why)
    flat = [cell(COT, 0, "gsm8k", 0.50), cell(COT, 80, "gsm8k", 0.50)]
    assert answer(claim(), flat).why == "no number of problems would tell"


def test_two_trials_are_compared_at_their_last_steps() -> None:
    found = answer(claim(against=NOCOT))
    assert found.effect is not None and found.effect.value == pytest.approx(0.07)
    assert (found.state, found.trials) == ("supported", 2)


def test_in_a_difference_of_gains_a_shared_base_cancels() -> None:
    found, scores = answer(claim(against=NOCOT, measure="gain")), answer(claim(against=NOCOT))
    assert found.effect == scores.effect
    assert (found.answers, scores.answers) == (600, 600), "cells that cancel are no evidence"
    # Another base does not cancel: four cells, two on either side, those of a side added up.
    large = Pick(model="large", data="cot")
    table = [*TABLE, cell(large, 0, "gsm8k", 0.6), cell(large, 80, "gsm8k", 0.9)]
    found = answer(claim(trials=large, against=COT, measure="gain"), table)
    assert found.effect is not None
    assert found.effect.value == pytest.approx(0.3 - 0.12)
    assert found.effect.high - found.effect.value == pytest.approx(1.959964 * math.hypot(0.02, 0.02))


def test_benchmarks_count_alike_and_are_independent() -> None:
    found = answer(claim(benchmarks=("gsm8k", "gcd")))
    assert found.effect is not None
    assert found.effect.value == pytest.approx((0.12 + 0.0) / 2)
    one = math.hypot(0.01, 0.01)
    assert found.effect.high - found.effect.value == pytest.approx(1.959964 * math.hypot(one, one) / 2)
    assert set(found.parts) == {"gsm8k", "gcd"} and found.problems == 200


def test_a_dimension_is_all_its_benchmarks() -> None:
    found = answer(claim(benchmarks=(), dimension="out-of-domain"))
    assert set(found.parts) == {"gcd"} and found.state == "undecided"
    assert "no benchmark" in answer(claim(benchmarks=(), dimension="safety")).why


def test_no_effect_goes_beyond_what_is_possible() -> None:
    table = [cell(COT, 0, "gsm8k", 0.9, 0.2), cell(COT, 80, "gsm8k", 0.1, 0.2)]
    found = answer(claim(expects="lower"), table)
    assert found.effect is not None and found.effect.low == -1.0 == found.parts["gsm8k"].low  # type: ignore[union-attr]
    tokens = [row | {"metric": "response_tokens", "value": 900 * row["value"]} for row in table]
    longer = answer(claim(expects="lower", metric="response_tokens"), tokens)
    assert longer.effect is not None and longer.effect.value == pytest.approx(-720)


def test_weights_that_trials_share_are_one_seed() -> None:
    """On a trunk the steps of a short trial are those of the long one, seed by seed."""
    page = sweep(
        lengths_steps=(80, 160),
        seeds=(0, 1),
        train=TrainSpec(workers=1, batch_sequences=8, schedule="constant", warmup_steps=4),
    )
    trials = [t for t in page.trials(lambda model: model.source) if COT.matches(t)]
    assert len(trials) == 4 and len({t.owner(80) for t in trials}) == 2
    one = claim(trials=COT, step=80)
    random = np.random.default_rng(0)
    base, trained = random.binomial(4, 0.4, 300) / 4, [random.binomial(4, 0.6, 300) / 4 for _ in range(2)]
    scores = {(t.id, step): trained[t.seed] if step else base for t in trials for step in (0, 80)}
    found, alone = read(one, trials, scores), read(one, [t for t in trials if t.steps == 160], scores)
    assert found.seeds == alone.seeds == 2 and found.effect == alone.effect


def test_a_share_that_never_varied_is_not_sure() -> None:
    none = {"metric": "truncated", "value": 0.0, "stderr": 0.0, "ci_low": 0.0, "ci_high": 0.4}
    table = [cell(COT, step, "gsm8k", 0.0) | none for step in (0, 80)]
    found = answer(claim(metric="truncated", expects="same", by=0.1), table)
    assert found.state == "undecided" and found.effect is not None
    assert found.effect.high == pytest.approx(0.2 * math.sqrt(2), rel=1e-3)


def test_missing_cells_leave_a_claim_undecided() -> None:
    found = answer(claim(against=Pick(model="large", data="cot")))
    assert (found.state, found.effect, found.why) == ("undecided", None, "1 cell is not evaluated yet")
    nothing = answer(claim(), [cell(COT, 0, "gsm8k", 0.5), cell(COT, 80, "gsm8k", math.nan)])
    assert nothing.state == "undecided"
    single = [cell(COT, 0, "gsm8k", 0.5, math.nan), cell(COT, 80, "gsm8k", 0.6, math.nan)]
    assert "one problem" in answer(claim(), single).why


def means(scores: np.ndarray, tokens: float = 100.0) -> ProblemMeans:
    """Of problems with these scores."""
    ids = np.array([f"{i:04d}" for i in range(len(scores))], dtype=object)
    return ProblemMeans(ids, scores.astype(float), np.full(len(ids), tokens), np.full(len(ids), 4))


def read(one: Claim, trials: Sequence[Trial], scores: dict[tuple[str, int], np.ndarray]) -> Answer:
    """A claim's answer where the answers to each problem are known."""
    known = {
        (*value_key(t, step, "", "")[:2], "gsm8k"): means(scores[t.id, step])
        for t in trials
        for step in (0, 80)
    }
    rows = [
        cell(COT, step, "gsm8k", float(scores[t.id, step].mean()), 0.05)
        | {"trial": t.id, "metric": metric}
        | ({"value": 100.0} if metric == "response_tokens" else {})
        for t in trials
        for step in (0, 80)
        for metric in ("accuracy", "response_tokens")
    ]
    return answer_claims([one], trials, rows, {}, known)[0]


def test_scores_are_compared_problem_by_problem() -> None:
    """One problem in ten is won, none lost: far beyond chance, though problems differ by all there is."""
    random = np.random.default_rng(0)
    before = random.permutation(np.repeat([0.0, 1.0], 100))
    after = before.copy()
    after[np.flatnonzero(before == 0)[:20]] = 1.0
    one = trial(COT)
    found = read(claim(), [one], {(one.id, 0): before, (one.id, 80): after})
    assert found.state == "supported" and found.effect is not None and found.seeds == 1
    known = bootstrap((after - before,), np.mean, n_resamples=10_000, rng=random).confidence_interval
    assert (found.effect.low, found.effect.high) == pytest.approx((known.low, known.high), abs=0.012)
    lengths = read(
        claim(metric="response_tokens", expects="same", by=5),
        [one],
        {(one.id, 0): before, (one.id, 80): after},
    )
    assert lengths.state == "supported" and lengths.effect is not None
    assert lengths.effect.low < 0 < lengths.effect.high, "the same on every problem is still no proof"


def test_samples_would_do_where_answers_differ_by_luck_alone() -> None:
    random, one = np.random.default_rng(0), trial(COT)
    scores = {(one.id, step): random.binomial(4, share, 200) / 4 for step, share in ((0, 0.5), (80, 0.53))}
    found = read(claim(), [one], scores)
    assert found.state == "undecided" and "more problems of the same kind, or " in found.why
    assert found.why.endswith(" more samples of each")


def test_seeds_that_differ_widen_a_claims_interval_and_say_what_is_needed() -> None:
    random = np.random.default_rng(1)
    trials = [t for t in sweep(seeds=(0, 1, 2)).trials(lambda model: model.source) if COT.matches(t)]
    base = random.permutation(np.repeat([0.0, 1.0], 1_000))
    gains = (0.02, 0.30, 0.10)
    scores = {(t.id, 0): base for t in trials}
    for t, gain in zip(trials, gains, strict=True):
        scores[t.id, 80] = np.where(random.random(2_000) < 2 * gain, 1.0, base)
    one, alone = read(claim(), trials, scores), read(claim(), trials[1:2], scores)
    assert (one.seeds, alone.seeds) == (3, 1) and alone.state == "supported"
    assert one.state == "undecided" and "more seeds of each setting" in one.why
    assert one.effect is not None and one.effect.high - one.effect.low > 0.3


def test_a_family_of_claims_is_corrected_for_its_number() -> None:
    table = [cell(COT, 0, "gsm8k", 0.50), cell(COT, 80, "gsm8k", 0.535), *TABLE[3:5]]
    weak = claim()
    assert answer(weak, table).state == "supported"  # p 0.013
    family = [weak, *(claim(name=f"n{i}", benchmarks=("gcd",)) for i in range(5))]
    found = answer_claims(family, TRIALS, table, {})
    assert found[0].state == "undecided" and "correction for 6 claims" in found[0].why
    assert found[0].effect is not None and found[0].p == 1.0
    assert answer_claims(family, TRIALS, TABLE, {})[0].p == pytest.approx(6 * answer(weak).p, rel=0.1)


def curve(*means: float) -> Trajectory:
    rows = np.stack([np.random.default_rng(i).permutation(1_000) < 1_000 * m for i, m in enumerate(means)])
    return trajectory(Curve(steps=(0, 20, 80), scores=rows.astype(float)), draws=400)


def test_a_shape_is_what_the_trajectory_says() -> None:
    shape = claim(expects="dip and recovery")
    dips, rises = curve(0.5, 0.35, 0.6), curve(0.5, 0.55, 0.75)
    found = answer(shape, gsm8k=dips)
    assert (found.state, found.effect, found.answers) == ("supported", dips.dip, 3_000)
    assert answer(shape, gsm8k=rises).state == "contradicted"
    both = claim(expects="dip and recovery", benchmarks=("gsm8k", "gcd"))
    assert answer(both, gsm8k=dips, gcd=dips).state == "supported"
    assert answer(both, gsm8k=dips, gcd=rises).state == "contradicted"
    open_one = replace(dips, verdict="undecided", p=1.0)
    found = answer(both, gsm8k=dips, gcd=open_one)
    assert found.state == "undecided" and found.why == "1 of 2 curves are undecided"
    assert list(found.parts.values()) == ["dip and recovery", "undecided"]
    assert answer(both, gsm8k=dips).why == "1 curve is not evaluated yet"


def test_a_claim_about_the_end_of_a_curve_that_still_moves_says_so() -> None:
    still, moves = (replace(curve(0.5, 0.35, 0.6), converged=each) for each in (True, False))
    assert answer(claim(), gsm8k=moves).moving == 1
    assert answer(claim(), gsm8k=still, gcd=moves).moving == 0, "another benchmark is no matter of it"
    assert answer(claim(step=20), gsm8k=moves).moving == 0, "an earlier step is what it is"
    assert answer(claim(step=80), gsm8k=moves).moving == 1
    assert answer(claim(trials=NOCOT, against=COT), gsm8k=moves).moving == 1, "the other side counts too"
    assert answer(claim(expects="dip and recovery"), gsm8k=moves).moving == 1


@pytest.mark.parametrize(("value", "error"), [(0.1, 0.0), (0.1, 0.01)])
def test_judge_without_and_with_an_error(value: float, error: float) -> None:
    known = Error.normal(error)
    assert judge(claim(), value, known)[0] == "supported"
    assert judge(claim(expects="lower"), value, known)[0] == "contradicted"
    assert judge(claim(by=0.1), value, known)[0] == "undecided"


def test_claims_are_no_part_of_a_trials_identity() -> None:
    ids = [one.id for one in TRIALS]
    assert [t.id for t in sweep(claim()).trials(lambda model: model.source)] == ids


def test_claims_survive_storage() -> None:
    page = sweep(claim(), claim(name="d", against=NOCOT, measure="gain"))
    assert SweepSpec(**page.model_dump(mode="json")) == page


def test_a_pick_knows_lengths_and_recipes() -> None:
    cells = (
        Cell(model="small", data="cot", epochs=2),
        Cell(model="small", data="cot", epochs=1, train={"learning_rate": 1e-4}),
    )
    page = sweep(cells=cells)
    trials = list(page.trials(lambda model: model.source))

    def matched(**axes: Any) -> int:
        return sum(Pick(**axes).matches(one) for one in trials)

    assert matched() == 6
    assert matched(epochs=2) == 1 and matched(steps=128) == 1 and matched(steps=80) == 4
    assert matched(train={"learning_rate": 1e-4}) == 1
    assert matched(seed=1) == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"benchmarks": ()}, "benchmarks or a dimension"),
        ({"dimension": "safety"}, "just one of them"),
        ({"expects": "same"}, "no measurement can show"),
        ({"expects": "decline", "by": 0.1}, "shape 'decline'"),
        ({"expects": "decline", "step": 20}, "whole curves"),
        ({"measure": "gain"}, "a gain already"),
        ({"metric": "acuracy"}, "'acuracy', which no table"),
        ({"against_step": 20}, "a gain already"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        claim(**change)


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ([claim(), claim()], "'c' twice"),
        ([claim(benchmarks=("aime",))], r"'aime', which this sweep does not ask.*gsm8k, gcd"),
        ([claim(trials=Pick(data="r1"))], r"trials matches no trial \(data='r1'\)"),
        ([claim(against=Pick(epochs=3))], r"against matches no trial \(epochs=3\)"),
        ([claim(step=40)], r"step 40, at which .* not evaluated; choose one of: 20, 80"),
    ],
)
def test_a_claim_that_the_sweep_cannot_answer_is_refused(claims: list[Claim], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        sweep(*claims)
