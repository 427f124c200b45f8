"""Two lengths on one trunk, in bf16 under ZeRO 3, with a held-out slice: much that a resume can get wrong."""

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
    name="two-lengths",
    models=(ModelSpec(source="nano-1m"),),
    data=(DataSpec(name="countdown-cot", source=GeneratedRows(task="countdown", style="long-cot"), rows=44),),
    heldout=(DataSpec(name="answers", source=GeneratedRows(task="countdown", style="answer-only"), rows=8),),
    lengths_steps=(6, 12),
    train=TrainSpec(
        learning_rate=5e-4,
        schedule="wsd",
        warmup_steps=2,
        decay_share=0.4,
        batch_sequences=8,
        max_tokens=512,
        micro_batch_tokens=2_048,
        precision="bf16",
        device="cpu",
        workers=2,
        zero_stage=3,
    ),
    evaluation=EvalSpec(
        benchmarks=(BenchmarkUse(name="countdown", problems=8),),
        sampling=SamplingSpec(max_new_tokens=96),
        checkpoint_steps=(2, 5, 9),
        max_model_tokens=768,
    ),
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
