"""The hybrid cache: one value that holds all a sequence needs to go on.

Layers never write into the tensors they are given; they put new ones in their place. So a copy of the list is
a snapshot, `fork` costs nothing, rolling back is keeping the old one, and training may differentiate through
it.

Shapes: B batch, S tokens seen, G key/value heads, D head dim, C conv channels, V value heads, K key dim.
"""

from dataclasses import dataclass, field

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


@dataclass
class HybridCache:
    """The state of every layer after `length` tokens; None in a layer that has seen nothing."""

    layers: list[AttentionState | DeltaState | None] = field(default_factory=list)
    length: int = 0

    @classmethod
    def empty(cls, num_layers: int) -> "HybridCache":
        return cls([None] * num_layers)

    def fork(self) -> "HybridCache":
        """An independent continuation of the same prefix; shares every tensor."""
        return HybridCache(list(self.layers), self.length)

    def expand(self, n: int) -> "HybridCache":
        """n continuations of each sequence of the batch: B becomes B * n, neighbours share a prefix."""
        return HybridCache([state and _repeat(state, n) for state in self.layers], self.length)

    def nbytes(self) -> int:
        tensors = [t for state in self.layers if state for t in vars(state).values()]
        return sum(t.numel() * t.element_size() for t in tensors)


def _repeat(state: AttentionState | DeltaState, n: int) -> AttentionState | DeltaState:
    return type(state)(**{name: torch.repeat_interleave(t, n, dim=0) for name, t in vars(state).items()})
