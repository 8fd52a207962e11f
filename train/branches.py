"""Attention of many branches on one prefix, whose keys are neither copied nor masked.

The queries of all branches look at the prefix as one long sequence, each branch at itself causally; both results join
by their log-sum-exp. The backward pass gives each part the joint output and log-sum-exp, which makes its gradient
exact (as in ring attention: Liu et al., 2023). A mask over copied keys would take torch's unfused path.

Tokens come before heads throughout, so that neither order of the branches asks for a copy.

Shapes: B prefixes, N branches on each, T tokens of a branch, P of the prefix, H heads, D head dim.
"""

from typing import Any

import torch
from saccade.model.attention import Attention
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
    q, k = apply_rotary(attention.q_norm(q), *rotary), apply_rotary(attention.k_norm(k), *rotary)
    group = q.shape[2] // k.shape[2]
    keys = (prefix.keys.transpose(1, 2), prefix.values.transpose(1, 2), k, v)
    o = shared_prefix_attention(q, *(key.repeat_interleave(group, dim=2) for key in keys))
    return attention.out(o, gate)


def shared_prefix_attention(q: Tensor, k_prefix: Tensor, v_prefix: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q, k, v [B * N, T, H, D]; k_prefix, v_prefix [B, P, H, D]. Returns [B * N, T, H, D]."""
    apply: Any = torch.compiler.disable(_SharedPrefixAttention.apply)
    return apply(q, *(x.to(q.dtype) for x in (k_prefix, v_prefix, k, v)))


class _SharedPrefixAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k_prefix, v_prefix, k, v):
        q, count = q.contiguous(), k_prefix.shape[0]
        o_far, l_far, _ = _attend(_joined(q, count), k_prefix, v_prefix, causal=False)
        o_near, l_near, ctx.flash = _attend(q, k, v, causal=True)
        o_far, l_far = o_far.reshape(q.shape), l_far.reshape(l_near.shape)
        lse = torch.logaddexp(l_far, l_near)
        weights = (l_far - lse).exp()[..., None], (l_near - lse).exp()[..., None]
        o = (o_far * weights[0] + o_near * weights[1]).to(q.dtype)
        ctx.save_for_backward(q, k_prefix, v_prefix, k, v, o, lse)
        return o

    @staticmethod
    def backward(ctx, grad):
        q, k_prefix, v_prefix, k, v, o, lse = ctx.saved_tensors
        count, grad = k_prefix.shape[0], grad.contiguous()
        far = [_joined(x, count) for x in (grad, q, o)]
        dq_far, dk_prefix, dv_prefix = _backward(
            *far, k_prefix, v_prefix, _joined(lse, count), False, ctx.flash
        )
        dq_near, dk, dv = _backward(grad, q, o, k, v, lse, True, ctx.flash)
        return dq_far.reshape(q.shape) + dq_near, dk_prefix, dv_prefix, dk, dv


def _joined(x: Tensor, count: int) -> Tensor:
    """[B * N, T, ...] -> [B, N * T, ...]: all branches of a prefix as one sequence. No copy, since heads come later."""
    return x.unflatten(0, (count, -1)).flatten(1, 2)


def _attend(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> tuple[Tensor, Tensor, tuple]:
    """Output [.., T, H, D], its log-sum-exp [.., T, H], and what the GPU's backward wants to see again: lengths,
    dropout's state. The kernels take any order of heads and tokens in memory, as long as D is last."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if not q.is_cuda:
        o, lse = aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal)
        return o.transpose(1, 2), lse.transpose(1, 2), ()
    o, lse, *lengths, _, _, state, unused, _ = aten._scaled_dot_product_flash_attention(q, k, v, 0.0, causal)
    return o.transpose(1, 2), lse.transpose(1, 2), (lengths, state, unused)


def _backward(grad, q, o, k, v, lse, causal: bool, flash: tuple) -> list[Tensor]:
    grad, q, o, k, v = (x.transpose(1, 2) for x in (grad, q, o, k, v))
    lse = lse.transpose(1, 2).contiguous()
    if q.is_cuda:
        lengths, *state = flash
        found = aten._scaled_dot_product_flash_attention_backward(
            grad, q, k, v, o, lse, *lengths, q.shape[2], k.shape[2], 0.0, causal, *state
        )
    else:
        rule = aten._scaled_dot_product_flash_attention_for_cpu_backward
        found = rule(grad, q, k, v, o, lse, 0.0, causal)
    return [x.transpose(1, 2) for x in found]
