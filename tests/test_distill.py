"""A teacher's answers become rows: what is kept, what is asked again, and what a killed run loses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fakes import BROKEN, FakeGenerator, FakeTrainer, fake_engines

from rsft.benchmarks.cards import CARDS
from rsft.benchmarks.source import problems as benchmark_problems
from rsft.canary import Canary
from rsft.data.rows import Tally
from rsft.data.source import rows
from rsft.errors import EngineError, SpecError, StorageError
from rsft.generation.requests import CellRequest, EvalTask
from rsft.records import Problem
from rsft.spec import (
    DataSpec,
    DistillSpec,
    FileRows,
    GeneratedRows,
    ModelSpec,
    RowProblems,
    SamplingSpec,
    TaskProblems,
)
from rsft.storage import Storage
from rsft.sweep.distill import distill, problems

SPEC = DistillSpec(
    name="gcd",
    teacher=ModelSpec(source="nano-1m"),
    problems=TaskProblems(task="gcd"),
    count=12,
    sampling=SamplingSpec(samples=4, max_new_tokens=32),
)


def sometimes(problem: Problem, step: int, sample: int) -> str:
    """Samples 1 and 3 of every third problem are right."""
    right = int(problem.id.rpartition("-")[2]) % 3 == 0 and sample % 2
    return f"<think>\nsample {sample}\n</think>\n\n\\boxed{{{problem.gold if right else -1}}}"


SOLVED = sum(int(problem.id.rpartition("-")[2]) % 3 == 0 for problem in problems(SPEC)[1])


def made(
    spec: DistillSpec, storage: Storage, answer: Any = sometimes
) -> tuple[dict[str, Any], FakeGenerator]:
    generator = FakeGenerator(answer)
    facts = distill(spec, storage, fake_engines(FakeTrainer(), generator), lambda line: None)
    return facts, generator


def changed(**values: Any) -> DistillSpec:
    return DistillSpec(**dict(SPEC) | values)


def test_right_answers_become_rows_and_all_answers_stay_in_the_pool(tmp_path: Path) -> None:
    facts, _ = made(SPEC, Storage(tmp_path))
    assert 2 < SOLVED < 6
    assert (facts["solved"], facts["correct"], facts["samples"]) == (SOLVED / 12, 2 * SOLVED / 48, 48)
    found = list(rows(DataSpec(name="d", source=FileRows(path=facts["rows"]), rows=99), Tally()))
    asked = {problem.id: problem for problem in problems(SPEC)[1]}
    assert len(found) == SOLVED
    for row in found:
        assert row.question == asked[row.id].prompt and row.gold == asked[row.id].gold
        assert row.response.endswith(f"\\boxed{{{row.gold}}}")
    unverified = rows(DataSpec(name="d", source=FileRows(path=facts["unverified"]), rows=99), Tally())
    assert len(list(unverified)) == 12
    pool = pq.read_table(facts["pool"]).to_pandas()
    assert pool.groupby("problem")["sample"].apply(sorted).tolist() == [[0, 1, 2, 3]] * 12
    assert (pool.outcome == "correct").sum() == 2 * SOLVED


def test_what_nobody_answered_is_counted_with_its_reason(tmp_path: Path) -> None:
    nobody = fake_engines(FakeTrainer(), FakeGenerator(sometimes, breaks=lambda trial, step: True))
    facts = distill(SPEC, Storage(tmp_path), nobody, lambda line: None)
    assert (facts["failed"], facts["why"], facts["rows_kept"]) == (12, BROKEN, 0)


@pytest.mark.slow
def test_the_seed_picks_among_right_answers_and_asks_nobody_again(tmp_path: Path) -> None:
    storage, chosen = Storage(tmp_path), set()
    for seed in range(6):
        facts, generator = made(changed(pick_seed=seed), storage)
        records = storage.read_lines("rows.jsonl")
        chosen.add(tuple(record["sample"] for record in records))
        assert {record["sample"] for record in records} <= {1, 3} and facts["rows_kept"] == SOLVED
        assert (generator.answered == []) is (seed > 0)
    assert len(chosen) > 1


@pytest.mark.slow
def test_more_problems_keep_the_old_answers(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    made(SPEC, storage)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("generations.parquet")}
    _, generator = made(changed(count=15), storage)
    assert len(generator.answered) == 3
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.slow
def test_another_teacher_needs_another_place(tmp_path: Path) -> None:
    made(SPEC, Storage(tmp_path))
    with pytest.raises(StorageError, match="holds distillation 'gcd' with another teacher"):
        made(changed(teacher=ModelSpec(source="nano-3m")), Storage(tmp_path))


def test_training_problems_are_not_the_benchmark_s() -> None:
    _, asked = problems(changed(count=200))
    assert not {p.question for p in asked} & {p.question for p in benchmark_problems(CARDS["gcd"], 40)}


def test_what_is_no_source_of_problems_is_refused() -> None:
    with pytest.raises(SpecError, match="'math-500' is no generated benchmark"):
        problems(changed(problems=TaskProblems(task="math-500")))
    source = GeneratedRows(task="gsm-symbolic", style="answer-only")
    grader, found = problems(changed(problems=RowProblems(source=source), count=3))
    assert grader == "math" and [p.gold for p in found] == [p.gold for p in found if p.gold]


class Server(BaseHTTPRequestHandler):
    """Answers as an OpenAI-compatible server with a reasoning parser does; fails now and then."""

    calls: list[dict[str, Any]]
    keys: set[str]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.calls.append(asked)
        self.keys.add(self.headers["Authorization"])
        if len(self.calls) % 5 == 0:
            self.send_response(503)
            self.end_headers()
            return
        message = {"role": "assistant", "content": "\n\\boxed{7}", "reasoning_content": "it is 7"}
        body = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11},
        }
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Server]]]:
    handler = type("Handler", (Server,), {"calls": [], "keys": set()})
    serving = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/v1", handler
    serving.shutdown()


@pytest.mark.engines
def test_an_endpoint_is_asked_each_sample_with_its_own_seed(
    server: tuple[str, type[Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rsft.generation.endpoint import KEY, Endpoint

    address, handler = server
    monkeypatch.setenv(KEY, "sesame")
    asked = benchmark_problems(CARDS["gcd"], 3)
    cells = tuple(
        CellRequest(benchmark="b", key="k", folder=f"f{n}", problems=1, samples=2, max_new_tokens=9)
        for n in range(3)
    )
    task = EvalTask(
        owner="o",
        trial_id="t",
        step=0,
        weights="w",
        canary=Canary(ids=[], logprobs=[]),
        cells=cells,
        temperature=0.5,
        top_p=0.9,
        seed=1,
    )
    have = {"f0": {(asked[0].id, 0)}, "f1": set(), "f2": set()}
    told = Endpoint(address, "teacher").answer([task], {f"f{n}": [asked[n]] for n in range(3)}, have)
    found = {cell.folder: answers for cell, answers in told}
    assert {folder: len(answers) for folder, answers in found.items()} == {"f0": 1, "f1": 2, "f2": 2}
    texts = {answer.text for answers in found.values() for answer in answers}
    assert texts == {"<think>\nit is 7\n</think>\n\n\\boxed{7}"}
    assert {call["max_completion_tokens"] for call in handler.calls} == {9}
    assert len({call["seed"] for call in handler.calls}) == 5
    assert len(handler.calls) > 5  # the failed ones were tried again
    assert handler.keys == {"Bearer sesame"}


def completion(message: Any, finish: Any = "stop", **more: Any) -> bytes:
    usage = {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}]} | usage | more).encode()


@pytest.mark.engines
@pytest.mark.parametrize(
    ("message", "finish", "text", "ended"),
    [
        ({"content": " 7", "reasoning": "hm"}, "stop", "<think>\nhm\n</think>\n\n7", "stop"),
        (
            {"content": "7", "reasoning_content": "hm", "reasoning": "hm"},
            "eos",
            "<think>\nhm\n</think>\n\n7",
            "stop",
        ),
        ({"content": None, "reasoning": "hm"}, "length", "<think>\nhm", "length"),
        ({"content": None, "reasoning": "hm"}, "stop", "<think>\nhm\n</think>\n\n", "stop"),
        ({"content": None}, "max_tokens", "", "length"),
        ({"content": "<think>a</think>7", "reasoning": None}, "stop", "<think>a</think>7", "stop"),
    ],
)
def test_a_completion_is_read_as_a_trace(message: Any, finish: str, text: str, ended: str) -> None:
    from rsft.generation.endpoint import read

    assert read(completion(message, finish)) == (text, 4, 3, ended)


@pytest.mark.engines
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (completion({"content": "7"}, usage=None), "no usage"),
        (completion({"content": "7"}, usage={"prompt_tokens": 3}), "no usage"),
        (completion({"content": "7"}, "content_filter"), "'content_filter'"),
        (completion({"content": "7"}, None), "finish_reason None"),
        (completion({"content": "7"}, ["stop"]), "finish_reason"),
        (completion({"content": [{"type": "text"}]}), "no text"),
        (completion(None), "no chat completion"),
        (b'{"choices": []}', "no chat completion"),
        (b'{"choices": null}', "no chat completion"),
        (b'{"error": "no such model"}', "no such model"),
        (b"[]", "no chat completion"),
        (b"<html>\xff", "<html>"),
    ],
)
def test_a_reply_that_lacks_something_says_what(body: bytes, words: str) -> None:
    from rsft.generation.endpoint import read

    with pytest.raises(EngineError, match=words):
        read(body)


@pytest.mark.engines
@pytest.mark.parametrize("refused", [1, 200])
def test_one_refused_prompt_costs_no_other_and_a_closed_door_is_noticed(
    refused: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rsft.generation.endpoint import KEY, PARALLEL, Endpoint

    monkeypatch.setenv(KEY, "sesame")
    calls: list[str] = []

    class Refusing(Server):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            (message,) = asked["messages"]
            calls.append(message["content"])
            no = int(message["content"]) < refused
            body = b'{"error": {"message": "no to Bearer sesame"}}' if no else completion({"content": "7"})
            self.send_response(400 if no else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    cells = tuple(
        CellRequest(benchmark="b", key="k", folder=str(n), problems=1, samples=1, max_new_tokens=9)
        for n in range(200)
    )
    asked = {str(n): [Problem(id=f"p{n}", question="", prompt=str(n), gold="")] for n in range(200)}
    settings: dict[str, Any] = {
        "owner": "o",
        "trial_id": "t",
        "step": 0,
        "weights": "w",
        "temperature": 0.5,
        "top_p": 0.9,
    }
    task = EvalTask(canary=Canary(ids=[], logprobs=[]), cells=cells, seed=1, **settings)
    told = []
    with pytest.raises(EngineError, match=r"did not answer problem p.*no to Bearer \(the key\)"):
        for cell, _ in Endpoint(f"http://127.0.0.1:{serving.server_port}/v1", "t").answer(
            [task], asked, {str(n): set() for n in range(200)}
        ):
            told.append(cell.folder)
    serving.shutdown()
    serving.server_close()
    if refused == 1:
        assert sorted(told, key=int) == [str(n) for n in range(1, 200)]
    else:
        assert not told and PARALLEL <= len(calls) < 200


PAGE = Path(__file__).with_name("pages") / "distill_countdown.py"


@pytest.mark.ray
@pytest.mark.soak
def test_a_killed_distillation_asks_again_only_what_was_in_flight(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rsft.cli", "data", "distill", str(PAGE), "--storage", str(tmp_path)]
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    log = (tmp_path / "log").open("wb")
    driver = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.rglob("generations.parquet"))) < 8:
        assert driver.poll() is None, (tmp_path / "log").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    time.sleep(5)  # Ray's processes notice that their driver is gone and end
    before = {p.parent: pq.read_table(p).to_pylist() for p in tmp_path.rglob("generations.parquet")}
    assert 8 <= len(before) < 128

    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # A cell that was answered but not graded yet is graded, and written once more with its old answers.
    assert {p: pq.read_table(p / "generations.parquet").to_pylist() for p in before} == before
    storage = Storage(tmp_path / "countdown")
    facts = storage.read_json("summary.json")
    assert (facts["problems"], facts["failed"], facts["samples"]) == (128, 0, 256)
    assert 0 < facts["rows_kept"] == len(storage.read_lines("rows.jsonl"))
