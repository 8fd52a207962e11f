"""One token for each of a few rows over states of fixed size: plain PyTorch, the definition of what is right.

States are changed in place, so that the same addresses hold them at the next step. Counters are tensors: no
shape depends on how many tokens there were.

Shapes: B rows, D model dim, N out, C = 2GK + HV conv channels, H value or query heads, G key heads, K key
dim, V value dim, E experts, I expert width, J width of the shared expert, k chosen, S = k or k + 1 slots,
R rotary dims, T slots of the cache.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from . import reference
from .packed import Weight, widened
from .reference import MixWeights


class Norm(NamedTuple):
    """An RMSNorm; see `reference.rms_norm`."""

    weight: Tensor  # [D]
    eps: float
    offset: float


def embed(ids: Tensor, weight: Weight, dtype: torch.dtype) -> Tensor:
    """The rows ids [B] of weight [V, D], in `dtype` -> [B, D]."""
    return widened(weight[ids], dtype)


def norm_linear(x: Tensor, norm: Norm, weight: Weight) -> Tensor:
    """weight [N, D] times the RMSNorm of x [B, D] -> [B, N]."""
    return F.linear(reference.rms_norm(x, *norm), widened(weight, x.dtype))


def add_linear(x: Tensor, weight: Weight, residual: Tensor) -> Tensor:
    """residual [B, N] + weight [N, D] times x [B, D]."""
    return residual + F.linear(x, widened(weight, x.dtype))


def delta_step(
    mixed: Tensor, weights: MixWeights, eps: float, key_heads: int, window: Tensor, state: Tensor,
    steps: Tensor,
) -> Tensor:  # fmt: skip
    """`reference.delta_mix` for one token. mixed [B, C + HV + 2H]: the columns qkv, z, b, a side by side.

    `window` [B, taps, C] is a ring: the column of token t lies at t % taps. `state` [B, H, K, V] fp32. Both
    advance. steps [B]: tokens before this one. Returns [B, HV].
    """
    (batch, taps, channels), heads = window.shape, state.shape[1]
    qkv, z, b, a = mixed[:, None].split(
        (channels, mixed.shape[1] - channels - 2 * heads, heads, heads), dim=-1
    )
    rows = torch.arange(batch, device=mixed.device)[:, None]
    order = (steps[:, None] + torch.arange(1, taps, device=mixed.device)) % taps  # oldest first
    out, columns, states = reference.delta_mix(
        qkv, z, b, a, weights, eps, key_heads, window[rows, order], state, each=True
    )
    window[rows[:, 0], steps % taps] = columns[:, -1]
    state.copy_(states[-1])
    return out[:, 0]


def choose_experts(
    x: Tensor, norm: Norm, router: Tensor, k: int, switched: bool, arrived: Tensor
) -> tuple[Tensor, Tensor]:
    """Indices [B, k] int32 of the experts that score best, and what each slot's share is [B, S], fp32.

    router [E, D], with the row of the shared expert's switch behind it where it is `switched`; that expert is
    the last slot. `arrived` [B]: int32 zeros that the kernel counts in, and leaves as zeros.
    """
    logits = norm_linear(x, norm, router)
    scores, switch = logits.split((logits.shape[1] - switched, int(switched)), dim=-1)
    best, indices = scores.float().topk(k, dim=-1)
    return indices.int(), torch.cat((best.softmax(-1), switch.float().sigmoid()), dim=-1)


def experts_up(
    x: Tensor, norm: Norm, indices: Tensor, shares: Tensor, gate_up: Weight | None, shared: Weight | None
) -> Tensor:
    """share * silu(gate x) * up x of each chosen expert, on the RMSNorm of x [B, D], side by side.

    gate_up [E, 2I, D] (gate rows first), None where k is 0; shared [2J, D], the last slot.
    Returns [B, kI + J].
    """
    hidden = []
    for row, chosen, share in zip(reference.rms_norm(x, *norm), indices.tolist(), shares, strict=True):
        weights = _slots(gate_up, chosen, shared, x.dtype)
        halves = [F.linear(row, w).float().chunk(2) for w in weights]
        hidden.append(torch.cat([s * F.silu(gate) * up for s, (gate, up) in zip(share, halves, strict=True)]))
    return torch.stack(hidden).to(x.dtype)


def experts_down(
    hidden: Tensor, indices: Tensor, down: Weight, shared: Weight | None, residual: Tensor
) -> Tensor:
    """residual [B, D] + the sum over the slots of down [E, D, I] and shared [D, J], on hidden [B, kI + J]."""
    out = []
    for row, chosen in zip(hidden, indices.tolist(), strict=True):
        weights = _slots(down, chosen, shared, hidden.dtype)
        parts = row.split([w.shape[1] for w in weights])
        out.append(torch.stack([F.linear(h, w) for h, w in zip(parts, weights, strict=True)]).sum(0))
    return residual + torch.stack(out)


def _slots(
    stack: Weight | None, chosen: list[int], shared: Weight | None, dtype: torch.dtype
) -> list[Tensor]:
    weights = [] if stack is None else [stack[i] for i in chosen]
    return [widened(w, dtype) for w in (weights if shared is None else [*weights, shared])]


def attention_step(
    qkv: Tensor, heads: int, q_norm: Norm, k_norm: Norm, cos: Tensor, sin: Tensor, positions: Tensor,
    lengths: Tensor, keys: Tensor, values: Tensor,
) -> Tensor:  # fmt: skip
    """One token of attention over its cache, with q/k norm, rotary embedding and the output gate, if any.

    qkv [B, H * D (* 2: per head query, gate) + 2GD]; cos, sin [P, R/2] in fp32 by position; positions [B];
    keys, values [B, G, T, D], of which row b holds lengths[b], and one more afterwards. Returns [B, H * D].
    """
    batch, groups, _, dim = keys.shape
    query, k, v = qkv.split((qkv.shape[1] - 2 * groups * dim, groups * dim, groups * dim), dim=-1)
    query, gate, *_ = *query.view(batch, 1, heads, -1).split(dim, dim=-1), None
    turn = [torch.cat((table[positions], table[positions]), dim=-1)[:, None] for table in (cos, sin)]
    q = reference.rotate_heads(query, *q_norm, *turn)
    k = reference.rotate_heads(k.view(batch, 1, groups, dim), *k_norm, *turn)
    rows = torch.arange(batch, device=qkv.device)
    keys[rows, :, lengths], values[rows, :, lengths] = k[:, :, 0], v.view(batch, groups, dim)
    visible = torch.arange(keys.shape[2], device=qkv.device) <= lengths[:, None]
    o = reference.causal_attention(q, keys, values, visible[:, None, None]).transpose(1, 2)
    return (o if gate is None else o * gate.sigmoid()).flatten(1)
