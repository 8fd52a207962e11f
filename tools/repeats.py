"""Does a page that never rests only repeat itself? Then the first look at it need not wait for an end.

A spinner draws in one small spot, all the time, and rewrites nothing. A poll asks what it has asked before,
with nothing new asked since and no change of the document. A page that does both may be loading, as may one
that says so or shows no text yet: these are waited for. So is what an action sets in motion, which nobody
watches here.
"""

import asyncio
import io
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image
from playwright.async_api import Error as PlaywrightError

from ..errors import BrowserError
from ..vision.screen import joined, moved, share
from .settle import Traffic
from .world import World

FIRST_S, STEP_S = 0.02, 0.05
ENOUGH_S = 0.2
PICTURES = 3
SPOT = 0.02  # of the screen: 140 x 140 of 1280 x 800 pixels

_GONE = PlaywrightError, BrowserError, TimeoutError  # of pages that left or hang: `settle` has the say then

Capture = Callable[[], Awaitable[bytes]]
Told = dict[str, Any]


class Watch:
    """What shows while somebody waits for a page to settle."""

    def __init__(self, world: World, traffic: Traffic, capture: Capture) -> None:
        self.excused = False  # what the page repeats is not waited for any longer, and there was nothing else
        self._world, self._traffic, self._capture = world, traffic, capture
        self._forget()

    async def run(self) -> None:
        await asyncio.sleep(FIRST_S)
        while not self.excused:
            told = await self._world.ask("saccadeRepeats.tell()") or {}
            if self._polls(told) or await self._spins(told):
                await self._excuse()
            if self._motion is None:  # a picture takes as long
                await asyncio.sleep(STEP_S)

    def _forget(self) -> None:
        self._missed = True  # what changed until now
        self._calm_since, self._changed_ms = time.monotonic(), math.inf
        self._polled = 0
        self._motion: Motion | None = None

    async def _excuse(self) -> None:
        self._forget()
        if await self._world.ask("saccadeRepeats.excuse()"):
            self._traffic.excuse()
            self.excused = True

    def _polls(self, told: Told) -> bool:
        """Seen twice, since an answer changes the page a moment after it came."""
        if not told or told["touched"] or self._missed:
            self._calm_since, self._polled = time.monotonic(), 0
            self._changed_ms = told.get("now_ms", math.inf)
        self._missed = not told
        if not (told.get("only") and self._traffic.repeats) or told["draws"] or told["spins"]:
            return False
        self._polled += 1
        idle = self._traffic.answered_ms > self._changed_ms  # that answer has changed nothing
        return idle and self._polled > 1 and time.monotonic() - self._calm_since >= ENOUGH_S

    async def _spins(self, told: Told) -> bool:
        """What is drawn for a while only, and matters, is larger as a rule, or the text of the document."""
        waits = self._traffic.busy or self._traffic.listens
        if not (told.get("only") and told["draws"]) or told["rewritten"] or waits:
            self._motion = None
            return False
        png = await self._capture()
        motion = self._motion or Motion()
        await asyncio.to_thread(motion.add, png, told["spins"])
        self._motion = motion if motion.small else None
        return motion.small and motion.pictures >= PICTURES and time.monotonic() - motion.since >= ENOUGH_S


class Motion:
    """What has moved in a row of pictures, beside the animations that go on for ever."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.pictures = 0
        self.small = True  # from each picture to the next, and altogether
        self._last: Image.Image | None = None
        self._spins: list[list[float]] = []
        self._all: Image.Image | None = None

    def add(self, png: bytes, spins: list[list[float]]) -> None:
        """`spins` are boxes of endless animations: left, top, right, bottom in shares of the picture."""
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        if self._last is not None:
            here = moved(self._last, picture, [_pixels(it, picture) for it in [*self._spins, *spins]])
            self._all = here if self._all is None else joined(self._all, here)
            self.small = self.small and share(here) > 0 and share(self._all) <= SPOT
        self._last, self._spins, self.pictures = picture, spins, self.pictures + 1


def _pixels(box: list[float], picture: Image.Image) -> tuple[int, int, int, int]:
    left, right = (round(it * picture.width) for it in box[::2])
    top, bottom = (round(it * picture.height) for it in box[1::2])
    return left, top, right - left, bottom - top


@asynccontextmanager
async def watched(world: World, traffic: Traffic, capture: Capture) -> AsyncIterator[Watch]:
    """Watch a page while it is waited for."""
    watch = Watch(world, traffic, capture)
    watching = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    if not watching.cancelled() and (error := watching.exception()) and not isinstance(error, _GONE):
        raise error
