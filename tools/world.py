"""One tab's isolated world: our questions run there, where the page's scripts cannot alter them.

`element.js`, `look.js` and `repeats.js` are loaded into the world once per document and define
`saccadeElements`, `saccade` and `saccadeRepeats`; questions are short calls of them.
"""

import asyncio
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

NAME = "saccade"
SCRIPT_S = 1.5
_SCRIPTS = ("element.js", "look.js", "repeats.js")


class World:
    """Asks one frame, by default the main one, whose new documents get a new world on the next question."""

    def __init__(self, cdp: CDPSession, frame: str | None = None) -> None:
        self._cdp = cdp
        self._frame = frame
        self._context: int | None = None
        if frame is None:
            cdp.on("Page.frameNavigated", self._forget)

    async def ask(self, expression: str, timeout_s: float = SCRIPT_S) -> Any:
        """The value of an expression, awaited; None when the page is busy or just leaving."""
        try:
            return await asyncio.wait_for(self._ask(expression), timeout_s)
        except (TimeoutError, PlaywrightError):
            self._context = None
            return None

    async def frame_of(self, expression: str) -> str | None:
        """The id of the frame inside the frame element that an expression gives; None when there is none."""
        with suppress(PlaywrightError):
            element = await self._evaluate(expression, await self._ready(), by_value=False)
            described = await self._cdp.send("DOM.describeNode", {"objectId": element["objectId"]})
            return described["node"].get("frameId")
        return None

    async def _ask(self, expression: str) -> Any:
        return (await self._evaluate(expression, await self._ready())).get("value")

    async def _ready(self) -> int:
        if self._context is None:
            self._context = await self._create()
        return self._context

    async def _create(self) -> int:
        frame = self._frame or (await self._cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        world = await self._cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": NAME})
        await self._evaluate("\n".join(map(page_file, _SCRIPTS)), world["executionContextId"])
        return world["executionContextId"]

    async def _evaluate(self, expression: str, context: int, by_value: bool = True) -> dict[str, Any]:
        question = {
            "expression": expression,
            "contextId": context,
            "awaitPromise": True,
            "returnByValue": by_value,
        }
        return (await self._cdp.send("Runtime.evaluate", question))["result"]

    def _forget(self, event: dict[str, Any]) -> None:
        if "parentId" not in event["frame"]:
            self._context = None


@cache
def page_file(name: str) -> str:
    """The text of a script that runs in pages."""
    return Path(__file__).with_name(name).read_text("utf-8")
