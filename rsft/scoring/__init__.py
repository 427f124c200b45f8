"""Scoring: reading answers out of texts, grading them in a sandbox, estimating from scores."""
