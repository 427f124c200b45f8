"""The shipped bases are what their cards say, and the recipe makes them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from rsft.bases import SHIPPED, resolve
from rsft.spec import ModelSpec

pytestmark = pytest.mark.engines

torch = pytest.importorskip("torch")
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from rsft.nano import recipe as recipes  # noqa: E402
from rsft.nano.corpus import chat, document  # noqa: E402
from rsft.nano.tokenizer import train_tokenizer  # noqa: E402

NAMES = sorted(recipes.LADDER)


def test_every_rung_of_the_ladder_is_shipped_in_full() -> None:
    for name in NAMES:
        base = resolve(ModelSpec(source=name))
        card = json.loads((SHIPPED / name / "nano.json").read_text())
        assert base.parameters == card["parameters"]
        assert card["recipe"] == dataclasses.asdict(recipes.LADDER[name])


def test_the_larger_base_has_the_lower_held_out_loss() -> None:
    losses = [
        json.loads((SHIPPED / name / "nano.json").read_text())["held_out_loss_nats_per_token"]
        for name in ("nano-1m", "nano-3m")
    ]
    assert losses[1] < losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_weights_have_the_loss_of_their_card(name: str) -> None:
    card = json.loads((SHIPPED / name / "nano.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / name)
    model = AutoModelForCausalLM.from_pretrained(SHIPPED / name, dtype=torch.float32)
    stream = recipes.token_stream(tokenizer, recipes.HELD_OUT_SEED, recipes.HELD_OUT_TOKENS)
    loss = recipes.held_out_loss(model, stream, recipes.LADDER[name])
    # The card was written before rounding to bf16, which moves a weight by up to 1 part in 256.
    assert loss == pytest.approx(card["held_out_loss_nats_per_token"], abs=0.005)


@pytest.mark.slow
def test_the_shipped_tokenizer_is_the_one_the_recipe_trains() -> None:
    again = train_tokenizer(recipes.CORPUS_SEED)
    for name in NAMES:
        shipped = AutoTokenizer.from_pretrained(SHIPPED / name)
        assert shipped.get_vocab() == again.get_vocab()
        assert shipped.chat_template == again.chat_template


def test_the_chat_text_of_the_corpus_is_what_the_template_renders() -> None:
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "nano-1m")
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "2 + 2?"}], tokenize=False, add_generation_prompt=True
    )
    assert chat("2 + 2?", "4") == rendered + "4"


def test_every_document_survives_the_tokenizer_and_digits_stand_alone() -> None:
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "nano-1m")
    for index in range(200):
        text = document(3, index)
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert all(sum(c.isdigit() for c in tokenizer.decode([i])) <= 1 for i in ids)


def test_the_recipe_gives_the_same_weights_every_time(tmp_path: Path) -> None:
    short = dataclasses.replace(
        recipes.LADDER["nano-1m"], tokens=8_000, sequence_tokens=128, batch_sequences=8
    )
    for name in ("a", "b"):
        recipes.pretrain(short, tmp_path / name, tmp_path / f"out-{name}", corpus_documents=300)
    weights = [(tmp_path / f"out-{name}" / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]
