"""Procedures of a whole storage: the tidy table, what is kept beside each cell, the section of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pyarrow.parquet as pq
import pytest
from test_house_in_one_breath import page, run
from test_report import few_cells, made_up_cells, made_up_facts

from rsft import layout
from rsft.analysis.procedure_rates import LINK, LINKED, MEASURES
from rsft.records import Problem
from rsft.report.page import write_report
from rsft.report.procedures import procedure_section
from rsft.report.results import read_cells
from rsft.spec import BenchmarkUse, EvalSpec, SamplingSpec
from rsft.storage import Storage
from rsft.sweep import procedures
from rsft.sweep.plan import Plan, make_plan
from rsft.sweep.procedures import MOST_RESPONSES, SCHEMA, procedures_table

SWEEP = page(
    evaluation=EvalSpec(
        benchmarks=(BenchmarkUse(name="countdown", problems=6), BenchmarkUse(name="gcd", problems=6)),
        sampling=SamplingSpec(samples=2, max_new_tokens=64),
        checkpoint_steps=(1, 2, 4),
    )
)


def thinks(problem: Problem, step: int, sample: int) -> str:
    """The first sample checks and is right, the second goes back and is wrong; the base does not think."""
    if not step:
        return "\\boxed{0}"
    right = f"<think>\nLet me check: 1 + 1 = 2.\n</think>\n\\boxed{{{problem.gold}}}"
    return right if sample == 0 else "<think>\nWait, no.\n</think>\n\\boxed{-1}"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    storage = Storage(tmp_path_factory.mktemp("procedures") / "house")
    run(SWEEP, storage, answer=thinks)
    return make_plan(SWEEP, storage)


def read_again(plan: Plan) -> list[str]:
    """Folders of the cells whose answers are read for the table."""
    read: list[str] = []
    real = procedures.read_cell

    def noted(storage: Storage, folder: str, games: Any) -> Any:
        read.append(folder)
        return real(storage, folder, games)

    with patch("rsft.sweep.procedures.read_cell", noted):
        procedures_table(plan)
    return read


def test_the_sweep_leaves_a_row_for_each_trial_step_benchmark_and_measure(plan: Plan) -> None:
    table = pq.read_table(plan.storage.path(layout.PROCEDURES))
    assert table.schema.equals(SCHEMA)
    rows = table.to_pandas()
    levels = rows[rows["step"].notna() & (rows["measure"] == "verification")]
    cells = {
        (trial.id, cell.step, cell.question.card.name) for trial in plan.trials for cell in plan.cells(trial)
    }
    found = set(zip(levels["trial"], levels["step"].astype(int), levels["benchmark"], strict=True))
    assert found == cells and len(levels) == len(cells)
    assert (levels.loc[levels["step"] == 0, "value"] == 0).all()
    assert (levels.loc[levels["step"] > 0, "value"] > 0).all()
    assert set(rows["measure"]) <= {*MEASURES, *(LINK + name for name in LINKED)}
    assert (rows["parameters"] > 1e6).all()


def test_right_answers_check_more_and_go_back_less(plan: Plan) -> None:
    rows = procedures_table(plan).to_pandas()
    pooled = rows[rows["step"].isna() & rows["benchmark"].isna()].set_index(["dimension", "measure"])
    for dimension in set(rows["dimension"]):
        assert (pooled.loc[(dimension, f"{LINK}verification"), "ci_low"] > 0).all()
        assert (pooled.loc[(dimension, f"{LINK}backtracking"), "ci_high"] < 0).all()


def test_countdown_checks_must_come_to_the_target(plan: Plan) -> None:
    rows = procedures_table(plan).to_pandas()
    held = (
        rows[(rows["measure"] == "checks_true") & (rows["step"] == 4)].groupby("benchmark")["value"].first()
    )
    assert held["countdown"] == 0, "1 + 1 = 2 is true, and not the target"
    assert held["gcd"] == 1


def test_what_is_known_is_not_read_again(plan: Plan) -> None:
    assert read_again(plan) == []
    cell = next(cell for cell in plan.cells(plan.trials[0]) if cell.step)
    marker = plan.storage.read_json(layout.cell_marker(cell.folder))
    plan.storage.write_json(layout.cell_marker(cell.folder), marker | {"graded_at": "later"})
    assert read_again(plan) == [cell.folder]
    every = {cell.folder for trial in plan.trials for cell in plan.cells(trial)}
    with patch("rsft.sweep.procedures.fingerprint", lambda: "others"):
        assert sorted(read_again(plan)) == sorted(every), "other patterns: all, each once"
    read_again(plan)
    plan.storage.write_json(layout.cell_marker(cell.folder), marker | {"errors": 1})
    table = procedures_table(plan).to_pandas()
    step = (table["trial"] == plan.trials[0].id) & (table["step"] == cell.step)
    assert cell.question.card.name not in set(table[step]["benchmark"]), "a failed cell is not counted"
    plan.storage.write_json(layout.cell_marker(cell.folder), marker)


def test_of_a_large_cell_whole_problems_are_kept_the_same_each_time() -> None:
    problems = {f"{i:05d}" for i in range(1_000)}
    kept = procedures._kept(problems, 8 * len(problems))
    assert len(kept) == MOST_RESPONSES // 8 and kept < problems
    assert kept == procedures._kept(problems, 8 * len(problems))
    assert procedures._kept(problems, len(problems)) == problems
    assert procedures._kept(set(), 0) == set()


def made_up_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Levels of each cell of a made-up table, and links of its trials."""
    rows: list[dict[str, Any]] = []
    numbers = {"stderr": 0.5, "ci_low": 0.1, "ci_high": 3.0, "problems": 9, "responses": 18}
    axes = ["trial", "base", "data", "length", "length_steps", "seed", "recipe"]
    for row in cells[cells["metric"] == "accuracy"].to_dict("records"):
        what = {name: row[name] for name in (*axes, "step", "benchmark", "dimension")}
        rows += [
            what | {"parameters": 5, "measure": name, "value": 0.25 + row["step"]} | numbers
            for name in MEASURES
            if name != "dead_ends"
        ]
    trials = cells.drop_duplicates("trial").to_dict("records")
    for row in trials:
        what = {name: row[name] for name in axes} | {"step": None, "benchmark": None, "dimension": "safety"}
        rows += [what | {"parameters": 5, "measure": LINK + name, "value": 1.5} | numbers for name in LINKED]
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_the_page_has_figures_rates_and_links(tmp_path: Path) -> None:
    cells = few_cells()
    cells["base"] = "<script>alert(1)</script>"
    facts = made_up_facts(cells, procedures=made_up_table(cells))
    text = Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")
    assert text.index('id="procedures"') < text.index('id="failed"')
    assert "<script>" not in text and "Procedures in the traces of &lt;script&gt;" in text
    assert "<strong>+1.5</strong><br><small>(+0.1 to +3.0)</small>" in text
    assert "<td>0.2 → 24.2</td>" in text and "<td>25.0 → 2,425.0</td>" in text
    assert (tmp_path / "report/tables/procedures.csv").read_text().startswith("trial,base")
    for name, head in (("levels", "backtracking"), ("links", "problems")):
        text = (tmp_path / f"report/tables/procedures-{name}.md").read_text(encoding="utf-8")
        assert f"| {head} |" in text and len(text.splitlines()) > 4
        assert (tmp_path / f"report/tables/procedures-{name}.tex").exists()
    drawn = [file.name for file in (tmp_path / "report/figures").iterdir()]
    endings = sorted(name.rpartition(".")[2] for name in drawn if name.startswith("procedures-"))
    assert endings == ["pdf", "svg"]


@pytest.mark.slow
def test_of_many_traced_trials_the_page_lists_and_draws_some_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = made_up_cells(seeds=(0, 1))
    ids = list(dict.fromkeys(cells["trial"]))
    table = made_up_table(cells[cells["trial"].isin(ids[1:])])
    section = procedure_section(read_cells(cells), table)
    assert section.about.startswith(f"Read are the traces of {len(ids) - 1} of {len(ids)} trials")
    assert {axes.trial for axes, _, _ in section.rows} == set(ids[1:])
    monkeypatch.setattr("rsft.report.shown.LISTED_TRIALS", 2)
    monkeypatch.setattr("rsft.report.shown.DRAWN_CURVES", 1)
    monkeypatch.setattr("rsft.report.shown.DRAWN_BASES", 1)
    few = procedure_section(read_cells(cells), table)
    assert len({axes.trial for axes, _, _ in few.rows}) == 2 and len(few.figures) == 1 < len(section.figures)
    assert "Listed are 2 of" in few.about and "Drawn are 1 of 2 bases" in few.about
    assert procedure_section(read_cells(cells), made_up_table(cells)).about.startswith("Listed are 2")


@pytest.mark.slow
def test_without_traces_or_links_the_page_says_so(tmp_path: Path) -> None:
    cells = few_cells()
    table = made_up_table(cells)
    unlinked = made_up_facts(cells, procedures=table[table["step"].notna()])
    page_of = Path(write_report(Storage(tmp_path / "a"), unlinked)).read_text(encoding="utf-8")
    assert "Nothing to compare" in page_of
    bare = Path(write_report(Storage(tmp_path / "b"), made_up_facts(cells))).read_text(encoding="utf-8")
    assert 'id="procedures"' not in bare
    assert procedure_section(read_cells(cells), pd.DataFrame()).figures == ()
