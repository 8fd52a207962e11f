"""When has a page stopped changing? Frames, requests and animations, each with a bound.

Measured recipe: two animation frames, then requests in flight, then finite animations; after that one
screenshot is enough. The questions run in an isolated world, which the page's scripts cannot alter.
"""

import asyncio
import time
from typing import Any

from playwright.async_api import CDPSession, Page, Request
from playwright.async_api import Error as PlaywrightError

REQUESTS_S = 1.5
SCRIPT_S = 1.5
_BACKGROUND = ("eventsource", "websocket", "ping", "media")

_TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
_ANIMATIONS_END = """(async () => {
  const ends = (it) => it.playState === "running" && it.effect?.getComputedTiming().endTime < 1000;
  await Promise.allSettled(document.getAnimations().filter(ends).map((it) => it.finished));
  return true;
})()"""
_PAGE_FACTS = """({
  width: innerWidth, height: innerHeight, title: document.title,
  scroll: [scrollX, scrollY,
    Math.max((document.scrollingElement?.scrollWidth ?? 0) - innerWidth, 0),
    Math.max((document.scrollingElement?.scrollHeight ?? 0) - innerHeight, 0)],
})"""


class Traffic:
    """The requests of one page that are on their way. Those that outlive a wait are waited for no more."""

    def __init__(self, page: Page) -> None:
        self._pending: set[Request | str] = set()
        self._main: set[Request] = set()
        self._changed = asyncio.Event()
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    async def idle(self, requests_s: float, document_s: float) -> bool:
        """Wait for requests, for a new document longer than for its parts; False when a bound was hit."""
        start = time.monotonic()
        while self._pending:
            bound = start + (document_s if self._main else requests_s)
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), bound - time.monotonic())
            except TimeoutError:
                self._pending.clear()
                self._main.clear()
                return False
        return True

    @property
    def busy(self) -> bool:
        return bool(self._pending)

    def expect(self, what: str) -> None:
        """Something else is on its way, such as a popup."""
        self._pending.add(what)

    def arrived(self, what: str) -> None:
        self._pending.discard(what)
        self._changed.set()

    def _begin(self, request: Request) -> None:
        if request.resource_type in _BACKGROUND:
            return
        self._pending.add(request)
        if request.is_navigation_request() and request.frame.parent_frame is None:
            self._main.add(request)
        self._changed.set()

    def _end(self, request: Request) -> None:
        self._pending.discard(request)
        self._main.discard(request)
        self._changed.set()


async def settle(cdp: CDPSession, traffic: Traffic, document_s: float) -> bool:
    """Wait until the pixels have settled; False when something was still going on at a bound."""
    calm = await ask(cdp, _TWO_FRAMES) is not None
    rounds = 0
    while traffic.busy and rounds < 4:
        calm = await traffic.idle(REQUESTS_S, document_s)
        calm = await ask(cdp, _TWO_FRAMES) is not None and calm
        rounds = rounds + 1 if calm else 4
    return await ask(cdp, _ANIMATIONS_END) is not None and calm


async def page_facts(cdp: CDPSession) -> dict[str, Any] | None:
    """Size, title and scroll position; None when the page does not answer."""
    return await ask(cdp, _PAGE_FACTS)


async def ask(cdp: CDPSession, expression: str, timeout_s: float = SCRIPT_S) -> Any:
    """Evaluate in an isolated world of the page; None when the page is busy or just leaving."""
    try:
        return await asyncio.wait_for(_ask(cdp, expression), timeout_s)
    except (TimeoutError, PlaywrightError):
        return None


async def _ask(cdp: CDPSession, expression: str) -> Any:
    frame = (await cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
    world = await cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "saccade"})
    question = {
        "expression": expression,
        "contextId": world["executionContextId"],
        "awaitPromise": True,
        "returnByValue": True,
    }
    return (await cdp.send("Runtime.evaluate", question))["result"].get("value")
