"""A sweep's answers graded again: what changes, what is kept, and that nothing is generated."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest
from fakes import GraderHere
from test_house_in_one_breath import page, run
from typer.testing import CliRunner

from rsft import layout
from rsft.cli import app
from rsft.storage import Storage
from rsft.sweep.page import stored_plan
from rsft.sweep.regrade import regrade
from rsft.sweep.results import write_tables_and_report


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "house")
    run(page(), made)
    return made


def test_verdicts_that_change_are_counted_and_the_old_ones_are_kept(storage: Storage) -> None:
    plan = stored_plan(storage.root)
    cell = next(c for t in plan.trials for c in plan.cells(t) if c.step and c.question.card.name == "gcd")
    rows = storage.read_table(layout.scores(cell.folder)).to_pylist()
    right = [row for row in rows if row["outcome"] == "correct"]
    for row in right:  # as a grader with a fault would have left it
        row |= {"outcome": "wrong", "raw": 0.0}
    storage.write_table(layout.scores(cell.folder), pa.Table.from_pylist(rows))
    generated = storage.read_bytes(layout.generations(cell.folder))
    before = storage.read_json(layout.cell_marker(cell.folder))

    with patch("rsft.scoring.references.GraderProcess", GraderHere):
        done = regrade(plan, lambda line: None)
        again = regrade(plan, lambda line: None)

    folders = {c.folder for t in plan.trials for c in plan.cells(t)}
    assert done.cells == again.cells == len(folders)
    assert done.changed["gcd"] == {("wrong", "correct"): len(right)} and right
    assert not any(moved for name, moved in done.changed.items() if name != "gcd")
    assert not any(again.changed.values()) and done.errors == 0
    after = storage.read_table(layout.scores(cell.folder)).to_pylist()
    assert sum(row["outcome"] == "correct" for row in after) == len(right)
    kept = storage.names(f"{cell.folder}/earlier")
    assert [name.rpartition(".")[2] for name in kept] == ["json", "parquet"]
    assert storage.read_json(f"{cell.folder}/earlier/{kept[0]}") == before
    old = storage.read_table(f"{cell.folder}/earlier/{kept[1]}").to_pylist()
    assert old == rows
    others = [c for c in folders if c != cell.folder]
    assert not any(storage.names(f"{folder}/earlier") for folder in others)
    assert storage.read_bytes(layout.generations(cell.folder)) == generated


@pytest.mark.slow
def test_the_report_says_that_it_was_graded_again(storage: Storage) -> None:
    plan = stored_plan(storage.root)
    cell = next(c for t in plan.trials for c in plan.cells(t) if c.step and c.question.card.name == "gcd")
    rows = storage.read_table(layout.scores(cell.folder)).to_pylist()
    rows[0] |= {"outcome": "no_answer", "raw": 0.5}
    storage.write_table(layout.scores(cell.folder), pa.Table.from_pylist(rows))
    with patch("rsft.scoring.references.GraderProcess", GraderHere):
        done = regrade(plan, lambda line: None)
    page_of = Path(write_tables_and_report(plan).page).read_text()
    assert f"{done.answers} answers in {done.cells} cells; verdicts: 1 of gcd changed. What" in page_of


def test_a_cell_whose_grading_was_interrupted_is_graded(storage: Storage) -> None:
    plan = stored_plan(storage.root)
    cell = next(c for t in plan.trials for c in plan.cells(t) if c.step)
    storage.delete(layout.cell_marker(cell.folder))
    storage.delete(layout.scores(cell.folder))
    assert plan.cell_state(cell) == "open"
    with patch("rsft.scoring.references.GraderProcess", GraderHere):
        regrade(plan, lambda line: None)
    assert plan.cell_state(cell) == "done"


def test_a_storage_and_a_file_at_once_are_refused(storage: Storage, tmp_path: Path) -> None:
    for arguments in ([storage.root, "--grader", "math"], ["--grader", "math"], []):
        done = CliRunner().invoke(app, ["grade", *arguments])
        assert done.exit_code == 2, done.output
        assert "takes a storage alone" in done.output
