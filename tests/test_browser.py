"""The sample browser: model text cannot leave its string, which answers are chosen, what is written anew; and
the page itself in a browser, where there is one."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_house_in_one_breath import page, run

from rsft import layout
from rsft.records import Generation, Outcome, Problem, Score
from rsft.report import browser
from rsft.report.facts import ReportFacts
from rsft.report.page import write_report
from rsft.storage import Storage
from rsft.sweep import samples
from rsft.sweep.plan import Plan, make_plan

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;<!--\u2028\u2029\0\x1b\u202e"
SURROGATE = "\ud800 alone"
LATEX = "\\frac{a_1}{b^2} & x < y > z\n" * 3_600
"""100 kB."""


def score(slot: browser.Slot, outcome: Outcome = "wrong", **more: Any) -> Score:
    facts: dict[str, Any] = {
        "answer": "7",
        "where": "last boxed",
        "raw": 0.0,
        "truncated": False,
        "tokens": 3,
    }
    return Score(problem=slot[0], sample=slot[1], outcome=outcome, **(facts | more))


def generation(slot: browser.Slot, text: str) -> Generation:
    problem, sample = slot
    return Generation(
        problem=problem, sample=sample, seed=2**62, text=text, tokens=3, prompt_tokens=1, finish="stop"
    )


def value_of(script: str) -> Any:
    """What a script hands to the page."""
    _, value = json.loads(f"[{script.removeprefix('rsftSamples(').removesuffix(');' + chr(10))}]")
    return value


def browsed(plan: Plan, first: str = "") -> int:
    """Writes the browser; returns how many trials it has."""
    browsing = samples.samples_begun(plan, first)
    browsing.finish()
    return browsing.trials


@pytest.mark.parametrize("text", [HOSTILE, SURROGATE, LATEX, "\ud83d\ude00", "\U0001f600"])
def test_no_text_can_end_its_script_and_none_is_lost(text: str) -> None:
    script = browser.script("report/samples/x.js", {text: [text]})
    assert script.isascii() and not set("<>&\0") & set(script)
    assert script.count("\n") == 1 and script.endswith(");\n")
    assert value_of(script) == json.loads(json.dumps({text: [text]}))


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_comes_back(text: str) -> None:
    script = browser.script("report/samples/x.js", text)
    assert script.isascii() and not set("<>&") & set(script)
    assert value_of(script) == json.loads(json.dumps(text))


@settings(max_examples=25)
@given(st.text(), st.integers(1_000, 1_200))
@pytest.mark.slow
def test_a_long_text_keeps_both_ends(text: str, room: int) -> None:
    long = f"begin {text * 300} end"
    kept = browser.shortened(long, room)
    assert len(browser.literal(kept)) <= room
    assert kept == long or (kept.startswith("b") and kept.endswith("d") and "are left out here" in kept)


def test_a_text_of_signs_that_grow_is_cut_by_its_bytes() -> None:
    assert len(browser.literal(browser.shortened("<" * 100_000, 5_000))) <= 5_000
    assert browser.shortened(LATEX, browser.CELL_BYTES) == LATEX


def test_thinking_is_set_apart_and_nothing_is_lost() -> None:
    assert browser.apart("<think>a</think>b") == ("<think>a</think>", "b")
    assert browser.apart("a</think>b</think>c") == ("a</think>b</think>", "c")
    assert browser.apart("<think>never ends") == ("<think>never ends", "")
    assert browser.apart("plain") == ("", "plain")


SLOTS = [(f"{number:05d}", sample) for number in range(50) for sample in range(2)]


def test_half_of_the_places_go_to_changed_verdicts_and_all_steps_share_them() -> None:
    before: dict[browser.Slot, Outcome] = dict.fromkeys(SLOTS, "correct")
    after = before | dict.fromkeys(SLOTS[:40], "wrong")
    chosen = browser.choose([before, after, after], 20)
    assert len(chosen) == 20 and chosen == sorted(chosen)
    assert sum(slot in SLOTS[:40] for slot in chosen) == 10
    assert browser.choose([before, after], 20) == browser.choose([dict(reversed(before.items())), after], 20)


def test_problems_stand_in_the_order_of_their_numbers() -> None:
    names = ("test/algebra/9", "test/algebra/10", "9", "10", "100", "10a")
    before: dict[browser.Slot, Outcome] = {(name, sample): "wrong" for name in names for sample in (1, 0)}
    chosen = browser.choose([before], 20)
    assert [name for name, sample in chosen if not sample] == [
        *("9", "10", "10a", "100", "test/algebra/9", "test/algebra/10")
    ]
    assert chosen[:2] == [("9", 0), ("9", 1)]


def test_either_half_takes_what_the_other_leaves() -> None:
    before: dict[browser.Slot, Outcome] = dict.fromkeys(SLOTS, "wrong")
    few = before | {SLOTS[3]: "correct"}
    assert SLOTS[3] in browser.choose([before, few], 20)
    assert len(browser.choose([before, few], 20)) == 20
    every: dict[browser.Slot, Outcome] = dict.fromkeys(SLOTS, "correct")
    assert len(browser.choose([before, every], 20)) == 20
    assert browser.choose([before], 1_000) == SLOTS
    assert browser.choose([{}], 20) == []


def test_an_error_is_no_change_of_verdict() -> None:
    before: dict[browser.Slot, Outcome] = {("a", 0): "correct", ("b", 0): "correct", ("c", 0): "correct"}
    after: dict[browser.Slot, Outcome] = {("a", 0): "error", ("b", 0): "wrong", ("c", 0): "correct"}
    facts = browser.family_facts((0, 4), (before, after), list(before), {})
    assert facts["lost"] == [[0, 1], [0, 0]]
    assert facts["verdicts"] == ["ccc", "ewc"]
    assert facts["totals"][1] == {"correct": 1, "error": 1, "wrong": 1}
    assert browser.choose([before, after], 2) == [("a", 0), ("b", 0)]  # b, and one of the others


def test_a_cell_stays_within_its_room_and_keeps_every_verdict() -> None:
    answers = {slot: (score(slot), generation(slot, LATEX)) for slot in SLOTS[:40]}
    rows = browser.cell_rows(SLOTS[:41], answers)
    assert rows[40] is None
    shown = [row["text"] for row in rows if row]
    assert sum(text == LATEX for text in shown) >= 1, "some are whole"
    assert all(text.startswith(LATEX[:1_000]) and text.endswith(LATEX[-500:]) for text in shown)
    assert all(row["answer"] == "7" and row["characters"] == len(LATEX) for row in rows if row)
    assert len(browser.literal(rows)) <= browser.CELL_BYTES


def test_a_number_that_is_none_and_a_seed_beyond_53_bits_arrive() -> None:
    slot = SLOTS[0]
    answers = {slot: (score(slot, raw=float("nan"), answer=None), generation(slot, "x"))}
    (row,) = browser.cell_rows([slot], answers)
    assert row is not None and row["raw"] is None and row["answer"] is None and row["seed"] == str(2**62)


def thinks(problem: Problem, step: int, sample: int) -> str:
    right = int(problem.id) < step or (int(problem.id) == 5 and step == 0)
    return f"<think>{HOSTILE}</think>\\boxed{{{problem.gold if right else -1}}}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    """A finished sweep of fake engines, with its browser."""
    storage = Storage(tmp_path_factory.mktemp("browsed") / "house")
    run(page(), storage, answer=thinks)
    return storage


def files(storage: Storage) -> dict[str, bytes]:
    root = Path(storage.path(browser.FOLDER))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.js")}


def test_every_cell_of_a_sweep_can_be_read(house: Storage) -> None:
    plan = make_plan(page(), house)
    found = files(house)
    families = {f"{trial.id}/{asked.key}" for trial in plan.trials for asked in plan.questions}
    wanted = {
        f"{trial.id}/{cell.question.key}/{layout.step_name(cell.step)}.js"
        for trial in plan.trials
        for cell in plan.cells(trial)
    }
    assert found.keys() == wanted | {f"{family}/index.js" for family in families} | {"index.js"}
    index = value_of(found["index.js"].decode())
    assert [trial["id"] for trial in index["trials"]] == [trial.id for trial in plan.trials]
    long = next(trial for trial in plan.trials if trial.steps == 4)
    gcd = next(asked for asked in plan.questions if asked.card.name == "gcd")
    facts = value_of(found[f"{long.id}/{gcd.key}/index.js"].decode())
    assert facts["steps"] == [0, 1, 2, 4]
    assert (
        facts["lost"][0][3] == 2 and facts["lost"][3][0] == 8
    )  # problem 5; problems 0 to 3; two answers each
    assert len(facts["slots"]) == 12 and facts["problems"]["00000"]["prompt"].startswith("Find the Greatest")
    rows = value_of(found[f"{long.id}/{gcd.key}/step_000004.js"].decode())
    assert rows[0]["thinking"] == f"<think>{HOSTILE}</think>" and rows[0]["where"] == "last boxed"


def test_the_page_is_small_and_asks_for_nothing_but_its_neighbours(house: Storage) -> None:
    text = house.read_text(browser.PAGE)
    assert len(text) < 50_000 and "http:" not in text and "https:" not in text
    assert "default-src 'none'" in text and "innerHTML" not in text and text.count("<script") == 1
    assert "house: single answers" in text


def test_the_report_links_to_it_once_there_is_something_to_read(tmp_path: Path) -> None:
    for browsed in (0, 3):
        facts = ReportFacts(sweep={}, cells=pd.DataFrame(), status={}, browsed=browsed)
        text = Path(write_report(Storage(tmp_path), facts)).read_text(encoding="utf-8")
        assert ('href="samples.html"' in text) == bool(browsed)


def test_only_what_changed_is_written_anew(house: Storage) -> None:
    plan = make_plan(page(), house)
    with patch.object(samples, "_write_family") as write:
        assert browsed(plan) == 4
        assert write.call_count == 0
        cell = next(cell for cell in plan.cells(plan.trials[0]) if cell.step == 1)
        marker = house.read_json(layout.cell_marker(cell.folder))
        house.write_json(layout.cell_marker(cell.folder), marker | {"graded_at": "later"})
        browsed(plan)
        assert [call.args[1].name for call in write.call_args_list] == [
            f"{plan.trials[0].id}/{cell.question.key}"
        ]
        house.write_json(layout.cell_marker(cell.folder), marker)
    before = files(house)
    browsed(plan)
    assert files(house) == before


def test_a_huge_sweep_shows_as_many_whole_trials_as_there_is_room_for(house: Storage) -> None:
    plan = make_plan(page(), house)
    stamps = house.read_json(browser.STAMPS)
    with patch.object(samples, "BROWSED_CELLS", 17):  # trials have 6 or 8 cells
        assert browsed(plan) == 2
        index = value_of(house.read_text(browser.INDEX))
        assert index["of"] == 4
        for trial in plan.trials:
            browsed(plan, trial.id)
            listed = value_of(house.read_text(browser.INDEX))["trials"]
            assert trial.id in [one["id"] for one in listed]
    assert house.read_json(browser.STAMPS) == stamps  # nothing is thrown away
    browsed(plan)


def in_chromium(address: str, tmp_path: Path) -> tuple[str, str]:
    """The document once its scripts have run, and what the console said."""
    quiet = "--no-first-run --disable-background-networking --disable-component-update --disable-sync"
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", *quiet.split()]
    command += ["--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on PATH")
def test_hostile_text_shows_as_text_in_a_browser(tmp_path: Path) -> None:
    storage, family, slots = Storage(tmp_path), "t/gcd__1", [("a", 0), ("b", 0)]
    texts = {("a", 0): f"<think>{HOSTILE}</think>{SURROGATE}", ("b", 0): LATEX}
    before: dict[browser.Slot, Outcome] = {("a", 0): "wrong", ("b", 0): "correct"}
    after: dict[browser.Slot, Outcome] = {("a", 0): "wrong", ("b", 0): "no_answer"}
    problem = Problem(id="a", question=HOSTILE, prompt=HOSTILE, gold=HOSTILE)
    problems = {"a": problem, "b": Problem(id="b", question="", prompt="Simplify.", gold="1")}
    files = {browser.family_file(family): browser.family_facts((0, 16), (before, after), slots, problems)}
    for step, outcomes in ((0, before), (16, after)):
        answers = {slot: (score(slot, outcomes[slot]), generation(slot, texts[slot])) for slot in slots}
        files[browser.cell_file(family, step)] = browser.cell_rows(slots, answers)
    trial = {"id": "t", "base": HOSTILE, "data": "d", "length": "16st", "seed": 0, "recipe": "default"}
    asked = {
        "name": "gcd",
        "key": "gcd__1",
        "dimension": "d",
        "problems": 2,
        "samples": 1,
        "temperature": 0.6,
    }
    listed = [trial | {"benchmarks": [0]}]
    files[browser.INDEX] = {"trials": listed, "of": 1, "places": 40, "benchmarks": [asked | {"limit": 9}]}
    for file, value in files.items():
        storage.write_text(file, browser.script(file, value))
    storage.write_text(browser.PAGE, browser.render_samples(HOSTILE))

    address = f"file://{storage.path(browser.PAGE)}"
    dom, console = in_chromium(f"{address}#step=16&against=0&answer=a.0", tmp_path)
    assert console == ""
    assert re.findall(r"<(script|img)\b", dom) == ["script"]  # its own
    shown = html.unescape(dom)
    assert shown.count("<script>alert(1)</script><img src=x onerror=alert(2)>&amp;<!--") >= 5
    assert "␀␛⟨U+202E⟩" in shown and "⟨U+D800⟩ alone" in shown
    assert dom.count("<summary>Thinking, ") == 2 and "<details open" not in dom

    dom, console = in_chromium(f"{address}#step=16&against=0&change=lost", tmp_path)
    assert console == ""
    assert html.unescape(dom).count(LATEX.rstrip("\n")) == 2
    assert "1 answer under these filters, of 2 that can be read here, of 2 given at step 16" in dom
    assert "1 went right → wrong and 0 wrong → right" in dom
