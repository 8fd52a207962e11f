"""Triton: the recurrence of the gated delta rule between chunks, forward and backward.

One program walks the chunks of one (batch, head) with the state in registers. Same signature and meaning as
`reference.delta_pass_state`; all fp32. Shapes: B batch, H heads, N chunks, C chunk, K key dim, V value dim.

Backward, from S' = keep S + k_out^T fresh and fresh = u - w S, with dS' the gradient from the right:
  dfresh += k_out dS'; dk_out = fresh dS'^T; dkeep = <dS', S>; du = dfresh; dw = -dfresh S^T;
  dS = keep dS' - w^T dfresh + (what the read-out of S asked for).
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

MAX_TILE = 4096  # numbers of a state that one program carries from chunk to chunk


@triton.jit
def _forward(p_u, p_w, p_k, p_keep, p_start, p_fresh, p_states, p_end, N, C: tl.constexpr, K: tl.constexpr,
             V: tl.constexpr, BLOCK_V: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    i_head, o_v = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    o_c, o_k = tl.arange(0, C), tl.arange(0, K)
    o_cv = o_c[:, None] * V + o_v[None, :]
    o_ck = o_c[:, None] * K + o_k[None, :]
    o_kv = o_k[:, None] * V + o_v[None, :]
    b_state = tl.load(p_start + i_head * K * V + o_kv)
    for n in range(N):
        i_chunk = i_head * N + n
        tl.store(p_states + i_chunk * K * V + o_kv, b_state)
        b_w = tl.load(p_w + i_chunk * C * K + o_ck)
        b_fresh = tl.load(p_u + i_chunk * C * V + o_cv) - tl.dot(b_w, b_state, input_precision=PRECISION)
        tl.store(p_fresh + i_chunk * C * V + o_cv, b_fresh)
        b_k = tl.load(p_k + i_chunk * C * K + o_ck)
        b_state = b_state * tl.load(p_keep + i_chunk)
        b_state += tl.dot(tl.trans(b_k), b_fresh, input_precision=PRECISION)
    tl.store(p_end + i_head * K * V + o_kv, b_state)


@triton.jit
def _backward(p_w, p_k, p_keep, p_fresh, p_states, p_dfresh, p_dstates, p_dend,
              p_du, p_dw, p_dk, p_dkeep, p_dstart,
              N, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    i_head = tl.program_id(0).to(tl.int64)
    o_c, o_k, o_v = tl.arange(0, C), tl.arange(0, K), tl.arange(0, V)
    o_cv = o_c[:, None] * V + o_v[None, :]
    o_ck = o_c[:, None] * K + o_k[None, :]
    o_kv = o_k[:, None] * V + o_v[None, :]
    b_ds = tl.load(p_dend + i_head * K * V + o_kv)
    for back in range(N):
        i_chunk = i_head * N + N - 1 - back
        b_k = tl.load(p_k + i_chunk * C * K + o_ck)
        b_df = tl.load(p_dfresh + i_chunk * C * V + o_cv) + tl.dot(b_k, b_ds, input_precision=PRECISION)
        tl.store(p_du + i_chunk * C * V + o_cv, b_df)
        b_fresh = tl.load(p_fresh + i_chunk * C * V + o_cv)
        tl.store(p_dk + i_chunk * C * K + o_ck, tl.dot(b_fresh, tl.trans(b_ds), input_precision=PRECISION))
        b_state = tl.load(p_states + i_chunk * K * V + o_kv)
        tl.store(p_dkeep + i_chunk, tl.sum(b_ds * b_state))
        tl.store(p_dw + i_chunk * C * K + o_ck, -tl.dot(b_df, tl.trans(b_state), input_precision=PRECISION))
        b_w = tl.load(p_w + i_chunk * C * K + o_ck)
        b_ds = b_ds * tl.load(p_keep + i_chunk) + tl.load(p_dstates + i_chunk * K * V + o_kv)
        b_ds -= tl.dot(tl.trans(b_w), b_df, input_precision=PRECISION)
    tl.store(p_dstart + i_head * K * V + o_kv, b_ds)


def forward(
    u: Tensor, w: Tensor, k_out: Tensor, keep: Tensor, state: Tensor, precision: str
) -> tuple[Tensor, Tensor, Tensor]:
    """fresh, the states before each chunk, the last state; all arguments contiguous."""
    batch, heads, chunks, size, value_dim = u.shape
    fresh, end = torch.empty_like(u), torch.empty_like(state)
    states = u.new_empty(batch, heads, chunks, w.shape[-1], value_dim)
    key_dim, block = w.shape[-1], min(value_dim, MAX_TILE // w.shape[-1])
    sizes: dict[str, Any] = {"C": size, "K": key_dim, "V": value_dim, "BLOCK_V": block}
    sizes |= {"PRECISION": precision, "num_stages": 3 if key_dim <= 64 else 2}
    _forward[(batch * heads, value_dim // block)](
        u, w, k_out, keep, state, fresh, states, end, chunks, **sizes
    )
    return fresh, states, end


def backward(
    w: Tensor,
    k_out: Tensor,
    keep: Tensor,
    fresh: Tensor,
    states: Tensor,
    *gradients: Tensor,
    precision: str,
) -> tuple[Tensor, ...]:
    """Of u, w, k_out, keep and the first state, given those of what `forward` returns."""
    batch, heads, chunks, size, value_dim = fresh.shape
    dfresh, dstates, dend = (x.contiguous() for x in gradients)
    du, dw, dk = torch.empty_like(fresh), torch.empty_like(w), torch.empty_like(k_out)
    dkeep, dstart = torch.empty_like(keep), torch.empty_like(dend)
    sizes = {"C": size, "K": w.shape[-1], "V": value_dim, "PRECISION": precision}
    _backward[(batch * heads,)](
        w, k_out, keep, fresh, states, dfresh, dstates, dend,
        du, dw, dk, dkeep, dstart, chunks, **sizes,
    )  # fmt: skip
    return du, dw, dk, dkeep, dstart


class _PassState(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, w, k_out, keep, state):
        u, w, k_out, keep, state = (x.contiguous() for x in (u, w, k_out, keep, state))
        ctx.precision = precision_of(u.dtype)
        fresh, states, end = forward(u, w, k_out, keep, state, ctx.precision)
        ctx.save_for_backward(w, k_out, keep, fresh, states)
        return fresh, states, end

    @staticmethod
    def backward(ctx, *gradients):
        return backward(*ctx.saved_tensors, *gradients, precision=ctx.precision)


def delta_pass_state(
    u: Tensor, w: Tensor, k_out: Tensor, keep: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """See `reference.delta_pass_state`. C, K and V must be powers of two of at least 16."""
    return _PassState.apply(u, w, k_out, keep, state)


def precision_of(dtype: torch.dtype) -> str:
    """What `tl.dot` takes for fp32: three products of TF32 where torch computes exactly, whose error is that
    of fp32 and whose code is short; one where it does not, or where the inputs have fewer bits than TF32."""
    exact = dtype is torch.float32 and torch.get_float32_matmul_precision() == "highest"
    return "tf32x3" if exact else "tf32"
