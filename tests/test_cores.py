import json
import os
import subprocess
import sys
from pathlib import Path

from rsft.cores import ENVIRONMENT, begun, each

PAGE = """
import json
import os
import sys
from functools import partial
from pathlib import Path

with open({runs!r}, "a") as runs:
    runs.write("run\\n")

os.sched_getaffinity = lambda process: {{0, 1}}
sys.path.insert(0, {tests!r})
from test_cores import named
from rsft.cores import begun, each, shared

found = each(named, list(range(8)), 1, 2)
with shared([named]):
    again = each(named, list(range(8)), 1, 2)
    later = [one() for one in begun([partial(named, [number]) for number in range(8)])]
Path({out!r}).write_text(json.dumps(
    {{"found": found, "again": again, "later": later, "file": __file__, "spec": __spec__, "pid": os.getpid()}}
))
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
    # Inside `shared` all is asked of the same processes, which are neither this one nor those before.
    items, helpers, mains, threads = zip(*found["again"], *(one for (one,) in found["later"]), strict=True)
    assert items == (*range(8), *range(8))
    assert len(set(helpers)) <= 2 and not {found["pid"], *processes} & set(helpers)
    assert set(mains) == {None} and set(threads) == {"1"}


def test_little_work_stays_in_this_process_and_nothing_of_it_changes() -> None:
    main, before = dict(vars(sys.modules["__main__"])), {name: os.environ.get(name) for name in ENVIRONMENT}
    assert each(lambda items: [2 * item for item in items], [1, 2, 3], 1, 4) == [2, 4, 6]
    assert vars(sys.modules["__main__"]) == main
    assert [call() for call in begun([lambda: 1, lambda: 2])] == [1, 2]
    assert {name: os.environ.get(name) for name in ENVIRONMENT} == before
