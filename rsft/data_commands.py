"""The commands `rsft data ...`."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rsft import layout
from rsft.spec.distill import DistillSpec
from rsft.sweep.entry import StorageOption, guarded
from rsft.sweep.page import from_page, load_page

data_app = typer.Typer(no_args_is_help=True, help="Data variants and their certificates.")
VariantArgument = Annotated[str, typer.Argument(help="A named variant, or one of --page.")]
PageOption = Annotated[Path | None, typer.Option("--page", help="A sweep's page that holds the variant.")]
BaseOption = Annotated[str, typer.Option(help="Whose tokenizer: shipped base, folder or hub id.")]
MaxTokensOption = Annotated[int, typer.Option(help="Longest row, prompt and target together.")]
RowsOption = Annotated[int | None, typer.Option(help="First so many rows.")]


@data_app.command("build")
def build_data(
    name: VariantArgument,
    page: PageOption = None,
    base: BaseOption = "nano-1m",
    max_tokens: MaxTokensOption = 20_000,
    rows: RowsOption = None,
    storage: StorageOption = None,
) -> None:
    """Build a data variant with its certificate; again is free."""

    def action() -> None:
        from rsft.sweep.variants import build  # loads tokenizers

        sweep = None if page is None else load_page(page)
        where, facts, _ = build(name, sweep, base, max_tokens, rows, storage, _progress)
        lost = sum(facts["dropped"].values())
        typer.echo(f"{facts['rows_kept']:,} rows kept, {lost:,} dropped, {facts['targets']:,} target tokens")
        typer.echo(where.path(layout.certificate(facts["name"], "md")))

    raise typer.Exit(guarded(action))


@data_app.command("show")
def show_data(
    name: VariantArgument,
    page: PageOption = None,
    base: BaseOption = "nano-1m",
    max_tokens: MaxTokensOption = 20_000,
    rows: RowsOption = None,
    storage: StorageOption = None,
    first: Annotated[int, typer.Option(help="Row to begin with, from 1.")] = 1,
    count: Annotated[int, typer.Option(help="Rows to show.")] = 5,
) -> None:
    """Page through decoded rows, what is trained on in colour, and print the certificate."""

    def action() -> None:
        from rsft.sweep.variants import build, pages  # loads tokenizers

        sweep = None if page is None else load_page(page)
        where, facts, tokenizer = build(name, sweep, base, max_tokens, rows, storage, _progress)
        shown = pages(where, facts, tokenizer, first, count)
        console = Console()
        os.environ.setdefault("LESS", "-R")  # or it prints the codes of colours instead of the colours
        with console.pager(styles=True) if console.is_terminal else nullcontext():
            console.print(*shown, sep="\n")

    raise typer.Exit(guarded(action))


@data_app.command("distill")
def distill_data(
    page: Annotated[Path, typer.Argument(help="A Python page that defines DISTILL.")],
    storage: StorageOption = None,
) -> None:
    """Have a teacher answer problems, and keep verified answers as rows; again asks only what is open."""

    def action() -> int:
        spec = from_page(page, "DISTILL", DistillSpec)
        from rsft.sweep.start import distill_rows

        return distill_rows(spec, storage)

    raise typer.Exit(guarded(action))


def _progress(line: str) -> None:
    typer.echo(line, err=True)
