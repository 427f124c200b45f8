"""`one_trial.py` a week later: one more seed, one more variant, one more benchmark."""

from one_trial import SWEEP as BEFORE

from rsft.spec import BenchmarkUse, DataSpec, EvalSpec, GeneratedRows, Match, SweepSpec

ANSWERS = DataSpec(
    name="countdown-answer", source=GeneratedRows(task="countdown", style="answer-only"), rows=48
)
BENCHMARKS = (*BEFORE.evaluation.benchmarks, BenchmarkUse(name="gcd", problems=6))
SWEEP = SweepSpec(
    **dict(BEFORE)
    | {
        "seeds": (0, 1),
        "data": (*BEFORE.data, ANSWERS),
        # One trial more, so that the test stays short: the new variant with the new seed.
        "exclude": (Match(data=ANSWERS.name, seed=0), Match(data=BEFORE.data[0].name, seed=1)),
        "evaluation": EvalSpec(**dict(BEFORE.evaluation) | {"benchmarks": BENCHMARKS}),
    }
)

if __name__ == "__main__":
    from rsft.sweep.entry import main

    main(SWEEP)
