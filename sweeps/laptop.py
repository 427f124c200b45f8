"""Does reasoning SFT generalise? The whole question in small: two nano bases, two kinds of data, two
training lengths, seven benchmarks, on two CPU cores in under half an hour (`make demo`).
"""

from rsft.spec import (
    BenchmarkUse,
    DataSpec,
    EvalSpec,
    GeneratedRows,
    LogSpaced,
    ModelSpec,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
)

SWEEP = SweepSpec(
    name="laptop",
    models=(ModelSpec(source="nano-1m"), ModelSpec(source="nano-3m")),
    data=(
        DataSpec(
            name="countdown-cot",
            source=GeneratedRows(task="countdown", style="long-cot"),
            rows=1_024,
        ),
        DataSpec(
            name="countdown-answer",
            source=GeneratedRows(task="countdown", style="answer-only"),
            rows=1_024,
        ),
    ),
    heldout=(
        DataSpec(
            name="in-domain",
            source=GeneratedRows(task="countdown", style="long-cot", seed=9),
            rows=24,
        ),
        DataSpec(
            name="out-of-domain",
            source=GeneratedRows(task="gsm-symbolic", style="long-cot", seed=9),
            rows=24,
        ),
    ),
    lengths_steps=(16, 64),
    train=TrainSpec(
        learning_rate=1e-3,
        schedule="cosine",
        batch_sequences=16,
        max_tokens=512,
        micro_batch_tokens=2_048,
        precision="fp32",
        device="cpu",
        workers=2,
        zero_stage=1,
    ),
    evaluation=EvalSpec(
        benchmarks=(
            BenchmarkUse(name="countdown", problems=48),
            BenchmarkUse(name="gsm-symbolic", problems=48),
            BenchmarkUse(name="letter-counting", problems=48),
            BenchmarkUse(name="gcd", problems=48),
            BenchmarkUse(name="count-bits", problems=48),
            BenchmarkUse(name="math-500", problems=12),
            BenchmarkUse(name="gsm8k", problems=12),
        ),
        sampling=SamplingSpec(temperature=0.6, top_p=1.0, max_new_tokens=256, samples=1),
        checkpoint_steps=LogSpaced(count=5, first=2),
        max_model_tokens=1_536,
        engines=2,
    ),
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
