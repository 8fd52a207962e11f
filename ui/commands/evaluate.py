"""`saccade eval`: how good a model is, local or remote. The evaluations themselves are in `evals/`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .batch import Bar, Parallel
from .options import Json, Model, Thinking

Out = Annotated[Path | None, typer.Option(help="Folder of results; what is there is not done again.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first tasks.")]
MaxSteps = Annotated[int, typer.Option(min=1, help="Where a task does not say.")]
AtLeast = Annotated[float, typer.Option(min=0, max=1, help="Exit with 1 below this share of right ones.")]
group = typer.Typer(
    help="Measure a model: one action on held-out pages, whole tasks, real applications, MiniWoB++."
)


@group.command()
def grounding(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="Folder with tasks.jsonl and pages.")],
    model: Model = "builtin",
    out: Out = None,
    parallel: Parallel = 1,
    limit: Limit = None,
    at_least: AtLeast = 0.0,
    as_json: Json = False,
) -> int:
    """One screenshot, one action: does it hit what is named?"""
    from ...evals import grounding as it

    tasks = it.read_tasks(folder)[:limit]
    out = out or Path("runs/grounding")

    def play(model: Any, tell: Any) -> Awaitable[list[dict[str, Any]]]:
        return it.play(folder, tasks, model, out, parallel, tell)

    results = conduct(len(tasks), as_json, play, model)
    table = it.summary_table(results)
    facts = {"model": model, "set": str(folder)}
    return tell_of("Grounding", results, it.summary(results), table, facts, out, at_least, as_json)


@group.command()
def tasks(
    place: Annotated[Path, typer.Argument(metavar="SET", help="A folder with tasks.jsonl, or such a file.")],
    model: Model = "builtin",
    out: Out = None,
    parallel: Parallel = 1,
    limit: Limit = None,
    max_steps: MaxSteps = 20,
    thinking: Annotated[Thinking, typer.Option(help="How much to think per step.")] = Thinking.auto,
    at_least: AtLeast = 0.0,
    as_json: Json = False,
) -> int:
    """Whole tasks, judged by the page's own state."""
    from ...evals import tasks as it
    from ...evals.results import kinds_table, share

    found = it.read_tasks(place)[:limit]
    out = out or Path("runs/tasks")

    def play(model: Any, tell: Any) -> Awaitable[list[dict[str, Any]]]:
        return it.play(place, found, model, out, parallel, tell, max_steps, thinking.value)

    results = conduct(len(found), as_json, play, model)
    summary = {"tasks": len(results), "right": share(each["right"] for each in results)}
    table = kinds_table(results, "Tasks: judged by the page's own state")
    facts = {"model": model, "set": str(place), "thinking": thinking.value}
    return tell_of("Tasks", results, summary, table, facts, out, at_least, as_json)


@group.command()
def modes(
    place: Annotated[Path, typer.Argument(metavar="SET", help="A folder with tasks.jsonl, or such a file.")],
    model: Model = "builtin",
    out: Out = None,
    parallel: Parallel = 1,
    limit: Limit = None,
    max_steps: MaxSteps = 20,
    at_least: AtLeast = 0.0,
    as_json: Json = False,
) -> int:
    """The same tasks thinking fast, auto and deep: success against tokens and seconds, with a plot."""
    from ...evals import modes as it
    from ...evals.results import share
    from ...evals.tasks import read_tasks

    found = read_tasks(place)[:limit]
    out = out or Path("runs/modes")

    def play(model: Any, tell: Any) -> Awaitable[list[dict[str, Any]]]:
        return it.play(place, found, model, out, parallel, tell, max_steps)

    results = conduct(len(found) * len(it.MODES), as_json, play, model)
    measured = it.measures(results)
    summary = {"tasks": len(found), "right": share(each["right"] for each in results), "modes": measured}
    figure = it.draw(measured)
    (out / "modes.svg").write_text(figure, "utf-8")
    facts, table = {"model": model, "set": str(place)}, it.modes_table(measured)
    return tell_of("Thinking", results, summary, table, facts, out, at_least, as_json, figure)


@group.command()
def miniwob(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TASK]...", help="Only these (default: development tasks)."),
    ] = None,
    model: Model = "builtin",
    seeds: Annotated[int, typer.Option(min=1, help="Episodes of each task.")] = 5,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="The test set instead: look at it once, in the end.")
    ] = False,
    out: Out = None,
    parallel: Parallel = 1,
    at_least: AtLeast = 0.0,
    as_json: Json = False,
) -> int:
    """MiniWoB++ with BrowserGym's rules: ten steps, a raw reward above 0."""
    from ...evals import miniwob as it
    from ...evals.results import kinds_table

    html = it.pages()
    tasks = it.chosen(names or (), held_out, html)
    out = out or Path("runs/miniwob")

    def play(model: Any, tell: Any) -> Awaitable[list[dict[str, Any]]]:
        return it.play(tasks, seeds, html, model, out, parallel, tell)

    results = conduct(len(tasks) * seeds, as_json, play, model)
    table = kinds_table(results, "MiniWoB++: raw reward > 0, and >= 1", ("right", "strict"))
    facts = {"model": model, "seeds": seeds}
    return tell_of("MiniWoB++", results, it.summary(results), table, facts, out, at_least, as_json)


@group.command()
def apps(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[APP]...", help="todomvc, adminlte, django (default: all three)."),
    ] = None,
    model: Model = "builtin",
    out: Out = None,
    limit: Limit = None,
    viewport: Annotated[
        str, typer.Option(metavar="WxH", help="Where the model has no wish of its own.")
    ] = "1000x700",
    at_least: AtLeast = 0.0,
    as_json: Json = False,
) -> int:
    """Twenty tasks in three real web applications, judged by their own state."""
    from ...errors import InputError
    from ...evals import apps as it
    from ...evals.results import kinds_table
    from ..wiring import parse_viewport

    unknown = sorted({*(names or ())} - {*it.APPS})
    if unknown:
        raise InputError(f"there is no app {unknown[0]!r}: the apps are {', '.join(it.APPS)}")
    tasks = [task for task in it.TASKS if not names or task.app in names][:limit]
    out, size = out or Path("runs/apps"), parse_viewport(viewport)

    def play(model: Any, tell: Any) -> Awaitable[list[dict[str, Any]]]:
        return it.play_all(tasks, model, out, tell, size)

    results = conduct(len(tasks), as_json, play, model)
    table = kinds_table(results, "Real applications: judged by their own state", ("right", "claimed"))
    facts = {"model": model}
    return tell_of("Real applications", results, it.summary(results), table, facts, out, at_least, as_json)


def conduct(
    total: int, as_json: bool, play: Callable[[Any, Any], Awaitable[Any]], model: str
) -> list[dict[str, Any]]:
    """All results, told as they come."""
    from ..wiring import load_model

    loaded = load_model(model)
    with Bar(total, []) as bar:

        def tell(result: dict[str, Any]) -> None:
            bar.tell(
                {"success": result["right"], "status": "right" if result["right"] else "wrong", **result}
            )
            if as_json:
                print(json.dumps({"event": "result", **result}, ensure_ascii=False), flush=True)

        async def work() -> Any:
            return await play(loaded, tell)

        return asyncio.run(work())


def tell_of(
    title: str,
    results: list[dict[str, Any]],
    summary: dict[str, Any],
    table: Any,
    facts: dict[str, Any],
    out: Path,
    at_least: float,
    as_json: bool,
    figure: str = "",
) -> int:
    """The summary on stdout, in JSON or as a table, and the report beside the results."""
    from rich.console import Console

    from ...evals.report import write_report

    report = write_report(out / "report.html", title, results, {**facts, **summary}, figure)
    (out / "summary.json").write_text(json.dumps({**facts, **summary}, indent=2) + "\n", "utf-8")
    if as_json:
        print(json.dumps({"event": "summary", **facts, **summary}, ensure_ascii=False))
    else:
        Console().print(table)
    print(f"the failures, with their screenshots: {report}", file=sys.stderr)
    return 0 if summary["right"] >= at_least else 1
