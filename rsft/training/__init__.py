"""Ray Train + DeepSpeed: schedules, settings, the worker loop, resume, export."""
