"""One reply in the making: which tokens to feed next, and what to make of the logits that come back.

Knows tokens, text and what the request allows; knows nothing of the network, of threads or other sequences.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from .cache import HybridCache
from .calls import CLOSE_THINK, OPEN_CALL, OPEN_THINK
from .chat import ChatFormat, Prompt, TextStream, parse_reply
from .prefill import Prefill
from .request import Action, Done, Failed, FinishReason, ModelReply, Phase, Piece, Request, Signal, Usage
from .sampling import Sampler
from .speculation import DraftState
from .stops import StopStrings

PHASES = ("queue", "vision", "prefill", "decode")


class Constraint(Protocol):
    """What may be written. `forced` tokens must come next; after `finished` only the end of the turn may."""

    finished: bool

    def mask(self) -> Tensor | None: ...
    def accept(self, token: int) -> None: ...
    def forced(self) -> list[int]: ...
    def rollback(self, n: int) -> None: ...


class Sequence:
    """`feed` holds the last token and the guesses behind it: what the next forward takes in."""

    def __init__(
        self,
        request: Request,
        prompt: Prompt,
        prefill: Prefill,
        chat: ChatFormat,
        emit: Callable[[Signal], None],
        streamed: bool,
        born: float,
    ):
        self.request, self.prompt, self.prefill, self.chat = request, prompt, prefill, chat
        self.emit, self.streamed = emit, streamed
        self.sampler = Sampler(request.sampling, prompt.ids, prefill.ids.device)
        self.text, self._stream, self._stops = "", TextStream(chat), StopStrings(request.stop)
        self.ids: list[int] = []
        self.thinking, self.thinking_tokens = prompt.thinking, 0
        self.constraint = _ThoughtBudget(self)
        self.cache: HybridCache | None = None
        self.draft: DraftState | None = None
        self.length = 0  # tokens that `cache` has seen
        self.feed: list[int] = []
        self.guessed = 0  # of `feed`, by the prediction head
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

    def begin(self) -> None:
        """The prompt is computed: take over its state and choose the first token."""
        snapshot, logits = self.prefill.snapshot, self.prefill.logits
        assert snapshot is not None
        assert logits is not None
        self.cache, self.draft, self.length = snapshot.cache, snapshot.draft, self.prefill.length
        self.prefill.release()
        self.consume(logits[None])

    def plan(self, guess: Callable[["Sequence"], list[int]] | None) -> None:
        """Put behind the last token what surely follows it, or else what may follow it."""
        forced = self.constraint.forced()
        guesses = guess(self) if guess and not forced else []
        self.guessed = len(guesses)
        self.feed = [self.feed[-1], *forced, *guesses]

    def consume(self, rows: Tensor) -> int:
        """Choose a token after each of the rows [T, V], up to the first that was guessed wrong.

        Returns how many tokens of `feed` are to be taken back.
        """
        guesses, right = self.feed[1:], 0
        for row in rows:
            token = self._choose(row)
            if self.finish_reason or right == len(guesses) or guesses[right] != token:
                break
            right += 1
        self.length += right + bool(self.feed)
        self.drafted += self.guessed
        self.accepted += right if self.guessed else 0
        self.feed = [token]
        return len(guesses) - right

    def finish(self, reason: FinishReason) -> None:
        """End here and say so."""
        self.finish_reason = reason
        rest = self._stops.rest(self._stream.rest())
        self.text += rest
        if rest and self.streamed:
            self.emit(Piece(None, rest, "thinking" if self.thinking else "answer"))
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
        answer_tokens = len(self.ids) - self.thinking_tokens
        read = self.prefill.length if self.length else 0
        usage = Usage(
            read, self.prefill.start, self.thinking_tokens, answer_tokens, self.drafted, self.accepted
        )
        timings = {phase: self.timings[phase] for phase in PHASES}
        timings |= {"first_token": self.timings["first_token"]} if self.ids else {}
        return ModelReply(parsed.thought, parsed.text, parsed.calls, usage, timings, self.finish_reason)

    def _choose(self, logits: Tensor) -> int:
        """The next token, forced or sampled; ends the sequence where it is the last."""
        forced, logprob = self.constraint.forced(), None
        if forced:
            token = forced[0]
        else:
            token, logprob = self.sampler.choose(logits, self.constraint.mask(), self.request.logprobs)
        self.sampler.accept(token)
        self.constraint.accept(token)
        if token in self.chat.stop_ids:
            self.finish("stop")
        else:
            self._write(token, logprob)
        return token

    def _write(self, token: int, logprob: float | None) -> None:
        if not self.ids:
            self.timings["first_token"] = time.perf_counter() - self.born
        text = self._stops(self._stream(token))
        self.ids.append(token)
        self.text += text
        phase = self._phase(text)
        if self.streamed:
            self.emit(Piece(token, text, phase, logprob))
        if self._stops.met or self.constraint.finished:
            self.finish("stop")
        elif len(self.ids) >= self.request.max_tokens:
            self.finish("length")

    def _phase(self, text: str) -> Phase:
        opened = not self.prompt.thinking and not self.thinking_tokens and OPEN_THINK.fullmatch(self.text)
        phase = "thinking" if self.thinking or opened else "answer"
        self.thinking_tokens += phase == "thinking"
        self.thinking = phase == "thinking" and CLOSE_THINK not in self.text[-len(text) - len(CLOSE_THINK) :]
        return phase


class _ThoughtBudget:
    """Closes a thought that has used its tokens; a call that began inside it is left alone."""

    def __init__(self, sequence: Sequence):
        self.sequence, self.finished, self._closing = sequence, False, []

    def mask(self) -> Tensor | None:
        return None

    def accept(self, token: int) -> None:
        if self._closing:
            self._closing.pop(0)

    def forced(self) -> list[int]:
        s = self.sequence
        budget = s.request.thinking_tokens
        spent = budget is not None and s.thinking and s.thinking_tokens >= budget
        if spent and not self._closing and OPEN_CALL not in s.text:
            self._closing = s.chat.encode_text(f"\n{CLOSE_THINK}\n\n")
        return list(self._closing)

    def rollback(self, n: int) -> None: ...
