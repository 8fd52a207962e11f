"""Starts Playwright's driver, a Node program, or takes over the one that `prelaunch` has started.

Node is told where to keep what it has compiled, by a variable that the driver alone gets to see.
"""

import asyncio
import os
import subprocess
from asyncio.streams import FlowControlMixin
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.async_api import Playwright, async_playwright

from .prelaunch import compile_cache, is_waiting, take


async def start_driver() -> Playwright:
    """Raises playwright's Error when it does not start."""
    with _environment(compile_cache()), _taking_over():
        return await async_playwright().start()


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            os.environ.pop(name, None)


@contextmanager
def _taking_over() -> Iterator[None]:
    """Playwright starts its driver with `asyncio.create_subprocess_exec`: asked for the very command that
    waits, it answers with the process that waits."""
    if not is_waiting():
        yield
        return
    start = asyncio.create_subprocess_exec

    async def take_or_start(*command: Any, **options: Any) -> Any:
        taken = take([*command], options.get("env") or {})
        return await _Taken.over(taken) if taken else await start(*command, **options)

    asyncio.create_subprocess_exec = take_or_start
    try:
        yield
    finally:
        asyncio.create_subprocess_exec = start


class _Taken:
    """What Playwright needs of an `asyncio.subprocess.Process`, for a process that runs already."""

    def __init__(self, process: subprocess.Popen, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader):
        self._process, self.stdin, self.stdout = process, stdin, stdout
        self.pid = process.pid

    @classmethod
    async def over(cls, process: subprocess.Popen) -> "_Taken":
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
        pipe, flow = await loop.connect_write_pipe(FlowControlMixin, process.stdin)
        return cls(process, asyncio.StreamWriter(pipe, flow, None, loop), reader)

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    async def communicate(self) -> None:
        """To the end of what it says, and of itself."""
        await self.stdout.read()
        await asyncio.to_thread(self._process.wait)
