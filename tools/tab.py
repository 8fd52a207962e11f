"""One open page with its request counter, its CDP session and its isolated world."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from .settle import Traffic
from .world import World

POPUP = "popup"


class LiveTab:
    """Opens its CDP session at once; `cdp()` and `world()` wait for it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.traffic = Traffic(page)
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
        await cdp.send("Page.enable")
        return cdp, world

    async def world_of_frame(self, point: tuple[float, float]) -> World | None:
        """The world of the innermost frame at a point; None when it cannot be found."""
        cdp = await self.cdp()
        where = {"x": int(point[0]), "y": int(point[1]), "includeUserAgentShadowDOM": False}
        with suppress(PlaywrightError):
            node = await cdp.send("DOM.getNodeForLocation", where)
            described = await cdp.send("DOM.describeNode", {"backendNodeId": node["backendNodeId"]})
            frame_id = described["node"].get("frameId", node["frameId"])
            return await self._world_of(frame_id)
        return None

    async def _world_of(self, frame_id: str) -> World | None:
        """In this process, or in the one that Chromium gave to a frame of another site."""
        for frame in self.page.frames:
            own = await self.cdp()
            with suppress(PlaywrightError):
                if frame.parent_frame is not None:
                    own = await self.page.context.new_cdp_session(frame)
                tree = (await own.send("Page.getFrameTree"))["frameTree"]
                for found in _frames(tree):
                    if found["id"] == frame_id:
                        return World(own, frame_id, found["url"])
        return None


def _frames(tree: dict) -> Iterator[dict]:
    yield tree["frame"]
    for child in tree.get("childFrames", ()):
        yield from _frames(child)
