"""One look at the active tab: settle, one screenshot at a known scale, the facts around it."""

import asyncio
import base64
import time
from asyncio import FIRST_COMPLETED
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from ..errors import BrowserError
from ..vision.screen import decoded, same
from .element import Element
from .geometry import Geometry
from .observation import Observation, Tab
from .repeats import watched
from .session import Session
from .settle import settle
from .tab import LiveTab

_TITLE_S = 0.5
_PATIENCE_S = 1.0  # with a screenshot, before it is asked for again
_PAPER_S, _PAPER_STEP_S = 4.0, 0.25
_FLAT = 100  # colours: a viewer without a paper has fewer
_TAB_CHANGES = 5
_CAPTURES = 2  # one more when the page has begun or ended something meanwhile


async def look(session: Session, acted: bool = True) -> Observation:
    """Wait until the pixels settle and capture them. Raises BrowserError when there is no page to see.

    acted: whether anything was done before; if not, what a page repeats need not come to an end.
    """
    start = time.monotonic()
    for _ in range(_TAB_CHANGES):
        await session.ensure_page()
        tab = session.active
        with suppress(PlaywrightError):  # the tab was closed while we looked at it
            seen = await _look_at(session, tab, acted)
            if session.active is tab:
                return replace(seen, seconds=time.monotonic() - start)
    raise BrowserError(f"the active tab changed {_TAB_CHANGES} times during one look")


async def _look_at(session: Session, tab: LiveTab, acted: bool) -> Observation:
    cdp = await tab.cdp()
    world = await tab.world()
    for _ in range(_CAPTURES):
        excused, settled, found = await _settle(session, tab, acted)
        begun = tab.traffic.begun
        png = await (_capture_paper if found.get("pdf") else _capture)(cdp, session.timeout_s)
        asked = asyncio.create_task(world.ask("saccade.facts()"))
        image = await asyncio.to_thread(decoded, png)  # while the page answers
        facts = await asked or {}
        if excused or not (facts.get("busy") or tab.traffic.busy or tab.traffic.begun != begun):
            break
    tab.traffic.rest()
    _tell(session, facts)
    return Observation(
        image=image,
        geometry=_geometry(tab.page, facts, image),
        url=_bare(tab.page.url),
        title=facts.get("title", ""),
        tabs=await _tabs(session, facts.get("title", "")),
        scroll=tuple(facts.get("scroll", (0, 0, 0, 0))),
        dialog=session.notes(),
        settled=settled,
        focus=Element.from_dict(facts["focus"]) if facts.get("focus") else None,
        captured=(image, png),
    )


async def _settle(session: Session, tab: LiveTab, acted: bool) -> tuple[bool, bool, dict[str, Any]]:
    """Whether the page was found to repeat itself only, and what `settle` says."""
    cdp, world, timeout_s = await tab.cdp(), await tab.world(), session.timeout_s
    if acted:
        return False, *await settle(world, tab.traffic, timeout_s)
    async with watched(world, tab.traffic, lambda: _capture(cdp, timeout_s)) as watch:
        found = await settle(world, tab.traffic, timeout_s)
    return watch.excused, *found


async def _capture(cdp: CDPSession, timeout_s: float) -> bytes:
    """The viewport as PNG. `optimizeForSpeed` trades the size of the PNG for time, not its pixels.

    Chromium forgets a picture that it was asked for just before another document took the page: asked again.
    """
    options = {"format": "png", "optimizeForSpeed": True}
    asked: list[asyncio.Task[dict[str, Any]]] = []
    patience, left = _PATIENCE_S, timeout_s
    try:
        while left > 0:
            picture = asyncio.create_task(cdp.send("Page.captureScreenshot", options))
            picture.add_done_callback(lambda it: it.cancelled() or it.exception())  # of all, one is awaited
            asked.append(picture)
            done, _ = await asyncio.wait(asked, timeout=min(patience, left), return_when=FIRST_COMPLETED)
            if done:
                return base64.b64decode((await done.pop())["data"])
            left, patience = left - patience, 2 * patience
    finally:
        for picture in asked:
            picture.cancel()
    raise BrowserError(f"the page hangs: no screenshot within {timeout_s:g} s; open another")


async def _capture_paper(cdp: CDPSession, timeout_s: float) -> bytes:
    """The PDF viewer is another process, which tells nothing: wait until it shows the same thing twice."""
    before, end = None, time.monotonic() + _PAPER_S
    while True:
        png = await _capture(cdp, timeout_s)
        image = await asyncio.to_thread(decoded, png)
        shows = image.getcolors(_FLAT) is None
        if (before is not None and shows and same(before, image)) or time.monotonic() > end:
            return png
        before = image
        await asyncio.sleep(_PAPER_STEP_S)


def _geometry(page: Page, facts: dict, image: Image.Image) -> Geometry:
    """CSS size of the viewport: as we set it, or as a foreign browser's page says."""
    size = page.viewport_size or {"width": facts.get("width"), "height": facts.get("height")}
    width, height = size["width"] or image.width, size["height"] or image.height
    return Geometry(width, height, image.width, image.height)


def _tell(session: Session, facts: dict[str, Any]) -> None:
    """Notes about what the page wants and no screenshot shows."""
    allowed = session.permissions
    for what in facts.get("asked", ()):
        answer = "allowed" if what in allowed else f"not allowed: Browser(permissions=[{what!r}]) would"
        session.note(f"the page asked for {what} ({answer})")


def _bare(url: str) -> str:
    """An address without the user name and password that may stand in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


async def _tabs(session: Session, active_title: str) -> tuple[Tab, ...]:
    tabs, active = list(session.tabs), session.active
    titles = await asyncio.gather(*(_title(tab) for tab in tabs if tab is not active))
    others = iter(titles)
    return tuple(
        Tab(active_title if tab is active else next(others), _bare(tab.page.url), tab is active)
        for tab in tabs
    )


async def _title(tab: LiveTab) -> str:
    return str(await (await tab.world()).ask("document.title", _TITLE_S) or "")
