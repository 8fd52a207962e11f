"""When has a page stopped changing? Frames, timers, animations and requests, each with a bound.

Measured recipe: an animation frame (on a plain page only the tasks that it has left), then what the page
itself has going (short timers, finite animations), then requests in flight; after that one screenshot is
enough, unless the page has begun something, or changed its document, while it was taken (two frames). A
request is a hint and never a gate.
"""

import asyncio
import time
from collections import Counter
from typing import Any

from playwright.async_api import CDPSession, Page, Request, Response, WebSocket

from .world import World

REQUESTS_S = 1.5
SETTLE_S = 4.0
ROUNDS = 4
POLL_COUNT = 4
_BACKGROUND = ("eventsource", "websocket", "ping", "media")
_REFUSED = 400  # and the statuses above it
_READ_LATE = ("Fetch", "XHR")


class Traffic:
    """The requests of one page that are on their way, as far as an action may have caused them.

    Not waited for: addresses that outlived a wait, and those that the page asks of its own accord, which
    shows while nobody acts or when it asks the same again and again.
    """

    def __init__(self, page: Page) -> None:
        self._pending: set[Request | str] = set()
        self._main: set[Request] = set()
        self._flying: set[Request] = set()  # all of them, waited for or not
        self._watched = True
        self._asked: Counter[str] = Counter()
        self._answered: set[str] = set()  # since something new was asked
        self._again: set[Request | str] = set()
        self._polled: set[str] = set()
        self._endless: set[str] = set()
        self._missing: dict[str, tuple[str, int]] = {}
        self._changed = asyncio.Event()
        self.begun = 0  # how many were waited for, of all that there were
        self.answered_ms = 0.0  # when the last answer came, by the browser's clock
        self.listens = False  # to a server that may send something without being asked
        page.on("request", self._begin)
        page.on("response", self._answer)
        page.on("websocket", self._listen)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    def hear(self, cdp: CDPSession) -> None:
        """Count the bytes of answers whose length is told: one that the page does not read, such as that
        of `fetch(url).then(show)`, is called finished only 50 ms after its last byte.
        """
        cdp.on("Network.responseReceived", self._head)
        cdp.on("Network.dataReceived", self._body)
        cdp.on("Network.loadingFinished", self._foot)
        cdp.on("Network.loadingFailed", self._foot)

    async def idle(self, requests_s: float, document_s: float) -> bool:
        """Wait for requests, for a new document longer than for its parts; False when a bound was hit."""
        start = time.monotonic()
        while self._pending:
            bound = start + (document_s if self._main else requests_s)
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), bound - time.monotonic())
            except TimeoutError:
                self._give_up()
                return False
        return True

    @property
    def busy(self) -> bool:
        return bool(self._pending)

    @property
    def repeats(self) -> bool:
        """All that is on its way was asked before and answered, with nothing new asked since."""
        return self.busy and self._pending <= self._again

    def excuse(self) -> None:
        """What repeats is a poll."""
        polls = [it for it in self._pending & self._again if isinstance(it, Request)]
        self._polled.update(map(_what, polls))
        self._pending.difference_update(polls)
        self._changed.set()

    def watch(self) -> None:
        """An action begins: what is asked from now on may come of it."""
        self._watched = True
        self._asked.clear()

    def rest(self) -> None:
        """The look is over: what is asked from now on comes from the page itself."""
        self._watched = False

    def expect(self, what: str) -> None:
        """Something else is on its way, such as a popup."""
        self._pending.add(what)

    def arrived(self, what: str) -> None:
        self._pending.discard(what)
        self._changed.set()

    def _begin(self, request: Request) -> None:
        if request.is_navigation_request() and request.frame.parent_frame is None:
            self._flying.clear()
            self._main.add(request)
            self.watch()
            self._polled.clear()
            self._endless.clear()
            self._missing.clear()
            self._answered.clear()
            self._again.clear()
            self.listens = False
        self._flying.add(request)
        if _what(request) in self._answered:
            self._again.add(request)
        else:
            self._answered.clear()
        self.listens = self.listens or request.resource_type == "eventsource"
        if request not in self._main and self._in_background(request):
            return
        self._pending.add(request)
        self.begun += 1
        self._changed.set()

    def _in_background(self, request: Request) -> bool:
        what = _what(request)
        self._asked[what] += 1
        if not self._watched or self._asked[what] > POLL_COUNT:
            self._polled.add(what)
        polled = what in self._polled or request.url.split("?")[0] in self._endless
        return polled or request.resource_type in _BACKGROUND

    def _answer(self, response: Response) -> None:
        if response.status < _REFUSED:
            self._answered.add(_what(response.request))
            timing = response.request.timing
            self.answered_ms = timing["startTime"] + max(timing["responseStart"], 0)

    def _listen(self, _: WebSocket) -> None:
        self.listens = True

    def _end(self, request: Request) -> None:
        self._again.discard(request)
        self._flying.discard(request)
        self._pending.discard(request)
        self._main.discard(request)
        self._changed.set()

    def _head(self, event: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
        length = headers.get("content-length", "")
        if event["type"] in _READ_LATE and length.isdigit() and "content-encoding" not in headers:
            self._missing[event["requestId"]] = event["response"]["url"], int(length)

    def _body(self, event: dict[str, Any]) -> None:
        what = event["requestId"]
        if what not in self._missing:
            return
        url, missing = self._missing[what]
        self._missing[what] = url, missing - event["dataLength"]
        alike = [it for it in self._flying if it.url == url]
        if missing == event["dataLength"] and len(alike) == 1:  # of several, nobody knows which it was
            self._end(alike[0])

    def _foot(self, event: dict[str, Any]) -> None:
        self._missing.pop(event["requestId"], None)

    def _give_up(self) -> None:
        late = [it for it in self._pending if isinstance(it, Request) and it not in self._main]
        self._endless.update(request.url.split("?")[0] for request in late)
        self._pending.clear()
        self._main.clear()


def _what(request: Request) -> str:
    return f"{request.url} {request.post_data_buffer or ''}"


async def settle(world: World, traffic: Traffic, document_s: float) -> tuple[bool, dict[str, Any]]:
    """Wait until the pixels have settled: whether they have, and what kind of page it is."""
    found = await world.ask("saccade.settle()", SETTLE_S)
    for _ in range(ROUNDS):
        if not traffic.busy:
            return found is not None, found or {}
        calm = await traffic.idle(REQUESTS_S, document_s)
        found = await world.ask("saccade.settle()", SETTLE_S)
        if not calm:
            return False, found or {}
    return not traffic.busy and found is not None, found or {}
