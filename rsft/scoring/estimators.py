"""Numbers that do not travel alone: means over scores, clustered standard errors, intervals.

Samples of one problem are not independent, so a problem is one cluster (Miller 2024, "Adding Error
Bars to Evals", arXiv:2411.00640, section 2.2).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rsft.errors import DataError
from rsft.records import Estimate, Score

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A clustered estimate of a mean."""

    value: float
    stderr: float
    """nan with a single problem: nothing is known of how problems differ."""
    problems: int
    samples: int


def estimates(scores: Sequence[Score]) -> list[Estimate]:
    """All metrics of one cell (a checkpoint on a benchmark).

    In this order: `accuracy`, the mean over problems of each problem's share of correct samples;
    `accuracy_finished`, the share of correct ones among samples that were not truncated;
    `truncated`, the share of samples that hit the token limit; `no_answer`, the share that ended
    without an answer that could be read; `response_tokens`, the mean length in tokens. Then, where every
    problem has two samples or more, `pass@2`, `pass@4` and so on as far as the samples go; last
    `response_tokens_median` and `response_tokens_p95`.

    Samples whose outcome is `error` are left out of everything; whoever reports counts them apart.
    A metric without any sample behind it (`accuracy_finished` when all were cut) is nan over 0
    samples. Where there is one problem, `stderr` is nan.

    Args:
        scores: of one checkpoint on one benchmark, any order.

    Returns:
        Estimates with 95 % intervals: `wilson` for shares, value +- 1.96 standard errors and not
        below 0 for mean tokens (nan with one problem), `quantile` for the others. Empty when nothing
        was graded.
    """
    graded = [score for score in scores if score.outcome != "error"]
    if not graded:
        return []
    finished = [score for score in graded if not score.truncated]
    found = [_share("accuracy", graded, _is_correct, mean_of_problems=True)]
    found.append(
        _share("accuracy_finished", finished, _is_correct) if finished else _nothing("accuracy_finished")
    )
    found.append(_share("truncated", graded, lambda score: float(score.truncated)))
    found.append(_share("no_answer", graded, lambda score: float(score.outcome == "no_answer")))
    tokens = ratio(_by_problem(graded, lambda score: float(score.tokens)))
    half = Z_95 * tokens.stderr
    interval = (max(0.0, tokens.value - half), tokens.value + half)
    if math.isnan(half):
        interval = (math.nan, math.nan)
    found.append(estimate_of("response_tokens", tokens, interval, truncated_share(graded)))
    found += passes(graded)
    lengths = _by_problem(graded, lambda score: float(score.tokens))
    for name, share in (("response_tokens_median", 0.5), ("response_tokens_p95", 0.95)):
        found.append(quantile_estimate(name, lengths, share, found[0].truncated))
    return found


def raw_mean(scores: Sequence[Score]) -> list[Estimate]:
    """`raw`: the mean of a judge's or a reward model's own numbers over what it was shown, value +- 1.96
    clustered standard errors (nan with one problem). Empty when it was shown nothing."""
    shown = [score for score in scores if score.where is not None and score.outcome != "error"]
    if not shown:
        return []
    found = ratio(_by_problem(shown, lambda score: score.raw))
    half = Z_95 * found.stderr
    return [estimate_of("raw", found, (found.value - half, found.value + half), truncated_share(shown))]


def passes(scores: Sequence[Score]) -> list[Estimate]:
    """`pass@k` for k = 2, 4, 8 ... up to the least number of samples that a problem has, errors aside.

    The mean over problems of `pass_at_k`, with its standard error over problems. (`pass@1` is
    `accuracy`; avg@n is another name of that.)
    """
    graded = [score for score in scores if score.outcome != "error"]
    clusters = _by_problem(graded, _is_correct)
    least = min(map(len, clusters), default=0)
    found = []
    for k in (2**power for power in range(1, max(1, least).bit_length())):
        means = [[pass_at_k(len(cluster), int(sum(cluster)), k)] for cluster in clusters]
        share = replace(ratio(means), samples=len(graded))
        found.append(estimate_of(f"pass@{k}", share, wilson(share), truncated_share(graded)))
    return found


def accuracy_at(scores: Sequence[Score], budgets: Sequence[int]) -> list[Estimate]:
    """Accuracy that smaller token budgets would have given, from the generations there are.

    A sample counts as correct under a budget of b tokens when it is correct and no longer than b:
    decoding goes left to right, so the first b tokens of a response are what a budget of b leaves of
    it. Exact for budgets up to the one that was generated with; above that a lower bound. (A response
    whose answer was complete before the cut counts as cut here.)

    Args:
        scores: of one checkpoint on one benchmark.
        budgets: in tokens, above 0.

    Returns:
        `accuracy@B tokens` for each budget; `truncated` is the share that the budget cuts.

    Raises:
        DataError: a budget that is not positive.
    """
    if not all(budget > 0 for budget in budgets):
        raise DataError(f"token budgets are above 0; got {list(budgets)}.")
    graded = [score for score in scores if score.outcome != "error"]
    found = []
    for budget in budgets if graded else ():
        cut = [
            replace(score, outcome="truncated", truncated=True) if score.tokens > budget else score
            for score in graded
        ]
        found.append(_share(f"accuracy@{budget} tokens", cut, _is_correct, mean_of_problems=True))
    return found


def quantile(clusters: Sequence[Sequence[float]], share: float) -> tuple[float, float, float]:
    """The smallest value that `share` of all values do not exceed, and its 95 % interval (nan: one problem).

    Woodruff (1952, JASA 47:635): the values at `share` +- 1.96 standard errors of the share below the
    true quantile, clustered by problem.

    Args:
        clusters: per problem its values, one or more.
        share: in (0, 1); 0.5 is the (lower) median.

    Raises:
        DataError: no problem, one without a value, or a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise DataError(f"a quantile is of a share between 0 and 1; got {share}.")
    values = sorted(value for cluster in clusters for value in cluster)
    if not values:
        raise DataError("a quantile needs one or more values; got none.")

    def at(part: float) -> float:
        return values[min(len(values) - 1, max(0, math.ceil(part * len(values) - 1e-9) - 1))]

    value = at(share)
    below = ratio([[float(each <= value) for each in cluster] for cluster in clusters])
    half = Z_95 * below.stderr
    return (value, math.nan, math.nan) if math.isnan(half) else (value, at(share - half), at(share + half))


def quantile_estimate(
    metric: str, clusters: Sequence[Sequence[float]], share: float, truncated: float
) -> Estimate:
    """`quantile` as an estimate; its error is its interval's width over 2 x 1.96, nan with one problem."""
    value, low, high = quantile(clusters, share)
    samples = sum(map(len, clusters))
    return Estimate(
        metric=metric,
        value=value,
        stderr=(high - low) / (2 * Z_95),
        ci_low=low,
        ci_high=high,
        problems=len(clusters),
        samples=samples,
        truncated=truncated,
    )


def ratio(clusters: Sequence[Sequence[float]]) -> Ratio:
    r"""Mean of all samples with its linearised, clustered standard error.

    With y_i the sum and m_i the number of samples of problem i, n problems, R = sum y / sum m:
    se^2 = sum((y_i - R m_i)^2) / (n (n - 1) mbar^2) (Cochran 1977, Sampling Techniques, 3rd ed.,
    eqs. 6.9 and 6.13). With equal m_i this is the standard error of the mean of problem means, and
    with one sample per problem the textbook one.

    Args:
        clusters: per problem its values, one or more.

    Raises:
        DataError: no problem, or one without a value.
    """
    if not clusters or not all(clusters):
        raise DataError("a mean over problems needs one or more values of each; got none of some.")
    problems, samples = len(clusters), sum(map(len, clusters))
    value = math.fsum(map(math.fsum, clusters)) / samples
    if problems == 1:
        return Ratio(value, math.nan, 1, samples)
    squares = math.fsum((math.fsum(c) - value * len(c)) ** 2 for c in clusters)
    stderr = math.sqrt(squares / (problems * (problems - 1))) * problems / samples
    # What is left of rounding when all problems agree is no variation.
    stderr = 0.0 if stderr < 1e-12 * max(1.0, abs(value)) else stderr
    return Ratio(value, stderr, problems, samples)


def wilson(share: Ratio) -> tuple[float, float]:
    r"""95 % Wilson score interval of a share, on its effective sample size.

    Wilson (1927), JASA 22:209: (p + z^2/2N +- z sqrt(p(1-p)/N + z^2/4N^2)) / (1 + z^2/N). N is not
    the number of samples but that of independent samples with the same variance, p(1-p) / se^2
    (Korn and Graubard 1998, Survey Methodology 24:193; for Wilson: Franco, Little, Louis and Slud
    2019, J. Surv. Stat. Methodol. 7:334), times n/(n-1), which takes the n - 1 of se back, so that
    one sample per problem gives N = n. At most the number of samples. With p = 0 or 1 the variance
    says nothing; then N is the number of problems, as if samples of a problem always agreed, and
    0 of n has an interval of positive width. So it has for a single problem (N = 1).
    """
    p, n = min(1.0, max(0.0, share.value)), share.problems
    spread = p * (1.0 - p)
    effective = float(n)
    if spread > 0.0 and n > 1:
        effective = float(share.samples)
        if share.stderr > 0.0:
            effective = min(effective, spread / share.stderr**2 * n / (n - 1))
    z2 = Z_95**2
    middle = p + z2 / (2 * effective)
    half = Z_95 * math.sqrt(spread / effective + z2 / (4 * effective**2))
    low, high = ((middle + sign * half) / (1 + z2 / effective) for sign in (-1, 1))
    return max(0.0, min(low, p)), min(1.0, max(high, p))


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that one or more of k samples are correct, from n samples of which c are.

    The unbiased estimator 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, arXiv:2107.03374, eq. 1), in
    exact integers.

    Raises:
        DataError: not 1 <= k <= n, or not 0 <= c <= n.
    """
    if not (1 <= k <= n and 0 <= c <= n):
        raise DataError(f"pass@k wants 1 <= k <= n and 0 <= c <= n; got n={n}, c={c}, k={k}.")
    every = math.comb(n, k)
    return (every - math.comb(n - c, k)) / every


def _is_correct(score: Score) -> float:
    return float(score.outcome == "correct")


def _by_problem(scores: Sequence[Score], value: Callable[[Score], float]) -> list[list[float]]:
    clusters: defaultdict[str, list[float]] = defaultdict(list)
    for score in scores:
        clusters[score.problem].append(value(score))
    return list(clusters.values())


def _share(
    metric: str,
    scores: Sequence[Score],
    value: Callable[[Score], float],
    *,
    mean_of_problems: bool = False,
) -> Estimate:
    """A share of samples, or of problems that each count alike however many samples they have."""
    clusters = _by_problem(scores, value)
    if mean_of_problems:
        means = [[math.fsum(cluster) / len(cluster)] for cluster in clusters]
        of_means = ratio(means)
        share = Ratio(of_means.value, of_means.stderr, of_means.problems, len(scores))
    else:
        share = ratio(clusters)
    return estimate_of(metric, share, wilson(share), truncated_share(scores))


def _nothing(metric: str) -> Estimate:
    """A metric with no sample behind it."""
    nan = math.nan
    return Estimate(
        metric=metric,
        value=nan,
        stderr=nan,
        ci_low=nan,
        ci_high=nan,
        problems=0,
        samples=0,
        truncated=nan,
    )


def estimate_of(metric: str, mean: Ratio, interval: tuple[float, float], truncated: float) -> Estimate:
    """An estimate from its parts; `truncated` is the share of its samples that were cut."""
    return Estimate(
        metric=metric,
        value=mean.value,
        stderr=mean.stderr,
        ci_low=interval[0],
        ci_high=interval[1],
        problems=mean.problems,
        samples=mean.samples,
        truncated=truncated,
    )


def truncated_share(scores: Sequence[Score]) -> float:
    """Share of scores whose generation hit the token limit."""
    return sum(score.truncated for score in scores) / len(scores)
