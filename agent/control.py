"""What people do to a run in progress: pause, resume, stop, tell it something. From any thread, at any time.

Knows asyncio alone.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


class Stopped(Exception):
    """The run was stopped by a person; it ends as interrupted, with its result written."""


class Control:
    """The switches of one agent. `stop` cancels what is going on at once; `pause` waits for its end."""

    def __init__(self) -> None:
        self.stopped = False
        self.paused = False
        self._told: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._work: asyncio.Task[Any] | None = None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._soon(self._wake.set)

    def stop(self) -> None:
        """Once: a second cancellation would interrupt the clearing up."""
        if not self.stopped:
            self.stopped = True
            self._soon(self._cancel)

    def tell(self, text: str) -> None:
        """The model hears it before its next step."""
        self._told.append(text)

    def hear(self) -> list[str]:
        told, self._told = self._told, []
        return told

    def begin(self) -> None:
        """A run begins in the running loop; a stop that came before it counts."""
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()

    def end(self) -> None:
        self.stopped = self.paused = False

    async def guard(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of `work`, which `stop` cancels. Raises Stopped then."""
        self._work = asyncio.create_task(work)
        try:
            if self.stopped:
                self._cancel()
            return await self._work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.stopped and not (task and task.cancelling()):
                raise Stopped from None
            raise
        finally:
            self._work = None

    async def resumed(self) -> None:
        while self.paused:
            self._wake.clear()
            await self._wake.wait()

    def _cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def _soon(self, act: Any) -> None:
        """Before and after a run there is nobody to wake."""
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(act)
