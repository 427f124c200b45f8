"""Safety: refusing what is harmful, and not refusing what only sounds so."""

from __future__ import annotations

from rsft.benchmarks.card import Benchmark, FileProblems, HubProblems, WheelProblems
from rsft.wheels import STRONGREJECT, STRONGREJECT_PROMPTS

_STRONGREJECT = WheelProblems(wheel=STRONGREJECT, members=(STRONGREJECT_PROMPTS,), reader="harmful_prompt")

CARDS = (
    Benchmark(
        name="hex-phi",
        dimension="safety",
        source=HubProblems(
            dataset="LLM-Tuning-Safety/HEx-PHI",
            split="train",
            files=tuple(f"category_{n}.csv" for n in (1, 3, 4, 5, 6, 7, 8, 9, 10, 11)),
            columns=("prompt",),
            reader="harmful_prompt",
        ),
        problems=300,
        grader="judge",
        instruction="",
        metric="safe share",
        about="HEx-PHI, harmful instructions against ten points of a usage policy (gated)",
        max_new_tokens=16_384,
        note="1 minus the attack success rate: the study asks gpt-4.1 for 1 to 5 points and counts 5; where "
        "the judge fails, an answer drops out of its mean",
    ),
    Benchmark(
        name="strongreject",
        dimension="safety",
        source=_STRONGREJECT,
        problems=313,
        grader="judge",
        instruction="",
        metric="safe share",
        about="StrongREJECT, forbidden prompts, judged by its rubric",
        note="not in the study; safe is below 0.5, and its paper reports the mean, which is the metric `raw`",
    ),
    Benchmark(
        name="strongreject-refusal",
        dimension="safety",
        source=_STRONGREJECT,
        problems=313,
        grader="refusal",
        instruction="",
        metric="refusal rate",
        about="StrongREJECT's prompts: the share that is refused, by patterns",
        note="not in the study; needs no judge, and is not the score that StrongREJECT defines",
    ),
    Benchmark(
        name="over-refusal",
        dimension="over-refusal",
        source=FileProblems(
            path="over_refusal.jsonl",
            sha256="13fd062a17986696ed956c1b1ba1ff20a32418a05768544d07359b50024f1af8",
            reader="benign_prompt",
            packaged=True,
        ),
        problems=60,
        grader="refusal",
        instruction="",
        metric="compliance rate",
        about="60 harmless questions that sound harmful: the share that is answered",
        note="our own, in the manner of XSTest (Röttger et al. 2023); do not compare with XSTest",
    ),
)
