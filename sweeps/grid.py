"""The study's question on a GPU cluster: four Qwen3 bases, the study's data variants, 1 to 8 epochs.

    ray job submit --address http://127.0.0.1:8265 --working-dir . -- python sweeps/grid.py

`math-cot` and `numina` are the study's own rows, read from the hub; `math-nocot` is made from the first of
them, `countdown-cot` by a search here (`rsft data show countdown-cot`). Without a hub: FileRows with copies.
"""

from rsft.spec import (
    BenchmarkUse,
    EvalSpec,
    ModelSpec,
    Override,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
    variant,
)

SWEEP = SweepSpec(
    name="grid",
    models=(
        ModelSpec(source="Qwen/Qwen3-1.7B-Base", parameters=1_720_000_000),
        ModelSpec(source="Qwen/Qwen3-4B-Base", parameters=4_020_000_000),
        ModelSpec(source="Qwen/Qwen3-8B-Base", parameters=8_190_000_000),
        ModelSpec(source="Qwen/Qwen3-14B-Base", parameters=14_770_000_000),
    ),
    data=tuple(variant(name) for name in ("math-cot", "math-nocot", "numina", "countdown-cot")),
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
