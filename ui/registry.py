"""Runs in progress, apart from whoever started them: anybody may leave, come back, watch, help, stop.

All runs live in one event loop, in a thread of its own; every public method may be called from any thread or
loop. Knows agents, browsers and models; knows neither Gradio nor HTTP, so the web UI and the server share it.

    registry = Registry()
    live = registry.start(Agent("Find the cheapest lamp", ask_before="risky"))
    async for _ in live.watch():
        print(live.phase, live.thought)
"""

import asyncio
import secrets
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from ..agent import Agent
from ..agent.models import resolve
from ..agent.protocol import ChatModel
from ..errors import InputError
from .listening import Listening
from .liverun import LiveRun
from .wiring import load_model

KEPT = 50
"""Runs that have ended and are still known; older ones are in their folders alone."""


class Registry:
    """Starts runs and finds them again. `load` turns a model's name into a model; by default, once each."""

    def __init__(self, load: Callable[[str], ChatModel] | None = None):
        self.load = load or Models()
        self._runs: dict[str, LiveRun] = {}
        self._tasks: dict[str, Future] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def start(self, agent: Agent, owner: str = "") -> LiveRun:
        """The run begins at once and goes on unwatched. Its id is a secret: who knows it may steer."""
        loop = self.loop()
        live = LiveRun(secrets.token_urlsafe(12), agent, owner, loop)
        model = agent.model

        def listened() -> ChatModel:
            return Listening(self.load(model) if isinstance(model, str) else resolve(model), live.hear)

        agent.model = listened
        agent.ask_user = agent.ask_user or live.wait_for_answer
        if agent.ask_before != "never":
            agent.approve = agent.approve or live.wait_for_approval
        for old in [it for it in self.runs if it.ended][:-KEPT]:
            self.forget(old.id)
        self._runs[live.id] = live
        self._tasks[live.id] = asyncio.run_coroutine_threadsafe(live.play(), loop)
        return live

    def get(self, id: str) -> LiveRun:
        """Raises InputError when there is none."""
        if id not in self._runs:
            raise InputError(f"there is no run {id!r} here; it may have ended before this server started")
        return self._runs[id]

    def of(self, owner: str) -> list[LiveRun]:
        """The owner's runs since the start of this process, newest first."""
        return [live for live in reversed(list(self._runs.values())) if live.owner == owner]

    @property
    def runs(self) -> list[LiveRun]:
        return list(self._runs.values())

    def forget(self, id: str) -> None:
        """Of a run that has ended; its folder stays."""
        if self._runs[id].ended:
            del self._runs[id], self._tasks[id]

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of `work`, done in the registry's loop: a model's connections belong to it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop()))

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="saccade-runs", daemon=True).start()
            return self._loop

    def close(self, timeout_s: float = 20.0) -> None:
        """Stop what runs and wait until it is journaled and its browsers are closed."""
        for live in self.runs:
            live.stop()
        for task in list(self._tasks.values()):
            with suppress(TimeoutError):
                task.result(timeout_s)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None


class Models:
    """Models by name. A checkpoint is loaded once for everybody; a script begins anew."""

    def __init__(self) -> None:
        self._loaded: dict[str, ChatModel] = {}
        self._lock = threading.Lock()

    def __call__(self, spec: str) -> ChatModel:
        if spec.endswith(".jsonl"):
            return load_model(spec)
        with self._lock:
            if spec not in self._loaded:
                self._loaded[spec] = load_model(spec)
            return self._loaded[spec]
