"""The hybrid cache: one value that holds all a sequence needs to go on.

A layer's state is a value: appending gives a new one and leaves the old one valid, so a copy of the list is a
snapshot, `fork` costs nothing, rolling back is keeping the old one. Keys and values still grow in place (see
`KVBuffer`), unless a gradient flows through them.

Shapes: B batch, T new tokens, S tokens seen, G key/value heads, D head dim, C conv channels, V value heads,
K key dim.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakSet

import torch
from torch import Tensor

from . import kernels

SPARE_SLOTS = 256  # a buffer grows by a quarter, and by at least so many tokens


class KVBuffer:
    """Keys and values of one layer with room to grow, shared by every state that is a prefix of them."""

    def __init__(self, keys: Tensor, values: Tensor):
        self.keys, self.values = keys, values  # [B, G, capacity, D]
        self.frontier = keys.shape[2]  # tokens written
        self.holders: WeakSet[AttentionState] | None = None  # None: tensors of others, not to be written into

    def append(self, length: int, k: Tensor, v: Tensor) -> "AttentionState":
        """Write after the first `length` tokens: in place, or into a copy while a living state needs them."""
        end = length + k.shape[2]
        if self.holders is None or self._taken(length):
            return self._copy(length, end).append(length, k, v)
        if end > self.keys.shape[2]:
            self.keys, self.values = _grown(self.keys, length, end), _grown(self.values, length, end)
        self.keys[:, :, length:end], self.values[:, :, length:end] = k, v
        state, self.frontier = AttentionState(self, end), end
        self.holders.add(state)
        return state

    def _taken(self, length: int) -> bool:
        if length < self.frontier:
            self.frontier = max((state.length for state in self.holders or ()), default=0)
        return length < self.frontier

    def _copy(self, length: int, end: int) -> "KVBuffer":
        copy = KVBuffer(_grown(self.keys, length, end), _grown(self.values, length, end))
        copy.frontier, copy.holders = length, WeakSet()
        return copy

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes


def _grown(x: Tensor, used: int, needed: int) -> Tensor:
    wide = x.new_empty(*x.shape[:2], slots(needed), x.shape[3])
    wide[:, :, :used] = x[:, :, :used]
    return wide


def slots(tokens: int) -> int:
    """Of a buffer made for so many tokens: eight sizes an octave, so that the allocator meets them again."""
    wanted = max(tokens + SPARE_SLOTS, tokens * 5 // 4)
    step = 1 << (wanted.bit_length() - 4)
    return -(-wanted // step) * step


@dataclass(frozen=True, eq=False)
class AttentionState:
    """The first `length` tokens of a buffer."""

    buffer: KVBuffer
    length: int

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> "AttentionState":
        """keys (rotated) and values [B, G, S, D], which are never written into."""
        return cls(KVBuffer(keys, values), keys.shape[2])

    @property
    def keys(self) -> Tensor:
        return self.buffer.keys[:, :, : self.length]

    @property
    def values(self) -> Tensor:
        return self.buffer.values[:, :, : self.length]

    def append(self, k: Tensor, v: Tensor) -> "AttentionState":
        if k.requires_grad or self.buffer.keys.requires_grad:
            return self.of(torch.cat((self.keys, k), dim=2), torch.cat((self.values, v), dim=2))
        return self.buffer.append(self.length, k, v)

    def attend(self, q: Tensor, visible: Tensor | None = None) -> Tensor:
        """q [B, H, T, D] of the last T tokens -> [B, H, T, D]."""
        return kernels.causal_attention(q, self.keys, self.values, visible)

    def without(self, counts: Sequence[int]) -> "AttentionState":
        state = AttentionState(self.buffer, self.length - counts[0])
        if self.buffer.holders is not None:
            self.buffer.holders.add(state)
        return state

    def settled(self) -> "AttentionState":
        return self

    def expand(self, n: int) -> "AttentionState":
        return self.of(*(x.repeat_interleave(n, dim=0) for x in (self.keys, self.values)))


@dataclass(frozen=True)
class RaggedState:
    """Sequences of different lengths, each with its own buffer, that take the same number of new tokens."""

    rows: tuple[AttentionState, ...]

    def append(self, k: Tensor, v: Tensor) -> "RaggedState":
        new = zip(self.rows, k.split(1), v.split(1), strict=True)
        return RaggedState(tuple(row.append(k_row, v_row) for row, k_row, v_row in new))

    def attend(self, q: Tensor, visible: Tensor | None = None) -> Tensor:
        assert visible is None
        return torch.cat([row.attend(q_row) for row, q_row in zip(self.rows, q.split(1), strict=True)])

    def without(self, counts: Sequence[int]) -> "RaggedState":
        return RaggedState(tuple(row.without([n]) for row, n in zip(self.rows, counts, strict=True)))


@dataclass(frozen=True)
class DeltaState:
    conv: Tensor  # [B, kernel - 1, C], the last columns before the convolution
    recurrent: Tensor  # [B, V, K, D] fp32
    earlier: tuple["DeltaState", ...] = ()  # after each token but the last of a short forward: for `without`
    midway: "DeltaState | None" = None  # where a forward was told to keep it: for `split_off`

    def without(self, counts: Sequence[int]) -> "DeltaState":
        sources = [self.earlier[-n] if n else self for n in counts]
        if len(set(counts)) == 1:
            return sources[0]
        conv = torch.cat([state.conv[i : i + 1] for i, state in enumerate(sources)])
        return DeltaState(conv, torch.cat([state.recurrent[i : i + 1] for i, state in enumerate(sources)]))

    def settled(self) -> "DeltaState":
        return replace(self, earlier=(), midway=None) if self.earlier or self.midway else self

    def expand(self, n: int) -> "DeltaState":
        return DeltaState(self.conv.repeat_interleave(n, dim=0), self.recurrent.repeat_interleave(n, dim=0))


State = AttentionState | RaggedState | DeltaState


@dataclass(frozen=True)
class PadMask:
    """What a left-padded batch hides from its layers in one forward."""

    real: Tensor  # [B, T, 1], false at pads: DeltaNet would carry them on in its state
    visible: Tensor  # [B, 1, T, S], the causal mask without the pads


@dataclass
class HybridCache:
    """The state of every layer after `length` tokens; None in a layer that has seen nothing."""

    layers: list = field(default_factory=list)  # of State | None
    length: int = 0
    padding: Tensor | None = None  # [B] pads at the left of each sequence; None: no sequence has any

    @classmethod
    def empty(cls, num_layers: int, padding: Tensor | None = None) -> "HybridCache":
        return cls([None] * num_layers, padding=padding)

    @classmethod
    def joined(cls, rows: Sequence["HybridCache"]) -> "HybridCache":
        """Sequences of any lengths as one batch; its `length` counts from here. Undone by `split`."""
        return cls([_joined(states) for states in zip(*(row.layers for row in rows), strict=True)])

    def split(self, lengths: Sequence[int]) -> list["HybridCache"]:
        """The sequences of a joined batch, which have these lengths now."""
        columns = zip(*(_split(state) for state in self.layers), strict=True)
        return [HybridCache(list(layers), n) for layers, n in zip(columns, lengths, strict=True)]

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
        """An independent continuation of the same prefix, which shares every tensor and cannot go back."""
        return replace(self, layers=[state and state.settled() for state in self.layers])

    def without(self, counts: Sequence[int]) -> "HybridCache":
        """The cache without the last tokens of a short forward, so many in each row; at least one stays."""
        if not any(counts):
            return self
        return HybridCache([state.without(counts) for state in self.layers], self.length - min(counts))

    def split_off(self, tokens: int) -> "HybridCache":
        """The cache before the last `tokens`, where the forward was told to keep it (`cut`); given once."""
        before = [s.midway if isinstance(s, DeltaState) else s.without([tokens]) for s in self.layers]
        self.layers = [state.settled() for state in self.layers]
        return HybridCache(before, self.length - tokens)

    def expand(self, n: int) -> "HybridCache":
        """n continuations of each sequence of the batch: B becomes B * n, neighbours share a prefix."""
        padding = None if self.padding is None else self.padding.repeat_interleave(n)
        return HybridCache([state and state.expand(n) for state in self.layers], self.length, padding)

    def buffers(self) -> Iterator[KVBuffer]:
        """What this cache may share with others that have the same prefix."""
        return (state.buffer for state in self.layers if isinstance(state, AttentionState))

    def own_bytes(self) -> int:
        """What it shares with nobody."""
        return sum(s.conv.nbytes + s.recurrent.nbytes for s in self.layers if isinstance(s, DeltaState))

    def nbytes(self) -> int:
        return self.own_bytes() + sum(buffer.nbytes for buffer in self.buffers())


def _joined(states: tuple) -> State:
    if isinstance(states[0], DeltaState):
        return DeltaState(torch.cat([s.conv for s in states]), torch.cat([s.recurrent for s in states]))
    return RaggedState(states)


def _split(state: State) -> Sequence[AttentionState | DeltaState]:
    """One state per row. Copies, where a view would keep the whole batch alive."""
    if isinstance(state, RaggedState):
        return state.rows
    assert isinstance(state, DeltaState)
    rows = zip(state.conv.split(1), state.recurrent.split(1), strict=True)
    return [DeltaState(conv.clone(), recurrent.clone()) for conv, recurrent in rows]
