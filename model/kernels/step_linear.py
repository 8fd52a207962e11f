"""Triton: products of one row with a matrix, the norm before and the residual after in the same pass.

A matrix is read once, at the speed of memory; nothing else here is large. Same signatures and meanings as in
`step_reference.py`. Shapes: B rows, D in, N out.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import begin, normalise, options, padded, tile
from .step_reference import Norm


@triton.jit
def _norm_linear(p_x, p_norm, p_w, p_y, N, D, eps, OFFSET: tl.constexpr, BLOCK_N: tl.constexpr,
                 BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_b = tl.program_id(1).to(tl.int64)
    o_n, o_d = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    inside = (o_n[:, None] < N) & (o_d[None, :] < D)
    b_w = tl.load(p_w + o_n[:, None] * D + o_d[None, :], inside, 0.0, eviction_policy="evict_first")
    b_norm = tl.load(p_norm + o_d, o_d < D, 0.0).to(tl.float32)
    begin(OVERLAP)
    b_x = tl.load(p_x + i_b * D + o_d, o_d < D, 0.0).to(tl.float32)
    b_x = normalise(b_x, b_norm, D, eps, OFFSET, p_x.dtype.element_ty)
    b_y = tl.sum(b_w.to(tl.float32) * b_x[None, :], 1)
    tl.store(p_y + i_b * N + o_n, b_y.to(p_y.dtype.element_ty), o_n < N)


@triton.jit
def _add_linear(p_x, p_w, p_residual, p_y, N, D, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr,
                OVERLAP: tl.constexpr):  # fmt: skip
    i_b = tl.program_id(1).to(tl.int64)
    o_n, o_d = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    inside = (o_n[:, None] < N) & (o_d[None, :] < D)
    b_w = tl.load(p_w + o_n[:, None] * D + o_d[None, :], inside, 0.0, eviction_policy="evict_first")
    begin(OVERLAP)
    b_x = tl.load(p_x + i_b * D + o_d, o_d < D, 0.0).to(tl.float32)
    b_y = tl.sum(b_w.to(tl.float32) * b_x[None, :], 1)
    for start in range(BLOCK_D, D, BLOCK_D):
        o_more = start + o_d
        inside = (o_n[:, None] < N) & (o_more[None, :] < D)
        b_w = tl.load(p_w + o_n[:, None] * D + o_more[None, :], inside, 0.0, eviction_policy="evict_first")
        b_x = tl.load(p_x + i_b * D + o_more, o_more < D, 0.0).to(tl.float32)
        b_y += tl.sum(b_w.to(tl.float32) * b_x[None, :], 1)
    b_y += tl.load(p_residual + i_b * N + o_n, o_n < N, 0.0).to(tl.float32)
    tl.store(p_y + i_b * N + o_n, b_y.to(p_y.dtype.element_ty), o_n < N)


@triton.jit
def _rms_norm(p_x, p_norm, p_y, D, eps, OFFSET: tl.constexpr, BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):
    o_d, o_row = tl.arange(0, BLOCK_D), tl.program_id(0).to(tl.int64) * D
    b_norm = tl.load(p_norm + o_d, o_d < D, 0.0).to(tl.float32)
    begin(OVERLAP)
    b_x = tl.load(p_x + o_row + o_d, o_d < D, 0.0).to(tl.float32)
    b_y = normalise(b_x, b_norm, D, eps, OFFSET, p_x.dtype.element_ty)
    tl.store(p_y + o_row + o_d, b_y.to(p_y.dtype.element_ty), o_d < D)


def rms_norm(x: Tensor, weight: Tensor, eps: float, offset: float, overlap: bool = True) -> Tensor:
    """See `reference.rms_norm`. `overlap` is for the passes of a step."""
    x, dim = x.contiguous(), x.shape[-1]
    y = torch.empty_like(x)
    how: dict[str, Any] = options(x) if overlap else {"OVERLAP": False}
    sizes = {"OFFSET": offset != 0, "BLOCK_D": padded(dim)}
    _rms_norm[(x.numel() // dim,)](x, weight, y, dim, eps, **sizes, **how)
    return y


def norm_linear(x: Tensor, norm: Norm, weight: Tensor) -> Tensor:
    """See `step_reference.norm_linear`."""
    (batch, dim), outs = x.shape, weight.shape[0]
    y, (rows, columns) = x.new_empty(batch, outs), tile(dim)
    assert columns >= dim
    sizes = {"OFFSET": norm.offset != 0, "BLOCK_N": rows, "BLOCK_D": columns}
    _norm_linear[(triton.cdiv(outs, rows), batch)](
        x, norm.weight, weight, y, outs, dim, norm.eps, **sizes, **options(x)
    )
    return y


def add_linear(x: Tensor, weight: Tensor, residual: Tensor) -> Tensor:
    """See `step_reference.add_linear`."""
    (batch, dim), outs = x.shape, weight.shape[0]
    y, (rows, columns) = torch.empty_like(residual), tile(dim)
    sizes = {"BLOCK_N": rows, "BLOCK_D": columns}
    _add_linear[(triton.cdiv(outs, rows), batch)](x, weight, residual, y, outs, dim, **sizes, **options(x))
    return y
