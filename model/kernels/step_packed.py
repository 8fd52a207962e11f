"""Triton: a decode step's products with weights of 4 or 8 bits, widened in registers and nowhere else.

Signatures and meanings of `step_reference.py`, passes of `step_linear.py` and `step_experts.py`. Groups of
codes come before rows in a tile: threads lie along a row, and each reads its part of x once for all rows.

Shapes: B rows, D in, N out, E experts, I expert width, J width of the shared expert, S slots; a tile has G
groups of K codes, and P halves of a row that share bytes (2 for int4).
"""
# pyright: reportGeneralTypeIssues=false
# To pyright a jitted function never returns.

from math import gcd
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import begin, normalise, options, padded, tile
from .packed import Packed
from .step_reference import Norm

WEIGHTS = 16384  # of a tile of four warps: 16 KB in 8 bits
SPREAD = 2048  # codes of a tile of `_down`, small ones, so that every multiprocessor has some


class Matrix(NamedTuple):
    """`Packed`, as kernels take it."""

    codes: Any
    scale: Any
    low: Any  # None for fp8
    width: int  # codes of a row
    groups: int  # scales of a row
    ROWS: Any  # that share a scale
    GROUP: Any  # columns that do


@triton.jit
def fetch(w, o_row, wanted, start, G: tl.constexpr, P: tl.constexpr, K: tl.constexpr, codes=0.0, scale=0.0,
          low=0.0):  # fmt: skip
    """Codes [G, 1, N, K] of rows from code `start` on, scale and low [G, P, N]; else those given."""
    o_g, o_p = start + tl.arange(0, G) * K, tl.arange(0, P)
    o_code = o_g[:, None] + tl.arange(0, K)[None, :]
    inside = wanted[None, None, :, None] & (o_code < w.width)[:, None, None, :]
    p_codes = w.codes + o_row[None, None, :, None] * w.width + o_code[:, None, None, :]
    b_codes = tl.load(p_codes, inside, codes, eviction_policy="evict_first")
    o_scale = (o_p[None, :] * w.width + o_g[:, None]) // w.GROUP
    o_scale = (o_row // w.ROWS)[None, None, :] * w.groups + o_scale[:, :, None]
    inside = wanted[None, None, :] & (o_g < w.width)[:, None, None]
    b_scale = tl.load(w.scale + o_scale, inside, scale)
    b_low = b_scale
    if w.low is not None:
        b_low = tl.load(w.low + o_scale, inside, low)
    return b_codes, b_scale, b_low


@triton.jit
def columns(start, width, G: tl.constexpr, P: tl.constexpr, K: tl.constexpr):
    """Which columns [G, P, K] the codes of a tile stand for, and which of them exist [G, 1, K]."""
    o_code = start + tl.arange(0, G)[:, None, None] * K + tl.arange(0, K)[None, None, :]
    return o_code + tl.arange(0, P)[None, :, None] * width, o_code < width


@triton.jit
def dot(b_codes, b_scale, b_low, b_x, P: tl.constexpr):
    """What `fetch` returns, times x [G, P, K] in fp32, zero where no column is: [G, P, N], to be summed."""
    if b_codes.dtype == tl.uint8:
        b_w = b_codes.to(tl.int32)
        if P == 2:
            b_w = (b_w >> (4 * tl.arange(0, P))[None, :, None, None]) & 15
        b_y = tl.sum(b_w.to(tl.float32) * b_x[:, :, None, :], 3) * b_scale.to(tl.float32)
        b_y += b_low.to(tl.float32) * tl.sum(b_x, 2)[:, :, None]
    else:
        b_y = tl.sum(b_codes.to(tl.float32) * b_x[:, :, None, :], 3) * b_scale
    return b_y


@triton.jit
def total(b_y):
    """[G, P, N] -> [N]"""
    return tl.sum(tl.sum(b_y, 1), 0)


@triton.jit
def norm_rows(p_x, p_norm, w, p_y, i_block, B, N, TAIL, D, eps, OFFSET: tl.constexpr, BLOCK_N: tl.constexpr,
              G: tl.constexpr, P: tl.constexpr, K: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    o_n = i_block.to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    o_d, in_d = columns(0, w.width, G, P, K)
    b_codes, b_scale, b_low = fetch(w, o_n, o_n < N, 0, G, P, K)
    b_norm = tl.load(p_norm + o_d, in_d, 0.0).to(tl.float32)
    begin(OVERLAP)
    for i_b in range(B):
        b_x = tl.load(p_x + i_b * D + o_d, in_d, 0.0).to(tl.float32)
        b_x = normalise(b_x, b_norm, D, eps, OFFSET, p_x.dtype.element_ty)
        b_y = total(dot(b_codes, b_scale, b_low, b_x, P))
        tl.store(p_y + i_b * (N + TAIL) + o_n, b_y.to(p_y.dtype.element_ty), o_n < N)


@triton.jit
def norm_tail(p_x, p_norm, p_w, p_y, i_block, B, N, TAIL, D, eps, OFFSET: tl.constexpr, BLOCK_N: tl.constexpr,
              BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    o_n, o_d = i_block.to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    inside = (o_n[:, None] < TAIL) & (o_d[None, :] < D)
    b_w = tl.load(p_w + o_n[:, None] * D + o_d[None, :], inside, 0.0, eviction_policy="evict_first")
    b_norm = tl.load(p_norm + o_d, o_d < D, 0.0).to(tl.float32)
    begin(OVERLAP)
    for i_b in range(B):
        b_x = tl.load(p_x + i_b * D + o_d, o_d < D, 0.0).to(tl.float32)
        b_x = normalise(b_x, b_norm, D, eps, OFFSET, p_x.dtype.element_ty)
        b_y = tl.sum(b_w.to(tl.float32) * b_x[None, :], 1)
        tl.store(p_y + i_b * (N + TAIL) + N + o_n, b_y.to(p_y.dtype.element_ty), o_n < TAIL)


@triton.jit
def _norm_linear(p_x, p_norm, w, p_tail, p_y, B, N, TAIL, D, eps, OFFSET: tl.constexpr, BLOCK_N: tl.constexpr,
                 G: tl.constexpr, P: tl.constexpr, K: tl.constexpr, BLOCK_T: tl.constexpr,
                 BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_n, blocks = tl.program_id(0), tl.cdiv(N, BLOCK_N)
    if i_n < blocks:
        norm_rows(p_x, p_norm, w, p_y, i_n, B, N, TAIL, D, eps, OFFSET, BLOCK_N, G, P, K, OVERLAP)
    elif p_tail is not None:
        i_n -= blocks
        norm_tail(p_x, p_norm, p_tail, p_y, i_n, B, N, TAIL, D, eps, OFFSET, BLOCK_T, BLOCK_D, OVERLAP)


@triton.jit
def _add_linear(p_x, w, p_residual, p_y, B, N, D, BLOCK_N: tl.constexpr, G: tl.constexpr, P: tl.constexpr,
                K: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    o_n = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    o_d, in_d = columns(0, w.width, G, P, K)
    b_codes, b_scale, b_low = fetch(w, o_n, o_n < N, 0, G, P, K)
    begin(OVERLAP)
    for i_b in range(B):
        b_x = tl.load(p_x + i_b * D + o_d, in_d, 0.0).to(tl.float32)
        b_sum = dot(b_codes, b_scale, b_low, b_x, P)
        for start in range(G * K, w.width, G * K):
            o_more, in_more = columns(start, w.width, G, P, K)
            b_more, b_its_scale, b_its_low = fetch(w, o_n, o_n < N, start, G, P, K)
            b_x = tl.load(p_x + i_b * D + o_more, in_more, 0.0).to(tl.float32)
            b_sum += dot(b_more, b_its_scale, b_its_low, b_x, P)
        b_y = total(b_sum)
        if p_residual is not None:
            b_y += tl.load(p_residual + i_b * N + o_n, o_n < N, 0.0).to(tl.float32)
        tl.store(p_y + i_b * N + o_n, b_y.to(p_y.dtype.element_ty), o_n < N)


@triton.jit
def _embed(p_ids, w, p_y, D, BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):
    i_b, o_d = tl.program_id(0), tl.arange(0, BLOCK_D)
    begin(OVERLAP)
    i_row = tl.load(p_ids + i_b).to(tl.int64)
    b_codes = tl.load(w.codes + i_row * w.width + o_d, o_d < D, 0)
    o_scale = i_row * w.groups + o_d // w.GROUP
    b_scale = tl.load(w.scale + o_scale, o_d < D, 0.0).to(tl.float32)
    b_low = tl.load(w.low + o_scale, o_d < D, 0.0).to(tl.float32)
    b_y = b_codes.to(tl.int32).to(tl.float32) * b_scale + b_low
    tl.store(p_y + i_b * D + o_d, b_y.to(p_y.dtype.element_ty), o_d < D)


@triton.jit(do_not_specialize_on_alignment=["p_indices", "p_shares"])
def _up(p_x, p_norm, p_indices, p_shares, experts, shared, p_hidden, I, J, D, s_shares, eps,
        OFFSET: tl.constexpr, TOP: tl.constexpr, SLOTS: tl.constexpr, BLOCK_I: tl.constexpr, G: tl.constexpr,
        P: tl.constexpr, K: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    # As in `step_experts.py` the shared expert comes first. Rows of a tile: gate, up, gate, up, ...
    i_slot, i_b = SLOTS - 1 - tl.program_id(1), tl.program_id(2).to(tl.int64)
    routed, o_row = i_slot < TOP, tl.arange(0, 2 * BLOCK_I)
    width = I if routed else J
    o_i = tl.program_id(0).to(tl.int64) * BLOCK_I + o_row // 2
    o_row, in_row = o_row % 2 * width + o_i, o_i < width
    o_d, in_d = columns(0, D // P, G, P, K)
    b_norm = tl.load(p_norm + o_d, in_d, 0.0).to(tl.float32)
    b_codes, b_scale, b_low = 0.0, 0.0, 0.0
    if SLOTS > TOP:
        b_codes, b_scale, b_low = fetch(shared, o_row, in_row & (i_slot >= TOP), 0, G, P, K)
    begin(OVERLAP)
    if TOP > 0:
        o_row += tl.load(p_indices + i_b * TOP + i_slot, routed, 0).to(tl.int64) * (2 * I)
        in_row = in_row & routed
        b_codes, b_scale, b_low = fetch(experts, o_row, in_row, 0, G, P, K, b_codes, b_scale, b_low)
    b_x = tl.load(p_x + i_b * D + o_d, in_d, 0.0).to(tl.float32)
    b_x = normalise(b_x, b_norm, D, eps, OFFSET, p_x.dtype.element_ty)
    b_y = total(dot(b_codes, b_scale, b_low, b_x, P))
    b_gate, b_up = tl.split(tl.reshape(b_y, [BLOCK_I, 2]))
    b_hidden = b_gate * tl.sigmoid(b_gate) * b_up * tl.load(p_shares + i_b * s_shares + i_slot)
    o_i = tl.program_id(0).to(tl.int64) * BLOCK_I + tl.arange(0, BLOCK_I)
    p_hidden += i_b * (TOP * I + (SLOTS - TOP) * J) + i_slot * I
    tl.store(p_hidden + o_i, b_hidden.to(p_hidden.dtype.element_ty), o_i < width)


@triton.jit(do_not_specialize_on_alignment=["p_indices"])
def _down(p_hidden, p_indices, experts, shared, p_residual, p_y, I, J, D, TOP: tl.constexpr,
          SHARED: tl.constexpr, BLOCK_D: tl.constexpr, G: tl.constexpr, P: tl.constexpr, K: tl.constexpr,
          G_SHARED: tl.constexpr, K_SHARED: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_b = tl.program_id(1).to(tl.int64)
    o_y = tl.program_id(0).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D)
    in_y = o_y < D
    if SHARED:
        b_codes, b_scale, b_low = fetch(shared, o_y, in_y, 0, G_SHARED, P, K_SHARED)
    begin(OVERLAP)
    p_hidden += i_b * (TOP * I + J)
    o_d, in_d = columns(0, I // P, G, P, K)
    b_sum = tl.zeros([G, P, BLOCK_D], tl.float32)
    for slot in tl.static_range(TOP):
        o_row = tl.load(p_indices + i_b * TOP + slot).to(tl.int64) * D + o_y
        b_its_codes, b_its_scale, b_its_low = fetch(experts, o_row, in_y, 0, G, P, K)
        b_h = tl.load(p_hidden + slot * I + o_d, in_d, 0.0).to(tl.float32)
        b_sum += dot(b_its_codes, b_its_scale, b_its_low, b_h, P)
    b_y = total(b_sum) + tl.load(p_residual + i_b * D + o_y, in_y, 0.0).to(tl.float32)
    if SHARED:
        o_d, in_d = columns(0, J // P, G_SHARED, P, K_SHARED)
        b_h = tl.load(p_hidden + TOP * I + o_d, in_d, 0.0).to(tl.float32)
        b_y += total(dot(b_codes, b_scale, b_low, b_h, P))
    tl.store(p_y + i_b * D + o_y, b_y.to(p_y.dtype.element_ty), in_y)


def norm_linear(x: Tensor, norm: Norm, weight: Packed) -> Tensor:
    """See `step_reference.norm_linear`."""
    (batch, dim), outs, tail = x.shape, weight.codes.shape[0], weight.tail
    more, (tail_rows, tail_columns) = 0 if tail is None else len(tail), tile(dim)
    y, sizes = x.new_empty(batch, outs + more), {"OFFSET": norm.offset != 0, **_whole_rows(weight)}
    blocks = {"BLOCK_N": _rows(sizes, WEIGHTS), "BLOCK_T": tail_rows, "BLOCK_D": tail_columns}
    assert tail_columns >= dim
    grid = triton.cdiv(outs, blocks["BLOCK_N"]) + triton.cdiv(more, tail_rows)
    _norm_linear[(grid,)](
        x, norm.weight, _matrix(weight), tail, y, batch, outs, more, dim, norm.eps,
        **sizes, **blocks, **options(x),
    )  # fmt: skip
    return y


def embed(ids: Tensor, weight: Packed, dtype: torch.dtype) -> Tensor:
    """See `step_reference.embed`; codes are of 8 bits."""
    assert weight.planes == 1
    assert weight.low is not None
    dim = weight.codes.shape[1]
    y, sizes = torch.empty(len(ids), dim, dtype=dtype, device=ids.device), {"BLOCK_D": padded(dim)}
    _embed[(len(ids),)](ids, _matrix(weight), y, dim, **sizes, **options(y))
    return y


def add_linear(x: Tensor, weight: Packed, residual: Tensor | None) -> Tensor:
    """See `step_reference.add_linear`; without a residual the product alone."""
    (batch, dim), outs, sizes = x.shape, weight.codes.shape[0], _whole_rows(weight)
    y, sizes["G"] = x.new_empty(batch, outs), min(sizes["G"], WEIGHTS // (sizes["P"] * sizes["K"]))
    sizes["BLOCK_N"] = _rows(sizes, WEIGHTS)
    _add_linear[(triton.cdiv(outs, sizes["BLOCK_N"]),)](
        x, _matrix(weight), residual, y, batch, outs, dim, **sizes, **options(x)
    )
    return y


def experts_up(
    x: Tensor, norm: Norm, indices: Tensor, shares: Tensor, gate_up: Packed | None, shared: Packed | None
) -> Tensor:
    """See `step_reference.experts_up`."""
    (batch, dim), top, slots = x.shape, indices.shape[1], shares.shape[1]
    width, shared_width = (0 if w is None else w.codes.shape[-2] // 2 for w in (gate_up, shared))
    hidden = x.new_empty(batch, top * width + (slots - top) * shared_width)
    one = shared if gate_up is None else gate_up
    assert one is not None
    sizes = {"OFFSET": norm.offset != 0, "TOP": top, "SLOTS": slots, **_whole_rows(one)}
    sizes["BLOCK_I"] = max(_rows(sizes, WEIGHTS) // 2, 1)  # of the gate, and as many of up
    _up[(triton.cdiv(max(width, shared_width), sizes["BLOCK_I"]), slots, batch)](
        x, norm.weight, indices, shares, _matrix(gate_up), _matrix(shared), hidden, width, shared_width, dim,
        shares.stride(0), norm.eps, **sizes, **options(x),
    )  # fmt: skip
    return hidden


def experts_down(
    hidden: Tensor, indices: Tensor, down: Packed, shared: Packed | None, residual: Tensor
) -> Tensor:
    """See `step_reference.experts_down`."""
    (batch, dim), y = residual.shape, residual.new_empty(residual.shape)
    sizes, its = _whole_rows(down), _whole_rows(shared or down)
    assert its["P"] == sizes["P"]
    sizes["BLOCK_D"] = min(max(SPREAD // (sizes["G"] * sizes["K"]), 1), 16)
    width, shared_width = down.planes * down.codes.shape[-1], hidden.shape[1]
    shared_width -= indices.shape[1] * width
    slots = {"TOP": indices.shape[1], "SHARED": shared is not None}
    slots |= {"G_SHARED": its["G"], "K_SHARED": its["K"]}
    _down[(triton.cdiv(dim, sizes["BLOCK_D"]), batch)](
        hidden, indices, _matrix(down), _matrix(shared), residual, y, width, shared_width, dim,
        **slots, **sizes, **options(hidden),
    )  # fmt: skip
    return y


def _matrix(w: Packed | None) -> Matrix | None:
    if w is None:
        return None
    rows, group = (tl.constexpr(n) for n in w.block)
    return Matrix(w.codes, w.scale, w.low, w.codes.shape[-1], w.scale.shape[-1], rows, group)


def _whole_rows(w: Packed) -> dict[str, Any]:
    """A tile as wide as the codes of a row; no group of it lies in two groups of the matrix."""
    width, group = int(w.codes.shape[-1]), w.block[1]
    codes = gcd(group, width) if w.low is not None else group & -group
    return {"P": w.planes, "G": padded(-(-width // codes)), "K": codes}


def _rows(sizes: dict[str, Any], weights: int) -> int:
    return min(max(weights // (sizes["P"] * sizes["G"] * sizes["K"]), 1), 64)
