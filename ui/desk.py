"""Runs for people who watch them in the web UI: an order in, frames of what is to be shown out.

One run per open page of the UI, each with a browser of its own. Knows agents and HTML; knows no Gradio.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from ..agent import Agent, ChatModel, Run, Step
from ..agent.events import Planned, Seen
from ..agent.export import draw_action, draw_mark, export_gif
from ..agent.journal import default_folder
from ..errors import SaccadeError
from .board import live_page, step_list, step_row, thought_card, trouble, verdict_card, verdict_title
from .wiring import load_model, make_browser

BUILTIN = "builtin"
Frame = dict[str, Any]
"""New values by what shows them: live, thought, steps, verdict (HTML), film (a path), running (a bool)."""


@dataclass(frozen=True)
class Defaults:
    """What stands in the fields at first, and what only the one who starts the server decides."""

    url: str = ""
    model: str = BUILTIN
    max_steps: int = 20
    allow_hosts: tuple[str, ...] = ()
    runs: Path = Path("runs")
    executable: Path | None = None


@dataclass(frozen=True)
class Order:
    """What the fields say when Run is pressed."""

    task: str
    url: str
    model: str | None
    thinking: Any
    max_steps: float
    hosts: str


class Desk:
    """Takes orders. A visitor is one open page of the UI."""

    def __init__(self, defaults: Defaults):
        self.defaults = defaults
        self._agents: dict[str, Agent] = {}

    async def play(self, order: Order, visitor: str) -> AsyncIterator[Frame]:
        """The whole run, from the pressed button to the verdict. Whatever goes wrong is shown as one line."""
        yield opening(order)
        try:
            agent = self._agents[visitor] = self.agent(order)
            async for frame in follow(agent, order.url):
                yield frame
            yield await ending(agent.result)
        except SaccadeError as error:
            yield broken(str(error))
        except Exception as error:
            yield broken(f"{type(error).__name__}: {error}")
            raise

    def stop(self, visitor: str) -> None:
        agent = self._agents.pop(visitor, None)
        if agent is not None:
            agent.stop()

    def agent(self, order: Order) -> Agent:
        """Raises InputError for an order that cannot be carried out."""
        hosts = [*self.defaults.allow_hosts, *order.hosts.replace(",", " ").split()]
        url = order.url.strip() or None
        return Agent(
            order.task,
            lambda: model_named((order.model or BUILTIN).strip()),
            browser=make_browser(url, allow_hosts=hosts, executable=self.defaults.executable),
            thinking=order.thinking,
            out=free(self.defaults.runs / default_folder(order.task).name),
            max_steps=int(order.max_steps),
        )


def model_named(spec: str) -> ChatModel:
    """A checkpoint is loaded once for everybody; a script begins anew."""
    return load_model(spec) if spec.endswith(".jsonl") else loaded(spec)


@cache
def loaded(spec: str) -> ChatModel:
    return load_model(spec)


def free(folder: Path) -> Path:
    """Several people may press Run within a second."""
    names = [folder, *(folder.with_name(f"{folder.name}-{count}") for count in range(2, 100))]
    return next((name for name in names if not name.exists()), folder)


async def follow(agent: Agent, url: str) -> AsyncIterator[Frame]:
    """A frame per event. Leaving the iteration early ends the run: nothing goes on unwatched."""
    rows: list[str] = []
    async for event in agent.events():
        number = len(rows) + 1
        match event:
            case Seen(image=image):
                picture = await asyncio.to_thread(live_page, image, url, "Thinking", True)
                yield {"live": picture, "thought": thought_card(number)}
            case Planned(image=image, url=url, thought=thought, action=action):
                picture = await asyncio.to_thread(marked, image, action, url)
                yield {"live": picture, "thought": thought_card(number, thought, action.describe())}
            case Step() as step:
                url = step.url
                rows.append(await asyncio.to_thread(step_row, step))
                yield {"steps": step_list(rows)}


def marked(image: Image.Image, action: Any, url: str) -> str:
    return live_page(draw_action(image, action), url, "Acting", busy=True)


def opening(order: Order) -> Frame:
    return {
        "live": live_page(None, order.url, "Starting", busy=True),
        "thought": thought_card(),
        "steps": step_list([]),
        "verdict": None,
        "film": None,
        "running": True,
    }


async def ending(run: Run | None) -> Frame:
    """The page as it was left, the verdict, the run as a GIF."""
    if run is None or not run.steps:
        return broken("stopped before the first step" if run is None else run.reason)
    page, gif = await asyncio.to_thread(lambda: (last_page(run), export_gif(run, run.folder / "run.gif")))
    return {"live": page, "verdict": verdict_card(run), "film": str(gif), "running": False}


def last_page(run: Run) -> str:
    step = run.steps[-1]
    if run.final_path is None:
        return live_page(draw_mark(step), step.url, verdict_title(run))
    with Image.open(run.final_path) as final:
        return live_page(final, step.url, verdict_title(run))


def broken(message: str) -> Frame:
    return {"live": live_page(), "verdict": trouble(message), "running": False}
