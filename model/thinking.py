"""How much a reply may think: the three modes, a budget, and a watch over one thought as it is written.

A budget closes the thought with a short sentence; it never cuts into a call, since a call ends the thought.
Knows the bytes of tokens; knows nothing of grammars or models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .calls import CLOSE_THINK, OPEN_CALL
from .vocabulary import LONGEST_CHARACTER, Vocabulary, missing_bytes

Mode = Literal["fast", "deep", "auto"]
ClosedBy = Literal["model", "budget", "repetition", "call"]

# The sentence with which the Qwen family closes a thought that ran out of budget.
CLOSING = (
    "\n\nConsidering the limited time by the user, "
    "I have to give the solution based on the thinking directly now."
)
LONGEST_CYCLE = 256  # tokens
FEWEST_REPEATS = 3
REPEATED = 48  # tokens that a cycle must have filled before it counts as a loop


@dataclass(frozen=True)
class Thinking:
    """Whether to think before acting, and for how many tokens at most (None: no limit).

    "fast": not at all. "deep": always. "auto": the action is decoded without a thought first, and after one
    only when its free choices were unsure (see `confidence.py`).
    """

    mode: Mode = "auto"
    max_tokens: int | None = None
    sure_minimum: float = 0.5
    sure_mean: float = 0.8

    def __post_init__(self) -> None:
        if self.mode not in ("fast", "deep", "auto"):
            raise InputError(f"thinking {self.mode!r} is unknown: use fast, deep or auto")
        if self.max_tokens is not None and self.max_tokens < 0:
            raise InputError(f"a thinking budget of {self.max_tokens} tokens is too small: give 0 or more")


class Thought:
    """One thought, token by token, from its opening on.

    It ends with `</think>` or with the `<tool_call>` of an action inside it. `closed_by` says why; a budget
    or a loop is named as soon as its closing sentence is due.
    """

    def __init__(self, vocabulary: Vocabulary, max_tokens: int | None = None, closing: str = CLOSING):
        self.vocabulary, self.max_tokens = vocabulary, max_tokens
        self._closings = [vocabulary.encode(f"{text}\n{CLOSE_THINK}") for text in ("", closing)]
        self._ids: list[int] = []
        self._text = bytearray()
        self._ended: Literal["model", "call"] | None = None
        self._cut: tuple[int, ClosedBy, list[int]] | None = None  # from which token, why, with what
        self._watch()

    @property
    def open(self) -> bool:
        return self._ended is None

    @property
    def closed_by(self) -> ClosedBy | None:
        return self._cut[1] if self._cut else self._ended

    @property
    def tokens(self) -> int:
        """How many tokens are thought, those that close it included, those of a call not."""
        return len(self._ids) - (self._ended == "call")

    @property
    def length(self) -> int:
        """How many tokens were accepted."""
        return len(self._ids)

    def accept(self, token: int) -> None:
        assert self.open, "the thought is over"
        self._ids.append(token)
        self._text += self.vocabulary.texts[token]
        written = len(self.vocabulary.texts[token])
        if self._has_come(CLOSE_THINK, written):
            self._ended = "model"
        elif self._has_come(OPEN_CALL, written):
            self._ended = "call"
        else:
            self._watch()

    def rollback(self, n: int) -> None:
        if n == 0:
            return
        self._ended = None  # what ends a thought is its last token
        del self._text[len(self._text) - len(self.vocabulary.text(self._ids[-n:])) :]
        del self._ids[-n:]
        if self._cut and self._cut[0] > len(self._ids):
            self._cut = None

    def forced(self) -> list[int]:
        """What is left of the closing sentence, once it has begun."""
        return self._cut[2][len(self._ids) - self._cut[0] :] if self._cut and self.open else []

    def mask(self) -> Tensor | None:
        """[V] bool: near the end of a budget, the tokens after which no character will be cut."""
        if self.max_tokens is None or not self.open or self._cut:
            return None
        left = self.max_tokens - len(self._ids)
        if not 0 < left < LONGEST_CHARACTER:
            return None
        rests = self.vocabulary.rests
        missing = np.where(rests < 0, self._missing() + rests, rests)
        return torch.from_numpy(missing < left)

    def _watch(self) -> None:
        """Cut the thought where its budget is spent or it turns in circles, but never inside a character."""
        if self._cut or self._missing():
            return
        spent = self.max_tokens is not None and len(self._ids) >= self.max_tokens
        if spent or repeats(self._ids):
            closing = self._closings[bool(self._text.strip())]
            self._cut = len(self._ids), "budget" if spent else "repetition", closing

    def _has_come(self, marker: str, written: int) -> bool:
        """Whether the last bytes written complete a marker."""
        return self._text.find(marker.encode(), -(written + len(marker) - 1)) >= 0

    def _missing(self) -> int:
        return missing_bytes(self._text)


def repeats(ids: Sequence[int]) -> bool:
    """Whether the last tokens are one cycle over and over: at least three times, and at least 48 tokens."""
    if len(ids) < REPEATED:
        return False
    last = ids[-1]
    for cycle in range(1, min(LONGEST_CYCLE, len(ids) // FEWEST_REPEATS) + 1):
        if ids[-1 - cycle] != last:
            continue
        span = max(cycle * FEWEST_REPEATS, REPEATED)
        if ids[-span + cycle :] == ids[-span:-cycle]:
            return True
    return False
