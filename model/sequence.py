"""One reply in the making: which tokens to feed next, and what to make of the logits that come back.

Knows tokens, text and what the request allows; knows nothing of the network, of threads or other sequences.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Sequence as Many

import numpy as np
from torch import Tensor

from ..errors import InputError
from .cache import HybridCache
from .chat import ChatFormat, Prompt, TextStream, parse_reply
from .confidence import Confidence
from .constraint import Constraint, FreeText
from .prefill import Prefill
from .prefixes import Key
from .request import (
    Action,
    Done,
    Failed,
    FinishReason,
    ModelReply,
    Phase,
    Piece,
    Request,
    Signal,
    ThinkingReport,
    Usage,
)
from .sampling import Sampler, Sampling, likeliest
from .speculation import DraftState
from .stops import StopStrings

Ranked = tuple[tuple[int, float], ...]  # tokens and their logprobs, the likeliest first
PHASES = ("queue", "vision", "prefill", "decode")


class Sequence:
    """`feed` holds what the next forward takes in: the tokens that `cache` has not seen, then guesses."""

    def __init__(
        self,
        request: Request,
        prompt: Prompt,
        prefill: Prefill,
        chat: ChatFormat,
        constraint: Constraint | FreeText,
        emit: Callable[[Signal], None],
        streamed: bool,
        born: float,
    ):
        self.request, self.prompt, self.prefill, self.chat = request, prompt, prefill, chat
        self.emit, self.streamed = emit, streamed
        self.sampler = Sampler(request.sampling or Sampling(), prompt.ids, prefill.model.device)
        self.text, self._stream, self._stops = "", TextStream(chat), StopStrings(request.stop)
        self.ids: list[int] = []
        self.constraint = constraint
        self.confidence = Confidence() if request.thinking.mode == "auto" else None
        self.cache: HybridCache | None = None
        self.draft: DraftState | None = None
        self.length = 0  # tokens that `cache` has seen
        self.feed: list[int] = []
        self.guessed = 0  # of `feed`
        self.drafted = self.accepted = 0
        self.cancelled = False
        self.finish_reason: FinishReason | None = None
        self.born = born
        self.timings: defaultdict[str, float] = defaultdict(float)
        self.nbytes = 0  # reserved for it

    @property
    def position(self) -> int:
        """Of the next token to be fed, the same on all three axes."""
        return self.prefill.next_position + self.length - self.prefill.length

    def key(self) -> Key:
        """Names of the tokens that `cache` has seen."""
        written = np.array(self.ids[: self.length - self.prefill.length], dtype=np.int64)
        return np.concatenate((self.prefill.key, written))

    def known(self) -> np.ndarray:
        """All tokens read and written, int64 [T]."""
        return np.concatenate((self.prompt.ids, np.array(self.ids, dtype=np.int64)))

    def begin(self) -> None:
        """The prompt is computed: take over its state and choose the first token."""
        snapshot, logits = self.prefill.snapshot, self.prefill.logits
        assert snapshot is not None
        assert logits is not None
        self.cache, self.draft, self.length = snapshot.cache, snapshot.draft, self.prefill.length
        self.prefill.release()
        self._take_forced()
        if not self.feed:
            self.consume(logits[None])

    def plan(self, guess: Callable[["Sequence"], list[int]] | None) -> None:
        """Put behind the last token what surely follows it, or else what may follow it."""
        self._take_forced()
        alone = len(self.feed) == 1 and not self.finish_reason
        guesses = guess(self) if guess and alone else []
        self.guessed = len(guesses)
        self.feed += guesses

    def consume(self, rows: Tensor) -> int:
        """Choose a token after each of the rows [guesses + 1, V], up to the first that was guessed wrong.

        Returns how many tokens of `feed` are to be taken back.
        """
        guesses, chosen, right = self.feed[len(self.feed) - self.guessed :], [], 0
        for row in rows:
            if self._due():
                break
            chosen = [self._choose(row)]
            if self.finish_reason or right == len(guesses) or guesses[right] != chosen[0]:
                break
            chosen, right = [], right + 1
        wrong = self.guessed - right
        self.length += len(self.feed) - wrong
        self.drafted += self.guessed
        self.accepted += right
        self.feed, self.guessed = chosen, 0
        return wrong

    def _take_forced(self) -> None:
        """Write what must come next, without asking the network."""
        while not self.finish_reason and (forced := self._due()):
            for token in forced:
                self.feed.append(token)
                self._take(token, None)
                if self.finish_reason:
                    break

    def _due(self) -> Many[int]:
        """Tokens that must come next: one of the opening, or what the constraint forces."""
        rest = self.request.opening[len(self.ids) :]
        if not rest:
            return self.constraint.forced()
        mask, size = self.constraint.mask(), self.prefill.model.config.text.vocab_size
        if not 0 <= rest[0] < size or (mask is not None and not mask[rest[0]]):
            raise InputError(f"a reply here cannot begin so: token {rest[0]} of the opening may not come")
        return rest[:1]

    def finish(self, reason: FinishReason) -> None:
        """End here and say so."""
        self.finish_reason = reason
        rest = self._stops.rest(self._stream.rest())
        self.text += rest
        if rest and self.streamed:
            self.emit(Piece(None, rest, "thinking" if self.constraint.thinking else "answer"))
        reply = self.reply()
        if self.streamed:
            for call in reply.calls:
                self.emit(Action(call))
        self.emit(Done(reply))

    def fail(self, error: Exception) -> None:
        self.finish_reason = "cancelled"
        self.emit(Failed(error))

    def reply(self) -> ModelReply:
        assert self.finish_reason is not None
        parsed = parse_reply(self.text, self.request.tools, self.prompt.thinking)
        thought = self.constraint.thinking_tokens
        read = self.prefill.length if self.length else 0
        counts = (read, self.prefill.start, thought, len(self.ids) - thought, self.drafted, self.accepted)
        timings = {phase: self.timings[phase] for phase in PHASES}
        deep = self.prompt.thinking and not self.prompt.empty
        report = ThinkingReport("deep", self.constraint.closed_by) if deep else ThinkingReport("fast")
        timings |= {"first_token": self.timings["first_token"]} if self.ids else {}
        return ModelReply(
            parsed.thought, parsed.text, parsed.calls, Usage(*counts), timings, self.finish_reason, report
        )

    def _choose(self, logits: Tensor) -> int:
        """Sample the next token; ends the sequence where it is the last."""
        measured = self.confidence is not None and self.constraint.free
        wanted = self.request.logprobs or measured
        token, logprob = self.sampler.choose(logits, self.constraint.mask(), wanted)
        if self.confidence and measured and logprob is not None:
            self.confidence.record(math.exp(logprob))
        count = self.request.top_logprobs
        top = likeliest(logits, self.constraint.mask(), count) if count else ()
        self._take(token, logprob if self.request.logprobs else None, top)
        return token

    def _take(self, token: int, logprob: float | None, top: Ranked = ()) -> None:
        before = self.constraint.thinking_tokens
        self.sampler.accept(token)
        self.constraint.accept(token)
        if token in self.chat.stop_ids:
            self.finish("stop")
        else:
            phase = "thinking" if self.constraint.thinking_tokens > before else "answer"
            self._write(token, phase, logprob, top)

    def _write(self, token: int, phase: Phase, logprob: float | None, top: Ranked) -> None:
        if not self.ids:
            self.timings["first_token"] = time.perf_counter() - self.born
        text = self._stops(self._stream(token))
        self.ids.append(token)
        self.text += text
        if self.streamed:
            self.emit(Piece(token, text, phase, logprob, top))
        if self._stops.met or self.constraint.finished:
            self.finish("stop")
        elif len(self.ids) >= self.request.max_tokens:
            self.finish("length")
