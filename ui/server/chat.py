"""`POST /v1/chat/completions` and `GET /v1/models`."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from .answer import Choice, Delta, Envelope, deltas
from .ask import Asked, asked_of
from .errors import ApiError
from .metrics import Metrics
from .settings import Settings
from .sse import END, event, response, until_gone
from .wire import ChatRequest

if TYPE_CHECKING:
    from ...model.engine import Engine


class Chat:
    """One engine and what answers with it."""

    def __init__(self, engine: "Engine", settings: Settings, metrics: Metrics, version: str):
        self.engine, self.settings, self.metrics = engine, settings, metrics
        self.fingerprint = f"saccade-{version}-{engine.name}"
        self.router = APIRouter()
        self.router.add_api_route("/v1/chat/completions", self.complete, methods=["POST"])
        self.router.add_api_route("/v1/models", self.models, methods=["GET"])
        self.router.add_api_route("/v1/models/{name:path}", self.model, methods=["GET"])

    async def complete(self, request: Request, body: ChatRequest) -> Response:
        self.check_model(body.model)
        asked = asked_of(body, self.engine, self.settings)
        if not body.stream:
            return JSONResponse(await until_gone(request, self.whole(asked)))
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return await response(self.streamed(asked, usage), self.settings.keep_alive_s)

    async def whole(self, asked: Asked) -> dict[str, Any]:
        choices = [Choice(i) for i in range(asked.choices)]
        async for index, delta in self.work(asked):
            choices[index].add(delta)
        return self.envelope().whole(choices, asked.logprobs)

    async def streamed(self, asked: Asked, usage: bool) -> AsyncGenerator[str]:
        envelope, choices = self.envelope(), [Choice(i) for i in range(asked.choices)]
        opened: set[int] = set()
        work = self.work(asked)
        try:
            async for index, delta in work:
                if index not in opened:
                    opened.add(index)
                    yield event(envelope.opening(index))
                choices[index].add(delta)
                if asked.logprobs or delta.thought or delta.text or delta.calls or delta.finish:
                    yield event(envelope.chunk(index, delta, asked.logprobs))
            if usage:
                yield event(envelope.usage([choice.reply for choice in choices]))
            yield END
        finally:
            await work.aclose()

    async def work(self, asked: Asked) -> AsyncGenerator[tuple[int, Delta]]:
        """The deltas of all choices, as they come. Closing it stops all of them."""
        queue: asyncio.Queue[tuple[int, Delta | Exception | None]] = asyncio.Queue()

        async def play(index: int, generation: Any) -> None:
            try:
                async for delta in deltas(generation, self.engine, asked.callable):
                    if delta.reply:
                        self.metrics.replied(delta.reply)
                    queue.put_nowait((index, delta))
                queue.put_nowait((index, None))
            except Exception as error:
                queue.put_nowait((index, error))

        started = asked.start(self.engine)
        tasks = [asyncio.create_task(play(i, generation)) for i, generation in enumerate(started)]
        try:
            running = len(tasks)
            while running:
                index, found = await queue.get()
                if isinstance(found, Exception):
                    raise found
                if found is None:
                    running -= 1
                else:
                    yield index, found
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def envelope(self) -> Envelope:
        return Envelope(self.engine.name, self.fingerprint)

    def check_model(self, name: str) -> None:
        if name != self.engine.name:
            raise ApiError(
                404, f"there is no model {name!r}: this is {self.engine.name!r}", "model", "model_not_found"
            )

    async def models(self) -> dict[str, Any]:
        return {"object": "list", "data": [self.card()]}

    async def model(self, name: str) -> dict[str, Any]:
        self.check_model(name)
        return self.card()

    def card(self) -> dict[str, Any]:
        """OpenAI's fields, vLLM's `max_model_len`, and what an agent must know to use the model well."""
        wishes = self.engine.preferences
        return {
            "id": self.engine.name,
            "object": "model",
            "created": 0,
            "owned_by": "saccade",
            "max_model_len": self.engine.max_context,
            "saccade": {"viewport": wishes.viewport, "memory": wishes.memory, "thinking": wishes.thinking},
        }
