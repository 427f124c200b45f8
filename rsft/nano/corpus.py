"""The text that nano bases are pretrained on.

A stream of small documents, each a pure function of (seed, index): arithmetic drills, questions of the
benchmark tasks with answers in plain text, and some of both in chat format. A base that has read a few
million tokens of it knows the language of the tasks and the chat markers, and answers poorly.
Problems come from the `pretraining` block of seeds, which no training set and no benchmark can draw from.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import reasoning_gym

from rsft.benchmarks.cards import CARDS, GeneratedProblems
from rsft.data.countdown import solve
from rsft.spec.seeds import BLOCK, item_seeds

IM_START, IM_END, END = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
THINK, END_THINK = "<think>", "</think>"

SHARES = {
    "drill": 0.16,
    "gsm-symbolic": 0.22,
    "countdown": 0.16,
    "letter-counting": 0.12,
    "gcd": 0.08,
    "count-bits": 0.08,
    "chain-sum": 0.10,
    "spell-backward": 0.08,
}
"""Share of documents per kind."""

CHAT_SHARE = 0.5
"""Task documents in chat format; the rest are plain text."""

THINK_SHARE = 0.25
"""Chat documents of a task with worked solutions that show them between think tags."""


@cache
def _problems(name: str, seed: int) -> Any:
    source = CARDS[name].source
    assert isinstance(source, GeneratedProblems)
    first = item_seeds("pretraining", seed, BLOCK).start
    return reasoning_gym.create_dataset(source.task, size=BLOCK, seed=first, **source.config)


def _drill(rng: random.Random) -> str:
    """A run of true equations."""
    lines = []
    for _ in range(rng.randint(4, 10)):
        sign = rng.choice("++--**/")
        top = rng.choice((12, 30, 100)) if sign in "+-" else rng.choice((10, 12, 20))
        a, b = rng.randint(1, top), rng.randint(1, top)
        if sign == "/":
            lines.append(f"{a * b} / {a} = {b}")
        else:
            value = a + b if sign == "+" else a - b if sign == "-" else a * b
            lines.append(f"{a} {sign} {b} = {value}")
    return "\n".join(lines)


def _worked(name: str, item: dict[str, Any], rng: random.Random) -> tuple[str | None, str]:
    """(worked solution or None, final answer) of one problem."""
    answer = str(item["answer"])
    if name == "gsm-symbolic":
        return item["metadata"]["answer_cot"].rpartition("\n####")[0], answer
    if name == "countdown":
        trace = solve(item["metadata"]["numbers"], item["metadata"]["target"], rng.getrandbits(32))
        return (trace.text, trace.expression) if trace else (None, answer)
    return None, answer


def chat(user: str, response: str) -> str:
    """One exchange in the nano chat format; equals what the tokenizer's chat template renders."""
    return f"{IM_START}user\n{user}{IM_END}\n{IM_START}assistant\n{response}"


def document(seed: int, index: int) -> str:
    """Document `index` of corpus `seed`."""
    rng = random.Random(f"{seed}:{index}")
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "drill":
        return _drill(rng)
    item = _problems(kind, seed)[index % BLOCK]
    worked, answer = _worked(kind, item, rng)
    question = item["question"].strip()
    if rng.random() < CHAT_SHARE:
        think = f"{THINK}\n{worked}\n{END_THINK}\n\n" if worked and rng.random() < THINK_SHARE else ""
        return chat(CARDS[kind].prompt(question), f"{think}\\boxed{{{answer}}}")
    if worked and rng.random() < 0.5:
        return f"Question: {question}\nSolution: {worked}\nAnswer: {answer}"
    return f"Question: {question}\nAnswer: {answer}"


def documents(seed: int, start: int = 0) -> Iterator[str]:
    """The endless stream, from document `start` on."""
    index = start
    while True:
        yield document(seed, index)
        index += 1
