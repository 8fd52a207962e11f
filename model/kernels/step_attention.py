"""Triton: one token of gated attention between its projections, over a cache of fixed size.

Three kernels: prepare (q/k norm, rotary embedding, the new key and value into the cache), split (every
stretch of the keys is read once, by all query heads that share it) and combine (joins the stretches, and the
gate). Same signature and meaning as `step_reference.attention_step`. Shapes: B rows, H query heads, G key and
value heads, D head dim, R rotary dims, S slots of the cache.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton import knobs

from .launch import begin, options, padded
from .step_reference import Norm

PROGRAMS, MAX_SPLITS = 256, 128  # about two for each multiprocessor
KEYS = 32  # of a tile
INTERPRETED = knobs.runtime.interpret  # which has no bf16 product


@triton.jit(do_not_specialize_on_alignment=["p_positions", "p_lengths"])
def _prepare(p_y, p_q_norm, p_k_norm, p_cos, p_sin, p_positions, p_lengths, p_q, p_keys, p_values, S, eps,
             OFFSET: tl.constexpr, GATED: tl.constexpr, H: tl.constexpr, G: tl.constexpr, D: tl.constexpr,
             R: tl.constexpr, BLOCK_D: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_h, i_b = tl.program_id(0), tl.program_id(1).to(tl.int64)
    o_d = tl.arange(0, BLOCK_D)
    inside, turned = o_d < D, o_d < R
    half: tl.constexpr = R // 2
    o_pair = tl.where(o_d < half, o_d + half, tl.where(turned, o_d - half, o_d))
    slot = tl.load(p_lengths + i_b).to(tl.int64)
    p_angle = tl.load(p_positions + i_b).to(tl.int64) * half + o_d % half
    b_cos = tl.load(p_cos + p_angle, turned, 1.0)
    b_sin = tl.load(p_sin + p_angle, turned, 0.0)
    begin(OVERLAP)
    query_dim: tl.constexpr = D * (1 + GATED)
    p_y += i_b * (H * query_dim + 2 * G * D)
    if i_h >= H + G:
        i_g = i_h - H - G
        b_v = tl.load(p_y + H * query_dim + G * D + i_g * D + o_d, inside, 0.0)
        tl.store(p_values + ((i_b * G + i_g) * S + slot) * D + o_d, b_v, inside)
    else:
        if i_h < H:
            p_x, p_norm, p_out = p_y + i_h * query_dim, p_q_norm, p_q + (i_b * H + i_h) * D
        else:
            i_g = i_h - H
            p_x, p_norm = p_y + H * query_dim + i_g * D, p_k_norm
            p_out = p_keys + ((i_b * G + i_g) * S + slot) * D
        b_x = tl.load(p_x + o_d, inside, 0.0).to(tl.float32)
        b_pair = tl.load(p_x + o_pair, inside, 0.0).to(tl.float32)
        scale = tl.rsqrt(tl.sum(b_x * b_x) / D + eps)
        shift = 1.0 if OFFSET else 0.0
        b_x = b_x * scale * (shift + tl.load(p_norm + o_d, inside, 0.0).to(tl.float32))
        b_pair = b_pair * scale * (shift + tl.load(p_norm + o_pair, inside, 0.0).to(tl.float32))
        b_x = b_x * b_cos + tl.where(o_d < half, -b_pair, b_pair) * b_sin
        tl.store(p_out + o_d, b_x.to(p_out.dtype.element_ty), inside)


@triton.jit(do_not_specialize_on_alignment=["p_lengths"])
def _split(p_q, p_keys, p_values, p_lengths, p_sums, p_parts, S, scale, H: tl.constexpr, G: tl.constexpr,
           D: tl.constexpr, SPLITS: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_S: tl.constexpr,
           BLOCK_D: tl.constexpr, EXACT: tl.constexpr, OVERLAP: tl.constexpr):  # fmt: skip
    i_split, i_g, i_b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    DOT: tl.constexpr = tl.float32 if EXACT else p_keys.dtype.element_ty  # type: ignore[assignment]
    o_q, o_s, o_d = tl.arange(0, BLOCK_Q), tl.arange(0, BLOCK_S), tl.arange(0, BLOCK_D)
    seen = tl.load(p_lengths + i_b) + 1
    stretch = tl.cdiv(tl.cdiv(seen, SPLITS), BLOCK_S) * BLOCK_S
    first = i_split * stretch
    begin(OVERLAP)
    if first < seen:
        group: tl.constexpr = H // G
        in_q, in_d = o_q < group, o_d < D
        o_head = i_b * H + i_g * group + o_q
        b_q = tl.load(p_q + o_head[:, None] * D + o_d[None, :], in_q[:, None] & in_d[None, :], 0.0)
        b_q = (b_q.to(tl.float32) * scale).to(DOT)
        p_keys += (i_b * G + i_g) * S * D
        p_values += (i_b * G + i_g) * S * D
        b_max = tl.full([BLOCK_Q], -float("inf"), tl.float32)
        b_sum = tl.zeros([BLOCK_Q], tl.float32)
        b_acc = tl.zeros([BLOCK_Q, BLOCK_D], tl.float32)
        for start in range(first, tl.minimum(first + stretch, seen), BLOCK_S):
            o_key = (start + o_s).to(tl.int64)
            in_s = o_key < seen
            o_tile, in_tile = o_key[:, None] * D + o_d[None, :], in_s[:, None] & in_d[None, :]
            b_k = tl.load(p_keys + o_tile, in_tile, 0.0).to(DOT)
            b_v = tl.load(p_values + o_tile, in_tile, 0.0).to(DOT)
            b_score = tl.dot(b_q, tl.trans(b_k), input_precision="ieee")
            b_score = tl.where(in_s[None, :], b_score, -float("inf"))
            b_new = tl.maximum(b_max, tl.max(b_score, 1))
            b_p = tl.exp(b_score - b_new[:, None])
            shrink = tl.exp(b_max - b_new)
            b_sum = b_sum * shrink + tl.sum(b_p, 1)
            b_acc = b_acc * shrink[:, None] + tl.dot(b_p.to(DOT), b_v, input_precision="ieee")
            b_max = b_new
        o_part = o_head * SPLITS + i_split
        tl.store(p_sums + 2 * o_part, b_max, in_q)
        tl.store(p_sums + 2 * o_part + 1, b_sum, in_q)
        tl.store(p_parts + o_part[:, None] * D + o_d[None, :], b_acc, in_q[:, None] & in_d[None, :])


@triton.jit(do_not_specialize_on_alignment=["p_lengths"])
def _combine(p_sums, p_parts, p_y, p_lengths, p_out, row, GATED: tl.constexpr, H: tl.constexpr,
             D: tl.constexpr, SPLITS: tl.constexpr, BLOCK_S: tl.constexpr, BLOCK_D: tl.constexpr,
             OVERLAP: tl.constexpr):  # fmt: skip
    i_d, i_h, i_b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    o_p, o_d = tl.arange(0, SPLITS), i_d * BLOCK_D + tl.arange(0, BLOCK_D)
    in_d = o_d < D
    seen = tl.load(p_lengths + i_b) + 1
    used = o_p * tl.cdiv(tl.cdiv(seen, SPLITS), BLOCK_S) * BLOCK_S < seen
    begin(OVERLAP)
    o_part = (i_b * H + i_h) * SPLITS + o_p
    b_max = tl.load(p_sums + 2 * o_part, used, -float("inf"))
    b_weight = tl.exp(b_max - tl.max(b_max))
    b_sum = tl.sum(b_weight * tl.load(p_sums + 2 * o_part + 1, used, 0.0))
    b_part = tl.load(p_parts + o_part[:, None] * D + o_d[None, :], used[:, None] & in_d[None, :], 0.0)
    b_o = tl.sum(b_part * b_weight[:, None], 0) / b_sum
    if GATED:
        b_gate = tl.load(p_y + i_b * row + i_h * 2 * D + D + o_d, in_d, 0.0).to(tl.float32)
        b_o = b_o * tl.sigmoid(b_gate)
    tl.store(p_out + (i_b * H + i_h) * D + o_d, b_o.to(p_out.dtype.element_ty), in_d)


def attention_step(
    qkv: Tensor, heads: int, q_norm: Norm, k_norm: Norm, cos: Tensor, sin: Tensor, positions: Tensor,
    lengths: Tensor, keys: Tensor, values: Tensor,
) -> Tensor:  # fmt: skip
    """See `step_reference.attention_step`."""
    batch, groups, slots, dim = keys.shape
    gated, last = qkv.shape[1] > (heads + 2 * groups) * dim, options(qkv)
    splits = min(max(padded(PROGRAMS // (batch * groups)), 1), MAX_SPLITS)
    q, out = qkv.new_empty(batch, heads, dim), qkv.new_empty(batch, heads * dim)
    sums, parts = (torch.empty(batch, heads, splits, n, device=qkv.device) for n in (2, dim))
    block = max(padded(dim), 16)  # 16: the least that a matrix unit takes
    queries = max(padded(heads // groups), 16)
    sizes, shared = {"H": heads, "D": dim}, {"G": groups}
    turn = {"OFFSET": q_norm.offset != 0, "GATED": gated, "R": 2 * cos.shape[1], "BLOCK_D": block}
    _prepare[(heads + 2 * groups, batch)](
        qkv, q_norm.weight, k_norm.weight, cos, sin, positions, lengths, q, keys, values, slots, q_norm.eps,
        **sizes, **shared, **turn, **last,
    )  # fmt: skip
    exact = INTERPRETED or qkv.dtype is torch.float32
    blocks = {"SPLITS": splits, "BLOCK_Q": queries, "BLOCK_S": KEYS, "BLOCK_D": block, "EXACT": exact}
    _split[(splits, groups, batch)](
        q, keys, values, lengths, sums, parts, slots, dim**-0.5,
        **sizes, **shared, **blocks, **last,
    )  # fmt: skip
    columns = min(block, 64)
    blocks = {"GATED": gated, "SPLITS": splits, "BLOCK_S": KEYS, "BLOCK_D": columns}
    _combine[(triton.cdiv(dim, columns), heads, batch)](
        sums, parts, qkv, lengths, out, qkv.shape[1], **sizes, **blocks, **last
    )
    return out
