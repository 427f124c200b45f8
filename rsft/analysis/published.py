"""What the study published, as data with its source, to be drawn beside our own numbers.

The study is "Rethinking Generalization in Reasoning SFT" (arXiv 2604.06628). Its tables were transcribed by
third parties, since its full text was not at hand; `trust` says from how many. What they do not give (14B
step by step, HEx-PHI, Table 4) is not here. Names of bases, data and benchmarks are those of sweeps/study.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rsft.analysis.trajectory import Curve, Trajectory, controlled, trajectory
from rsft.errors import DataError

ANSWERS: dict[str, tuple[int, int]] = {
    "math-500": (500, 3),
    "aime-2024": (30, 10),
    "gpqa-diamond": (198, 3),
    "livecodebench-v2": (511, 3),
    "mmlu-pro-1k": (1_000, 1),
    "ifeval": (541, 1),
    "truthfulqa": (817, 1),
}
"""Benchmark -> problems, and samples of each that a published score is the mean of. The samples are the
study's own statement (section 4 and its evaluation code); problems of GPQA, LiveCodeBench, IFEval and
TruthfulQA are the benchmarks' standard sizes, which it does not state. HaluEval's subset size is unknown,
and AlpacaEval is a reward, no share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published number."""

    table: str
    """Where the study prints it, such as `v1 Table 9`."""
    trust: Literal["confirmed", "transcribed", "doubtful"]
    """Two or more transcriptions agree; there is one; or its transcriber or we doubt it."""
    base: str
    data: str | None
    """None for the untrained base."""
    epochs: int
    """0 for the untrained base."""
    batch_sequences: int
    step: int
    benchmark: str
    metric: Literal["accuracy", "reward", "truthful", "helpful"]
    value: float
    """Shares in [0, 1]; a reward model's mean score as it is."""


REWARD, TRUE, HELPFUL = "alpaca-eval:reward", "truthfulqa:truthful", "truthfulqa:helpful"
MATH = "math-500 aime-2024"
REASONING = f"{MATH} livecodebench-v2 gpqa-diamond mmlu-pro-1k"
STEPWISE = f"{REASONING} ifeval halueval {TRUE} {HELPFUL}"
ENDS = f"{REASONING} ifeval {REWARD} halueval {HELPFUL}"

_STEPS_4B = """
0   70.8 11.0 20.6 14.6 35.5 49.2 50.8 81.6 48.2
10  64.9  9.0 21.5 19.9 31.5 46.3 48.7 78.2 54.5
20  62.9 13.0 17.0 17.3 30.8 33.0 63.1 83.6 37.7
40  71.5 15.3 14.5 19.4 50.1 37.2 67.7 96.7 47.9
80  77.1 19.0 18.1 23.9 55.6 40.4 71.1 95.1 53.0
160 78.8 22.3 17.6 27.9 59.1 41.6 71.6 92.7 64.4
320 86.3 29.0 23.5 33.3 63.1 45.4 72.6 89.5 80.2
480 87.1 27.3 23.5 36.7 63.2 50.0 69.3 89.2 84.6
640 86.2 30.7 24.4 37.9 64.8 49.4 69.4 90.8 84.7
"""
# IFEval from step 160 on is doubtful: near-copies of the MMLU-Pro column.
_STEPS_1_7B = """
0   58.9  5.7  9.1 14.3 22.0 35.0
10  55.7  4.3  9.9 15.0 20.8 35.9
20  53.5  3.3 11.5 15.2 16.3 30.7
40  42.9  1.7  4.1  9.8 18.3 29.5
80  49.6  2.7  6.3  6.2 26.2 30.1
160 51.6  4.0  4.9  8.1 30.5 30.5?
320 56.5  5.0  7.4  6.6 31.7 31.7?
480 59.1  3.7  6.5  7.9 33.2 33.5?
640 56.2  5.0  7.0  9.4 33.7 33.7?
"""
_NOCOT_1_7B = """
10  55.2 3.0
40  58.9 5.7
80  58.1 4.7
160 58.0 4.3
320 60.7 4.0
480 61.3 5.7
640 59.5 5.7
"""
_NOCOT_4B = """
10  66.7  7.7
40  73.2 10.0
80  72.9  9.7
160 74.3  9.0
320 75.9 11.3
480 74.5 11.3
640 74.3 11.7
"""
_ENDS_NOCOT_4B = "640 22.0 38.2 59.0 55.9 56.4 94.5 100"
_ENDS_COUNTDOWN_4B = "640 83.8 21.0 25.0 38.6 60.3 41.4"
_ENDS_COUNTDOWN_1_7B = "640 57.1 5.3 6.3 18.7 34.2 29.9"

_BASES = """
Qwen3-1.7B-Base 58.9  5.7  9.1 14.3 22.0 35.0 41.8 69.9 68.7
Qwen3-4B-Base   70.8 11.0 20.6 14.6 35.5 49.2 50.8 81.6 48.2
Qwen3-8B-Base   76.8 12.0 29.1 37.5 55.2 54.8 50.5 84.7 83.6
Qwen3-14B-Base  77.8 14.7 37.5 41.8 61.8 64.2 54.7 80.1 94.4
Qwen2.5-1.5B    58.7  4.3  9.4 21.0 15.0 37.0 45.7 78.5 24.2
Qwen2.5-7B      66.7  7.7 15.7 26.9 34.8 41.1 45.3 80.7 96.5
Qwen2.5-14B     65.7  8.0 17.6 28.6 40.9 49.0 56.1 85.6 93.8
InternLM2.5-20B 53.7  1.7 17.6 20.9 34.3 51.1 60.6 70.3 72.6
"""
# Last checkpoints by data, 640 steps of 256 rows. GPQA-Diamond's base values differ from those above: the
# study's code draws the order of options anew in every process.
_TABLE_2 = """
Qwen3-14B-Base  -                   77.8 14.7 37.5 44.1 61.8 64.2  0.53 54.7 94.4
Qwen3-14B-Base  math-cot            95.1 66.0 55.1 63.3 74.4 68.9  1.42 72.8 95.6
Qwen3-14B-Base  math-nocot          82.4 17.0 40.3 48.3 69.1 71.7  2.11 70.9 100
Qwen3-14B-Base  numina              74.8 14.0 20.4 38.4 59.0 52.8 -0.45 62.7 88.6
Qwen3-14B-Base  countdown-cot-study 91.5 41.7 43.8 53.0 65.4 61.3  1.36 72.3 92.4
Qwen3-8B-Base   -                   76.8 12.0 29.1 39.7 55.2 54.8 -0.13 50.5 84.6
Qwen3-8B-Base   math-cot            90.1 47.7 31.0 48.5 69.5 56.6  0.92 71.3 91.3
Qwen3-8B-Base   math-nocot          77.4 13.3 31.8 45.1 60.9 63.7  1.85 56.2 100
Qwen3-8B-Base   numina              72.5  7.0  7.9 37.2 48.2 37.8 -0.70 64.2 89.8
Qwen3-8B-Base   countdown-cot-study 87.6 26.0 32.8 41.6 56.6 52.3  0.13 68.9 75.5
InternLM2.5-20B -                   53.7  1.7 17.6 20.9 34.3 51.1 -0.84 60.6 72.6
InternLM2.5-20B math-cot            80.3 16.7 26.0 41.4 48.3 52.6  1.23 69.1 99.8
InternLM2.5-20B math-nocot          57.9  5.0 17.9 35.7 48.3? 52.3    .    .    .
InternLM2.5-20B numina              45.7  1.0  3.9 29.3 38.9 39.1 -1.55 58.3 99.0
InternLM2.5-20B countdown-cot-study 54.5  2.3 22.1 25.3 47.5 39.6  0.40 70.2 75.5
"""
# Repeated exposure against one pass, Qwen3-14B-Base, 640 steps: data, batch, epochs. One transcription has
# 59.8 for MMLU-Pro in the last row, which looks like a slip from the next column.
_TABLE_1 = """
math-cot      256 8 95.1 66.0 55.1 63.3 74.4 68.9 1.42 72.8 95.6
math-cot-2.5k  32 8 94.9 61.7 51.7 59.9 73.6 63.4 1.10 72.6 96.2
math-cot       32 1 92.9 48.0 45.4 46.8 70.5? 59.8 0.93 75.2 86.3
"""


def published() -> Iterator[Published]:
    """Every number, table by table; the same cell may stand in several tables."""
    for line in _lines(_BASES):
        yield from _row(line[1:], STEPWISE, table="v1 Table 5", base=line[0])
    for base, table, names, text in (
        ("Qwen3-4B-Base", "v1 Table 9", STEPWISE, _STEPS_4B),
        ("Qwen3-1.7B-Base", "v1 Table 6", f"{REASONING} ifeval", _STEPS_1_7B),
    ):
        for step, *values in _lines(text):
            yield from _row(
                values, names, table=table, base=base, data="math-cot", step=int(step), confirmed=MATH
            )
    few = "livecodebench-v2 gpqa-diamond mmlu-pro-1k ifeval halueval"
    for base, data, names, text in (
        ("Qwen3-1.7B-Base", "math-nocot", MATH, _NOCOT_1_7B),
        ("Qwen3-4B-Base", "math-nocot", MATH, _NOCOT_4B),
        ("Qwen3-4B-Base", "math-nocot", f"{few} {TRUE} {HELPFUL}", _ENDS_NOCOT_4B),
        ("Qwen3-4B-Base", "countdown-cot-study", f"{REASONING} ifeval", _ENDS_COUNTDOWN_4B),
        ("Qwen3-1.7B-Base", "countdown-cot-study", f"{REASONING} ifeval", _ENDS_COUNTDOWN_1_7B),
    ):
        for step, *values in _lines(text):
            yield from _row(values, names, table="v2 Tables 18-24", base=base, data=data, step=int(step))
    for base, trained, *values in _lines(_TABLE_2):
        confirmed = ENDS if base == "Qwen3-14B-Base" else ""
        at = 0 if trained == "-" else 640
        yield from _row(
            values, ENDS, table="v1 Table 2", base=base, data=trained, step=at, confirmed=confirmed
        )
    for data, batch, epochs, *values in _lines(_TABLE_1):
        yield from _row(
            values,
            ENDS,
            table="v1 Table 1",
            base="Qwen3-14B-Base",
            data=data,
            step=640,
            epochs=int(epochs),
            batch=int(batch),
        )


def published_curve(base: str, data: str, benchmark: str, seed: int = 0) -> Curve:
    """A published curve as rows of right and wrong answers, to be judged as ours are.

    The tables have no answers to single problems, so nothing can be paired, nor samples of a problem held
    together. Assumed: each score is the mean of n = problems x samples independent answers (ANSWERS), drawn
    anew at every step. Of these two, missing pairs widen intervals and missing clusters narrow them.

    Args:
        base, data, benchmark: as in sweeps/study.py; of 8 epochs of 256 rows.
        seed: of which answers are the right ones.

    Raises:
        DataError: no such curve with step 0, or a benchmark whose number of answers is not known.
    """
    # A table of its own for a curve: the base's score is the one that its authors compare with.
    every = [
        row
        for row in published()
        if (row.base, row.benchmark) == (base, benchmark) and row.metric in ("accuracy", "truthful")
    ]
    trained = {row.step: row.value for row in every if row.data == data and row.epochs == 8}
    starts = [row.value for row in every if row.data is None]
    if not trained or not starts or benchmark not in ANSWERS:
        raise DataError(f"the study has no curve of {base} with {data} on {benchmark} that could be judged.")
    means = {0: starts[0], **trained}
    answers, random = math.prod(ANSWERS[benchmark]), np.random.default_rng(seed)
    rows = np.zeros((len(means), answers))
    for row, mean in zip(rows, means.values(), strict=True):
        row[random.permutation(answers)[: round(mean * answers)]] = 1.0
    return Curve(steps=tuple(means), scores=rows)


def reading(base: str, data: str, benchmark: str, seed: int = 0) -> Trajectory:
    """What we make of a published curve by itself, a dip or a loss whose shape is open too; see
    `published_curve` for what is assumed. Its samples are counted as problems, so a need of more problems is
    one of more answers."""
    return controlled([trajectory(published_curve(base, data, benchmark, seed), seed=seed)])[0]


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def _row(
    values: list[str],
    names: str,
    *,
    table: str,
    base: str,
    data: str | None = None,
    step: int = 0,
    epochs: int = 8,
    batch: int = 256,
    confirmed: str = "",
) -> Iterator[Published]:
    """The numbers of a line; `.` is not known, a question mark doubtful."""
    for name, text in zip(names.split(), values, strict=True):
        benchmark, _, metric = name.partition(":")
        if text == ".":
            continue
        known: Literal["confirmed", "transcribed"] = (
            "confirmed" if name in confirmed.split() else "transcribed"
        )
        number = float(text.rstrip("?"))
        yield Published(
            table=table,
            trust="doubtful" if text.endswith("?") else known,
            base=base,
            data=data if step else None,
            epochs=epochs if step else 0,
            batch_sequences=batch,
            step=step,
            benchmark=benchmark,
            metric=_METRICS[metric],
            value=number if metric == "reward" else round(number / 100, 6),
        )


_METRICS: dict[str, Literal["accuracy", "reward", "truthful", "helpful"]] = {
    "": "accuracy",
    "reward": "reward",
    "truthful": "truthful",
    "helpful": "helpful",
}
