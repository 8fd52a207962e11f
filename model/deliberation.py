"""Thinking by confidence: act without a thought first, and think only where the action's choices were unsure.

Two prepared sequences, of which the second runs only if the first was unsure. Knows no tokens and no text.
"""

from collections.abc import Callable
from dataclasses import replace

from .request import Done, Failed, ModelReply, Signal, ThinkingReport
from .sequence import Sequence
from .thinking import Thinking


class Deliberation:
    """Passes on the signals of the answer that stands; `quick` must measure its confidence."""

    def __init__(
        self,
        quick: Sequence,
        deep: Sequence,
        thinking: Thinking,
        submit: Callable[[Sequence], None],
        emit: Callable[[Signal], None],
    ):
        self.quick, self.deep, self.thinking, self.submit, self.emit = quick, deep, thinking, submit, emit
        self._held: list[Signal] = []
        quick.emit, deep.emit = self._from_quick, self._from_deep

    def _from_quick(self, signal: Signal) -> None:
        """Hold back what is written until it is known whether it stands."""
        if isinstance(signal, Failed):
            self.emit(signal)
        elif not isinstance(signal, Done):
            self._held.append(signal)
        elif signal.reply.finish_reason == "cancelled" or self._sure:
            for held in self._held:
                self.emit(held)
            self.emit(Done(self._reported(signal.reply, tried_tokens=0)))
        else:
            try:
                self.submit(self.deep)
            except Exception as error:
                self.emit(Failed(error))

    def _from_deep(self, signal: Signal) -> None:
        if isinstance(signal, Done):
            signal = Done(self._reported(signal.reply, len(self.quick.ids)))
        self.emit(signal)

    @property
    def _sure(self) -> bool:
        assert self.quick.confidence is not None
        return self.quick.confidence.sure(self.thinking)

    def _reported(self, reply: ModelReply, tried_tokens: int) -> ModelReply:
        measured = self.quick.confidence
        assert measured is not None
        report = ThinkingReport(
            "auto", reply.thinking.closed_by, tried_tokens, measured.minimum, measured.mean
        )
        return replace(reply, thinking=report)
