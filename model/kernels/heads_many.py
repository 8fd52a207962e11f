"""Triton: heads of queries and keys of many tokens, normalised and turned in one pass; and gates of heads.

Without gradients; same meanings as in `reference.py`. Shapes: B batch, T tokens, H heads of D dims, R of
which turn.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from .launch import padded


@triton.jit
def _normed(p_x, p_w, o_d, inside, scale, OFFSET: tl.constexpr):
    """Some dims of heads, by the scale of the whole head: rounded where the reference rounds."""
    b_x = tl.load(p_x + o_d[None, :], inside, 0.0).to(tl.float32) * scale[:, None]
    b_w = tl.load(p_w + o_d).to(tl.float32)[None, :]
    if OFFSET:
        return (b_x * (1.0 + b_w)).to(p_x.dtype.element_ty).to(tl.float32)
    return (b_x.to(p_x.dtype.element_ty).to(tl.float32) * b_w).to(p_x.dtype.element_ty).to(tl.float32)


@triton.jit(do_not_specialize=["T"])
def _rotate_heads(p_x, p_w, p_cos, p_sin, p_y, T, H, s_b, s_t, s_h, eps, OFFSET: tl.constexpr,
                  D: tl.constexpr, R: tl.constexpr, BLOCK_H: tl.constexpr):  # fmt: skip
    """One program has all heads of a token. D is a power of two, so the dims of a head are."""
    i_t, i_b = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    o_h, o_d = tl.arange(0, BLOCK_H), tl.arange(0, D)
    inside = (o_h < H)[:, None] & (o_d < D)[None, :]
    p_row = p_x + i_b * s_b + i_t * s_t + o_h[:, None] * s_h
    b_x = tl.load(p_row + o_d[None, :], inside, 0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(b_x * b_x, 1) / D + eps)
    b_x = _normed(p_row, p_w, o_d, inside, scale, OFFSET)
    turns, is_left = o_d < R, o_d < R // 2
    o_other = tl.where(turns, tl.where(is_left, o_d + R // 2, o_d - R // 2), o_d)
    b_other = _normed(p_row, p_w, o_other, inside, scale, OFFSET)
    o_angle = (i_b * T + i_t) * R + o_d
    b_cos = tl.load(p_cos + o_angle, turns, 1.0).to(p_x.dtype.element_ty).to(tl.float32)
    b_sin = tl.load(p_sin + o_angle, turns, 0.0).to(p_x.dtype.element_ty).to(tl.float32)
    b_y = b_x * b_cos[None, :] + b_other * tl.where(is_left, -b_sin, b_sin)[None, :]
    p_out = p_y + ((i_b * H + o_h[:, None]) * T + i_t) * D + o_d[None, :]
    tl.store(p_out, b_y.to(p_y.dtype.element_ty), inside)


def rotate_heads(x: Tensor, weight: Tensor, eps: float, offset: float, cos: Tensor, sin: Tensor) -> Tensor:
    """See `reference.rotate_heads`; D must be a power of two."""
    batch, tokens, heads, dim = x.shape
    assert x.stride(3) == 1
    y = x.new_empty(batch, heads, tokens, dim)
    sizes: dict[str, Any] = {"OFFSET": offset != 0, "D": dim, "R": cos.shape[-1], "BLOCK_H": padded(heads)}
    strides = x.stride()[:3]
    _rotate_heads[(tokens, batch)](
        x, weight, cos.contiguous(), sin.contiguous(), y, tokens, heads, *strides, eps=eps, **sizes
    )
    return y


@triton.jit(do_not_specialize=["T"])
def _gate(p_o, p_gate, p_y, T, H, s_ob, s_ot, s_oh, s_gb, s_gt, s_gh, D: tl.constexpr,
          BLOCK_H: tl.constexpr):  # fmt: skip
    """One program has all heads of a token."""
    i_t, i_b = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    o_h, o_d = tl.arange(0, BLOCK_H)[:, None], tl.arange(0, D)[None, :]
    inside = (o_h < H) & (o_d < D)
    b_o = tl.load(p_o + i_b * s_ob + i_t * s_ot + o_h * s_oh + o_d, inside, 0.0).to(tl.float32)
    b_gate = tl.load(p_gate + i_b * s_gb + i_t * s_gt + o_h * s_gh + o_d, inside, 0.0).to(tl.float32)
    b_gate = tl.sigmoid(b_gate).to(p_y.dtype.element_ty).to(tl.float32)  # rounded in between, as torch does
    tl.store(p_y + ((i_b * T + i_t) * H + o_h) * D + o_d, (b_o * b_gate).to(p_y.dtype.element_ty), inside)


def gate_heads(o: Tensor, gate: Tensor) -> Tensor:
    """o * sigmoid(gate), both [B, T, H, D], whose heads may lie apart; D must be a power of two."""
    batch, tokens, heads, dim = o.shape
    assert o.stride(3) == gate.stride(3) == 1
    y = o.new_empty(o.shape)
    strides: Any = (*o.stride()[:3], *gate.stride()[:3])
    sizes: dict[str, Any] = {"D": dim, "BLOCK_H": padded(heads)}
    _gate[(tokens, batch)](o, gate, y, tokens, heads, *strides, **sizes)
    return y
