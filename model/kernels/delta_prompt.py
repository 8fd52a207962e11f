"""Triton: the gated delta rule of a prompt, in chunks whose tiles are bf16; no gradients.

What `reference.delta_rule_chunked` means, for inputs in bf16: products are of bf16 and summed in fp32, the
state is carried in fp32. Lengths of keys and queries, beta and decays are factors of rows and columns: they
meet what products give, so the tiles that go in are those in memory. Three kernels: `_solve` makes u and w of
every chunk alone, `_walk` carries the state through the chunks, `_read` reads the output off.

Shapes: B batch, T tokens, H value heads, of which GROUP share a key head, K key dim, V value dim, N chunks of
C tokens.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton import knobs

from .delta_chunks import LEVELS, C, join, place

INTERPRETED = knobs.runtime.interpret  # which has no bf16 product
CARRIED = 32  # value dims that one program of `_walk` carries
STAGES = 3  # of its loop
READ = 128  # value dims that one program of `_read` writes
DIMS = (
    64,
    128,
)  # of keys and values. Of narrower tiles, and of a `_walk` made for one chunk alone, CUDA 12.8's ptxas
# makes code that reads a register before anything is written to it; `bench sass` looks for that.


@triton.jit
def _dot(a, b, EXACT: tl.constexpr):
    """a in bf16 or rounded to it, b likewise."""
    a, b = a.to(tl.bfloat16), b.to(tl.bfloat16)
    if EXACT:
        return tl.dot(a.to(tl.float32), b.to(tl.float32), input_precision="ieee")
    return tl.dot(a, b)


@triton.jit
def _unit(x):
    """What each row must be multiplied by to be of length one."""
    x = x.to(tl.float32)
    return tl.rsqrt(tl.sum(x * x, axis=1) + 1e-6)


@triton.jit
def _decays(g, C: tl.constexpr):
    """Of summed log decays [C]: e^(g_i - g_j), zero above the diagonal."""
    o_c = tl.arange(0, C)
    gap = tl.minimum(g[:, None] - g[None, :], 0.0)
    return tl.where(o_c[:, None] >= o_c[None, :], tl.exp(gap), 0.0)


@triton.jit
def _inverse(strict, C: tl.constexpr, P: tl.constexpr):
    """(I + A)^-1, A strictly lower, as `reference.unit_lower_inverse`: first of the blocks of 16 on the
    diagonal, as a stack of small matrices, then of the whole."""
    STACK: tl.constexpr = C // 16
    o_s, o = tl.arange(0, STACK), tl.arange(0, 16)
    diagonal = (o_s[:, None] == o_s[None, :])[:, None, :, None]
    blocks = tl.sum(tl.where(diagonal, tl.reshape(strict, [STACK, 16, STACK, 16]), 0.0), 2)
    row, column = o[None, :, None], o[None, None, :]
    small = tl.where(row == column, 1.0, 0.0) - tl.where(row // 2 == column // 2, blocks, 0.0)
    for level in tl.static_range(1, 4):  # type: ignore[misc]
        small = join(small, blocks, level, P)
    inverse = tl.reshape(tl.where(diagonal, small[:, :, None, :], 0.0), [C, C])
    for level in tl.static_range(4, LEVELS):  # type: ignore[misc]
        inverse = join(inverse, strict, level, P)
    return inverse


@triton.jit
def _solve(p_k, p_v, p_g, p_beta, p_u, p_w, p_sum, p_unit, tokens, heads, N, s_kb, s_kt, s_kh, s_vb, s_vt,
           s_vh, GROUP: tl.constexpr, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr,
           EXACT: tl.constexpr):  # fmt: skip
    """u, w; and of every token the sum of the log decays so far in its chunk, and `_unit` of its key."""
    i_chunk, n, i_b, i_h = place(N, heads)  # pyright: ignore
    o_c, o_k, o_v = tl.arange(0, C), tl.arange(0, K), tl.arange(0, V)
    o_t = n * C + o_c
    real = o_t < tokens
    scalars = (i_b * tokens + o_t) * heads + i_h
    at_k = i_b * s_kb + i_h // GROUP * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    b_k = tl.load(p_k + at_k, real[:, None], other=0.0)
    b_beta = tl.load(p_beta + scalars, real, other=0.0)
    b_sum = tl.cumsum(tl.load(p_g + scalars, real, other=0.0), axis=0)
    b_unit = _unit(b_k)
    tl.store(p_sum + i_chunk * C + o_c, b_sum)
    tl.store(p_unit + i_chunk * C + o_c, b_unit)
    b_mix = _dot(b_k, tl.trans(b_k), EXACT) * (b_unit * b_beta)[:, None] * b_unit[None, :]
    b_mix = tl.where(o_c[:, None] > o_c[None, :], b_mix * _decays(b_sum, C), 0.0)
    b_inverse = _inverse(b_mix, C, "ieee" if EXACT else "tf32")
    b_w = _dot(b_inverse * (b_unit * b_beta * tl.exp(b_sum))[None, :], b_k, EXACT)
    at_w = i_chunk * C * K + o_c[:, None] * K + o_k[None, :]
    tl.store(p_w + at_w, b_w.to(p_w.dtype.element_ty))
    at_v = i_b * s_vb + i_h * s_vh + o_t[:, None] * s_vt + o_v[None, :]
    b_v = tl.load(p_v + at_v, real[:, None], other=0.0)
    b_u = _dot(b_inverse * b_beta[None, :], b_v, EXACT)
    at_u = i_chunk * C * V + o_c[:, None] * V + o_v[None, :]
    tl.store(p_u + at_u, b_u.to(p_u.dtype.element_ty))


@triton.jit(do_not_specialize=["N"])
def _walk(p_k, p_u, p_w, p_sum, p_unit, p_start, p_states, p_end, p_count, p_kept, tokens, heads, N, s_kb,
          s_kt, s_kh, GROUP: tl.constexpr, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr,
          BLOCK_V: tl.constexpr, EXACT: tl.constexpr):  # fmt: skip
    """The state before every chunk and the last one; u becomes what is fresh in every token. `kept`: the
    state before the chunk in which `count` tokens end, for `_keep`."""
    i_head, o_v = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    i_b, i_h = i_head // heads, i_head % heads
    o_c, o_k = tl.arange(0, C), tl.arange(0, K)
    o_cv, o_ck = o_c[:, None] * V + o_v[None, :], o_c[:, None] * K + o_k[None, :]
    o_kv = o_k[:, None] * V + o_v[None, :]
    p_k += i_b * s_kb + i_h // GROUP * s_kh
    b_state = tl.load(p_start + i_head * K * V + o_kv)
    kept = -1
    if p_count is not None:
        kept = tl.minimum(tl.load(p_count) // C, N - 1).to(tl.int32)
    for n in range(N):
        i_chunk, o_t = i_head * N + n, n * C + o_c
        tl.store(p_states + i_chunk * K * V + o_kv, b_state.to(p_states.dtype.element_ty))
        if n == kept:
            tl.store(p_kept + i_head * K * V + o_kv, b_state)
        b_w = tl.load(p_w + i_chunk * C * K + o_ck)
        b_k = tl.load(p_k + o_t[:, None] * s_kt + o_k[None, :], o_t[:, None] < tokens, other=0.0)
        b_sum, b_unit = tl.load(p_sum + i_chunk * C + o_c), tl.load(p_unit + i_chunk * C + o_c)
        b_all = tl.load(p_sum + i_chunk * C + C - 1)
        b_fresh = tl.load(p_u + i_chunk * C * V + o_cv).to(tl.float32) - _dot(b_w, b_state, EXACT)
        tl.store(p_u + i_chunk * C * V + o_cv, b_fresh.to(p_u.dtype.element_ty))
        b_fresh *= (b_unit * tl.exp(b_all - b_sum))[:, None]
        b_state = b_state * tl.exp(b_all) + _dot(tl.trans(b_k), b_fresh, EXACT)
    tl.store(p_end + i_head * K * V + o_kv, b_state)


@triton.jit
def _read(p_q, p_k, p_sum, p_unit, p_fresh, p_states, p_o, tokens, heads, N, s_qb, s_qt, s_qh, s_kb, s_kt,
          s_kh, scale, GROUP: tl.constexpr, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr,
          BLOCK_V: tl.constexpr, EXACT: tl.constexpr):  # fmt: skip
    i_chunk, n, i_b, i_h = place(N, heads)  # pyright: ignore
    o_c, o_k, o_v = tl.arange(0, C), tl.arange(0, K), tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    o_t = n * C + o_c
    real = o_t[:, None] < tokens
    at_q = i_b * s_qb + i_h // GROUP * s_qh + o_t[:, None] * s_qt + o_k[None, :]
    at_k = i_b * s_kb + i_h // GROUP * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    b_q, b_k = tl.load(p_q + at_q, real, other=0.0), tl.load(p_k + at_k, real, other=0.0)
    b_sum, b_unit = tl.load(p_sum + i_chunk * C + o_c), tl.load(p_unit + i_chunk * C + o_c)
    b_state = tl.load(p_states + i_chunk * K * V + o_k[:, None] * V + o_v[None, :])
    b_fresh = tl.load(p_fresh + i_chunk * C * V + o_c[:, None] * V + o_v[None, :])
    b_weights = _dot(b_q, tl.trans(b_k), EXACT) * b_unit[None, :] * _decays(b_sum, C)
    b_o = _dot(b_q, b_state, EXACT) * tl.exp(b_sum)[:, None]
    b_o += _dot(b_weights, b_fresh, EXACT)
    b_o *= (_unit(b_q) * scale)[:, None]
    at_o = ((i_b * tokens + o_t) * heads + i_h)[:, None] * V + o_v[None, :]
    tl.store(p_o + at_o, b_o.to(p_o.dtype.element_ty), real)


@triton.jit
def _keep(p_k, p_sum, p_unit, p_fresh, p_count, p_kept, tokens, heads, N, s_kb, s_kt, s_kh,
          GROUP: tl.constexpr, C: tl.constexpr, K: tl.constexpr, V: tl.constexpr, BLOCK_V: tl.constexpr,
          EXACT: tl.constexpr):  # fmt: skip
    """`kept` from the state before its chunk to that after `count` tokens: what is fresh in a token depends
    on none after it."""
    i_head, o_v = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    i_b, i_h, count = i_head // heads, i_head % heads, tl.load(p_count)
    n = tl.minimum(count // C, N - 1)
    i_chunk, o_c, o_k = i_head * N + n, tl.arange(0, C), tl.arange(0, K)
    o_t = n * C + o_c
    before, last = o_t < count, count - n * C - 1
    at_k = i_b * s_kb + i_h // GROUP * s_kh + o_t[:, None] * s_kt + o_k[None, :]
    b_k = tl.load(p_k + at_k, before[:, None], other=0.0)
    b_sum, b_unit = tl.load(p_sum + i_chunk * C + o_c), tl.load(p_unit + i_chunk * C + o_c)
    b_all = tl.load(p_sum + i_chunk * C + last, last >= 0, other=0.0)
    b_fresh = tl.load(p_fresh + i_chunk * C * V + o_c[:, None] * V + o_v[None, :]).to(tl.float32)
    b_fresh *= tl.where(before, b_unit * tl.exp(b_all - b_sum), 0.0)[:, None]
    p_kept += i_head * K * V + o_k[:, None] * V + o_v[None, :]
    tl.store(p_kept, tl.load(p_kept) * tl.exp(b_all) + _dot(tl.trans(b_k), b_fresh, EXACT))


class Result(NamedTuple):
    o: Tensor  # [B, T, H, V]
    end: Tensor  # [B, H, K, V] fp32
    kept: Tensor | None  # the state after `count` tokens


def fits(q: Tensor, k: Tensor, v: Tensor, state: Tensor) -> bool:
    """Whether inputs are as narrow as the tiles, and heads of their sizes."""
    return q.dtype is k.dtype is v.dtype is torch.bfloat16 and all(d in DIMS for d in state.shape[2:])


def delta_rule(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor, count: Tensor | None = None
) -> Result:
    """See `reference.delta_rule_recurrent`. `count`: an int64 on the device."""
    q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
    g, beta, state = (x.float().contiguous() for x in (g, beta, state))
    (batch, tokens, heads, value_dim), key_dim = v.shape, k.shape[-1]
    chunks = -(-tokens // C)
    per_chunk, per_token = (batch, heads, chunks), (batch, heads, chunks, C)
    u, w = v.new_empty(*per_token, value_dim), v.new_empty(*per_token, key_dim)
    total, unit = state.new_empty(per_token), state.new_empty(per_token)
    states, o = v.new_empty(*per_chunk, key_dim, value_dim), v.new_empty(v.shape)
    end, kept = torch.empty_like(state), None if count is None else torch.empty_like(state)
    sizes: dict[str, Any] = {"GROUP": heads // k.shape[2], "C": C, "K": key_dim, "V": value_dim}
    sizes["EXACT"] = INTERPRETED
    of_q, of_k, of_v = (x.stride()[:3] for x in (q, k, v))
    known: Any = (tokens, heads, chunks)
    of_both: Any = (*of_q, *of_k, key_dim**-0.5)
    carried = dict(sizes, BLOCK_V=min(value_dim, CARRIED), num_stages=STAGES)
    read = dict(sizes, BLOCK_V=min(value_dim, READ))
    stretches = batch * heads, value_dim // carried["BLOCK_V"]
    _solve[(batch * heads * chunks,)](k, v, g, beta, u, w, total, unit, *known, *of_k, *of_v, **sizes)
    kept_or_any = end if kept is None else kept
    _walk[stretches](k, u, w, total, unit, state, states, end, count, kept_or_any, *known, *of_k, **carried)
    _read[(batch * heads * chunks, value_dim // read["BLOCK_V"])](
        q, k, total, unit, u, states, o, *known, *of_both, **read
    )
    if count is not None:
        _keep[stretches](k, total, unit, u, count, kept, *known, *of_k, **carried)
    return Result(o, end, kept)
