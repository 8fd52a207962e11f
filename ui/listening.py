"""A model that is heard while it thinks: the same replies, and the thought piece by piece to a listener.

Knows the ChatModel protocol and the local engine's stream; other models are heard once they have replied.
"""

import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from ..agent.protocol import ChatModel
from ..agent.thinking import Budget

if TYPE_CHECKING:
    from ..model.engine import Engine
    from ..model.generation import Generation

Hear = Callable[[str], None]


class Listening:
    """`hear` gets all of the thought so far, from whatever thread the reply is awaited in."""

    def __init__(self, model: ChatModel, hear: Hear):
        self.model = model
        self.hear = hear
        self.name = model.name

    @property
    def preferences(self) -> Any:
        return self.model.preferences

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Any:
        engine = as_engine(self.model)
        if engine is None:
            reply = await self.model.reply(messages, tools, thinking)
            self.name = self.model.name  # a server may name its only model late
            self.hear(reply.thought)
            return reply
        generation = engine.generate(messages, tools, thinking=bounded(engine, thinking))
        async for thought, _ in written(generation):
            self.hear(thought)
        return generation.reply


async def written(generation: "Generation") -> AsyncIterator[tuple[str, str]]:
    """Thought and answer, as far as they are written."""
    from ..model.calls import CLOSE_THINK
    from ..model.request import Piece

    said = {"thinking": "", "answer": ""}
    async for event in generation:
        if isinstance(event, Piece):
            said[event.phase] += event.text
            yield said["thinking"].partition(CLOSE_THINK)[0].strip(), said["answer"].strip()


def bounded(engine: "Engine", thinking: str) -> Any:
    """The mode with its budget, in the engine's own terms."""
    from ..model.thinking import Thinking

    if not isinstance(thinking, Budget):
        return thinking
    mode: Any = engine.preferences.thinking if thinking == "auto" else str(thinking)
    return Thinking(mode, thinking.max_tokens)


def as_engine(model: Any) -> "Engine | None":
    """Torch is not loaded to find out that a model does not need it."""
    module = sys.modules.get(__name__.replace(".ui.listening", ".model.engine"))
    return model if module is not None and isinstance(model, module.Engine) else None
