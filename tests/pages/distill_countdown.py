"""A small distillation, for tests on real engines."""

from rsft.spec import DistillSpec, ModelSpec, SamplingSpec, TaskProblems

DISTILL = DistillSpec(
    name="countdown",
    teacher=ModelSpec(source="nano-3m"),
    problems=TaskProblems(task="countdown"),
    count=128,
    sampling=SamplingSpec(temperature=0.8, top_p=1.0, max_new_tokens=256, samples=2),
    max_model_tokens=768,
    device="cpu",
)
