"""Watching a sweep: curves, trials and checkpoints in MLflow. Decides nothing, holds no truth.

Floor 3. Everything written here can be written again from the storage (`rsft track`).
"""
