"""Does reasoning SFT generalise? The whole question in small: two nano bases, two kinds of data, two
training lengths, seven benchmarks, on two CPU cores in under half an hour (`make demo`).
"""

from rsft.spec import (
    BenchmarkUse,
    Claim,
    DataSpec,
    EvalSpec,
    GeneratedRows,
    LogSpaced,
    ModelSpec,
    Pick,
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
    claims=(
        Claim(
            name="traces-forget-more",
            says="Long traces cost more out of domain than bare answers do.",
            trials=Pick(data="countdown-cot"),
            against=Pick(data="countdown-answer"),
            dimension="out-of-domain",
            measure="gain",
            expects="lower",
        ),
        Claim(
            name="longer-forgets-more",
            says="Of bare answers, 64 steps cost more on gcd than 16 do.",
            trials=Pick(data="countdown-answer", steps=64),
            against=Pick(data="countdown-answer", steps=16),
            benchmarks=("gcd",),
            expects="lower",
        ),
        Claim(
            name="gcd-returns",
            says="Of long traces, gcd dips and recovers.",
            trials=Pick(data="countdown-cot", steps=64),
            benchmarks=("gcd",),
            expects="dip and recovery",
        ),
        Claim(
            name="countdown-is-learnt",
            says="64 steps on countdown teach countdown.",
            trials=Pick(steps=64),
            benchmarks=("countdown",),
            expects="higher",
        ),
        Claim(
            name="answers-grow",
            says="Long traces make answers out of domain longer.",
            trials=Pick(data="countdown-cot"),
            dimension="out-of-domain",
            metric="response_tokens",
            expects="higher",
        ),
    ),
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
