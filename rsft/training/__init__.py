"""Ray Train + DeepSpeed: settings, the worker loop, resume, export."""
