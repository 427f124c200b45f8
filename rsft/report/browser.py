r"""The sample browser: which answers of a cell can be read on `samples.html`, and their files beside it.

The page is a shell of constant size. What it shows lies in scripts below `report/samples/` that call its one
global function, and that it loads as they are asked for: one for the sweep, one per trial and benchmark, one
per cell. All cells of a trial on a benchmark hold the same answers, so that any two steps can be compared.

A script is ASCII, JSON with `<`, `>` and `&` written as `\uXXXX` too: no text can end it, and none is
lost, NUL and lone surrogates included.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from rsft import layout
from rsft.records import Generation, Outcome, Problem, Score
from rsft.scoring.reading import answer_part

PAGE = f"{layout.REPORT}/samples.html"
FOLDER = f"{layout.REPORT}/samples"
INDEX = f"{FOLDER}/index.js"
STAMPS = f"{FOLDER}/stamps.json"
"""What the files of each trial and benchmark were made of."""

PLACES = 40
"""Answers of a cell that can be read."""
CELL_BYTES = 512_000
"""Room of a cell's script."""
LONGEST = 0.5
"""Share of a cell's script that one answer may take; of a longer one the middle is left out."""
_KEYS = 30
"""More than the names of both parts of a text take."""
PROBLEM_BYTES = 10_000
"""Room of a problem's text, and a tenth of it for what is asked to be the answer."""
SEED = 0
"""Of the draws."""
LETTERS: dict[Outcome, str] = {
    "correct": "c",
    "wrong": "w",
    "no_answer": "n",
    "truncated": "t",
    "error": "e",
}

Slot = tuple[str, int]
"""Problem and sample: the same at every step."""
Outcomes = Mapping[Slot, Outcome]
"""Of one cell."""


def family_folder(family: str) -> str:
    """`family` is a trial's id and a benchmark's key, with a slash."""
    return f"{FOLDER}/{family}"


def family_file(family: str) -> str:
    return f"{family_folder(family)}/index.js"


def cell_file(family: str, step: int) -> str:
    return f"{family_folder(family)}/{layout.step_name(step)}.js"


_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def literal(value: Any) -> str:
    """A value as JavaScript: ASCII, without a character that HTML knows."""
    text = _ENCODER.encode(value)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def script(file: str, value: Any) -> str:
    """The file that hands a value to the page, under its own path from there."""
    return f"rsftSamples({literal(file.removeprefix(f'{layout.REPORT}/'))},{literal(value)});\n"


def shortened(text: str, room: int) -> str:
    """A text whose literal takes `room` bytes at most: beginning and end of it where it is longer."""
    if 12 * len(text) + 2 <= room:  # two escapes for a character are the most
        return text
    kept, keep = text, len(text)
    while keep and (size := len(literal(kept))) > room:
        keep = min(keep - 1, int(0.95 * keep * room / size))
        head = 2 * keep // 3
        left = f"\n[… {len(text) - keep:,} characters are left out here …]\n"
        kept = text[:head] + left + text[len(text) - (keep - head) :]
    return kept


def choose(steps: Sequence[Outcomes], count: int = PLACES) -> list[Slot]:
    """Which answers can be read, at most `count`, in the order of their problems.

    Half of the places go to answers that turn from right to wrong or back between two neighbouring steps, the
    rest to others, both drawn by a seeded hash; either takes what the other leaves.

    Args:
        steps: outcomes by slot, in order of steps.
        count: places.
    """
    changed = {
        slot
        for before, after in pairwise(steps)
        for slot in before.keys() & after.keys()
        if {_side(before[slot]), _side(after[slot])} == {True, False}
    }
    others = set().union(*steps) - changed
    half = max(count // 2, count - len(others))
    drawn = sorted(changed, key=_draw)[:half]
    return sorted(drawn + sorted(others, key=_draw)[: count - len(drawn)], key=_counted)


def _counted(slot: Slot) -> tuple[list[str | int], int]:
    """Problems in the order of people: 9 before 10."""
    parts = re.split(r"([0-9]{1,18})", slot[0])
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], slot[1]


def _side(outcome: Outcome) -> bool | None:
    """Right, not right, or neither: an error is ours."""
    return None if outcome == "error" else outcome == "correct"


def _draw(slot: Slot) -> bytes:
    text = f"{SEED}\0{slot[0]}\0{slot[1]}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def family_facts(
    steps: Sequence[int], outcomes: Sequence[Outcomes], slots: Sequence[Slot], problems: Mapping[str, Problem]
) -> dict[str, Any]:
    """What the page knows of a trial on a benchmark before it shows an answer.

    Args:
        steps: evaluated ones, ascending.
        outcomes: of every answer, by step.
        slots: those that can be read.
        problems: by id; of one that is missing the text is empty.
    """
    every = sorted(set().union(*outcomes))
    right, wrong = (
        np.array([[at.get(slot) in kind for slot in every] for at in outcomes], dtype=np.float32)
        for kind in (("correct",), ("wrong", "no_answer", "truncated"))
    )
    asked = {}
    for name in dict.fromkeys(problem for problem, _ in slots):
        known = problems.get(name)
        asked[name] = {
            "prompt": shortened(known.prompt, PROBLEM_BYTES) if known else "",
            "gold": shortened(str(known.gold), PROBLEM_BYTES // 10) if known else "",
        }
    return {
        "steps": list(steps),
        "totals": [dict(sorted(Counter(at.values()).items())) for at in outcomes],
        # Element [i][j]: how many answers are right at step i and wrong at step j.
        "lost": (right @ wrong.T).astype(int).reshape(len(steps), len(steps)).tolist(),
        "slots": [list(slot) for slot in slots],
        "verdicts": ["".join(LETTERS[at[slot]] if slot in at else "-" for slot in slots) for at in outcomes],
        "problems": asked,
    }


def cell_rows(
    slots: Sequence[Slot], answers: Mapping[Slot, tuple[Score, Generation]], room: int = CELL_BYTES
) -> list[dict[str, Any] | None]:
    """What can be read of a cell, one row per slot; None where there is no answer.

    A row has score and text, the text apart at the end of thinking. Where not all texts have room, some are
    whole, and of the others the middle is left out, so that every answer shows how it begins and ends.

    Args:
        slots: the places, in order.
        answers: with their scores.
        room: bytes of all rows as JavaScript.
    """
    rows: list[dict[str, Any] | None] = []
    for slot in slots:
        rows.append(None if slot not in answers else _facts(*answers[slot]))
    left = room - len(literal(rows))
    # Places are in the order of problems; which texts are whole is drawn, the same at every step.
    waiting = sorted(
        ((slot, row) for slot, row in zip(slots, rows, strict=True) if row), key=lambda one: _draw(one[0])
    )
    share = left // 2 // max(1, len(waiting))
    for place, (slot, row) in enumerate(waiting, 1):
        most = min(int(LONGEST * room), left - (len(waiting) - place) * share) - _KEYS
        thinking, rest = apart(answers[slot][1].text)
        rest = shortened(rest, most // 2 if thinking else most)
        texts = {"thinking": shortened(thinking, most - len(literal(rest))), "text": rest}
        if (size := len(literal(texts))) <= left:
            row |= texts
            left -= size
    return rows


def _facts(score: Score, generation: Generation) -> dict[str, Any]:
    def said(text: str | None) -> str | None:
        return None if text is None else shortened(text, PROBLEM_BYTES // 10)

    return {
        "answer": said(score.answer),
        "where": said(score.where),
        "raw": score.raw if math.isfinite(score.raw) else None,
        "why": said(score.why),
        "cut": score.truncated,
        "tokens": generation.tokens,
        "characters": len(generation.text),
        "seed": str(generation.seed),  # may be beyond what JavaScript counts exactly
    }


def apart(text: str) -> tuple[str, str]:
    """A response's thinking, with its end, and what follows; together they are the text."""
    part = answer_part(text)
    return (text, "") if part is None else (text[: len(text) - len(part)], part)


def render_samples(name: str) -> str:
    """The page. Its own script is allowed by its hash; beside it only scripts from where the page lies."""
    here = Path(__file__).parent
    code = "\n" + (here / "samples.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("samples.html.j2").render(name=name, code=Markup(code), digest=digest)
