"""Rows to packed token ids: rsft against TRL on the same rows, in the same run.

    python bench/data.py [--rows 20480] [--runs 3] [--long 0]

Rows are the 4,500 MATH problems outside MATH-500 with their human solutions, repeated up to `--rows`. Each
tool reads the same JSON lines in a process of its own, whose peak memory (with its workers) is taken. TRL
runs `SFTTrainer`'s own preparation with packing, `completion_only_loss` and a worker per core. What rsft does
beside: schema and role checks, decoding every response back, the evaluation-prompt check, the certificate.
Slots are positions that are computed on: TRL packs the whole set once, rsft packs each optimizer step.
`--long N` also prepares N rows of 16k tokens with rsft alone, for the memory. `make bench` installs TRL.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rsft.data.rows import Tally
from rsft.data.source import rows
from rsft.spec import DataSpec, FileRows, ModelSpec, variant

MAX_TOKENS = 2_048


def write_rows(path: Path, count: int, tokens: int | None) -> None:
    """JSON lines in chat form; long ones repeat solutions up to about `tokens` tokens."""
    found = list(rows(variant("math-human"), Tally()))
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            row = found[number % len(found)]
            response = row.response
            while tokens and len(response) < 1.6 * tokens:  # about 1.7 characters a token here
                response += "\n\n" + found[(number + len(response)) % len(found)].response
            messages = [*row.messages, {"role": "assistant", "content": response}]
            out.write(json.dumps({"id": f"row-{number}", "messages": messages}) + "\n")


def with_rsft(path: Path, folder: Path, max_tokens: int) -> dict[str, float]:
    from rsft import layout
    from rsft.bases import SHIPPED
    from rsft.data.prepare import prepare
    from rsft.data.template import load_tokenizer
    from rsft.storage import Storage

    tokenizer = load_tokenizer(str(SHIPPED / "nano-1m"), ModelSpec(source="nano-1m"))
    storage = Storage(folder)
    started = time.perf_counter()
    manifest = prepare(
        storage, DataSpec(name="d", source=FileRows(path=str(path)), rows=10**7), tokenizer, max_tokens
    )
    seconds = time.perf_counter() - started
    facts = storage.read_json(layout.certificate(manifest["name"], "json"))
    return {
        "seconds": seconds,
        "rows": facts["rows_kept"],
        "tokens": facts["tokens"],
        "efficiency": facts["packing_efficiency"],
    }


def with_trl(path: Path, folder: Path, max_tokens: int) -> dict[str, float]:
    os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
    import datasets
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from rsft.bases import SHIPPED

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(str(SHIPPED / "nano-1m"))
    seconds = 0.0

    class Timed(SFTTrainer):
        def _prepare_dataset(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            nonlocal seconds
            begun = time.perf_counter()
            found = super()._prepare_dataset(*args, **kwargs)
            seconds += time.perf_counter() - begun
            return found

    settings = SFTConfig(
        output_dir=str(folder / "out"),
        packing=True,
        max_length=max_tokens,
        dataset_num_proc=os.cpu_count(),
        completion_only_loss=True,
        use_cpu=True,
        bf16=False,
        report_to="none",
    )
    started = time.perf_counter()
    records = datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(folder / "json")
    )
    records = records.map(
        lambda r: {"prompt": r["messages"][:-1], "completion": r["messages"][-1:]},
        remove_columns=records.column_names,
        num_proc=os.cpu_count(),
    )
    seconds += time.perf_counter() - started
    trainer = Timed(
        model=AutoModelForCausalLM.from_pretrained(str(SHIPPED / "nano-1m")),
        args=settings,
        train_dataset=records,
        processing_class=tokenizer,
    )
    packed = trainer.train_dataset
    tokens = sum(len(ids) for ids in packed["input_ids"])
    return {
        "seconds": seconds,
        "rows": sum(len(lengths) for lengths in packed["seq_lengths"]),
        "tokens": tokens,
        "efficiency": tokens / (len(packed) * max_tokens),
    }


def measured(tool: str, path: Path, max_tokens: int) -> dict[str, float]:
    """One run of a tool in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--tool", tool, "--file", str(path), "--folder", folder]
        done = subprocess.run([*command, "--max-tokens", str(max_tokens)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_480)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--long", type=int, default=0)
    parser.add_argument("--tool", choices=("rsft", "trl"))
    parser.add_argument("--file", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--max-tokens", type=int, default=MAX_TOKENS)
    given = parser.parse_args()
    if given.tool:
        tool = with_rsft if given.tool == "rsft" else with_trl
        facts = tool(given.file, given.folder, given.max_tokens)
        who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        facts["peak_mb"] = sum(resource.getrusage(w).ru_maxrss for w in who) / 1024
        print(json.dumps(facts))
        return
    table = Table("tool", "rows", "s", "rows/s", "tokens/s", "peak MB", "slots filled", box=None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(path, given.rows, None)
        for tool in ("rsft", "trl"):
            runs = [measured(tool, path, MAX_TOKENS) for _ in range(given.runs)]
            add(table, tool, runs)
        if given.long:
            write_rows(path, given.long, 16_000)
            add(table, "rsft, rows of 16k", [measured("rsft", path, 20_000)])
    Console().print(table)


def add(table: Table, name: str, runs: list[dict[str, float]]) -> None:
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    table.add_row(
        name,
        f"{middle['rows']:,.0f}",
        f"{middle['seconds']:.1f}",
        f"{middle['rows'] / middle['seconds']:,.0f}",
        f"{middle['tokens'] / middle['seconds']:,.0f}",
        f"{middle['peak_mb']:,.0f}",
        f"{middle['efficiency']:.1%}",
    )


if __name__ == "__main__":
    main()
