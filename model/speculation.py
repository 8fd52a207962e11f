"""Guesses of the next tokens, to be checked in one forward of the network.

They come from the multi-token prediction head, or from what was read and written before: names and texts
are mostly copied, and looking costs nothing (prompt lookup decoding). A guess is checked by the ordinary
choice of the next token: where the two agree, the next choice is already paid for. So what is written is what
would be written without guesses, token by token, sampled or greedy.

Shapes: m pending rows, D model dim, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .cache import AttentionState, KVBuffer
from .constraint import Constraint, FreeText
from .vlm import VisionLanguageModel

Pick = Callable[[Tensor], int | None]  # logits [V] -> the guess, or None to guess no further
# Of the last tokens so many must have stood together before, and more than that say nothing.
LEAST, MOST = 2, 8


def looked_up(ids: np.ndarray, count: int) -> list[int]:
    """At most `count` tokens that followed the last tokens of `ids` [T] earlier: where most of these stood,
    and of such places the latest that so many follow."""
    places, stood = np.flatnonzero(ids[:-1] == ids[-1]) + 1, 1
    while stood < MOST and len(longer := places[places > stood]):
        longer = longer[ids[longer - stood - 1] == ids[-stood - 1]]
        if not len(longer):
            break
        places, stood = longer, stood + 1
    if stood < LEAST:
        return []
    full = places[places + count <= len(ids)]
    place = full[-1] if len(full) else places[0]
    return ids[place : place + count].tolist()


@dataclass
class DraftState:
    """The head's own keys and values, and the rows whose next token it has not read yet."""

    layers: list[AttentionState | None]
    rows: Tensor | None = None  # [1, m, D] hidden states of the last m tokens; None: it has read them
    after: Tensor | None = None  # [1, m - 1, D] embeddings of the tokens after all rows but the last
    positions: Tensor | None = None  # [3, 1, m]

    @classmethod
    def empty(cls, model: VisionLanguageModel) -> "DraftState":
        assert model.mtp is not None
        return cls([None] * len(model.mtp.layers))

    def fork(self) -> "DraftState":
        return replace(self, layers=list(self.layers))

    def buffers(self) -> list[KVBuffer]:
        return [state.buffer for state in self.layers if state]

    def read(self, model: VisionLanguageModel, x: Tensor, hidden: Tensor, positions: Tensor) -> None:
        """Take in tokens of the prompt: embeddings x and final states [1, T, D], positions [3, 1, T]."""
        if x.shape[1] > 1:
            self.hold(model, x[:, :-1], hidden[:, :-1], positions[..., :-1])
        self.hold(model, x[:, -1:], hidden[:, -1:], positions[..., -1:])

    def hold(self, model: VisionLanguageModel, x: Tensor, hidden: Tensor, positions: Tensor) -> None:
        """Tokens just computed, to be read together with the one that follows them; the first of them follows
        those held before, unless `guess` has read these already."""
        if self.rows is not None:
            self._advance(model, x[:, :1])
        self.rows, self.after, self.positions = hidden, x[:, 1:], positions

    def guess(self, model: VisionLanguageModel, token: int, count: int, pick: Pick) -> list[int]:
        """At most `count` tokens that may follow `token`, which comes after the rows held."""
        assert self.positions is not None
        out = self._advance(model, _embedded(model, token))
        position, layers, guesses = self.positions[..., -1:], list(self.layers), []
        while (chosen := pick(model.logits(out[0, -1]))) is not None:
            guesses.append(chosen)
            if len(guesses) == count:
                break
            position = position + 1
            assert model.mtp is not None
            out = model.mtp(_embedded(model, chosen), out, position, layers)
        return guesses

    def _advance(self, model: VisionLanguageModel, x: Tensor) -> Tensor:
        """Read the rows held, the last of which is followed by x [1, 1, D]. Returns the head's last state."""
        assert model.mtp is not None
        assert self.rows is not None
        assert self.after is not None
        assert self.positions is not None
        following, rows, self.rows = torch.cat((self.after, x), dim=1), self.rows, None
        return model.mtp(following, rows, self.positions, self.layers)[:, -1:]


class Picker:
    """The likeliest token that the constraint allows, or those of given ones that it does; none where it
    knows the next one, or that none follows.

    The constraint follows the guesses while they are made; `undo` takes them back.
    """

    def __init__(self, constraint: Constraint | FreeText):
        self.constraint, self.count = constraint, 0

    def __call__(self, logits: Tensor) -> int | None:
        if self.constraint.finished or self.constraint.forced():
            return None
        allowed = self.constraint.mask()
        if allowed is not None:
            logits = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
        return self._accept(int(logits.argmax()))

    def follow(self, tokens: list[int]) -> list[int]:
        """As many of these as may follow."""
        kept = []
        for token in tokens:
            if self.constraint.finished or self.constraint.forced():
                break
            allowed = self.constraint.mask()
            if allowed is not None and not allowed[token]:
                break
            kept.append(self._accept(token))
        return kept

    def _accept(self, token: int) -> int:
        self.constraint.accept(token)
        self.count += 1
        return token

    def undo(self) -> None:
        self.constraint.rollback(self.count)


def _embedded(model: VisionLanguageModel, token: int) -> Tensor:
    return model.language_model.embed_tokens(torch.tensor([[token]], device=model.device))
