"""One run in progress. `Episode.advance` is the loop's body: observe, decide, check, act, record.

Knows the browser, the decider, the people around the run and the journal; how a run is opened and closed is
the agent's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error as PageError

from ..errors import ActionError, ContextError, PolicyError, SaccadeError
from ..tools.actions import Action, Answer, AskUser, Terminate, Type
from ..tools.element import Element
from ..tools.geometry import Geometry
from ..tools.observation import Effect, Observation
from ..vision.screen import same
from .calls import Vocabulary
from .conditions import value_of
from .decide import Decider, Turn
from .events import Event, Planned, Seen
from .journal import Journal
from .judge import Judge
from .loops import Limits, repetition_note
from .memory import make_memory
from .people import UNSEEN, People, taken_over
from .protocol import ChatModel, ToolCall
from .results import Finish
from .run import Outcome, Run, Step, Timings, fingerprint
from .secrets import Secrets
from .state import take_state
from .target import FOCUS, targets_of
from .usertools import UseTool

if TYPE_CHECKING:
    from ..tools import Browser
    from .agent import Agent

INTERRUPTED = Outcome("interrupted", "the run was interrupted")
MARGIN_PX = 12
FOCUS_STEPS = 3
SAID = ("error", "dialog")  # what an effect says in words


@dataclass(frozen=True)
class Result:
    effect: Effect | None = None
    error: str | None = None
    user_reply: str | None = None
    output: str | None = None


class Episode:
    """`outcome` stays None while the run may go on."""

    def __init__(
        self,
        agent: "Agent",
        model: ChatModel,
        browser: "Browser",
        journal: Journal,
        limits: Limits,
        emit: Callable[[Event], None],
    ):
        self.agent = agent
        self.model = model
        self.browser = browser
        self.journal = journal
        self.limits = limits
        self.emit = emit
        self.secrets: Secrets = agent.secrets
        self.people = People(agent.control, emit, agent.approve, agent.ask_before, agent.ask_user)
        about = self.secrets.describe() if self.secrets else ""
        self.memory = make_memory(model.preferences.memory, agent.task, about, agent.max_context)
        self.vocabulary = Vocabulary([*self.memory.tools, *agent.tools], agent.output)
        self.decider = Decider(agent.task, model, browser, self.vocabulary, agent.thinking, agent.zoom)
        self.steps: list[Step] = []
        self.outcome: Outcome | None = None
        self.final_path: Path | None = None
        self.judge = Judge(agent, model, browser, self._save_final, self.memory.tell)
        self._queue: tuple[ToolCall, ...] = ()
        self._last: Observation | None = None
        self._told: list[str] = []
        self._start = perf_counter()
        self._earlier_s = 0.0

    async def advance(self) -> Step:
        """One step: observe, decide, check, act, record."""
        observation, observe_s = await timed(self.observe())
        saved = asyncio.create_task(self.save(observation))  # beside what the model and the browser do
        try:
            turn = await self.decide(observation)
            result, act_s = await timed(self.act(turn, observation))
        finally:
            screen = await saved
        step = Step(
            index=len(self.steps),
            url=observation.url,
            title=observation.title,
            screenshot_path=self.journal.picture(f"{len(self.steps):03d}"),
            screen=screen,
            thought=turn.thought,
            text=turn.text,
            call=turn.call,
            action=turn.action,
            effect=result.effect,
            error=result.error,
            user_reply=result.user_reply,
            result=result.output,
            told=tuple(self._told),
            targets=turn.targets,
            continues=turn.continues,
            instead=turn.instead,
            thinking=turn.thinking,
            confidence=turn.confidence,
            usage=turn.usage,
            timings=split_time(observe_s, turn.seconds, turn.timings, act_s),
        )
        self._queue, self._told = (() if result.error else turn.further), []
        return await self.record(step)

    async def observe(self) -> Observation:
        """The page, once nobody else acts in it, as the model may see it."""
        changed = await self.people.wait(self.browser)
        if changed is not None:
            self._hear(taken_over(changed))
        for text in self.agent.control.hear():
            self._hear(f"The user says: {text}")
        observation = await self.secrets.cover(await self.browser.observe(), self.browser)
        self.emit(Seen(len(self.steps), observation.image, observation.url))
        return observation

    async def save(self, observation: Observation) -> str:
        """The picture and what `resume` needs, to disk; the picture's fingerprint."""
        name = f"{len(self.steps):03d}"
        screen, _, _ = await asyncio.gather(
            asyncio.to_thread(fingerprint, observation),
            asyncio.to_thread(self.journal.save_screenshot, name, observation),
            self._save_state(),
        )
        return screen

    async def decide(self, observation: Observation) -> Turn:
        """The next call of the last reply while the page is as it was, else a new reply."""
        undisturbed = bool(self._queue) and not self._told and self._undisturbed(observation)
        self._last = observation
        if undisturbed:
            call, *further = self._queue
            return await self.decider.follow_up(call, tuple(further), observation)
        if self._queue:
            self.memory.tell(
                f"The page changed, so {len(self._queue)} further calls of that reply were not done."
            )
        messages = self.memory.see(observation)
        while True:
            try:
                return await self.decider.decide(messages, observation, self.steps)
            except ContextError:
                shorter = self.memory.shrink()
                if shorter is None:
                    raise
                messages = shorter

    async def act(self, turn: Turn, observation: Observation) -> Result:
        """Do it, once people let it happen; an end needs no doing."""
        if turn.error or turn.action is None:
            return Result(error=turn.error)
        action = turn.action
        self.emit(Planned(len(self.steps), observation.image, observation.url, turn.thought, action))
        changed = await self.people.wait(self.browser)
        if changed is not None and changed > UNSEEN:
            return Result(error="the user acted in the page meanwhile: look again")
        denial = await self.people.permit(action, turn.risk, observation)
        if denial:
            return Result(error=denial)
        match action:
            case Answer() | Terminate() | Finish():
                return Result()
            case AskUser() as question:
                return Result(user_reply=await self.people.answer(question.text))
            case UseTool() as use:
                return await self.use(use)
            case _:
                return await self.execute(action, turn)

    async def execute(self, action: Any, turn: Turn) -> Result:
        targets, secret = turn.targets, self.secrets.named_in(action)
        if secret and self._last is not None:  # a person may have thought for long
            targets = await targets_of(action, self.browser, self._last.geometry)

        async def allow() -> None:
            """A page may move the focus when it is clicked, or later."""
            focus = await self.browser.focused(whole=False)
            self.secrets.fill(Type(text=action.text), self.browser.address, {FOCUS: focus} if focus else {})

        try:
            filled: Action = self.secrets.fill(action, self.browser.address, targets)
            effect = await self.browser.execute(filled, allow if secret else None)
        except (ActionError, PolicyError) as error:
            return Result(error=self.secrets.scrub(str(error)))
        said = {name: getattr(effect, name) and self.secrets.scrub(getattr(effect, name)) for name in SAID}
        effect = replace(effect, **said)
        return Result(effect, effect.error)

    async def use(self, tool: UseTool) -> Result:
        """Whatever a tool of the user raises is an observation: the run goes on."""
        try:
            return Result(output=self.secrets.scrub(await tool.run(self.browser)))
        except Exception as error:
            return Result(error=self.secrets.scrub(f"{tool.action}: {error or type(error).__name__}"))

    async def record(self, step: Step) -> Step:
        """Journal the step, remember it, show it, judge it; in this order."""
        step = replace(step, note=repetition_note([*self.steps, step], self.limits))
        self.journal.append(step)
        self.steps.append(step)
        self.memory.record(step)
        self.emit(step)
        if self.agent.on_step:
            await value_of(self.agent.on_step(step))
        self.outcome = await self.judge.outcome(self.steps, self.seconds, self.limits)
        return step

    def take_up(self, steps: Sequence[Step]) -> None:
        """Go on after these steps of an earlier process: the memory sees them as if they were new."""
        for step in steps:
            for text in step.told:
                self.memory.tell(text)
            if not step.continues:
                self.memory.see(seen_at(step))
            self.memory.record(step)
            self.steps.append(step)
            self._earlier_s += step.timings.total
        if steps:
            self._hear("The run was cut off here and goes on in a new browser window.")

    @property
    def seconds(self) -> float:
        """Of this process by the clock, of earlier ones by their steps."""
        return perf_counter() - self._start + self._earlier_s

    def finish(self) -> Run:
        """The Run, written as the result; without an outcome it was interrupted."""
        run = Run(
            task=self.agent.task,
            model=self.model.name,
            outcome=self.outcome or INTERRUPTED,
            steps=tuple(self.steps),
            seconds=self.seconds,
            folder=self.journal.folder,
            final_path=self.final_path,
            checks=self.judge.checks,
        )
        self.journal.finish(run)
        return run

    def _hear(self, text: str) -> None:
        self._told.append(text)
        self.memory.tell(text)

    def _undisturbed(self, now: Observation) -> bool:
        """Whether what the last action changed lies within what was just acted on: a field that loses the
        focus changes too.
        """
        if not self.steps or self._last is None:
            return False
        last, effect = self.steps[-1], self.steps[-1].effect
        if effect is None or not effect.visible:
            return not last.error
        if effect.navigated or effect.new_tab or effect.dialog or not last.targets:
            return False
        targets = [target for step in self.steps[-FOCUS_STEPS:] for target in step.targets.values()]
        return not changed_elsewhere(self._last, now, targets)

    async def _save_final(self) -> Observation:
        final = await self.secrets.cover(await self.browser.observe(), self.browser)
        self.final_path = self.journal.save_screenshot("final", final)
        return final

    async def _save_state(self) -> None:
        """For `resume`. A page that is just leaving has no state; the next step saves it again."""
        if self.browser.cdp_url is None:
            try:
                self.journal.save_state(await take_state(self.browser))
            except (PageError, SaccadeError):
                return


def changed_elsewhere(before: Observation, after: Observation, targets: Sequence[Element]) -> bool:
    """Whether anything changed that does not lie on one of the targets, or just around it."""
    if before.image.size != after.image.size:
        return True
    patched = after.image.copy()
    for target in targets:
        x, y, width, height = target.box
        left, top = after.geometry.css_to_image((x - MARGIN_PX, y - MARGIN_PX))
        right, bottom = after.geometry.css_to_image((x + width + MARGIN_PX, y + height + MARGIN_PX))
        box = (max(round(left), 0), max(round(top), 0), round(right), round(bottom))
        patched.paste(before.image.crop(box), box[:2])
    return not same(before.image, patched)


def seen_at(step: Step) -> Observation:
    """The look that a journaled step began with, as far as a memory needs it."""
    image = step.screenshot
    return Observation(image, Geometry(*image.size, *image.size), step.url, step.title)


def split_time(observe_s: float, reply_s: float, reply: dict[str, float], act_s: float) -> Timings:
    """What the model does not account for counts as decoding."""
    vision, prefill = reply.get("vision", 0.0), reply.get("prefill", 0.0)
    decode = reply.get("decode", max(0.0, reply_s - vision - prefill))
    return Timings(observe_s, vision, prefill, decode, act_s)


async def timed(work: Awaitable[Any]) -> tuple[Any, float]:
    start = perf_counter()
    return await work, perf_counter() - start
