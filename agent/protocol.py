"""What the agent asks of a model: a conversation in, one reply out.

The local engine and any remote client satisfy `ChatModel` by shape alone; neither side imports the other.
Knows nothing of checkpoints, pages or browsers.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Thinking = Literal["fast", "deep", "auto"]
MemoryKind = Literal["conversation", "snapshot"]


@runtime_checkable
class ChatModel(Protocol):
    """`messages` and `tools` are OpenAI-style dicts; an image part carries a `PIL.Image`.

    A model may also have `alternatives`, called as `reply` is, with `least`, a probability: a list of other
    replies that it was near to, the likeliest first. One with the memory "snapshot" is asked for them where
    it would repeat what led nowhere, or lose its place in the task.
    """

    name: str

    @property
    def preferences(self) -> Any:
        """`Preferences`, or any object with its attributes."""
        ...

    async def reply(self, messages: list[dict], tools: list[dict], thinking: str = "auto") -> Any:
        """A `Reply`, or any object with its attributes."""
        ...


@dataclass(frozen=True)
class Preferences:
    """What a model was trained on: the viewport in CSS px (None: any), the kind of memory, and whether its
    thoughts of several lines begin with the wish that the step is for, in the words of the task."""

    viewport: tuple[int, int] | None = None
    memory: MemoryKind = "conversation"
    quotes_task: bool = False


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Usage:
    """Token counts; `cached_tokens` is the part of `prompt_tokens` that needed no prefill."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0

    @classmethod
    def of(cls, usage: Any) -> "Usage":
        """Copy the counts of any object that has them."""
        return cls(usage.prompt_tokens, usage.cached_tokens, usage.thinking_tokens, usage.answer_tokens)

    @property
    def output_tokens(self) -> int:
        return self.thinking_tokens + self.answer_tokens

    @property
    def computed_tokens(self) -> int:
        """Tokens that cost work: the prompt beyond the cache, and the output."""
        return self.prompt_tokens - self.cached_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.thinking_tokens + other.thinking_tokens,
            self.answer_tokens + other.answer_tokens,
        )


NO_USAGE = Usage()


@dataclass(frozen=True)
class Reply:
    """One turn of the model. No parsable call means `calls == []`; `timings` are seconds by phase.

    `confidence` is the least probability (0..1) among the action's free choices, if the model measures it.
    """

    thought: str = ""
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    usage: Usage = NO_USAGE
    timings: dict[str, float] = field(default_factory=dict)
    confidence: float | None = None
