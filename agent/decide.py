"""One decision: the model is asked, as deeply as the step is worth; its call becomes an action or an error.

Asks a second time where that pays: a risky action that came without thought, a small target (zoom). Knows the
model and what is under a point; does nothing on the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import ActionError
from ..tools.element import Element
from ..tools.observation import Observation
from .approval import risk_of
from .calls import Call, Vocabulary
from .doubt import LEAST, WHY, Doubt, doubt_of, ends, ends_early, left_undone
from .place import names_any, quoted
from .protocol import NO_USAGE, ChatModel, Thinking, ToolCall, Usage
from .run import Step, fingerprint
from .target import targets_of
from .thinking import FIRST_TOKENS, Budget, Effort, effort_for
from .zoom import Zoom, closer, crop_box, mapped, refined, worth_it

if TYPE_CHECKING:
    from ..tools import Browser

NO_ACTION = "no action found in the reply"


@dataclass(frozen=True)
class Turn:
    """What is to be done now. `further` calls came with the same reply; `risk`: why a person should look."""

    thought: str = ""
    text: str = ""
    call: ToolCall | None = None
    action: Call | None = None
    error: str | None = None
    targets: dict[str, Element] = field(default_factory=dict)
    risk: str | None = None
    further: tuple[ToolCall, ...] = ()
    continues: bool = False
    instead: str = ""  # of what, and why
    thinking: str = "auto"
    confidence: float | None = None
    usage: Usage = NO_USAGE
    timings: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


class Decider:
    def __init__(
        self,
        task: str,
        model: ChatModel,
        browser: "Browser",
        vocabulary: Vocabulary,
        thinking: Thinking = "auto",
        zoom: Zoom = "never",
    ):
        self.task = task
        self.model = model
        self.browser = browser
        self.vocabulary = vocabulary
        self.schemas = vocabulary.schemas()
        self.thinking: Thinking = thinking
        self.zoom: Zoom = zoom
        # Who has a conversation is not asked for them: it reads there what came of what it did.
        has_memory = model.preferences.memory != "snapshot"
        self.alternatives = None if has_memory else getattr(model, "alternatives", None)

    async def decide(self, messages: list[dict], observation: Observation, steps: Sequence[Step]) -> Turn:
        effort = self.effort(steps)
        turn = await self.ask(messages, observation, effort.thinking)
        if turn.risk and effort.thinking == "fast":
            again = await self.ask(messages, observation, Budget("deep", FIRST_TOKENS))
            turn = added(again, turn)
        if self.alternatives and (doubt := self.doubt(turn, observation, steps)):
            turn = await self.otherwise(turn, doubt, messages, observation, effort.thinking, steps)
        target = turn.targets.get("coordinate")
        if worth_it(self.zoom, turn.action, target, turn.confidence):
            turn = await self.look_closer(turn, observation)
        return turn

    async def follow_up(
        self, call: ToolCall, further: tuple[ToolCall, ...], observation: Observation
    ) -> Turn:
        """The next call of a reply that held several."""
        return await self.read(Turn(call=call, further=further, continues=True), observation)

    def effort(self, steps: Sequence[Step]) -> Effort:
        """A snapshot model's thought is its memory: it thinks as it was trained to."""
        if self.model.preferences.memory == "snapshot":
            return Effort(self.thinking, "as the model is used to")
        return effort_for(self.thinking, [step for step in steps if not step.continues])

    async def ask(self, messages: list[dict], observation: Observation, thinking: str) -> Turn:
        start = perf_counter()
        reply = await self.model.reply(messages, self.schemas, thinking)
        return await self.turn_of(reply, observation, thinking, perf_counter() - start)

    def doubt(
        self, turn: Turn, observation: Observation, steps: Sequence[Step], is_second: bool = False
    ) -> Doubt:
        quotes_task = getattr(self.model.preferences, "quotes_task", False)
        return doubt_of(turn, self.task, steps, partial(fingerprint, observation), quotes_task, is_second)

    async def otherwise(
        self,
        turn: Turn,
        doubt: Doubt,
        messages: list[dict],
        observation: Observation,
        thinking: str,
        steps: Sequence[Step],
    ) -> Turn:
        """Instead of what is doubtful, the likeliest other thing that the model was near to and that is less
        so; the turn itself where there is none."""
        assert self.alternatives is not None
        assert turn.action is not None
        must_say_why, why, start = doubt < Doubt.LED_NOWHERE, WHY[doubt], perf_counter()
        replies = await self.alternatives(messages, self.schemas, thinking, least=LEAST[doubt])
        seconds = perf_counter() - start
        best, usage, undone = turn, turn.usage, left_undone(self.task, steps)
        for reply in replies:
            other = await self.turn_of(reply, observation, thinking, 0.0)
            usage, less = usage + other.usage, self.doubt(other, observation, steps, is_second=True)
            says_why = quoted(other.thought) or (ends(turn.action) and names_any(undone, other.thought))
            if other.action is None or ends_early(other.action, self.task, steps):
                continue  # who has searched in vain must not call that success
            if less < doubt and (says_why or not must_say_why):
                best, doubt = replace(other, instead=f"{turn.action.describe()}, which {why}"), less
        timings = turn.timings | {"decode": turn.timings.get("decode", 0.0) + seconds}  # all at a time
        return replace(best, usage=usage, timings=timings, seconds=turn.seconds + seconds)

    async def turn_of(self, reply: Any, observation: Observation, thinking: str, seconds: float) -> Turn:
        calls = [ToolCall(call.name, call.arguments) for call in reply.calls]
        turn = Turn(
            thought=reply.thought,
            text=reply.text,
            call=calls[0] if calls else None,
            further=tuple(calls[1:]),
            thinking=str(thinking),
            confidence=getattr(reply, "confidence", None),
            usage=Usage.of(reply.usage),
            timings=dict(reply.timings),
            seconds=seconds,
        )
        return await self.read(turn, observation) if calls else replace(turn, error=NO_ACTION)

    async def read(self, turn: Turn, observation: Observation) -> Turn:
        """The turn with its call read and what it points at, or with what is wrong with it."""
        assert turn.call is not None
        try:
            action = self.vocabulary.read(turn.call)
        except ActionError as error:
            return replace(turn, error=str(error))
        targets = await targets_of(action, self.browser, observation.geometry)
        return replace(turn, action=action, targets=targets, risk=risk_of(action, targets, observation.url))

    async def look_closer(self, turn: Turn, observation: Observation) -> Turn:
        action: Any = turn.action
        assert turn.call is not None
        box, start = crop_box(observation, action.coordinate), perf_counter()
        question = closer(self.task, f"{turn.thought} {action.describe()}".strip(), observation, box)
        reply = await self.model.reply(question, self.schemas[:1], "fast")
        if reply.calls:
            action = mapped(action, ToolCall(reply.calls[0].name, reply.calls[0].arguments), observation, box)
        closer_turn = replace(turn, call=refined(turn.call, action), usage=turn.usage + Usage.of(reply.usage))
        seen = await self.read(closer_turn, observation)
        return replace(seen, seconds=turn.seconds + perf_counter() - start)


def added(turn: Turn, before: Turn) -> Turn:
    """The later of two turns, with what both cost."""
    timings = {key: turn.timings.get(key, 0.0) + before.timings.get(key, 0.0) for key in turn.timings}
    return replace(
        turn, usage=turn.usage + before.usage, timings=timings, seconds=turn.seconds + before.seconds
    )
