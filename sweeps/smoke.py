"""Two tiny trials through every engine: does this installation work?"""

from rsft.spec import (
    BenchmarkUse,
    DataSpec,
    EvalSpec,
    GeneratedRows,
    ModelSpec,
    SamplingSpec,
    SweepSpec,
    TrainSpec,
)

SWEEP = SweepSpec(
    name="smoke",
    models=(ModelSpec(source="nano-1m"),),
    data=(
        DataSpec(
            name="countdown-cot",
            source=GeneratedRows(task="countdown", style="long-cot"),
            rows=64,
        ),
        DataSpec(
            name="countdown-answer",
            source=GeneratedRows(task="countdown", style="answer-only"),
            rows=64,
        ),
    ),
    lengths_steps=(4,),
    train=TrainSpec(
        learning_rate=1e-3,
        batch_sequences=8,
        max_tokens=512,
        micro_batch_tokens=2_048,
        precision="fp32",
        device="cpu",
        workers=2,
        zero_stage=1,
    ),
    evaluation=EvalSpec(
        benchmarks=(
            BenchmarkUse(name="countdown", problems=8),
            BenchmarkUse(name="chain-sum", problems=8),
        ),
        sampling=SamplingSpec(max_new_tokens=64, samples=2),
        checkpoint_steps=(2, 4),
        engines=1,
    ),
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
