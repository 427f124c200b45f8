"""The report from made-up facts: two bases, two data variants, two lengths, dip and recovery."""

from __future__ import annotations

import dataclasses
import html
import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rsft.errors import DataError
from rsft.records import Estimate
from rsft.report import tables
from rsft.report.curves import LOSS_POINTS, curves, loss_points
from rsft.report.facts import ReportFacts
from rsft.report.page import headline, write_report
from rsft.report.results import COLUMNS, read_cells
from rsft.storage import Storage

BASES = {"nano-4m": 0.0, "nano-16m": 0.12}
"""What a base adds to every score."""
BENCHMARKS = {
    "gsm-symbolic": ("in-domain", 0.30, 0.16),
    "countdown": ("in-domain", 0.22, 0.24),
    "letter-counting": ("out-of-domain", 0.35, 0.05),
    "chain-sum": ("out-of-domain", 0.48, 0.07),
    "refusals": ("safety", 0.62, -0.20),
}
"""Dimension, score of the smaller base, gain at the end of training."""
STEPS = {"24st": (0, 2, 4, 8, 16, 24), "96st": (0, 4, 8, 24, 48, 96)}
PROBLEMS, SAMPLES = 120, 4
HOSTILE = "<script>alert(1)</script>"


def _score(gain: float, start: float, progress: float) -> float:
    """Down to a dip in the first fifth of training, then up."""
    dip = -0.13 * math.sin(math.pi * min(progress / 0.4, 1.0))
    return min(0.97, max(0.02, start + dip + gain * math.pow(progress, 0.7)))


def _rows(axes: dict[str, Any], step: int, benchmark: str, chance: random.Random) -> list[dict[str, Any]]:
    dimension, start, gain = BENCHMARKS[benchmark]
    progress = step / STEPS[axes["length"]][-1]
    long = axes["data"] == "long-cot"
    score = _score(gain * (1.3 if long else 0.7), start + BASES[axes["base"]], progress)
    if step:
        score += chance.gauss(0, 0.012)
    cut = 0.16 * math.sin(math.pi * min(progress * 1.6, 1.0)) if long and step else 0.0
    tokens = 40 + (260 if long else -15) * progress**0.5 + 25 * (start - 0.3)
    values = {
        "accuracy": score,
        "accuracy_finished": min(1.0, score / (1 - cut)),
        "truncated": cut,
        "no_answer": 0.05 * (1 - progress),
        "response_tokens": tokens,
    }
    rows = []
    for metric, value in values.items():
        stderr = 6.5 if metric == "response_tokens" else math.sqrt(abs(value * (1 - value)) / 120)
        interval = {"ci_low": value - 1.96 * stderr, "ci_high": value + 1.96 * stderr}
        what = {"step": step, "benchmark": benchmark, "dimension": dimension, "metric": metric}
        size = {"problems": PROBLEMS, "samples": PROBLEMS * SAMPLES, "truncated": cut}
        rows.append(axes | what | {"value": value, "stderr": stderr} | interval | size)
    return rows


def few_cells() -> pd.DataFrame:
    """One base, one variant and two benchmarks of the whole table: quick to draw."""
    cells = made_up_cells()
    small = (cells["base"] == "nano-4m") & (cells["data"] == "long-cot")
    return cells[small & cells["benchmark"].isin(["countdown", "refusals"])].copy()


def made_up_cells(seeds: tuple[int, ...] = (0,)) -> pd.DataFrame:
    """A complete tidy table."""
    rows = []
    for base in BASES:
        for data in ("long-cot", "answer-only"):
            for length, steps in STEPS.items():
                for seed in seeds:
                    trial = f"{base}__{data}__{length}-s{seed}"
                    axes = {
                        "trial": trial,
                        "base": base,
                        "data": data,
                        "length": length,
                        "length_steps": steps[-1],
                        "seed": seed,
                        "recipe": "default",
                    }
                    for benchmark in BENCHMARKS:
                        for step in steps:
                            # Step 0 is the base's own: the same for each of its trials.
                            salt = f"{trial if step else base} {step} {benchmark}"
                            rows += _rows(axes, step, benchmark, random.Random(salt))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def made_up_facts(cells: pd.DataFrame | None = None, **changes: Any) -> ReportFacts:
    """Facts of a finished sweep."""
    cells = made_up_cells() if cells is None else cells
    chance = random.Random(1)
    training = {
        str(trial): [
            {"step": step, "loss": 0.5 + 2.2 * math.exp(-step / 20) + chance.gauss(0, 0.03)}
            for step in range(1, int(rows["length_steps"].iloc[0]) + 1)
        ]
        for trial, rows in cells.groupby("trial")
    }
    facts = ReportFacts(
        sweep={
            "spec": {"name": "length-x-data-x-base", "train": {"learning_rate": 1e-4}},
            "provenance": {
                "commit": "0123abcd",
                "python": "3.11.7",
                "written_at": "2026-11-22T18:00:00Z",
                "packages": {"torch": "2.13.0", "deepspeed": None},
            },
        },
        cells=cells,
        status={
            "trials": {"done": 8, "failed": 0, "open": 0},
            "cells": {"done": 240, "failed": 0, "open": 0},
            "failures": [],
        },
        training=training,
        certificates={
            "long-cot-nano-1a2b": {
                "rows_in": 4000,
                "rows_kept": 3964,
                "dropped": {"too long": 36, "contaminated": 0},
                "target_tokens": {"p50": 181, "p95": 402},
                "sample": [decoded("What is 3 + 4?", "<think>3 + 4</think> \\boxed{7}")],
            }
        },
    )
    return dataclasses.replace(facts, **changes)


def decoded(prompt: str, target: str) -> dict[str, Any]:
    parts = [{"text": prompt, "trained": False}, {"text": target, "trained": True}]
    return {"id": "row", "parts": parts}


def written(tmp_path: Path, facts: ReportFacts) -> str:
    return Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a finished sweep with its report."""
    root = tmp_path_factory.mktemp("finished")
    write_report(Storage(root), made_up_facts())
    return root


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    return (finished / "report/index.html").read_text(encoding="utf-8")


VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Checks that tags nest, and collects identifiers and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.addresses += [value or "" for name, value in attrs if name.endswith(("href", "src"))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_its_tags_nest(page: str) -> None:
    parsed = Page(page)
    assert "script" not in parsed.tags
    assert len(parsed.ids) == len(set(parsed.ids)) > 20
    own = ("#", "data:,", "../prepared/")  # the certificates lie beside the report
    assert all(address.startswith(own) for address in parsed.addresses)
    assert {a[1:] for a in parsed.addresses if a.startswith("#")} <= set(parsed.ids)
    assert set(re.findall(r"url\(#(\w+)\)", page)) <= set(parsed.ids)
    assert "@import" not in page and page.count("<style") == 1


@pytest.mark.slow
def test_large_figures_lie_beside_the_page_as_images_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rsft.report.page.PAGE_BYTES", 130_000)
    page = written(tmp_path, made_up_facts())
    beside = re.findall(r'<img src="(figures/[^"]+)" alt="" loading="lazy">', page)
    assert beside and all((tmp_path / "report" / file).exists() for file in beside)
    assert f"To keep this page small, {len(beside)} figures" in page
    inside = sum(map(len, re.findall(r"<svg xmlns.*?</svg>", page, flags=re.DOTALL)))
    assert inside > 10_000 and len(page.encode()) <= 140_000
    assert page.count("<figure>") > len(beside) > 1


def test_a_finished_sweep_says_so_and_has_a_row_per_trial(page: str) -> None:
    assert "8 of 8 trials done, 240 of 240 cells; nothing failed" in page
    assert "Nothing failed." in page
    assert page.count('class="trial"') == 8
    assert page.count('<polyline points="') == 8 * len(BENCHMARKS)
    assert "120 problems × 4" in page
    for name, version in (("torch", "2.13.0"), ("deepspeed", "absent")):
        assert f"{name} {version}" in page
    assert "3\N{NARROW NO-BREAK SPACE}964" in page and "too long 36, contaminated 0" in page


def test_every_promised_file_is_written(finished: Path) -> None:
    figures = {path.name for path in (finished / "report/figures").iterdir()}
    drawn = {f"score-{name}" for name in BENCHMARKS}
    drawn |= {"gains", "truncated", "response-tokens", "training-loss"}
    assert figures == {f"{name}.{ending}" for name in drawn for ending in ("svg", "pdf")}
    back = pd.read_csv(finished / "report/tables/cells.csv")
    pd.testing.assert_frame_equal(back, made_up_cells(), check_dtype=False)
    pivot = (finished / "report/tables/scores.md").read_text(encoding="utf-8")
    assert sum(line.startswith("| nano-") for line in pivot.splitlines()) == 8


@pytest.mark.slow
def test_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("once", "again"):
        write_report(Storage(tmp_path / name), made_up_facts(few_cells()))
    once, again = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*.*")
            if path.is_file()
        }
        for name in ("once", "again")
    )
    assert len(once) == 2 + 6 * 2 + 3 * 3  # page and cells; figures in two formats, tables in three
    assert once == again


def _estimate(value: float, stderr: float) -> Estimate:
    return Estimate(
        metric="accuracy",
        value=value,
        stderr=stderr,
        ci_low=value - 2 * stderr,
        ci_high=value + 2 * stderr,
        problems=100,
        samples=100,
        truncated=0.0,
    )


def test_numbers_carry_their_errors_and_dashes_stand_for_nothing() -> None:
    assert tables.plus_minus(_estimate(0.3124, 0.0309)) == "31.2 ± 3.1"
    assert tables.plus_minus(_estimate(0.3124, math.nan)) == "31.2"
    assert tables.plus_minus(None) == tables.percent(math.nan) == "\N{EN DASH}"
    assert tables.plus_minus(_estimate(212.04, 6.5), 1.0) == "212.0 ± 6.5"
    assert [tables.signed(x) for x in (4.24, -4.26, 0.04, -0.04)] == [
        "+4.2",
        "\N{MINUS SIGN}4.3",
        "0.0",
        "0.0",
    ]


@pytest.mark.parametrize(
    ("after", "stderr", "expected"),
    [
        (0.39, 0.03, "same"),  # 0.09 against 2 x 0.05
        (0.41, 0.03, "up"),
        (0.19, 0.03, "down"),
        (0.90, math.nan, "same"),  # no error, no verdict
    ],
)
def test_a_change_is_marked_beyond_two_combined_errors(after: float, stderr: float, expected: str) -> None:
    assert tables.direction(_estimate(0.30, 0.04), _estimate(after, stderr)) == expected


def test_marks_in_the_grid_are_symbols_too(page: str) -> None:
    grid = tables.pivot(read_cells(made_up_cells()))
    assert grid.count("up") > 5 and grid.count("down") > 3 and grid.count("same") > 5
    for direction, symbol in (("up", "▲"), ("down", "▼")):
        marks = re.findall(rf'class="change {direction}">(.)', page)
        assert marks == [symbol] * grid.count(direction)
    assert f"{grid.count('up')} of 40 comparisons rose clearly" in page


def test_truncation_stands_beside_the_score_only_where_it_matters() -> None:
    cells = made_up_cells()
    last = (cells["step"] == cells["length_steps"]) & (cells["benchmark"] == "countdown")
    cells.loc[last, "truncated"] = 0.049
    assert {row[1].cut for _, row in tables.pivot(read_cells(cells)).rows if row[1]} == {""}
    cells.loc[last, "truncated"] = 0.124
    assert {row[1].cut for _, row in tables.pivot(read_cells(cells)).rows if row[1]} == {"12%"}


def test_no_truncation_no_figure_and_the_old_one_goes(tmp_path: Path) -> None:
    cells = few_cells()
    write_report(Storage(tmp_path), made_up_facts(cells))
    assert (tmp_path / "report/figures/truncated.svg").exists()
    cells.loc[cells["metric"] == "truncated", "value"] = 0.009
    assert "Answers cut" not in written(tmp_path, made_up_facts(cells))
    assert not (tmp_path / "report/figures/truncated.svg").exists()


@pytest.mark.parametrize("cells", [pd.DataFrame(), pd.DataFrame(columns=list(COLUMNS))])
def test_a_sweep_that_has_not_begun_has_a_page(tmp_path: Path, cells: pd.DataFrame) -> None:
    status = {"trials": {"open": 8}, "cells": {"open": 240}}
    facts = ReportFacts(sweep={}, cells=cells, status=status)
    text = written(tmp_path, facts)
    Page(text)
    assert "0 of 8 trials done, 0 of 240 cells; nothing failed, 8 trials and 240 cells open" in text
    assert "No cell is evaluated yet" in text
    assert list((tmp_path / "report").rglob("*.svg")) == []
    assert [path.name for path in (tmp_path / "report/tables").iterdir()] == ["cells.csv"]


def test_a_half_done_sweep_shows_what_there_is(tmp_path: Path) -> None:
    cells = made_up_cells()
    cells = cells[(cells["step"] <= 8) & (cells["base"] == "nano-4m")]
    cells = cells[~((cells["benchmark"] == "refusals") & (cells["data"] == "long-cot"))]
    cells = cells[cells["benchmark"].isin(["countdown", "chain-sum", "refusals"])].copy()
    cells.loc[cells["benchmark"] == "chain-sum", ["value", "stderr"]] = math.nan
    training = {"nano-16m__long-cot__24st-s0": [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.5}]}
    facts = made_up_facts(cells, training=training)
    text = written(tmp_path, facts)
    Page(text)
    assert text.count('class="trial"') == 4
    assert "step 8 of 96" in text
    assert "4 more trials of this sweep have no score yet" in text
    assert "score-chain-sum.svg" not in {p.name for p in (tmp_path / "report/figures").iterdir()}
    assert "not evaluated yet" in (tmp_path / "report/figures/training-loss.svg").read_text()
    assert not re.search(r"\bnan\b", text)


def test_only_the_base_is_known(tmp_path: Path) -> None:
    cells = made_up_cells()
    cells = cells[cells["step"] == 0]
    known = [cell for _, row in tables.pivot(read_cells(cells)).rows for cell in row if cell]
    assert len(known) == 40
    assert {(cell.final, cell.change, cell.at) for cell in known} == {
        ("\N{EN DASH}", "", "no later step yet")
    }
    few = few_cells()
    Page(written(tmp_path, made_up_facts(few[few["step"] == 0], training={})))


def test_rows_without_their_columns_are_refused(tmp_path: Path) -> None:
    facts = made_up_facts(training={}, cells=made_up_cells().drop(columns=["stderr", "seed"]))
    with pytest.raises(DataError, match="lacks seed, stderr"):
        write_report(Storage(tmp_path), facts)
    assert not (tmp_path / "report").exists()


def test_failures_are_rows_with_a_next_step(tmp_path: Path) -> None:
    failures = [
        {
            "trial": "nano-16m__long-cot__96st-s0",
            "what": "evaluation countdown step 48",
            "kind": "out of memory",
            "message": "OutOfMemoryError: 12.0 GiB asked, 3.1 GiB free",
            "next": "lower micro_batch_tokens and run the same command again",
        }
    ]
    status = {
        "trials": {"done": 7, "failed": 1, "open": 0},
        "cells": {"done": 210, "failed": 1, "open": 29},
        "failures": failures,
    }
    text = written(tmp_path, made_up_facts(few_cells(), status=status))
    assert "7 of 8 trials done, 210 of 240 cells; 1 trial and 1 cell failed, 29 cells open" in text
    assert all(value in text for value in failures[0].values())
    assert "othing failed" not in text and 'class="headline failed"' in text


def test_a_headline_never_hides_what_is_open() -> None:
    status = {"trials": {"done": 1, "open": 0}, "cells": {"done": 3, "open": 2}}
    assert headline(status) == "1 of 1 trial done, 3 of 5 cells; nothing failed, 2 cells open"


def test_text_from_data_stays_text(tmp_path: Path) -> None:
    cells = few_cells()
    for column in ("benchmark", "base", "data", "dimension", "length", "recipe"):
        cells.loc[cells[column] == cells[column].iloc[0], column] = HOSTILE + " | $x$"
    failure = dict.fromkeys(("trial", "what", "kind", "message", "next"), HOSTILE)
    status = {**made_up_facts().status, "failures": [failure]}
    facts = made_up_facts(
        cells,
        status=status,
        sweep={"spec": {"name": HOSTILE}, "provenance": {"commit": HOSTILE}},
        certificates={HOSTILE: {HOSTILE: HOSTILE, "sample": [decoded(HOSTILE, HOSTILE)]}},
    )
    text = written(tmp_path, facts)
    assert "script" not in Page(text).tags
    assert text.count(html.escape(HOSTILE)) > 20
    for path in (tmp_path / "report").rglob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")
    pivot = (tmp_path / "report/tables/scores.md").read_text(encoding="utf-8")
    assert "<script" not in pivot
    widths = {line.replace("\\|", "").count("|") for line in pivot.splitlines() if line[:1] == "|"}
    assert widths == {4 + 2 + 1}


def test_curves_are_means_over_seeds_with_the_larger_error() -> None:
    cells = made_up_cells(seeds=(0, 1))
    chosen = (cells["benchmark"] == "countdown") & (cells["metric"] == "accuracy")
    cells.loc[chosen, "stderr"] = 0.01
    cells.loc[chosen & (cells["step"] == 24), "value"] = 0.30
    cells.loc[chosen & (cells["step"] == 24) & (cells["seed"] == 1), "value"] = 0.50
    cells.loc[chosen & (cells["step"] == 8), "value"] = 0.40
    found = curves(read_cells(cells), "countdown", "accuracy")
    assert len(found) == 8
    for curve in found:
        points = {step: pair for step, *pair in curve.points}
        assert points[24] == pytest.approx([0.40, 0.10])  # spread 0.1414 over the root of two
        assert points[8] == pytest.approx([0.40, 0.01])


def test_recipes_are_told_apart_only_when_there_are_several() -> None:
    cells = made_up_cells()
    assert {axes.variant for axes in read_cells(cells).trials} == {"long-cot", "answer-only"}
    cells.loc[cells["length"] == "96st", "recipe"] = "learning_rate=1e-05"
    assert "long-cot (learning_rate=1e-05)" in {axes.variant for axes in read_cells(cells).trials}
    assert "long-cot" in {axes.variant for axes in read_cells(cells).trials}, "the usual recipe needs no word"


def test_a_setting_that_all_trials_of_a_base_share_tells_none_of_them_apart() -> None:
    cells = made_up_cells()
    cells["recipe"] = cells["recipe"].mask(cells["base"] == "nano-4m", "betas=[0.9, 0.95] micro=2")
    long = (cells["base"] == "nano-4m") & (cells["length"] == "96st")
    cells["recipe"] = cells["recipe"].mask(long, "betas=[0.9, 0.99] learning_rate=1e-05 micro=2")
    found = {(axes.base, axes.variant) for axes in read_cells(cells).trials if axes.data == "long-cot"}
    assert found == {
        ("nano-16m", "long-cot"),
        ("nano-4m", "long-cot (betas=[0.9, 0.95])"),
        ("nano-4m", "long-cot (betas=[0.9, 0.99], learning_rate=1e-05)"),
    }
    assert read_cells(cells).recipes == {"nano-16m": "", "nano-4m": "micro=2"}


def test_what_all_trials_of_a_base_have_stands_beside_its_name(tmp_path: Path) -> None:
    cells = few_cells()
    cells["recipe"] = "micro=2"
    page = written(tmp_path, made_up_facts(cells))
    assert '<th scope="rowgroup">nano-4m <small>micro=2</small></th>' in page


def test_small_bases_come_first_and_those_of_unknown_size_last() -> None:
    cells = made_up_cells()
    assert read_cells(cells, {"nano-16m": 16, "nano-4m": 4}).bases == ("nano-4m", "nano-16m")
    assert read_cells(cells, {"nano-16m": 16}).bases == ("nano-16m", "nano-4m")


def test_benchmarks_with_like_names_keep_their_own_figures(tmp_path: Path) -> None:
    cells = few_cells()
    cells["benchmark"] = cells["benchmark"].replace({"countdown": "a/b", "refusals": "a b"})
    write_report(Storage(tmp_path), made_up_facts(cells))
    figures = {path.name for path in (tmp_path / "report/figures").iterdir()}
    assert {"score-a-b.svg", "score-a-b-2.svg"} <= figures


def test_training_logs_are_cut_to_size_and_lose_no_end() -> None:
    rows: list[dict[str, Any]] = [{"step": s, "loss": 1000.0 - s} for s in range(1, 1001)]
    rows += [{"step": 1001, "loss": math.nan}, {"step": 1002}, {"loss": 1.0}]
    points = loss_points(rows)
    assert len(points) == LOSS_POINTS
    assert all(step + loss == pytest.approx(1000) for step, loss in points)
    assert points[0][0] < 8 and points[-1][0] > 993
    assert loss_points([{"step": 1, "loss": 0.0}]) == [(1.0, 0.0)]
