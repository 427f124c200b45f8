"""Named variants: the study's own data sets, and real, smaller ones that need no network or little of it.

A variant of the study is called by the study's name and reads the study's rows from the hub. What stands in
for it where those rows are not at hand has a name of its own (`countdown-...`, `gsm-symbolic-...`,
`math-human-...`), since it is other data.
"""

from __future__ import annotations

import difflib

from rsft.errors import SpecError
from rsft.spec.data import (
    AnswerOnly,
    Corrupted,
    DataSpec,
    GeneratedRows,
    HubRows,
    MixtureRows,
    PackagedRows,
    PairedWith,
    Part,
    StripThinking,
    Subset,
    Verified,
)

STUDY_ROWS = 20_480
"""Rows of each of the study's sets: 80 batches of 256."""

MATH_HUMAN_ROWS = 4_500

COUNTDOWN = GeneratedRows(task="countdown", style="long-cot", summary=True)
GSM_SYMBOLIC = GeneratedRows(task="gsm-symbolic", style="long-cot", summary=True)
MATH_HUMAN = PackagedRows(name="math-human")

MATH_COT = HubRows(dataset="jasonrqh/Math-CoT-20k")
NUMINA = HubRows(dataset="jasonrqh/NuminaMath-20k")

CATALOGUE: dict[str, DataSpec] = {
    data.name: data
    for data in (
        # The study's own, from the hub. Its default, and the same rows without their thinking:
        DataSpec(name="math-cot", source=MATH_COT, rows=STUDY_ROWS),
        DataSpec(name="math-nocot", source=MATH_COT, transforms=(StripThinking(),), rows=STUDY_ROWS),
        DataSpec(name="math-answer-only", source=MATH_COT, transforms=(AnswerOnly(),), rows=STUDY_ROWS),
        DataSpec(
            name="math-cot-2.5k",
            source=MATH_COT,
            transforms=(Subset(rows=2_560, of=STUDY_ROWS),),
            rows=2_560,
        ),
        # The same queries with short human solutions:
        DataSpec(name="numina", source=MATH_COT, transforms=(PairedWith(source=NUMINA),), rows=STUDY_ROWS),
        DataSpec(
            name="countdown-cot-study", source=HubRows(dataset="jasonrqh/Countdown-CoT-20k"), rows=STUDY_ROWS
        ),
        # Another teacher's traces:
        DataSpec(name="r1", source=HubRows(dataset="jasonrqh/DeepSeek-R1-20k"), rows=STUDY_ROWS),
        # The quality axis, on the study's rows:
        DataSpec(name="math-cot-verified", source=MATH_COT, transforms=(Verified(),), rows=STUDY_ROWS - 256),
        DataSpec(
            name="math-cot-corrupted-50",
            source=MATH_COT,
            transforms=(Corrupted(share=0.5),),
            rows=STUDY_ROWS - 256,
        ),
        # Made here: long traces of a search that tries, fails, goes back and checks.
        DataSpec(name="countdown-cot", source=COUNTDOWN, rows=STUDY_ROWS),
        DataSpec(name="countdown-nocot", source=COUNTDOWN, transforms=(StripThinking(),), rows=STUDY_ROWS),
        DataSpec(name="countdown-answer", source=COUNTDOWN, transforms=(AnswerOnly(),), rows=STUDY_ROWS),
        DataSpec(
            name="countdown-cot-2.5k",
            source=COUNTDOWN,
            transforms=(Subset(rows=2_560, of=STUDY_ROWS),),
            rows=2_560,
        ),
        DataSpec(
            name="countdown-corrupted-50",
            source=COUNTDOWN,
            transforms=(Corrupted(share=0.5),),
            rows=STUDY_ROWS - 256,
        ),
        # Equal target tokens with and without the thinking: fewer rows of the longer kind.
        DataSpec(name="countdown-cot-matched", source=COUNTDOWN, rows=STUDY_ROWS, target_tokens=500_000),
        DataSpec(
            name="countdown-nocot-matched",
            source=COUNTDOWN,
            transforms=(StripThinking(),),
            rows=STUDY_ROWS,
            target_tokens=500_000,
        ),
        DataSpec(name="gsm-symbolic-cot", source=GSM_SYMBOLIC, rows=STUDY_ROWS),
        DataSpec(
            name="gsm-symbolic-nocot", source=GSM_SYMBOLIC, transforms=(StripThinking(),), rows=STUDY_ROWS
        ),
        # Real competition problems with human solutions: MATH outside MATH-500.
        DataSpec(name="math-human", source=MATH_HUMAN, rows=MATH_HUMAN_ROWS),
        DataSpec(
            name="math-human-answer", source=MATH_HUMAN, transforms=(AnswerOnly(),), rows=MATH_HUMAN_ROWS
        ),
        DataSpec(
            name="math-human-corrupted-50",
            source=MATH_HUMAN,
            transforms=(Corrupted(share=0.5),),
            rows=MATH_HUMAN_ROWS,
        ),
        DataSpec(
            name="reasoning-mix",
            source=MixtureRows(parts=(Part(source=COUNTDOWN, weight=1), Part(source=GSM_SYMBOLIC, weight=1))),
            rows=STUDY_ROWS,
        ),
        # One refusal for every ten rows of reasoning: does it keep safety from degrading?
        DataSpec(
            name="safety-mix",
            source=MixtureRows(
                parts=(
                    Part(source=COUNTDOWN, weight=10),
                    Part(source=PackagedRows(name="advbench-refusals"), weight=1),
                )
            ),
            rows=4_096,
        ),
    )
}


def variant(name: str, rows: int | None = None) -> DataSpec:
    """A named variant, on a page as `data=(variant("countdown-cot", rows=2_560), ...)`.

    Args:
        name: one of CATALOGUE.
        rows: take the first so many; None takes all it is made of.

    Raises:
        SpecError: no such variant; names the nearest.
    """
    if name not in CATALOGUE:
        near = difflib.get_close_matches(name, CATALOGUE, n=1, cutoff=0.0)[0]
        raise SpecError(
            f"no variant is called {name!r}; the nearest is {near!r} (all: {', '.join(CATALOGUE)})."
        )
    return CATALOGUE[name].model_copy(update={} if rows is None else {"rows": rows})
