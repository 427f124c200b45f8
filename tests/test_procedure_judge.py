"""Procedures by a judge that is a scripted server: python -m pytest tests/test_procedure_judge.py"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from test_judge import Server, judge, serving

from rsft.analysis.procedure_judge import DEFINITIONS, judged, rubric_of
from rsft.analysis.procedures import PROCEDURES, agreement, procedures_in

HOUSE = Path(__file__).resolve().parent.parent
LINES = ("item 0: wait, that is wrong, go back.", "item 1: let me check this.", "item 2: the sky is blue.")
SEEN = {(0, "backtracking"), (1, "verification"), (2, "subgoals")}


def said_by(servers: list[Server], number: int) -> str:
    """A verdict on the line and the procedure of the request at hand."""
    asked = servers[0].bodies[-1]["messages"][1]["content"]
    (procedure,) = [name for name, words in DEFINITIONS.items() if words in asked]
    return f"#verdict: {'yes' if (number, procedure) in SEEN else 'no'}"


def test_every_procedure_has_a_definition_and_a_rubric_of_its_own() -> None:
    assert tuple(DEFINITIONS) == PROCEDURES
    assert len({rubric_of(name).fingerprint for name in PROCEDURES}) == len(PROCEDURES)
    assert "a {brace}" in rubric_of("subgoals").fill("", "a {brace}", {})


def test_a_judge_is_asked_once_about_each_line_and_procedure(tmp_path: Path) -> None:
    servers: list[Server] = []
    with serving(lambda number, _: said_by(servers, number)) as server:
        servers.append(server)
        for _ in range(2):  # the second time all is known
            said = judged(
                LINES, lambda rubric: judge(server.address, tmp_path / "v", asking=rubric, parallel=1)
            )
        assert sum(server.asked.values()) == len(LINES) * len(PROCEDURES)
    assert said == [frozenset({"backtracking"}), frozenset({"verification"}), frozenset({"subgoals"})]
    ours = [procedures_in(line) for line in LINES]
    found = agreement(ours, [one for one in said if isinstance(one, frozenset)])
    assert (found["backtracking"].kappa, found["subgoals"].false_negative) == (1.0, 1)


def test_a_line_without_a_verdict_says_why_and_is_no_no(tmp_path: Path) -> None:
    with serving(lambda number, _: "no idea" if number == 1 else "#verdict: no") as server:
        said = judged(LINES, lambda rubric: judge(server.address, tmp_path / "v", asking=rubric, attempts=1))
    assert said[0] == said[2] == frozenset()
    assert isinstance(said[1], str) and said[1].startswith("backtracking: no verdict in the judge's words")


def test_the_bench_refuses_what_is_no_judge() -> None:
    command = [sys.executable, str(HOUSE / "bench" / "procedures.py"), "--judge", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "'nobody' is no MODEL@ADDRESS" in done.stderr
