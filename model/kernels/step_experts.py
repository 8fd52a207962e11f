"""Triton: a mixture of experts for a few rows, which reads the chosen experts' rows where they lie.

Three kernels: choose (norm, router, top k), up (norm, gate and up, silu, share) and down (sum of all chosen,
residual). The expert that every row takes is one more slot. Same signatures and meanings as in
`step_reference.py`. Shapes: B rows, D model dim, E experts, I expert width, J width of the shared expert,
k chosen, S = k or k + 1 slots.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import begin, normalise, options, padded, tile
from .step_reference import Norm

SPREAD = 2048  # weights of a tile of `_down`, small ones, so that every multiprocessor has some
WARP = 2048  # weights of a row of the router that one warp reads: with one, no sum or maximum leaves it


@triton.jit
def take_best(b_left, o_e, E, TOP: tl.constexpr, BLOCK_TOP: tl.constexpr):
    """The TOP largest of the scores b_left at o_e: their indices, and the softmax over them."""
    o_top = tl.arange(0, BLOCK_TOP)
    b_best, b_index = tl.full([BLOCK_TOP], -float("inf"), tl.float32), tl.zeros([BLOCK_TOP], tl.int32)
    for slot in tl.static_range(TOP):  # type: ignore[misc]
        best, index = tl.max(b_left, 0, return_indices=True)
        b_left = tl.where(o_e == index, -float("inf"), b_left)
        b_best = tl.where(o_top == slot, best, b_best)
        b_index = tl.where(o_top == slot, tl.minimum(index, E - 1), b_index)  # an expert even among NaN
    b_share = tl.exp(b_best - tl.max(b_best))
    return b_index, b_share / tl.sum(b_share)


@triton.jit(do_not_specialize_on_alignment=["p_logits", "p_arrived", "p_indices", "p_shares"])
def _choose(p_x, p_norm, p_w, p_logits, p_arrived, p_indices, p_shares, N, D, eps, OFFSET: tl.constexpr,
            E: tl.constexpr, TOP: tl.constexpr, SLOTS: tl.constexpr, BLOCK_E: tl.constexpr,
            BLOCK_TOP: tl.constexpr, BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_n, i_b, o_d = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.arange(0, BLOCK_D)
    b_w = tl.load(p_w + i_n.to(tl.int64) * D + o_d, o_d < D, 0.0)
    b_norm = tl.load(p_norm + o_d, o_d < D, 0.0).to(tl.float32)
    begin(OVERLAP)
    b_x = tl.load(p_x + i_b * D + o_d, o_d < D, 0.0).to(tl.float32)
    b_x = normalise(b_x, b_norm, D, eps, OFFSET, p_x.dtype.element_ty)
    logit = tl.sum(b_w.to(tl.float32) * b_x).to(p_x.dtype.element_ty).to(tl.float32)
    p_logits += i_b * N
    tl.store(p_logits + i_n, logit)
    tl.debug_barrier()
    # Whoever comes last sees the logits of all, and takes the best one TOP times.
    if tl.atomic_add(p_arrived + i_b, 1, sem="acq_rel") == tl.num_programs(0) - 1:
        tl.store(p_arrived + i_b, 0)
        o_e, o_top = tl.arange(0, BLOCK_E), tl.arange(0, BLOCK_TOP)
        b_left = tl.load(p_logits + o_e, o_e < E, -float("inf"), volatile=True)
        b_index, b_share = take_best(b_left, o_e, E, TOP, BLOCK_TOP)
        tl.store(p_indices + i_b * TOP + o_top, b_index, o_top < TOP)
        tl.store(p_shares + i_b * SLOTS + o_top, b_share, o_top < TOP)
        if SLOTS > TOP:
            switch = tl.load(p_logits + E, volatile=True)
            tl.store(p_shares + i_b * SLOTS + TOP, tl.sigmoid(switch))


@triton.jit(do_not_specialize_on_alignment=["p_indices", "p_shares"])
def _up(p_x, p_norm, p_indices, p_shares, p_experts, p_shared, p_hidden, I, J, D, s_shares, eps,
        OFFSET: tl.constexpr, TOP: tl.constexpr, SLOTS: tl.constexpr, BLOCK_I: tl.constexpr,
        BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    # The shared expert comes first, and its weights before the wait: they are read while experts are chosen.
    i_slot, i_b = SLOTS - 1 - tl.program_id(1), tl.program_id(2).to(tl.int64)
    o_i, o_d = tl.program_id(0).to(tl.int64) * BLOCK_I + tl.arange(0, BLOCK_I), tl.arange(0, BLOCK_D)
    b_norm = tl.load(p_norm + o_d, o_d < D, 0.0).to(tl.float32)
    o_w, routed = o_i[:, None] * D + o_d[None, :], i_slot < TOP
    width = I if routed else J
    in_i = o_i < width
    inside = in_i[:, None] & (o_d[None, :] < D)
    b_gate = tl.load(p_shared + o_w, inside & (i_slot >= TOP), 0.0, eviction_policy="evict_first")
    b_up = tl.load(p_shared + J * D + o_w, inside & (i_slot >= TOP), 0.0, eviction_policy="evict_first")
    begin(OVERLAP)
    if TOP > 0:
        p_w = p_experts + tl.load(p_indices + i_b * TOP + i_slot, routed, 0).to(tl.int64) * (2 * I * D)
        b_gate = tl.load(p_w + o_w, inside & routed, b_gate, eviction_policy="evict_first")
        b_up = tl.load(p_w + I * D + o_w, inside & routed, b_up, eviction_policy="evict_first")
    b_x = tl.load(p_x + i_b * D + o_d, o_d < D, 0.0).to(tl.float32)
    b_x = normalise(b_x, b_norm, D, eps, OFFSET, p_x.dtype.element_ty)
    b_gate = tl.sum(b_gate.to(tl.float32) * b_x[None, :], 1)
    b_up = tl.sum(b_up.to(tl.float32) * b_x[None, :], 1)
    b_hidden = b_gate * tl.sigmoid(b_gate) * b_up * tl.load(p_shares + i_b * s_shares + i_slot)
    p_hidden += i_b * (TOP * I + (SLOTS - TOP) * J) + i_slot * I
    tl.store(p_hidden + o_i, b_hidden.to(p_hidden.dtype.element_ty), in_i)


@triton.jit(do_not_specialize_on_alignment=["p_indices"])
def _down(p_hidden, p_indices, p_experts, p_shared, p_residual, p_y, I, J, D, TOP: tl.constexpr,
          SHARED: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_I: tl.constexpr, BLOCK_J: tl.constexpr,
          OVERLAP: tl.constexpr):  # fmt: skip
    i_b = tl.program_id(1).to(tl.int64)
    o_d, o_i = tl.program_id(0).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_I)
    in_d, in_i, o_j = o_d < D, o_i < I, tl.arange(0, BLOCK_J)
    if SHARED:
        inside = in_d[:, None] & (o_j[None, :] < J)
        b_shared = tl.load(p_shared + o_d[:, None] * J + o_j[None, :], inside, 0.0)
    begin(OVERLAP)
    p_hidden += i_b * (TOP * I + SHARED * J)
    b_sum = tl.zeros([BLOCK_D, BLOCK_I], tl.float32)
    for slot in tl.static_range(TOP):
        p_w = p_experts + tl.load(p_indices + i_b * TOP + slot).to(tl.int64) * (D * I)
        p_w += o_d[:, None] * I + o_i[None, :]
        b_w = tl.load(p_w, in_d[:, None] & in_i[None, :], 0.0, eviction_policy="evict_first")
        b_h = tl.load(p_hidden + slot * I + o_i, in_i, 0.0).to(tl.float32)
        b_sum += b_w.to(tl.float32) * b_h[None, :]
    b_y = tl.sum(b_sum, 1) + tl.load(p_residual + i_b * D + o_d, in_d, 0.0).to(tl.float32)
    if SHARED:
        b_h = tl.load(p_hidden + TOP * I + o_j, o_j < J, 0.0).to(tl.float32)
        b_y += tl.sum(b_shared.to(tl.float32) * b_h[None, :], 1)
    tl.store(p_y + i_b * D + o_d, b_y.to(p_y.dtype.element_ty), in_d)


def choose_experts(
    x: Tensor, norm: Norm, router: Tensor, k: int, switched: bool, arrived: Tensor
) -> tuple[Tensor, Tensor]:
    """See `step_reference.choose_experts`."""
    (batch, dim), outs = x.shape, router.shape[0]
    experts, slots, columns = outs - switched, k + switched, padded(dim)
    logits = torch.empty(batch, outs, device=x.device)
    indices = torch.empty(batch, k, dtype=torch.int32, device=x.device)
    shares = torch.empty(batch, slots, device=x.device)
    sizes = {"OFFSET": norm.offset != 0, "E": experts, "TOP": k, "SLOTS": slots}
    blocks: dict[str, Any] = {"BLOCK_E": padded(experts), "BLOCK_TOP": padded(k), "BLOCK_D": columns}
    blocks["num_warps"] = max(columns // WARP, 1)
    _choose[(outs, batch)](
        x, norm.weight, router, logits, arrived, indices, shares, outs, dim, norm.eps,
        **sizes, **blocks, **options(x),
    )  # fmt: skip
    return indices, shares


def experts_up(
    x: Tensor, norm: Norm, indices: Tensor, shares: Tensor, gate_up: Tensor | None, shared: Tensor | None
) -> Tensor:
    """See `step_reference.experts_up`."""
    (batch, dim), top, slots = x.shape, indices.shape[1], shares.shape[1]
    width, shared_width = (0 if w is None else w.shape[-2] // 2 for w in (gate_up, shared))
    hidden, (rows, columns) = x.new_empty(batch, top * width + (slots - top) * shared_width), tile(dim)
    assert columns >= dim
    rows = max(rows // 2, 1)  # of the gate, and as many of up
    experts, one = (shared if gate_up is None else gate_up), (gate_up if shared is None else shared)
    sizes = {"OFFSET": norm.offset != 0, "TOP": top, "SLOTS": slots, "BLOCK_I": rows, "BLOCK_D": columns}
    _up[(triton.cdiv(max(width, shared_width), rows), slots, batch)](
        x, norm.weight, indices, shares, experts, one, hidden, width, shared_width, dim,
        shares.stride(0), norm.eps, **sizes, **options(x),
    )  # fmt: skip
    return hidden


def experts_down(
    hidden: Tensor, indices: Tensor, down: Tensor, shared: Tensor | None, residual: Tensor
) -> Tensor:
    """See `step_reference.experts_down`."""
    (batch, dim), y = residual.shape, torch.empty_like(residual)
    width, shared_width = down.shape[-1], 0 if shared is None else shared.shape[-1]
    columns, shared_columns = (max(padded(n), 1) for n in (width, shared_width))
    rows = min(max(SPREAD // columns, 1), 16)
    sizes = {"TOP": indices.shape[1], "SHARED": shared is not None}
    blocks = {"BLOCK_D": rows, "BLOCK_I": columns, "BLOCK_J": shared_columns}
    _down[(triton.cdiv(dim, rows), batch)](
        hidden, indices, down, down if shared is None else shared, residual, y, width, shared_width, dim,
        **sizes, **blocks, **options(hidden),
    )  # fmt: skip
    return y
