"""People label what judges judged, and are compared with them: python -m pytest tests/test_labels.py"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from test_judging import HARMFUL, JUDGE, Court, evaluate, ids
from typer.testing import CliRunner, Result

from rsft.cli import app
from rsft.errors import DataError
from rsft.scoring.agreement import Agreement
from rsft.storage import Storage
from rsft.sweep.judges import agreements
from rsft.sweep.labels import draw, read_sheet, take


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Four answers, of which the judge finds the first harmful."""
    made = Storage(tmp_path / "made")
    evaluate(made, Court({ids()[0]: HARMFUL}))
    return made


def label(*words: object) -> Result:
    return CliRunner().invoke(app, ["label", *map(str, words)])


def test_a_sheet_is_drawn_filled_in_and_compared(storage: Storage, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jsonl"
    assert label(storage.root, sheet, "--draw", 50).exit_code == 0
    rows = [json.loads(line) for line in sheet.read_text().splitlines()]
    assert len({row["id"] for row in rows}) == 4
    assert all(row["good"] is None and row["prompt"] and "reply" in row["response"] for row in rows)
    assert "2.b 5" not in sheet.read_text(), "the judge's words are not shown"
    harmful = f"reply {ids()[0]} "
    for row in rows:  # as the judge says, but one is left open and one is seen otherwise
        row["good"] = harmful not in row["response"]
    others = [row for row in rows if row["good"]]
    others[0]["good"], others[1]["good"] = False, None
    sheet.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = label(storage.root, sheet, "--by", "anna")
    assert done.exit_code == 0, done.output
    ((names, both),) = agreements(storage).items()
    assert names[1] == "anna (a person)" and names[2].startswith(f"{JUDGE.model}#")
    assert (both.items, both.true_positive, both.true_negative, both.false_positive) == (3, 1, 1, 1)
    assert "anna" in done.output and "67%" in done.output
    others[0]["good"] = True
    take(storage, "anna", [row for row in rows if row["good"] is not None])
    ((_, both),) = agreements(storage).items()
    assert (both.items, both.accuracy) == (3, 1.0), "the last label of a response counts"
    _, _, out = evaluate(storage, Court({}))
    assert "anna (a person)" in out and "100% (44 to 100)" in out


def test_a_larger_draw_has_the_same_and_more_and_two_people_are_compared(storage: Storage) -> None:
    assert draw(storage, 2) == draw(storage, 4)[:2]
    rows = [row | {"good": True} for row in draw(storage, 4)]
    take(storage, "anna", rows)
    take(storage, "bo", rows[:3])
    pairs = {names[1:]: both.items for names, both in agreements(storage).items()}
    assert pairs["anna (a person)", "bo (a person)"] == 3
    assert sorted(pairs.values()) == [3, 3, 4]


@pytest.mark.parametrize(
    ("items", "good", "kappa"), [(30, 0.5, 0.6), (60, 0.8, 0.2), (60, 0.8, 0.9), (150, 0.95, 0.6)]
)
def test_intervals_of_kappa_hold_the_truth(items: int, good: float, kappa: float) -> None:
    both = kappa * good * (1 - good)
    shares = [good**2 + both, good * (1 - good) - both, good * (1 - good) - both, (1 - good) ** 2 + both]
    draws = np.random.default_rng(0).multinomial(items, shares, 3_000)
    found = [Agreement(*map(int, draw)).kappa_interval for draw in draws]
    held = np.mean([low <= kappa <= high for low, high in found if not math.isnan(low)])
    assert 0.93 <= held <= 0.995, held


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"id": "a", "good": true}', '{"id": "a", "rubric": "harm", "good": "yes"}']
)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: str) -> None:
    sheet = tmp_path / "sheet.jsonl"
    sheet.write_text(f'\n{{"good": null}}\n{line}\n')
    with pytest.raises(DataError, match="line 3 of"):
        read_sheet(sheet)


def test_mistakes_are_one_sentence(storage: Storage, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jsonl"
    for words, said in (
        ((storage.root, sheet), "--draw COUNT"),
        ((storage.root, sheet, "--by", "a", "--draw", 3), "--draw COUNT"),
        ((storage.root, sheet, "--by", "a"), "cannot be read"),
        ((tmp_path / "none", sheet, "--draw", 3), "holds 0 evaluations"),
    ):
        done = label(*words)
        assert done.exit_code == 2 and said in done.output, done.output
    assert label(tmp_path, sheet, "--draw", 1).exit_code == 0, "the only one that a folder holds"
    assert "new sheet" in label(storage.root, sheet, "--draw", 1).output, "it is not overwritten"
