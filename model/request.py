"""What is asked of the engine and what it says: values that cross threads. Knows no tensors and no queues."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from .calls import ToolCall
from .sampling import Sampling
from .thinking import ClosedBy, Mode, Thinking

Phase = Literal["thinking", "answer"]
FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Usage:
    """Token counts; `cached_tokens` is the part of `prompt_tokens` that needed no prefill."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0
    drafted_tokens: int = 0  # guesses that were checked
    accepted_tokens: int = 0  # those that were right

    @property
    def acceptance(self) -> float:
        """Share of the guesses that were right."""
        return self.accepted_tokens / self.drafted_tokens if self.drafted_tokens else 0.0


@dataclass(frozen=True)
class ThinkingReport:
    """Why there was a thought, or none, and what ended it."""

    mode: Mode = "fast"
    closed_by: ClosedBy | None = None
    tried_tokens: int = 0  # of an answer without a thought that "auto" gave up
    minimum: float | None = None  # probabilities of that answer's free choices, where "auto" measured them
    mean: float | None = None


@dataclass(frozen=True)
class ModelReply:
    """`timings` in seconds: "queue", "vision", "prefill", "decode", and "first_token" since the request."""

    thought: str = ""
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    usage: Usage = Usage()
    timings: dict[str, float] = field(default_factory=dict)
    finish_reason: FinishReason = "stop"
    thinking: ThinkingReport = ThinkingReport()

    @property
    def finished(self) -> bool:
        """False: the token limit or `stop()` cut the reply."""
        return self.finish_reason == "stop"


@dataclass(frozen=True)
class Piece:
    """One token and the text that it completes; `phase` tells thought from answer."""

    token: int | None  # None: text that was held back until the end
    text: str
    phase: Phase
    logprob: float | None = None  # natural log, where the request asks for it; None for a forced token
    top: tuple[tuple[int, float], ...] = ()  # the likeliest tokens here and their logprobs, on request


@dataclass(frozen=True)
class Action:
    """A call that is complete."""

    call: ToolCall


@dataclass(frozen=True)
class Done:
    """The last event: the whole reply, with usage and timings."""

    reply: ModelReply


@dataclass(frozen=True)
class Failed:
    error: Exception


Event = Piece | Action | Done
Signal = Event | Failed


@dataclass(frozen=True)
class Request:
    """`thinking` here is decided: "fast" or "deep", or "auto" for by confidence."""

    messages: Sequence[dict]
    tools: Sequence[dict]
    choice: str  # "auto", "required", "none" or the name of a tool, as in `Grammars.calls`
    schema: dict[str, Any] | type[BaseModel] | None
    thinking: Thinking
    max_tokens: int
    sampling: Sampling | None  # None: the checkpoint's, which may depend on the mode of thinking
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    parallel: bool = False
    opening: tuple[int, ...] = ()  # tokens that the reply begins with


@dataclass(frozen=True)
class Limits:
    """What one engine takes on at a time. Sizes in bytes; None: a share of the memory that is free."""

    running: int = 8  # sequences that decode together
    waiting: int = 64  # requests in the queue; the next is refused
    pictures: int = 256  # in one prompt
    chunk_tokens: int | None = None  # of prefill between two steps of the others; None: `Limits.chunk`
    memory_bytes: int | None = None  # for the states of running sequences
    prefix_bytes: int | None = None  # for states that may be used again
    picture_bytes: int = 256 * 2**20  # for visual tokens that may be used again
    sent_bytes: int = 128 * 2**20  # for pictures that clients send again and again

    def chunk(self, device: str) -> int:
        """Tokens of prefill between two steps of the others. On a GPU a forward of few takes as long as one
        of hundreds: there the chunks are larger by default."""
        return self.chunk_tokens or (2048 if device == "cuda" else 512)
