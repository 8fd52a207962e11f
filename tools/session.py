"""A running browser: started or attached, its tabs, its dialogs. Knows no actions and no pictures.

Events of the pages (dialogs, downloads, popups, navigations) are noted here; the observation and the
effect read the notes.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import (
    BrowserContext,
    CDPSession,
    Dialog,
    Download,
    FileChooser,
    Frame,
    Page,
    Playwright,
    Route,
    async_playwright,
)
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from ..errors import BrowserError, PolicyError
from .chromium import find_chromium, launch_flags
from .gate import Gate
from .policy import NetworkPolicy
from .settle import Traffic
from .world import World, page_file

_POPUP = "popup"
_PAGE_SCRIPTS = ("page.js", "work.js")
_REASONS = {
    "ERR_NAME_NOT_RESOLVED": "there is no such host",
    "ERR_CONNECTION_REFUSED": "nothing answers there",
    "ERR_SOCKS_CONNECTION_FAILED": "nothing answers there",
    "ERR_INTERNET_DISCONNECTED": "there is no network",
    "ERR_FILE_NOT_FOUND": "there is no such file",
    "ERR_BLOCKED_BY_CLIENT": "the policy denies it",
}


@dataclass(frozen=True)
class Options:
    """How to get a browser; see `Browser`."""

    viewport: tuple[int, int]
    cdp_url: str | None
    headless: bool
    executable: str | None
    device_scale_factor: float
    timeout_s: float
    accept_dialogs: bool


@dataclass(frozen=True)
class Marks:
    """Counters at one moment; the difference of two tells what happened in between."""

    navigations: int
    tabs_opened: int
    denied: int
    notes: int


class LiveTab:
    """One open page with its request counter and its CDP session."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.traffic = Traffic(page)
        self._opened: asyncio.Task[tuple[CDPSession, World]] = asyncio.create_task(self._open())

    async def cdp(self) -> CDPSession:
        return (await self._opened)[0]

    async def world(self) -> World:
        return (await self._opened)[1]

    async def _open(self) -> tuple[CDPSession, World]:
        cdp = await self.page.context.new_cdp_session(self.page)
        cdp.on("Page.windowOpen", lambda _: self.traffic.expect(_POPUP))
        world = World(cdp)
        await cdp.send("Page.enable")
        return cdp, world


class Session:
    """The browser between `open_session` and `close`."""

    def __init__(self, playwright: Playwright, policy: NetworkPolicy, options: Options) -> None:
        self.timeout_s = options.timeout_s
        self._options = options
        self.policy = policy
        self.tabs: list[LiveTab] = []
        self.mouse: tuple[float, float] | None = None
        self._playwright = playwright
        self._gate = Gate(policy)
        self._browser: PlaywrightBrowser | None = None
        self._context: BrowserContext | None = None
        self._foreign = False
        self._active: LiveTab | None = None
        self._notes: list[str] = []
        self._handed_out = 0
        self._denied: list[str] = []
        self._navigations = 0
        self._tabs_opened = 0

    async def launch(self) -> None:
        options = self._options
        path = find_chromium(options.executable, self._playwright.chromium.executable_path)
        proxy = await self._gate.start()
        self._browser = await self._playwright.chromium.launch(
            executable_path=path,
            headless=options.headless,
            args=launch_flags(),
            proxy={"server": proxy, "bypass": "<-loopback>"},
        )
        width, height = options.viewport
        context = await self._browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=options.device_scale_factor
        )
        await self._adopt(context)
        await context.new_page()

    async def attach(self, cdp_url: str) -> None:
        """Take over a browser that somebody else started, on the page that it shows."""
        self._foreign = True
        self._browser = await self._playwright.chromium.connect_over_cdp(
            cdp_url, timeout=self.timeout_s * 1000
        )
        contexts = self._browser.contexts
        context = contexts[0] if contexts else await self._browser.new_context(no_viewport=True)
        await self._adopt(context)
        await context.route("**/*", self._check_route)
        if not context.pages:
            await context.new_page()
        for page in context.pages:
            await page.evaluate(_page_script())
            if await page.evaluate("document.visibilityState") == "visible":
                self.activate(self.tab_of(page))

    async def close(self) -> None:
        """Close what we opened: a foreign browser is only let go."""
        with suppress(PlaywrightError):
            if self._foreign and self._context is not None:
                await self._context.unroute_all(behavior="ignoreErrors")
            if self._browser is not None:
                await self._browser.close()
        await self._gate.close()
        await self._playwright.stop()

    @property
    def active(self) -> LiveTab:
        if self._active is None:
            raise BrowserError("the browser has no open page: it was closed or it crashed")
        return self._active

    @property
    def connected(self) -> bool:
        return self._browser is not None and self._browser.is_connected()

    @property
    def page(self) -> Page:
        return self.active.page

    def tab_of(self, page: Page) -> LiveTab:
        return next(tab for tab in self.tabs if tab.page is page)

    def activate(self, tab: LiveTab) -> None:
        self._active = tab

    async def new_tab(self) -> None:
        assert self._context is not None
        await self._context.new_page()

    async def ensure_page(self) -> None:
        """A browser always shows something: when the last tab was closed, an empty one opens."""
        if not self.tabs and self.connected:
            await self.new_tab()

    async def goto(self, url: str) -> str | None:
        """Open `url` in the active tab; what went wrong in one line, or None."""
        denied = len(self.denied)
        try:
            await self.policy.check(url)
            await self.page.goto(url, wait_until="domcontentloaded", timeout=self.timeout_s * 1000)
        except PolicyError as error:
            return str(error)
        except PlaywrightTimeout:
            await (await self.active.cdp()).send("Page.stopLoading")
            return f"{url} did not load within {self.timeout_s:g} s"
        except PlaywrightError as error:
            return self.denied[-1] if len(self.denied) > denied else self._reason(url, error)
        return None

    def marks(self) -> Marks:
        return Marks(self._navigations, self._tabs_opened, len(self.denied), len(self._notes))

    @property
    def denied(self) -> list[str]:
        """Every refusal of the policy so far, as one line each."""
        return [*self._denied, *self._gate.denied]

    def notes(self, since: int | None = None) -> str | None:
        """Dialogs, downloads and the like after a mark, or those that no observation has handed out."""
        return "\n".join(self._notes[self._handed_out if since is None else since :]) or None

    def hand_out_notes(self) -> None:
        self._handed_out = len(self._notes)

    def _reason(self, url: str, error: PlaywrightError) -> str:
        code = re.search(r"ERR_[A-Z_]+", error.message)
        reason = _REASONS.get(code[0], code[0]) if code else _first_line(error)
        if urlsplit(url).hostname in self._gate.unknown_hosts:
            reason = "there is no such host"
        return f"cannot open {url}: {reason}"

    async def _adopt(self, context: BrowserContext) -> None:
        self._context = context
        context.set_default_timeout(self.timeout_s * 1000)
        await context.add_init_script(_page_script())
        for page in context.pages:
            self._add(page)
        context.on("page", self._add)

    def _add(self, page: Page) -> None:
        for tab in self.tabs:
            tab.traffic.arrived(_POPUP)
        tab = LiveTab(page)
        self.tabs.append(tab)
        self.activate(tab)
        self._tabs_opened += 1
        page.on("close", lambda _: self._remove(tab))
        page.on("crash", lambda _: self._notes.append("the page crashed: reload it"))
        page.on("dialog", self._answer_dialog)
        page.on("download", self._note_download)
        page.on("filechooser", self._note_chooser)
        page.on("framenavigated", self._note_navigation)

    def _remove(self, tab: LiveTab) -> None:
        self.tabs.remove(tab)
        if self._active is tab:
            self._active = self.tabs[-1] if self.tabs else None

    async def _answer_dialog(self, dialog: Dialog) -> None:
        """A dialog stops the page, so it is answered at once and its text is kept."""
        accept = self._options.accept_dialogs or dialog.type in ("alert", "beforeunload")
        answer = "" if dialog.type == "alert" else " (accepted)" if accept else " (dismissed)"
        self._notes.append(f"{dialog.type}: {dialog.message or 'leave this page?'}{answer}")
        with suppress(PlaywrightError):
            await (dialog.accept() if accept else dialog.dismiss())

    def _note_download(self, download: Download) -> None:
        self._notes.append(f"downloaded: {download.suggested_filename}")

    def _note_chooser(self, chooser: FileChooser) -> None:
        self._notes.append("the page asked for a file; none was chosen")

    async def _note_navigation(self, frame: Frame) -> None:
        if frame.parent_frame is not None:
            return
        self._navigations += 1
        if frame.url.startswith("file:") and not self.policy.allows_local(frame.url):
            self._denied.append(f"the policy denies file: addresses ({frame.url[:80]!r})")
            with suppress(PlaywrightError):
                await frame.goto("about:blank")

    async def _check_route(self, route: Route) -> None:
        """The guard of a foreign browser, whose proxy is not ours to choose."""
        try:
            await self.policy.check(route.request.url)
        except PolicyError as error:
            self._denied.append(str(error))
            await route.abort("blockedbyclient")
        else:
            await route.fallback()


async def open_session(options: Options, policy: NetworkPolicy) -> Session:
    """Start or attach. Raises BrowserError in one line, leaving nothing running."""
    session = Session(await async_playwright().start(), policy, options)
    try:
        if options.cdp_url is None:
            await session.launch()
        else:
            await session.attach(options.cdp_url)
    except PlaywrightError as error:
        await session.close()
        what = f"attach to {options.cdp_url}" if options.cdp_url else "start the browser"
        raise BrowserError(f"cannot {what}: {_first_line(error)}") from None
    except BaseException:
        await session.close()
        raise
    return session


def _first_line(error: PlaywrightError) -> str:
    return error.message.strip().splitlines()[0]


def _page_script() -> str:
    return "\n".join(page_file(name) for name in _PAGE_SCRIPTS)
