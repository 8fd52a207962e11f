"""What is done with recorded runs: `saccade replay`, `export` and `runs`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..browser_options import BrowserOptions, browser_options
from .options import Json, Run


class Format(StrEnum):
    playwright = "playwright"
    pytest = "pytest"
    gif = "gif"
    mp4 = "mp4"
    html = "html"


@browser_options
def replay(
    folder: Run,
    url: Annotated[str | None, typer.Option(help="Begin here instead of where the run began.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Let this model find what neither name nor picture finds.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Judge the end, as in 'saccade run'.")] = None,
    as_json: Json = False,
    *,
    browsing: BrowserOptions,
) -> int:
    """Do a recorded run again, without a model, and report what drifted."""
    from ..runs import print_report, replay_run

    report = replay_run(folder, browsing.open(url), model, until)
    if as_json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        print_report(report)
    return 0 if report.success else 1


def export(
    folder: Run,
    to: Annotated[Format, typer.Option(help="What it becomes.")] = Format.playwright,
    out: Annotated[Path | None, typer.Option(help="The file (default: in the run's folder).")] = None,
    as_json: Json = False,
) -> None:
    """Turn a recorded run into a program, a test, a film or a page."""
    from ..runs import export_run

    path = export_run(folder, to.value, out)
    print(json.dumps({"format": to.value, "path": str(path)}) if as_json else path)


runs = typer.Typer(help="Recorded runs: list them, look at one, remove some.", invoke_without_command=True)


@runs.callback()
def runs_root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_recorded()


@runs.command("list")
def list_recorded(
    folder: Annotated[Path, typer.Argument(help="Where to look for runs.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """List recorded runs, the newest first."""
    from rich.console import Console

    from ..runs import list_runs, runs_table

    found = list_runs(folder)
    if as_json:
        for each in found:
            print(json.dumps(each, ensure_ascii=False))
    else:
        Console().print(runs_table(found))


@runs.command("show")
def show_recorded(folder: Run, as_json: Json = False) -> None:
    """Show one run: its task, its steps, how it ended and what it cost."""
    from ...agent import Run as RecordedRun

    found = RecordedRun.load(folder)
    if as_json:
        print(json.dumps(found.to_dict(steps=True), ensure_ascii=False))
        return
    from rich.console import Console

    from ..live import step_row, step_table, summary

    console, table = Console(), step_table(show_header=True)
    for step in found.steps:
        table.add_row(*step_row(step))
    console.print(found.task, style="bold", markup=False, highlight=False)
    console.print(table)
    console.print(summary(found))


@runs.command("rm")
def remove_recorded(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of recorded runs.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove recorded runs, whole folders; asks first. Other folders are refused."""
    from ..runs import check_removable, remove_run

    for folder in folders:
        check_removable(folder)
    if not yes:
        agree(f"Remove {len(folders)} run{'s' if len(folders) > 1 else ''} for good?")
    for folder in folders:
        remove_run(folder)
        print(json.dumps({"removed": str(folder)}) if as_json else folder)


def agree(question: str) -> None:
    """Raises Abort when the person at the terminal does not say yes, InputError when nobody sits there."""
    import sys

    from ...errors import InputError

    if not sys.stdin.isatty():
        raise InputError("nobody is at the terminal to ask: give --yes")
    typer.confirm(question, abort=True, err=True)
