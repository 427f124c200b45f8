"""From a row to token ids: what is prompt and what is trained on.

The prompt is the chat template's own text up to the assistant's turn; evaluation renders its prompts by
the same function. The response never passes through the template, so no template can strip or change
the thinking in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rsft.errors import ModelError

Tokenizer = Any
"""A Hugging Face tokenizer; untyped, since its classes would load torch."""


def load_tokenizer(source: str, revision: str | None, chat_template: str | None) -> Tokenizer:
    """The base's tokenizer with the chat template that this study uses.

    Raises:
        ModelError: it cannot be loaded, or has no chat template or end marker.
    """
    from transformers import AutoTokenizer  # loads torch where that is installed

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the tokenizer of {source!r} cannot be loaded ({str(error).splitlines()[0][:200]}); "
            "check ModelSpec.source, the network, or use a local folder."
        ) from None
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    if not tokenizer.chat_template:
        raise ModelError(f"the tokenizer of {source!r} has no chat template; set ModelSpec.chat_template.")
    if tokenizer.eos_token_id is None:
        raise ModelError(f"the tokenizer of {source!r} has no end marker (eos_token); set one.")
    return tokenizer


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[dict[str, str]]) -> list[int]:
    """Token ids of a conversation up to and including the opening of the assistant's turn."""
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def user_prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Token ids of a single user message: the prompt of every evaluation."""
    return prompt_ids(tokenizer, [{"role": "user", "content": prompt}])


def target_ids(tokenizer: Tokenizer, response: str) -> list[int]:
    """Token ids that are trained on: the response, then the end marker."""
    return [*tokenizer(response, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """Digest of vocabulary, merges and chat template: equal hashes render equal ids."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    # A slow tokenizer has no backend; its vocabulary file says as much.
    facts = Path(tokenizer.vocab_file).read_bytes().hex() if backend is None else backend.to_str()
    text = "\0".join((facts, str(tokenizer.chat_template), str(tokenizer.eos_token)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
