"""The house's floors: who may import whom, and which module is an engine's door."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent

GROUND = (
    *("errors", "records", "layout", "storage", "provenance"),
    *("bases", "boxed", "canary", "checkpoints", "cores", "files", "imports", "wheels", "spec"),
)
FLOORS = {
    **dict.fromkeys(GROUND, 0),
    "rsft": 0,  # the package itself: its version and its folder
    "scoring": 1,
    "benchmarks": 1,
    "analysis": 2,
    "data": 2,
    "training": 3,
    "generation": 3,
    "tracking": 3,
    "report": 3,
    "nano": 3,
    "sweep": 4,
    "resume": 5,
    "data_commands": 5,
    "cli": 6,
    "sweeps": 6,
}

DOORS: dict[str, tuple[str, ...]] = {
    "ray.tune": ("rsft/sweep/tuner.py",),
    "ray.train": ("rsft/training/launch.py", "rsft/training/group.py", "rsft/training/loop.py"),
    "ray.data": ("rsft/generation/stream.py", "rsft/sweep/scan.py"),
    "ray": (
        "rsft/sweep/tuner.py",
        "rsft/sweep/scan.py",
        "rsft/sweep/cluster.py",
        "rsft/training/launch.py",
        "rsft/training/group.py",
        "rsft/training/loop.py",
        "rsft/generation/stream.py",
    ),
    "vllm": ("rsft/generation/engine.py", "rsft/generation/nucleus.py"),
    "torch": (
        *("rsft/training/", "rsft/nano/"),
        *("rsft/generation/reward.py", "rsft/generation/nucleus.py"),
    ),
    "deepspeed": ("rsft/training/",),
    "transformers": ("rsft/training/", "rsft/nano/", "rsft/data/", "rsft/generation/reward.py"),
    "datasets": ("rsft/data/source.py", "rsft/data/overlap.py", "rsft/benchmarks/source.py"),
    "mlflow": ("rsft/tracking/mlflow_tracker.py",),
    "matplotlib": ("rsft/report/",),
    "jinja2": ("rsft/report/", "rsft/data/template.py"),
    "huggingface_hub": ("rsft/sweep/calibrate.py",),
    "psutil": ("rsft/resume/tree.py",),
    "urllib.request": ("rsft/scoring/judge.py",),
    "nltk": ("rsft/scoring/sentences.py",),
    "langdetect": ("rsft/scoring/sentences.py",),
    "if_verifiable": ("rsft/scoring/unseen_instructions.py",),
}
"""Engine -> modules, or rooms ending in a slash, that may import it."""

HEAVY = ("torch", "ray", "vllm", "mlflow", "transformers", "datasets", "deepspeed")
LONGEST_MODULE = 350

MODULES = sorted(p for folder in ("rsft", "sweeps") for p in (HOUSE / folder).rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """Full names of everything a module imports, inside functions too; `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of_file(path: str) -> str:
    first, second, *_ = path.removesuffix(".py").split("/")
    return "sweeps" if first == "sweeps" else second.replace("__init__", "rsft")


def room_of_name(name: str) -> str:
    """Of an imported rsft.x.y; what is no module of its own belongs to the package."""
    parts = name.split(".")
    if parts[0] == "sweeps":
        return "sweeps"
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else "rsft"


def complaints(path: str, source: str) -> list[str]:
    """What a module at `path` (relative to the repository) imports against the rules."""
    mine, found = room_of_file(path), []
    for name in imported(source):
        if name.partition(".")[0] in ("rsft", "sweeps"):
            theirs = room_of_name(name)
            ground = FLOORS[mine] == FLOORS[theirs] == 0
            if not (mine == theirs or ground or FLOORS[theirs] < FLOORS[mine]):
                found.append(f"{path} (floor {FLOORS[mine]}) imports {name} (floor {FLOORS[theirs]})")
        for engine, doors in DOORS.items():
            inside = name == engine or name.startswith(f"{engine}.")
            if inside and not any(path == door or path.startswith(f"{door}/"[:-1]) for door in doors):
                found.append(f"{path} imports {name}; only {', '.join(doors)} may")
    return found


def relative(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def test_every_room_has_a_floor() -> None:
    assert {room_of_file(relative(path)) for path in MODULES} <= FLOORS.keys()


def test_imports_go_down_and_engines_have_their_doors() -> None:
    found = [c for path in MODULES for c in complaints(relative(path), path.read_text(encoding="utf-8"))]
    assert found == []


def test_no_module_is_imported_by_a_computed_name() -> None:
    calls = ("import_module(", "__import__(")
    assert [relative(p) for p in MODULES if any(call in p.read_text("utf-8") for call in calls)] == []


@pytest.mark.parametrize("engine", DOORS)
def test_every_engine_is_behind_one_of_its_doors(engine: str) -> None:
    files = [p for p in MODULES if relative(p).startswith(DOORS[engine])]
    names = [name for path in files for name in imported(path.read_text(encoding="utf-8"))]
    assert any(name == engine or name.startswith(f"{engine}.") for name in names)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("rsft/training/loop.py", "from rsft.generation.engine import Engine"),
        ("rsft/scoring/grade.py", "import rsft.benchmarks.cards"),
        ("rsft/analysis/table.py", "from rsft.data import prepare"),
        ("rsft/spec/sweep.py", "from rsft.scoring import grade"),
        ("rsft/data/source.py", "def f():\n    from rsft.sweep import plan"),
        ("rsft/sweep/run.py", "from rsft import cli"),
        ("sweeps/laptop.py", "import rsft.cli"),
        ("rsft/sweep/run.py", "from ray import tune"),
        ("rsft/sweep/plan.py", "import ray"),
        ("rsft/training/launch.py", "import ray.data"),
        ("rsft/generation/stream.py", "import vllm"),
        ("rsft/scoring/grade.py", "def f():\n    import torch.nn"),
        ("rsft/generation/engine.py", "import transformers"),
        ("rsft/data/prepare.py", "from datasets import load_dataset"),
        ("rsft/tracking/names.py", "import mlflow"),
        ("rsft/sweep/live.py", "from matplotlib import pyplot"),
    ],
)
def test_a_forbidden_import_is_seen(path: str, source: str) -> None:
    assert len(complaints(path, source)) == 1 + (source == "from ray import tune") - (
        source == "from ray import tune" and path == "rsft/sweep/tuner.py"
    )


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_is_read_in_one_sitting_and_named_for_what_it_does(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    assert path.stem not in ("utils", "util", "helpers", "common", "misc")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=HOUSE,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


def test_the_pure_rooms_load_no_engine() -> None:
    rooms = "rsft.spec, rsft.benchmarks.cards, rsft.scoring.grade, rsft.analysis.table, rsft.sweep.plan"
    code = f"import sys, {rooms}, rsft.cli\nprint([n for n in {HEAVY} if n in sys.modules])"
    done = run("-c", code)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


BLOCKER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def test_a_plan_of_the_grid_needs_no_engine_and_counts_right(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    blocked = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{HOUSE}"}
    for package in HEAVY:
        assert "ModuleNotFoundError" in run("-c", f"import {package}", **blocked).stderr
    storage = str(tmp_path / "runs")
    done = run("-m", "rsft.cli", "plan", "sweeps/grid.py", "--json", "--storage", storage, **blocked)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)

    ends = (80, 160, 320, 640)  # 20,480 rows in batches of 256, for 1, 2, 4 and 8 epochs
    kept = [sum(step <= end for step in (10, 20, 40, 80, 160, 320, 480, 640)) for end in ends]
    assert kept == [4, 5, 6, 8]
    bases = (1_720_000_000, 4_020_000_000, 8_190_000_000, 14_770_000_000)
    variants = 4
    checkpoints = len(bases) * variants * sum(kept)
    answers = 500 * 3 + 1_319 + 5 * 500  # MATH-500 three times, GSM8K, five generated benchmarks
    generations = answers * (checkpoints + len(bases))  # each base once, for all of its trials
    assert facts["n_trials"] == len(bases) * variants * len(ends) == 64
    assert facts["n_steps"] == len(bases) * variants * sum(ends)
    assert facts["n_checkpoints"] == checkpoints
    assert facts["n_cells"] == (checkpoints + 64) * 7
    assert facts["n_generations"] == generations
    # bf16 weights of all checkpoints, one resumable state of the largest base, all answers.
    weights = 2 * variants * sum(kept) * sum(bases)
    assert facts["disk_bytes"] == weights + 16 * max(bases) + 1_500 * generations
    assert facts["open_trials"] == 64
    assert facts["open_cells"] == facts["n_cells"]
    assert not Path(storage).exists(), "a plan writes nothing"
