"""Base models as folders: what is refused, and what pins the weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rsft.bases import SHIPPED, resolve
from rsft.boxed import last_boxed
from rsft.errors import ModelError
from rsft.spec import ModelSpec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED / "nano-1m", tmp_path / "model"))


def test_a_shipped_base_is_found_by_name_and_counted() -> None:
    base = resolve(ModelSpec(source="nano-1m"))
    assert base.parameters == 1_049_984 and base.context_tokens == 2_048 and base.pinned


def test_a_copy_is_the_same_base_and_one_changed_byte_is_another(folder: Path) -> None:
    copy = resolve(ModelSpec(source=str(folder)))
    assert copy.identity == resolve(ModelSpec(source="nano-1m")).identity
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert resolve(ModelSpec(source=str(folder))).identity != copy.identity


def test_a_folder_without_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="has no tokenizer"):
        resolve(ModelSpec(source=str(folder)))


def test_a_folder_with_pickle_weights_alone_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"only pickle weights \(pytorch_model.bin\).*safetensors"):
        resolve(ModelSpec(source=str(folder)))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", b'{"a":', "config.json' is no JSON object"),
        ("config.json", b"[]", "it holds a list"),
        ("config.json", b"\xff", "UnicodeDecodeError"),
        ("tokenizer_config.json", b"{", "tokenizer_config.json' is no JSON object"),
        ("model.safetensors", (20).to_bytes(8, "little") + b"-" * 200, "damaged header"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"[]" * 9, "damaged header"),
        ("model.safetensors", b"version https://git-lfs", "Git LFS pointer"),
    ],
)
def test_a_damaged_file_is_one_sentence(name: str, content: bytes, words: str, folder: Path) -> None:
    (folder / name).write_bytes(content)
    if name == "tokenizer_config.json":  # read where there is no template beside it
        (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=words) as error:
        resolve(ModelSpec(source=str(folder)))
    assert "\n" not in str(error.value)


def test_a_folder_without_chat_template_needs_one_on_the_page(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"no chat template; set ModelSpec\.chat_template"):
        resolve(ModelSpec(source=str(folder)))
    assert resolve(ModelSpec(source=str(folder), chat_template="{{ messages }}")).pinned


def test_what_is_neither_base_nor_folder_nor_hub_id_is_refused() -> None:
    with pytest.raises(ModelError, match=r"nano-2m.*shipped base \(nano-1m, nano-3m\)"):
        resolve(ModelSpec(source="nano-2m"))


def test_a_hub_id_without_revision_is_not_pinned() -> None:
    assert not resolve(ModelSpec(source="Qwen/Qwen3-4B-Base")).pinned
    assert resolve(ModelSpec(source="Qwen/Qwen3-4B-Base", revision="abc")).pinned


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{3} then \boxed{4}", "4"),
        (r"\boxed{3 never closes, but \boxed{4} does", "4"),
        (r"\fbox{7}", "7"),
        ("no box", None),
    ],
)
def test_the_last_box_is_read(text: str, box: str | None) -> None:
    assert last_boxed(text) == box


def test_a_pointer_in_place_of_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelError, match="no whole safetensors file"):
        resolve(ModelSpec(source=str(folder)))
