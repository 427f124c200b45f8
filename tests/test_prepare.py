"""What is trained on, proven on the shipped tokenizer: mask, prompt, policies, manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.engines

from rsft import layout  # noqa: E402
from rsft.bases import SHIPPED  # noqa: E402
from rsft.data.prepare import prepare  # noqa: E402
from rsft.data.prepared import open_rows  # noqa: E402
from rsft.data.rows import Tally  # noqa: E402
from rsft.data.source import rows  # noqa: E402
from rsft.data.template import load_tokenizer, user_prompt_ids  # noqa: E402
from rsft.errors import DataError  # noqa: E402
from rsft.spec import DataSpec, FileRows, GeneratedRows, ModelSpec  # noqa: E402
from rsft.storage import Storage  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(str(SHIPPED / "nano-1m"), ModelSpec(source="nano-1m"))


COT = DataSpec(name="cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=40)


def test_the_target_is_the_response_and_the_end_marker_to_the_letter(tokenizer: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    manifest = prepare(storage, COT, tokenizer, 512)
    for tokens, row in zip(open_rows(storage, manifest["name"]), rows(COT, Tally()), strict=True):
        ((start, end),) = tokens.spans
        assert end == len(tokens)
        assert tokenizer.decode(tokens.ids[start:end]) == row.response + tokenizer.eos_token
        assert tokens.ids[:start].tolist() == user_prompt_ids(tokenizer, row.question)
        assert tokenizer.decode(tokens.ids[:start]).endswith("<|im_start|>assistant\n")


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


def certified(storage: Storage, data: DataSpec, tokenizer: Any) -> dict[str, Any]:
    name = prepare(storage, data, tokenizer, 40)["name"]
    return dict(storage.read_json(layout.certificate(name, "json")))


def test_a_row_that_is_too_long_is_dropped_and_counted(tokenizer: Any, tmp_path: Path) -> None:
    facts = certified(Storage(tmp_path), stored(tmp_path, "drop"), tokenizer)
    assert (facts["rows_in"], facts["rows_kept"]) == (2, 1)
    assert facts["dropped"] == {"too_long": 1} and facts["truncated"] == 0


def test_a_row_that_is_too_long_is_cut_and_counted(tokenizer: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    facts = certified(storage, stored(tmp_path, "truncate"), tokenizer)
    assert facts["rows_kept"] == 2 and facts["truncated"] == 1
    assert [len(tokens) for tokens in open_rows(storage, facts["name"])][1] == 40


def test_a_row_that_is_too_long_fails_under_that_policy(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2 of rows\.jsonl of variant 'd' has \d+ tokens, above"):
        prepare(Storage(tmp_path), stored(tmp_path, "fail"), tokenizer, 40)
    assert not Storage(tmp_path).exists("prepared")


def test_an_empty_variant_says_why(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"'cot' is empty: of 44 rows none is left \(4 benchmark question, 40 too",
    ):
        prepare(Storage(tmp_path), COT, tokenizer, 20)
