"""The study in full ("Rethinking Generalization in Reasoning SFT", arXiv 2604.06628): its 33 runs as cells,
its ten benchmarks at its steps, and its findings as claims.

    rsft plan sweeps/study.py                          # what it would take
    ray job submit ... -- python sweeps/study.py --only '*1.7b*'

The recipe is that of its scripts, quirks included (`rsft.spec.recipes.STUDY`). Qwen2.5's template without its
system prompt is our `chatml`; which 2,560 rows the small set has was not published, so a seed draws ours.
"""

from rsft.spec import (
    OVERFITTING,
    OVERFITTING_EPOCHS,
    STUDY,
    BenchmarkUse,
    Cell,
    Claim,
    Dimension,
    EvalSpec,
    JudgeSpec,
    ModelSpec,
    Pick,
    SamplingSpec,
    SweepSpec,
    variant,
)

Q3_14B, Q3_8B, Q3_4B, Q3_1_7B = (f"Qwen3-{size}-Base" for size in ("14B", "8B", "4B", "1.7B"))
INTERN, Q2_14B, Q2_1_5B = "InternLM2.5-20B", "Qwen2.5-14B", "Qwen2.5-1.5B"
SMALL_BATCH, SMALL_RATE = {"batch_sequences": 32}, {"learning_rate": 1e-5}
FIVE = ("math-cot", "math-nocot", "numina", "countdown-cot-study", "r1")
THREE = ("math-cot", "math-nocot", "countdown-cot-study")

CELLS = (
    # The default and its shorter, gentler, smaller and longer variations, on the largest Qwen3.
    Cell(model=Q3_14B, data="math-cot", epochs=8),
    Cell(model=Q3_14B, data="math-cot", epochs=1),
    Cell(model=Q3_14B, data="math-cot", epochs=1, train=SMALL_RATE),
    Cell(model=Q3_14B, data="math-cot", epochs=2, train=SMALL_RATE),
    Cell(model=Q3_14B, data="math-cot", epochs=1, train=SMALL_BATCH),
    Cell(model=Q3_14B, data="math-cot-2.5k", epochs=8, train=SMALL_BATCH),
    *(Cell(model=Q3_14B, data="math-cot", epochs=OVERFITTING_EPOCHS, train=change) for change in OVERFITTING),
    # The data axis.
    *(Cell(model=Q3_14B, data=data, epochs=8) for data in FIVE[1:]),
    *(Cell(model=Q3_8B, data=data, epochs=8) for data in FIVE),
    *(Cell(model=INTERN, data=data, epochs=8, train={"micro_batch_sequences": 2}) for data in FIVE),
    # The capability axis, and a second family.
    *(Cell(model=model, data=data, epochs=8) for model in (Q3_4B, Q3_1_7B) for data in THREE),
    *(Cell(model=f"Qwen2.5-{size}", data="math-cot", epochs=8) for size in ("1.5B", "3B", "7B", "14B")),
)

BOTH: tuple[Dimension, ...] = ("in-domain", "out-of-domain")


def cot(model: str = Q3_14B) -> Pick:
    return on("math-cot", model)


def on(data: str, model: str = Q3_14B) -> Pick:
    return Pick(model=model, data=data, epochs=8)


SHORT = Pick(model=Q3_14B, epochs=1, train={"batch_sequences": 256, "learning_rate": 5e-5})
ONE_PASS = Pick(model=Q3_14B, data="math-cot", epochs=1, train=SMALL_BATCH)
HARDEST = Pick(model=Q3_14B, epochs=OVERFITTING_EPOCHS, train=OVERFITTING[-1])
LONG = Pick(model=Q3_14B, epochs=OVERFITTING_EPOCHS, train=OVERFITTING[0])

OPTIMISATION = (
    *(
        Claim(
            name=f"dip-{word}",
            says=f"Out-of-domain reasoning of {model} dips before it recovers (section 3.2, figure 3).",
            trials=cot(model),
            dimension="out-of-domain",
            expects="dip and recovery",
        )
        for word, model in (("14b", Q3_14B), ("8b", Q3_8B), ("20b", INTERN))
    ),
    Claim(
        name="dip-4b-math",
        says="MATH-500 of the 4B base falls until step 20 and is back by step 40 (v1 table 9).",
        trials=cot(Q3_4B),
        benchmarks=("math-500",),
        expects="dip and recovery",
    ),
    Claim(
        name="dip-4b-ifeval",
        says="IFEval of the 4B base is still below the base at step 320 (v1 table 9).",
        trials=cot(Q3_4B),
        step=320,
        benchmarks=("ifeval",),
        expects="lower",
    ),
    Claim(
        name="back-4b-ifeval",
        says="At step 640 it is at the base's level again (v1 table 9).",
        trials=cot(Q3_4B),
        benchmarks=("ifeval",),
        expects="same",
        by=0.03,
    ),
    Claim(
        name="dip-teacher",
        says="Traces of another teacher show the same dip (appendix C.2, figure 7).",
        trials=on("r1"),
        dimension="out-of-domain",
        expects="dip and recovery",
    ),
    Claim(
        name="length-surge",
        says="Responses are far longer early, at step 40, than in the end (section 3.2, figure 13).",
        trials=cot(Q3_4B),
        step=40,
        benchmarks=("math-500", "aime-2024"),
        metric="response_tokens",
        against=cot(Q3_4B),
        expects="higher",
        by=1_000,
    ),
    Claim(
        name="short-in-domain",
        says="One epoch improves mathematics (section 3.1, table 4).",
        trials=SHORT,
        dimension="in-domain",
        expects="higher",
    ),
    Claim(
        name="short-out-of-domain",
        says="One epoch is short of eight out of domain: too little training, not no transfer (section 3.1).",
        trials=SHORT,
        dimension="out-of-domain",
        against=cot(),
        expects="lower",
    ),
    Claim(
        name="small-rate",
        says="So are two epochs at a fifth of the learning rate (table 4).",
        trials=Pick(model=Q3_14B, epochs=2, train=SMALL_RATE),
        dimension="out-of-domain",
        against=cot(),
        expects="lower",
    ),
    *(
        Claim(
            name=f"repeated-{dimension}",
            says=f"At equal steps, 2,560 rows eight times beat 20,480 rows once {dimension} (table 1).",
            trials=on("math-cot-2.5k"),
            dimension=dimension,
            against=ONE_PASS,
            expects="higher",
        )
        for dimension in BOTH
    ),
    *(
        Claim(
            name=f"overfit-{dimension}",
            says=f"Sixteen epochs at twice the rate without decay lose {dimension} (section 3.4, figure 4).",
            trials=HARDEST,
            dimension=dimension,
            against=LONG,
            expects="lower",
        )
        for dimension in BOTH
    ),
    Claim(
        name="overfit-length",
        says="While responses grow longer again (figure 4).",
        trials=HARDEST,
        benchmarks=("math-500", "aime-2024"),
        metric="response_tokens",
        against=HARDEST,
        against_step=640,
        expects="higher",
    ),
)

DATA = (
    *(
        Claim(
            name=f"traces-{word}",
            says=f"Long traces beat the same rows without their thinking in reasoning ({model}, table 2).",
            trials=cot(model),
            benchmarks=("math-500", "aime-2024", "gpqa-diamond", "livecodebench-v2", "mmlu-pro-1k"),
            against=on("math-nocot", model),
            expects="higher",
        )
        for word, model in (("14b", Q3_14B), ("8b", Q3_8B), ("20b", INTERN))
    ),
    *(
        Claim(
            name=f"no-traces-general-{word}",
            says=f"Rows without thinking are better for instructions and for truth ({model}, table 2).",
            trials=on("math-nocot", model),
            benchmarks=("ifeval", "truthfulqa"),
            against=cot(model),
            expects="higher",
        )
        for word, model in (("14b", Q3_14B), ("8b", Q3_8B))
    ),
    *(
        Claim(
            name=f"numina-{word}",
            says=f"Short human solutions of mixed quality lose out of domain ({model}, table 2).",
            trials=on("numina", model),
            dimension="out-of-domain",
            expects="lower",
        )
        for word, model in (("14b", Q3_14B), ("8b", Q3_8B))
    ),
    *(
        Claim(
            name=f"countdown-{word}",
            says=f"Traces of a game alone, without mathematics, transfer to mathematics ({model}, table 2).",
            trials=on("countdown-cot-study", model),
            dimension="in-domain",
            expects="higher",
        )
        for word, model in (("14b", Q3_14B), ("8b", Q3_8B))
    ),
    Claim(
        name="countdown-out-of-domain",
        says="And out of domain (14B, table 2).",
        trials=on("countdown-cot-study"),
        dimension="out-of-domain",
        expects="higher",
    ),
    Claim(
        name="countdown-20b",
        says="They transfer little to InternLM2.5-20B's mathematics (table 2: within 3 points).",
        trials=on("countdown-cot-study", INTERN),
        dimension="in-domain",
        expects="same",
        by=0.03,
    ),
)

CAPABILITY = (
    *(
        Claim(
            name=f"capability-{dimension}",
            says=f"The 14B base gains more than the 1.7B base {words} (section 5, figure 5).",
            trials=cot(),
            benchmarks=benchmarks,
            against=cot(Q3_1_7B),
            measure="gain",
            expects="higher",
        )
        for dimension, words, benchmarks in (
            ("in-domain", "in mathematics", ("math-500", "aime-2024")),
            ("code-and-science", "in code and science", ("livecodebench-v2", "gpqa-diamond")),
        )
    ),
    Claim(
        name="capability-second-family",
        says="So it is in the second family: 14B more than 1.5B (appendix C.5, figures 8, 14, 15).",
        trials=cot(Q2_14B),
        dimension="out-of-domain",
        against=cot(Q2_1_5B),
        measure="gain",
        expects="higher",
    ),
    Claim(
        name="small-base-math-dip",
        says="The 1.7B base loses MATH-500 until step 40 (v1 table 6).",
        trials=cot(Q3_1_7B),
        step=40,
        benchmarks=("math-500",),
        expects="lower",
    ),
    Claim(
        name="small-base-math-end",
        says="And is at its level in the end, no better (v1 table 6).",
        trials=cot(Q3_1_7B),
        benchmarks=("math-500",),
        expects="same",
        by=0.03,
    ),
)

SAFETY = (
    *(
        Claim(
            name=f"safety-{word}",
            says=f"Long traces make {model} comply with harmful requests (section 6, figure 6).",
            trials=cot(model),
            dimension="safety",
            expects="lower",
        )
        for word, model in (("14b", Q3_14B), ("8b", Q3_8B), ("20b", INTERN))
    ),
    *(
        Claim(
            name=f"safety-thinking-{word}",
            says=f"More than the same rows without their thinking do ({model}, figure 6).",
            trials=cot(model),
            dimension="safety",
            against=on("math-nocot", model),
            expects="lower",
        )
        for word, model in (("14b", Q3_14B), ("8b", Q3_8B), ("20b", INTERN))
    ),
)

FAMILIES = {
    "Optimisation: dip, recovery, length of training": OPTIMISATION,
    "Data: traces, their quality, another task": DATA,
    "Capability of the base": CAPABILITY,
    "Asymmetry: reasoning against safety": SAFETY,
}

SWEEP = SweepSpec(
    name="study",
    models=(
        ModelSpec(source="Qwen/Qwen3-14B-Base", parameters=14_770_000_000),
        ModelSpec(source="Qwen/Qwen3-8B-Base", parameters=8_190_000_000),
        ModelSpec(source="internlm/internlm2_5-20b", name=INTERN, parameters=19_860_000_000),
        ModelSpec(source="Qwen/Qwen3-4B-Base", parameters=4_020_000_000),
        ModelSpec(source="Qwen/Qwen3-1.7B-Base", parameters=1_720_000_000),
        ModelSpec(source="Qwen/Qwen2.5-1.5B", parameters=1_540_000_000, chat_template="chatml"),
        ModelSpec(source="Qwen/Qwen2.5-3B", parameters=3_090_000_000, chat_template="chatml"),
        ModelSpec(source="Qwen/Qwen2.5-7B", parameters=7_620_000_000, chat_template="chatml"),
        ModelSpec(source="Qwen/Qwen2.5-14B", parameters=14_770_000_000, chat_template="chatml"),
    ),
    data=tuple(variant(name) for name in (*FIVE, "math-cot-2.5k")),
    cells=CELLS,
    claims=tuple(one.model_copy(update={"family": name}) for name, of in FAMILIES.items() for one in of),
    train=STUDY,
    concurrent_trials=2,  # the cluster grows on demand, so it cannot tell what it will hold
    evaluation=EvalSpec(
        benchmarks=(
            *("aime-2024", "math-500", "gpqa-diamond", "livecodebench-v2", "mmlu-pro-1k", "ifeval"),
            "alpaca-eval",
            BenchmarkUse(name="halueval", problems=3_000),
            *("truthfulqa", "hex-phi"),
        ),
        sampling=SamplingSpec(temperature=0.6, top_p=0.95),  # answers and tokens are the cards': the study's
        checkpoint_steps=(10, 20, 40, 80, 160, 320, 480, 640, 800, 960, 1_120, 1_280),
        engines=4,
        judge=JudgeSpec(address="https://api.openai.com/v1", model="gpt-4.1"),
        reward=ModelSpec(source="allenai/Llama-3.1-8B-Instruct-RM-RB2"),
    ),
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
