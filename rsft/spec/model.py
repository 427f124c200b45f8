"""Which base model, and how its weights are pinned."""

from __future__ import annotations

from pydantic import Field

from rsft.spec.base import Spec


class ModelSpec(Spec):
    """A base model: a shipped nano base, a local folder, or a Hugging Face hub id."""

    source: str = Field(min_length=1)
    """`nano-1m` / `nano-3m` (shipped), a folder path, or a hub id such as `Qwen/Qwen3-8B-Base`."""

    revision: str | None = None
    """Commit on the hub; None means the newest, which the plan calls unpinned."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]+$")
    """Word for tables and figures; the last part of `source` when None."""

    parameters: int | None = Field(default=None, gt=0)
    """Number of weights of a hub model, for forecasts; folders are counted."""

    chat_template: str | None = None
    """Jinja template that replaces the tokenizer's own, in training and in evaluation; `chatml` names the
    plain one, which is Qwen2.5's without the system prompt that it inserts by default."""

    end_marker: str | None = None
    """Special token behind every response, where generation stops; the tokenizer's eos_token when None.
    Bases are often told apart from their chat models by it (`<|endoftext|>`, `<|im_end|>`)."""

    @property
    def label(self) -> str:
        return self.name or self.source.rstrip("/").rpartition("/")[2]
