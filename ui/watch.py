"""A run as a stream of events, for people who watch: what is seen, what is planned, what came of it.

Knows the agent's loop from the outside (a model that passes everything on, the approval hook, the stream of
steps); knows no user interface.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ..agent import Agent, ChatModel, Step
from ..tools.actions import Action
from ..tools.observation import Observation


@dataclass(frozen=True)
class Seen:
    """The page as the model gets it, before it decides."""

    image: Image.Image


@dataclass(frozen=True)
class Planned:
    """What the model is about to do, and where."""

    image: Image.Image
    url: str
    thought: str
    action: Action


Event = Seen | Planned | Step
Events = asyncio.Queue[Event | None]


class Watch:
    """Follows one run of `agent`, with the model that `load` returns. `stop` may come from any handler.

    Leaving the iteration early ends the run as well: nothing goes on unwatched.
    """

    def __init__(self, agent: Agent, load: Callable[[], ChatModel]):
        self.agent = agent
        self.stopping = False
        self._load = load
        self._events: Events = asyncio.Queue()
        self._work: asyncio.Task[None] | None = None

    async def events(self) -> AsyncIterator[Event]:
        """Raises what loading and the agent's stream raise; a run that was stopped just ends."""
        if self.stopping:
            return
        self._work = asyncio.create_task(self._drive())
        try:
            while (event := await self._events.get()) is not None:
                yield event
            if not self.stopping:
                await self._work
        finally:
            self.stop()
            await asyncio.wait([self._work])

    def stop(self) -> None:
        """Cancel what runs, once: a second cancellation would interrupt the clearing up."""
        if not self.stopping and self._work is not None:
            self._work.cancel()
        self.stopping = True

    async def _drive(self) -> None:
        try:
            model = Overheard(await asyncio.to_thread(self._load), self._events)
            self.agent.model, self.agent.approve = model, model.approve
            async for step in self.agent.stream():
                self._events.put_nowait(step)
        finally:
            self._events.put_nowait(None)


class Overheard:
    """A ChatModel that passes everything on; what goes in and what comes out is told to `events`."""

    def __init__(self, model: ChatModel, events: Events):
        self.name, self.preferences = model.name, model.preferences
        self._model = model
        self._events = events
        self._thought = ""

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Any:
        self._events.put_nowait(Seen(last_image(messages)))
        reply = await self._model.reply(messages, tools, thinking)
        self._thought = reply.thought
        return reply

    def approve(self, action: Action, observation: Observation) -> bool:
        """Everything is approved; the agent asks once it knows what it is about to do."""
        self._events.put_nowait(Planned(observation.image, observation.url, self._thought, action))
        return True


def last_image(messages: list[dict]) -> Image.Image:
    parts = [it for message in messages if isinstance(message["content"], list) for it in message["content"]]
    return [part["image"] for part in parts if part["type"] == "image"][-1]
