"""Base models as folders: where they are, whether they can be used, what pins their weights.

Reads configuration and safetensors headers only; no engine is needed to plan a sweep.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsft.errors import ModelError
from rsft.spec.base import canonical
from rsft.spec.model import ModelSpec

SHIPPED = Path(__file__).parent / "nano" / "weights"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_OF_WHO_SAVED = ("transformers_version", "_name_or_path", "use_cache")
"""What config.json says of the library and the place it was saved by."""
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True)
class Base:
    """A base model, resolved."""

    source: str
    """What the engines load: a folder path or a hub id."""
    identity: str
    """Pins the weights: a content hash of the folder, or hub id and revision."""
    parameters: int | None
    """Number of weights; None when it is not known without asking the hub."""
    context_tokens: int | None
    """Positions the model was made for; None when not known."""
    pinned: bool
    """False for a hub id without a revision."""


def resolve(model: ModelSpec) -> Base:
    """Finds a base and checks that it can be used.

    Raises:
        ModelError: a folder without configuration, tokenizer, chat template or safetensors weights,
            or a source that is neither a shipped base, nor a folder, nor a hub id.
    """
    folder = SHIPPED / model.source
    if not (folder / "config.json").exists():
        folder = Path(model.source).expanduser()
    if folder.is_dir():
        return _local(model, folder)
    if model.source.count("/") != 1 or model.source.startswith((".", "/", "~")):
        shipped = ", ".join(sorted(p.name for p in SHIPPED.glob("*") if p.is_dir()))
        raise ModelError(
            f"model {model.source!r} is no folder, no shipped base ({shipped}) and no hub id "
            "(organisation/name); correct ModelSpec.source."
        )
    revision = model.revision or "main"
    return Base(
        source=model.source,
        identity=f"hub:{model.source}@{revision}",
        parameters=model.parameters,
        context_tokens=None,
        pinned=model.revision is not None,
    )


def _local(model: ModelSpec, folder: Path) -> Base:
    config_file = folder / "config.json"
    if not config_file.exists():
        raise ModelError(
            f"model folder {str(folder)!r} has no config.json; give a Hugging Face model folder."
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = [p.name for pattern in _PICKLES for p in sorted(folder.glob(pattern))]
        found = f"only pickle weights ({pickles[0]})" if pickles else "no weights"
        raise ModelError(
            f"model folder {str(folder)!r} has {found}; rsft loads safetensors alone, since pickles can "
            "run code; convert them with save_pretrained(..., safe_serialization=True)."
        )
    if not any((folder / name).exists() for name in _TOKENIZER_FILES):
        raise ModelError(
            f"model folder {str(folder)!r} has no tokenizer ({' or '.join(_TOKENIZER_FILES)}); "
            "save the base's tokenizer there."
        )
    if model.chat_template is None and not _has_chat_template(folder):
        raise ModelError(
            f"model folder {str(folder)!r} has no chat template; set "
            "ModelSpec.chat_template, or put a chat_template.jinja there."
        )
    config = _json(config_file)
    return Base(
        source=str(folder.resolve()),
        identity=f"sha256:{_folder_hash([config_file, *weights])}",
        parameters=sum(_parameters(path) for path in weights),
        context_tokens=config.get("max_position_embeddings"),
        pinned=True,
    )


def architecture(base: Base) -> str:
    """Equal for bases that one engine can hold in turn: the same configuration, tokenizer and template. What
    a hub id holds is not known here, so it shares with nothing but itself."""
    folder = Path(base.source)
    if not folder.is_dir():
        return base.source
    config = _json(folder / "config.json")
    if "torch_dtype" in config:  # its name before transformers 5
        config["dtype"] = config.pop("torch_dtype")
    shape = {name: value for name, value in config.items() if name not in _OF_WHO_SAVED}
    names = ("tokenizer.json", "chat_template.jinja")
    found = [(folder / name).read_bytes() for name in names if (folder / name).exists()]
    return hashlib.sha256(b"\0".join([canonical(shape).encode(), *found])).hexdigest()[:16]


def outputs(base: Base) -> int | None:
    """How many numbers a sequence classifier gives; None of a hub id, which is not read for that. What says
    nothing has two: so a language model, whose one output would be made up when it is loaded as a classifier,
    is told from a reward model."""
    folder = Path(base.source)
    if not folder.is_dir():
        return None
    config = _json(folder / "config.json")
    return int(config.get("num_labels") or len(config.get("id2label") or "12"))


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").exists():
        return True
    config = folder / "tokenizer_config.json"
    return config.exists() and bool(_json(config).get("chat_template"))


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(file, f"{type(error).__name__}: {error!s:.80}") from None
    if not isinstance(found, dict):
        raise _damaged(file, f"it holds a {type(found).__name__}")
    return found


def _damaged(file: Path, why: str) -> ModelError:
    return ModelError(f"{str(file)!r} is no JSON object ({why}); get a whole copy of the model folder.")


def _folder_hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as source:
            digest.update(hashlib.file_digest(source, "sha256").digest())
    return digest.hexdigest()[:16]


def header(path: Path) -> dict[str, Any]:
    """The JSON header of a safetensors file: tensor name -> dtype, shape, data_offsets.

    Raises:
        ModelError: the file is no safetensors file, such as a pointer of Git LFS.
    """
    with path.open("rb") as source:
        start = source.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= path.stat().st_size - 8:
            raise ModelError(
                f"weights file {str(path)!r} is no whole safetensors file (a Git LFS pointer, or cut "
                "off while copied?); fetch it again."
            )
        text = source.read(length)
    try:
        parsed: dict[str, Any] = json.loads(text)
        parsed.pop("__metadata__", None)
    except (ValueError, AttributeError, TypeError):
        raise ModelError(f"weights file {str(path)!r} has a damaged header; fetch it again.") from None
    return parsed


def _parameters(path: Path) -> int:
    return sum(math.prod(tensor["shape"]) for tensor in header(path).values())
