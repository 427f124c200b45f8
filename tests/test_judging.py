"""A judge in our own engines: each different answer judged once, after the answers, whoever asks again.

The engine is a fake here, except in the last test.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeGenerator, FakeTrainer, fake_engines
from rich.console import Console
from test_house_in_one_breath import page, run

from rsft import layout
from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems
from rsft.errors import ModelError, SpecError
from rsft.records import Problem, Score
from rsft.report.judges import judges_table
from rsft.spec import BenchmarkUse, EvalSpec, JudgeSpec, SamplingSpec
from rsft.storage import Storage
from rsft.sweep.forecast import forecast
from rsft.sweep.grading import judge_identity
from rsft.sweep.judges import agreements
from rsft.sweep.live import Progress
from rsft.sweep.plan import make_plan
from rsft.sweep.run import run_sweep
from rsft.sweep.standalone import given_sweep, show_scores
from rsft.tracking.tracker import SilentTracker

SAFE, HARMFUL, RUBBISH = "1.b 1\n2.b 1\n3.b 1", "1.b 0\n2.b 5\n3.b 5", "I would rather not."
JUDGE = JudgeSpec(model="nano-3m")
USE = BenchmarkUse(name="strongreject", problems=4)
EVALUATION = EvalSpec(benchmarks=(USE,), sampling=SamplingSpec(max_new_tokens=64), judge=JUDGE)


class Court:
    """Models whose answer to a problem is its number, and a judge of what they say."""

    def __init__(self, verdicts: dict[str, str], same: bool = False) -> None:
        self.verdicts, self.same = verdicts, same
        self.heard: list[str] = []

    def __call__(self, problem: Problem, step: int, sample: int) -> str:
        if problem.question:
            return f"reply {problem.id} \\boxed{{}}" + ("" if self.same else f" at {step}")
        self.heard.append(problem.id)
        number = problem.prompt.split("reply ")[1].split()[0]
        said = self.verdicts.get(number, SAFE)
        return f"{'' if '<think>' in said else '<think>Hm.</think>'}{said} \\boxed{{}}"


def evaluate(
    storage: Storage, court: Court, evaluation: EvalSpec = EVALUATION
) -> tuple[int, FakeGenerator, str]:
    generator, out = FakeGenerator(court), io.StringIO()
    engines = fake_engines(FakeTrainer(), generator)
    sweep = given_sweep("judged", ["nano-1m"], evaluation, "cpu")
    with Progress(storage, Console(file=out, width=200)) as progress:
        cells = run_sweep(sweep, storage, engines, SilentTracker(), progress)["cells"]
    show_scores(make_plan(sweep, storage), Console(file=out, width=200))
    return int(cells["done"] < sum(cells.values())), generator, out.getvalue()


def ids() -> list[str]:
    return [problem.id for problem in problems(CARDS["strongreject"], 4)]


def scores(storage: Storage) -> list[Score]:
    (file,) = Path(storage.root).glob("bases/*/evals/*/*/scores.parquet")
    return [Score(**row) for row in storage.read_table(str(file.relative_to(storage.root))).to_pylist()]


def test_it_is_asked_after_the_answers_and_never_again(tmp_path: Path) -> None:
    storage, (harmful, *_) = Storage(tmp_path), ids()
    court = Court({harmful: HARMFUL})
    code, generator, out = evaluate(storage, court)
    assert code == 0 and "nano-3m judges 4 answers of 1 cells" in out and "answered, to be judged" in out
    assert [one[2] for one in generator.answered] == ["strongreject", "judge-strongreject"]
    assert len(court.heard) == len(set(court.heard)) == 4
    by = {score.problem: score for score in scores(storage)}
    assert (by[harmful].outcome, by[harmful].raw) == ("wrong", 1.0)
    assert [score.outcome for score in by.values()].count("correct") == 3
    assert "2.b 5" in by[harmful].why

    again = Court({})
    code, generator, _ = evaluate(storage, again)
    assert (code, generator.answered, again.heard) == (0, [], [])


def test_words_without_a_verdict_are_an_error_and_are_kept(tmp_path: Path) -> None:
    storage, (bad, *_) = Storage(tmp_path), ids()
    code, _, out = evaluate(storage, Court({bad: RUBBISH}))
    assert code == 1 and "1 of 4 times nano-3m gave no verdict" in out
    (score,) = (one for one in scores(storage) if one.outcome == "error")
    assert score.problem == bad and RUBBISH in score.why
    endless = evaluate(Storage(tmp_path / "endless"), Court({bad: "<think>1.b 0\n2.b 5\n3.b 5"}))
    assert "1 of 4 times" in endless[2], "a verdict within its thinking is none"
    code, generator, _ = evaluate(storage, Court({}))
    assert (code, generator.answered) == (1, []), "it would say the same again"
    code, generator, _ = evaluate(
        storage, Court({}), EVALUATION.model_copy(update={"judge": JudgeSpec(model="nano-3m", version="2")})
    )
    assert code == 0 and [one[2] for one in generator.answered] == ["judge-strongreject"]


def test_what_was_judged_before_a_kill_is_not_asked_again(tmp_path: Path) -> None:
    storage, first = Storage(tmp_path), ids()[0]
    evaluate(storage, Court({}))
    (file,) = (tmp_path / "judgements").glob("*.jsonl")
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])  # torn
    for marker in tmp_path.glob("bases/*/evals/*/*/cell.json"):
        facts = json.loads(marker.read_text())
        marker.write_text(json.dumps(facts | {"errors": 1, "first_error": "not judged yet"}))
    court = Court({first: SAFE})
    code, generator, _ = evaluate(storage, court)
    assert code == 0 and len(court.heard) == 1
    assert [one[2] for one in generator.answered] == ["judge-strongreject"]


def test_checkpoints_that_say_the_same_are_judged_once_and_the_plan_counts_verdicts(tmp_path: Path) -> None:
    sweep = page(evaluation=EVALUATION.model_copy(update={"checkpoint_steps": (1, 2, 4)}))
    facts = forecast(make_plan(sweep, Storage(tmp_path)))
    assert facts["judge"] == {"model": "nano-3m", "address": None, "verdicts": facts["n_generations"]}
    court = Court({}, same=True)
    done, _, _ = run(sweep, Storage(tmp_path), answer=court)
    assert len(court.heard) == 4 and done["cells"]["done"] == sum(done["cells"].values()) > 4
    court = Court({}, same=True)
    run(sweep, Storage(tmp_path), answer=court)
    assert court.heard == []


def test_two_judges_of_the_same_answers_are_compared(tmp_path: Path) -> None:
    storage, (first, second, third, _) = Storage(tmp_path), ids()
    evaluate(storage, Court({first: HARMFUL, second: HARMFUL}))
    ((names, alone),) = agreements(storage).items()
    assert names[2] == "" and alone.items == 0
    assert judges_table({names: alone}).rows[0][2:4] == ("nobody yet", "0")  # type: ignore[union-attr]
    other = EVALUATION.model_copy(update={"judge": JudgeSpec(model="nano-1m", version="2")})
    code, generator, _ = evaluate(storage, Court({first: HARMFUL, third: RUBBISH}), other)
    assert code == 1 and [one[2] for one in generator.answered] == ["judge-strongreject"]
    ((names, both),) = agreements(storage).items()
    assert (
        names[0] == "strongreject" and names[1].startswith("nano-1m@2#") and names[2].startswith("nano-3m#")
    )
    assert both.items == 3, "the third has one verdict"
    assert (both.true_positive, both.false_negative, both.true_negative) == (1, 1, 1)
    table = judges_table({names: both})
    assert table is not None
    assert table.rows[0][3:] == ("3", "67% (21 to 94)", "0.40 (-0.43 to 0.89)", "1 good", "0 good")
    assert judges_table({}) is None


def test_who_judges_is_part_of_a_verdict(tmp_path: Path) -> None:
    here = judge_identity(JUDGE)
    assert here != judge_identity(JudgeSpec(model="nano-1m"))
    assert here != judge_identity(replace_budget(JUDGE, 99)), "cut elsewhere, it may say something else"
    assert judge_identity(JudgeSpec(model="m", address="http://x")) == "m"
    assert JudgeSpec.named("org/m@http://x/v1") == JudgeSpec(model="org/m", address="http://x/v1")
    with pytest.raises(SpecError, match=r"names no model; give MODEL@http://x/v1"):
        JudgeSpec.named("http://x/v1")
    assert JudgeSpec.named("nano-3m") == JUDGE and JudgeSpec.named("a@b").address is None
    wrong = EVALUATION.model_copy(update={"judge": JudgeSpec(model=str(tmp_path / "none"))})
    with pytest.raises(ModelError):
        make_plan(page(evaluation=wrong), Storage(tmp_path))


def replace_budget(spec: JudgeSpec, tokens: int) -> JudgeSpec:
    return spec.model_copy(update={"max_new_tokens": tokens})


@pytest.mark.ray
@pytest.mark.slow
def test_a_real_engine_judges_what_another_said(tmp_path: Path) -> None:
    """A nano judge writes no verdict that can be read; that it was asked, once, is what is shown."""
    command = [sys.executable, "-m", "rsft.cli", "evaluate", "nano-1m", "--benchmarks", "strongreject"]
    command += ["--problems", "3", "--max-new-tokens", "24", "--max-model-tokens", "2048", "--device", "cpu"]
    command += ["--judge", "nano-3m", "--storage", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 1, done.stderr[-3000:]
    assert "nano-3m judges 3 answers of 1 cells" in done.stdout
    (file,) = tmp_path.glob("evaluation/judgements/*.jsonl")
    rows: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()]
    assert len({row["key"] for row in rows}) == 3
    assert all(row["judge"].startswith("nano-3m#") and row["words"] and row["why"] for row in rows)
    written = file.stat().st_mtime_ns
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 1 and "judges 3 answers" not in done.stdout
    assert file.stat().st_mtime_ns == written
    assert layout.judgements("strongreject", rows[0]["judge"]).split("/")[1] == file.name
