"""Which rows are trained on: a source, then transforms in order."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsft.errors import SpecError
from rsft.spec.base import Spec

TooLong = Literal["drop", "truncate", "fail"]


class GeneratedRows(Spec):
    """Problems of a reasoning-gym task with solutions that are worked out and verified here."""

    kind: Literal["generated"] = "generated"
    task: Literal["gsm-symbolic", "countdown"]
    """A benchmark card whose task has worked solutions."""
    style: Literal["long-cot", "answer-only"]
    """Thinking between think tags, then the answer; or the boxed answer alone."""
    summary: bool = False
    """Between thinking and answer, the steps that led to it without the search (long-cot only)."""
    config: dict[str, int] = Field(default_factory=dict)
    """Difficulty settings of the task beside those of its benchmark card, such as max_numbers=4."""
    search_lines: int = Field(default=24, gt=2)
    """Longest search of a countdown trace, in lines."""
    seed: int = Field(default=0, ge=0, lt=1_000)
    """Training block of problems (see rsft.spec.seeds)."""


class PackagedRows(Spec):
    """Real rows out of a pinned, checksummed wheel (see rsft.wheels)."""

    kind: Literal["packaged"] = "packaged"
    name: Literal["math-human", "advbench-refusals"]
    """`math-human`: the 4,500 MATH test problems outside MATH-500 with their human solutions.
    `advbench-refusals`: 520 harmful requests of AdvBench, each with a refusal of ours."""


class HubRows(Spec):
    """A data set of the Hugging Face hub."""

    kind: Literal["hub"] = "hub"
    dataset: str
    """Hub id."""
    revision: str | None = None
    """Commit; None means the newest, which the plan calls unpinned."""
    config: str | None = None
    """Named configuration of the data set."""
    split: str = "train"


class FileRows(Spec):
    """A local Parquet, JSONL, JSON, CSV or Arrow file."""

    kind: Literal["file"] = "file"
    path: str


class GivenCheckpoint(Spec):
    """Weights of one step of a run that was trained elsewhere."""

    step: int = Field(gt=0)
    """Optimizer step, as that run counted."""
    source: str = Field(min_length=1)
    """A model folder."""
    identity: str | None = None
    """Pins the weights, as `rsft.bases.Base.identity`; worked out from the folder when None. With it, what
    was asked can be reported when the folder is gone."""


class GivenRows(Spec):
    """Rows that are not here: of a run that was trained elsewhere (`SweepSpec.given`)."""

    kind: Literal["given"] = "given"
    checkpoints: tuple[GivenCheckpoint, ...] = ()


PlainSource = Annotated[GeneratedRows | PackagedRows | HubRows | FileRows, Field(discriminator="kind")]


class StripThinking(Spec):
    """Takes the thinking out; summary and answer stay as they are. Rows without thinking stay whole."""

    kind: Literal["strip-thinking"] = "strip-thinking"


class AnswerOnly(Spec):
    """Leaves the boxed answer alone; drops rows whose response has none."""

    kind: Literal["answer-only"] = "answer-only"


class PairedWith(Spec):
    """The same queries with another source's responses; rows without a partner are dropped."""

    kind: Literal["paired-with"] = "paired-with"
    source: PlainSource
    by: Literal["question", "id"] = "question"
    """`question`: the last user message, white space apart; `id`: the rows' own id column."""


class Subset(Spec):
    """`rows` of the first `of` rows, chosen by seed; of one seed, smaller subsets lie in larger ones."""

    kind: Literal["subset"] = "subset"
    rows: int = Field(gt=0)
    of: int = Field(gt=0)
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.rows > self.of:
            raise SpecError(f"Subset.rows={self.rows} is more than of={self.of}; take fewer rows.")
        return self


class Verified(Spec):
    """Keeps rows whose answer the grader finds right; drops rows that have no gold answer to compare."""

    kind: Literal["verified"] = "verified"
    grader: Literal["math"] = "math"


class Corrupted(Spec):
    """Puts another row's answer in place of the right one, in a chosen share of rows: the quality axis.

    The grader confirms that the new answer is wrong. Of one seed, rows of a smaller share lie in those of
    a larger one.
    """

    kind: Literal["corrupted"] = "corrupted"
    share: float = Field(gt=0, le=1)
    seed: int = 0


class WithoutBenchmarks(Spec):
    """Drops rows that contain a problem of these benchmarks (see rsft.data.contamination)."""

    kind: Literal["without-benchmarks"] = "without-benchmarks"
    benchmarks: tuple[str, ...] = Field(min_length=1)


Transform = Annotated[
    StripThinking | AnswerOnly | PairedWith | Subset | Verified | Corrupted | WithoutBenchmarks,
    Field(discriminator="kind"),
]


class Part(Spec):
    """One ingredient of a mixture."""

    source: PlainSource
    transforms: tuple[Transform, ...] = ()
    weight: float = Field(gt=0)
    """Relative to the other parts' weights."""


class MixtureRows(Spec):
    """Rows of several sources, drawn by weight; each part keeps its order. Ends when a part runs out."""

    kind: Literal["mixture"] = "mixture"
    parts: tuple[Part, ...] = Field(min_length=2)
    seed: int = 0


Source = Annotated[
    GeneratedRows | PackagedRows | HubRows | FileRows | MixtureRows | GivenRows,
    Field(discriminator="kind"),
]


class DataSpec(Spec):
    """One value of the data axis: a named variant."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """Word for ids, tables and figures."""

    source: Source

    transforms: tuple[Transform, ...] = ()
    """Applied in this order."""

    rows: int = Field(gt=0)
    """Rows taken after the transforms; steps per epoch are worked out from this number."""

    target_tokens: int | None = Field(default=None, gt=0)
    """Rows are taken up to this many target tokens in all, so that variants of different length train on
    the same amount; `rows` stays the upper bound. Needs training lengths in steps."""

    too_long: TooLong = "drop"
    """What happens to rows above TrainSpec.max_tokens: drop, truncate on the right, or fail. Counted."""

    @property
    def sources(self) -> tuple[PlainSource, ...]:
        """Every source that rows come from, partners included."""
        parts = self.source.parts if isinstance(self.source, MixtureRows) else ()
        first = () if isinstance(self.source, MixtureRows | GivenRows) else (self.source,)
        transforms = (*self.transforms, *(t for part in parts for t in part.transforms))
        partners = (t.source for t in transforms if isinstance(t, PairedWith))
        return (*first, *(part.source for part in parts), *partners)
