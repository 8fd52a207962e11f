"""The agent: a task, a model and a browser, one step at a time until something ends the run.

`Agent` holds the settings and opens and closes what a run needs; `Episode` is one run in progress, and
`Episode.advance` is the loop's body: observe, decide, check, act, record. Knows the ChatModel protocol and
the browser; knows no engine, no checkpoint and no user interface.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha1
from inspect import isawaitable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import ActionError, InputError, PolicyError, SaccadeError
from ..tools.actions import Action, Answer, AskUser, Terminate, computer_use_schema, parse_action
from ..tools.observation import Effect, Observation
from . import models
from .journal import Journal, Scrub
from .loops import Limits, check_limits, repetition_note
from .memory import make_memory
from .protocol import ChatModel, Thinking, ToolCall, Usage
from .run import Outcome, Run, Step, Timings

if TYPE_CHECKING:
    from ..tools import Browser

NO_ACTION = "no action found in the reply"
INTERRUPTED = Outcome("interrupted", "the run was interrupted")

Condition = str | Callable[[Any], Any]


class Agent:
    """Runs one task in a browser.

    `model` is "builtin", a path, or any object with the ChatModel protocol. `browser` is started, and then
    closed, only if it is not running yet; without one, a new one starts on an empty page.
    `until` judges success on the page: a JavaScript expression, or a function of the Playwright page; it wins
    over the model's own word. `approve(action, observation) -> bool` may deny an action, `ask_user(question)
    -> str` answers the model, `on_step(step)` sees each step once it is journaled; the three may be async.
    `scrub` passes every string on its way to the run folder `out` (default `runs/<timestamp>-<slug>`).
    """

    def __init__(
        self,
        task: str,
        model: str | os.PathLike | ChatModel = "builtin",
        browser: "Browser | None" = None,
        *,
        thinking: Thinking = "auto",
        out: str | os.PathLike | None = None,
        max_steps: int | None = 20,
        max_seconds: float | None = None,
        max_tokens: int | None = None,
        until: Condition | None = None,
        approve: Callable[[Action, Observation], Any] | None = None,
        ask_user: Callable[[str], Any] | None = None,
        on_step: Callable[[Step], Any] | None = None,
        scrub: Scrub = str,
    ):
        if not task.strip():
            raise InputError("the task is empty; say in a sentence what is to be done")
        self.task = task.strip()
        self.model = model
        self.browser = browser
        self.thinking = thinking
        self.out = out
        self.limits = Limits(max_steps, max_seconds, max_tokens)
        self.until = until
        self.approve = approve
        self.ask_user = ask_user
        self.on_step = on_step
        self.scrub = scrub
        self.result: Run | None = None

    async def run(self, max_steps: int | None = None) -> Run:
        """Raises InputError, BrowserError, CheckpointError when the run cannot start; later trouble is a
        status of the Run.
        """
        async for _ in self.stream(max_steps):
            pass
        assert self.result is not None
        return self.result

    def run_sync(self, max_steps: int | None = None) -> Run:
        """`run` for code without an event loop."""
        return asyncio.run(self.run(max_steps))

    async def stream(self, max_steps: int | None = None) -> AsyncIterator[Step]:
        """Yield each step once it is journaled; afterwards `self.result` is the Run. Raises as `run` does.

        A loop that is left early ends the run when the generator is closed (`aclose`).
        """
        async with self._episode(max_steps) as episode:
            while episode.outcome is None:
                yield await episode.advance()

    @asynccontextmanager
    async def _episode(self, max_steps: int | None) -> AsyncIterator["Episode"]:
        limits = replace(self.limits, max_steps=max_steps) if max_steps is not None else self.limits
        journal = Journal.reserve(self.out, self.task, self.scrub)
        async with AsyncExitStack() as stack:
            stack.callback(journal.discard)
            model = models.resolve(self.model)
            browser = await self._open_browser(model, stack)
            episode = Episode(self, model, browser, journal, limits)
            journal.begin(task=self.task, model=model.name, thinking=self.thinking, limits=asdict(limits))
            try:
                yield episode
            except SaccadeError as error:
                episode.outcome = Outcome("error", str(error))
            except Exception as error:
                episode.outcome = Outcome("error", repr(error))
                raise
            finally:
                self.result = episode.finish()

    async def _open_browser(self, model: ChatModel, stack: AsyncExitStack) -> "Browser":
        """A browser that runs already keeps its viewport, and outlives the run."""
        from ..tools import Browser

        browser = self.browser or Browser()
        if not browser.started:
            browser.viewport = browser.viewport or model.preferences.viewport
            stack.push_async_callback(browser.close)
            await browser.start()
        return browser


class Episode:
    """One run in progress. `outcome` stays None while it may go on."""

    def __init__(self, agent: Agent, model: ChatModel, browser: "Browser", journal: Journal, limits: Limits):
        self.agent = agent
        self.model = model
        self.browser = browser
        self.journal = journal
        self.limits = limits
        self.memory = make_memory(model.preferences.memory, agent.task)
        self.tools = [computer_use_schema()]
        self.steps: list[Step] = []
        self.outcome: Outcome | None = None
        self.final_path: Path | None = None
        self._start = perf_counter()

    async def advance(self) -> Step:
        """One step: observe, decide, check, act, record."""
        (observation, screenshot_path), observe_s = await timed(self.observe())
        messages = self.memory.see(observation)
        reply, reply_s = await timed(self.model.reply(messages, self.tools, self.agent.thinking))
        decision = await self.check(reply, observation)
        result, act_s = await timed(self.act(decision))
        step = Step(
            index=len(self.steps),
            url=observation.url,
            title=observation.title,
            screenshot_path=screenshot_path,
            screen=fingerprint(observation),
            thought=reply.thought,
            text=reply.text,
            call=decision.call,
            action=decision.action,
            effect=result.effect,
            error=result.error,
            user_reply=result.user_reply,
            usage=Usage.of(reply.usage),
            timings=split_time(observe_s, reply_s, reply.timings, act_s),
        )
        return await self.record(step)

    async def observe(self) -> tuple[Observation, Path]:
        observation = await self.browser.observe()
        return observation, self.journal.save_screenshot(f"{len(self.steps):03d}", observation.image)

    async def check(self, reply: Any, observation: Observation) -> "Decision":
        """The reply's first call as an action, or why there is none."""
        if not reply.calls:
            return Decision(error=NO_ACTION)
        call = ToolCall(reply.calls[0].name, reply.calls[0].arguments)
        try:
            action = parse_action(call.name, call.arguments)
        except ActionError as error:
            return Decision(call, error=str(error))
        approve = self.agent.approve
        if approve and not await value_of(approve(action, observation)):
            return Decision(call, action, "this action was not approved")
        return Decision(call, action)

    async def act(self, decision: "Decision") -> "Result":
        """Do it on the page, or ask the user; an end needs no doing."""
        if decision.error:
            return Result(error=decision.error)
        match decision.action:
            case None | Answer() | Terminate():
                return Result()
            case AskUser() as question:
                return Result(user_reply=await self.ask(question))
            case action:
                return await self.execute(action)

    async def execute(self, action: Action) -> "Result":
        try:
            effect = await self.browser.execute(action)
        except (ActionError, PolicyError) as error:
            return Result(error=str(error))
        return Result(effect, effect.error)

    async def ask(self, question: AskUser) -> str | None:
        return await value_of(self.agent.ask_user(question.text)) if self.agent.ask_user else None

    async def record(self, step: Step) -> Step:
        """Journal the step, remember it, show it, judge it; in this order."""
        step = replace(step, note=repetition_note([*self.steps, step], self.limits))
        self.journal.append(step)
        self.steps.append(step)
        self.memory.record(step)
        if self.agent.on_step:
            await value_of(self.agent.on_step(step))
        self.outcome = await self.judge(step)
        return step

    async def judge(self, step: Step) -> Outcome | None:
        """How the run ends with this step, or None. The page's word counts before the model's."""
        claim = claimed(step)
        if self.agent.until is not None:
            if await self.until_holds(self.agent.until):
                final = await self.browser.observe()
                self.final_path = self.journal.save_screenshot("final", final.image)
                return Outcome("success", "the page meets the condition", claim.answer if claim else None)
            if claim and claim.status == "success":
                return Outcome("failure", "the model reported success, the page does not", claim.answer)
        return claim or check_limits(self.steps, perf_counter() - self._start, self.limits)

    async def until_holds(self, condition: Condition) -> bool:
        """False also when the page has just gone or the script throws; a later step judges again."""
        from playwright.async_api import Error as PageError

        try:
            if isinstance(condition, str):
                return bool(await self.browser.evaluate(condition))
            return bool(await value_of(condition(self.browser.page)))
        except PageError as error:
            if "SyntaxError" in error.message:
                raise InputError(f"the condition {condition!r} is no JavaScript: {error.message}") from None
            return False

    def finish(self) -> Run:
        """The Run, written as the result; without an outcome it was interrupted."""
        run = Run(
            task=self.agent.task,
            model=self.model.name,
            outcome=self.outcome or INTERRUPTED,
            steps=tuple(self.steps),
            seconds=perf_counter() - self._start,
            folder=self.journal.folder,
            final_path=self.final_path,
        )
        self.journal.finish(run)
        return run


@dataclass(frozen=True)
class Decision:
    call: ToolCall | None = None
    action: Action | None = None
    error: str | None = None


@dataclass(frozen=True)
class Result:
    effect: Effect | None = None
    error: str | None = None
    user_reply: str | None = None


def claimed(step: Step) -> Outcome | None:
    """The end that the step itself asks for, or None."""
    match step.action:
        case _ if step.error:
            return None
        case Answer(text=text):
            return Outcome("success", "the model answered", text)
        case Terminate(status="success"):
            return Outcome("success", "the model reported success")
        case Terminate():
            return Outcome("failure", "the model gave up")
        case AskUser(text=question) if step.user_reply is None:
            return Outcome("needs_user", question)
    return None


def split_time(observe_s: float, reply_s: float, reply: dict[str, float], act_s: float) -> Timings:
    """What the model does not account for counts as decoding."""
    vision, prefill = reply.get("vision", 0.0), reply.get("prefill", 0.0)
    decode = reply.get("decode", max(0.0, reply_s - vision - prefill))
    return Timings(observe_s, vision, prefill, decode, act_s)


def fingerprint(observation: Observation) -> str:
    """Equal for pixel-identical screens."""
    return sha1(observation.image.tobytes(), usedforsecurity=False).hexdigest()[:16]


async def timed(work: Awaitable[Any]) -> tuple[Any, float]:
    start = perf_counter()
    return await work, perf_counter() - start


async def value_of(result: Any) -> Any:
    """The result of a callback that may be async."""
    return await result if isawaitable(result) else result
