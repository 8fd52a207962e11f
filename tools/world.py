"""One tab's isolated world: our questions run there, where the page's scripts cannot alter them.

`look.js` is loaded into the world once per document and defines `saccade`; questions are short calls of it.
"""

import asyncio
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

NAME = "saccade"
SCRIPT_S = 1.5


class World:
    """Asks one frame, by default the main one. A new document gets a new world on the next question."""

    def __init__(self, cdp: CDPSession, frame: str | None = None, url: str = "") -> None:
        self.url = url
        self._cdp = cdp
        self._frame = frame
        self._context: int | None = None
        cdp.on("Page.frameNavigated", self._forget)

    async def ask(self, expression: str, timeout_s: float = SCRIPT_S) -> Any:
        """The value of an expression, awaited; None when the page is busy or just leaving."""
        try:
            return await asyncio.wait_for(self._ask(expression), timeout_s)
        except (TimeoutError, PlaywrightError):
            self._context = None
            return None

    async def _ask(self, expression: str) -> Any:
        if self._context is None:
            self._context = await self._create()
        return await self._evaluate(expression, self._context)

    async def _create(self) -> int:
        frame = self._frame or (await self._cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        world = await self._cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": NAME})
        await self._evaluate(page_file("look.js"), world["executionContextId"])
        return world["executionContextId"]

    async def _evaluate(self, expression: str, context: int) -> Any:
        question = {
            "expression": expression,
            "contextId": context,
            "awaitPromise": True,
            "returnByValue": True,
        }
        return (await self._cdp.send("Runtime.evaluate", question))["result"].get("value")

    def _forget(self, event: dict[str, Any]) -> None:
        if "parentId" not in event["frame"]:
            self._context = None


@cache
def page_file(name: str) -> str:
    """The text of a script that runs in pages."""
    return Path(__file__).with_name(name).read_text("utf-8")
