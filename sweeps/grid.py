"""The study's question on a GPU cluster: four Qwen3 bases, the study's data variants, 1 to 8 epochs.

    ray job submit --address http://127.0.0.1:8265 --working-dir . -- python sweeps/grid.py

The rows of the variants are read from Parquet files in the study's columns (`message`, `response`):
put them below data/, or use HubRows with their hub ids.
"""

from rsft.spec import (
    BenchmarkUse,
    DataSpec,
    EvalSpec,
    FileRows,
    ModelSpec,
    Override,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
)

SWEEP = SweepSpec(
    name="grid",
    models=(
        ModelSpec(source="Qwen/Qwen3-1.7B-Base", parameters=1_720_000_000),
        ModelSpec(source="Qwen/Qwen3-4B-Base", parameters=4_020_000_000),
        ModelSpec(source="Qwen/Qwen3-8B-Base", parameters=8_190_000_000),
        ModelSpec(source="Qwen/Qwen3-14B-Base", parameters=14_770_000_000),
    ),
    data=(
        DataSpec(name="math-cot", source=FileRows(path="data/math-cot-20k.parquet"), rows=20_480),
        DataSpec(name="math-nocot", source=FileRows(path="data/math-nocot-20k.parquet"), rows=20_480),
        DataSpec(name="numina-math", source=FileRows(path="data/numina-math-20k.parquet"), rows=20_480),
        DataSpec(
            name="countdown-cot",
            source=FileRows(path="data/countdown-cot-20k.parquet"),
            rows=20_480,
        ),
    ),
    lengths_epochs=(1, 2, 4, 8),
    train=TrainSpec(
        learning_rate=5e-5,
        schedule="cosine",
        warmup_share=0.1,
        batch_sequences=256,
        max_tokens=20_000,
        workers=8,
        zero_stage=3,
    ),
    concurrent_trials=2,  # the cluster grows on demand, so it cannot tell what it will hold
    overrides=(Override(model="Qwen3-1.7B-Base", train={"zero_stage": 2}),),
    evaluation=EvalSpec(
        benchmarks=(
            BenchmarkUse(name="math-500", samples=3),
            "gsm8k",
            "gsm-symbolic",
            "countdown",
            "letter-counting",
            "gcd",
            "count-bits",
        ),
        sampling=SamplingSpec(temperature=0.6, top_p=0.95, max_new_tokens=32_768),
        checkpoint_steps=(10, 20, 40, 80, 160, 320, 480, 640),
        engines=4,
    ),
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
