"""Answers: requests from problems, the warm vLLM engine, Ray Data over checkpoints."""
