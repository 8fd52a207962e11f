"""One run in progress, as people see and steer it: its phase, picture, thought, steps, and their own hands.

The state changes in the registry's loop alone; `watch` tells every watcher, in the watcher's own loop.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from typing import Any, Literal

from PIL import Image
from playwright.async_api import Error as PageError

from ..agent import Agent, Run, Step
from ..agent.events import Asked, Ended, Event, NeedsApproval, Paused, Planned, Resumed, Seen
from ..agent.export import draw_action
from ..agent.journal import scrub_strings
from ..errors import InputError, SaccadeError
from ..vision.screen import same

Phase = Literal["starting", "thinking", "acting", "paused", "asking", "approving", "ended"]
WIDTH_PX, QUALITY = 1280, 86
MIRROR_S = 0.7
WITH_HANDS = ("paused", "asking")


@dataclass(frozen=True)
class Frame:
    """A look at the page; `action` is what is about to be done there; `taken` in seconds since the epoch."""

    image: Image.Image
    url: str
    taken: float
    action: Any = None

    @cached_property
    def jpeg(self) -> bytes:
        """With the planned action drawn on it, no wider than `WIDTH_PX`."""
        marked = draw_action(self.image, self.action) if self.action else self.image
        return as_jpeg(marked, WIDTH_PX)


class LiveRun:
    """`id` is a capability: it cannot be guessed, and who has it may watch, steer and stop."""

    def __init__(self, id: str, agent: Agent, owner: str, loop: asyncio.AbstractEventLoop):
        self.id = id
        self.agent = agent
        self.owner = owner
        self.started = time.time()
        self.phase: Phase = "starting"
        self.pausing = False
        self.wanted = False
        self.frame: Frame | None = None
        self.thought = ""
        self.plan: Any = None
        self.question: str | None = None
        self.risk: str | None = None
        self.steps: list[Step] = []
        self.result: Run | None = None
        self.error: str | None = None
        self.log: list[dict[str, Any]] = []
        self._loop = loop
        self._hands = asyncio.Lock()
        self._deeds: list[str] = []
        self._reply: asyncio.Future[Any] | None = None
        self._mirror: asyncio.Task[None] | None = None
        self._watchers: set[Callable[[], Any]] = set()

    @property
    def ended(self) -> bool:
        return self.phase == "ended"

    @property
    def hands(self) -> bool:
        """Whether the page is in a person's hands."""
        return self.wanted and self.phase in WITH_HANDS

    # What a watcher may do, from any thread.

    async def watch(self) -> AsyncIterator["LiveRun"]:
        """Itself at once and after changes, until the run has ended; changes in quick succession are one."""
        loop, wake = asyncio.get_running_loop(), asyncio.Event()
        notify = partial(loop.call_soon_threadsafe, wake.set)
        self._watchers.add(notify)
        try:
            while True:
                wake.clear()
                last = self.ended
                yield self
                if last:
                    return
                await wake.wait()
        finally:
            self._watchers.discard(notify)

    async def events(self, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Everything that happened, ready for JSON, each with its `number`; goes on until the run ends."""
        async for _ in self.watch():
            while after < len(self.log):
                after += 1
                yield {"number": after, **self.log[after - 1]}

    def pause(self) -> None:
        """At the next look or action."""
        self.agent.pause()
        self._loop.call_soon_threadsafe(self._set_pausing, True)

    def take_over(self) -> None:
        """Pause, and mean to act in the page oneself."""
        if self.phase != "asking":
            self.pause()
        self._loop.call_soon_threadsafe(self._want)

    def resume(self, word: str = "") -> None:
        """Go on; the model hears `word`, and that a person acted."""
        asyncio.run_coroutine_threadsafe(self._resume(word), self._loop)

    def stop(self) -> None:
        self.agent.stop()

    def tell(self, word: str) -> None:
        """Before the next step, without a pause."""
        if word.strip():
            self.agent.tell(word.strip())

    def answer(self, text: str) -> None:
        """To the question of `ask_user`."""
        asyncio.run_coroutine_threadsafe(self._answer("asking", text.strip()), self._loop)

    def approve(self, yes: bool, word: str = "") -> None:
        """Let the planned action happen, or not; the model hears `word`."""
        self.tell(word)
        asyncio.run_coroutine_threadsafe(self._answer("approving", yes), self._loop)

    async def act(self, action: Any) -> str | None:
        """Do something in the page oneself; what went wrong, or None.

        Raises InputError unless the run is paused or asks a question.
        """
        work = asyncio.run_coroutine_threadsafe(self._act(action), self._loop)
        return await asyncio.wrap_future(work)

    # What the agent is given.

    async def wait_for_answer(self, question: str) -> str:
        return await self._wait()

    async def wait_for_approval(self, action: Any, observation: Any) -> bool:
        return await self._wait()

    def hear(self, thought: str) -> None:
        self.thought = self.agent.secrets.scrub(thought)
        self._changed()

    # What happens in the registry's loop.

    async def play(self) -> None:
        """The run, to its end. Whatever goes wrong is one line in `error`."""
        try:
            async for event in self.agent.events():
                self.take(event)
        except SaccadeError as error:
            self.error = " ".join(str(error).split())
        except Exception as error:
            self.error = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise
        finally:
            self._end()

    def take(self, event: Event) -> None:
        match event:
            case Seen(image=image, url=url):
                self.frame, self.phase = Frame(image, url, time.time()), "thinking"
                self.thought, self.plan = "", None
            case Planned(image=image, url=url, thought=thought, action=action):
                self.frame, self.phase = Frame(image, url, time.time(), action), "acting"
                self.thought, self.plan = self.agent.secrets.scrub(thought), action
            case Asked(question=question):
                self.phase, self.question = "asking", question
                self._show_page()
            case NeedsApproval(reason=reason):
                self.phase, self.risk = "approving", reason
            case Paused():
                self.phase, self.pausing = "paused", False
                self._show_page()
            case Resumed():
                self.phase = "acting" if self.plan else "thinking"
            case Step():
                self.steps.append(event)
            case Ended(run=run):
                self.result = run
        self.log.append(scrub_strings(line_of(event), self.agent.secrets.scrub))
        self._changed()

    async def _wait(self) -> Any:
        self._reply = self._loop.create_future()
        try:
            return await self._reply
        finally:
            self._reply = self.question = self.risk = None
            self.wanted = False
            self.phase = "acting"
            self._hide_page()
            self._changed()

    async def _answer(self, phase: Phase, value: Any) -> None:
        """Once the person's hands are off the page."""
        async with self._hands:
            if self.phase == phase and self._reply is not None and not self._reply.done():
                self._confess()
                self._reply.set_result(value)

    async def _resume(self, word: str) -> None:
        async with self._hands:
            self._hide_page()
            self.wanted = False
            self._set_pausing(False)
            self._confess()
            self.agent.resume(word.strip() or None)

    def _confess(self) -> None:
        """The model hears what a person did. In our words alone: a page's words would speak as the user."""
        if self._deeds:
            self.agent.tell(f"I did this in the page myself: {', '.join(self._deeds)}.")
        self._deeds = []

    async def _act(self, action: Any) -> str | None:
        if self.phase not in WITH_HANDS:
            raise InputError("the agent has the page: pause it first")
        async with self._hands:
            effect = await self.agent.browser.execute(action)
            self._deeds.append(deed(action))
            await self._look()
        return effect.error

    async def _look(self) -> None:
        browser = self.agent.browser
        seen = await self.agent.secrets.cover(await browser.observe(), browser)
        if self.frame is None or not same(self.frame.image, seen.image):
            self.frame = Frame(seen.image, seen.url, time.time())
            self._changed()

    async def _keep_looking(self) -> None:
        """What moves in the page while a person has it. A page that is just leaving is looked at again."""
        while True:
            async with self._hands:
                with suppress(SaccadeError, PageError):
                    await self._look()
            await asyncio.sleep(MIRROR_S)

    def _show_page(self) -> None:
        if self._mirror is None:
            self._mirror = self._loop.create_task(self._keep_looking())

    def _hide_page(self) -> None:
        if self._mirror is not None:
            self._mirror.cancel()
            self._mirror = None

    def _want(self) -> None:
        self.wanted = True
        self._changed()

    def _set_pausing(self, pausing: bool) -> None:
        self.pausing = pausing and self.phase not in ("paused", "ended")
        self._changed()

    def _end(self) -> None:
        self._hide_page()
        if self.result is None:
            self.error = self.error or "stopped before the first step"
            self.log.append({"event": "error", "error": self.error})
        self.phase, self.pausing = "ended", False
        self._changed()

    def _changed(self) -> None:
        for notify in list(self._watchers):
            with suppress(RuntimeError):  # the watcher's loop is closed
                notify()


def deed(action: Any) -> str:
    """What a person did, without what was typed: it may be a password."""
    match action.action:
        case "type":
            return "typed text"
        case "key":
            return f"pressed {' '.join(action.keys)}" if len("".join(action.keys)) > 1 else "pressed a key"
        case name:
            point = getattr(action, "coordinate", None)
            return f"{name.replace('_', ' ')} at {list(point)}" if point else name.replace("_", " ")


def line_of(event: Event) -> dict[str, Any]:
    """An event for JSON; pictures stay in the run's folder."""
    match event:
        case Seen(index=index, url=url):
            return {"event": "seen", "index": index, "url": url}
        case Planned(index=index, url=url, thought=thought, action=action):
            said = {"thought": thought, "action": action.arguments(), "description": action.describe()}
            return {"event": "planned", "index": index, "url": url, **said}
        case Asked(question=question):
            return {"event": "asked", "question": question}
        case NeedsApproval(action=action, reason=reason):
            return {"event": "needs_approval", "description": action.describe(), "reason": reason}
        case Paused():
            return {"event": "paused"}
        case Resumed(changed=changed):
            return {"event": "resumed", "changed": changed}
        case Step():
            return {"event": "step", **event.to_dict()}
        case Ended(run=run):
            return {"event": "ended", **run.to_dict()}


def as_jpeg(image: Image.Image, width_px: int, quality: int = QUALITY) -> bytes:
    """No wider than `width_px`."""
    picture = image.convert("RGB")
    if picture.width > width_px:
        size = (width_px, round(picture.height * width_px / picture.width))
        picture = picture.resize(size, reducing_gap=2)
    data = BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return data.getvalue()
