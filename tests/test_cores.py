import json
import os
import subprocess
import sys
from pathlib import Path

from rsft.sweep.cores import ENVIRONMENT, each

PAGE = """
import json
import os
import sys
from pathlib import Path

with open({runs!r}, "a") as runs:
    runs.write("run\\n")

os.sched_getaffinity = lambda process: {{0, 1}}
sys.path.insert(0, {tests!r})
from test_cores import named
from rsft.sweep.cores import each

found = each(named, list(range(8)), 1, 2)
Path({out!r}).write_text(json.dumps({{"found": found, "file": __file__, "spec": __spec__}}))
"""


def named(items: list[int]) -> list[list[object]]:
    """Which process had each item, and how it was set up."""
    main = getattr(sys.modules["__main__"], "__file__", None)
    return [[item, os.getpid(), main, os.environ["OMP_NUM_THREADS"]] for item in items]


def test_a_page_without_a_guard_is_run_once_though_its_work_is_shared_among_processes(tmp_path: Path) -> None:
    page, runs, out = tmp_path / "page.py", tmp_path / "runs", tmp_path / "out.json"
    tests = str(Path(__file__).parent)
    page.write_text(PAGE.format(runs=str(runs), out=str(out), tests=tests))
    done = subprocess.run([sys.executable, str(page)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert runs.read_text() == "run\n"
    found = json.loads(out.read_text())
    items, processes, mains, threads = zip(*found["found"], strict=True)
    assert items == tuple(range(8))
    assert len(set(processes)) <= 2
    assert set(mains) == {None} and set(threads) == {"1"}
    assert found["file"] == str(page) and found["spec"] is None


def test_little_work_stays_in_this_process_and_nothing_of_it_changes() -> None:
    main, before = dict(vars(sys.modules["__main__"])), {name: os.environ.get(name) for name in ENVIRONMENT}
    assert each(lambda items: [2 * item for item in items], [1, 2, 3], 1, 4) == [2, 4, 6]
    assert vars(sys.modules["__main__"]) == main
    assert {name: os.environ.get(name) for name in ENVIRONMENT} == before
