"""One-shot helpers for scripts: tell the page what to do, ask it something, take something out of it.

async with Browser("https://shop.example") as browser:
    await browser.act("put the lamp into the cart")
    total = await browser.ask("What is the total?")
    items = await browser.extract(Items, "everything in the cart")

`saccade.Browser` is this one: the browser of `tools`, and a model that is loaded on first use.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ..errors import ActionError, ModelError
from ..tools import browser as plain
from . import models
from .agent import Agent
from .memory import image_part, text_part, user
from .protocol import ChatModel, Reply
from .results import finish_schema, read_finish
from .run import Run

Output = TypeVar("Output", bound=BaseModel)
REPAIRS = 2
ANSWER = {
    "type": "function",
    "function": {
        "name": "answer",
        "description": "Give the answer, as the page shows it.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
}


class Browser(plain.Browser):
    """A browser with `act`, `ask` and `extract`; set `model` to what `Agent` takes before the first use."""

    model: Any = "builtin"
    _loaded: ChatModel | None = None

    async def act(self, instruction: str, *, max_steps: int = 5, out: str | Path | None = None) -> Run:
        """A short run of the agent on the page that is open. Raises as `Agent.run` does."""
        out = out or Path(tempfile.mkdtemp(prefix="saccade-act-"))
        return await Agent(instruction, self._chat(), self, out=out, max_steps=max_steps).run()

    async def ask(self, question: str) -> str:
        """What the visible part of the page says. Raises ModelError when the model gives no answer."""

        def read(reply: Reply) -> str:
            said = [str(call.arguments.get("text", "")) for call in reply.calls] + [reply.text.strip()]
            answer = next((text for text in said if text), None)
            if answer is None:
                raise ActionError("no answer was given")
            return answer

        return await self._reply(question, ANSWER, read)

    async def extract(self, output: type[Output], what: str = "what the page shows") -> Output:
        """The visible part of the page in a type of yours. Raises ModelError when it does not fit."""

        def read(reply: Reply) -> Any:
            given: Any = reply.calls[0].arguments if reply.calls else reply.text
            given = given.get("text", given) if isinstance(given, dict) else given
            return read_finish(output, given).output

        return await self._reply(f"Extract {what}.", finish_schema(output), read)

    async def _reply(self, asked: str, tool: dict[str, Any], read: Callable[[Any], Any]) -> Any:
        """One question about the screenshot; a reply that cannot be read is asked for again."""
        seen = await self.observe()
        messages = [user(image_part(seen.image), text_part(f"Page: {seen.url}\n{asked}"))]
        for _ in range(REPAIRS + 1):
            reply = await self._chat().reply(messages, [tool], "auto")
            try:
                return read(reply)
            except ActionError as error:
                fault = str(error)
                messages = [*messages, {"role": "assistant", "content": reply.text}, user(text_part(fault))]
        raise ModelError(f"{self._chat().name} gave no usable answer to {asked!r}: {fault}")

    def _chat(self) -> ChatModel:
        if self._loaded is None:
            self._loaded = models.resolve(self.model)
        return self._loaded
