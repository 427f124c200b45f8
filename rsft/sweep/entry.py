"""What every door shares: options, the storage of a sweep, the summary, one sentence for a mistake.

Light to import, since `rsft plan` and `rsft status` come through here; `main` loads engines when it runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from rsft import layout
from rsft.errors import EXIT_USER_ERROR, RsftError, StorageError
from rsft.spec.sweep import SweepSpec
from rsft.storage import Storage

DEFAULT_STORAGE = "runs"
EXIT_INCOMPLETE = 1
"""Something failed or is still open; the summary says what."""

StorageOption = Annotated[
    str | None,
    typer.Option("--storage", help="Folder or bucket URI; RSFT_STORAGE or ./runs otherwise."),
]
OnlyOption = Annotated[str, typer.Option("--only", help="Run just the trials whose id fits this glob.")]

AdaptiveOption = Annotated[
    str | None,
    typer.Option(
        "--adaptive",
        metavar="BUDGET",
        help="Ask no more answers than this, such as 20000 or 40%, where they may decide something.",
    ),
]


def sweep_storage(name: str, given: str | None) -> Storage:
    """The storage of one sweep: `<storage>/<name>`, or `given` itself when it is that sweep's root.

    Raises:
        StorageError: `given` is the root of another sweep.
    """
    root = Storage(given or os.environ.get("RSFT_STORAGE") or DEFAULT_STORAGE)
    record = root.read_json_or_none(layout.SWEEP)
    if record is None:
        return root.child(name)
    if record["spec"]["name"] == name:
        return root
    raise StorageError(
        f"storage {root.root!r} belongs to sweep {record['spec']['name']!r}, not to {name!r}; "
        "give its parent folder, or another --storage."
    )


def summarize(storage: Storage, after: dict[str, Any], console: Console, *, chosen: bool = False) -> int:
    """Says what is done, what is not and why, and where to look; returns the exit code.

    `chosen`: open cells were left out on purpose.
    """
    trials, cells = after["trials"], after["cells"]
    asked = f"in full, {cells['open']} short on purpose" if chosen else "done"
    console.print(
        f"{trials['done']} of {sum(trials.values())} trials done, "
        f"{cells['done']} of {sum(cells.values())} cells {asked}",
        highlight=False,
    )
    for failure in after["failures"]:
        console.print(
            f"failed: {failure['trial']}, {failure['what']}: {failure['kind']} "
            f"({failure['message']}); {failure['next']}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    for what, value in (
        ("report ", storage.path(f"{layout.REPORT}/index.html")),
        ("compare", f"rsft ui {storage.root}"),
    ):
        console.print(f"{what}  {value}", highlight=False, markup=False, soft_wrap=True)
    lacking = cells["open"] and not chosen
    complete = not (trials["open"] or trials["failed"] or lacking or cells["failed"])
    return 0 if complete else EXIT_INCOMPLETE


def main(sweep: SweepSpec) -> None:
    """Command line of a sweep's page; ends the process with the sweep's exit code."""

    def command(
        storage: StorageOption = None, only: OnlyOption = "*", adaptive: AdaptiveOption = None
    ) -> None:
        from rsft.sweep.start import start

        raise typer.Exit(guarded(lambda: start(sweep, storage, only, adaptive)))

    command.__doc__ = f"Runs the sweep {sweep.name!r}; what is done already is kept."
    typer.run(command)


def guarded(action: Callable[[], int | None]) -> int:
    """Runs a command's work; a user's mistake becomes one sentence and exit code 2."""
    try:
        return int(action() or 0)
    except RsftError as error:
        typer.echo(f"error: {error}", err=True)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        typer.echo("interrupted; run again to go on from here.", err=True)
        return 130
