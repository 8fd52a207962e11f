"""Triton: a mixture of experts for many rows, which reads every expert that was chosen once for all of them.

A program holds a tile of one expert, finds the rows that chose it among all choices, and gathers them into
one product; an expert that nobody chose ends at once. Same signatures and meanings as in `step_reference.py`,
and the same letters for shapes as in `step_experts.py`.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F
from triton import knobs

from .launch import begin, options, padded
from .step_experts import take_best
from .step_linear import rms_norm
from .step_reference import Norm

ROWS = 16  # of a tile, the least that a matrix unit takes: few meet at an expert
INTERPRETED = knobs.runtime.interpret  # which has no bf16 product


@triton.jit
def _members(p_indices, i_e, B, E, TOP: tl.constexpr, BLOCK_N: tl.constexpr):
    """Of all choices [B * TOP], the how many-th of expert i_e each is, -1 for those of others; their number.

    Every row takes the shared expert, which is number E.
    """
    o_n = tl.arange(0, BLOCK_N)
    b_mine = (tl.load(p_indices + o_n, o_n < B * TOP, -1) == i_e).to(tl.int32)
    return tl.where(b_mine > 0, tl.cumsum(b_mine, 0) - 1, -1), tl.where(i_e == E, B, tl.sum(b_mine))


@triton.jit
def _gather(b_rank, first, shared, TOP: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_R: tl.constexpr):
    """Row and slot of the members from the `first` on."""
    o_r, o_n = first + tl.arange(0, BLOCK_R), tl.arange(0, BLOCK_N)
    b_n = tl.sum(tl.where(b_rank[None, :] == o_r[:, None], o_n[None, :], 0), 1)
    WIDE: tl.constexpr = TOP if TOP > 0 else 1  # type: ignore[assignment]
    return tl.where(shared, o_r, b_n // WIDE).to(tl.int64), tl.where(shared, TOP, b_n % WIDE)


@triton.jit(do_not_specialize_on_alignment=["p_indices", "p_shares"])
def _up(p_x, p_indices, p_shares, p_experts, p_shared, p_hidden, B, E, I, J, D, s_shares, TOP: tl.constexpr,
        SLOTS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_I: tl.constexpr,
        BLOCK_D: tl.constexpr, EXACT: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_e = tl.num_programs(1) - 1 - tl.program_id(1)  # the shared expert comes first: it has the most rows
    o_i = tl.program_id(0).to(tl.int64) * BLOCK_I + tl.arange(0, BLOCK_I)
    DOT: tl.constexpr = tl.float32 if EXACT else p_x.dtype.element_ty  # type: ignore[assignment]
    if i_e < E:
        p_w, width = p_experts + i_e.to(tl.int64) * (2 * I * D), I
    else:
        p_w, width = p_shared, J
    in_i = o_i < width
    begin(OVERLAP)
    b_rank, count = _members(p_indices, i_e, B, E, TOP, BLOCK_N)
    for first in range(0, count, BLOCK_R):
        b_row, b_slot = _gather(  # pyright: ignore[reportGeneralTypeIssues]
            b_rank, first, i_e == E, TOP, BLOCK_N, BLOCK_R
        )
        in_r = first + tl.arange(0, BLOCK_R) < count
        b_gate = tl.zeros([BLOCK_R, BLOCK_I], tl.float32)
        b_up = tl.zeros([BLOCK_R, BLOCK_I], tl.float32)
        for start in range(0, D, BLOCK_D):
            o_d = start + tl.arange(0, BLOCK_D)
            in_d = o_d < D
            b_x = tl.load(p_x + b_row[:, None] * D + o_d[None, :], in_r[:, None] & in_d[None, :], 0.0)
            o_w, inside = o_i[None, :] * D + o_d[:, None], in_i[None, :] & in_d[:, None]
            b_w = tl.load(p_w + o_w, inside, 0.0)
            b_v = tl.load(p_w + width.to(tl.int64) * D + o_w, inside, 0.0)
            b_gate = tl.dot(b_x.to(DOT), b_w.to(DOT), b_gate, input_precision="ieee")
            b_up = tl.dot(b_x.to(DOT), b_v.to(DOT), b_up, input_precision="ieee")
        b_share = tl.load(p_shares + b_row * s_shares + b_slot, in_r, 0.0)
        b_hidden = b_gate * tl.sigmoid(b_gate) * b_up * b_share[:, None]
        o_hidden = b_row * (TOP * I + (SLOTS - TOP) * J) + b_slot * I
        kept = in_r[:, None] & in_i[None, :]
        tl.store(p_hidden + o_hidden[:, None] + o_i[None, :], b_hidden.to(p_hidden.dtype.element_ty), kept)


@triton.jit(do_not_specialize_on_alignment=["p_indices"])
def _down(p_hidden, p_indices, p_experts, p_shared, p_parts, B, E, I, J, D, TOP: tl.constexpr,
          SLOTS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_D: tl.constexpr,
          BLOCK_I: tl.constexpr, EXACT: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_e = tl.num_programs(1) - 1 - tl.program_id(1)
    o_d = tl.program_id(0).to(tl.int64) * BLOCK_D + tl.arange(0, BLOCK_D)
    DOT: tl.constexpr = tl.float32 if EXACT else p_hidden.dtype.element_ty  # type: ignore[assignment]
    in_d = o_d < D
    if i_e < E:
        p_w, width = p_experts + i_e.to(tl.int64) * (D * I), I
    else:
        p_w, width = p_shared, J
    begin(OVERLAP)
    b_rank, count = _members(p_indices, i_e, B, E, TOP, BLOCK_N)
    for first in range(0, count, BLOCK_R):
        b_row, b_slot = _gather(  # pyright: ignore[reportGeneralTypeIssues]
            b_rank, first, i_e == E, TOP, BLOCK_N, BLOCK_R
        )
        in_r = first + tl.arange(0, BLOCK_R) < count
        o_hidden = b_row * (TOP * I + (SLOTS - TOP) * J) + b_slot * I
        b_part = tl.zeros([BLOCK_R, BLOCK_D], tl.float32)
        for start in range(0, width, BLOCK_I):
            o_i = start + tl.arange(0, BLOCK_I)
            in_i = o_i < width
            b_h = tl.load(p_hidden + o_hidden[:, None] + o_i[None, :], in_r[:, None] & in_i[None, :], 0.0)
            b_w = tl.load(p_w + o_d[None, :] * width + o_i[:, None], in_d[None, :] & in_i[:, None], 0.0)
            b_part = tl.dot(b_h.to(DOT), b_w.to(DOT), b_part, input_precision="ieee")
        o_part = (b_row * SLOTS + b_slot) * D
        tl.store(p_parts + o_part[:, None] + o_d[None, :], b_part, in_r[:, None] & in_d[None, :])


@triton.jit
def _sum(p_parts, p_residual, p_y, D, SLOTS: tl.constexpr, BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):
    i_b, o_d = tl.program_id(1).to(tl.int64), tl.program_id(0) * BLOCK_D + tl.arange(0, BLOCK_D)
    in_d = o_d < D
    begin(OVERLAP)
    b_y = tl.load(p_residual + i_b * D + o_d, in_d, 0.0).to(tl.float32)
    for slot in tl.static_range(SLOTS):  # type: ignore[misc]
        b_y += tl.load(p_parts + (i_b * SLOTS + slot) * D + o_d, in_d, 0.0)
    tl.store(p_y + i_b * D + o_d, b_y.to(p_y.dtype.element_ty), in_d)


@triton.jit(do_not_specialize_on_alignment=["p_indices", "p_shares"])
def _choose(p_logits, p_indices, p_shares, N, E: tl.constexpr, TOP: tl.constexpr, SLOTS: tl.constexpr,
            BLOCK_E: tl.constexpr, BLOCK_TOP: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_b, o_e, o_top = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK_E), tl.arange(0, BLOCK_TOP)
    begin(OVERLAP)
    b_logits = tl.load(p_logits + i_b * N + o_e, o_e < E, -float("inf")).to(tl.float32)
    b_index, b_share = take_best(b_logits, o_e, E, TOP, BLOCK_TOP)
    tl.store(p_indices + i_b * TOP + o_top, b_index, o_top < TOP)
    tl.store(p_shares + i_b * SLOTS + o_top, b_share, o_top < TOP)
    if SLOTS > TOP:
        switch = tl.load(p_logits + i_b * N + E).to(tl.float32)
        tl.store(p_shares + i_b * SLOTS + TOP, tl.sigmoid(switch))


def choose_experts(
    x: Tensor, norm: Norm, router: Tensor, k: int, switched: bool, arrived: Tensor
) -> tuple[Tensor, Tensor]:
    """See `step_reference.choose_experts`. A row is one program's, so `arrived` stays as it is."""
    logits = F.linear(rms_norm(x, *norm), router)
    (batch, outs), slots = logits.shape, k + switched
    indices = torch.empty(batch, k, dtype=torch.int32, device=x.device)
    shares = torch.empty(batch, slots, device=x.device)
    sizes = {"E": outs - switched, "TOP": k, "SLOTS": slots}
    blocks = {"BLOCK_E": padded(outs - switched), "BLOCK_TOP": padded(k), "num_warps": 1}
    _choose[(batch,)](logits, indices, shares, outs, **sizes, **blocks, **options(x))
    return indices, shares


def experts_up(
    x: Tensor, norm: Norm, indices: Tensor, shares: Tensor, gate_up: Tensor | None, shared: Tensor | None
) -> Tensor:
    """See `step_reference.experts_up`."""
    (batch, dim), top, slots = x.shape, indices.shape[1], shares.shape[1]
    width, shared_width = (0 if w is None else w.shape[-2] // 2 for w in (gate_up, shared))
    hidden = x.new_empty(batch, top * width + (slots - top) * shared_width)
    experts, one = (shared if gate_up is None else gate_up), (gate_up if shared is None else shared)
    count, columns = 0 if gate_up is None else len(gate_up), 32
    blocks = {**_blocks(x, batch, top, slots), "BLOCK_I": columns, "BLOCK_D": _depth(x)}
    _up[(triton.cdiv(max(width, shared_width), columns), count + slots - top)](
        rms_norm(x, *norm), indices, shares, experts, one, hidden, batch, count, width, shared_width, dim,
        shares.stride(0), **blocks,
    )  # fmt: skip
    return hidden


def experts_down(
    hidden: Tensor, indices: Tensor, down: Tensor, shared: Tensor | None, residual: Tensor
) -> Tensor:
    """See `step_reference.experts_down`."""
    (batch, dim), y, top = residual.shape, torch.empty_like(residual), indices.shape[1]
    slots, columns = top + (shared is not None), 64
    width, shared_width = down.shape[-1], 0 if shared is None else shared.shape[-1]
    parts = torch.empty(batch, slots, dim, device=hidden.device)
    blocks = {**_blocks(hidden, batch, top, slots), "BLOCK_D": columns, "BLOCK_I": _depth(hidden)}
    _down[(triton.cdiv(dim, columns), len(down) + slots - top)](
        hidden, indices, down, down if shared is None else shared, parts, batch, len(down), width,
        shared_width, dim, **blocks,
    )  # fmt: skip
    sizes = {"SLOTS": slots, "BLOCK_D": 256}
    _sum[(triton.cdiv(dim, 256), batch)](parts, residual, y, dim, **sizes, **options(hidden))
    return y


def _blocks(x: Tensor, batch: int, top: int, slots: int) -> dict[str, int | bool]:
    """Without routing all rows meet at the one expert."""
    rows = ROWS if top else min(max(padded(batch), ROWS), 64)
    sizes = {"TOP": top, "SLOTS": slots, "BLOCK_N": padded(max(batch * top, 1)), "BLOCK_R": rows}
    exact = INTERPRETED or x.dtype is torch.float32
    return {**sizes, "EXACT": exact, "num_stages": 4, **options(x)}


def _depth(x: Tensor) -> int:
    """Columns of a tile: 256 bytes in a row of the weights; exact products are unrolled, so fewer."""
    return 32 if x.dtype is torch.float32 else 128
