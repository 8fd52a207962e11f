"""The browser as the agent has it: observe, execute, close. The public face of this room.

async with Browser("https://example.com") as browser:
    seen = await browser.observe()
    effect = await browser.execute(LeftClick(coordinate=(500, 300)))
"""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from ..errors import ActionError, BrowserError, PolicyError
from ..vision.screen import changes, get_ready
from .actions import Action, Answer, AskUser, Terminate, computer_use_schema
from .dialogs import draw
from .element import Element
from .execute import full_url, perform
from .files import write_privately
from .find import Told, ask_everywhere, element_at, find_element, focused_element
from .geometry import Geometry, Point
from .launch import Options
from .observation import Effect, Observation
from .observe import look
from .policy import NetworkPolicy
from .session import Marks, Session, open_session, prepare_session
from .writing import Allow

_FRESH_S = 0.25
_SECOND_LOOK_S = 0.3
_MOST_REGIONS = 8
_LOOK_S = 5.0


class Browser:
    """A Chromium that is started, or attached to (`cdp_url`), on `start()` or `async with`.

    url: where to begin; that host and port are allowed, even local ones. A foreign browser stays on its
        page when no url is given.
    viewport: (width, height) in CSS px; None leaves it to the device or the model, else 1280 x 800.
    executable: path of a Chromium or Chrome; None finds one.
    allow_hosts: local or private hosts that the agent may reach (see NetworkPolicy).
    timeout_s: the longest that one page load, action or screenshot may take.
    accept_dialogs: None holds a page's confirm(), prompt() and "leave this page?" for the model to answer,
        drawn on the screenshot; True or False answers them at once. Their text is noted either way.
    share: a started browser whose Chromium this one uses too, with cookies, policy and downloads of its own.
    device: a preset of Playwright, such as "iPhone 15": viewport, scale, user agent, touch.
    user_agent, locale, timezone, geolocation (latitude, longitude): what pages are told.
    permissions: what pages may use without a prompt, such as "geolocation" or "clipboard-read".
    storage_state: logins saved by `save_storage`, as a path or its JSON value.
    profile: a folder that keeps everything between runs.
    proxy: `http://user:password@host:port` or `socks5://host:port`; the policy is asked first.
    downloads: the folder that downloads go to; None keeps them until the browser closes.
    uploads: the files, or folders of files, that the agent may upload; its own downloads are allowed too.
    """

    def __init__(
        self,
        url: str | None = None,
        viewport: tuple[int, int] | None = None,
        cdp_url: str | None = None,
        headless: bool = True,
        executable: str | Path | None = None,
        device_scale_factor: float | None = None,
        allow_hosts: Iterable[str] = (),
        timeout_s: float = 15.0,
        accept_dialogs: bool | None = None,
        *,
        share: "Browser | None" = None,
        device: str | None = None,
        user_agent: str | None = None,
        locale: str | None = None,
        timezone: str | None = None,
        geolocation: tuple[float, float] | None = None,
        permissions: Iterable[str] = (),
        storage_state: str | Path | dict[str, Any] | None = None,
        profile: str | Path | None = None,
        proxy: str | None = None,
        downloads: str | Path | None = None,
        uploads: Iterable[str | Path] = (),
    ) -> None:
        self.url = url
        self.cdp_url = cdp_url
        self.viewport = viewport
        self.downloads = downloads
        self.timeout_s = timeout_s
        self.cdp_url = cdp_url
        self.allow_hosts = tuple(allow_hosts)
        self.policy = NetworkPolicy(self.allow_hosts)
        self.share = share
        self._options = Options(
            cdp_url=cdp_url,
            headless=headless,
            executable=str(executable) if executable is not None else None,
            device_scale_factor=device_scale_factor,
            timeout_s=timeout_s,
            accept_dialogs=accept_dialogs,
            device=device,
            user_agent=user_agent,
            locale=locale,
            timezone=timezone,
            geolocation=geolocation,
            permissions=tuple(permissions),
            storage_state=storage_state,
            profile=Path(profile) if profile is not None else None,
            proxy=proxy,
            uploads=tuple(uploads),
        )
        self._session: Session | None = None
        self._prepared: Session | None = None
        self._seen: Observation | None = None
        self._bare: Image.Image | None = None
        self._seen_at: Marks | None = None
        self._fresh_until = 0.0
        self._acted = False
        self._asked: tuple[Point, Element | None, float, Marks] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def prepare(self) -> None:
        """Start the program behind it, which takes most of `start`'s time and needs no viewport. Optional.

        Raises BrowserError: no browser found.
        """
        if not (self.started or self._prepared or self.cdp_url or self.share):
            self._prepared = await prepare_session(self._options, self.policy)

    async def start(self) -> None:
        """Open the browser and the first page; does nothing when it runs already.

        Raises BrowserError: no browser found, nothing to attach to, or the page cannot be opened.
        """
        if self._session is not None:
            return
        asyncio.get_running_loop().run_in_executor(None, computer_use_schema)  # while Chromium starts
        downloads = Path(self.downloads) if self.downloads is not None else None
        options = replace(self._options, viewport=self.viewport, downloads=downloads)
        beside = self.share._running() if self.share is not None else None
        prepared, self._prepared = self._prepared, None
        session = await open_session(options, self.policy, beside, prepared)
        if self.url is not None:
            url = full_url(self.url)
            self.policy.allow_url(url)
            problem = await session.goto(url)
            if problem is not None:
                await session.close()
                raise BrowserError(f"{problem}; check the address")
        self._session = session

    async def close(self) -> None:
        """Close the browser, or let go of a foreign one; may be called twice."""
        session, self._session, self._seen = self._session or self._prepared, None, None
        self._prepared = None
        if session is not None:
            await session.close()

    @property
    def started(self) -> bool:
        return self._session is not None

    @property
    def page(self) -> Page:
        """The active tab's Playwright page, for hosts and tests.

        Raises playwright's Error while a dialog holds the page: nothing could be asked of it.
        """
        session = self._running()
        if session.asks.blocking:
            raise PlaywrightError("a dialog holds the page: answer it first")
        self._fresh_until, self._acted = 0.0, True
        return session.page

    @property
    def address(self) -> str:
        """Where the active tab is, also while a dialog holds the page."""
        return self._running().page.url

    @property
    def downloaded(self) -> list[Path]:
        """The files downloaded so far, oldest first."""
        return list(self._running().files.kept)

    async def save_storage(self, path: str | Path) -> Path:
        """Write cookies and local storage, for `storage_state` of a later browser; for the owner's eyes."""
        state = await self._running().storage_state()
        await asyncio.to_thread(write_privately, Path(path), json.dumps(state, indent=2) + "\n")
        return Path(path)

    async def evaluate(self, javascript: str, argument: Any = None) -> Any:
        """Evaluate in the active page, to judge its state. The result is the page's: untrusted."""
        return await self.page.evaluate(javascript, argument)

    async def inspect(self, expression: str) -> Any:
        """The value of a JavaScript expression in an isolated world, out of the reach of the page's scripts;
        None when the page is busy or just leaving, or held by a dialog.
        """
        session = self._running()
        if session.asks.blocking:
            return None
        return await (await session.active.world()).ask(expression)

    async def inspect_everywhere(self, expression: str) -> list[Told]:
        """As `inspect`, of the page and of each frame of another origin that can be seen."""
        session = self._running()
        return [Told(None)] if session.asks.blocking else await ask_everywhere(session.active, expression)

    async def element_at(self, point: Point) -> Element | None:
        """The control at a CSS point, through frames and open shadow roots; None when nothing answers."""
        session = self._running()
        if session.asks.blocking:
            return None
        element = await element_at(session.active, point, whole=True)
        self._asked = point, element, time.monotonic(), session.marks()
        return element

    async def focused(self, whole: bool = True) -> Element | None:
        """What the keyboard goes to; `whole` also tells its twins and its form."""
        session = self._running()
        return None if session.asks.blocking else await focused_element(session.active, whole)

    async def find(self, element: Element) -> Point | None:
        """Where an element that was seen earlier is now, by role and name: scrolled into view, in CSS px."""
        session = self._running()
        return None if session.asks.blocking else await find_element(session.active, element)

    async def observe(self) -> Observation:
        """Wait until the pixels settle (bounded) and look once.

        The look that ended `execute` is handed out when it is a moment old, so a step costs one
        screenshot. Dialog texts are handed out once.
        """
        session = self._running()
        seen = self._seen
        if seen is None or time.monotonic() > self._fresh_until or session.marks() != self._seen_at:
            seen = await self._look(session)
        self._fresh_until = 0.0
        session.hand_out_notes()
        return seen

    async def execute(self, action: Action, allow: Allow | None = None) -> Effect:
        """Do one action and say what changed since the last look. `allow` is asked before each key of `type`
        and ends it by raising PolicyError.

        What the page or the policy refuses is `Effect.error`; raises BrowserError when the browser is
        gone and ActionError for `answer`, `terminate` and `ask_user`.
        """
        if isinstance(action, Answer | Terminate | AskUser):
            raise ActionError(f"{action.action} ends or pauses the run: the browser does not do it")
        session, start = self._running(), time.monotonic()
        before = self._seen or await self.observe()
        self._acted = True
        marks = session.marks()
        hit = await self._aim(session, before, action)
        error = await self._attempt(session, before, action, allow)
        after = await self._look(session)
        effect = _effect(session, before, after, marks, error)
        if not effect.visible and error is None:
            await asyncio.sleep(_SECOND_LOOK_S)
            after = await self._look(session)
            effect = _effect(session, before, after, marks, error)
        self._fresh_until = time.monotonic() + _FRESH_S
        return replace(effect, hit=hit, seconds=time.monotonic() - start)

    async def _look(self, session: Session) -> Observation:
        """Look and remember it, with an open dialog drawn on it."""
        self._seen_at = session.marks()
        seen = await self._capture(session)
        if self._seen is None:
            asyncio.get_running_loop().run_in_executor(None, get_ready)  # while the model thinks
        if session.asks.open is not None:
            seen = replace(seen, image=draw(seen.image, session.asks.open))
        self._seen = replace(seen, dialog=session.notes())
        return self._seen

    async def _capture(self, session: Session) -> Observation:
        """What the page shows; while a dialog holds it, or it hangs, what it showed before."""
        held = session.asks.blocking
        try:
            limit_s = _LOOK_S + 4 * self.timeout_s
            seen = None if held else await session.asks.until(look(session, self._acted), limit_s)
        except (BrowserError, TimeoutError) as error:
            if self._seen is None or not session.tabs:
                raise
            session.note(str(error) or "the page hangs: open another")
            seen = replace(self._seen, image=self._bare or self._seen.image, settled=False)
        if seen is None:
            seen = replace(self._seen, image=self._bare) if self._seen else await _blank(session)
        self._bare = seen.image
        return seen

    async def _aim(self, session: Session, before: Observation, action: Action) -> Element | None:
        """What the mouse is about to land on; whoever asked for it just now has asked for us too."""
        asked, self._asked = self._asked, None
        point = getattr(action, "start_coordinate", None) or getattr(action, "coordinate", None)
        if session.asks.open is not None or not session.tabs:
            return None
        session.active.traffic.watch()
        if point is None:
            return None
        at = before.geometry.relative_to_css(point)
        if asked is None or asked[0] != at or asked[3] != session.marks():
            return await element_at(session.active, at)
        return asked[1] if time.monotonic() - asked[2] < _FRESH_S else await element_at(session.active, at)

    async def _attempt(
        self, session: Session, before: Observation, action: Action, allow: Allow | None
    ) -> str | None:
        """`perform` within the time limit; what the page did wrong comes back as text."""
        work = perform(session, before.geometry, action, allow)
        try:
            return await session.asks.until(work, self._limit(action))
        except (ActionError, PolicyError) as error:
            return str(error)
        except (TimeoutError, PlaywrightTimeout):
            return f"{action.action} took longer than {self.timeout_s:g} s"
        except PlaywrightError as error:
            if not session.connected:
                raise BrowserError(f"the browser is gone: {error.message.splitlines()[0]}") from None
            return error.message.splitlines()[0]

    def _limit(self, action: Action) -> float:
        return 2 * self.timeout_s + getattr(action, "time", 0.0)

    def _running(self) -> Session:
        if self._session is None:
            raise BrowserError("the browser is not started: use `async with Browser(...)` or `start()`")
        return self._session


def _effect(
    session: Session,
    before: Observation,
    after: Observation,
    marks: Marks,
    error: str | None = None,
) -> Effect:
    """The difference of two looks; a refusal of the policy counts as an error of the action."""
    now = session.marks()
    if error is None and now.denied > marks.denied and after.url.startswith("chrome-error:"):
        error = session.denied[-1]
    changed, regions = 0.0, []
    if before.png is None or before.png != after.png:  # the same bytes are the same picture
        changed, regions = changes(before.pixels, after.pixels)
    return Effect(
        changed=changed,
        navigated=now.navigations > marks.navigations,
        new_tab=now.tabs_opened > marks.tabs_opened,
        dialog=session.notes(since=marks.notes),
        error=error,
        regions=tuple(regions[:_MOST_REGIONS]),
        focused=_place(before.focus) != _place(after.focus),
    )


def _place(focus: Element | None) -> tuple | None:
    """Which element it is, whatever it says and wherever the page is scrolled to."""
    return focus and (focus.tag, focus.role, focus.name, focus.box[2:])


async def _blank(session: Session) -> Observation:
    """Of a page that was held before it was ever seen."""
    width, height = session.page.viewport_size["width"], session.page.viewport_size["height"]  # type: ignore[index]
    return Observation(
        Image.new("RGB", (width, height), "white"),
        Geometry(width, height, width, height),
        session.page.url,
        "",
    )
