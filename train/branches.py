"""Attention of many branches on one prefix, whose keys are neither copied nor masked.

The queries of all branches look at the prefix as one long sequence, each branch at itself causally; both results join
by their log-sum-exp. The backward pass gives each part the joint output and log-sum-exp, which makes its gradient
exact (as in ring attention: Liu et al., 2023). A mask over copied keys would take torch's unfused path.

Shapes: B prefixes, N branches on each, T tokens of a branch, P of the prefix, H heads, D head dim.
"""

from typing import Any

import torch
from saccade.model.attention import Attention, _gate
from saccade.model.cache import AttentionState
from saccade.model.decoder import DecoderLayer
from saccade.model.rope import apply_rotary
from torch import Tensor

aten: Any = torch.ops.aten


def branch_layer(
    layer: DecoderLayer, x: Tensor, rotary: tuple[Tensor, Tensor], prefix: AttentionState
) -> Tensor:
    """What `layer`, one with attention, does to branches [B * N, T, M] after `prefix` [B, ...]."""
    x = x + branch_attention(layer.self_attn, layer.input_layernorm(x), rotary, prefix)
    return x + layer.mlp(layer.post_attention_layernorm(x))


def branch_attention(
    attention: Attention, x: Tensor, rotary: tuple[Tensor, Tensor], prefix: AttentionState
) -> Tensor:
    q, gate = attention._queries(x)
    k, v = (proj(x).unflatten(-1, (-1, attention.head_dim)) for proj in (attention.k_proj, attention.v_proj))
    q = apply_rotary(attention.q_norm(q), *rotary).transpose(1, 2)
    k = apply_rotary(attention.k_norm(k), *rotary).transpose(1, 2)
    group = q.shape[1] // k.shape[1]
    keys = (prefix.keys, prefix.values, k, v.transpose(1, 2))
    o = shared_prefix_attention(q, *(key.repeat_interleave(group, dim=1) for key in keys))
    return attention.o_proj(_gate(o.transpose(1, 2), gate).flatten(-2))


def shared_prefix_attention(q: Tensor, k_prefix: Tensor, v_prefix: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q, k, v [B * N, H, T, D]; k_prefix, v_prefix [B, H, P, D]. Returns [B * N, H, T, D]."""
    apply: Any = torch.compiler.disable(_SharedPrefixAttention.apply)
    return apply(q, *(x.to(q.dtype) for x in (k_prefix, v_prefix, k, v)))


class _SharedPrefixAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k_prefix, v_prefix, k, v):
        count = k_prefix.shape[0]
        o_far, l_far, _ = _attend(_join(q, count), k_prefix, v_prefix, causal=False)
        o_near, l_near, ctx.flash = _attend(q, k, v, causal=True)
        o_far, l_far = _split(o_far, q), _split(l_far[..., None], q)[..., 0]
        lse = torch.logaddexp(l_far, l_near)
        weights = (l_far - lse).exp()[..., None], (l_near - lse).exp()[..., None]
        o = (o_far * weights[0] + o_near * weights[1]).to(q.dtype)
        ctx.save_for_backward(q, k_prefix, v_prefix, k, v, o, lse)
        return o

    @staticmethod
    def backward(ctx, grad):
        q, k_prefix, v_prefix, k, v, o, lse = ctx.saved_tensors
        count, grad = k_prefix.shape[0], grad.contiguous()
        lse_far = _join(lse[..., None], count)[..., 0]
        grad_far, q_far, o_far = (_join(x, count) for x in (grad, q, o))
        dq_far, dk_prefix, dv_prefix = _backward(
            grad_far, q_far, o_far, k_prefix, v_prefix, lse_far, False, ctx.flash
        )
        dq_near, dk, dv = _backward(grad, q, o, k, v, lse, True, ctx.flash)
        return _split(dq_far, q) + dq_near, dk_prefix, dv_prefix, dk, dv


def _join(x: Tensor, count: int) -> Tensor:
    """[B * N, H, T, D] -> [B, H, N * T, D]"""
    return x.unflatten(0, (count, -1)).transpose(1, 2).flatten(2, 3).contiguous()


def _split(x: Tensor, like: Tensor) -> Tensor:
    """The inverse of `_join`, for branches as in `like`."""
    return x.unflatten(2, (-1, like.shape[2])).transpose(1, 2).flatten(0, 1).contiguous()


def _attend(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> tuple[Tensor, Tensor, tuple]:
    """Output, its log-sum-exp [.., T], and what the GPU's backward wants to see again: lengths, dropout's state."""
    q, k, v = (x.contiguous() for x in (q, k, v))
    if q.is_cuda:
        o, lse, *lengths, _, _, state, unused, _ = aten._scaled_dot_product_flash_attention(
            q, k, v, 0.0, causal
        )
        return o, lse, (lengths, state, unused)
    return *aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal), ()


def _backward(grad, q, o, k, v, lse, causal: bool, flash: tuple) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v, o, lse = (x.contiguous() for x in (q, k, v, o, lse))
    if not q.is_cuda:
        return aten._scaled_dot_product_flash_attention_for_cpu_backward(grad, q, k, v, o, lse, 0.0, causal)
    lengths, *state = flash
    return aten._scaled_dot_product_flash_attention_backward(
        grad, q, k, v, o, lse, *lengths, q.shape[2], k.shape[2], 0.0, causal, *state
    )
