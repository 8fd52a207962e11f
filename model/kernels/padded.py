"""A DeltaNet layer over tokens with pads at the end, where only the device knows how many are real: what a
CUDA graph can hold. Plain PyTorch around `reference.delta_mix`; shapes as there, B is 1.

A pad has b and a so low that beta is 0 and the decay 1: the recurrence leaves the state alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from . import reference
from .reference import Around, MixWeights

SILENT = -1e4  # its sigmoid is 0 and so is its softplus, whatever is added to it


class Ends(NamedTuple):
    """Where the real tokens end, and where the state is kept on the way: the same in every layer."""

    is_pad: Tensor  # [T, 1]
    kept: Tensor  # int64: after how many tokens
    columns: Tensor  # [2 (k - 1)], the last window before each end: columns, counted from the first window

    @classmethod
    def of(cls, counts: Tensor, tokens: int, window: int) -> "Ends":
        """counts [2] int64: how many of the tokens are real, and after how many the state is kept (0: of
        use to nobody); `window` is k - 1."""
        at = torch.arange(tokens, device=counts.device)[:, None]
        columns = counts[:, None] + torch.arange(window, device=counts.device)
        return cls(at >= counts[0], counts[1], columns.flatten())


def delta_rule_kept(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor, count: Tensor,
    rule: Callable[..., tuple[Tensor, Tensor]] = reference.delta_rule_recurrent,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """See `reference.delta_rule_recurrent`; and the state after `count` of the tokens: by the same rule, with
    those behind silent."""
    before = (torch.arange(v.shape[1], device=count.device) < count)[:, None]
    return *rule(q, k, v, g, beta, state), rule(q, k, v, g * before, beta * before, state)[1]


def delta_mix(
    qkv: Tensor, z: Tensor, b: Tensor, a: Tensor, weights: MixWeights, eps: float, key_heads: int,
    window: Tensor, state: Tensor, ends: Ends,
    rule: Callable[..., tuple[Tensor, Tensor, Tensor]] = delta_rule_kept,
    around: Around | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """See `reference.delta_mix`. Returns out, which means nothing at pads, the windows
    [2, B, k - 1, C] before both ends, the state at the end, and that where it is kept.
    """
    kept: list[Tensor] = []

    def keeping(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        out, end, midway = rule(*inputs, ends.kept)
        kept.append(midway)
        return out, end

    b, a = b.masked_fill(ends.is_pad, SILENT), a.masked_fill(ends.is_pad, SILENT)
    inputs = qkv, z, b, a, weights, eps, key_heads, window, state
    out, _, (end,) = reference.delta_mix(*inputs, each=False, rule=keeping, around=around)
    return out, last_columns(qkv, window, ends.columns), end, kept[0]


def last_columns(qkv: Tensor, window: Tensor, columns: Tensor) -> Tensor:
    """[2, B, k - 1, C]: some columns of the window and of qkv behind it, without putting them together."""
    width = window.shape[1]
    old = window.index_select(1, columns.clamp_max(width - 1))
    new = qkv.index_select(1, (columns - width).clamp_min(0))
    return torch.where((columns < width)[:, None], old, new).unflatten(1, (2, width)).transpose(0, 1)
