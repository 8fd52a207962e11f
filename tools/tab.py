"""One open page with its request counter, its CDP session and its isolated world."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from playwright.async_api import CDPSession, Frame, Page
from playwright.async_api import Error as PlaywrightError

from .settle import Traffic
from .world import World

POPUP = "popup"


class LiveTab:
    """Opens its CDP session at once; `cdp()` and `world()` wait for it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.traffic = Traffic(page)
        self._sessions: dict[Frame, CDPSession] = {}
        self._opened = asyncio.create_task(self._open())
        self._opened.add_done_callback(lambda it: it.cancelled() or it.exception())  # the page may go first

    async def cdp(self) -> CDPSession:
        return (await self._opened)[0]

    async def world(self) -> World:
        return (await self._opened)[1]

    async def _open(self) -> tuple[CDPSession, World]:
        cdp = await self.page.context.new_cdp_session(self.page)
        cdp.on("Page.windowOpen", lambda _: self.traffic.expect(POPUP))
        world = World(cdp)
        self.traffic.hear(cdp)
        await asyncio.gather(cdp.send("Page.enable"), cdp.send("Network.enable"))
        return cdp, world

    async def world_of(self, frame: str) -> World | None:
        """Of a frame by its id, in this process or in the one that Chromium gave to another site."""
        for cdp in [await self.cdp(), *await self._sessions_of_frames()]:
            with suppress(PlaywrightError):
                tree = (await cdp.send("Page.getFrameTree"))["frameTree"]
                if frame in _ids(tree):
                    return World(cdp, frame)
        return None

    async def _sessions_of_frames(self) -> list[CDPSession]:
        """Of those frames that have a process of their own."""
        for frame in self.page.frames[1:]:
            if frame not in self._sessions:
                with suppress(PlaywrightError):  # in its parent's process
                    self._sessions[frame] = await self.page.context.new_cdp_session(frame)
        return list(self._sessions.values())


def _ids(tree: dict) -> Iterator[str]:
    yield tree["frame"]["id"]
    for child in tree.get("childFrames", ()):
        yield from _ids(child)
