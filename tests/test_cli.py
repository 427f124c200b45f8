"""Bad input: one clear sentence, exit code 2, before any compute."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rsft import layout
from rsft.bases import SHIPPED
from rsft.storage import Storage

ROOT = Path(__file__).resolve().parents[1]
SMOKE = (ROOT / "sweeps" / "smoke.py").read_text()


def rsft(*arguments: str, page: str | None = None, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command, on a page with this text if one is given, without any engine at hand."""
    words = list(arguments)
    if page is not None:
        (tmp_path / "page.py").write_text(page)
        words.insert(1, str(tmp_path / "page.py"))
    return subprocess.run(
        [sys.executable, "-m", "rsft.cli", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"RSFT_STORAGE": str(tmp_path / "runs"), "COLUMNS": "500"},
    )


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("error: ")
    for word in words:
        assert word in line, line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('name="countdown", problems', 'name="countdwn", problems'), ("'countdwn'", "'countdown'")),
        (("lengths_steps=(4,)", "lengths_steps=(-4,)"), ("lengths_steps", "-4", "positive")),
        (("checkpoint_steps=(2, 4)", "checkpoint_steps=(2, 9)"), ("checkpoint_steps", "9", "beyond the end")),
        (('source="nano-1m"', 'source="./none"'), ("'./none'", "ModelSpec.source")),
        (('name="smoke"', "name=SMOKE"), ("SMOKE",)),
    ],
    ids=["benchmark", "length", "checkpoint", "model", "python"],
)
def test_a_bad_page_is_refused(change: tuple[str, str], words: tuple[str, ...], tmp_path: Path) -> None:
    assert change[0] in SMOKE
    done = rsft("run", page=SMOKE.replace(*change), tmp_path=tmp_path)
    if words == ("SMOKE",):  # a mistake of Python keeps Python's own message
        assert done.returncode != 0 and "NameError" in done.stderr
        return
    assert_refused(done, *words)
    assert not any((tmp_path / "runs").glob("*/trials/*/checkpoints"))


def test_a_page_run_by_python_ends_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(SMOKE.replace("lengths_steps=(4,)", "lengths_steps=(0,)"))
    done = subprocess.run([sys.executable, "page.py"], capture_output=True, text=True, cwd=tmp_path)
    assert_refused(done, "lengths_steps", "0")


@pytest.mark.engines
def test_an_empty_variant_is_refused_before_training(tmp_path: Path) -> None:
    done = rsft("run", page=SMOKE.replace("max_tokens=512", "max_tokens=20"), tmp_path=tmp_path)
    assert_refused(done, "is empty", "max_tokens=20")
    assert not any((tmp_path / "runs").glob("*/trials/*/checkpoints"))


@pytest.mark.engines
def test_a_response_longer_than_the_limit_fails_when_the_page_says_so(tmp_path: Path) -> None:
    page = SMOKE.replace("rows=64,", 'rows=64, too_long="fail",').replace("max_tokens=512", "max_tokens=200")
    assert_refused(rsft("run", page=page, tmp_path=tmp_path), "above max_tokens=200", "too_long")


@pytest.mark.parametrize(
    ("missing", "words"), [("tokenizer.json", "no tokenizer"), ("model.safetensors", "only pickle weights")]
)
def test_a_model_folder_that_cannot_be_used_is_refused(missing: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED / "nano-1m", folder)
    (folder / missing).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"")
    page = SMOKE.replace('source="nano-1m"', f'source="{folder}"')
    assert_refused(rsft("plan", page=page, tmp_path=tmp_path), words, str(folder))


@pytest.mark.slow
def test_a_machine_without_a_gpu_is_told_so_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done = rsft("evaluate", "nano-1m", "--benchmarks", "gcd", tmp_path=tmp_path)
    assert_refused(done, "no GPU", "--device cpu")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_an_unwritable_storage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = rsft("run", "--storage", str(tmp_path / "file" / "x"), page=SMOKE, tmp_path=tmp_path)
    assert_refused(done, "cannot be written to", "--storage")


@pytest.mark.slow
def test_a_storage_of_another_sweep_is_refused(tmp_path: Path) -> None:
    Storage(tmp_path / "other").write_json(layout.SWEEP, {"spec": {"name": "other"}})
    done = rsft("run", "--storage", str(tmp_path / "other"), page=SMOKE, tmp_path=tmp_path)
    assert_refused(done, "belongs to sweep 'other'", "'smoke'")
    assert sorted(p.name for p in (tmp_path / "other").iterdir()) == [layout.SWEEP]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "none.py"), ("none.py", "does not exist")),
        (("status", "nowhere"), ("holds no sweep",)),
    ],
)
def test_missing_places_are_named(arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path) -> None:
    assert_refused(rsft(*arguments, tmp_path=tmp_path), *words)


def test_a_page_without_a_sweep_is_refused(tmp_path: Path) -> None:
    assert_refused(rsft("plan", page="X = 1\n", tmp_path=tmp_path), "defines no SWEEP")


def test_a_page_may_import_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text(SMOKE)
    done = rsft("plan", "--json", page="from neighbour import SWEEP\n", tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sweep"] == "smoke"


def test_a_glob_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    done = rsft("run", "--only", "zzz*", page=SMOKE, tmp_path=tmp_path)
    assert_refused(done, "'zzz*'", "none of the 2 trials")


def test_a_plan_starts_nothing(tmp_path: Path) -> None:
    done = rsft("plan", "--json", page=SMOKE, tmp_path=tmp_path)
    assert json.loads(done.stdout)["n_trials"] == 2
    assert not (tmp_path / "runs").exists()
