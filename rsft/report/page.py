"""Assembles the report's page from stored facts and writes it with its figures and tables.

The page stands alone: style and figures are inside it, it needs no network and no JavaScript. It is
valid at any moment of a sweep, from the first empty table to the last cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rsft import layout
from rsft.report.conclusions import (
    claim_rows,
    claim_tally,
    effect_rows,
    readings_table,
    verdict_rows,
    verdict_tally,
)
from rsft.report.drawing import Drawing
from rsft.report.exports import frame_csv, tables
from rsft.report.facts import ReportFacts
from rsft.report.gallery import Figures, draw
from rsft.report.judges import judges_table
from rsft.report.packing import inlined
from rsft.report.procedures import ProcedureSection, procedure_section
from rsft.report.results import read_cells, tidy
from rsft.report.shown import FAILURES, OPENED_CERTIFICATES, SPEC_CHARACTERS, Shown
from rsft.report.tables import Grid, full_table, pivot
from rsft.storage import Storage

INDEX = f"{layout.REPORT}/index.html"
FIGURES = f"{layout.REPORT}/figures"
TABLES = f"{layout.REPORT}/tables"

TEMPLATE = "template.html.j2"
PAGE_BYTES = 4_900_000
"""Up to which figures stand in the page, but for the style they share; others lie beside it."""
VERDICTS_OPEN = 12
"""Decided curves up to which their table is open; of more the pictures say it first."""
SAMPLES_SHOWN = 3
"""Decoded training rows per certificate."""
SAMPLE_CHARACTERS = 4_000
"""A longer prompt or target is cut on the page, and says so."""
CHANCE = 0.05
"""Share of unchanged scores whose change has an interval without 0 all the same."""


def write_report(storage: Storage, facts: ReportFacts) -> str:
    """Writes index.html, its figures and its tables below `report/` and returns the page's path.

    The page goes last. Figures and tables of an earlier report that this one does not have are removed.

    Raises:
        DataError: the table of cells has rows but lacks columns.
        OSError: the storage cannot be written.
    """
    cells = tidy(facts.cells)
    results = read_cells(cells, facts.parameters)
    shown, grid = Shown.of(results), pivot(results, facts.trajectories)
    traces = procedure_section(results, facts.procedures)
    figures = draw(shown, facts, traces)
    page = render(facts, shown, grid, figures, traces)

    kept = {name for drawing in figures for name in (drawing.file, drawing.pdf_file)}
    for old in storage.names(FIGURES):
        if old.endswith((".svg", ".pdf")) and old not in kept:
            storage.delete(f"{FIGURES}/{old}")
    for drawing in figures:
        storage.write_text(f"{FIGURES}/{drawing.file}", drawing.svg)
        storage.write_bytes(f"{FIGURES}/{drawing.pdf_file}", drawing.pdf)
    files = {"cells.csv": frame_csv(cells)}
    if not facts.procedures.empty:
        files["procedures.csv"] = frame_csv(facts.procedures)
    judged, said = judges_table(facts.judges), readings_table(facts.readings)
    written = [*traces.tables, *(one for one in (judged, said) if one is not None and one.rows)]
    written += tables(
        results,
        grid,
        answers=facts.answers,
        published=facts.published,
        trajectories=facts.trajectories,
        effects=facts.effects,
        points=facts.asymmetry,
    )
    for table in written:
        files |= {name: text.encode() for name, text in table.files()}
    for old in storage.names(TABLES):
        if old.endswith((".csv", ".md", ".tex")) and old not in files:
            storage.delete(f"{TABLES}/{old}")
    for name, content in files.items():
        storage.write_bytes(f"{TABLES}/{name}", content)
    storage.write_text(INDEX, page)
    return storage.path(INDEX)


def render(facts: ReportFacts, shown: Shown, grid: Grid, figures: Figures, traces: ProcedureSection) -> str:
    """The page as HTML; every text that comes from data is escaped. The grid is of all results."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = _words(facts, shown, grid, traces)

    def page(inside: Mapping[str, str], styles: str) -> str:
        environment.filters["svg"] = lambda drawing: _drawn(drawing, inside)
        beside = len({drawing.file for drawing in figures} - inside.keys())
        return environment.get_template(TEMPLATE).render(
            **words, figures=figures, beside=beside, figure_styles=Markup(styles)
        )

    room = PAGE_BYTES - len(page({}, "").encode("utf-8", "surrogatepass"))
    return page(*inlined(figures, room))


def _words(facts: ReportFacts, shown: Shown, grid: Grid, traces: ProcedureSection) -> dict[str, Any]:
    """What the template shows beside figures."""
    listed, results = shown.listed, shown.results
    spec = facts.sweep.get("spec") or {}
    failures = facts.status.get("failures") or []
    compared = sum(map(grid.count, ("up", "down", "same")))
    return {
        "name": str(spec.get("name") or "sweep"),
        "headline": headline(facts.status, facts.adaptive),
        "browsed": facts.browsed,
        "chance": f"{100 * facts.chance:.2g}",
        "adaptive": facts.adaptive,
        "mood": _mood(facts.status, facts.adaptive),
        "claims": claim_rows(facts.answers),
        "claim_tally": claim_tally(facts.answers),
        "shown": shown,
        "verdicts": verdict_rows(listed, facts.trajectories),
        "verdicts_open": VERDICTS_OPEN,
        "tally": verdict_tally(results, facts.trajectories),
        "readings": facts.readings,
        "grid": grid.of({axes.trial for axes in listed.trials}),
        "rose": grid.count("up"),
        "fell": grid.count("down"),
        "bases": listed.bases,
        "recipes": results.recipes,
        "compared": compared,
        "by_chance": round(CHANCE * compared),
        "unseen": max(0, sum(_counts(facts.status, "trials").values()) - len(results.trials)),
        "traces": traces,
        "effects": effect_rows(facts.effects),
        "failures": failures[:FAILURES],
        "unlisted_failures": len(failures[FAILURES:]),
        "failed": sum(_counts(facts.status, noun)["failed"] for noun in ("trials", "cells")),
        "certificates": [
            certificate(name, found, rows=SAMPLES_SHOWN if place < OPENED_CERTIFICATES else 0)
            for place, (name, found) in enumerate(sorted(facts.certificates.items()))
        ],
        "tables": [(column, full_table(listed, column.benchmark)) for column in results.columns],
        "judges": judges_table(facts.judges),
        "provenance": facts.sweep.get("provenance") or {},
        "regraded": facts.regraded,
        "spec_json": _shortened(
            json.dumps(spec, indent=2, ensure_ascii=False, default=str), most=SPEC_CHARACTERS
        ),
    }


def _drawn(drawing: Drawing, inside: Mapping[str, str]) -> Markup:
    """A figure itself, which matplotlib has escaped; else an image, loaded when it is scrolled to."""
    if drawing.file in inside:
        return Markup(inside[drawing.file])
    return Markup('<img src="figures/{}" alt="" loading="lazy">').format(drawing.file)


def _counts(status: Mapping[str, Any], noun: str) -> dict[str, int]:
    given = status.get(noun) or {}
    return {state: int(given.get(state) or 0) for state in ("done", "failed", "open")}


def _spared(status: Mapping[str, Any], adaptive: Mapping[str, Any] | None) -> dict[str, dict[str, int]]:
    """Counts of trials and cells, without cells that adaptive evaluation left short on purpose."""
    counts = {noun: _counts(status, noun) for noun in ("trials", "cells")}
    if adaptive is not None:
        short = adaptive["cells_left_out"] + adaptive["cells_with_fewer_samples"]
        counts["cells"]["open"] = max(0, counts["cells"]["open"] - short)
    return counts


def _mood(status: Mapping[str, Any], adaptive: Mapping[str, Any] | None = None) -> str:
    """The worst of `failed`, `open` and `done` that there is."""
    counts = _spared(status, adaptive).values()
    return next((state for state in ("failed", "open") if any(c[state] for c in counts)), "done")


def headline(status: Mapping[str, Any], adaptive: Mapping[str, Any] | None = None) -> str:
    """Such as `8 of 8 trials done, 240 of 240 cells; nothing failed`, or what is missing; of adaptive
    evaluation which cells were asked in full, and what that saved."""
    trials, cells = _counts(status, "trials"), _counts(status, "cells")
    done = f"{trials['done']} of {_many(sum(trials.values()), 'trial')} done, "
    if adaptive is None:
        done += f"{cells['done']} of {_many(sum(cells.values()), 'cell')}"
    else:
        done += (
            f"{adaptive['cells_in_full']:,} of {_many(adaptive['cells'], 'cell')} in full, "
            f"{adaptive['cells_with_fewer_samples']:,} with fewer samples, "
            f"{adaptive['cells_left_out']:,} left out on purpose ({adaptive['saved']:.0%} of answers saved)"
        )
    spared = _spared(status, adaptive)
    said = [
        f"{' and '.join(parts)} {state}"
        for state in ("failed", "open")
        if (parts := [_many(c[state], noun[:-1]) for noun, c in spared.items() if c[state]])
    ]
    if not trials["failed"] and not cells["failed"]:
        said.insert(0, "nothing failed")
    return f"{done}; {', '.join(said)}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def certificate(name: str, facts: Mapping[str, Any], rows: int = SAMPLES_SHOWN) -> dict[str, Any]:
    """A certificate for the page: its name, its facts as text, and a few decoded rows."""
    return {
        "name": name,
        "facts": facts.get("summary")
        or [(str(key), _said(value)) for key, value in facts.items() if key != "sample"],
        "sample": [
            [{"text": _shortened(part["text"]), "trained": part["trained"]} for part in row["parts"]]
            for row in facts.get("sample", [])[:rows]
        ],
    }


def _said(value: Any) -> str:
    """A fact of a manifest in words: numbers grouped, mappings as a list."""
    if isinstance(value, Mapping):
        return _listed(f"{key} {_said(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return _listed(_said(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _listed(items: Iterable[str]) -> str:
    return ", ".join(items) or "none"


def _shortened(text: str, most: int = SAMPLE_CHARACTERS) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]} … (cut here: {len(text)} characters)"
