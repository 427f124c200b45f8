"""Does our evaluation measure what the study's did? Its published step checkpoints, asked by rsft, with the
paper's figures beside ours.

    python sweeps/calibrate.py --plan                    # what it would take; needs no network
    python sweeps/calibrate.py --only 'Qwen3-1.7B_*'     # on a GPU machine that reaches the hub

It prints a table and writes calibration.md and calibration.csv into the storage: published, ours with its
error, the difference in standard errors, and what is known to differ between the two measurements. The
repositories are those of the study's README, whose folders of intermediate checkpoints are called `stepxxx`.
"""

from rsft.spec import BenchmarkUse, CalibrationSpec, EvalSpec, PublishedRun, SamplingSpec

STEPS = (10, 20, 40, 80, 160, 320, 480, 640)

CALIBRATION = CalibrationSpec(
    name="calibration",
    runs=(
        # Tables 6 and 9 have these two step by step, of the others the last checkpoint is known.
        PublishedRun(
            repository="jasonrqh/Qwen3-1.7B_Math-CoT-20k_lr5e-5_ep8_bs256",
            base="Qwen/Qwen3-1.7B-Base",
            data="math-cot",
            steps=STEPS,
        ),
        PublishedRun(
            repository="jasonrqh/Qwen3-4B_Math-CoT-20k_lr5e-5_ep8_bs256",
            base="Qwen/Qwen3-4B-Base",
            data="math-cot",
            steps=STEPS,
        ),
        *(
            PublishedRun(
                repository=f"jasonrqh/Qwen3-{size}_{words}-20k_lr5e-5_ep8_bs256",
                base=f"Qwen/Qwen3-{size}-Base",
                data=data,
                steps=(640,),
            )
            for size in ("8B", "14B")
            for words, data in (("Math-CoT", "math-cot"), ("Math-NoCoT", "math-nocot"))
        ),
    ),
    # AlpacaEval wants a reward model (reward=ModelSpec(...)) and TruthfulQA a judge (judge=JudgeSpec(...));
    # name them here to ask those two as well. Of HEx-PHI no number was published step by step.
    evaluation=EvalSpec(
        benchmarks=(
            *("aime-2024", "math-500", "gpqa-diamond", "livecodebench-v2", "mmlu-pro-1k", "ifeval"),
            BenchmarkUse(name="halueval", problems=3_000),
        ),
        sampling=SamplingSpec(temperature=0.6, top_p=0.95),  # answers and tokens are the cards': the study's
    ),
)

if __name__ == "__main__":
    from rsft.sweep.calibrate import main

    main(CALIBRATION)
