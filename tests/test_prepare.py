"""What is trained on, proven on the shipped tokenizer: mask, prompt, policies, manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.engines

from rsft import layout  # noqa: E402
from rsft.bases import SHIPPED  # noqa: E402
from rsft.data.prepare import load_rows, prepare  # noqa: E402
from rsft.data.source import Tally, rows  # noqa: E402
from rsft.data.template import load_tokenizer, user_prompt_ids  # noqa: E402
from rsft.errors import DataError  # noqa: E402
from rsft.spec import DataSpec, FileRows, GeneratedRows  # noqa: E402
from rsft.storage import Storage  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(str(SHIPPED / "nano-1m"), None, None)


COT = DataSpec(name="cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=40)


def test_the_target_is_the_response_and_the_end_marker_to_the_letter(tokenizer: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    manifest = prepare(storage, COT, tokenizer, 512)
    for tokens, row in zip(load_rows(storage, manifest["name"]), rows(COT, Tally()), strict=True):
        assert tokenizer.decode(tokens.target) == row.response + tokenizer.eos_token
        assert tokens.prompt == user_prompt_ids(tokenizer, row.messages[0]["content"])
        assert tokenizer.decode(tokens.prompt).endswith("<|im_start|>assistant\n")


def test_a_second_call_reads_the_manifest(tokenizer: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    manifest = prepare(storage, COT, tokenizer, 512)
    storage.delete(layout.prepared_rows(manifest["name"]))
    assert prepare(storage, COT, tokenizer, 512) == manifest
    assert not storage.exists(layout.prepared_rows(manifest["name"]))


def test_other_rows_have_another_name_and_hash(tokenizer: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    other = COT.model_copy(update={"source": GeneratedRows(task="countdown", style="long-cot", seed=1)})
    one, two = (prepare(storage, data, tokenizer, 512) for data in (COT, other))
    assert one["name"] != two["name"] and one["hash"] != two["hash"]


def stored(tmp_path: Path, policy: str) -> DataSpec:
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": "short", "response": "1"}, {"prompt": "long", "response": "1 " * 60}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return DataSpec(name="d", source=FileRows(path=str(path)), rows=9, too_long=policy)


def test_a_row_that_is_too_long_is_dropped_and_counted(tokenizer: Any, tmp_path: Path) -> None:
    manifest = prepare(Storage(tmp_path), stored(tmp_path, "drop"), tokenizer, 40)
    assert (manifest["rows_in"], manifest["rows_kept"]) == (2, 1)
    assert manifest["dropped"]["too_long"] == 1 and manifest["truncated"] == 0


def test_a_row_that_is_too_long_is_cut_and_counted(tokenizer: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    manifest = prepare(storage, stored(tmp_path, "truncate"), tokenizer, 40)
    assert manifest["rows_kept"] == 2 and manifest["truncated"] == 1
    assert [len(t.prompt) + len(t.target) for t in load_rows(storage, manifest["name"])][1] == 40


def test_a_row_that_is_too_long_fails_under_that_policy(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row d-1 of variant 'd' has \d+ tokens, above max_tokens=40"):
        prepare(Storage(tmp_path), stored(tmp_path, "fail"), tokenizer, 40)
    assert not Storage(tmp_path).exists("prepared")


def test_an_empty_variant_says_why(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data variant 'cot' is empty: of 40 rows 0 were not verified"):
        prepare(Storage(tmp_path), COT, tokenizer, 20)
