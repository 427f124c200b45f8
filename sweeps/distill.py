"""A verified set from a teacher's own traces, in small: which of its answers to countdown are right?

    rsft data distill sweeps/distill.py

The rows it writes go into a sweep as FileRows. On a GPU cluster: a real teacher, RowProblems over MATH rows,
32 samples of 16,384 tokens, device="gpu".
"""

from rsft.spec import DistillSpec, ModelSpec, SamplingSpec, TaskProblems

DISTILL = DistillSpec(
    name="nano-countdown",
    teacher=ModelSpec(source="nano-3m"),
    problems=TaskProblems(task="countdown"),
    count=256,
    sampling=SamplingSpec(temperature=0.8, top_p=1.0, max_new_tokens=256, samples=4),
    max_model_tokens=1_024,
    device="cpu",
)
