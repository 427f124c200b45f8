"""One trial with three evaluated steps, for tests on real engines."""

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
    name="one-trial",
    models=(ModelSpec(source="nano-1m"),),
    data=(DataSpec(name="countdown-cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=48),),
    lengths_steps=(10,),
    train=TrainSpec(
        learning_rate=5e-4,
        batch_sequences=8,
        max_tokens=512,
        micro_batch_tokens=2_048,
        precision="fp32",
        device="cpu",
        workers=2,
        zero_stage=2,
    ),
    evaluation=EvalSpec(
        benchmarks=(
            BenchmarkUse(name="countdown", problems=8),
            BenchmarkUse(name="letter-counting", problems=12),
        ),
        sampling=SamplingSpec(max_new_tokens=96, samples=2),
        checkpoint_steps=(2, 6, 10),
        max_model_tokens=768,
    ),
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
