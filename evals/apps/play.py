"""Plays the tasks with a model, each in a browser context of its own, and says which ended as they should.

A task is right when its judge holds afterwards, whatever the model says of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from saccade.agent import Agent
from saccade.agent.protocol import ChatModel
from saccade.tools import Browser
from saccade.tools.actions import Goto

from .. import results
from ..results import Result, Tell, by_kind, share
from ..tasks import fresh, result_of
from .site import Site, open_site
from .tasks import AppTask

VIEWPORT = (1000, 700)
Pick = Callable[[AppTask, Browser], Any]


async def play_all(
    tasks: Sequence[AppTask], model: ChatModel, out: Path, tell: Tell, viewport: tuple[int, int] = VIEWPORT
) -> list[Result]:
    """One result per task, one after the other: a site has one state. What is in `out` is not done again.

    Raises InputError for an app that cannot be had.
    """
    sites: dict[str, Site] = {}
    with ExitStack() as stack:

        @asynccontextmanager
        async def hand() -> AsyncIterator[Browser]:
            async with Browser(viewport=model.preferences.viewport or viewport) as shared:
                yield shared

        async def work(task: AppTask, shared: Browser) -> Result:
            if task.app not in sites:
                sites[task.app] = stack.enter_context(open_site(task.app))
            return await play(task, sites[task.app], lambda *_: model, fresh(out / task.name), shared)

        return await results.play_all([(it.name, it) for it in tasks], hand, work, out, 1, tell)


async def play(task: AppTask, site: Site, pick: Pick, folder: Path, shared: Browser) -> Result:
    """`pick(task, browser)` gives the model. `claimed` is what the run says of itself."""
    async with await open_task(task, site, shared) as browser:
        agent = Agent(task.text, pick(task, browser), browser, out=folder, max_steps=task.max_steps)
        result = await result_of(agent, task.text, task.app, folder.parent)
        return {**result, "claimed": result["right"], "right": await site.holds(task.judge, browser)}


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


def summary(found: Sequence[Result]) -> dict[str, Any]:
    """Shares of right ones, in all and by app."""
    return {
        "tasks": len(found),
        "right": share(it["right"] for it in found),
        "claimed_wrongly": sum(it["claimed"] and not it["right"] for it in found),
        "apps": {app: share(it["right"] for it in rows) for app, rows in by_kind(found).items()},
    }
