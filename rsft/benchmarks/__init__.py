"""Benchmarks: one card each, and where their problems come from. No engine lives here."""
