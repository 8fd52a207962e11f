"""Triton: the gated delta rule in chunks, forward and backward; `reference.delta_rule_chunked` says what it
means.

Three kernels each way. `_solve` makes of every chunk alone what the recurrence needs (u, w, k_out, keep),
`pass_state` walks the chunks, `_read` reads the output off. Keys and queries are normalised and decays summed
where they are read, so nothing but the inputs and fp32 tiles of one chunk ever reaches memory. Arithmetic is
fp32 (log decays fp64); matrix products follow `torch.get_float32_matmul_precision`.

Shapes: B batch, T tokens, H value heads, of which GROUP share a key head, K key dim, V value dim, N chunks of
C tokens. Tiles are named after what they hold; `d` is the gradient of.

Backward. With T = (I + A)^-1, u = T X1, w = T X2: dX = T^T d(u, w), dA = -(dX1 u^T + dX2 w^T) strictly
lower, since T^T dT T^T = (T^T du)(T X1)^T + (T^T dw)(T X2)^T. A decay e^(g_i - g_j) gives its row what it
takes from its column.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from . import pass_state

C = 64
LEVELS = tl.constexpr(6)  # 2^6 tokens in a chunk
READ = 64  # value dims that one program of `_read` writes


@triton.jit
def _to_unit(x):
    """What each row must be multiplied by to be of length one."""
    return tl.rsqrt(tl.sum(x * x, axis=1) + 1e-6)


@triton.jit
def _through_norm(d, x, factor):
    """The gradient before the norm: of x * factor, where x is given normalised already."""
    return (d - x * tl.sum(d * x, axis=1)[:, None]) * factor[:, None]


@triton.jit
def _decays(p_g, o_t, real, stride, C: tl.constexpr):
    """Summed log decays (fp64) and e^(g_i - g_j), zero above the diagonal."""
    g = tl.cumsum(tl.load(p_g + o_t * stride, real, other=0.0).to(tl.float64), axis=0)
    o_c = tl.arange(0, C)
    gap = (g[:, None] - g[None, :]).to(tl.float32)
    return g, tl.where(o_c[:, None] >= o_c[None, :], tl.exp(tl.minimum(gap, 0.0)), 0.0)


@triton.jit
def join(inverse, strict, level, P: tl.constexpr):
    """Of matrices, or of stacks of them: pairs of blocks of 2^level on the diagonal become one block."""
    o = tl.arange(0, strict.shape[1])
    row, column = o[:, None], o[None, :]
    joins = (row // (2 << level) == column // (2 << level)) & (row // (1 << level) > column // (1 << level))
    if len(strict.shape) == 3:
        joins = joins[None, :, :]
    corner = tl.dot(inverse, tl.where(joins, strict, 0.0), input_precision=P)
    return inverse - tl.dot(corner, inverse, input_precision=P)


@triton.jit
def _inverse(strict, C: tl.constexpr, P: tl.constexpr):
    """(I + A)^-1, A strictly lower: I - A in blocks of two, and pairs of blocks join until one is left, as
    `reference.unit_lower_inverse` explains."""
    o_c = tl.arange(0, C)
    row, column = o_c[:, None], o_c[None, :]
    inverse = tl.where(row == column, 1.0, 0.0) - tl.where(row // 2 == column // 2, strict, 0.0)
    for level in tl.static_range(1, LEVELS):  # type: ignore[misc]
        inverse = join(inverse, strict, level, P)
    return inverse


@triton.jit
def place(N, heads):
    """The chunk of this program: among all, in its sequence, and whose it is: batch and head."""
    i_chunk = tl.program_id(0).to(tl.int64)
    return i_chunk, i_chunk % N, i_chunk // N // heads, i_chunk // N % heads


@triton.jit
def _solve(p_k, p_v, p_g, p_beta, p_inverse, p_u, p_w, p_out, p_keep, tokens, heads, N,
           s_kb, s_kt, s_kh, s_vb, s_vt, s_vh, GROUP: tl.constexpr,
           C: tl.constexpr, K: tl.constexpr, V: tl.constexpr, P: tl.constexpr):  # fmt: skip
    i_chunk, n, i_b, i_h = place(N, heads)  # pyright: ignore
    o_c, o_k, o_v = tl.arange(0, C), tl.arange(0, K), tl.arange(0, V)
    o_t = n * C + o_c
    real = o_t < tokens
    scalars = i_b * tokens * heads + i_h
    at_k = i_b * s_kb + i_h // GROUP * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    k = tl.load(p_k + at_k, real[:, None], other=0.0).to(tl.float32)
    k *= _to_unit(k)[:, None]
    at_v = i_b * s_vb + i_h * s_vh + o_t[:, None] * s_vt + o_v[None, :]
    v = tl.load(p_v + at_v, real[:, None], other=0.0).to(tl.float32)
    beta = tl.load(p_beta + scalars + o_t * heads, real, other=0.0)
    g, gap = _decays(p_g + scalars, o_t, real, heads, C)
    end = tl.sum(tl.where(o_c == C - 1, g, 0.0), axis=0)
    k_beta = k * beta[:, None]
    mixing = tl.dot(k_beta, tl.trans(k), input_precision=P) * gap
    inverse = _inverse(tl.where(o_c[:, None] > o_c[None, :], mixing, 0.0), C, P)
    u = tl.dot(inverse, v * beta[:, None], input_precision=P)
    w = tl.dot(inverse, k_beta * tl.exp(g.to(tl.float32))[:, None], input_precision=P)
    tl.store(p_inverse + i_chunk * C * C + o_c[:, None] * C + o_c[None, :], inverse)
    tl.store(p_u + i_chunk * C * V + o_c[:, None] * V + o_v[None, :], u)
    at_ck = i_chunk * C * K + o_c[:, None] * K + o_k[None, :]
    tl.store(p_w + at_ck, w)
    tl.store(p_out + at_ck, k * tl.exp((end - g).to(tl.float32))[:, None])
    tl.store(p_keep + i_chunk, tl.exp(end.to(tl.float32)))


@triton.jit
def _read(p_q, p_k, p_g, p_fresh, p_states, p_o, tokens, heads, N, s_qb, s_qt, s_qh, s_kb, s_kt, s_kh,
          scale, GROUP: tl.constexpr, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr,
          BLOCK_V: tl.constexpr, P: tl.constexpr):  # fmt: skip
    i_chunk, n, i_b, i_h = place(N, heads)  # pyright: ignore
    o_c, o_k, o_v = tl.arange(0, C), tl.arange(0, K), tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    o_t = n * C + o_c
    real = o_t < tokens
    at_q = i_b * s_qb + i_h // GROUP * s_qh + o_t[:, None] * s_qt + o_k[None, :]
    q = tl.load(p_q + at_q, real[:, None], other=0.0).to(tl.float32)
    q *= _to_unit(q)[:, None]
    q *= scale
    at_k = i_b * s_kb + i_h // GROUP * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    k = tl.load(p_k + at_k, real[:, None], other=0.0).to(tl.float32)
    k *= _to_unit(k)[:, None]
    g, gap = _decays(p_g + i_b * tokens * heads + i_h, o_t, real, heads, C)
    fresh = tl.load(p_fresh + i_chunk * C * V + o_c[:, None] * V + o_v[None, :])
    state = tl.load(p_states + i_chunk * K * V + o_k[:, None] * V + o_v[None, :])
    o = tl.dot(tl.dot(q, tl.trans(k), input_precision=P) * gap, fresh, input_precision=P)
    o += tl.dot(q * tl.exp(g.to(tl.float32))[:, None], state, input_precision=P)
    at_o = (i_b * tokens * heads + i_h) * V + o_t[:, None] * heads * V + o_v[None, :]
    tl.store(p_o + at_o, o.to(p_o.dtype.element_ty), real[:, None])


@triton.jit
def _keep(p_k, p_g, p_fresh, p_states, p_count, p_kept, tokens, heads, N, s_kb, s_kt, s_kh,
          GROUP: tl.constexpr, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr, BLOCK_V: tl.constexpr,
          P: tl.constexpr):  # fmt: skip
    """The state after `count` tokens, from that before its chunk: what is fresh in a token depends on none
    after it."""
    i_head, o_v = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    i_b, i_h, count = i_head // heads, i_head % heads, tl.load(p_count)
    n = tl.minimum(count // C, N - 1)
    i_chunk, o_c, o_k = i_head * N + n, tl.arange(0, C), tl.arange(0, K)
    o_t = n * C + o_c
    before = o_t < count
    at_k = i_b * s_kb + i_h // GROUP * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    k = tl.load(p_k + at_k, before[:, None], other=0.0).to(tl.float32)
    k *= _to_unit(k)[:, None]
    p_g += i_b * tokens * heads + i_h
    g = tl.cumsum(tl.load(p_g + o_t * heads, before, other=0.0).to(tl.float64), axis=0)
    end = tl.sum(tl.where(o_c == C - 1, g, 0.0), axis=0)
    k *= tl.exp((end - g).to(tl.float32))[:, None]
    fresh = tl.load(p_fresh + i_chunk * C * V + o_c[:, None] * V + o_v[None, :])
    state = tl.load(p_states + i_chunk * K * V + o_k[:, None] * V + o_v[None, :])
    state = state * tl.exp(end.to(tl.float32)) + tl.dot(tl.trans(k), fresh, input_precision=P)
    tl.store(p_kept + i_head * K * V + o_k[:, None] * V + o_v[None, :], state)


@triton.jit
def _read_backward(p_q, p_k, p_g, p_fresh, p_states, p_do, p_dfresh, p_dstates, p_dq, p_dk, p_dg,
                   tokens, heads, N, s_qb, s_qt, s_qh, s_kb, s_kt, s_kh,
                   scale, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr, P: tl.constexpr):  # fmt: skip
    """dk (of the normalised keys) and dg (of the sums) are shares that `_solve_backward` adds its own to."""
    i_chunk, n, i_b, i_h = place(N, heads)  # pyright: ignore
    o_c, o_k, o_v = tl.arange(0, C), tl.arange(0, K), tl.arange(0, V)
    o_t = n * C + o_c
    real = o_t < tokens
    at_q = i_b * s_qb + i_h * s_qh + o_t[:, None] * s_qt + o_k[None, :]
    q = tl.load(p_q + at_q, real[:, None], other=0.0).to(tl.float32)
    factor = _to_unit(q)
    q *= factor[:, None]
    at_k = i_b * s_kb + i_h * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    k = tl.load(p_k + at_k, real[:, None], other=0.0).to(tl.float32)
    k *= _to_unit(k)[:, None]
    g, gap = _decays(p_g + i_b * tokens * heads + i_h, o_t, real, heads, C)
    grown = tl.exp(g.to(tl.float32))
    fresh = tl.load(p_fresh + i_chunk * C * V + o_c[:, None] * V + o_v[None, :])
    state = tl.load(p_states + i_chunk * K * V + o_k[:, None] * V + o_v[None, :])
    at_o = (i_b * tokens * heads + i_h) * V + o_t[:, None] * heads * V + o_v[None, :]
    do = tl.load(p_do + at_o, real[:, None], other=0.0).to(tl.float32)
    weights = tl.dot(q, tl.trans(k), input_precision=P) * gap * scale
    dfresh = tl.dot(tl.trans(weights), do, input_precision=P)
    tl.store(p_dfresh + i_chunk * C * V + o_c[:, None] * V + o_v[None, :], dfresh)
    dstate = tl.dot(tl.trans(q * (grown * scale)[:, None]), do, input_precision=P)
    tl.store(p_dstates + i_chunk * K * V + o_k[:, None] * V + o_v[None, :], dstate)
    dweights = tl.dot(do, tl.trans(fresh), input_precision=P)
    dq = tl.dot(do, tl.trans(state), input_precision=P) * grown[:, None]
    moved = dweights * weights
    dg = tl.sum(moved, axis=1) - tl.sum(moved, axis=0) + tl.sum(dq * q, axis=1) * scale
    tl.store(p_dg + i_chunk * C + o_c, dg)
    dweights *= gap
    dk = tl.dot(tl.trans(dweights), q, input_precision=P) * scale
    tl.store(p_dk + i_chunk * C * K + o_c[:, None] * K + o_k[None, :], dk)
    dq = _through_norm((dq + tl.dot(dweights, k, input_precision=P)) * scale, q, factor)
    at_dq = (i_b * tokens * heads + i_h) * K + o_t[:, None] * heads * K + o_k[None, :]
    tl.store(p_dq + at_dq, dq.to(p_dq.dtype.element_ty), real[:, None])


@triton.jit
def _solve_backward(p_k, p_v, p_g, p_beta, p_inverse, p_u, p_w, p_du, p_dw, p_dout, p_dkeep, p_dkn, p_dgs,
                    p_dk, p_dv, p_dg, p_dbeta, tokens, heads, N, s_kb, s_kt, s_kh, s_vb, s_vt, s_vh,
                    C: tl.constexpr, K: tl.constexpr, V: tl.constexpr, P: tl.constexpr):  # fmt: skip
    i_chunk, n, i_b, i_h = place(N, heads)  # pyright: ignore
    o_c, o_k, o_v = tl.arange(0, C), tl.arange(0, K), tl.arange(0, V)
    o_t = n * C + o_c
    real = o_t < tokens
    scalars = i_b * tokens * heads + i_h
    at_ck = i_chunk * C * K + o_c[:, None] * K + o_k[None, :]
    at_cv = i_chunk * C * V + o_c[:, None] * V + o_v[None, :]
    at_k = i_b * s_kb + i_h * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    k = tl.load(p_k + at_k, real[:, None], other=0.0).to(tl.float32)
    factor = _to_unit(k)
    k *= factor[:, None]
    beta = tl.load(p_beta + scalars + o_t * heads, real, other=0.0)
    g, gap = _decays(p_g + scalars, o_t, real, heads, C)
    end = tl.sum(tl.where(o_c == C - 1, g, 0.0), axis=0)
    grown = tl.exp(g.to(tl.float32))
    inverse = tl.trans(tl.load(p_inverse + i_chunk * C * C + o_c[:, None] * C + o_c[None, :]))
    dx1 = tl.dot(inverse, tl.load(p_du + at_cv), input_precision=P)
    dx2 = tl.dot(inverse, tl.load(p_dw + at_ck), input_precision=P)
    da = tl.dot(dx1, tl.trans(tl.load(p_u + at_cv)), input_precision=P)
    da += tl.dot(dx2, tl.trans(tl.load(p_w + at_ck)), input_precision=P)
    da = tl.where(o_c[:, None] > o_c[None, :], -da * gap, 0.0)
    at_v = i_b * s_vb + i_h * s_vh + o_t[:, None] * s_vt + o_v[None, :]
    v = tl.load(p_v + at_v, real[:, None], other=0.0).to(tl.float32)
    at_dv = scalars * V + o_t[:, None] * heads * V + o_v[None, :]
    tl.store(p_dv + at_dv, (dx1 * beta[:, None]).to(p_dv.dtype.element_ty), real[:, None])
    alike = da * tl.dot(k, tl.trans(k), input_precision=P)
    asked = tl.sum(dx2 * k, axis=1) * grown
    dbeta = tl.sum(dx1 * v, axis=1) + asked + tl.sum(alike, axis=1)
    tl.store(p_dbeta + scalars + o_t * heads, dbeta, real)
    leaving = tl.exp((end - g).to(tl.float32))
    dout = tl.load(p_dout + at_ck) * leaving[:, None]
    left = tl.sum(dout * k, axis=1)
    alike *= beta[:, None]
    dg = (
        tl.load(p_dgs + i_chunk * C + o_c)
        + asked * beta
        - left
        + tl.sum(alike, axis=1)
        - tl.sum(alike, axis=0)
    )
    at_end = tl.sum(left, axis=0) + tl.load(p_dkeep + i_chunk) * tl.exp(end.to(tl.float32))
    dg += tl.where(o_c == C - 1, at_end, 0.0)
    dg = tl.sum(dg, axis=0) - tl.cumsum(dg, axis=0) + dg
    tl.store(p_dg + scalars + o_t * heads, dg, real)
    da *= beta[:, None]
    dk = tl.load(p_dkn + at_ck) + dout + dx2 * (beta * grown)[:, None]
    dk += tl.dot(da, k, input_precision=P) + tl.dot(tl.trans(da), k, input_precision=P)
    at_dk = scalars * K + o_t[:, None] * heads * K + o_k[None, :]
    tl.store(p_dk + at_dk, _through_norm(dk, k, factor).to(p_dk.dtype.element_ty), real[:, None])


class Forward(NamedTuple):
    """What a forward leaves: its results, and all that a gradient needs of it."""

    o: Tensor
    end: Tensor
    saved: tuple[Tensor, ...]  # q, k, v, g, beta, inverse, u, w, out, keep, fresh, states
    options: dict[str, Any]


def _forward(q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor) -> Forward:
    q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
    g, beta, state = (x.float().contiguous() for x in (g, beta, state))
    batch, tokens, heads, value_dim = v.shape
    chunks, key_dim = -(-tokens // C), k.shape[-1]
    tiles = (batch, heads, chunks, C)
    grid, sizes = (batch * heads * chunks,), (tokens, heads, chunks)
    options: dict[str, Any] = {"C": C, "K": key_dim, "V": value_dim}
    options |= {
        "P": pass_state.precision_of(v.dtype),
        "num_warps": 8 if max(key_dim, value_dim) > C else 4,
    }
    inverse, u, w = (
        state.new_empty(*tiles, C),
        state.new_empty(*tiles, value_dim),
        state.new_empty(*tiles, key_dim),
    )
    out, keep = torch.empty_like(w), state.new_empty(tiles[:3])
    grouped = dict(options, GROUP=heads // k.shape[2])
    strides: Any = (*k.stride()[:3], *v.stride()[:3])
    _solve[grid](k, v, g, beta, inverse, u, w, out, keep, *sizes, *strides, **grouped)
    fresh, states, end = pass_state.forward(u, w, out, keep, state, options["P"])
    o = v.new_empty(v.shape)
    strides = *q.stride()[:3], *k.stride()[:3], key_dim**-0.5
    read = dict(grouped, BLOCK_V=min(value_dim, READ))
    _read[(*grid, value_dim // read["BLOCK_V"])](q, k, g, fresh, states, o, *sizes, *strides, **read)
    return Forward(o, end, (q, k, v, g, beta, inverse, u, w, out, keep, fresh, states), options)


class _DeltaRule(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, g, beta, state):
        done = _forward(q, k, v, g, beta, state)
        ctx.save_for_backward(*done.saved)
        ctx.options = done.options
        return done.o, done.end

    @staticmethod
    def backward(ctx, do, dend):
        q, k, v, g, beta, inverse, u, w, out, keep, fresh, states = ctx.saved_tensors
        tokens, heads, key_dim = k.shape[1:]
        grid, sizes, options = (keep.numel(),), (tokens, heads, keep.shape[-1]), ctx.options
        dq, dk, dv = (x.new_empty(x.shape) for x in (q, k, v))
        dfresh, dstates, dkn, dgs = (torch.empty_like(x) for x in (fresh, states, w, u[..., 0]))
        strides = (*q.stride()[:3], *k.stride()[:3], key_dim**-0.5)
        do = do.contiguous()
        _read_backward[grid](
            q, k, g, fresh, states, do, dfresh, dstates, dq, dkn, dgs, *sizes, *strides, **options
        )
        du, dw, dout, dkeep, dstart = pass_state.backward(
            w, out, keep, fresh, states, dfresh, dstates, dend, precision=options["P"]
        )
        dg, dbeta = torch.empty_like(g), torch.empty_like(beta)
        _solve_backward[grid](
            k, v, g, beta, inverse, u, w, du, dw, dout, dkeep, dkn, dgs, dk, dv, dg, dbeta,
            *sizes, *k.stride()[:3], *v.stride()[:3], **options,
        )  # fmt: skip
        return dq, dk, dv, dg, dbeta, dstart


def delta_rule(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """See `reference.delta_rule_recurrent`.

    K and V must be powers of two from 16 to 128, with gradients to 64: more does not fit shared memory.
    """
    groups = v.shape[2] // k.shape[2]
    if groups > 1 and torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v, g, beta, state)):
        q, k = (x.repeat_interleave(groups, dim=2) for x in (q, k))  # backward, each value head has its own
    return _DeltaRule.apply(q, k, v, g, beta, state)


def delta_rule_kept(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor, count: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`delta_rule` without gradients, and the state after `count` tokens, an int64 on the device."""
    done = _forward(q, k, v, g, beta, state)
    _, k, _, g, *_, fresh, states = done.saved
    (batch, tokens, heads, value_dim), kept = v.shape, torch.empty_like(done.end)
    sizes = dict(done.options, GROUP=heads // k.shape[2], BLOCK_V=min(value_dim, READ))
    strides: Any = k.stride()[:3]
    _keep[(batch * heads, value_dim // sizes["BLOCK_V"])](
        k, g, fresh, states, count, kept, tokens, heads, fresh.shape[2], *strides, **sizes
    )
    return done.o, done.end, kept
