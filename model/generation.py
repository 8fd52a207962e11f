"""One reply in the making: prefill, then sample, stop or feed back, token by token.

Knows the engine that owns the network and the caches; knows nothing of what a call means.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ..errors import ContextError
from .cache import HybridCache
from .calls import CLOSE_THINK, OPEN_CALL, OPEN_THINK
from .chat import Prompt, TextStream, ToolCall, parse_reply
from .sampling import Sampler, Sampling

if TYPE_CHECKING:
    from .engine import Engine


@dataclass(frozen=True)
class Usage:
    """Token counts; `cached_tokens` is the part of `prompt_tokens` that needed no prefill."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True)
class ModelReply:
    thought: str = ""
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    usage: Usage = Usage()
    timings: dict[str, float] = field(default_factory=dict)  # seconds: "vision", "prefill", "decode"
    finished: bool = True  # False: the token limit or `stop()` cut the reply


@dataclass(frozen=True)
class Piece:
    """One token and the text that it completes; `phase` tells thought from answer."""

    token: int
    text: str
    phase: Literal["thinking", "answer"]


@dataclass(frozen=True)
class Request:
    messages: Sequence[dict]
    tools: Sequence[dict]
    thinking: bool
    max_tokens: int
    thinking_tokens: int | None
    sampling: Sampling


class Generation:
    """Iterating computes; afterwards `reply` holds the result. `stop()`, from any thread, ends it early."""

    def __init__(self, engine: "Engine", request: Request):
        self.engine, self.request = engine, request
        self.reply: ModelReply | None = None
        self._stopped = threading.Event()

    def finish(self) -> ModelReply:
        """Compute to the end and return the whole reply."""
        for _ in self:
            pass
        assert self.reply is not None
        return self.reply

    def stop(self) -> None:
        self._stopped.set()

    def __iter__(self) -> Iterator[Piece]:
        engine, request = self.engine, self.request
        timings = {"vision": 0.0, "prefill": 0.0, "decode": 0.0}
        with engine.lock:
            if self._stopped.is_set():
                self.reply = ModelReply(timings=timings, finished=False)
                return
            prompt = engine.encode(request.messages, request.tools, request.thinking)
            room = engine.max_context - len(prompt.ids)
            if room < 1:
                raise ContextError(
                    f"the prompt has {len(prompt.ids)} tokens and the model takes {engine.max_context}: "
                    "send fewer or smaller pictures, or shorten the history"
                )
            prefill = engine.prefill(prompt)
            with _clock(timings, "vision", engine.device):
                features = engine.features(prompt.images[prefill.first_new :])
            with _clock(timings, "prefill", engine.device), torch.inference_mode():
                logits, cache = prefill.run(features)
            decoder = Decoder(engine, prompt, request, logits, cache, prefill.next_position)
            for _ in range(min(request.max_tokens, room)):
                with _clock(timings, "decode", engine.device), torch.inference_mode():
                    piece = decoder.step()
                if piece is None or self._stopped.is_set():
                    break
                yield piece
            self.reply = decoder.reply(len(prompt.ids), prefill.start, timings)


class Decoder:
    """A sequence that grows: the next token is sampled, or forced when the thinking budget is spent."""

    def __init__(
        self,
        engine: "Engine",
        prompt: Prompt,
        request: Request,
        logits: Tensor,
        cache: HybridCache,
        position: int,
    ):
        self.engine, self.prompt, self.request = engine, prompt, request
        self.logits, self.cache, self.position = logits, cache, position
        self.sampler = Sampler(request.sampling, prompt.ids, logits.device)
        self.stream = TextStream(engine.chat)
        self.ids: list[int] = []
        self.text = ""
        self.thinking, self.thinking_tokens = prompt.thinking, 0
        self.forced: list[int] = []
        self.finished = False

    def step(self) -> Piece | None:
        """The next token, or None at the end of the turn."""
        if self.ids:
            self.logits = self._forward(self.ids[-1])
        token = self.forced.pop(0) if self.forced else self.sampler.choose(self.logits)
        self.sampler.accept(token)
        if token in self.engine.chat.stop_ids:
            self.finished = True
            return None
        return self._count(token)

    def reply(self, prompt_tokens: int, cached_tokens: int, timings: dict[str, float]) -> ModelReply:
        parsed = parse_reply(self.text + self.stream.rest(), self.request.tools, self.prompt.thinking)
        answer_tokens = len(self.ids) - self.thinking_tokens
        usage = Usage(prompt_tokens, cached_tokens, self.thinking_tokens, answer_tokens)
        return ModelReply(parsed.thought, parsed.text, parsed.calls, usage, timings, self.finished)

    def _forward(self, token: int) -> Tensor:
        ids = torch.tensor([[token]], device=self.logits.device)
        positions = torch.full((3, 1, 1), self.position, device=self.logits.device)
        self.position += 1
        return self.engine.model.logits(self.engine.model(ids, positions, self.cache)[0, -1])

    def _count(self, token: int) -> Piece:
        text = self.stream(token)
        self.ids.append(token)
        self.text += text
        opened = not self.prompt.thinking and not self.thinking_tokens and OPEN_THINK.fullmatch(self.text)
        phase = "thinking" if self.thinking or opened else "answer"
        self.thinking_tokens += phase == "thinking"
        self.thinking = phase == "thinking" and CLOSE_THINK not in self.text[-len(text) - len(CLOSE_THINK) :]
        if self._budget_spent():
            self.forced = self.engine.chat.encode_text(f"\n{CLOSE_THINK}\n\n")
        return Piece(token, text, phase)

    def _budget_spent(self) -> bool:
        """Whether the thought is to be closed now; a call that began inside it is left alone."""
        budget = self.request.thinking_tokens
        spent = budget is not None and self.thinking and self.thinking_tokens >= budget
        return spent and not self.forced and OPEN_CALL not in self.text


@contextmanager
def _clock(timings: dict[str, float], phase: str, device: torch.device) -> Iterator[None]:
    """Add the seconds of a block, including what a GPU still has to do for it."""
    start = time.perf_counter()
    try:
        yield
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    finally:
        timings[phase] += time.perf_counter() - start
