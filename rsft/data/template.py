"""From a row to token ids: what is prompt and what is trained on.

A prompt is the chat template's own text up to the assistant's turn; evaluation renders its prompts by the
same function. What is trained on never passes through the template, so no template can strip or change the
thinking in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import TemplateError

from rsft.data.rows import Message, Row
from rsft.errors import DataError, ModelError
from rsft.spec.model import ModelSpec

Tokenizer = Any
"""A Hugging Face tokenizer; untyped, since its classes would load torch."""

TEMPLATES = {
    "chatml": (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
}
"""Templates that ModelSpec.chat_template may name."""

THINK_TAGS = ("<think>", "</think>")
"""Special tokens of some tokenizers that belong into a response."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """One row as token ids."""

    id: str
    ids: np.ndarray
    """(T,) int32: prompts and responses in order of reading."""
    spans: tuple[tuple[int, int], ...]
    """Start and end of what is trained on: each response with its end marker."""

    @classmethod
    def of(cls, row_id: str, prompt: Sequence[int], target: Sequence[int]) -> Tokens:
        """A row of one prompt and one response."""
        ids = np.asarray([*prompt, *target], dtype=np.int32)
        return cls(row_id, ids, ((len(prompt), len(prompt) + len(target)),))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def targets(self) -> int:
        """Positions that are trained on."""
        return sum(end - start for start, end in self.spans)


def load_tokenizer(source: str, model: ModelSpec) -> Tokenizer:
    """The base's tokenizer with the chat template and end marker that this study uses.

    Args:
        source: folder or hub id, as `bases.resolve` found it.
        model: revision, and what the study sets otherwise than the base.

    Raises:
        ModelError: it cannot be loaded, has no chat template, no such end marker, or ids that the base has no
            embedding for.
    """
    from transformers import AutoConfig, AutoTokenizer  # loads torch where that is installed

    where = {"revision": model.revision, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **where)
        vocabulary = AutoConfig.from_pretrained(source, **where).get_text_config().vocab_size
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the tokenizer of {source!r} cannot be loaded ({str(error).splitlines()[0][:200]}); "
            "check ModelSpec.source, the network, or use a local folder."
        ) from None
    largest = max(tokenizer.get_vocab().values())
    if largest >= vocabulary:
        raise ModelError(
            f"the tokenizer of {source!r} has ids up to {largest}, and the base embeds {vocabulary} "
            "(vocab_size in its config.json); give it its own tokenizer, or resize its embeddings first."
        )
    return dressed(tokenizer, model)


def dressed(tokenizer: Tokenizer, model: ModelSpec) -> Tokenizer:
    """Gives a loaded tokenizer its chat template and end marker. Raises as `load_tokenizer`."""
    source = model.source
    if model.chat_template is not None:
        tokenizer.chat_template = TEMPLATES.get(model.chat_template, model.chat_template)
    if not tokenizer.chat_template:
        raise ModelError(f"the tokenizer of {source!r} has no chat template; set ModelSpec.chat_template.")
    if model.end_marker is not None:
        if model.end_marker not in tokenizer.get_vocab():
            raise ModelError(
                f"ModelSpec.end_marker={model.end_marker!r} is no token of {source!r}; its own is "
                f"{tokenizer.eos_token!r}, special tokens are {', '.join(specials(tokenizer))}."
            )
        tokenizer.eos_token = model.end_marker
    if tokenizer.eos_token_id is None:
        raise ModelError(f"the tokenizer of {source!r} has no end marker; set ModelSpec.end_marker.")
    return tokenizer


def specials(tokenizer: Tokenizer) -> list[str]:
    """Texts that this tokenizer reads as special tokens."""
    return sorted(token.content for token in tokenizer.added_tokens_decoder.values() if token.special)


def prompt_text(tokenizer: Tokenizer, messages: Sequence[Message]) -> str:
    """A conversation up to and including the opening of the assistant's turn, as the template writes it."""
    rendered = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    return str(rendered)


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Token ids of `prompt_text`."""
    text = prompt_text(tokenizer, messages)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def user_prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Token ids of a single user message: the prompt of every evaluation."""
    return prompt_ids(tokenizer, [{"role": "user", "content": prompt}])


def render(tokenizer: Tokenizer, rows: Sequence[Row]) -> list[list[Tokens]]:
    """The sequences of every row, in order: one, or several for some conversations.

    All assistant turns of a conversation are trained on. They share one sequence where that is exact, so
    where each later prompt begins with the tokens of what came before; a template that rewrites history
    (Qwen3 takes the thinking out of earlier turns) gives one sequence per turn instead, since a model
    never sees such a history when it answers.

    Raises:
        DataError: a special token inside a text, or a response that does not come back from its tokens
            to the letter; names the row.
    """
    markers = specials(tokenizer)
    turns: list[tuple[str, Sequence[Message], str]] = []
    sizes: list[int] = []
    for row in rows:
        _refuse_markers(row, markers)
        replies = [i for i, message in enumerate(row.messages) if message["role"] == "assistant"]
        found = [(row.messages[:i], row.messages[i]["content"]) for i in replies]
        found.append((row.messages, row.response))
        turns += [(row.id, *turn) for turn in found]
        sizes.append(len(found))
    # Prompts and responses in one call each: the tokenizer then works on all cores.
    prompts = _encode(tokenizer, [_opened(tokenizer, *turn) for turn in turns])
    targets = _encode(tokenizer, [response for _, _, response in turns])
    for (row_id, _, response), ids, back in zip(turns, targets, decode_all(tokenizer, targets), strict=True):
        if back != response:
            at = next((i for i, (a, b) in enumerate(zip(back, response, strict=False)) if a != b), len(back))
            raise DataError(
                f"{row_id}: the tokenizer does not give its response back: {back[at : at + 40]!r} instead of "
                f"{response[at : at + 40]!r} at character {at} ({len(ids)} tokens); use another tokenizer."
            )
    end = tokenizer.eos_token_id
    rendered: list[list[Tokens]] = []
    first = 0
    for row, size in zip(rows, sizes, strict=True):
        pairs = [(prompts[i], [*targets[i], end]) for i in range(first, first + size)]
        rendered.append(_joined(row.id, pairs))
        first += size
    return rendered


def _opened(tokenizer: Tokenizer, row_id: str, messages: Sequence[Message], response: str) -> str:
    """The prompt of one assistant turn. Raises a DataError if the template refuses it, or thinks already."""
    try:
        text = prompt_text(tokenizer, messages)
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise DataError(
            f"{row_id}: the chat template refuses its turns ({roles}): {error}; change the row, or set "
            "ModelSpec.chat_template."
        ) from None
    if text.rstrip().endswith("<think>") and response.lstrip().startswith("<think>"):
        raise DataError(
            f"{row_id}: the chat template opens the thinking ({text[-40:]!r}) and so does the response "
            f"({response[:40]!r}), so a model would learn to open it twice; set ModelSpec.chat_template to "
            "one that leaves it to the response."
        )
    return text


def _joined(row_id: str, pairs: list[tuple[list[int], list[int]]]) -> list[Tokens]:
    """One sequence if every prompt continues what came before to the token, else one per turn."""
    if len(pairs) == 1:
        return [Tokens.of(row_id, *pairs[0])]
    ids: list[int] = []
    spans: list[tuple[int, int]] = []
    for prompt, target in pairs:
        if prompt[: len(ids)] != ids:
            return [Tokens.of(f"{row_id}/turn{n}", *pair) for n, pair in enumerate(pairs, start=1)]
        spans.append((len(prompt), len(prompt) + len(target)))
        ids = [*prompt, *target]
    return [Tokens(row_id, np.asarray(ids, dtype=np.int32), tuple(spans))]


def _encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    # verbose: it would warn of rows above the model's context, which is max_tokens' business.
    found: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return found


def decode_all(tokenizer: Tokenizer, sequences: Sequence[Sequence[int]]) -> list[str]:
    """The texts of token ids, special tokens included, with nothing tidied up."""
    return list(
        tokenizer.batch_decode(sequences, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    )


def _refuse_markers(row: Row, markers: Sequence[str]) -> None:
    texts = [(f"its {message['role']} text", message["content"]) for message in row.messages]
    for where, text in (*texts, ("its response", row.response)):
        inside = [marker for marker in markers if marker in text]
        if where in ("its response", "its assistant text"):
            inside = [marker for marker in inside if marker not in THINK_TAGS]
        if inside:
            at = text.index(inside[0])
            raise DataError(
                f"{row.id}: {where} contains the special token {inside[0]!r} "
                f"({text[max(at - 30, 0) : at + 40]!r}), which would be read as a marker of the chat "
                "template; remove it from the row."
            )


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """Digest of vocabulary, merges and chat template: equal hashes render equal ids."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    # A slow tokenizer has no backend; its vocabulary file says as much.
    facts = Path(tokenizer.vocab_file).read_bytes().hex() if backend is None else backend.to_str()
    text = "\0".join((facts, str(tokenizer.chat_template), str(tokenizer.eos_token)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def template_hash(tokenizer: Tokenizer) -> str:
    """Digest of the chat template alone."""
    return hashlib.sha256(str(tokenizer.chat_template).encode()).hexdigest()[:12]
