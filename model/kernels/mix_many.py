"""Triton: what stands around the delta rule of a DeltaNet layer for many tokens, without gradients.

Three kernels, each one pass where torch takes six or more: the causal convolution with its silu, the gates,
and the gated norm. Same meanings as in `reference.py`. Shapes: B batch, T tokens, C channels, H heads of V
dims.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

CHANNELS, TOKENS = 128, 32  # of a tile
NUMBERS = 4096  # of the rows that one program normalises
GATES = 512  # that one program computes


@triton.jit
def _conv(p_x, p_window, p_w, p_y, T, C, TAPS: tl.constexpr, BLOCK_T: tl.constexpr,
          BLOCK_C: tl.constexpr):  # fmt: skip
    i_b = tl.program_id(2).to(tl.int64)
    o_t = tl.program_id(1).to(tl.int64) * BLOCK_T + tl.arange(0, BLOCK_T)
    o_c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    in_c = o_c < C
    p_x += i_b * T * C
    p_window += i_b * (TAPS - 1) * C
    b_sum = tl.zeros([BLOCK_T, BLOCK_C], tl.float32)
    for tap in tl.static_range(TAPS):
        o_from = o_t + tap - (TAPS - 1)  # below zero lie the columns before the first token
        inside = ((o_from >= 0) & (o_from < T))[:, None] & in_c[None, :]
        b_x = tl.load(p_x + o_from[:, None] * C + o_c[None, :], inside, 0.0)
        b_w = tl.load(p_w + o_c * TAPS + tap, in_c, 0.0).to(tl.float32)
        b_sum += b_x.to(tl.float32) * b_w[None, :]
    tl.static_assert(BLOCK_T >= TAPS - 1)  # so only the first program sees columns before
    if tl.program_id(1) == 0:
        for tap in tl.static_range(TAPS - 1):
            o_from = o_t + tap
            inside = ((o_from < TAPS - 1) & (o_t < T))[:, None] & in_c[None, :]
            b_x = tl.load(p_window + o_from[:, None] * C + o_c[None, :], inside, 0.0)
            b_w = tl.load(p_w + o_c * TAPS + tap, in_c, 0.0).to(tl.float32)
            b_sum += b_x.to(tl.float32) * b_w[None, :]
    b_sum *= tl.sigmoid(b_sum)
    p_y += i_b * T * C + o_t[:, None] * C + o_c[None, :]
    tl.store(p_y, b_sum.to(p_y.dtype.element_ty), (o_t < T)[:, None] & in_c[None, :])


@triton.jit
def _gated_norm(p_x, p_z, p_w, p_y, rows, V, eps, BLOCK_R: tl.constexpr, BLOCK_V: tl.constexpr):
    o_r = tl.program_id(0).to(tl.int64) * BLOCK_R + tl.arange(0, BLOCK_R)
    o_v = tl.arange(0, BLOCK_V)
    inside = (o_r < rows)[:, None] & (o_v < V)[None, :]
    o_x = o_r[:, None] * V + o_v[None, :]
    b_x = tl.load(p_x + o_x, inside, 0.0).to(tl.float32)
    b_z = tl.load(p_z + o_x, inside, 0.0).to(tl.float32)
    b_w = tl.load(p_w + o_v, o_v < V, 0.0).to(tl.float32)
    b_x *= tl.rsqrt(tl.sum(b_x * b_x, 1) / V + eps)[:, None]
    b_x = b_x.to(p_x.dtype.element_ty).to(tl.float32) * b_w[None, :] * b_z * tl.sigmoid(b_z)
    tl.store(p_y + o_x, b_x.to(p_y.dtype.element_ty), inside)


@triton.jit(do_not_specialize=["count"])
def _gates(p_b, p_a, p_log, p_bias, p_g, p_beta, count, H, BLOCK: tl.constexpr):
    o = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside, o_h = o < count, o % H
    b_a = tl.load(p_a + o, inside, 0.0).to(tl.float32) + tl.load(p_bias + o_h, inside, 0.0).to(tl.float32)
    # softplus, the plain number where torch takes it for that
    b_a = tl.where(b_a > 20.0, b_a, tl.log(1.0 + tl.exp(tl.minimum(b_a, 20.0))))
    tl.store(p_g + o, -tl.exp(tl.load(p_log + o_h, inside, 0.0).to(tl.float32)) * b_a, inside)
    tl.store(p_beta + o, tl.sigmoid(tl.load(p_b + o, inside, 0.0).to(tl.float32)), inside)


def causal_conv(x: Tensor, window: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """As `reference.causal_conv`, but of all columns only the last window [B, k - 1, C]."""
    (batch, tokens, channels), taps = x.shape, weight.shape[-1]
    x, window, y = (
        x.contiguous(),
        window.contiguous(),
        torch.empty_like(x, memory_format=torch.contiguous_format),
    )
    grid = triton.cdiv(channels, CHANNELS), triton.cdiv(tokens, TOKENS), batch
    sizes: dict[str, Any] = {"TAPS": taps, "BLOCK_T": TOKENS, "BLOCK_C": CHANNELS}
    _conv[grid](x, window, weight.contiguous(), y, tokens, channels, **sizes)
    return y, torch.cat((window[:, tokens:].to(x.dtype), x[:, max(tokens - taps + 1, 0) :]), dim=1)


def gates(b: Tensor, a: Tensor, A_log: Tensor, dt_bias: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.gates`."""
    b, a = b.contiguous(), a.contiguous()
    g, beta = (torch.empty(a.shape, dtype=torch.float32, device=a.device) for _ in range(2))
    sizes: dict[str, Any] = {"BLOCK": GATES}
    _gates[(triton.cdiv(a.numel(), GATES),)](b, a, A_log, dt_bias, g, beta, a.numel(), a.shape[-1], **sizes)
    return g, beta


def gated_norm(x: Tensor, z: Tensor, weight: Tensor, eps: float) -> Tensor:
    """See `reference.gated_norm`."""
    x, z = x.contiguous(), z.contiguous()
    y, dim = torch.empty_like(x), x.shape[-1]
    rows, columns = x.numel() // dim, int(triton.next_power_of_2(dim))
    sizes: dict[str, Any] = {"BLOCK_R": max(NUMBERS // columns, 1), "BLOCK_V": columns}
    _gated_norm[(triton.cdiv(rows, sizes["BLOCK_R"]),)](x, z, weight, y, rows, dim, eps, **sizes)
    return y
