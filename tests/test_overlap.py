"""Looking for benchmark problems in prepared rows: one process, `datasets` workers and Ray Data agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rsft import layout
from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.data.contamination import Index, Question
from rsft.data.overlap import flagged
from rsft.data.prepared import PreparedWriter
from rsft.data.rows import Row
from rsft.data.template import Tokens
from rsft.storage import Storage

ASKED = problems(CARDS["gcd"], 40)
EXPECTED = [
    (f"r{n:05d}", "gcd", problem.id, "exact")
    for n in range(0, 3_000, 100)
    for problem in ASKED
    if problem.question == ASKED[n // 100].question  # the benchmark asks one of them twice
]


def index() -> Index:
    return Index(Question(benchmark="gcd", problem=p.id, text=p.question, answer=p.gold) for p in ASKED)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    """3,000 rows, every hundredth a problem of the benchmark."""
    folder = tmp_path_factory.mktemp("rows")
    with PreparedWriter(folder) as writer:
        for start in range(0, 3_000, 500):
            batch = []
            for n in range(start, start + 500):
                text = ASKED[n // 100].prompt if n % 100 == 0 else f"Tell me a story about {n} sheep."
                message = {"role": "user", "content": text}
                row = Row(id=f"r{n:05d}", messages=(message,), response=f"{n}")
                batch.append((row, Tokens.of(row.id, [1], [2])))
            writer.write(batch)
    store = Storage(folder / "s")
    store.write_file(layout.prepared_texts("p"), writer.texts_file)
    store.write_file(layout.prepared_rows("p"), writer.ids_file)
    return store


def told(table: object) -> list[tuple[str, ...]]:
    rows = table.to_pylist()  # type: ignore[attr-defined]
    return sorted((r["row"], r["benchmark"], r["problem"], r["kind"]) for r in rows)


def test_one_process_finds_what_was_planted(storage: Storage) -> None:
    assert told(flagged(storage, "p", index(), 3_000)) == EXPECTED


@pytest.mark.engines
def test_two_workers_find_the_same(storage: Storage) -> None:
    assert told(flagged(storage, "p", index(), 3_000, workers=2)) == EXPECTED


@pytest.mark.ray
def test_ray_data_finds_the_same(storage: Storage) -> None:
    code = (
        "import json, sys, ray\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from test_overlap import index, told\n"
        "from rsft.storage import Storage\n"
        "ray.init('local', num_cpus=4, include_dashboard=False, log_to_driver=False)\n"
        "from rsft.sweep.scan import flagged\n"
        "print('FOUND ' + json.dumps(told(flagged(Storage(sys.argv[2]), 'p', index()))))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), storage.root],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert [tuple(row) for row in json.loads(line.removeprefix("FOUND "))] == EXPECTED
