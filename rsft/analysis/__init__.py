"""Thinking about scores: the tidy table, later trajectories and effects. numpy, pandas, scipy at most."""
