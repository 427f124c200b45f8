"""How MLflow's own pages are started on a sweep's store."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from urllib.parse import quote

from rsft import layout
from rsft.errors import StorageError
from rsft.storage import Storage
from rsft.tracking import names, store

ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""For the server's process: no usage reports, and no runner of jobs, of which a sweep has none."""


def command(storage: Storage, port: int) -> list[str]:
    """Arguments of the process that serves the pages on http://127.0.0.1:`port`, this machine only.

    Raises:
        StorageError: the sweep has no store of its own (it was tracked on a server, or not at all).
    """
    own = _existing(storage)
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", own.uri),
        *("--default-artifact-root", str(own.artifact_root)),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1"),
    ]


def address(storage: Storage, port: int) -> str:
    """The page to open once the process of `command` answers: every trial's curves over steps.

    Raises:
        StorageError: as in `command`, or the file is damaged.
    """
    file = _existing(storage).sqlite_file
    query = "SELECT MAX(experiment_id) FROM experiments WHERE lifecycle_stage = 'active'"
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            (experiment_id,) = db.execute(query).fetchone()
    except sqlite3.Error as error:
        raise StorageError(
            f"{file} cannot be read ({error}); move it away and write it again with `rsft track`."
        ) from None
    return charts_page(f"http://127.0.0.1:{port}", str(experiment_id))


def charts_page(server: str, experiment_id: str) -> str:
    """Address of the charts of all trials of a sweep on an MLflow server.

    MLflow 3.17 folds trials away below their parent run, and then draws nothing, unless the table
    is sorted by something other than time; a new browser starts on its pages for agents.
    """
    only_trials = quote(f"tags.`{names.KIND_TAG}` = 'trial'")
    by_name = quote("tags.`mlflow.runName`")
    return (
        f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"
        f"&compareRunsMode=CHART&orderByKey={by_name}&orderByAsc=true&searchFilter={only_trials}"
    )


def _existing(storage: Storage) -> store.Store:
    own = store.own(storage)
    if not storage.exists(layout.MLFLOW_DB):
        raise StorageError(
            f"{storage.root!r} holds no {layout.MLFLOW_DB}; give the folder of a sweep, open your "
            "tracking server instead, or write the store with `rsft track`."
        )
    return own
