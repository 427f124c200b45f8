"""What is trained on, as a witness saw it row by row: counts, proofs, and rows to look at."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from rsft.benchmarks.cards import BOXED
from rsft.data.batches import best_fit
from rsft.data.rows import Row
from rsft.data.template import (
    Tokenizer,
    Tokens,
    decode_all,
    prompt_text,
    specials,
    template_hash,
    user_prompt_ids,
)
from rsft.errors import DataError

SHOWN_ROWS = 6
"""Rows that are shown decoded, and whose loss is compared."""
COMPARED_ROWS = 64
"""Rows whose prompt is rendered again as an evaluation would."""

POINTS = {"min": 0, "p5": 5, "p50": 50, "p95": 95, "p99": 99, "max": 100}
"""Percentiles of lengths that are shown, in this order."""


class Witness:
    """Sees every row that is kept; refuses what must not be trained on."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._end = tokenizer.eos_token_id
        self._markers = {tokenizer.convert_tokens_to_ids(text): text for text in specials(tokenizer)}
        self._marker_ids = np.asarray(sorted(self._markers), dtype=np.int32)
        self.rows = 0
        self.tokens = 0
        self.targets = 0
        self._lengths, self._target_lengths = array("i"), array("i")
        self._counts: Counter[str] = Counter()
        self._in_prompt: Counter[str] = Counter()
        self._in_target: Counter[str] = Counter()
        self._seen: dict[str, set[bytes]] = {"rows": set(), "questions": set()}
        self._digest = hashlib.sha256()
        self._shown: list[dict[str, Any]] = []
        self.shown_tokens: list[Tokens] = []

    def see(self, row: Row, tokens: Tokens, *, cut: bool) -> None:
        """Counts a row.

        Args:
            row: as it came from the transforms.
            tokens: as it is trained on.
            cut: it was truncated, so its last response has no end marker.

        Raises:
            DataError: nothing of it is trained on, an end marker is missing, or evaluation would open
                the same conversation with other tokens.
        """
        self._refuse(row, tokens, cut)
        self.rows += 1
        self.tokens += len(tokens)
        self.targets += tokens.targets
        self._lengths.append(len(tokens))
        self._target_lengths.append(tokens.targets)
        content = tokens.ids.tobytes()
        self._digest.update(np.asarray([len(tokens), *sum(tokens.spans, ())], dtype=np.int32).tobytes())
        self._digest.update(content)
        self._counts["truncated"] += cut
        self._counts["with_thinking"] += "</think>" in row.response
        self._counts[{True: "verified", False: "known_wrong", None: "not_verified"}[row.verified]] += 1
        self._counts["with_instruction"] += row.question.endswith(f"\n{BOXED}")
        self._counts["several_turns"] += len(row.messages) > 1
        for kind, text in (("rows", content), ("questions", row.question.encode())):
            digest = hashlib.blake2b(text, digest_size=8).digest()
            self._counts[f"duplicate_{kind}"] += digest in self._seen[kind]
            self._seen[kind].add(digest)
        for at in np.flatnonzero(np.isin(tokens.ids, self._marker_ids)):
            trained = any(start <= at < end for start, end in tokens.spans)
            (self._in_target if trained else self._in_prompt)[self._markers[int(tokens.ids[at])]] += 1
        if self.rows <= SHOWN_ROWS:
            self.shown_tokens.append(tokens)
            self._shown.append({"id": tokens.id, "parts": shown(self._tokenizer, tokens)})

    def _refuse(self, row: Row, tokens: Tokens, cut: bool) -> None:
        if not tokens.targets:
            raise DataError(
                f"{tokens.id}: no token of it is trained on ({self._text(tokens.ids)!r:.160}); "
                "remove the row."
            )
        whole = tokens.spans[:-1] if cut else tokens.spans
        for start, end in whole:
            if tokens.ids[end - 1] != self._end:
                raise DataError(
                    f"{tokens.id}: a response ends without the end marker {self._tokenizer.eos_token!r} "
                    f"({self._text(tokens.ids[max(start, end - 20) : end])!r}), so a model would not learn "
                    "to stop; let rsft.data.template add it."
                )
        if self.rows < COMPARED_ROWS and len(row.messages) == 1:
            self._counts["compared"] += 1
            asked = user_prompt_ids(self._tokenizer, row.question)
            trained = tokens.ids[: tokens.spans[0][0]].tolist()
            if asked != trained:
                at = next(
                    (i for i, pair in enumerate(zip(asked, trained, strict=False)) if len({*pair}) > 1), 0
                )
                evaluation, training = (self._text(ids[at : at + 12]) for ids in (asked, trained))
                raise DataError(
                    f"{tokens.id}: evaluation would open it with other tokens than training does, from token "
                    f"{at} on: {evaluation!r} against {training!r}; use one template for both."
                )

    def _text(self, ids: Any) -> str:
        return decode_all(self._tokenizer, [list(map(int, ids))])[0]

    def facts(self, max_tokens: int) -> dict[str, Any]:
        """The certificate's numbers."""
        lengths, targets = np.asarray(self._lengths), np.asarray(self._target_lengths)
        bins = best_fit(lengths.tolist(), max_tokens)
        before, after = scaffold(self._tokenizer)
        return {
            "rows_kept": self.rows,
            "truncated": self._counts["truncated"],
            "zero_target_rows": int((targets == 0).sum()),
            "tokens": self.tokens,
            "targets": self.targets,
            "prompt_tokens": _percentiles(lengths - targets),
            "target_tokens": _percentiles(targets),
            "with_thinking": self._counts["with_thinking"] / self.rows,
            "verified": self._counts["verified"] / self.rows,
            "known_wrong": self._counts["known_wrong"] / self.rows,
            "with_instruction": self._counts["with_instruction"] / self.rows,
            "several_turns": self._counts["several_turns"],
            "duplicate_rows": self._counts["duplicate_rows"],
            "duplicate_questions": self._counts["duplicate_questions"],
            "special_tokens": {
                text: {"prompt": self._in_prompt[text], "target": self._in_target[text]}
                for text in sorted({*self._in_prompt, *self._in_target})
            },
            "packing_efficiency": self.tokens / (len(bins) * max_tokens),
            "template": template_hash(self._tokenizer),
            "end_marker": self._tokenizer.eos_token,
            "scaffold": {"before": before, "after": after},
            "prompts_compared_with_evaluation": self._counts["compared"],
            "prompts_that_differ": 0,  # or there would be no certificate
            "hash": self._digest.hexdigest()[:16],
            "sample": self._shown,
        }


def scaffold(tokenizer: Tokenizer) -> tuple[str, str]:
    """What the template writes before and after a lone user message: a default system prompt shows here."""
    probe = "@@question@@"
    before, _, after = prompt_text(tokenizer, [{"role": "user", "content": probe}]).partition(probe)
    return before, after


def shown(tokenizer: Tokenizer, tokens: Tokens) -> list[dict[str, Any]]:
    """A row decoded, in parts: what is read and what is trained on, in turn."""
    edges = [0, *(edge for span in tokens.spans for edge in span), len(tokens)]
    parts = [tokens.ids[a:b].tolist() for a, b in pairwise(edges)]
    decoded = decode_all(tokenizer, parts)
    return [{"text": text, "trained": bool(n % 2)} for n, text in enumerate(decoded) if text]


def _percentiles(lengths: np.ndarray) -> dict[str, int]:
    return {name: int(np.percentile(lengths, point)) for name, point in POINTS.items()}


def summary(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The certificate's facts in words, in the order in which they are read."""
    share = "{:.1%}".format
    dropped = ", ".join(f"{count:,} {why.replace('_', ' ')}" for why, count in facts["dropped"].items())
    changed = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in facts["changed"].items())
    check = facts["loss_check"]
    said = {
        "Rows": f"{facts['rows_in']:,} seen, {facts['rows_kept']:,} kept, {facts['rows_asked']:,} asked for",
        "Dropped": dropped or "none",
        "Changed": changed or "none",
        "Cut at max_tokens": f"{facts['truncated']:,} (limit {facts['max_tokens']:,})",
        "Rows without a trained token": f"{facts['zero_target_rows']}",
        "Tokens": f"{facts['tokens']:,}, of them trained on {facts['targets']:,}",
        "Prompt tokens": _spread(facts["prompt_tokens"]),
        "Target tokens": _spread(facts["target_tokens"]),
        "Packing": f"{share(facts['packing_efficiency'])} of slots filled at {facts['max_tokens']:,} tokens",
        "With thinking": share(facts["with_thinking"]),
        "Verified": f"{share(facts['verified'])}, known to be wrong {share(facts['known_wrong'])}",
        "With the evaluation's instruction": share(facts["with_instruction"]),
        "Several turns": f"{facts['several_turns']:,}",
        "Duplicates": f"{facts['duplicate_rows']:,} rows, {facts['duplicate_questions']:,} questions",
        "End marker": f"{facts['end_marker']} behind every response",
        "Template": f"{facts['template']}; writes {facts['scaffold']['before']!r} before and "
        f"{facts['scaffold']['after']!r} after a question",
        "Prompts that evaluation would open otherwise": f"{facts['prompts_that_differ']} of "
        f"{facts['prompts_compared_with_evaluation']} compared",
        "Loss of a tiny fixed model": "not measured (torch is not installed)"
        if check is None
        else f"row by row {check['row_by_row']:.6f}, padded {check['padded']:.6f}, packed "
        f"{check['packed']:.6f} (largest difference {check['difference']:.1e} on {check['rows']} rows)",
        "Hash": facts["hash"],
    }
    return list(said.items())


def markdown(facts: Mapping[str, Any]) -> str:
    """The certificate as a page to read."""
    table = "\n".join(f"| {name} | {_line(value)} |" for name, value in facts["summary"])
    specials_table = "\n".join(
        f"| `{_line(text)}` | {counts['prompt']:,} | {counts['target']:,} |"
        for text, counts in facts["special_tokens"].items()
    )
    return (
        f"# {facts['variant']}\n\n`{facts['name']}`\n\n| | |\n|---|---|\n{table}\n\n"
        f"| special token | in prompts | trained on |\n|---|---|---|\n{specials_table}\n\n"
        "## Rows, decoded\n\nBlocks under `trained` are what the loss is taken on.\n\n"
        + "\n".join(_sample(item) for item in facts["sample"])
    )


def _spread(points: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {points[name]:,}" for name in POINTS)


def _line(text: str) -> str:
    return text.replace("\n", "\\n").replace("|", "\\|")


def _sample(item: Mapping[str, Any]) -> str:
    blocks = []
    for part in item["parts"]:
        fence = "````"
        while fence in part["text"]:
            fence += "`"
        kind = "trained" if part["trained"] else "read"
        blocks.append(f"{kind}:\n{fence}text\n{part['text']}\n{fence}\n")
    return f"### {item['id']}\n\n" + "\n".join(blocks)
