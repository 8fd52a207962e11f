"""The hybrid cache: one value that holds all a sequence needs to go on.

Layers never write into the tensors they are given; they put new ones in their place. So a copy of the list is
a snapshot, `fork` costs nothing, rolling back is keeping the old one, and training may differentiate through
it.

Shapes: B batch, T new tokens, S tokens seen, G key/value heads, D head dim, C conv channels, V value heads,
K key dim.
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class AttentionState:
    keys: Tensor  # [B, G, S, D], rotated
    values: Tensor  # [B, G, S, D]


@dataclass(frozen=True)
class DeltaState:
    conv: Tensor  # [B, C, kernel - 1], the last columns before the convolution
    recurrent: Tensor  # [B, V, K, D] fp32


@dataclass(frozen=True)
class PadMask:
    """What a left-padded batch hides from its layers in one forward."""

    real: Tensor  # [B, T, 1], false at pads: DeltaNet would carry them on in its state
    visible: Tensor  # [B, 1, T, S], the causal mask without the pads


@dataclass
class HybridCache:
    """The state of every layer after `length` tokens; None in a layer that has seen nothing."""

    layers: list[AttentionState | DeltaState | None] = field(default_factory=list)
    length: int = 0
    padding: Tensor | None = None  # [B] pads at the left of each sequence; None: no sequence has any

    @classmethod
    def empty(cls, num_layers: int, padding: Tensor | None = None) -> "HybridCache":
        return cls([None] * num_layers, padding=padding)

    def pad_mask(self, tokens: int) -> PadMask | None:
        """For the next `tokens`. A pad sees itself, so that no row of the softmax is empty."""
        if self.padding is None:
            return None
        columns = torch.arange(self.length + tokens, device=self.padding.device)
        rows = columns[self.length :]
        real = columns >= self.padding[:, None]  # [B, S]
        visible = (columns <= rows[:, None]) & real[:, None] | (columns == rows[:, None])
        return PadMask(real[:, self.length :, None], visible[:, None])

    def fork(self) -> "HybridCache":
        """An independent continuation of the same prefix; shares every tensor."""
        return replace(self, layers=list(self.layers))

    def expand(self, n: int) -> "HybridCache":
        """n continuations of each sequence of the batch: B becomes B * n, neighbours share a prefix."""
        padding = None if self.padding is None else self.padding.repeat_interleave(n)
        return HybridCache([state and _repeat(state, n) for state in self.layers], self.length, padding)

    def nbytes(self) -> int:
        tensors = [t for state in self.layers if state for t in vars(state).values()]
        return sum(t.numel() * t.element_size() for t in tensors)


def _repeat(state: AttentionState | DeltaState, n: int) -> AttentionState | DeltaState:
    return type(state)(**{name: torch.repeat_interleave(t, n, dim=0) for name, t in vars(state).items()})
