"""The browser as the agent has it: observe, execute, close. The public face of this room.

async with Browser("https://example.com") as browser:
    seen = await browser.observe()
    effect = await browser.execute(LeftClick(coordinate=(500, 300)))
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from ..errors import ActionError, BrowserError
from ..vision.screen import changed_fraction
from .actions import Action, Answer, AskUser, Terminate
from .execute import full_url, perform
from .observation import Effect, Observation
from .observe import look
from .policy import NetworkPolicy
from .session import Marks, Options, Session, open_session
from .settle import ask

DEFAULT_VIEWPORT = (1280, 800)
_FRESH_S = 0.25
_SECOND_LOOK_S = 0.3


class Browser:
    """A Chromium that is started, or attached to (`cdp_url`), on `start()` or `async with`.

    url: where to begin; that host and port are allowed, even local ones. A foreign browser stays on its
        page when no url is given.
    viewport: (width, height) in CSS px; None leaves it to the model's preference, else 1280 x 800.
    executable: path of a Chromium or Chrome; None finds one.
    allow_hosts: local or private hosts that the agent may reach (see NetworkPolicy).
    timeout_s: the longest that one page load, action or screenshot may take.
    accept_dialogs: answer a page's confirm() with OK instead of Cancel; its text is noted either way.
    """

    def __init__(
        self,
        url: str | None = None,
        viewport: tuple[int, int] | None = None,
        cdp_url: str | None = None,
        headless: bool = True,
        executable: str | Path | None = None,
        device_scale_factor: float = 1.0,
        allow_hosts: Iterable[str] = (),
        timeout_s: float = 15.0,
        accept_dialogs: bool = False,
    ) -> None:
        self.url = url
        self.viewport = viewport
        self.cdp_url = cdp_url
        self.headless = headless
        self.executable = str(executable) if executable is not None else None
        self.device_scale_factor = device_scale_factor
        self.timeout_s = timeout_s
        self.accept_dialogs = accept_dialogs
        self.allow_hosts = tuple(allow_hosts)
        self.policy = NetworkPolicy(self.allow_hosts)
        self._session: Session | None = None
        self._seen: Observation | None = None
        self._seen_at: Marks | None = None
        self._fresh_until = 0.0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the browser and the first page; does nothing when it runs already.

        Raises BrowserError: no browser found, nothing to attach to, or the page cannot be opened.
        """
        if self._session is not None:
            return
        session = await open_session(self._options(), self.policy)
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
        session, self._session, self._seen = self._session, None, None
        if session is not None:
            await session.close()

    @property
    def started(self) -> bool:
        return self._session is not None

    @property
    def page(self) -> Page:
        """The active tab's Playwright page, for hosts and tests."""
        self._fresh_until = 0.0
        return self._running().page

    async def evaluate(self, javascript: str, argument: Any = None) -> Any:
        """Evaluate in the active page, to judge its state. The result is the page's: untrusted."""
        return await self.page.evaluate(javascript, argument)

    async def inspect(self, expression: str) -> Any:
        """The value of a JavaScript expression in an isolated world, out of the reach of the page's scripts;
        None when the page is busy or just leaving.
        """
        return await ask(await self._running().active.cdp(), expression)

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

    async def execute(self, action: Action) -> Effect:
        """Do one action and say what changed since the last look.

        What the page or the policy refuses is `Effect.error`; raises BrowserError when the browser is
        gone and ActionError for `answer`, `terminate` and `ask_user`.
        """
        if isinstance(action, Answer | Terminate | AskUser):
            raise ActionError(f"{action.action} ends or pauses the run: the browser does not do it")
        session, start = self._running(), time.monotonic()
        before = self._seen or await self.observe()
        marks = session.marks()
        session.active.traffic.watch()
        error = await self._attempt(session, before, action)
        after = await self._look(session)
        effect = _effect(session, before, after, marks, error)
        if not effect.visible and error is None:
            await asyncio.sleep(_SECOND_LOOK_S)
            after = await self._look(session)
            effect = _effect(session, before, after, marks, error)
        self._fresh_until = time.monotonic() + _FRESH_S
        return replace(effect, seconds=time.monotonic() - start)

    async def _look(self, session: Session) -> Observation:
        """Look and remember it; of a page that hangs, the last picture and a word about it."""
        self._seen_at = session.marks()
        try:
            self._seen = await look(session)
        except BrowserError as error:
            if self._seen is None or not session.tabs:
                raise
            self._seen = replace(self._seen, dialog=str(error), settled=False)
        return self._seen

    async def _attempt(self, session: Session, before: Observation, action: Action) -> str | None:
        """`perform` within the time limit; what the page did wrong comes back as text."""
        try:
            return await asyncio.wait_for(perform(session, before.geometry, action), self._limit(action))
        except ActionError as error:
            return str(error)
        except (TimeoutError, PlaywrightTimeout):
            return f"{action.action} took longer than {self.timeout_s:g} s"
        except PlaywrightError as error:
            if not session.connected:
                raise BrowserError(f"the browser is gone: {error.message.splitlines()[0]}") from None
            return error.message.splitlines()[0]

    def _limit(self, action: Action) -> float:
        return 2 * self.timeout_s + getattr(action, "time", 0.0)

    def _options(self) -> Options:
        return Options(
            viewport=self.viewport or DEFAULT_VIEWPORT,
            cdp_url=self.cdp_url,
            headless=self.headless,
            executable=self.executable,
            device_scale_factor=self.device_scale_factor,
            timeout_s=self.timeout_s,
            accept_dialogs=self.accept_dialogs,
        )

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
    return Effect(
        changed=changed_fraction(before.image, after.image),
        navigated=now.navigations > marks.navigations,
        new_tab=now.tabs_opened > marks.tabs_opened,
        dialog=session.notes(since=marks.notes),
        error=error,
    )
