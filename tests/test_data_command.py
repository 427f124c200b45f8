"""`rsft data`: built once, shown decoded, and refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engines


def rsft(*words: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rsft.cli", "data", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"RSFT_STORAGE": str(tmp_path / "runs"), "COLUMNS": "200"} | environment,
    )


def test_a_variant_is_built_once_and_shown(tmp_path: Path) -> None:
    first = rsft("build", "countdown-cot", "--rows", "12", tmp_path=tmp_path)
    assert first.returncode == 0, first.stderr
    said, place = first.stdout.strip().splitlines()
    assert said.startswith("12 rows kept") and Path(place).name == "certificate.md"
    assert "| Rows without a trained token | 0 |" in Path(place).read_text()
    again = rsft("build", "countdown-cot", "--rows", "12", tmp_path=tmp_path)
    assert again.stdout == first.stdout and again.stderr == ""  # nothing was rendered
    shown = rsft("show", "countdown-cot", "--rows", "12", "--first", "3", "--count", "2", tmp_path=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "row 3 of 12" in shown.stdout and "row 4 of 12" in shown.stdout
    assert "row 5 of 12" not in shown.stdout
    assert shown.stdout.count("<|endoftext|>") >= 2 and "Target tokens" in shown.stdout


PAGE = """
from rsft.spec import *
SWEEP = SweepSpec(name="p", models=(ModelSpec(source="nano-1m"),), lengths_steps=(2,),
    data=(DataSpec(name="own", source=FileRows(path="rows.jsonl"), rows=2),),
    train=TrainSpec(batch_sequences=2, workers=1, max_tokens=64, micro_batch_tokens=64),
    evaluation=EvalSpec(benchmarks=("gcd",), checkpoint_steps=(2,)))
"""


def test_a_page_s_own_variant_goes_where_its_sweep_will_look(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(PAGE)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "2+2?", "response": "4"}\n' * 2)
    done = rsft("build", "own", "--page", "page.py", tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs" / "p" / "prepared").iterdir()
    assert folder.name.startswith("own-") and (folder / "certificate.json").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ("build", "countdown-cott"),
            "no variant is called 'countdown-cott'; the nearest is 'countdown-cot'",
        ),
        (("build", "math-cot", "--rows", "4"), "FileRows(path='...parquet')"),
        (("show", "countdown-cot", "--rows", "4", "--first", "9"), "--first 9 is no row of"),
        (("distill", "none.py"), "'none.py' does not exist"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    done = rsft(*words, tmp_path=tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ") and complaint in done.stderr
