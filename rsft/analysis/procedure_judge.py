"""A judge's word on which procedures a sentence holds, to be held against the patterns'.

An option, for those who have a judge: patterns are what is counted. Each procedure is asked for by itself,
since a judge that is shown five at once tends to hand out one each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rsft.analysis.procedures import PROCEDURES
from rsft.scoring.judge import Item, Judge
from rsft.scoring.rubrics import Rubric, read_truthful

DEFINITIONS: dict[str, str] = {
    "backtracking": "gives up a step, a result or an approach as wrong or useless, or turns back to another",
    "verification": "checks a result or a step that is already there, or says that it will",
    "subgoals": "sets an intermediate goal on the way to the answer, or splits the problem into parts",
    "backward-chaining": "reasons from the wanted result back to what would be needed for it",
    "trial-and-error": "tries a value, a case or a combination to see whether it works",
}
"""By procedure of `rsft.analysis.procedure_patterns`; the first four after Gandhi et al. 2025
(arXiv:2503.01307)."""

Opened = Callable[[Rubric], Judge]
"""A judge with a rubric."""


def rubric_of(procedure: str) -> Rubric:
    """What is asked about one procedure; 1.0 is yes."""
    return Rubric(
        name=f"procedure: {procedure}",
        system="You read single sentences of a model's reasoning. You judge what a sentence does, not "
        "whether it is right.",
        template=f"""Sentence:
{{response}}

Does the writer, in this sentence, do this: {DEFINITIONS[procedure]}? Merely naming it, or reporting
that others do it, is a no. Answer in one line of this form:
#verdict: yes or no""",
        read=read_truthful,
        good=lambda raw: raw == 1.0,
    )


def judged(lines: Sequence[str], judge: Opened) -> list[frozenset[str] | str]:
    """Per line the procedures that a judge sees in it, or why it could not say of one.

    Args:
        lines: sentences, or a few of them together.
        judge: opens one per rubric; a shared cache keeps them apart.

    Raises:
        StorageError: a verdict cannot be kept.
    """
    found: list[set[str]] = [set() for _ in lines]
    lacking: dict[int, str] = {}
    for procedure in PROCEDURES:
        asked = judge(rubric_of(procedure))
        items = [Item(prompt="", response=line) for line in lines]
        for i, verdict in enumerate(asked.judge_all(items)):
            if verdict.why:
                lacking.setdefault(i, f"{procedure}: {verdict.why}")
            elif asked.good(verdict.raw):
                found[i].add(procedure)
    return [lacking.get(i) or frozenset(names) for i, names in enumerate(found)]
