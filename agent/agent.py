"""The agent: a task, a model and a browser, one step at a time until something ends the run.

`Agent` holds the settings and the switches, and opens and closes what a run needs; the loop itself is
`Episode.advance`. Knows the ChatModel protocol and the browser; knows no engine and no user interface.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..errors import InputError, SaccadeError
from ..tools.actions import Action
from ..tools.observation import Observation
from . import models
from .approval import Ask
from .conditions import Condition
from .control import Control, Stopped
from .events import Ended, Event
from .journal import Journal, Scrub, read_state
from .loops import Limits
from .protocol import ChatModel, Thinking
from .run import Outcome, Run, Step, read_folder
from .secrets import Secret, Secrets
from .state import restore_state
from .usertools import Tool, make_tool
from .zoom import Zoom

if TYPE_CHECKING:
    from ..tools import Browser
    from .browsergym import GymBrowser
    from .episode import Episode

STOPPED = Outcome("interrupted", "the run was stopped")


class Agent:
    """Runs one task in a browser.

    run = Agent("Find the cheapest lamp", browser=Browser("https://shop.example"), output=Lamp).run_sync()
    print(run.success, run.output)

    `pause`, `resume`, `tell` and `stop` may be called from any thread while it runs; see docs/agent.md.

    model: "builtin", a path, a server's address, an object with the ChatModel protocol, or a function that
        loads one.
    browser: started, and then closed, only if it is not running yet; without one, a new one starts empty.
    thinking: "fast", "deep", or "auto": decided per step from what happened so far; as a `Budget`, with
        the most tokens of one thought.
    out: the run's folder (default `runs/<timestamp>-<slug>`). scrub passes every string on its way there.
    until: what must hold on the page: JavaScript, "css=...", "text=...", "url=...", or a function of the
        Playwright page. It wins over the model's own word.
    output: a pydantic model; the run ends with `run.output` of that type.
    verify: True, or a model that judges the last screenshots before a success counts.
    tools: functions with type hints that become actions (see `tool`).
    secrets: by name; the model types "{{name}}", the browser gets the value, on its hosts alone.
    approve(action, observation) -> bool | str: may deny an action, a string says why; asked as `ask_before`
        says: "always" (the default with `approve`), "risky" by fixed rules, "never". Under "risky" without
        `approve`, nothing risky is done.
    ask_user(question) -> str: answers the model. on_step(step) sees each step; these three may be async.
    on_event(event): sees everything, at once.
    max_context: the most tokens of a conversation. zoom: a second, enlarged look at small targets.
    """

    def __init__(
        self,
        task: str,
        model: Any = "builtin",
        browser: "Browser | GymBrowser | None" = None,
        *,
        thinking: Thinking = "auto",
        out: str | os.PathLike | None = None,
        max_steps: int | None = 20,
        max_seconds: float | None = None,
        max_tokens: int | None = None,
        max_context: int | None = None,
        until: Condition | None = None,
        output: type[BaseModel] | None = None,
        verify: bool | ChatModel = False,
        tools: Sequence[Tool | Callable[..., Any]] = (),
        secrets: Mapping[str, Secret] | None = None,
        approve: Callable[[Action, Observation], Any] | None = None,
        ask_before: Ask | None = None,
        ask_user: Callable[[str], Any] | None = None,
        on_step: Callable[[Step], Any] | None = None,
        on_event: Callable[[Event], Any] | None = None,
        zoom: Zoom = "never",
        scrub: Scrub = str,
    ):
        if not task.strip():
            raise InputError("the task is empty; say in a sentence what is to be done")
        self.task = task.strip()
        self.model = model
        self.spec = model if isinstance(model, str) else None
        self.browser: Any = browser
        self.thinking: Thinking = thinking
        self.out = out
        self.limits = Limits(max_steps, max_seconds, max_tokens)
        self.max_context = max_context
        self.until = until
        self.output = output
        self.verify = verify
        self.tools = [it if isinstance(it, Tool) else make_tool(it) for it in tools]
        self.secrets = Secrets(secrets)
        self.approve = approve
        self.ask_before: Ask = ask_before or ("always" if approve else "never")
        self.ask_user = ask_user
        self.on_step = on_step
        self.on_event = on_event
        self.zoom: Zoom = zoom
        self.scrub = scrub
        self.control = Control()
        self.result: Run | None = None
        self._from: Path | None = None

    @classmethod
    def from_run(cls, folder: str | os.PathLike, model: Any = None, **settings: Any) -> "Agent":
        """An agent that goes on where a run was cut off: same task, same folder, the browser as it was.

        `settings` are those of `Agent` and win over what the run was started with; secrets, tools and
        callbacks are not kept in the folder and are given anew. Raises InputError for a folder without a run,
        and for a run that has come to its end.
        """
        header, _ = read_folder(Path(folder))
        if header.get("status") in ("success", "failure"):
            raise InputError(f"the run in {folder} ended with {header['status']}; start a new one")
        known = {name: header[name] for name in ("thinking", "until") if header.get(name)}
        if header.get("ask_before", "never") != "never":
            known["ask_before"] = header["ask_before"]
        limits = {
            name: header.get("limits", {}).get(name) for name in ("max_steps", "max_seconds", "max_tokens")
        }
        agent = cls(
            header["task"], model or header.get("spec") or "builtin", **{**limits, **known, **settings}
        )
        agent._from = Path(folder)
        return agent

    async def run(self, max_steps: int | None = None) -> Run:
        """Raises InputError, BrowserError, CheckpointError when the run cannot start; later trouble is a
        status of the Run.
        """
        async for _ in self.stream(max_steps):
            pass
        if self.result is None:
            raise SaccadeError("the run was stopped before its first step")
        return self.result

    def run_sync(self, max_steps: int | None = None) -> Run:
        """`run` for code without an event loop."""
        return asyncio.run(self.run(max_steps))

    async def stream(self, max_steps: int | None = None) -> AsyncIterator[Step]:
        """Yield each step once it is journaled; afterwards `self.result` is the Run. Raises as `run` does.

        A loop that is left early ends the run when the generator is closed (`aclose`).
        """
        async with self._episode(max_steps, self._emit) as episode:
            while episode is not None and episode.outcome is None:
                yield await self.control.guard(episode.advance())

    async def events(self, max_steps: int | None = None) -> AsyncIterator[Event]:
        """Yield all that happens, as it happens; `Ended` comes last. Leaving the loop early ends the run."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()

        async def work() -> None:
            try:
                async with self._episode(
                    max_steps, lambda it: (self._emit(it), queue.put_nowait(it))
                ) as episode:
                    while episode is not None and episode.outcome is None:
                        await self.control.guard(episode.advance())
            finally:
                queue.put_nowait(None)

        task = asyncio.create_task(work())
        try:
            while (event := await queue.get()) is not None:
                yield event
            await task
        finally:
            if not task.done():
                self.stop()
                await asyncio.wait([task])

    def pause(self) -> None:
        """Before the next look or action, from any thread; a person may then act in the page."""
        self.control.pause()

    def resume(self, word: str | None = None) -> None:
        """Go on; the model hears `word`, and how much of the page a person changed."""
        if word:
            self.control.tell(word)
        self.control.resume()

    def tell(self, text: str) -> None:
        """Say something to the model before its next step."""
        self.control.tell(text)

    def stop(self) -> None:
        """At once, whatever is going on; the result is written."""
        self.control.stop()

    def _emit(self, event: Event) -> None:
        if self.on_event:
            self.on_event(event)

    @asynccontextmanager
    async def _episode(
        self, max_steps: int | None, emit: Callable[[Event], Any]
    ) -> AsyncIterator["Episode | None"]:
        limits = replace(self.limits, max_steps=max_steps) if max_steps is not None else self.limits
        self.control.begin()
        async with AsyncExitStack() as stack:
            stack.callback(self.control.end)
            journal = self._journal(stack)
            try:
                episode = await self.control.guard(self._open(journal, limits, emit, stack))
            except Stopped:
                yield None
                return
            try:
                yield episode
            except Stopped:
                episode.outcome = STOPPED
            except SaccadeError as error:
                episode.outcome = Outcome("error", str(error))
            except Exception as error:
                episode.outcome = Outcome("error", repr(error))
                raise
            finally:
                self.result = run = episode.finish()
                emit(Ended(run))

    def _journal(self, stack: AsyncExitStack) -> Journal:
        scrub = self.secrets.scrub

        def both(text: str) -> str:
            return self.scrub(scrub(text))

        if self._from is not None:
            return Journal.reopen(self._from, both)
        journal = Journal.reserve(self.out, self.task, both)
        stack.callback(journal.discard)
        return journal

    async def _open(
        self, journal: Journal, limits: Limits, emit: Callable[[Event], None], stack: AsyncExitStack
    ) -> "Episode":
        from ..tools import Browser

        self.browser = self.browser or self._same_browser() or Browser()
        loading = asyncio.to_thread(models.resolve, self.model)
        if isinstance(self.browser, Browser) and not self.browser.started:
            stack.push_async_callback(self.browser.close)
            model, _ = await both(loading, self.browser.prepare())
        else:
            model = await loading
        from .episode import Episode

        browser = await self._open_browser(model, journal, stack)
        episode = Episode(self, model, browser, journal, limits, emit)
        if self._from is None:
            journal.begin(
                task=self.task,
                model=model.name,
                spec=self.spec,
                thinking=self.thinking,
                limits=asdict(limits),
                until=self.until if isinstance(self.until, str) else None,
                ask_before=self.ask_before,
                url=browser.url,
                viewport=browser.viewport,
                allow_hosts=list(browser.allow_hosts),
            )
        else:
            state = read_state(self._from)
            if state is not None:
                await restore_state(browser, state)
            episode.take_up(Run.load(self._from).steps)
            journal.go_on()
        return episode

    async def _open_browser(self, model: ChatModel, journal: Journal, stack: AsyncExitStack) -> "Browser":
        """A browser that runs already keeps its viewport and downloads folder, and outlives the run."""
        browser = self.browser
        if not browser.started:
            browser.viewport = browser.viewport or model.preferences.viewport
            browser.downloads = browser.downloads or journal.folder / "downloads"
            stack.push_async_callback(browser.close)
            await browser.start()
        return browser

    def _same_browser(self) -> "Browser | None":
        """As the run that goes on was started with."""
        from ..tools import Browser

        if self._from is None:
            return None
        header, _ = read_folder(self._from)
        viewport = header.get("viewport")
        return Browser(
            header.get("url"),
            tuple(viewport) if viewport else None,
            allow_hosts=header.get("allow_hosts", ()),
        )


async def both(first: Awaitable[Any], second: Awaitable[Any]) -> tuple[Any, Any]:
    """The results of two at once; when one fails, the other has come to its end as well."""
    done = await asyncio.gather(first, second, return_exceptions=True)
    for it in done:
        if isinstance(it, BaseException):
            raise it
    return done[0], done[1]
