"""The training loop on real DeepSpeed, one worker in this process, without Ray."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.engines, pytest.mark.slow]

os.environ |= {"DS_ACCELERATOR": "cpu", "DS_LOG_LEVEL": "error"}
torch = pytest.importorskip("torch")
import torch.distributed as dist  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from rsft import checkpoints, layout  # noqa: E402
from rsft.bases import SHIPPED  # noqa: E402
from rsft.data.prepare import prepare  # noqa: E402
from rsft.data.prepared import open_rows  # noqa: E402
from rsft.data.template import load_tokenizer  # noqa: E402
from rsft.spec import DataSpec, EvalSpec, GeneratedRows, ModelSpec, SweepSpec, TrainSpec  # noqa: E402
from rsft.spec.trial import Trial  # noqa: E402
from rsft.storage import Storage  # noqa: E402

BASE = str(SHIPPED / "nano-1m")
MODEL = ModelSpec(source="nano-1m")
DATA = DataSpec(name="cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=24)
SLICE = DataSpec(name="in-domain", source=GeneratedRows(task="countdown", style="long-cot", seed=5), rows=6)


@pytest.fixture(scope="module", autouse=True)
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_SIZE": "1"}
    store = tmp_path_factory.mktemp("group") / "store"
    dist.init_process_group("gloo", rank=0, world_size=1, init_method=f"file://{store}")
    yield
    dist.destroy_process_group()
    torch.set_num_threads(threads)


def trial(steps: int = 8, kept: tuple[int, ...] = (2,), **changes: Any) -> Trial:
    settings = {
        "learning_rate": 1e-3,
        "batch_sequences": 4,
        "max_tokens": 512,
        "micro_batch_tokens": 1_024,
        "precision": "fp32",
        "device": "cpu",
        "workers": 1,
        "zero_stage": 1,
        "resume_every_steps": 4,
    }
    page = SweepSpec(
        name="t",
        models=(MODEL,),
        data=(DATA,),
        lengths_steps=(steps,),
        train=TrainSpec(**settings | changes),
        evaluation=EvalSpec(benchmarks=("countdown",), checkpoint_steps=kept),
    )
    (found,) = page.trials(lambda model: "w")
    return found


def run(folder: Path, made: Trial, heldout: bool = False) -> Any:
    """A TrialRun, imported here: collecting this file must load no DeepSpeed."""
    from rsft.training.engine import Job
    from rsft.training.loop import TrialRun

    storage = Storage(folder)
    tokenizer = load_tokenizer(BASE, MODEL)
    rows = prepare(storage, DATA, tokenizer, 512)["name"]
    held = (("in-domain", prepare(storage, SLICE, tokenizer, 512)["name"]),) if heldout else ()
    return TrialRun(Job(made, storage, rows, BASE, held), 0, 1)


def weights(folder: Path, made: Trial, step: int) -> dict[str, torch.Tensor]:
    return load_file(folder / checkpoints.folder(made, step) / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def log(folder: Path, made: Trial) -> list[dict[str, Any]]:
    return Storage(folder).read_lines(layout.train_log(layout.trial(made.id)))


def learned(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["step"], row["loss"], row["grad_norm"], row["data"]) for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(folder, trial(), heldout=True).to_the_end()
    return folder


def test_an_interrupted_trial_ends_as_the_undisturbed_one(whole: Path, tmp_path: Path) -> None:
    first = run(tmp_path, trial())
    first.begin()
    for step in range(6):  # a state after 4, two steps for nothing
        first.step(step)
    first.exporter.wait()
    second = run(tmp_path, trial())
    assert second.start == 4
    second.to_the_end()
    assert all(same(weights(tmp_path, trial(), s), weights(whole, trial(), s)) for s in (2, 8))
    assert learned(log(tmp_path, trial())) == learned(log(whole, trial())[1:])


def test_the_newest_state_alone_is_kept_and_half_a_state_is_none(tmp_path: Path) -> None:
    first = run(tmp_path, trial(resume_every_steps=2))
    first.begin()
    for step in range(4):
        first.step(step)
    first.exporter.wait()
    states = tmp_path / layout.resume(layout.trial(trial().id))
    assert [path.name for path in states.iterdir()] == ["step_000004"]
    (states / "step_000004" / "state.json").unlink()
    assert run(tmp_path, trial(resume_every_steps=2)).start == 0


def test_halves_of_a_killed_export_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / checkpoints.folder(trial(2), 2)
    folder.mkdir(parents=True)
    (folder / "model.safetensors.1a2b.part").write_bytes(b"half")
    run(tmp_path, trial(2)).to_the_end()
    assert checkpoints.landed(Storage(tmp_path), trial(2), 2)
    assert not list(folder.glob("*.part"))


def test_a_checkpoint_is_a_model_in_the_base_s_own_format(whole: Path) -> None:
    folder = whole / checkpoints.folder(trial(), 8)
    base, found = load_file(Path(BASE) / "model.safetensors"), load_file(folder / "model.safetensors")
    assert {n: (t.shape, t.dtype) for n, t in found.items()} == {
        n: (t.shape, t.dtype) for n, t in base.items()
    }
    assert not same(base, found)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(BASE).chat_template
    settings = json.loads((folder / "generation_config.json").read_text())
    assert settings["eos_token_id"] == tokenizer.eos_token_id


def test_held_out_loss_is_plain_transformers(whole: Path) -> None:
    rows = log(whole, trial())
    assert [row["step"] for row in rows] == list(range(9))
    assert [row["step"] for row in rows if row.get("heldout")] == [0, 2, 8]
    storage = Storage(whole)
    tokenizer = load_tokenizer(BASE, MODEL)
    slice_rows = open_rows(storage, prepare(storage, SLICE, tokenizer, 512)["name"])
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    total, targets = 0.0, 0
    with torch.no_grad():
        for n in range(len(slice_rows)):
            ids = torch.from_numpy(slice_rows[n].ids.copy()).long()
            logs = model(ids[None], use_cache=False).logits[0].log_softmax(-1)
            for start, end in slice_rows[n].spans:
                total -= float(logs[start - 1 : end - 1].gather(1, ids[start:end, None]).sum())
                targets += end - start
    # Sums of some thousand fp32 terms in another order.
    assert rows[0]["heldout"]["in-domain"] == pytest.approx(total / targets, rel=1e-5)


def test_signals_of_a_step_are_plain_transformers(whole: Path) -> None:
    storage, first = Storage(whole), log(whole, trial())[1]
    made = run(whole, trial())
    batch = [made.rows[n] for n in made.order[0]]
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    nll, right, entropy, targets = torch.zeros(()), 0, 0.0, sum(tokens.targets for tokens in batch)
    for tokens in batch:
        ids = torch.from_numpy(tokens.ids.copy()).long()
        ((start, end),) = tokens.spans
        logs = model(ids[None], use_cache=False).logits[0, start - 1 : end - 1].log_softmax(-1)
        nll = nll - logs.gather(1, ids[start:end, None]).sum()
        right += int((logs.argmax(-1) == ids[start:end]).sum())
        entropy -= float((logs.exp() * logs).sum())
    (nll / targets).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
    assert first["loss"] == pytest.approx(float(nll) / targets, rel=1e-5)
    assert first["token_accuracy"] == right / targets
    assert first["entropy"] == pytest.approx(entropy / targets, rel=1e-5)
    assert first["grad_norm"] == pytest.approx(float(norm), rel=1e-4)
    assert first["target_tokens"] == targets and first["tokens"] == sum(len(t) for t in batch)
    parts = ("seconds_data", "seconds_forward", "seconds_backward", "seconds_step")
    assert sum(first[part] for part in parts) <= first["seconds"] + 0.001
    assert 0 < first["mfu"] < 1.5  # the peak is measured by one matrix product, and clocks change
    (attempt,) = storage.read_lines(layout.attempts(layout.trial(trial().id)))
    assert attempt["from_step"] == 0 and "measured" in attempt["peak_source"]


@pytest.mark.parametrize("schedule", ["wsd", "constant"])
def test_a_branch_of_a_trunk_equals_a_run_of_its_own(schedule: str, tmp_path: Path) -> None:
    lengths = [
        trial(steps, (2, 3), schedule=schedule, warmup_steps=1, decay_share=0.5, resume_every_steps=50)
        for steps in (4, 8)
    ]
    together = tmp_path / "together"
    for made in lengths:
        run(together, made).to_the_end()
    short, long = lengths
    starts = Storage(together).read_lines(layout.attempts(layout.trial(long.id)))
    assert [start["from_step"] for start in starts] == [short.shared_steps] != [0]
    for made in lengths:
        alone = tmp_path / made.id
        run(alone, made).to_the_end()
        for step in made.checkpoint_steps:
            assert same(weights(together, made, step), weights(alone, made, step)), (made.id, step)
        assert learned(log(together, made)) == learned(log(alone, made))


@pytest.mark.parametrize("stage", [1, 3])
def test_adapters_train_resume_and_leave_merged_weights_and_themselves(stage: int, tmp_path: Path) -> None:
    made = trial(6, lora={"rank": 4, "alpha": 8.0}, zero_stage=stage)
    run(tmp_path / "whole", made).to_the_end()
    broken = run(tmp_path / "broken", made)
    broken.begin()
    for step in range(5):
        broken.step(step)
    broken.exporter.wait()
    run(tmp_path / "broken", made).to_the_end()
    found = weights(tmp_path / "whole", made, 6)
    assert same(found, weights(tmp_path / "broken", made, 6))
    base = load_file(Path(BASE) / "model.safetensors")
    assert found.keys() == base.keys()
    changed = {name for name in base if not torch.equal(found[name], base[name])}
    assert changed == {name for name in base if "_proj" in name}

    from peft import PeftModel

    adapter = tmp_path / "whole" / checkpoints.folder(made, 6) / "adapter"
    plain = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    merged = PeftModel.from_pretrained(plain, adapter).merge_and_unload().state_dict()
    assert all(torch.equal(merged[name].to(tensor.dtype), tensor) for name, tensor in found.items())


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of the third step is not a number."""
    import rsft.training.step as step_module

    plain = step_module.optimizer_step

    def broken(engine: Any, batch: Any, step: int, *rest: Any) -> Any:
        loss = engine.deepspeed.module
        forward = type(loss).forward

        def nan(*inputs: Any) -> Any:
            nll, facts = forward(loss, *inputs)
            return nll * (float("nan") if step == 2 else 1.0), facts

        monkeypatch.setattr(loss, "forward", nan)
        return plain(engine, batch, step, *rest)

    monkeypatch.setattr("rsft.training.loop.optimizer_step", broken)


@pytest.mark.usefixtures("poisoned")
def test_a_loss_that_is_no_number_stops_the_trial_and_says_where(tmp_path: Path) -> None:
    made = trial()
    job = run(tmp_path, made)
    job.to_the_end()
    said = Storage(tmp_path).read_json(layout.stopped(made.id))["message"]
    assert "at step 3" in said and "last good checkpoint is step 2" in said
    assert all(job.rows[n].id in said for n in job.order[2])
    assert [row["loss"] is None for row in log(tmp_path, made)] == [False, False, True]
    assert not checkpoints.landed(Storage(tmp_path), made, 8)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_or_the_step_is_skipped_and_the_weights_stay(stage: int, tmp_path: Path) -> None:
    made = trial(4, (2, 3), nonfinite="skip", zero_stage=stage)
    run(tmp_path, made).to_the_end()
    two, three, four = (weights(tmp_path, made, step) for step in (2, 3, 4))
    assert same(two, three) and not same(three, four)
    assert [row["skipped"] for row in log(tmp_path, made)] == [False, False, True, False]
    assert all(tensor.isfinite().all() for tensor in four.values())


def test_a_copied_checkpoint_folder_is_refused(whole: Path) -> None:
    from rsft.errors import StorageError

    storage, made, other = Storage(whole), trial(), trial(learning_rate=5e-4)
    marker = storage.read_json(layout.checkpoint_marker(made.owner(8), 8))
    storage.write_json(layout.checkpoint_marker(other.owner(8), 8), marker)
    with pytest.raises(StorageError, match=r"was written as .*; move it back there, or delete it"):
        checkpoints.landed(storage, other, 8)
