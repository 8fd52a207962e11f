"""Plays the tasks with a model, each in a browser context of its own, and says which ended as they should.

A task is done when its judge holds afterwards, whatever the model says of it.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from saccade.agent import Agent
from saccade.agent.protocol import ChatModel
from saccade.errors import InputError, SaccadeError
from saccade.tools import Browser
from saccade.tools.actions import Goto

from .site import APPS, Site, open_site
from .tasks import TASKS, AppTask

VIEWPORT = (1000, 700)
Pick = Callable[[AppTask, Browser], Any]


@dataclass(frozen=True)
class Result:
    """`success`: the judge holds. `claimed`: what the run says of itself."""

    name: str
    app: str
    success: bool
    claimed: bool
    steps: int
    seconds: float
    reason: str


async def play_all(
    tasks: Sequence[AppTask], pick: Pick, out: Path, viewport: tuple[int, int]
) -> list[Result]:
    """`pick(task, browser)` gives the model of a task. An app that cannot be had is an error of its tasks."""
    results: list[Result] = []
    with ExitStack() as stack:
        async with Browser(viewport=viewport) as shared:
            sites: dict[str, Site] = {}
            for task in tasks:
                if task.app not in sites:
                    sites[task.app] = stack.enter_context(open_site(task.app))
                results.append(await play(task, sites[task.app], pick, out / task.name, shared))
    return results


async def play(task: AppTask, site: Site, pick: Pick, folder: Path, shared: Browser) -> Result:
    start = time.monotonic()
    async with await open_task(task, site, shared) as browser:
        agent = Agent(task.text, pick(task, browser), browser, out=folder, max_steps=task.max_steps)
        try:
            run = await agent.run()
            claimed, steps, reason = run.success, len(run.steps), run.reason
        except SaccadeError as error:
            claimed, steps, reason = False, 0, str(error)
        success = await site.holds(task.judge, browser)
    seconds = round(time.monotonic() - start, 2)
    return Result(task.name, task.app, success, claimed, steps, seconds, reason)


async def open_task(task: AppTask, site: Site, shared: Browser) -> Browser:
    """A new visitor on the task's page, and the site as it was."""
    await asyncio.to_thread(site.reset)
    browser = Browser(f"{site.url}{task.path}", shared.viewport, share=shared)
    await browser.start()
    if task.prepare:
        await browser.evaluate(task.prepare)
        await browser.execute(Goto(url=f"{site.url}{task.path}"))
        await browser.page.reload()
    return browser


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Shares of success, in all and by app."""
    apps = sorted({result.app for result in results})
    shares = {app: _share([it for it in results if it.app == app]) for app in apps}
    wrong = sum(result.claimed and not result.success for result in results)
    return {"success": _share(results), "tasks": len(results), "claimed_wrongly": wrong, "apps": shares}


def _share(results: Sequence[Result]) -> float:
    return round(sum(result.success for result in results) / len(results), 4) if results else 0.0


def table(results: Sequence[Result]) -> Table:
    table = Table()
    for column in ("app", "task", "success", "claimed", "steps", "seconds", "reason"):
        table.add_column(column, justify="right" if column in ("steps", "seconds") else "left")
    for it in results:
        marks = ["yes" if value else "no" for value in (it.success, it.claimed)]
        table.add_row(it.app, it.name, *marks, str(it.steps), f"{it.seconds:.1f}", it.reason[:60])
    return table


def main() -> None:
    """Prints a table, and a last line of JSON."""
    parser = argparse.ArgumentParser(prog="saccade.evals.apps", description=str(__doc__).splitlines()[0])
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--app", choices=APPS, help="only the tasks of this app")
    parser.add_argument("--only", help="only the task of this name")
    parser.add_argument("--viewport", default="x".join(map(str, VIEWPORT)), metavar="WxH")
    parser.add_argument("--out", type=Path, default=Path("runs/apps"), help="folder of the runs")
    args = parser.parse_args()
    from saccade.ui.wiring import load_model, parse_viewport

    tasks = [it for it in TASKS if args.app in (None, it.app) and args.only in (None, it.name)]
    if not tasks:
        raise SystemExit(f"there is no such task: {', '.join(it.name for it in TASKS)}")
    try:
        model: ChatModel = load_model(args.model)
        viewport = model.preferences.viewport or parse_viewport(args.viewport)
        results = asyncio.run(play_all(tasks, lambda task, browser: model, args.out, viewport))
    except InputError as error:
        raise SystemExit(f"saccade.evals.apps: {error}") from None
    Console(stderr=True).print(table(results))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "results.json").write_text(json.dumps([asdict(it) for it in results], indent=2) + "\n")
    print(json.dumps(summary(results) | {"model": args.model}))
