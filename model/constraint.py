"""What may come next in one reply: a thought's budget and a grammar, as one object with exact rollback."""

import torch
from torch import Tensor

from .grammar import Grammar
from .thinking import CLOSING, ClosedBy, Thought
from .vocabulary import Vocabulary


class Constraint:
    """Follows one sequence: the caller feeds `forced()` without asking the model, else picks from `mask()`,
    and reports every token with `accept`.

    `max_thinking_tokens` and `closing` matter only to a grammar that begins inside a thought.
    """

    def __init__(self, grammar: Grammar, max_thinking_tokens: int | None = None, closing: str = CLOSING):
        self._size, self._matcher = grammar.vocabulary.size, grammar.start()
        self._thought = (
            Thought(grammar.vocabulary, max_thinking_tokens, closing) if grammar.thinking else None
        )
        self._accepted = 0
        self._mask: Tensor | None = None  # of this position, once asked for; so is `_forced`
        self._forced: list[int] | None = None

    @property
    def thinking(self) -> bool:
        """Whether the thought is still open."""
        return self._thought is not None and self._thought.open

    @property
    def closed_by(self) -> ClosedBy | None:
        """Why the thought ended, or is being closed."""
        return self._thought.closed_by if self._thought else None

    @property
    def thinking_tokens(self) -> int:
        return self._thought.tokens if self._thought else 0

    @property
    def answer_tokens(self) -> int:
        return self._accepted - self.thinking_tokens

    @property
    def finished(self) -> bool:
        """Nothing may follow but the end of the turn."""
        return self._matcher.finished

    @property
    def free(self) -> bool:
        """Whether the next token is a choice of the answer: what a confidence meter counts."""
        return not (self.thinking or self.finished or self.forced()) and int(self.mask().sum()) > 1

    def mask(self) -> Tensor:
        """[V] bool, True for tokens that may come next; computed once per position."""
        if self._mask is None:
            self._mask = self._compute_mask()
        return self._mask

    def forced(self) -> list[int]:
        """Tokens that must come next: the closing of a thought, or text about which there is no choice."""
        if self._forced is None:
            self._forced = self._compute_forced()
        return list(self._forced)

    def accept(self, token: int) -> None:
        """Take a token: one of `forced()`, or one that `mask()` allows, stop tokens among them."""
        self._matcher.accept(token)
        if self.thinking:
            assert self._thought
            self._thought.accept(token)
        self._accepted += 1
        self._mask = self._forced = None

    def rollback(self, n: int) -> None:
        """Take back the last n accepted tokens."""
        assert 0 <= n <= self._accepted, f"{n} of {self._accepted} tokens cannot be taken back"
        self._matcher.rollback(n)
        self._accepted -= n
        if self._thought:
            self._thought.rollback(max(0, self._thought.length - self._accepted))
        self._mask = self._forced = None

    def _compute_forced(self) -> list[int]:
        if self.finished:
            return []
        return self._thought.forced() if self._thought and self._thought.open else self._matcher.forced()

    def _compute_mask(self) -> Tensor:
        closing = self.forced() if self.thinking else []
        if closing:
            only = torch.zeros(self._size, dtype=torch.bool)
            only[closing[0]] = True
            return only
        mask, whole = self._matcher.mask(), self._thought.mask() if self._thought else None
        return mask if whole is None else mask & whole


class FreeText:
    """The same for a reply without a grammar: anything may be written, within the thought's budget."""

    finished = False

    def __init__(self, vocabulary: Vocabulary, thinking: bool, max_thinking_tokens: int | None = None):
        self._thought = Thought(vocabulary, max_thinking_tokens) if thinking else None
        self._accepted = 0

    @property
    def thinking(self) -> bool:
        return self._thought is not None and self._thought.open

    @property
    def closed_by(self) -> ClosedBy | None:
        return self._thought.closed_by if self._thought else None

    @property
    def thinking_tokens(self) -> int:
        return self._thought.tokens if self._thought else 0

    @property
    def free(self) -> bool:
        return not self.thinking

    def mask(self) -> Tensor | None:
        return self._thought.mask() if self._thought and self._thought.open else None

    def forced(self) -> list[int]:
        return self._thought.forced() if self._thought and self._thought.open else []

    def accept(self, token: int) -> None:
        self._accepted += 1
        if self._thought and self._thought.open:
            self._thought.accept(token)

    def rollback(self, n: int) -> None:
        self._accepted -= n
        if self._thought:
            self._thought.rollback(max(0, self._thought.length - self._accepted))
