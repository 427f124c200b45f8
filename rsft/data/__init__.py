"""Rows that are trained on: sources, named variants, template, loss mask, packing, manifest."""
