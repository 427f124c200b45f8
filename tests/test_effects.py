"""Effects of length, data and base: what is compared, by hand and on sweeps whose truth is known; views of a
sweep; what is read from a storage. Coverage over many sweeps: bench/effects.py."""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap, ttest_ind

from rsft.analysis.contrasts import Arm, contrasts
from rsft.analysis.crossed import Between, Error
from rsft.analysis.effects import Answered, Asked, Effect, effects
from rsft.analysis.views import Run, views

ORDER = {"length": ("1ep", "8ep"), "data": ("nocot", "cot"), "base": ("1b", "4b")}
IDS = np.arange(40)


def arm(trial: str, length: str, data: str, base: str = "1b", step: int = 9, **more: str) -> Arm:
    levels = {"length": length, "data": data, "base": base, "recipe": "default"} | more
    return Arm(trial=trial, step=step, weights=f"{trial}/{step}", origin=base, levels=levels)


def answered(share: float, ids: Any = IDS, shift: int = 0) -> Answered:
    """The first so many problems right, beginning at `shift`."""
    right = np.roll(np.arange(len(ids)) < round(share * len(ids)), shift)
    return Answered(ids, right.astype(float), len(ids))


def asked(*arms: Arm, view: str = "at the end", axes: tuple[str, ...] = ("length", "data", "base")) -> Asked:
    return Asked(view=view, arms=arms, axes=axes, order=ORDER)


def by_name(found: list[Effect]) -> Mapping[tuple[str, str], Effect]:
    return {(one.dimension, one.name): one for one in found}


GRID = [arm(f"{n}-{d}", n, d) for n in ORDER["length"] for d in ORDER["data"]]
SCORES = {"1ep-nocot": 0.4, "8ep-nocot": 0.5, "1ep-cot": 0.45, "8ep-cot": 0.85}
ANSWERS = {(trial, 9, "gcd"): answered(share) for trial, share in SCORES.items()}


def test_main_effects_and_an_interaction_by_hand() -> None:
    found = by_name(effects([asked(*GRID)], {"ood": ["gcd"]}, ANSWERS))
    values = {name: round(one.effect.value, 9) for (_, name), one in found.items()}
    assert values == {
        "8ep over 1ep": pytest.approx((0.1 + 0.4) / 2),
        "cot over nocot": pytest.approx((0.05 + 0.35) / 2),
        "8ep over 1ep, more at cot than at nocot": pytest.approx(0.4 - 0.1),
    }
    main = found["ood", "8ep over 1ep"]
    assert (main.places, main.trials, main.seeds, main.problems, main.answers) == (2, 4, 1, 40, 160)
    assert main.verdict == "higher" and main.p < 0.05 and main.why == ""
    assert main.effect.low > 0 and main.effect.high < 0.5


def test_only_what_differs_in_nothing_else_is_compared() -> None:
    grid = [GRID[0], arm("8ep-nocot", "8ep", "nocot", recipe="learning_rate=1e-05")]
    assert effects([asked(*grid)], {"ood": ["gcd"]}, ANSWERS) == []
    settings = [one.setting for one in [*GRID[:3], arm("x", "8ep", "nocot", "4b")]]
    found = [(one.axes, one.places) for one in contrasts(settings, ("length", "data", "base"), ORDER)]
    # Three of four corners: no interaction; the 4B base has one setting, which the 1B base has too.
    assert found == [(("length",), 1), (("data",), 1), (("base",), 1)]


def test_bases_are_compared_by_their_gains_and_need_a_step_0() -> None:
    grid = [arm("small", "8ep", "cot", "1b"), arm("large", "8ep", "cot", "4b")]
    answers = {("small", 9, "gcd"): answered(0.5), ("large", 9, "gcd"): answered(0.9)}
    assert effects([asked(*grid)], {"ood": ["gcd"]}, answers) == []
    bases = {("small", 0, "gcd"): answered(0.2), ("large", 0, "gcd"): answered(0.7)}
    (one,) = effects([asked(*grid)], {"ood": ["gcd"]}, answers | bases)
    assert one.effect.value == pytest.approx((0.9 - 0.7) - (0.5 - 0.2))
    assert one.answers == 160 and one.trials == 2


def test_a_dimension_is_the_mean_of_its_benchmarks_and_of_checkpoints_that_have_all() -> None:
    more = {(trial, 9, "chess"): answered(0.1, np.arange(20)) for trial in SCORES}
    more["8ep-cot", 9, "chess"] = answered(0.3, np.arange(20))
    found = by_name(effects([asked(*GRID)], {"ood": ["gcd", "chess", "unasked"]}, ANSWERS | more))
    one = found["ood", "8ep over 1ep"]
    assert one.effect.value == pytest.approx(((0.1 + 0.4) / 2 + (0.0 + 0.2) / 2) / 2)
    assert one.problems == 60
    del more["8ep-cot", 9, "chess"]
    found = by_name(effects([asked(*GRID)], {"ood": ["gcd", "chess"]}, ANSWERS | more))
    assert found["ood", "8ep over 1ep"].places == 1
    assert len(found) == 2, "one corner is gone, and the interaction with it"


def test_only_problems_that_all_answered_count() -> None:
    some = ANSWERS | {("8ep-cot", 9, "gcd"): Answered(IDS[::-1][:30], np.ones(30), 30)}
    one = by_name(effects([asked(*GRID)], {"ood": ["gcd"]}, some))["ood", "8ep over 1ep"]
    # Problems 10 to 39: six, six and eight of the first sixteen to twenty are among them.
    assert one.problems == 30
    assert one.effect.value == pytest.approx(((10 - 6) / 30 + (30 - 8) / 30) / 2)


def test_shared_weights_are_no_evidence() -> None:
    trunk = [
        Arm(trial=t, step=9, weights="trunk/9", origin="1b", levels={"length": n, "recipe": "default"})
        for t, n in (("a", "1ep"), ("b", "8ep"))
    ]
    answers = {(t, 9, "gcd"): answered(0.5) for t in "ab"}
    assert effects([asked(*trunk, axes=("length",))], {"ood": ["gcd"]}, answers) == []


def test_the_same_is_a_verdict_and_little_data_is_none() -> None:
    ids = np.arange(4_000)
    pair = [arm("a", "1ep", "cot"), arm("b", "8ep", "cot")]
    many = {("a", 9, "gcd"): answered(0.5, ids), ("b", 9, "gcd"): answered(0.5, ids, shift=20)}
    (one,) = effects([asked(*pair)], {"ood": ["gcd"]}, many)
    assert one.verdict == "same" and -0.03 < one.effect.low < one.effect.high < 0.03
    few = {(t, 9, "gcd"): answered(s, np.arange(20)) for t, s in (("a", 0.5), ("b", 0.55))}
    (one,) = effects([asked(*pair)], {"ood": ["gcd"]}, few)
    assert one.verdict == "undecided" and one.p == 1 and one.why.startswith("needs about")


def test_what_rounding_leaves_is_no_effect() -> None:
    """Three seeds that answer alike on either side: thirds do not add up to one."""
    scores = np.random.default_rng(0).binomial(3, 0.5, 400) / 3
    arms = [arm(f"{data}{seed}", "1ep", data) for data in ("cot", "nocot") for seed in range(3)]
    answers = {(one.trial, 9, "gcd"): Answered(np.arange(400), scores, 400) for one in arms}
    (one,) = effects([asked(*arms)], {"ood": ["gcd"]}, answers)
    assert one.verdict == "same" and one.effect.low < -1e-4 < 1e-4 < one.effect.high


def test_no_effect_goes_beyond_what_is_possible() -> None:
    few = {("a", 9, "gcd"): answered(0.0, np.arange(2)), ("b", 9, "gcd"): answered(1.0, np.arange(2))}
    (one,) = effects([asked(arm("a", "1ep", "cot"), arm("b", "8ep", "cot"))], {"ood": ["gcd"]}, few)
    assert one.effect.value == one.effect.high == 1.0 and one.effect.low >= -1.0


def test_a_view_is_one_family() -> None:
    """An effect that stands alone may not stand among many."""
    rows = {t: answered(s) for t, s in (("a", 0.4), ("b", 0.6))}
    pair = [arm("a", "1ep", "cot"), arm("b", "8ep", "cot")]
    answers = {(t, 9, "gcd"): row for t, row in rows.items()}
    (alone,) = effects([asked(*pair)], {"ood": ["gcd"]}, answers)
    assert alone.verdict == "higher"
    dimensions = {f"d{i}": ["gcd"] for i in range(60)}
    family = effects([asked(*pair)], dimensions, answers)
    assert {one.verdict for one in family} == {"undecided"}
    assert family[0].why.startswith("not after correction for 60 effects")
    apart = effects([asked(*pair, view=f"v{i}") for i in range(3)], {"ood": ["gcd"]}, answers)
    assert {one.verdict for one in apart} == {"higher"}


def test_seeds_that_differ_widen_the_interval() -> None:
    def grid(*shares: tuple[float, float]) -> Effect:
        arms, answers = [], {}
        for seed, pair in enumerate(shares):
            for length, share in zip(("1ep", "8ep"), pair, strict=True):
                arms.append(arm(f"{length}{seed}", length, "cot"))
                answers[f"{length}{seed}", 9, "gcd"] = answered(share, np.arange(400))
        (one,) = effects([asked(*arms)], {"ood": ["gcd"]}, answers)
        return one

    alike, apart = grid((0.5, 0.6), (0.5, 0.6), (0.5, 0.6)), grid((0.4, 0.5), (0.5, 0.6), (0.6, 0.7))
    assert alike.effect.value == pytest.approx(apart.effect.value) == pytest.approx(0.1)
    assert (alike.seeds, alike.verdict) == (3, "higher")
    assert apart.verdict == "undecided" and "more seeds" in apart.why
    width = apart.effect.high - apart.effect.low
    assert width > 3 * (alike.effect.high - alike.effect.low)
    # All problems alike within a seed's mean: what is left is Student's t of two times three means.
    known = ttest_ind([0.5, 0.6, 0.7], [0.4, 0.5, 0.6]).confidence_interval(0.95)
    assert width == pytest.approx(known.high - known.low, rel=0.12)


def test_one_seed_each_agrees_with_the_bootstrap_of_scipy() -> None:
    random = np.random.default_rng(4)
    before, after = random.binomial(1, 0.4, 300), random.binomial(4, 0.55, 300) / 4
    pair = [arm("a", "1ep", "cot"), arm("b", "8ep", "cot")]
    answers = {
        (trial, 9, "gcd"): Answered(np.arange(300), scores.astype(float), 300)
        for trial, scores in (("a", before), ("b", after))
    }
    (one,) = effects([asked(*pair)], {"ood": ["gcd"]}, answers)
    known = bootstrap((after - before,), np.mean, n_resamples=10_000, rng=random).confidence_interval
    ours, theirs = (one.effect.low, one.effect.high), (known.low, known.high)
    assert ours == pytest.approx(theirs, abs=0.06 * (known.high - known.low))


def test_luck_on_problems_is_taken_out_of_the_seeds() -> None:
    random = np.random.default_rng(0)
    tables = [random.binomial(1, 0.5, (6, 500)).astype(float) for _ in range(400)]
    between = [Between.of([table]) for table in tables]
    luck = np.mean([one.luck for one in between])
    assert luck == pytest.approx(0.25 / 500, rel=0.05)
    assert np.mean([one.squares / one.freedom for one in between]) == pytest.approx(luck, rel=0.15)
    two = Between.of([tables[0], tables[1]])
    assert two.luck == pytest.approx((between[0].luck + between[1].luck) / 4)


def test_p_values_go_on_beyond_the_draws_and_slower_with_few_seeds() -> None:
    random = np.random.default_rng(0)
    noise = random.standard_normal(4_000)
    none = Error.of(noise, [], 1.0, random)
    _, p = none.verdict(8.0, 0.03, 0.95)
    assert p == pytest.approx(2 * 6.2e-16, rel=0.5)
    few = Error.of(noise, [Between(squares=2.0, freedom=2, luck=0.0)], 1.0, random)
    assert few.seeds == pytest.approx(1.0) and few.p(80.0, -1.0) == pytest.approx(2 * 0.000078, rel=0.1)


def test_what_would_decide_is_said_in_problems_samples_or_seeds() -> None:
    problems = Error.normal(0.02)  # 4e-4, of which the luck of 4 samples be 3e-4
    counts = {"problems": 100, "seeds": 3}
    # (0.04 / 2.8016)^2 is 2.038e-4: 1.96 times the problems, or 3e-4 / 1.038e-4 times the samples.
    said = problems.need(0.04, 0.95, **counts, samples=4, luck=3e-4)
    assert re.fullmatch("needs about 9[5-8] more problems of the same kind, or 8 more samples of each", said)
    assert "samples" not in problems.need(0.04, 0.95, **counts, samples=4, luck=1e-4), "too little is luck"
    assert "samples" not in problems.need(0.04, 0.95, **counts), "one sample each does not tell"
    assert problems.need(0.0, 0.95, **counts) == "no number of problems would tell"
    random = np.random.default_rng(0)
    seeds = Error.of(problems.own, [Between(squares=0.0012, freedom=2, luck=0.0)], 1.0, random)
    assert seeds.need(0.04, 0.95, **counts) == "needs about 12 more seeds of each setting"
    assert seeds.need(0.0, 0.95, **counts) == "no number of seeds would tell"
    assert problems.times(0.04, 0.95) == pytest.approx(1.96, rel=0.02)
    assert seeds.times(0.04, 0.95) == math.inf, "adaptive evaluation is not to spend answers on it"


# Views.


def run(trial: str, steps: int, **more: Any) -> Run:
    at = more.pop("at", (10, 40, steps))
    facts: dict[str, Any] = {
        "trial": trial,
        "base": "b",
        "parameters": None,
        "data": "cot",
        "family": "cot",
        "rows": 2_560,
        "length": f"{steps}st",
        "steps": steps,
        "recipe": "default",
        "origin": "b",
        "weights": {step: f"{trial}/{step}" for step in at},
        "tokens": {step: 1_000 * step for step in at},
        "passes": 256 / 2_560,
    }
    return Run(**(facts | more))


def steps_of(one: Asked) -> dict[str, int]:
    return {arm.trial: arm.step for arm in one.arms}


def test_views_choose_their_checkpoints() -> None:
    heavy = {step: 2_000 * step for step in (10, 40, 640)}
    few = {"rows": 640, "passes": 256 / 640, "family": "few"}  # 0.4 of an epoch a step, the others 0.1
    end, step, epoch, tokens = views(
        [run("a", 80), run("b", 640, **few), run("c", 640, data="long", tokens=heavy)]
    )
    assert end.view == "at the end" and steps_of(end) == {"a": 80, "b": 640, "c": 640}
    assert step.view == "fixed step (40)" and steps_of(step) == {"a": 40, "b": 40, "c": 40}
    assert epoch.view == "fixed epoch (4)" and steps_of(epoch) == {"a": 40, "b": 10, "c": 40}
    assert tokens.view == "fixed tokens (80 thousand)"
    assert steps_of(tokens) == {"a": 80, "c": 40}, "b has no checkpoint near"
    assert end.order["length"] == ["640st", "80st"], "two of three trials are long"


def test_views_that_choose_alike_are_one_and_unfinished_trials_have_no_end() -> None:
    (only,) = views([run("a", 40), run("b", 40, data="nocot")])
    assert only.view == "at the end = fixed step (40) = fixed epoch (4) = fixed tokens (40 thousand)"
    short = [run(trial, 2, at=(2,), tokens={2: 123}) for trial in "ab"]
    assert [one.view.partition("fixed epoch")[2] for one in views(short)] == [" (0.2) = fixed tokens (120)"]
    unfinished = run("c", 640, weights={10: "c/10"}, tokens={10: 10_000})
    assert {one.view: steps_of(one) for one in views([run("a", 40), unfinished])} == {
        "fixed step (10) = fixed epoch (1) = fixed tokens (10 thousand)": {"a": 10, "c": 10}
    }
    assert views([]) == [] and views([run("a", 40)]) == []


def test_bases_go_by_size() -> None:
    found = views([run("a", 40, base="14b", parameters=14), run("b", 40, base="2b", parameters=2)])
    assert found[0].order["base"] == ["2b", "14b"]


def test_the_reference_is_what_most_trials_have() -> None:
    shorter = [run("a", 40), run("b", 640), run("c", 640, data="nocot")]
    order = views(shorter)[0].order
    assert order["length"] == ["640st", "40st"] and order["data"] == ["cot", "nocot"]


def test_repeated_exposure_is_compared_with_one_pass() -> None:
    one_pass = run("once", 640, rows=20_480, passes=32 / 20_480, length="1ep", recipe="batch_sequences=32")
    again = run("again", 640, data="cot-2.5k", length="8ep", recipe="batch_sequences=32", passes=32 / 2_560)
    large = run("large", 640, rows=20_480, length="8ep", passes=256 / 20_480)
    found = [one for one in views([large, again, one_pass]) if one.axes == ("exposure",)]
    assert found[0].view == "at the end = fixed step (640) = fixed tokens (640 thousand)"
    assert found[0].order["exposure"] == ["1 × 20,480 rows", "8 × 20,480 rows", "8 × 2,560 rows"]
    answers = {(t, 640, "gcd"): answered(s) for t, s in (("once", 0.3), ("again", 0.6), ("large", 0.8))}
    (effect,) = effects(found[:1], {"ood": ["gcd"]}, answers)
    assert effect.name == "8 × 2,560 rows over 1 × 20,480 rows"
    assert effect.effect.value == pytest.approx(0.3), "the larger batch is another recipe"


# Known truth.


def bench() -> Any:
    path = Path(__file__).resolve().parent.parent / "bench" / "effects.py"
    found = importlib.util.spec_from_file_location("bench_effects", path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


def test_a_known_main_effect_and_interaction_are_found() -> None:
    world = bench()
    problems = world.World(world.KNOWN, luck=0.1, problems=1_500, seeds=3)
    asked_for, answers, _ = problems.study(np.random.default_rng(3))
    found = {one.axes: one for one in effects([asked_for], {"ood": ["b0", "b1"]}, answers)}
    for axes, truth in world.KNOWN.items():
        assert found[axes].effect.low < truth < found[axes].effect.high
    assert found["length",].verdict == found["data",].verdict == "higher"
    assert found["base",].verdict != "higher" and found["data", "base"].verdict != "lower"


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "luck"), [(1, 0.0), (3, 0.2)])
def test_intervals_cover_and_null_families_hold(seeds: int, luck: float) -> None:
    world, random = bench(), np.random.default_rng(11)
    known = world.studies(world.World(world.KNOWN, luck, 200, 2, seeds, 1), 150, random)
    for hits in (known.main, known.pairs):
        assert 0.93 <= np.mean(hits) <= 0.98
    assert known.right >= 0.95 * known.decided > 0
    null = world.studies(world.World(world.NULL, luck, 200, 2, seeds, 1), 150, random)
    assert null.wrong <= 150 * 0.05 + 3 * math.sqrt(150 * 0.05 * 0.95)
