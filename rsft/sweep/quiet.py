"""Settings that keep engines' chatter off the terminal; they must stand before Ray is imported."""

from __future__ import annotations

import os

ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # with verbose=0, Tune prints errors alone
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard beside our own log
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # paths on the sweep's page mean the same everywhere
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # the core's remarks on its own actors
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "300",  # importing torch on a busy laptop takes a while
    "RAY_TRAIN_METRICS_ENABLED": "0",  # counters for a dashboard
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # how late the end of a trial is noticed
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


def set_environment() -> None:
    """Applies what the user has not set otherwise."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
