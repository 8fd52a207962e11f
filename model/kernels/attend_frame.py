"""Triton: full attention within a picture, for heads whose dims are no power of two, as 72 of the vision encoder.

A head is cut in two: 64 dims, and 8 more in a tile of 16 whose rest is zero. So products are of 80 dims, where
padding to the next power of two makes them 128. Same meaning as `vision.encoder.Operations.attention`. Shapes:
N pictures, H heads, S patches, D head dim.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from .attend_prompt import INTERPRETED, LOG2_E, Tiles, cdiv, has_room, soften

TILES = Tiles(rows=128, keys=64, warps=8, stages=2)
LEAST = 16  # columns of a tile that a product takes


@triton.jit
def _tile(d_x, i_n, i_h, start, column: tl.constexpr, WIDTH: tl.constexpr, KEYS: tl.constexpr,
          EXACT: tl.constexpr):  # fmt: skip
    """Beyond the last patch and the last dim there are zeros."""
    b_x = d_x.load([i_n, i_h, start, column]).reshape(KEYS, WIDTH)
    return b_x.to(tl.float32) if EXACT else b_x


@triton.jit
def _add(d_k_wide, d_k_rest, d_v_wide, d_v_rest, b_wide, b_rest, b_max, b_sum, b_left, b_right, i_n, i_h,
         start, S, scale, WIDE: tl.constexpr, REST: tl.constexpr, KEYS: tl.constexpr, ENDS: tl.constexpr,
         EXACT: tl.constexpr):  # fmt: skip
    """The online softmax over some more keys. `ENDS`: the last ones, of which there may be fewer."""
    b_k = _tile(d_k_wide, i_n, i_h, start, 0, WIDE, KEYS, EXACT)
    b_score = tl.dot(b_wide, tl.trans(b_k), input_precision="ieee")
    b_k = _tile(d_k_rest, i_n, i_h, start, WIDE, REST, KEYS, EXACT)
    b_score = tl.dot(b_rest, tl.trans(b_k), b_score, input_precision="ieee")
    if ENDS:
        b_score = tl.where((start + tl.arange(0, KEYS) < S)[None, :], b_score, -float("inf"))
    b_p, shrink, b_max, b_sum = soften(b_score, b_max, b_sum, scale)
    b_v = _tile(d_v_rest, i_n, i_h, start, WIDE, REST, KEYS, EXACT)
    b_right = tl.dot(b_p.to(b_v.dtype), b_v, b_right * shrink[:, None], input_precision="ieee")
    b_v = _tile(d_v_wide, i_n, i_h, start, 0, WIDE, KEYS, EXACT)
    b_left = tl.dot(b_p.to(b_v.dtype), b_v, b_left * shrink[:, None], input_precision="ieee")
    return b_max, b_sum, b_left, b_right


@triton.jit(do_not_specialize=["S"])
def _attend(p_q, d_k_wide, d_k_rest, d_v_wide, d_v_rest, p_out, S, scale, s_n, s_h, s_s, H: tl.constexpr,
            D: tl.constexpr, WIDE: tl.constexpr, REST: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
            EXACT: tl.constexpr):  # fmt: skip
    """out [N, S, H, D]. Neighbouring programs have rows of one head."""
    i_tile, i_n, i_h = tl.program_id(0), tl.program_id(1) // H, tl.program_id(1) % H
    o_s, o_wide = i_tile * ROWS + tl.arange(0, ROWS), tl.arange(0, WIDE)
    o_rest = WIDE + tl.arange(0, REST)
    inside = (o_s < S)[:, None]
    in_rest = inside & (o_rest < D)[None, :]
    p_q += i_n.to(tl.int64) * s_n + i_h.to(tl.int64) * s_h + o_s.to(tl.int64)[:, None] * s_s
    b_wide = tl.load(p_q + o_wide[None, :], inside, 0.0)
    b_rest = tl.load(p_q + o_rest[None, :], in_rest, 0.0)
    if EXACT:
        b_wide, b_rest = b_wide.to(tl.float32), b_rest.to(tl.float32)
    b_max = tl.full([ROWS], -1e30, tl.float32)
    b_sum = tl.zeros([ROWS], tl.float32)
    b_left = tl.zeros([ROWS, WIDE], tl.float32)
    b_right = tl.zeros([ROWS, REST], tl.float32)
    whole = S // KEYS * KEYS
    for start in range(0, whole, KEYS):
        b_max, b_sum, b_left, b_right = _add(
            d_k_wide, d_k_rest, d_v_wide, d_v_rest, b_wide, b_rest, b_max, b_sum, b_left, b_right, i_n, i_h,
            start, S, scale, WIDE, REST, KEYS, False, EXACT,
        )  # fmt: skip
    if whole < S:
        b_max, b_sum, b_left, b_right = _add(
            d_k_wide, d_k_rest, d_v_wide, d_v_rest, b_wide, b_rest, b_max, b_sum, b_left, b_right, i_n, i_h,
            whole, S, scale, WIDE, REST, KEYS, True, EXACT,
        )  # fmt: skip
    p_out += ((i_n.to(tl.int64) * S + o_s)[:, None] * H + i_h) * D
    b_left, b_right = b_left / b_sum[:, None], b_right / b_sum[:, None]
    tl.store(p_out + o_wide[None, :], b_left.to(p_out.dtype.element_ty), inside)
    tl.store(p_out + o_rest[None, :], b_right.to(p_out.dtype.element_ty), in_rest)


def fits(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether `attend` takes these on a GPU and is faster than torch."""
    return (
        q.dtype in (torch.bfloat16, torch.float16)
        and 64 < q.shape[3] <= 64 + LEAST
        and all(x.shape == q.shape and x.dtype is q.dtype and _can_be_fetched(x) for x in (q, k, v))
        and has_room(q.device)
    )


def attend(q: Tensor, k: Tensor, v: Tensor, tiles: Tiles = TILES) -> Tensor:
    """q, k, v [N, H, S, D], D from 65 to 80; the result [N, H, S, D] lies as [N, S, H, D]."""
    pictures, heads, patches, dim = q.shape
    wide, rest = 64, LEAST
    assert q.shape == k.shape == v.shape
    assert wide < dim <= wide + rest
    assert all(_can_be_fetched(x) for x in (q, k, v))
    out = q.new_empty(pictures, patches, heads, dim)
    (k_wide, k_rest), (v_wide, v_rest) = (
        [TensorDescriptor(x, list(x.shape), list(x.stride()), [1, 1, tiles.keys, n]) for n in (wide, rest)]
        for x in (k, v)
    )
    sizes: dict[str, Any] = {"H": heads, "D": dim, "WIDE": wide, "REST": rest}
    sizes |= {"ROWS": tiles.rows, "KEYS": tiles.keys, "EXACT": INTERPRETED}
    sizes |= {"num_warps": tiles.warps, "num_stages": tiles.stages}
    _attend[(cdiv(patches, tiles.rows), pictures * heads)](
        q, k_wide, k_rest, v_wide, v_rest, out, patches, dim**-0.5 * LOG2_E, *q.stride()[:3], **sizes
    )
    return out.transpose(1, 2)


def _can_be_fetched(x: Tensor) -> bool:
    """TMA takes rows that lie whole, at multiples of 16 bytes."""
    step = 16 // x.element_size()
    aligned = x.data_ptr() % 16 == 0 and all(s % step == 0 for s in x.stride()[:3])
    return x.stride(3) == 1 and aligned
