"""Figures of the grid, effects, scaling, asymmetry and claims, and tables as files, from made-up facts."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_report import few_cells, made_up_cells

from rsft.analysis.asymmetry import asymmetry
from rsft.analysis.bootstrap import Interval
from rsft.analysis.claims import Answer
from rsft.analysis.effects import Effect
from rsft.analysis.trajectory import Curve, Trajectory, trajectory
from rsft.report.claim_figures import claim_figures
from rsft.report.conclusions import EFFECTS_SHOWN, effect_rows
from rsft.report.exports import Table, tables
from rsft.report.forest import SHOWN, effect_figures
from rsft.report.heatmap import gain_map
from rsft.report.look import FILLS, OKABE_ITO, Look, shortened
from rsft.report.results import Results, TrialAxes, read_cells
from rsft.report.scaling import gains, scaling_figure, size
from rsft.report.tables import pivot
from rsft.report.tradeoff import asymmetry_figure
from rsft.spec import Claim, Pick

HOSTILE = "<script>alert(1)</script>"


def texts(svg: str) -> list[str]:
    """What a reader reads."""
    return [re.sub(r"<[^>]*>", "", text) for text in re.findall(r"<text.*?</text>", svg, re.DOTALL)]


def curve(*means: float) -> Trajectory:
    order = np.random.default_rng(0).permutation(400)
    rows = np.stack([(order < 400 * mean).astype(float) for mean in means])
    return trajectory(Curve(steps=tuple(range(0, 10 * len(means), 10)), scores=rows), draws=200)


def paired(results: Results) -> dict[tuple[str, str], Trajectory]:
    """Of every trial and benchmark its gains, with intervals of a point on either side."""
    some, found = curve(0.5, 0.5), dict[tuple[str, str], Trajectory]()
    for axes in results.trials:
        for column in results.columns:
            series = results.of(axes.trial, column.benchmark)
            changes = [series[step].value - series[0].value for step in series if step]
            gains = tuple(Interval(gain, gain - 0.01, gain + 0.01) for gain in changes)
            if gains:
                key = (axes.trial, column.benchmark)
                found[key] = replace(some, steps=tuple(series), gains=gains, final=gains[-1])
    return found


def effect(value: float = 0.1, verdict: str = "higher", half: float = 0.05, **more: object) -> Effect:
    facts: dict[str, object] = {
        "view": "at the end",
        "dimension": "in-domain",
        "axes": ("length",),
        "levels": (("96st", "24st"),),
        "effect": Interval(value, value - half, value + half),
        "p": 0.01,
        "verdict": verdict,
        "why": "",
        "problems": 120,
        "answers": 960,
        "trials": 8,
        "places": 4,
        "seeds": 1,
    }
    return Effect(**(facts | more))  # type: ignore[arg-type]


# The grid.


def test_a_cell_is_marked_where_its_interval_decides(embedded_fonts: None) -> None:
    results = read_cells(few_cells())
    trials = [axes.trial for axes in results.trials]
    found = {
        (trials[0], "countdown"): curve(0.3, 0.5),
        (trials[1], "countdown"): curve(0.5, 0.49),
        (trials[0], "refusals"): curve(0.6, 0.4),
    }
    drawing = gain_map(results, found)
    assert drawing is not None
    said = texts(drawing.svg)
    assert {"▲+20.0", "−1.0", "▼−20.0", "nano-4m", "countdown", "safety"} <= set(said)
    assert drawing.pdf.startswith(b"%PDF") and drawing.pdf_file == "gains.pdf"
    assert b"/FontFile2" in drawing.pdf and b"/Type3" not in drawing.pdf, "publishers refuse Type 3 fonts"


def test_a_grid_without_a_trained_step_has_no_map_and_holes_stay_empty() -> None:
    cells = few_cells()
    assert gain_map(read_cells(cells[cells["step"] == 0]), {}) is None
    half = cells[~((cells["benchmark"] == "refusals") & (cells["length"] == "24st"))]
    drawing = gain_map(read_cells(half), {})
    assert drawing is not None
    numbers = [text for text in texts(drawing.svg) if re.fullmatch("[▲▼]?[+−]?\\d+\\.\\d", text)]
    assert len(numbers) == 3 + 3, "three cells, and the ends and the middle of the scale"


def test_a_long_label_keeps_both_ends() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abcde…hijk" and len(shortened("x" * 99, 17)) == 17


def test_the_length_of_most_trials_has_the_solid_line_and_the_legend_goes_by_steps() -> None:
    def axes(length: str, steps: int, seed: int) -> TrialAxes:
        return TrialAxes(
            trial=f"{length}{seed}",
            base="b",
            data="d",
            length=length,
            length_steps=steps,
            seed=seed,
            recipe="default",
            variant="d",
        )

    look = Look.of([axes("16ep", 16, 0), axes("8ep", 8, 0), axes("8ep", 8, 1), axes("1ep", 1, 0)])
    assert look.line("d", "8ep")["linestyle"] == "-"
    assert look.lengths == ("8ep", "16ep", "1ep") and look.shortest_first == ("1ep", "8ep", "16ep")
    assert Look.of([axes("1ep", 1, 0), axes("8ep", 8, 0)]).lengths == ("8ep", "1ep")


def test_variants_are_told_apart_when_colours_begin_again() -> None:
    axes = [
        TrialAxes(
            trial=str(i),
            base="b",
            data=str(i),
            length="1ep",
            length_steps=1,
            seed=0,
            recipe="r",
            variant=str(i),
        )
        for i in range(3 * len(OKABE_ITO))
    ]
    look = Look.of(axes)
    lines = [look.line(one.variant, "1ep") for one in axes]
    assert len({(line["color"], line.get("fillstyle", "full")) for line in lines}) == len(axes)
    assert {line.get("fillstyle", "full") for line in lines} == set(FILLS)


# Effects.


def test_main_effects_and_interactions_are_two_figures() -> None:
    both = effect(axes=("length", "data"), levels=(("96st", "24st"), ("cot", HOSTILE)))
    other = effect(-0.1, "lower", dimension="safety", view="at step 24")
    main, pairs = effect_figures([effect(), other, both])
    said = texts(main.svg)
    assert {"length: 96st over 24st", "in-domain", "safety", "at the end", "at step 24", "points"} <= set(
        said
    )
    assert OKABE_ITO[0].lower() in main.svg and OKABE_ITO[1].lower() in main.svg
    assert (main.file, pairs.file) == ("effects-main.svg", "effects-interactions.svg")
    assert "<script" not in pairs.svg and any("more at cot than" in text for text in texts(pairs.svg))
    assert effect_figures([]) == []


def test_of_many_effects_the_clearest_are_drawn() -> None:
    many = [effect(0.001 * i, half=0.05, levels=((f"{i}st", "0st"),)) for i in range(1, SHOWN + 21)]
    (drawing,) = effect_figures(many)
    rows = [text for text in texts(drawing.svg) if text.endswith("over 0st")]
    assert rows == [f"length: {i}st over 0st" for i in range(21, SHOWN + 21)]
    assert f"The {SHOWN} clearest of {SHOWN + 20}" in drawing.caption


def test_effects_in_words() -> None:
    rows = effect_rows([effect(), effect(verdict="undecided", why="needs more", p=1.0, seeds=3)])[
        "at the end"
    ]
    assert rows[0]["effect"] == "10.0 points (5.0 to 15.0)" and rows[0]["mark"] == "up"
    assert rows[0]["n"] == "120 problems, 960 answers of 8 trials, one seed each"
    assert (rows[1]["p"], rows[1]["why"], rows[1]["mark"]) == ("–", "needs more", "same")
    assert len(effect_rows([effect()] * (EFFECTS_SHOWN + 5))["at the end"]) == EFFECTS_SHOWN


# Scaling and asymmetry.


def test_gains_are_means_over_a_dimension_of_finished_trials() -> None:
    cells = made_up_cells()
    results = read_cells(cells)
    found = {one.axes.trial: one for one in gains(results, "in-domain", paired(results))}
    assert len(found) == 8
    trial = results.trials[0].trial
    scores = [results.of(trial, name) for name in ("gsm-symbolic", "countdown")]
    last = results.trials[0].length_steps
    assert found[trial].value == pytest.approx(sum(s[last].value - s[0].value for s in scores) / 2)
    unfinished = cells[~((cells["trial"] == trial) & (cells["step"] == last))]
    assert found[trial].stderr == pytest.approx(0.01 * math.sqrt(2) / 2 / 1.959964), "paired, not apart"
    fewer = read_cells(unfinished)
    assert trial not in {one.axes.trial for one in gains(fewer, "in-domain", paired(fewer))}


def test_scaling_needs_two_bases_of_known_size() -> None:
    results = read_cells(made_up_cells())
    known = paired(results)
    drawing = scaling_figure(results, {"nano-4m": 4_000_000, "nano-16m": 16_000_000}, known)
    assert drawing is not None and "nano-4m 4M, nano-16m 16M" in drawing.caption
    assert {"in-domain", "out-of-domain", "safety", "nano-4m"} <= set(texts(drawing.svg))
    assert scaling_figure(results, {"nano-4m": 4_000_000}, known) is None
    assert [size(n) for n in (1_720_000_000, 2_980_000, 900)] == ["1.72B", "2.98M", "900"]


def test_asymmetry_has_a_panel_per_base_and_refusals_below() -> None:
    cells = made_up_cells().to_dict("records")
    harmless = [
        row | {"benchmark": "harmless", "dimension": "over-refusal"}
        for row in cells
        if row["benchmark"] == "refusals"
    ]
    results = read_cells(pd.DataFrame([*cells, *harmless]))
    known, dimensions = paired(results), {column.benchmark: column.dimension for column in results.columns}
    bases = {axes.trial: (axes.base, axes.data) for axes in results.trials}
    drawing = asymmetry_figure(results, asymmetry(known, dimensions, bases))
    assert drawing is not None
    said = texts(drawing.svg)
    assert {"nano-4m", "nano-16m", "safety change (points)", "harmless refused (points)"} <= set(said)
    assert "of 40 checkpoints" in drawing.caption
    fewer = {key: one for key, one in known.items() if key[1] != "harmless"}
    plain = asymmetry_figure(results, asymmetry(fewer, dimensions, bases))
    assert plain is not None and "harmless refused (points)" not in texts(plain.svg)
    assert asymmetry_figure(results, []) is None


# Claims.


def answer(expects: str = "higher", **more: object) -> Answer:
    claim = Claim(name="c", says="So it is.", trials=Pick(), benchmarks=("countdown",), expects=expects)  # type: ignore[arg-type]
    facts: dict[str, object] = {
        "claim": claim,
        "state": "supported",
        "effect": Interval(0.1, 0.05, 0.15),
        "p": 0.001,
        "parts": {"countdown": Interval(0.12, 0.0, 0.2), "gcd": Interval(0.08, 0.0, 0.2)},
        "trials": 1,
        "problems": 100,
        "answers": 200,
        "why": "",
    }
    return Answer(**(facts | more))  # type: ignore[arg-type]


def test_a_difference_stands_beside_its_parts_and_what_was_published() -> None:
    results = read_cells(few_cells())
    drawn = claim_figures(results, [answer()], {"c": 0.07}, {}, {})
    assert {"found", "countdown", "gcd", "published", "points"} <= set(texts(drawn["c"].svg))
    assert drawn["c"].file == "claim-c.svg"
    alone = claim_figures(results, [answer(parts={})], {}, {}, {})["c"]
    assert "published" not in texts(alone.svg)
    assert claim_figures(results, [answer(effect=None)], {}, {}, {}) == {}


def test_a_shape_is_drawn_as_its_curves() -> None:
    results = read_cells(few_cells())
    key = (results.trials[0].trial, "countdown")
    found = curve(0.5, 0.3, 0.4, 0.6, 0.6, 0.6)
    one = answer("dip and recovery", curves=(key, ("missing", "countdown")), effect=None)
    references = {key: {0: 0.5, 8: 0.4}}
    drawn = claim_figures(results, [one], {}, references, {key: found})
    said = texts(drawn["c"].svg)
    assert "gain (points)" in said and "optimizer step" in said
    assert claim_figures(results, [one], {}, {}, {}) == {}


def test_curves_of_a_claim_are_named_by_what_they_do_not_share() -> None:
    results = read_cells(made_up_cells())
    first, second = results.trials[0], results.trials[1]
    known = {
        (trial.trial, name): curve(0.5, 0.3, 0.4, 0.6, 0.6, 0.6)
        for trial in (first, second)
        for name in ("countdown", "refusals")
    }
    two = answer("dip and recovery", curves=tuple((first.trial, n) for n in ("countdown", "refusals")))
    said = texts(claim_figures(results, [two], {}, {}, known)["c"].svg)
    assert {"countdown", "refusals"} <= set(said)
    assert first.base not in said
    other = answer("dip and recovery", curves=tuple((t.trial, "countdown") for t in (first, second)))
    said = texts(claim_figures(results, [other], {}, {}, known)["c"].svg)
    assert {first.length, second.length} <= set(said) and "countdown" not in said


# Tables as files.


def test_a_table_is_written_three_times_and_breaks_in_none() -> None:
    rows = [["a|b & 50% of_x", f"{HOSTILE}\n"], ["−1 ± 2 → ▲", "$x^2$ \\ {y} ~"]]
    table = Table(name="t", about="What\nit is.", head=["one", "two"], rows=rows)
    assert dict(table.files()).keys() == {"t.csv", "t.md", "t.tex"}
    assert list(csv.reader(io.StringIO(table.csv))) == [["one", "two"], *rows]
    lines = table.markdown.splitlines()
    assert lines[:4] == ["What it is.", "", "| one | two |", "| --- | --- |"]
    assert "<script" not in table.markdown
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines[2:]} == {3}
    tex = table.latex
    assert r"a$|$b \& 50\% of\_x & $<$script$>$alert(1)$<$/script$>$ \\" in tex
    signs = (
        r"$-$1 $\pm$ 2 $\to$ $\uparrow$",
        r"\$x\textasciicircum{}2\$ \textbackslash{} \{y\} \textasciitilde{}",
    )
    assert " & ".join(signs) in tex
    ends = Table(name="t", about="", head=["[a]", "b"], rows=[["*", "c"]]).latex
    assert "\n{[}a] & b " in ends and "\n{*} & c " in ends, "a row's end takes no [ or * as its own"
    assert tex.startswith("% What it is.\n% Needs \\usepackage{booktabs}.\n\\begin{tabular}{ll}\n\\toprule\n")
    assert tex.endswith("\\bottomrule\n\\end{tabular}\n")


def test_every_table_of_the_page_is_there() -> None:
    cells = few_cells()
    results = read_cells(cells)
    key = (results.trials[0].trial, "countdown")
    dimensions = {column.benchmark: column.dimension for column in results.columns}
    bases = {axes.trial: (axes.base, axes.data) for axes in results.trials}
    points = asymmetry(paired(results), dimensions, bases)
    found = {
        table.name: table
        for table in tables(
            results,
            pivot(results),
            answers=[answer()],
            published={"c": 0.07},
            trajectories={key: curve(0.5, 0.3, 0.6)},
            effects=[effect()],
            points=points,
        )
    }
    names = {"scores", "claims", "verdicts", "effects", "asymmetry", "steps-countdown", "steps-refusals"}
    assert found.keys() == names
    assert found["claims"].rows == [
        [
            "c",
            "So it is.",
            "supported",
            "10.0",
            "5.0",
            "15.0",
            "points",
            "7.0",
            "0.001",
            "100",
            "200",
            "",
            "0",
        ]
    ]
    assert found["effects"].rows[0][:9] == [
        *("at the end", "in-domain", "length", "96st over 24st", "10.0", "5.0", "15.0", "0.01", "higher")
    ]
    assert len(found["asymmetry"].rows) == len(points) > 0
    shown, said = (
        curve(0.5, 0.3, 0.6),
        dict(zip(found["verdicts"].head, found["verdicts"].rows[0], strict=True)),
    )
    for name, interval in (("dip", shown.dip), ("best gain", shown.best), ("area", shown.area)):
        assert [said[name], said[f"{name} low"], said[f"{name} high"]] == [
            f"{100 * end:.1f}" for end in (interval.value, interval.low, interval.high)
        ]
    assert (said["dip step"], said["recovery step"], said["latest recovery"]) == ("10", "20", "20")
    assert (said["converged"], said["second rise"], said["overfitting"]) == ("no", "no", "no")
    for table in found.values():
        assert len(set(table.head)) == len(table.head), "a program finds each column by its name"
    for table in found.values():
        assert {len(row) for row in table.rows} == {len(table.head)}
    empty = read_cells(cells.iloc[:0])
    nothing = tables(empty, pivot(empty), answers=(), published={}, trajectories={}, effects=(), points=())
    assert list(nothing) == []
