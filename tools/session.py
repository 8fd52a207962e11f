"""A running browser: started or attached, its tabs, its dialogs. Knows no actions and no pictures.

Events of the pages (dialogs, downloads, popups, navigations) are noted here; the observation and the
effect read the notes.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    BrowserContext,
    Dialog,
    Download,
    Frame,
    Page,
    Request,
    Route,
)
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from ..errors import BrowserError, PolicyError
from .asks import Asks, of_chooser, of_dialog, of_sign_in
from .files import Files
from .gate import Gate
from .launch import Options, Process, attach_process, new_context, start_process
from .policy import NetworkPolicy
from .tab import POPUP, LiveTab
from .world import page_file

_PAGE_SCRIPTS = ("page.js", "work.js", "pickers.js", "asked.js")
_DOWNLOAD = "download"
_SIGN_IN = "ERR_INVALID_AUTH_CREDENTIALS"
_REASONS = {
    "ERR_NAME_NOT_RESOLVED": "there is no such host",
    "ERR_CONNECTION_REFUSED": "nothing answers there",
    "ERR_SOCKS_CONNECTION_FAILED": "nothing answers there",
    "ERR_INTERNET_DISCONNECTED": "there is no network",
    "ERR_FILE_NOT_FOUND": "there is no such file",
    "ERR_BLOCKED_BY_CLIENT": "the policy denies it",
}


@dataclass(frozen=True)
class Marks:
    """Counters at one moment; the difference of two tells what happened in between."""

    navigations: int
    tabs_opened: int
    denied: int
    notes: int


class Session:
    """The browser between `open_session` and `close`."""

    def __init__(self, policy: NetworkPolicy, options: Options) -> None:
        self.timeout_s = options.timeout_s
        self.policy = policy
        self.files = Files(options.downloads, options.uploads)
        self.tabs: list[LiveTab] = []
        self.mouse: tuple[float, float] | None = None
        self.asks = Asks(self.note, options.timeout_s)
        self.process: Process | None = None
        self._options = options
        self._gate = Gate(policy, options.proxy)
        self._context: BrowserContext | None = None
        self._active: LiveTab | None = None
        self._work: set[asyncio.Task[Any]] = set()
        self._notes: list[str] = []
        self._handed_out = 0
        self._denied: list[str] = []
        self._navigations = 0
        self._tabs_opened = 0

    async def prepare(self, process: Process | None = None) -> str:
        """Start the gate and a Chromium, or join one that runs: all that no page is needed for. The gate's
        address.
        """
        proxy = await self._gate.start()
        if self.process is None:
            self.process = process or await start_process(self._options, proxy)
        return proxy

    async def launch(self, options: Options, process: Process | None = None) -> None:
        """Open a context with a first page; `options` may have changed since `prepare`."""
        self._options, self.files = options, Files(options.downloads, options.uploads)
        proxy = await self.prepare(process)
        assert self.process is not None
        context = await new_context(self.process, options, proxy)
        await self._adopt(context)
        if not context.pages:
            await context.new_page()

    async def attach(self, cdp_url: str) -> None:
        """Take over a browser that somebody else started, on the page that it shows."""
        self.process, context = await attach_process(cdp_url, self.timeout_s)
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
        if self.asks.open is not None:
            with suppress(PlaywrightError):
                await self.asks.answer(False)
        if self.process is not None:
            if self.process.foreign and self._context is not None:
                with suppress(PlaywrightError):
                    await self._context.unroute_all(behavior="ignoreErrors")
            await self.process.leave(self._context)
        self.files.close()
        await self._gate.close()

    async def storage_state(self) -> dict[str, Any]:
        """Cookies and local storage, as `Options.storage_state` takes them."""
        assert self._context is not None
        return dict(await self._context.storage_state())

    @property
    def active(self) -> LiveTab:
        if self._active is None:
            raise BrowserError("the browser has no open page: it was closed or it crashed")
        return self._active

    @property
    def connected(self) -> bool:
        return self.process is not None and self.process.alive

    @property
    def permissions(self) -> tuple[str, ...]:
        return self._options.permissions

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
            tab.traffic.arrived(POPUP)
        tab = LiveTab(page)
        self.tabs.append(tab)
        self.activate(tab)
        self._tabs_opened += 1
        page.on("close", lambda _: self._remove(tab))
        page.on("crash", lambda _: self.note("the page crashed: reload it"))
        page.on("dialog", self._meet_dialog)
        page.on("download", lambda download: self._do(self._keep(download, tab)))
        page.on("filechooser", lambda chooser: self.asks.hold(of_chooser(chooser, self.files)))
        page.on("requestfailed", self._meet_failure)
        page.on("framenavigated", self._note_navigation)

    def _remove(self, tab: LiveTab) -> None:
        self.tabs.remove(tab)
        if self._active is tab:
            self._active = self.tabs[-1] if self.tabs else None

    async def _meet_dialog(self, dialog: Dialog) -> None:
        """A dialog stops the page: an alert is acknowledged at once, the others are held for an answer."""
        ask = of_dialog(dialog)
        accept = True if ask.kind == "alert" else self._options.accept_dialogs
        if accept is None:
            return self.asks.hold(ask)
        answer = "" if ask.kind == "alert" else " (accepted)" if accept else " (dismissed)"
        self.note(f"{ask.kind}: {ask.message}{answer}")
        with suppress(PlaywrightError):
            await ask.answer(accept, ask.text)

    def _meet_failure(self, request: Request) -> None:
        if request.is_navigation_request() and _SIGN_IN in (request.failure or ""):
            self.asks.hold(of_sign_in(request.url, self.goto))

    def note(self, text: str) -> None:
        """Something that no screenshot says, for the next observation and the effect."""
        self._notes.append(text)

    async def _keep(self, download: Download, tab: LiveTab) -> None:
        tab.traffic.expect(_DOWNLOAD)
        try:
            path = await self.files.keep(download)
            self.note(f"downloaded: {path.name} ({path.stat().st_size:,} bytes)")
        except PlaywrightError as error:
            self.note(f"the download of {download.suggested_filename[:80]} failed: {_first_line(error)}")
        finally:
            tab.traffic.arrived(_DOWNLOAD)

    def _do(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

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


async def prepare_session(options: Options, policy: NetworkPolicy) -> Session:
    """A session without a page yet, for `open_session`. Raises BrowserError in one line."""
    session = Session(policy, options)
    async with _closed_on_error(session, options):
        await session.prepare()
    return session


async def open_session(
    options: Options, policy: NetworkPolicy, beside: Session | None = None, prepared: Session | None = None
) -> Session:
    """Start, attach, or join the process of another session. Raises BrowserError in one line."""
    session = prepared or Session(policy, options)
    async with _closed_on_error(session, options):
        options.check()
        if options.cdp_url is not None:
            await session.attach(options.cdp_url)
        else:
            await session.launch(options, beside.process if beside else None)
    return session


@asynccontextmanager
async def _closed_on_error(session: Session, options: Options) -> AsyncIterator[None]:
    try:
        yield
    except PlaywrightError as error:
        await session.close()
        what = f"attach to {options.cdp_url}" if options.cdp_url else "start the browser"
        raise BrowserError(f"cannot {what}: {_first_line(error)}") from None
    except BaseException:
        await session.close()
        raise


def _first_line(error: PlaywrightError) -> str:
    return error.message.strip().splitlines()[0]


def _page_script() -> str:
    return "\n".join(page_file(name) for name in _PAGE_SCRIPTS)
