"""The nano tokenizer: byte-level BPE, each digit a token, chat and think markers as single tokens."""

from __future__ import annotations

from itertools import islice

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from rsft.nano.corpus import END, END_THINK, IM_END, IM_START, THINK, documents

VOCABULARY = 2048
"""Entries, special tokens and bytes included."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

MARKERS = (END, IM_START, IM_END, THINK, END_THINK)


def train_tokenizer(seed: int, corpus_documents: int = 20_000) -> PreTrainedTokenizerFast:
    """Trains the tokenizer on the first documents of corpus `seed`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # Words and digits keep their leading space, as in GPT-2; each digit is a token of its own.
            pre_tokenizers.Split(Regex(r"\n| ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]| +"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(MARKERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = islice(documents(seed), corpus_documents)
    tokenizer.train_from_iterator((_plain(text) for text in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[IM_START, IM_END],
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )


def _plain(text: str) -> str:
    for marker in MARKERS:
        text = text.replace(marker, "")
    return text
