"""Trajectories against known truth: python -m pytest tests/test_trajectory.py

The whole simulation, with its tables, is bench/trajectories.py.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from rsft.analysis.bootstrap import Bootstrap, Interval, holm
from rsft.analysis.means import COLUMNS, ProblemMeans
from rsft.analysis.power import Condition, Power, problems_needed
from rsft.analysis.trajectory import (
    Curve,
    Trajectory,
    controlled,
    curve_of,
    trajectory,
)
from rsft.analysis.verdicts import verdict_conditions
from rsft.errors import DataError
from rsft.records import Outcome, Score


def _bench() -> ModuleType:
    path = Path(__file__).resolve().parent.parent / "bench" / "trajectories.py"
    spec = importlib.util.spec_from_file_location("bench_trajectories", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


worlds = _bench()
DRAWS = 500
STEPS = (0, 10, 20, 40)


def exact(*means: float, problems: int = 1000, samples: int = 1, **more: object) -> Curve:
    """Scores whose means are exactly these: in every row other problems are right, at a fixed stride."""
    rows = np.zeros((len(means), problems))
    for i, mean in enumerate(means):
        order = np.random.default_rng(i).permutation(problems)
        rows[i, order[: round(mean * problems)]] = 1.0
    return Curve(steps=STEPS[: len(means)], scores=rows, samples=samples, **more)  # type: ignore[arg-type]


def study(name: str, problems: int, samples: int, seed: int) -> Trajectory:
    random = np.random.default_rng(seed)
    curve = worlds.World(worlds.SHAPES[name]).curve(problems, samples, random)
    return trajectory(curve, draws=DRAWS, seed=seed)


def test_every_shape_of_the_simulation_is_what_it_is_called() -> None:
    for name, shape in worlds.SHAPES.items():
        true = [v for v in verdict_conditions(9) if worlds.is_true(v, np.array(shape))]
        assert true[0] == name


def test_conditions_state_what_verdicts_say_of_any_shape() -> None:
    random, seen = np.random.default_rng(12), set()
    for _ in range(2_000):
        shape = (
            np.array(worlds.random_shape(random)) if random.random() < 0.8 else random.uniform(0.4, 0.5, 9)
        )
        for verdict, conditions in verdict_conditions(9).items():
            holds = all(condition.holds(shape) for condition in conditions)
            assert holds == worlds.is_true(verdict, shape), (verdict, shape)
            seen |= {verdict} if holds else set()
    assert seen == set(verdict_conditions(9))


@pytest.mark.parametrize("name", [name for name in worlds.SHAPES if name != "no change"])
def test_enough_samples_give_the_true_verdict(name: str) -> None:
    found = [study(name, 1_500, 4, seed).verdict for seed in range(4)]
    assert found == [name] * 4


def test_no_change_is_said_when_there_is_none_and_enough_problems_to_know() -> None:
    assert study("no change", 6_000, 4, 1).verdict == "no change"


def test_verdicts_on_random_shapes_are_true_whenever_they_are_given() -> None:
    random, right, given = np.random.default_rng(11), 0, 0
    for _ in range(120):
        shape = worlds.random_shape(random)
        curve = worlds.World(shape).curve(400, 2, random)
        found = trajectory(curve, draws=DRAWS)
        if found.verdict != "undecided":
            given += 1
            right += worlds.is_true(found.verdict, np.array(shape))
    assert given > 40
    assert right >= 0.95 * given


@pytest.mark.slow
def test_few_samples_are_undecided_instead_of_wrong() -> None:
    names = [name for name in worlds.SHAPES for _ in range(5)]
    found = [study(name, 25, 1, 100 + i) for i, name in enumerate(names)]
    assert sum(one.verdict == "undecided" for one in found) >= 0.95 * len(found)


@pytest.mark.slow
def test_false_dips_stay_rare_where_nothing_changes() -> None:
    found = [study("no change", 150, 1, 200 + i) for i in range(240)]
    # 2.5 % of 240 is 6; 15 or more would be four standard errors away.
    assert sum(one.dip.low > 0 for one in found) < 15
    families = [found[i : i + 20] for i in range(0, 240, 20)]
    wrong = [any("dip" in one.verdict for one in controlled(family)) for family in families]
    assert sum(wrong) <= 1


@pytest.mark.slow
def test_intervals_of_the_largest_difference_hold_it_about_as_often_as_they_say() -> None:
    random, hits, repeats = np.random.default_rng(7), dict.fromkeys(worlds.LARGEST, 0), 100
    for shape in worlds.SHAPES.values():
        world, truths = worlds.World(shape), worlds.largest(np.array(shape))
        for _ in range(repeats):
            found = trajectory(world.curve(200, 1, random), draws=DRAWS)
            for name, truth in truths.items():
                hits[name] += getattr(found, name).low <= truth <= getattr(found, name).high
    shares = {name: hit / (repeats * len(worlds.SHAPES)) for name, hit in hits.items()}
    # A share of 600 has a standard error of 0.8 points; with the highest of all ends dips are held in 98.2 %.
    assert all(0.945 <= share <= 0.98 for share in shares.values()), shares
    assert 0.945 <= (shares["dip"] + shares["best"] + shares["recovered"]) / 3 <= 0.975, shares


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    shape = np.array(worlds.SHAPES["dip and recovery"])
    random, gains, finals = np.random.default_rng(5), 0, 0
    log = np.log2(1.0 + np.array(worlds.STEPS))
    area, areas = np.trapezoid(shape - shape[0], log) / log[-1], 0
    world, repeats = worlds.World(tuple(shape)), 300
    for _ in range(repeats):
        found = trajectory(world.curve(200, 2, random), draws=DRAWS)
        gains += sum(g.low <= t <= g.high for g, t in zip(found.gains, shape[1:] - shape[0], strict=True))
        finals += found.final.low <= shape[-1] - shape[0] <= found.final.high
        areas += found.area.low <= area <= found.area.high
    assert 0.93 < gains / (8 * repeats) < 0.97
    # A share of 300 has a standard error of 1.3 points.
    assert 0.92 < finals / repeats < 0.98
    assert 0.92 < areas / repeats < 0.98


@pytest.mark.parametrize(("name", "problems", "samples"), [("dip and recovery", 150, 2), ("decline", 300, 6)])
@pytest.mark.slow
def test_the_power_calculation_foretells_what_a_simulation_finds(
    name: str, problems: int, samples: int
) -> None:
    random = np.random.default_rng(3)
    power = worlds.foresight(name, worlds.SHAPES[name], random)
    foretold = power.chance(problems, samples)
    found = [study(name, problems, samples, 300 + i).verdict == name for i in range(100)]
    assert 0.3 < foretold < 0.97
    assert abs(np.mean(found) - foretold) < 0.15  # three standard errors of the simulation


def test_a_need_is_the_number_that_has_the_promised_chance() -> None:
    random = np.random.default_rng(8)
    curve = worlds.World(worlds.SHAPES["dip and recovery"]).curve(100, 2, random)
    power = Power(Bootstrap(curve.scores), verdict_conditions(9)["dip and recovery"], curve.luck, 2)
    need = power.need()
    assert need is not None and need.samples is not None
    assert power.chance(100 + need.problems, 2) >= 0.8 > power.chance(100 + 0.9 * need.problems - 2, 2)
    assert power.chance(100, 2 + need.samples) >= 0.8
    assert need.answers == 100 * need.samples
    assert f"{need.samples} more samples of each problem" in need.words


def test_more_samples_of_the_same_problems_are_no_help_against_their_differences() -> None:
    # Each problem is always right or always wrong: luck is nil, so only problems help.
    curve = exact(0.5, 0.47, 0.5, 0.52, problems=200, samples=4)
    power = Power(Bootstrap(curve.scores), verdict_conditions(4)["dip and recovery"], curve.luck, 4)
    need = power.need()
    assert need is not None and need.samples is None and need.answers == 4 * need.problems
    assert power.chance(200, 400) == power.chance(200, 4)


def test_one_sample_each_asks_for_problems() -> None:
    found = trajectory(exact(0.5, 0.44, 0.5, 0.54, problems=100), draws=DRAWS)
    assert found.verdict == "undecided" and found.need is not None and found.need.samples is None
    assert "more problems" in found.sentence


def test_no_number_decides_what_is_exactly_at_the_limit() -> None:
    curve = exact(0.5, 0.47, problems=100)
    condition = Condition(weights=np.array([[1.0, -1.0]]), limit=0.03, some_above=False)
    assert Power(Bootstrap(curve.scores), [condition], None, 1).need() is None


def test_the_numbers_of_a_curve_are_its_means() -> None:
    found = trajectory(exact(0.5, 0.4, 0.5, 0.65))
    assert [gain.value for gain in found.gains] == pytest.approx([-0.1, 0.0, 0.15])
    assert found.final == found.gains[-1]
    assert (found.dip_step.value, found.recovery_step and found.recovery_step.value) == (10.0, 20.0)
    assert found.dip.value == pytest.approx(0.1, abs=0.01) and found.dip.low > 0
    assert found.best.value == pytest.approx(0.15, abs=0.01)
    assert found.recovered.value == pytest.approx(0.25, abs=0.01)
    assert found.fall.value == pytest.approx(0.1, abs=0.02)
    log = np.log2([1, 11, 21, 41])
    assert found.area.value == pytest.approx(np.trapezoid([0, -0.1, 0, 0.15], log) / log[-1])
    assert found.verdict == "dip and recovery"
    assert found.sentence.startswith("falls 10")
    assert "is back at its level at step 20, ends 15.0 points above it" in found.sentence


def test_intervals_match_the_textbook_where_there_is_one() -> None:
    # A paired difference of 1,000 problems: mean +- 1.96 sd / sqrt(n).
    curve = exact(0.5, 0.56)
    difference = curve.scores[1] - curve.scores[0]
    half = 1.96 * difference.std(ddof=1) / math.sqrt(1000)
    final = trajectory(curve, draws=20_000).final
    assert (final.low, final.high) == pytest.approx((0.06 - half, 0.06 + half), abs=0.0015)


def test_the_largest_of_alike_numbers_is_not_as_high_as_the_highest_of_their_ends() -> None:
    boot = Bootstrap(exact(0.5, 0.44, 0.44, 0.44).scores, draws=4_000)
    falls = np.array([[1.0, -1.0, 0.0, 0.0], [1.0, 0.0, -1.0, 0.0], [1.0, 0.0, 0.0, -1.0]])
    alone, *_ = boot.intervals(falls)
    assert boot.largest(falls[:1]).high == pytest.approx(alone.high, abs=0.003)
    among, highest = boot.largest(falls), max(one.high for one in boot.intervals(falls))
    assert 0.06 < among.high < highest - 0.003
    apart = Bootstrap(exact(0.5, 0.2, 0.44, 0.44).scores, draws=4_000)
    assert apart.largest(falls).high == pytest.approx(apart.intervals(falls)[0].high, abs=0.003)


def test_pairing_by_problem_is_used() -> None:
    # The same problems are right but for 30: far narrower than two samples of other problems would be.
    base = np.tile([0.0, 1.0], 500)
    later = base.copy()
    later[np.flatnonzero(base)[:30]] = 0.0
    final = trajectory(Curve(steps=(0, 5), scores=np.stack([base, later]))).final
    assert final.value == pytest.approx(-0.03)
    assert final.high - final.low < 0.025 < 2 * 1.96 * math.sqrt(0.5 / 1000)


def test_nothing_changed_at_all_has_an_interval_of_positive_width() -> None:
    rows = np.tile([0.0, 1.0], (4, 10))
    found = trajectory(Curve(steps=STEPS, scores=rows))
    assert found.final.low < 0.0 < found.final.high
    assert found.verdict == "undecided"


def test_seed_and_order_of_problems() -> None:
    curve = exact(0.5, 0.44, 0.5, 0.54, problems=100)
    mixed = Curve(steps=STEPS, scores=curve.scores[:, ::-1].copy())
    assert trajectory(curve, seed=4) == trajectory(mixed, seed=4)
    assert trajectory(curve, seed=4) != trajectory(curve, seed=5)


def with_tokens(means: tuple[float, ...], lengths: tuple[float, ...], steps: tuple[int, ...]) -> Trajectory:
    random = np.random.default_rng(2)
    rows = np.stack([np.random.default_rng(i).permutation(800) < 800 * m for i, m in enumerate(means)])
    tokens = np.array(lengths)[:, None] * random.lognormal(0, 0.3, (len(lengths), 800))
    return trajectory(Curve(steps=steps, scores=rows.astype(float), tokens=tokens), draws=DRAWS)


def test_lengths_that_still_move_forbid_conclusions() -> None:
    steps = (0, 10, 80, 320, 640)
    still = with_tokens((0.5, 0.4, 0.6, 0.6, 0.6), (400, 3000, 2000, 1500, 1000), steps)
    assert not still.converged and still.token_drift is not None and still.token_drift.high < -0.1
    assert still.sentence.endswith("not converged: do not conclude")
    calm = with_tokens((0.5, 0.4, 0.6, 0.6, 0.6), (400, 3000, 2000, 1000, 1000), steps)
    assert calm.converged and "conclude" not in calm.sentence


def test_scores_that_still_move_forbid_conclusions() -> None:
    assert not trajectory(exact(0.5, 0.4, 0.5, 0.65)).converged
    assert trajectory(exact(0.5, 0.4, 0.65, 0.65)).converged


def test_overfitting_is_lengths_that_rise_again_while_scores_fall() -> None:
    steps = (0, 20, 160, 640, 960, 1280)
    lengths = (400, 3000, 1200, 1000, 1500, 2000)
    worse = with_tokens((0.5, 0.4, 0.7, 0.72, 0.68, 0.6), lengths, steps)
    assert worse.second_rise and worse.overfitting and "(overfitting)" in worse.sentence
    better = with_tokens((0.5, 0.4, 0.7, 0.72, 0.72, 0.73), lengths, steps)
    assert better.second_rise and not better.overfitting, "a rise by itself is a flag of its own"
    assert "; answers grow longer again" in better.sentence and "overfitting" not in better.sentence
    falling = with_tokens((0.5, 0.4, 0.7, 0.72, 0.68, 0.6), (400, 3000, 1200, 1000, 950, 900), steps)
    assert not falling.second_rise and not falling.overfitting


def test_a_recovery_that_never_comes_has_no_step() -> None:
    found = trajectory(exact(0.5, 0.3, 0.35, 0.4))
    assert found.recovery_step is None and found.verdict == "dip, not recovered"
    assert "was not seen at its level again" in found.sentence


def test_one_later_step_is_enough_for_a_curve() -> None:
    assert trajectory(exact(0.5, 0.3)).verdict == "decline"
    assert trajectory(exact(0.3, 0.5)).verdict == "monotone gain"


def test_control_withdraws_what_numbers_alone_explain() -> None:
    weak, strong, none = (trajectory(exact(0.5, end)) for end in (0.448, 0.2, 0.5))
    assert weak.verdict == strong.verdict == "decline" and none.verdict == "undecided"
    assert 0.005 < weak.p < 0.05
    assert strong.p < 1e-6, "the tail goes on where draws end"
    after = controlled([strong, weak, *[none] * 40])
    assert [one.verdict for one in after[:2]] == ["decline", "undecided"]
    assert after[1].withdrawn == "decline" and "decline if it were the only curve" in after[1].sentence
    assert after[2].withdrawn is None, "what was undecided before"
    assert controlled([weak])[0].verdict == "decline"


def alike(before: float, after: float, problems: int, seed: int = 0) -> Curve:
    """The base, then a score at three steps; those right after were right before where there are fewer."""
    order = np.random.default_rng(seed).permutation(problems)
    rows = [order < round(problems * mean) for mean in (before, after, after, after)]
    return Curve(steps=STEPS, scores=np.array(rows, dtype=float))


@pytest.mark.parametrize(
    ("curve", "verdict", "says"),
    [
        (alike(0.6, 0.3, 100), "decline", "falls 30.0 points below the base"),
        (exact(0.6, 0.4, 0.32, 0.3, problems=100), "loss, shape open", "ends 30.0 points below it"),
        (alike(0.52, 0.12, 48), "loss, shape open", "ends 39.6 points below it"),
        (alike(0.3, 0.6, 100), "monotone gain", "never falls 3.0 points below"),
        (exact(0.3, 0.5, 0.4, 0.6, problems=100), "gain, shape open", "ends 30.0 points above it"),
        (exact(0.6, 0.2, 0.5, 0.57, problems=100), "dip, end open", "falls"),
        (exact(0.3, 0.7, 0.4, 0.33, problems=100), "rise, end open", "may fall"),
    ],
)
def test_a_clear_change_is_decided_among_56_curves_though_its_shape_may_not_be(
    curve: Curve, verdict: str, says: str
) -> None:
    calm = [trajectory(exact(0.5, 0.49, 0.5, 0.48, problems=100), seed=seed) for seed in range(55)]
    clear, *others = controlled([trajectory(curve), *calm])
    assert clear.verdict == verdict and clear.p < 0.05 / 56 and says in clear.sentence
    assert ("; shape open, " in clear.sentence) == ("shape open" in verdict)
    assert "undecided" not in clear.sentence
    assert {one.verdict for one in others} == {"undecided"}


def test_a_shape_hands_its_share_on_to_curves_without_one() -> None:
    shaped = trajectory(exact(0.5, 0.2))
    open_one = replace(trajectory(exact(0.5, 0.5)), opens=(("loss, shape open", 0.03),))
    assert [one.verdict for one in controlled([open_one, shaped])] == ["loss, shape open", "decline"]
    assert [one.verdict for one in controlled([open_one, open_one])] == ["undecided"] * 2


@pytest.mark.parametrize(("problems", "changed"), [(48, 10), (48, 24), (100, 20), (100, 50), (200, 20)])
def test_p_values_of_clear_changes_are_near_the_exact_ones(problems: int, changed: int) -> None:
    # Of changes in one direction: the sign test, 2 x 0.5^changed; a count of 2,000 draws ends at 0.001.
    boot = Bootstrap(alike(changed / problems, 0.0, problems).scores[:2])
    assert 0.1 < boot.p_some_above(np.array([[1.0, -1.0]])) / (2 * 0.5**changed) < 10


def test_p_values_fall_without_steps_as_changes_grow() -> None:
    boot = Bootstrap(exact(0.5, 0.4, problems=200).scores)
    weights = np.array([[1.0, -1.0]])
    found = np.array([boot.p_some_above(weights, limit) for limit in np.linspace(0.1, -0.4, 101)])
    assert found[0] > 0.9 and found[-1] < 1e-12 and (np.diff(found) <= 0).all()
    assert np.diff(np.log(found)).min() > -1.5


def test_no_bound_goes_beyond_what_is_possible() -> None:
    few = trajectory(exact(0.5, 0.25, 0.0, 0.0, problems=8))
    # Of 8 problems 4 are right at the base: Wilson's interval of that share, by hand.
    low, high = 0.2152, 0.7848
    assert few.dip.high == -few.final.low == -few.gains[0].low == pytest.approx(high, abs=1e-4)
    assert few.dip.value <= 0.5 and few.area.low >= -high - 1e-4 and few.best.high <= 1 - low + 1e-4
    assert "may fall up to 78.5 points" in trajectory(exact(0.5, 0.25, problems=8)).sentence
    top, bottom = (trajectory(exact(mean, mean, mean, problems=8)) for mean in (1.0, 0.0))
    assert top.best.high == pytest.approx(0.3244, abs=1e-4) == bottom.dip.high
    for one in (*few.gains, *top.gains, top.recovered, bottom.recovered, few.fall):
        assert -1 <= one.low <= one.value <= one.high <= 1


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    with pytest.raises(DataError, match="0 to 1"):
        holm([1.2])


def test_problems_needed_by_hand() -> None:
    # ((1.960 + 0.8416) * 0.5 / 0.05)^2 = 784.9
    assert problems_needed(0.05, 0.5) == 785
    assert problems_needed(0.0, 0.5) is None


def test_intervals_in_words() -> None:
    assert Interval(0.154, 0.12, 0.187).points(" above") == "15.4 points above (12.0 to 18.7)"
    assert Interval(-0.0001, -0.12, 0.187).points() == "0.0 points (−12.0 to 18.7)"
    assert Interval(0.1, -0.2, 0.3).negative == Interval(-0.1, -0.3, 0.2)


def score(problem: str, outcome: Outcome, sample: int = 0, tokens: int = 10) -> Score:
    return Score(
        problem=problem,
        sample=sample,
        outcome=outcome,
        answer=None,
        where=None,
        raw=float(outcome == "correct"),
        truncated=outcome == "truncated",
        tokens=tokens,
    )


def means(*scores: Score) -> ProblemMeans:
    (found,) = ProblemMeans.of_each([table(*scores)])
    return found


def table(*scores: Score) -> pa.Table:
    return pa.Table.from_pylist([asdict(score) for score in scores]).select(COLUMNS)


def test_means_by_problem_leave_errors_out_in_any_order() -> None:
    found = means(
        score("b", "error", tokens=99),
        score("z", "wrong", tokens=30),
        score("a", "correct", tokens=7),
        score("z", "correct", 1, tokens=50),
        score("z", "error", 2, tokens=99),
        score("aa", "no_answer", tokens=5),
    )
    assert found.problems.tolist() == ["a", "aa", "z"]
    assert found.scores.tolist() == [1.0, 0.0, 0.5]
    assert found.tokens.tolist() == [7.0, 5.0, 40.0] and found.samples.tolist() == [1, 1, 2]
    assert len(means(score("a", "error")).problems) == 0
    some = found.of_problems(np.array(["a", "z"], dtype=object))
    assert some.scores.tolist() == [1.0, 0.5] and some.samples.tolist() == [1, 2]


def test_cells_read_together_are_as_read_one_by_one() -> None:
    random = np.random.default_rng(0)
    outcomes: list[Outcome] = ["correct", "wrong", "truncated", "error"]
    cells = [
        table(
            *(
                score(names[i], outcomes[k], sample, tokens=int(random.integers(1, 99)))
                for sample, (i, k) in enumerate(zip(*random.integers(len(names), size=(2, 30)), strict=True))
            )
        )
        for names in ("abcd", "dcba", "bcde", "zyxa")
    ]
    cells.insert(2, table(score("a", "error")))
    for found, cell in zip(ProblemMeans.of_each(cells), cells, strict=True):
        (alone,) = ProblemMeans.of_each([cell])
        for name in ("problems", "scores", "tokens", "samples"):
            assert getattr(found, name).tolist() == getattr(alone, name).tolist()
    assert ProblemMeans.of_each([]) == []


def test_a_curve_is_read_from_scores_of_the_same_problems() -> None:
    base = [score("a", "correct"), score("a", "wrong", 1), score("b", "wrong"), score("b", "wrong", 1)]
    later = [score("b", "correct", tokens=30), score("a", "truncated", tokens=50), score("c", "correct")]
    curve = curve_of({20: means(*later, score("a", "error", 1)), 0: means(*base, score("c", "error"))})
    assert curve.steps == (0, 20) and curve.samples == 1
    assert curve.scores.tolist() == [[0.5, 0.0], [0.0, 1.0]]  # problems a and b; c had an error at step 0
    assert curve.tokens is not None and curve.tokens.tolist() == [[10.0, 10.0], [50.0, 30.0]]


def test_luck_is_the_variance_of_one_sample() -> None:
    assert exact(0.5, 0.5).luck is None
    curve = Curve(steps=(0, 1), scores=np.array([[0.5, 0.5], [1.0, 0.0]]), samples=2)
    # 0.25 x 2 / (2 - 1), and nothing where samples agree.
    assert curve.luck is not None and curve.luck.tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("steps", "scores", "says"),
    [
        ((10, 20), [[0.5, 0.5], [0.5, 0.5]], "step 0"),
        ((0,), [[0.5, 0.5]], "later ones"),
        ((0, 20, 10), [[0.5, 0.5]] * 3, "ascending"),
        ((0, 10), [[0.5], [0.5]], "2 problems or more"),
        ((0, 10), [[0.5, 0.5]], "2 steps"),
        ((0, 10), [[0.5, 1.5], [0.5, 0.5]], "from 0 to 1"),
        ((0, 10), [[0.5, math.nan], [0.5, 0.5]], "nan"),
    ],
)
def test_what_is_no_curve_is_refused(steps: tuple[int, ...], scores: list[list[float]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        Curve(steps=steps, scores=np.array(scores))


def test_what_are_no_tokens_is_refused() -> None:
    rows = np.array([[0.5, 0.5], [0.5, 0.5]])
    for tokens, says in ((rows[:1], "tokens are"), (-rows, "0 or more")):
        with pytest.raises(DataError, match=says):
            Curve(steps=(0, 1), scores=rows, tokens=tokens)


def test_scores_without_a_problem_in_common_are_refused() -> None:
    with pytest.raises(DataError, match="2 problems or more"):
        curve_of({0: means(score("a", "correct")), 5: means(score("b", "correct"))})
    with pytest.raises(DataError, match="step 0"):
        curve_of({})
