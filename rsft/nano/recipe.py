"""Pretrains a nano base: `python -m rsft.nano.recipe nano-1m DIR`.

One process, one thread, float32, AdamW, a warm-up-stable-decay schedule. The result is an ordinary
Qwen3 folder in bf16 safetensors.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import typer
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from rsft.nano.corpus import END, SHARES, documents
from rsft.nano.tokenizer import VOCABULARY, train_tokenizer

CORPUS_SEED = 0
HELD_OUT_SEED = 999
HELD_OUT_TOKENS = 40_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How one rung of the ladder is made."""

    name: str
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    intermediate_size: int
    tokens: int
    """Pretraining tokens, each seen once."""
    learning_rate: float
    sequence_tokens: int = 512
    batch_sequences: int = 6
    warmup_share: float = 0.02
    decay_share: float = 0.3
    seed: int = 0

    def config(self, tokenizer: PreTrainedTokenizerFast) -> Qwen3Config:
        return Qwen3Config(
            vocab_size=VOCABULARY,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=32,
            intermediate_size=self.intermediate_size,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )


LADDER = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="nano-1m",
            hidden_size=128,
            layers=4,
            heads=4,
            kv_heads=2,
            intermediate_size=384,
            tokens=6_500_000,
            learning_rate=2.5e-3,
        ),
        Recipe(
            name="nano-3m",
            hidden_size=192,
            layers=6,
            heads=6,
            kv_heads=2,
            intermediate_size=576,
            tokens=6_500_000,
            learning_rate=2e-3,
        ),
    )
}


def token_stream(tokenizer: PreTrainedTokenizerFast, seed: int, tokens: int) -> np.ndarray:
    """The first `tokens` ids of corpus `seed`, documents joined by the end marker; shape (tokens,)."""
    end = tokenizer.convert_tokens_to_ids(END)
    pieces: list[np.ndarray] = []
    count = 0
    for text in documents(seed):
        ids = np.array([*tokenizer(text)["input_ids"], end], dtype=np.uint16)
        pieces.append(ids)
        count += len(ids)
        if count >= tokens:
            return np.concatenate(pieces)[:tokens]
    raise AssertionError("the stream of documents has no end")


def learning_rate_share(step: int, steps: int, recipe: Recipe) -> float:
    """Warm-up-stable-decay: the share of the peak learning rate at a step."""
    warmup, decay = recipe.warmup_share * steps, recipe.decay_share * steps
    return min(1.0, (step + 1) / max(warmup, 1), (steps - step) / max(decay, 1))


def pretrain(
    recipe: Recipe, work: Path, output: Path, log_every: int = 100, corpus_documents: int = 20_000
) -> None:
    """Runs the recipe and writes model, tokenizer and card to `output`.

    Args:
        recipe: what to make.
        work: keeps the tokenized corpus between runs.
        output: the model folder.
        log_every: steps per printed line.
        corpus_documents: documents that the tokenizer is trained on.
    """
    torch.manual_seed(recipe.seed)
    tokenizer = train_tokenizer(CORPUS_SEED, corpus_documents)
    cache = work / f"corpus-{CORPUS_SEED}-{recipe.tokens}.npy"
    if cache.exists():
        stream = np.load(cache)
    else:
        stream = token_stream(tokenizer, CORPUS_SEED, recipe.tokens)
        work.mkdir(parents=True, exist_ok=True)
        np.save(cache, stream)
    held_out = token_stream(tokenizer, HELD_OUT_SEED, HELD_OUT_TOKENS)

    model = Qwen3ForCausalLM(recipe.config(tokenizer))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.05
    )

    per_step = recipe.batch_sequences * recipe.sequence_tokens
    steps = len(stream) // per_step
    started = time.perf_counter()
    for step in range(steps):
        chunk = stream[step * per_step : (step + 1) * per_step].astype(np.int64)
        ids = torch.from_numpy(chunk).view(recipe.batch_sequences, recipe.sequence_tokens)
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        share = learning_rate_share(step, steps, recipe)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * share
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % log_every == 0 or step == steps - 1:
            rate = (step + 1) * per_step / (time.perf_counter() - started)
            print(f"step {step}/{steps} loss {loss.item():.4f} {rate:.0f} tokens/s", flush=True)
    hours = (time.perf_counter() - started) / 3600
    final = held_out_loss(model, held_out, recipe)
    print(f"held-out loss {final:.4f} nats/token, {hours:.2f} h", flush=True)

    model.to(torch.bfloat16).save_pretrained(output)
    tokenizer.save_pretrained(output)
    parameters = sum(p.numel() for p in model.parameters())
    facts = {
        "recipe": asdict(recipe),
        "parameters": parameters,
        "corpus": {"seed": CORPUS_SEED, "shares": SHARES, "tokens": int(steps * per_step)},
        "held_out_loss_nats_per_token": round(final, 4),
        "held_out_perplexity": round(math.exp(final), 3),
        "hours": round(hours, 2),
        "torch": torch.__version__,
    }
    (output / "nano.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def held_out_loss(model: Qwen3ForCausalLM, stream: np.ndarray, recipe: Recipe) -> float:
    """Mean loss on a stream that was not trained on, nats per token."""
    usable = len(stream) // recipe.sequence_tokens * recipe.sequence_tokens
    sequences = torch.from_numpy(stream[:usable].astype(np.int64)).view(-1, recipe.sequence_tokens)
    losses = [model(input_ids=ids, labels=ids).loss.item() for ids in sequences.split(8)]
    return sum(losses) / len(losses)


def main(name: str, output: Path, work: Path = Path("build/nano"), threads: int = 1) -> None:
    """Pretrains the rung `name` of the ladder."""
    torch.set_num_threads(threads)
    pretrain(LADDER[name], work, output)


if __name__ == "__main__":
    typer.run(main)
