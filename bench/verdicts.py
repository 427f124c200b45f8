"""How right and how fast verdicts on mathematics and code are.

    pip install --no-deps --target PEER lm-eval==0.4.13
    PYTHONPATH=PEER python bench/verdicts.py [--runs 3]

Right: constructed pairs (tests/notation_pairs.py, tests/dress_pairs.py) beside bare math-verify and, where
PEER is there, lm-eval's `is_equiv`; gold answers of whole benchmarks, as they are, in another notation, and
those of other problems.
Fast: through the grading processes on two cores, their start apart. Hostile answers end within the limit.
Takes about six minutes on two cores.
"""

from __future__ import annotations

import argparse
import logging
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import dress_pairs
import golds
import notation_pairs as pairs

from rsft.records import Problem
from rsft.scoring.grade import grade_all
from rsft.scoring.graders import grade_math

WORKERS = 2
SETS = {
    "rules written with them": (pairs.EQUAL, pairs.UNEQUAL),
    "held out": (pairs.HELD_EQUAL, pairs.HELD_UNEQUAL),
    "held out again": (pairs.AGAIN_EQUAL, pairs.AGAIN_UNEQUAL),
    "dress, rules written with them": (dress_pairs.EQUAL, dress_pairs.UNEQUAL),
    "all": (pairs.ALL_EQUAL + dress_pairs.EQUAL, pairs.ALL_UNEQUAL + dress_pairs.UNEQUAL),
}

HOSTILE = {
    "9^{9^{9^9}}": "9^{9^{9^9}}",
    "a factorial of a factorial": r"\gcd((99999!)!, 7)",
    "400 braces": "{" * 400 + "1" + "}" * 400,
    "100 fractions in each other": r"\frac{1}{" * 100 + "2" + "}" * 100,
    "200 kB of digits": "1" * 200_000,
    "200 kB of fractions": r"\frac{1}{2}+" * 18_000,
    "an integral nobody can do": r"\int e^{x^2}\sin x dx",
}


def bare(gold: str, answer: str) -> bool:
    """math-verify as its page shows it."""
    from math_verify import parse, verify

    found = (parse(f"\\boxed{{{text}}}", parsing_timeout=None) for text in (gold, answer))
    return bool(verify(*found, timeout_seconds=None))


def judges() -> dict[str, Callable[[str, str], bool]]:
    """All that can be had here."""
    found: dict[str, Callable[[str, str], bool]] = {
        "rsft": lambda gold, answer: grade_math(answer, gold) == 1.0,
        "math-verify": bare,
    }
    if package := find_spec("lm_eval"):
        # The file alone: the package imports a dozen others that this function does not need.
        file = Path(str(package.origin)).parent / "tasks/hendrycks_math/utils.py"
        spec = spec_from_file_location("hendrycks_math", file)
        assert spec and spec.loader
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        found["lm-eval is_equiv"] = lambda gold, answer: bool(module.is_equiv(gold, answer))
    else:
        print("lm-eval is not there, so its is_equiv is left out")
    return found


def notation() -> Table:
    """Verdicts that are right, by judge and set."""
    known = judges()
    table = Table("constructed pairs", "pairs", *known)
    for name, (equal, unequal) in SETS.items():
        asked = [(*pair, True) for pair in equal] + [(*pair, False) for pair in unequal]
        right = [sum(judge(g, a) is want for g, a, want in asked) for judge in known.values()]
        table.add_row(name, str(len(asked)), *(f"{count} ({count / len(asked):.1%})" for count in right))
    return table


def mathematics(console: Console) -> Table:
    """Gold answers of whole benchmarks."""
    table = Table("benchmark", "problems", "gold right", "other notation right", "another's wrong")
    for benchmark in golds.MATHEMATICS:
        found = golds.asked(benchmark)
        kinds = (
            ([(problem, problem.gold) for problem in found], "correct"),
            ([(problem, golds.redressed(problem)) for problem in found], "correct"),
            (golds.others(found), "wrong"),
        )
        cells = []
        for answers, wanted in kinds:
            scores = golds.verdicts(answers, WORKERS)
            cells.append(f"{sum(score.outcome == wanted for score in scores) / len(scores):.1%}")
            for (problem, answer), score in zip(answers, scores, strict=True):
                if score.outcome != wanted:
                    console.print(
                        f"{benchmark} {problem.id}: gold {problem.gold!r}, answer {answer!r}:", score.outcome
                    )
        table.add_row(benchmark, str(len(found)), *cells)
    return table


def code(console: Console) -> Table:
    """The authors' own programs, and those of other problems, with verdicts per second."""
    table = Table("benchmark", "problems", "own pass", "another's fail", "verdicts/s", "CPU ms a verdict")
    for benchmark in golds.PROGRAMS:
        found = golds.asked(benchmark)
        turned = [*found[1:], found[0]]
        begun, used = time.monotonic(), _cpu_s()
        with ThreadPoolExecutor(WORKERS) as pool:
            own = list(pool.map(golds.examined, found, map(golds.program, found)))
            other = list(pool.map(golds.examined, found, map(golds.program, turned)))
        seconds, used = time.monotonic() - begun, _cpu_s() - used
        for problem, outcome in zip(found, own, strict=True):
            if outcome.status != "passed":
                console.print(f"{benchmark} {problem.id}, own: {outcome}", markup=False)
        for problem, outcome in zip(found, other, strict=True):
            if outcome.status != "failed":
                console.print(f"{benchmark} {problem.id}, another's: {outcome}", markup=False)
        shares = [
            sum(one.status == "passed" for one in own) / len(own),
            sum(one.status == "failed" for one in other) / len(other),
        ]
        table.add_row(
            benchmark,
            str(len(found)),
            *(f"{share:.1%}" for share in shares),
            f"{2 * len(found) / seconds:.0f}",
            f"{1000 * used / (2 * len(found)):.0f}",
        )
    return table


def _cpu_s() -> float:
    """Of this process and of the children that have ended: what a machine in use cannot blur."""
    found = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in found)


def speed(runs: int) -> Table:
    """Verdicts per second on mathematics, medians of runs."""
    found = golds.asked("math-500")
    kinds = {
        "gold as it is": [(problem, problem.gold) for problem in found],
        "gold in another notation": [(problem, golds.redressed(problem)) for problem in found],
        "another problem's gold": golds.others(found),
    }
    kinds["all three"] = [answer for answers in kinds.values() for answer in answers]
    table = Table("MATH-500, two processes", "verdicts", "verdicts/s", "with their start")
    few = kinds["another problem's gold"][:WORKERS]
    start = statistics.median(_seconds(few) for _ in range(runs))
    for name, answers in kinds.items():
        seconds = statistics.median(_seconds(answers) for _ in range(runs))
        sustained = (len(answers) - len(few)) / max(seconds - start, 1e-3)
        table.add_row(name, str(len(answers)), f"{sustained:,.0f}", f"{len(answers) / seconds:,.0f}")
    return table


def _seconds(answers: list[tuple[Problem, str]]) -> float:
    begun = time.monotonic()
    golds.verdicts(answers, WORKERS)
    return time.monotonic() - begun


def hostile() -> Table:
    """What a grading process makes of answers that mean harm, with its limit of seconds."""
    table = Table("hostile answer", "outcome", "seconds, start included", "why")
    problem = golds.asked("math-500", 1)[0]
    for name, answer in HOSTILE.items():
        begun = time.monotonic()
        [score] = grade_all([(problem, golds.response(problem, answer))], grader="math")
        table.add_row(name, score.outcome, f"{time.monotonic() - begun:.1f}", score.why)
    return table


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each timing; the median is printed")
    runs = parser.parse_args().runs
    logging.disable(logging.CRITICAL)  # math-verify says at each call that its timeouts are off
    console = Console(width=118)
    console.print(notation())
    console.print(speed(runs))
    console.print(mathematics(console))
    console.print(code(console))
    console.print(hostile())


if __name__ == "__main__":
    main()
