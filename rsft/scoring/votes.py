"""maj@n: what accuracy would be, were the commonest of n answers given.

Self-consistency of Wang et al. (2023, arXiv:2203.11171); maj1@k of Lewkowycz et al. (2022,
arXiv:2206.14858). For n below the number of samples it is the mean over all subsets of n samples, which is
computed exactly by counting, not by drawing; a tie is shared evenly among the answers that have it. So it is
deterministic, and with n = 1 it is accuracy.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from rsft.errors import DataError
from rsft.records import Estimate, Score
from rsft.scoring.dress import plain
from rsft.scoring.estimators import estimate_of, ratio, truncated_share, wilson
from rsft.scoring.quantities import marked, rational

Same = Callable[[str, str], bool]


def written_alike(one: str, two: str) -> bool:
    """Whether two answers are the same text without dress, or the same rational number. Needs no parser."""
    one, two = plain(one), plain(two)
    if one == two:
        return True
    values = rational(marked(one).core), rational(marked(two).core)
    return values[0] is not None and values[0] == values[1]


def majority(scores: Sequence[Score], n: int, same: Same = written_alike) -> Estimate:
    """`maj@n` of one checkpoint on one benchmark, with its error over problems.

    Samples without an answer do not vote; where none of the n votes, the problem counts as wrong. Errors
    are left out. Correct answers are one answer, however they are written; wrong ones are grouped by `same`.

    Args:
        scores: any order.
        n: votes, at most the samples that the problem with fewest has.
        same: whether two wrong answers are the same one.

    Raises:
        DataError: no scores, or fewer samples of a problem than n.
    """
    problems: defaultdict[str, list[Score]] = defaultdict(list)
    for score in scores:
        if score.outcome != "error":
            problems[score.problem].append(score)
    least = min(map(len, problems.values()), default=0)
    if not 1 <= n <= least:
        raise DataError(f"maj@{n} needs 1 <= n <= the samples of each problem; one has {least}.")
    graded = [score for samples in problems.values() for score in samples]
    chances = [[vote(*_ballot(samples, same), n)] for samples in problems.values()]
    share = replace(ratio(chances), samples=len(graded))
    return estimate_of(f"maj@{n}", share, wilson(share), truncated_share(graded))


def votes(scores: Sequence[Score]) -> list[Estimate]:
    """`maj@n` for n = 4, 8, 16 ... up to the least number of samples that a problem has; a vote of two
    decides nothing that one does not."""
    counts = Counter(score.problem for score in scores if score.outcome != "error")
    least = min(counts.values(), default=0)
    return [majority(scores, 2**power) for power in range(2, max(1, least).bit_length())]


def _ballot(samples: Sequence[Score], same: Same) -> tuple[int, list[int], int]:
    """Correct samples, sizes of the groups of wrong answers, and samples without an answer."""
    groups: list[tuple[str, int]] = []
    correct = silent = 0
    for score in samples:
        if score.outcome == "correct":
            correct += 1
        elif score.answer is None or score.outcome in ("no_answer", "truncated"):
            silent += 1
        else:
            place = next((at for at, (answer, _) in enumerate(groups) if same(answer, score.answer)), None)
            if place is None:
                groups.append((score.answer, 1))
            else:
                groups[place] = (groups[place][0], groups[place][1] + 1)
    return correct, [size for _, size in groups], silent


def vote(correct: int, wrong: Sequence[int], silent: int, n: int) -> float:
    """Chance that the correct answer wins among n samples drawn without replacement, exact.

    The sum over its number of votes k of C(correct, k) times the ways to draw the other n - k such that
    nobody has more than k, each way with t others at k counted 1 / (t + 1); over C(all, n).

    Args:
        correct: samples with the correct answer.
        wrong: sizes of the groups of other answers.
        silent: samples that do not vote.
        n: how many are drawn.

    Raises:
        DataError: fewer samples than n.
    """
    total = correct + sum(wrong) + silent
    if not 1 <= n <= total:
        raise DataError(f"a vote of {n} samples needs as many; there are {total}.")
    won = Fraction(0)
    for k in range(1, min(correct, n) + 1):
        # (drawn so far, groups that tie) -> ways
        ways = {(0, 0): 1}
        for size in wrong:
            more: defaultdict[tuple[int, int], int] = defaultdict(int)
            for (drawn, tied), count in ways.items():
                for votes in range(min(size, k, n - k - drawn) + 1):
                    more[drawn + votes, tied + (votes == k)] += count * math.comb(size, votes)
            ways = more
        for (drawn, tied), count in ways.items():
            rest = math.comb(silent, n - k - drawn) if n - k - drawn <= silent else 0
            won += Fraction(math.comb(correct, k) * count * rest, tied + 1)
    return float(won / math.comb(total, n))
