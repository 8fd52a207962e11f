"""Triton: the rotary embedding of the vision encoder in one pass, where torch needs eight in fp32.

Same meaning as `vision.encoder.rotate`. Shapes: P patches, H heads, D head dim.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import padded


@triton.jit
def _rotate(p_x, p_cos, p_sin, p_y, s_patch, s_head, s_angle, H: tl.constexpr, HALF: tl.constexpr,
            BLOCK_H: tl.constexpr, BLOCK_HALF: tl.constexpr):  # fmt: skip
    i_p, o_h, o_a = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK_H), tl.arange(0, BLOCK_HALF)
    in_a = o_a < HALF
    inside = (o_h[:, None] < H) & in_a[None, :]
    p_left = p_x + i_p * s_patch + o_h[:, None] * s_head + o_a[None, :]
    b_left = tl.load(p_left, inside, 0.0).to(tl.float32)
    b_right = tl.load(p_left + HALF, inside, 0.0).to(tl.float32)
    b_cos = tl.load(p_cos + i_p * s_angle + o_a, in_a, 0.0)[None, :]
    b_sin = tl.load(p_sin + i_p * s_angle + o_a, in_a, 0.0)[None, :]
    p_out = p_y + (i_p * H + o_h[:, None]) * (2 * HALF) + o_a[None, :]
    tl.store(p_out, (b_left * b_cos - b_right * b_sin).to(p_y.dtype.element_ty), inside)
    tl.store(p_out + HALF, (b_right * b_cos + b_left * b_sin).to(p_y.dtype.element_ty), inside)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [P, H, D], whose heads may lie apart; cos, sin [P, D] in fp32, of equal halves."""
    patches, heads, dim = x.shape
    assert x.stride(2) == 1
    assert cos.stride() == sin.stride()
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    sizes: dict[str, Any] = {
        "H": heads,
        "HALF": dim // 2,
        "BLOCK_H": padded(heads),
        "BLOCK_HALF": padded(dim // 2),
    }
    _rotate[(patches,)](x, cos, sin, y, x.stride(0), x.stride(1), cos.stride(0), **sizes)
    return y
