"""Our scores of published checkpoints beside the published ones. Pure: estimates in, rows and texts out."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from rsft.analysis.published import ANSWERS, Published
from rsft.records import Estimate

OURS = {"accuracy": "accuracy", "truthful": "accuracy", "reward": "raw"}
"""Published metric -> ours; what is not here (TruthfulQA's helpful share) has no counterpart."""

SCALE = {"accuracy": 100.0, "truthful": 100.0, "reward": 1.0}
"""What a table shows of it: percent, or a reward as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One published number beside ours; shares in [0, 1]."""

    base: str
    data: str
    """Empty for the untrained base."""
    step: int
    benchmark: str
    metric: str
    table: str
    published: float
    published_stderr: float | None
    """Binomial, of the published number of answers; None where that is not known."""
    ours: float | None = None
    """None: not there (yet)."""
    ours_stderr: float | None = None
    truncated: float | None = None
    """Share of our answers that were cut at the token limit."""
    finished: float | None = None
    """Our accuracy among answers that were not."""
    problems: int = 0
    samples: int = 0
    """Our answers, all problems together."""
    difference: float | None = None
    standard_errors: float | None = None
    """The difference in standard errors of a difference."""
    deviations: str = ""
    """What is known to differ between the two measurements."""


def published_of(
    rows: Sequence[Published], base: str, data: str | None, step: int, epochs: int, batch_sequences: int
) -> list[Published]:
    """What was published of a checkpoint and has a counterpart here: the first table's word per benchmark,
    a doubtful one only where there is no other."""
    wanted = {"base": base, "step": step, "data": data}
    if data is not None:
        wanted |= {"epochs": epochs, "batch_sequences": batch_sequences}
    found: dict[tuple[str, str], Published] = {}
    for row in sorted(rows, key=lambda row: row.trust == "doubtful"):
        if row.metric in OURS and all(getattr(row, name) == value for name, value in wanted.items()):
            found.setdefault((row.benchmark, row.metric), row)
    return list(found.values())


def compare(
    row: Published,
    estimates: Sequence[Estimate] | None,
    *,
    asked: tuple[int, int],
    of: int,
    note: str,
    why: str = "",
) -> Compared:
    """A published number beside our estimates of the same checkpoint and benchmark.

    The standard error of the difference takes both measurements as independent. They ask the same problems,
    so what the choice of problems adds to both cancels in truth: the number of standard errors is rather too
    small than too large. Where the published number of answers is not known, ours alone counts.

    Args:
        row: the published number.
        estimates: of our cell; None when it is not done.
        asked: our problems, and answers to each.
        of: problems of the whole benchmark.
        note: of the benchmark's card, on how the study's evaluation differs.
        why: why the cell is not done.
    """
    answers = ANSWERS.get(row.benchmark) if row.metric != "reward" else None
    theirs = math.sqrt(row.value * (1 - row.value) / math.prod(answers)) if answers else None
    facts = [note, *_other_counts(asked, of, answers)]
    if row.trust == "doubtful":
        facts.append("the published number is doubtful")
    by = {estimate.metric: estimate for estimate in estimates or ()}
    ours = by.get(OURS[row.metric])
    found = Compared(
        base=row.base,
        data=row.data or "",
        step=row.step,
        benchmark=row.benchmark,
        metric=row.metric,
        table=row.table,
        published=row.value,
        published_stderr=theirs,
        deviations="; ".join(fact for fact in [why, *facts] if fact),
    )
    if ours is None:
        return found
    difference = ours.value - row.value
    error = math.hypot(ours.stderr, theirs or 0.0)
    done = {
        "ours": ours.value,
        "ours_stderr": ours.stderr,
        "truncated": ours.truncated,
        "finished": _finished(by) if row.metric != "reward" else None,
        "problems": ours.problems,
        "samples": ours.samples,
        "difference": difference,
        "standard_errors": difference / error if error else None,
    }
    return Compared(**(asdict(found) | done))


def _finished(by: Mapping[str, Estimate]) -> float | None:
    found = by.get("accuracy_finished")
    return None if found is None or math.isnan(found.value) else found.value


def _other_counts(asked: tuple[int, int], of: int, answers: tuple[int, int] | None) -> list[str]:
    problems, samples = asked
    facts = [f"we ask the first {problems:,} of {of:,} problems"] if problems < of else []
    if answers is None:
        facts.append("the published number of answers is not known: our error alone counts")
        return facts
    if problems == of and of != answers[0]:
        facts.append(f"{of:,} problems here, {answers[0]:,} there")
    if samples != answers[1]:
        facts.append(f"{samples} answers to each problem here, {answers[1]} there")
    return facts


HEADS = ("base", "data", "step", "benchmark", "published", "ours", "finished", "cut", "difference", "SE")


def cells(row: Compared) -> tuple[str, ...]:
    """A row as a table shows it, under HEADS; shares in percent."""
    scale = SCALE[row.metric]
    name = row.benchmark if row.metric == "accuracy" else f"{row.benchmark} ({row.metric})"
    return (
        row.base,
        row.data or "-",
        str(row.step),
        name,
        _with_error(row.published, row.published_stderr, scale),
        "open" if row.ours is None else _with_error(row.ours, row.ours_stderr, scale),
        "" if row.finished is None else f"{scale * row.finished:.1f}",
        "" if row.truncated is None else f"{100 * row.truncated:.0f} %",
        "" if row.difference is None else f"{scale * row.difference:+.1f}",
        "" if row.standard_errors is None else f"{row.standard_errors:+.1f}",
    )


def _with_error(value: float, stderr: float | None, scale: float) -> str:
    return f"{scale * value:.1f}" + ("" if stderr is None else f" ± {scale * stderr:.1f}")


def summary(rows: Sequence[Compared]) -> str:
    """One sentence: how many agree within two standard errors, and which is farthest off."""
    known = [row for row in rows if row.standard_errors is not None]
    if not known:
        return f"none of {len(rows)} published numbers has one of ours beside it yet."
    near = sum(abs(row.standard_errors or 0.0) <= 2 for row in known)
    far = max(known, key=lambda row: abs(row.standard_errors or 0.0))
    return (
        f"{near} of {len(known)} differences are within 2 standard errors (95 % would be, were nothing but "
        f"chance between them); farthest: {far.benchmark} of {far.base} {far.data or 'untrained'} at step "
        f"{far.step}, {far.standard_errors:+.1f}. {len(rows) - len(known)} of {len(rows)} are open."
    )


def as_markdown(rows: Sequence[Compared]) -> str:
    """The table, what deviates per benchmark, and the summary."""
    lines = [f"| {' | '.join(HEADS)} |", "|" + "---|" * len(HEADS)]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    told: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for fact in row.deviations.split("; "):
            known = told.setdefault((row.benchmark, row.metric), [])
            if fact and fact not in known:
                known.append(fact)
    lines += ["", summary(rows), "", "What differs:", ""]
    lines += [f"- {name} ({metric}): {'; '.join(facts)}" for (name, metric), facts in told.items() if facts]
    return "\n".join(lines) + "\n"


def as_csv(rows: Sequence[Compared]) -> str:
    """All fields, shares as they are."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Compared)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()
