"""Named variants: the same rows on any machine, and what the certificate says and refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsft import layout
from rsft.bases import SHIPPED
from rsft.data.certificate import Witness
from rsft.data.prepare import prepare
from rsft.data.prepared import open_rows
from rsft.data.rows import Row
from rsft.data.template import Tokens, load_tokenizer, render
from rsft.errors import DataError
from rsft.spec import DataSpec, FileRows, HubRows, ModelSpec, StripThinking
from rsft.spec.variants import CATALOGUE, COUNTDOWN
from rsft.storage import Storage

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(str(SHIPPED / "nano-1m"), ModelSpec(source="nano-1m"))


@pytest.mark.slow
def test_every_variant_builds_to_the_same_hash_in_another_process_with_other_threads(tmp_path: Path) -> None:
    def built(threads: str) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("build_variants.py")), str(tmp_path / threads)],
            capture_output=True,
            text=True,
            env=os.environ | {"RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(json.loads(done.stdout))

    one, two = built("1"), built("2")
    offline = {n for n, data in CATALOGUE.items() if not any(isinstance(s, HubRows) for s in data.sources)}
    assert one == two and one.keys() == offline and len(offline) > 10
    same = {name for name in offline if list(one.values()).count(one[name]) > 1}
    # At this size the matched and the plain variant are the first rows of the same source.
    assert len(same) <= 4, same


def test_matched_variants_train_on_equal_tokens(tokenizer: Any, tmp_path: Path) -> None:
    storage, targets = Storage(tmp_path), {}
    for name, transforms in (("cot", ()), ("nocot", (StripThinking(),))):
        data = DataSpec(name=name, source=COUNTDOWN, transforms=transforms, rows=400, target_tokens=8_000)
        manifest = prepare(storage, data, tokenizer, 512)
        facts = storage.read_json(layout.certificate(manifest["name"], "json"))
        targets[name] = (facts["targets"], facts["target_tokens"]["min"], facts["rows_kept"])
    assert all(8_000 - shortest < total <= 8_000 for total, shortest, _ in targets.values())
    assert targets["nocot"][2] > 2 * targets["cot"][2]


def test_too_few_target_tokens_are_refused(tokenizer: Any, tmp_path: Path) -> None:
    data = DataSpec(name="few", source=COUNTDOWN, rows=5, target_tokens=8_000)
    with pytest.raises(DataError, match=r"'few' has [\d,]+ target tokens, below target_tokens=8,000"):
        prepare(Storage(tmp_path), data, tokenizer, 512)
    assert not Storage(tmp_path).exists("prepared")


def sound(tokenizer: Any) -> tuple[Row, Tokens]:
    row = Row(
        id="row 3 of x", messages=({"role": "user", "content": "2+2?"},), response="<think>\n4\n</think>"
    )
    ((tokens,),) = render(tokenizer, [row])
    return row, tokens


def test_a_row_of_which_nothing_is_trained_on_is_refused(tokenizer: Any) -> None:
    row, tokens = sound(tokenizer)
    with pytest.raises(DataError, match=r"row 3 of x: no token of it is trained on .*2\+2\?"):
        Witness(tokenizer).see(row, replace(tokens, spans=()), cut=False)


def test_a_missing_end_marker_is_refused_unless_the_row_was_cut(tokenizer: Any) -> None:
    row, tokens = sound(tokenizer)
    ((start, end),) = tokens.spans
    headless = replace(tokens, ids=tokens.ids[:-1], spans=((start, end - 1),))
    with pytest.raises(DataError, match=r"row 3 of x: a response ends without the end marker .*</think>"):
        Witness(tokenizer).see(row, headless, cut=False)
    Witness(tokenizer).see(row, headless, cut=True)


def test_a_prompt_that_evaluation_would_open_otherwise_is_refused(tokenizer: Any) -> None:
    row, tokens = sound(tokenizer)
    spaced = replace(row, messages=({"role": "user", "content": "2+2? "},))
    with pytest.raises(DataError, match=r"row 3 of x: evaluation would open it with other tokens"):
        Witness(tokenizer).see(spaced, tokens, cut=False)


def test_the_certificate_counts_what_is_there(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    records = [
        {"prompt": "a?", "response": "<think>\nhm\n</think>\n\n\\boxed{1}"},
        {"prompt": "a?", "response": "<think>\nhm\n</think>\n\n\\boxed{1}"},
        {"prompt": "a?", "response": "\\boxed{2}"},
        {"messages": [*({"role": r, "content": "x"} for r in ("user", "assistant", "user", "assistant"))]},
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    storage = Storage(tmp_path / "s")
    manifest = prepare(storage, DataSpec(name="d", source=FileRows(path=str(path)), rows=9), tokenizer, 256)
    facts = storage.read_json(layout.certificate(manifest["name"], "json"))
    assert (facts["rows_in"], facts["rows_kept"], facts["zero_target_rows"]) == (4, 5, 0)
    assert (facts["duplicate_rows"], facts["duplicate_questions"]) == (1, 2 + 1)
    assert facts["with_thinking"] == 2 / 5 and facts["several_turns"] == 2
    assert facts["special_tokens"]["<|endoftext|>"] == {"prompt": 0, "target": 5}
    lengths = open_rows(storage, manifest["name"]).lengths()
    assert int(lengths.sum()) == facts["tokens"] and facts["targets"] < facts["tokens"]
    page = storage.read_text(layout.certificate(manifest["name"], "md"))
    assert "| Duplicates | 1 rows, 3 questions |" in page and "\\boxed{2}<|endoftext|>" in page


def test_prepared_rows_come_back_from_disk_as_they_were(tokenizer: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    manifest = prepare(storage, DataSpec(name="d", source=COUNTDOWN, rows=30), tokenizer, 512)
    found = open_rows(storage, manifest["name"])
    assert len(found) == 30 and [len(t) for t in found] == found.lengths().tolist()
    with pytest.raises(IndexError):
        found[30]
    assert found[7].ids.dtype == np.int32 and found[7].id == found[7].id


def test_the_loss_check_sees_a_wrong_mask(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import rsft.training.proof as proof

    rows = [sound(tokenizer)[1], Tokens.of("b", [5, 6, 7], [8, 9, 10, 11])]
    check = proof.loss_three_ways(rows)
    assert check["rows"] == 2 and check["difference"] < 1e-5 and check["packed"] > 1
    plain = proof.micro_batch

    def leaking(documents: Any, pad: int) -> Any:
        arrays = plain(documents, pad)
        arrays.position_ids[:] = np.arange(arrays.position_ids.shape[1])  # documents see each other
        return arrays

    monkeypatch.setattr(proof, "micro_batch", leaking)
    with pytest.raises(DataError, match="the loss of 2 rows depends on their layout"):
        proof.loss_three_ways(rows)
