"""A reply of the engine -> OpenAI's terms: deltas as they come, whole choices as the sum of their deltas.

So a streamed and a whole answer cannot differ. Knows the engine's events; knows no HTTP.
"""

import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ...model.request import Done, ModelReply, Piece
from .callreader import CallReader
from .errors import ApiError
from .reader import ReplyReader

if TYPE_CHECKING:
    from ...model.engine import Engine, Generation


EMPTY = ModelReply()


@dataclass(frozen=True)
class Delta:
    """What is new of one choice. `calls` are pieces, by index; `reply` comes with the last delta."""

    thought: str = ""
    text: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    logprobs: tuple[dict[str, Any], ...] = ()
    reply: ModelReply | None = None
    finish: str | None = None

    def __bool__(self) -> bool:
        return bool(self.thought or self.text or self.calls or self.logprobs or self.finish)


@dataclass
class Choice:
    """One whole answer, gathered from its deltas."""

    index: int
    thought: str = ""
    text: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    reply: ModelReply = EMPTY
    finish: str = "stop"

    def add(self, delta: Delta) -> None:
        self.thought += delta.thought
        self.text += delta.text
        for piece in delta.calls:
            if "id" in piece:
                call = {name: piece[name] for name in ("id", "type")}
                self.calls.append({**call, "function": dict(piece["function"])})
            else:
                self.calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
        if delta.reply:  # a call that was cut off is none
            self.calls = self.calls[: len(delta.reply.calls)]
        self.logprobs += delta.logprobs
        self.reply, self.finish = delta.reply or self.reply, delta.finish or self.finish

    def to_dict(self, logprobs: bool) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None, "refusal": None}
        if not self.text and not self.calls:
            message["content"] = ""
        if self.thought:
            message["reasoning_content"] = self.thought
        if self.calls:
            message["tool_calls"] = self.calls
        return {
            "index": self.index,
            "message": message,
            "logprobs": {"content": self.logprobs, "refusal": None} if logprobs else None,
            "finish_reason": self.finish,
        }


async def deltas(
    generation: "Generation", engine: "Engine", tools: Sequence[dict[str, Any]]
) -> AsyncGenerator[Delta]:
    """`tools`: what may be called. Closing the iterator stops the work.

    Raises what the engine raises, ApiError when it was cut off.
    """
    read, calls = ReplyReader(bool(tools)), CallReader(tools)
    events = generation.__aiter__()
    try:
        async for event in events:
            match event:
                case Piece() as piece:
                    thought, text = read(piece.text, piece.phase == "thinking")
                    if delta := Delta(thought, text, calls(read.called), _logprobs(piece, engine)):
                        yield delta
                case Done(reply):
                    if reply.finish_reason == "cancelled":
                        raise ApiError(503, "the server is shutting down", code="shutting_down")
                    made = calls.rest(reply.calls) if tools else ()
                    yield _last(reply, *read.rest(), made)
    finally:
        await events.aclose()


def _last(reply: ModelReply, thought: str, text: str, made: tuple[dict[str, Any], ...]) -> Delta:
    finish = "length" if reply.finish_reason == "length" else "tool_calls" if made else "stop"
    return Delta(thought, text, made, reply=reply, finish=finish)


def _logprobs(piece: Piece, engine: "Engine") -> tuple[dict[str, Any], ...]:
    """Of the answer's tokens, in order, tags and all; a token that was forced was certain."""
    if piece.token is None or piece.phase == "thinking":
        return ()
    mine = _token(engine, piece.token, piece.logprob or 0.0)
    top = piece.top or ([(piece.token, 0.0)] if piece.logprob is None else [])
    return ({**mine, "top_logprobs": [_token(engine, *each) for each in top]},)


def _token(engine: "Engine", token: int, logprob: float) -> dict[str, Any]:
    text = engine.grammars.vocabulary.texts[token]
    return {"token": text.decode(errors="replace"), "bytes": list(text), "logprob": max(logprob, -9999.0)}


class Envelope:
    """What all chunks of one answer share: id, time, model."""

    def __init__(self, model: str, fingerprint: str):
        self.model = model
        self._shared = {
            "id": f"chatcmpl-{uuid4().hex}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": fingerprint,
        }

    def whole(self, choices: list[Choice], logprobs: bool) -> dict[str, Any]:
        replies = [choice.reply for choice in choices]
        return {
            **self._shared,
            "object": "chat.completion",
            "choices": [choice.to_dict(logprobs) for choice in choices],
            "usage": usage_of(replies),
            "saccade": report_of(replies),
        }

    def opening(self, index: int) -> dict[str, Any]:
        return self._chunk(index, {"role": "assistant", "content": ""})

    def chunk(self, index: int, delta: Delta, logprobs: bool) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if delta.thought:
            body["reasoning_content"] = delta.thought
        if delta.text:
            body["content"] = delta.text
        if delta.calls:
            body["tool_calls"] = list(delta.calls)
        told = {"content": list(delta.logprobs), "refusal": None} if logprobs and delta.logprobs else None
        return self._chunk(index, body, told, delta.finish)

    def usage(self, replies: list[ModelReply]) -> dict[str, Any]:
        """The chunk after the last, without choices."""
        shared = {**self._shared, "object": "chat.completion.chunk", "choices": []}
        return {**shared, "usage": usage_of(replies), "saccade": report_of(replies)}

    def _chunk(
        self, index: int, delta: dict[str, Any], logprobs: Any = None, finish: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {**self._shared, "object": "chat.completion.chunk", "choices": [choice]}


def usage_of(replies: Iterable[ModelReply]) -> dict[str, Any]:
    """The prompt counts once, whatever the number of choices."""
    usages = [reply.usage for reply in replies]
    prompt, cached = usages[0].prompt_tokens, usages[0].cached_tokens
    thinking = sum(usage.thinking_tokens for usage in usages)
    completion = thinking + sum(usage.answer_tokens for usage in usages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thinking},
    }


def report_of(replies: Iterable[ModelReply]) -> list[dict[str, Any]]:
    """Ours: per choice, seconds by phase, why there was a thought or none, and how guessing went."""
    return [
        {
            "timings": {name: round(seconds, 6) for name, seconds in reply.timings.items()},
            "thinking": asdict(reply.thinking),
            "guesses": {"checked": reply.usage.drafted_tokens, "right": reply.usage.accepted_tokens},
        }
        for reply in replies
    ]
