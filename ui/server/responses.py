"""`POST /v1/responses`: OpenAI's newer form of the same work. Nothing is kept between requests.

A whole answer and a stream are made by the same `Output`, so they cannot differ. Knows deltas and events;
what a request means is in `responses_ask.py`, how the engine is asked in `chat.py`.
"""

import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from ...model.request import ModelReply
from .answer import EMPTY, Delta, report_of, usage_of
from .ask import Asked, asked_of
from .chat import Chat
from .errors import api_error
from .responses_ask import ResponsesRequest, chat_request
from .sse import event, response, until_gone

Event = tuple[str, dict[str, Any]]
WRITTEN = {"reasoning": "reasoning_text", "message": "output_text"}
PREFIX = {"reasoning": "rs", "message": "msg", "function_call": "fc"}
CUT = {"reason": "max_output_tokens"}


class Responses:
    def __init__(self, chat: Chat):
        self.chat = chat
        self.router = APIRouter()
        self.router.add_api_route("/v1/responses", self.respond, methods=["POST"])

    async def respond(self, request: Request, body: ResponsesRequest) -> Response:
        self.chat.check_model(body.model)
        asked = asked_of(chat_request(body), self.chat.engine, self.chat.settings)
        if body.stream:
            return await response(self.streamed(asked, body), self.chat.settings.keep_alive_s)
        return JSONResponse(await until_gone(request, self.whole(asked, body)))

    async def whole(self, asked: Asked, body: ResponsesRequest) -> dict[str, Any]:
        answer, output = Answer(body), Output()
        async for _, delta in self.chat.work(asked):
            for _ in output.add(delta):
                pass
        return answer.ended(output)

    async def streamed(self, asked: Asked, body: ResponsesRequest) -> AsyncGenerator[str]:
        """An error in the middle is told as OpenAI tells it: an event `error`, and nothing after it."""
        answer, output, work = Answer(body), Output(), self.chat.work(asked)
        told = begun = 0

        def say(kind: str, fields: dict[str, Any]) -> str:
            nonlocal told
            told += 1
            return event({"type": kind, "sequence_number": told - 1, **fields}, kind)

        try:
            async for _, delta in work:
                if not begun:
                    begun = 1
                    yield say("response.created", {"response": answer.begun()})
                    yield say("response.in_progress", {"response": answer.begun()})
                for kind, fields in output.add(delta):
                    yield say(kind, fields)
            ended = answer.ended(output)
            yield say(f"response.{ended['status']}", {"response": ended})
        except Exception as error:
            if not begun:
                raise
            yield say("error", api_error(error).body()["error"])
        finally:
            await work.aclose()


class Output:
    """The items of an answer, growing: thought, text, calls, in the order in which they come."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.reply: ModelReply = EMPTY
        self.finish = "stop"
        self._open: str | None = None

    def add(self, delta: Delta) -> Iterator[Event]:
        """What a stream tells of it."""
        if delta.thought:
            yield from self._write("reasoning", delta.thought)
        if delta.text:
            yield from self._write("message", delta.text)
        for piece in delta.calls:
            yield from self._call(piece)
        if delta.reply:
            self.reply, self.finish = delta.reply, delta.finish or self.finish
            yield from self._close("incomplete" if self.finish == "length" else "completed")

    def _write(self, kind: str, text: str) -> Iterator[Event]:
        if self._open != kind:
            yield from self._close()
            extra = {"role": "assistant"} if kind == "message" else {"summary": []}
            yield from self._begin(kind, {**extra, "content": []})
            part = {"type": WRITTEN[kind], "text": ""} | ({"annotations": []} if kind == "message" else {})
            self.items[-1]["content"] = [part]
            yield "response.content_part.added", {**self._place, "content_index": 0, "part": dict(part)}
        self.items[-1]["content"][0]["text"] += text
        told = {**self._place, "content_index": 0, "delta": text}
        yield f"response.{WRITTEN[kind]}.delta", told | ({"logprobs": []} if kind == "message" else {})

    def _call(self, piece: dict[str, Any]) -> Iterator[Event]:
        function = piece["function"]
        if "id" in piece:
            yield from self._close()
            named = {"call_id": piece["id"], "name": function["name"], "arguments": ""}
            yield from self._begin("function_call", named)
        self.items[-1]["arguments"] += function["arguments"]
        yield "response.function_call_arguments.delta", {**self._place, "delta": function["arguments"]}

    def _begin(self, kind: str, fields: dict[str, Any]) -> Iterator[Event]:
        self._open = kind
        item = {"id": f"{PREFIX[kind]}_{uuid4().hex}", "type": kind, "status": "in_progress", **fields}
        self.items.append(item)
        yield "response.output_item.added", {"output_index": self._place["output_index"], "item": dict(item)}

    def _close(self, status: str = "completed") -> Iterator[Event]:
        """The end of the item that is open, if one is."""
        if self._open is None:
            return
        kind, self._open, item, place = self._open, None, self.items[-1], self._place
        item["status"] = status
        if kind == "function_call":
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield "response.function_call_arguments.done", {**place, **done}
        else:
            part, at = item["content"][0], {**place, "content_index": 0}
            told = {"text": part["text"]} | ({"logprobs": []} if kind == "message" else {})
            yield f"response.{part['type']}.done", {**at, **told}
            yield "response.content_part.done", {**at, "part": part}
        yield "response.output_item.done", {"output_index": place["output_index"], "item": item}

    @property
    def _place(self) -> dict[str, Any]:
        return {"item_id": self.items[-1]["id"], "output_index": len(self.items) - 1}


class Answer:
    """What surrounds the items: identity, time, and the request's own settings, repeated."""

    def __init__(self, body: ResponsesRequest):
        self._shared = {
            "id": f"resp_{uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": body.model,
            "error": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": {"effort": body.reasoning.effort if body.reasoning else None, "summary": None},
            "store": False,
            "temperature": body.temperature,
            "text": {
                "format": _plain(body.text.format) if body.text and body.text.format else {"type": "text"}
            },
            "tool_choice": _plain(body.tool_choice) or "auto",
            "tools": [_plain(tool) for tool in body.tools or ()],
            "top_p": body.top_p,
            "truncation": "disabled",
            "metadata": body.metadata or {},
        }

    def begun(self) -> dict[str, Any]:
        return {
            **self._shared,
            "status": "in_progress",
            "incomplete_details": None,
            "output": [],
            "usage": None,
        }

    def ended(self, output: Output) -> dict[str, Any]:
        cut = output.finish == "length"
        return {
            **self._shared,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": CUT if cut else None,
            "output": output.items,
            "usage": _usage(output.reply),
            "saccade": report_of([output.reply]),
        }


def _usage(reply: ModelReply) -> dict[str, Any]:
    """The same numbers under this interface's names; writing to the cache costs nothing here."""
    usage = usage_of([reply])
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {**usage["prompt_tokens_details"], "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage["completion_tokens_details"],
        "total_tokens": usage["total_tokens"],
    }


def _plain(value: Any) -> Any:
    return value.model_dump(by_alias=True, exclude_none=True) if hasattr(value, "model_dump") else value
