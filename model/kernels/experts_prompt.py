"""Triton: a mixture of experts for a prompt, without gradients and without sorting.

A choice needs no order within its expert, only a place of its own: counting with atomics gives one. Around
the two grouped products, which stay torch's, stand four kernels: count, gather, activate, join. Same meanings
as in `reference.py`. Shapes: T tokens, K choices of each, D model dim, E experts, W expert width.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from .launch import padded

LOGITS = 1024  # of the tokens for which one program chooses
CHOICES = 256  # that one program counts
COLUMNS = 1024  # of the model dim, of a tile
NUMBERS = 4096  # of the rows that one program activates


@triton.jit(do_not_specialize=["T"])
def _choose(p_logits, p_shares, p_indices, T, E, TOP: tl.constexpr, BLOCK_T: tl.constexpr,
            BLOCK_E: tl.constexpr, BLOCK_K: tl.constexpr):  # fmt: skip
    o_t = tl.program_id(0).to(tl.int64) * BLOCK_T + tl.arange(0, BLOCK_T)
    o_e, o_k = tl.arange(0, BLOCK_E), tl.arange(0, BLOCK_K)
    in_t, in_e = o_t < T, o_e < E
    b_left = tl.load(p_logits + o_t[:, None] * E + o_e[None, :], in_t[:, None] & in_e[None, :], 0.0)
    b_left = tl.where(in_e[None, :], b_left.to(tl.float32), float("-inf"))
    b_best = tl.full([BLOCK_T, BLOCK_K], float("-inf"), tl.float32)
    b_index = tl.zeros([BLOCK_T, BLOCK_K], tl.int32)
    for i in tl.static_range(TOP):  # type: ignore[misc]
        b_top = tl.max(b_left, 1)
        b_at = tl.min(tl.where(b_left == b_top[:, None], o_e[None, :], BLOCK_E), 1)
        b_at = tl.minimum(b_at, E - 1)  # NaN equals nothing, and later kernels address with this
        b_left = tl.where(o_e[None, :] == b_at[:, None], float("-inf"), b_left)
        b_best = tl.where(o_k[None, :] == i, b_top[:, None], b_best)
        b_index = tl.where(o_k[None, :] == i, b_at[:, None], b_index)
    b_best = tl.exp(b_best - tl.max(b_best, 1)[:, None])
    b_best /= tl.sum(b_best, 1)[:, None]
    o_out, inside = o_t[:, None] * TOP + o_k[None, :], in_t[:, None] & (o_k < TOP)[None, :]
    tl.store(p_shares + o_out, b_best.to(p_shares.dtype.element_ty), inside)
    tl.store(p_indices + o_out, b_index.to(tl.int64), inside)


@triton.jit(do_not_specialize=["choices"])
def _count(p_indices, p_counts, p_ranks, choices, BLOCK_N: tl.constexpr):
    """How many choices each expert has, and the how many-th each of them is."""
    o_n = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = o_n < choices
    b_e = tl.load(p_indices + o_n, inside, 0)
    tl.store(p_ranks + o_n, tl.atomic_add(p_counts + b_e, 1, inside, sem="relaxed"), inside)


@triton.jit
def _gather(p_x, p_indices, p_counts, p_ranks, p_ends, p_places, p_rows, E, D, TOP: tl.constexpr,
            BLOCK_K: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr):  # fmt: skip
    """A token's row to the places of its choices. Each program adds up counts: less than a launch for it."""
    i_t, o_k, o_e = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK_K), tl.arange(0, BLOCK_E)
    in_k, in_e, o_choice = o_k < TOP, o_e < E, i_t * TOP + o_k
    b_counts = tl.load(p_counts + o_e, in_e, 0)
    if i_t == 0:
        tl.store(p_ends + o_e, tl.cumsum(b_counts, 0), in_e)
    b_e = tl.load(p_indices + o_choice, in_k, 0)
    b_start = tl.sum(tl.where(o_e[None, :] < b_e[:, None], b_counts[None, :], 0), 1)
    b_place = b_start + tl.load(p_ranks + o_choice, in_k, 0)
    tl.store(p_places + o_choice, b_place, in_k)
    p_row = p_rows + b_place.to(tl.int64)[:, None] * D
    for start in range(0, D, BLOCK_D):
        o_d = start + tl.arange(0, BLOCK_D)
        in_d = o_d < D
        b_x = tl.load(p_x + i_t * D + o_d, in_d, 0.0)
        b_x = tl.broadcast_to(b_x[None, :], BLOCK_K, BLOCK_D)
        tl.store(p_row + o_d[None, :], b_x, in_k[:, None] & in_d[None, :])


@triton.jit(do_not_specialize=["rows"])
def _activate(p_gate, p_up, p_y, rows, W, s_row, BLOCK_R: tl.constexpr, BLOCK_W: tl.constexpr):
    o_r = tl.program_id(0).to(tl.int64) * BLOCK_R + tl.arange(0, BLOCK_R)
    o_w = tl.program_id(1) * BLOCK_W + tl.arange(0, BLOCK_W)
    inside, o_in = (o_r < rows)[:, None] & (o_w < W)[None, :], o_r[:, None] * s_row + o_w[None, :]
    b_gate = tl.load(p_gate + o_in, inside, 0.0).to(tl.float32)
    b_up = tl.load(p_up + o_in, inside, 0.0).to(tl.float32)
    b_gate /= 1.0 + tl.exp(-b_gate)
    b_y = b_gate.to(p_y.dtype.element_ty).to(tl.float32) * b_up  # rounded in between, as torch does
    tl.store(p_y + o_r[:, None] * W + o_w[None, :], b_y.to(p_y.dtype.element_ty), inside)


@triton.jit
def _join(p_joined, p_places, p_shares, p_shared, p_switch, p_y, D, TOP: tl.constexpr, SHARED: tl.constexpr,
          BLOCK_D: tl.constexpr):  # fmt: skip
    i_t, o_d = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    in_d = o_d < D
    b_y = tl.zeros([BLOCK_D], tl.float32)
    for i in tl.static_range(TOP):  # type: ignore[misc]
        place = tl.load(p_places + i_t * TOP + i).to(tl.int64)
        share = tl.load(p_shares + i_t * TOP + i).to(tl.float32)
        b_y += share * tl.load(p_joined + place * D + o_d, in_d, 0.0).to(tl.float32)
    if SHARED:
        switch = tl.sigmoid(tl.load(p_switch + i_t).to(tl.float32))
        b_y += switch * tl.load(p_shared + i_t * D + o_d, in_d, 0.0).to(tl.float32)
    tl.store(p_y + i_t * D + o_d, b_y.to(p_y.dtype.element_ty), in_d)


def choose(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """See `reference.top_experts`; of equal logits the first."""
    logits, (tokens, experts) = logits.contiguous(), logits.shape
    shares, indices = logits.new_empty(tokens, k), logits.new_empty((tokens, k), dtype=torch.int64)
    sizes: dict[str, Any] = {"TOP": k, "BLOCK_E": padded(experts), "BLOCK_K": padded(k)}
    sizes["BLOCK_T"] = max(LOGITS // sizes["BLOCK_E"], 1)
    _choose[(triton.cdiv(tokens, sizes["BLOCK_T"]),)](logits, shares, indices, tokens, experts, **sizes)
    return shares, indices


def mixture(
    x: Tensor, shares: Tensor, indices: Tensor, gate_up: Tensor, down: Tensor, shared: Sequence[Tensor] = ()
) -> Tensor:
    """See `reference.mixture`; the order of rows within an expert is any, that of sums over k is not."""
    x = x.contiguous()
    rows, places, ends = gather(x, indices.contiguous(), gate_up.shape[0])
    hidden = activate(*F.grouped_mm(rows, gate_up.mT, offs=ends).chunk(2, dim=-1))
    joined = F.grouped_mm(hidden, down.mT, offs=ends)
    always = switch = joined  # not read
    if shared:
        gate, up, out, row = shared
        always = F.linear(activate(F.linear(x, gate), F.linear(x, up)), out)
        switch = F.linear(x, row)
    y, grid = torch.empty_like(x), (len(x), triton.cdiv(x.shape[1], COLUMNS))
    sizes: dict[str, Any] = {"TOP": indices.shape[1], "SHARED": bool(shared), "BLOCK_D": COLUMNS}
    _join[grid](joined, places, shares.contiguous(), always, switch, y, x.shape[1], **sizes)
    return y


def gather(x: Tensor, indices: Tensor, experts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [T * K, D] of x by expert, the place [T, K] of each choice among them, each expert's end [E]."""
    (tokens, dim), k = x.shape, indices.shape[1]
    counts = torch.zeros(experts, dtype=torch.int32, device=x.device)
    ends, rows = torch.empty_like(counts), x.new_empty(tokens * k, dim)
    ranks, places = (torch.empty_like(indices, dtype=torch.int32) for _ in range(2))
    sizes: dict[str, Any] = {"BLOCK_N": CHOICES}
    _count[(triton.cdiv(len(rows), CHOICES),)](indices, counts, ranks, len(rows), **sizes)
    sizes = {"TOP": k, "BLOCK_K": padded(k), "BLOCK_E": padded(experts), "BLOCK_D": COLUMNS}
    _gather[(tokens,)](x, indices, counts, ranks, ends, places, rows, experts, dim, **sizes)
    return rows, places, ends


def activate(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up of [N, W], which may be halves of one product."""
    assert gate.stride() == up.stride() == (gate.stride(0), 1)
    (rows, width), y = gate.shape, gate.new_empty(gate.shape)
    columns = min(padded(width), NUMBERS)
    sizes: dict[str, Any] = {"BLOCK_R": NUMBERS // columns, "BLOCK_W": columns}
    grid = triton.cdiv(rows, sizes["BLOCK_R"]), triton.cdiv(width, columns)
    _activate[grid](gate, up, y, rows, width, gate.stride(0), **sizes)
    return y
