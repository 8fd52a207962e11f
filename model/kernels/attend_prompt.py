"""Triton: attention of many tokens in tiles, and parts of an attention joined by their log-sum-exps.

Rows of a tile are the query heads that share a key head, token after token: the corner of the mask then cuts
few tiles, and a key is read once for all of them. Same meaning as `reference.causal_attention`. Shapes: B
batch, H query heads, G key and value heads, T new tokens, S all tokens, D head dim, N parts.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton import knobs
from triton.tools.tensor_descriptor import TensorDescriptor

INTERPRETED = knobs.runtime.interpret  # which has no bf16 product
LOG2_E = 1.4426950408889634
WIDE = 8  # parts that are joined at once
MAX_SPLITS = 15  # stretches of keys: two joins
PROGRAM = 256  # keys that starting, ending and joining one more program take as long as
SHARED = 226 * 1024  # bytes that a program must be allowed to hold: those of an H100 or H200
JOINED = 256 if INTERPRETED else 8  # rows of one program that joins


class Tiles(NamedTuple):
    """Rows and keys of a tile."""

    rows: int = 128
    keys: int = 64
    warps: int = 8
    stages: int = 2


EXACT_TILES = Tiles(64 if INTERPRETED else 16, 32, 4, 1)  # of fp32, for tests


@triton.jit
def _scores(d_k, b_q, i_b, i_g, start, D: tl.constexpr, KEYS: tl.constexpr, EXACT: tl.constexpr):
    b_k = d_k.load([i_b, i_g, start, 0]).reshape(KEYS, D)
    if EXACT:
        b_k = b_k.to(tl.float32)
    return tl.dot(b_q, tl.trans(b_k), input_precision="ieee")


@triton.jit
def _masked(b_score, o_seen, start, last, KEYS: tl.constexpr):
    o_key = start + tl.arange(0, KEYS)
    return tl.where((o_key[None, :] <= o_seen[:, None]) & (o_key < last)[None, :], b_score, -float("inf"))


@triton.jit
def _soften(b_score, b_max, b_sum, scale):
    """The online softmax of some keys; `scale` makes powers of two of the scores. A row that has seen no key
    has a finite maximum, so that nothing becomes inf - inf."""
    b_new = tl.maximum(b_max, tl.max(b_score, 1) * scale)
    b_p = tl.exp2(b_score * scale - b_new[:, None])
    shrink = tl.exp2(b_max - b_new)
    return b_p, shrink, b_new, b_sum * shrink + tl.sum(b_p, 1)


@triton.jit
def _add(d_v, b_p, b_acc, i_b, i_g, start, D: tl.constexpr, KEYS: tl.constexpr, EXACT: tl.constexpr):
    b_v = d_v.load([i_b, i_g, start, 0]).reshape(KEYS, D)
    if EXACT:
        b_v = b_v.to(tl.float32)
    return tl.dot(b_p.to(b_v.dtype), b_v, b_acc, input_precision="ieee")


@triton.jit(do_not_specialize=["T", "S", "splits", "tiles"])
def _attend(p_q, d_k, d_v, p_out, p_lse, T, S, splits, tiles, scale, s_b, s_h, s_t, H: tl.constexpr,
            G: tl.constexpr, D: tl.constexpr, B: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
            EXACT: tl.constexpr):  # fmt: skip
    """Longest tiles first; programs that run at the same time read the same stretch of the keys.
    out [N, B, T, H, D]; lse [N, B, T, H], which is -inf where a stretch holds no key of a row."""
    SHARE: tl.constexpr = H // G
    i_part = tl.program_id(0)
    i_group, i_part = i_part % (B * G), i_part // (B * G)
    i_tile, i_split = tiles - 1 - i_part % tiles, i_part // tiles
    i_b, i_g = i_group // G, i_group % G
    o_row, o_d = i_tile * ROWS + tl.arange(0, ROWS), tl.arange(0, D)
    o_t, o_h = o_row // SHARE, i_g * SHARE + o_row % SHARE
    inside = o_t < T
    o_q = i_b.to(tl.int64) * s_b + o_t.to(tl.int64) * s_t + o_h.to(tl.int64) * s_h
    b_q = tl.load(p_q + o_q[:, None] + o_d[None, :], inside[:, None], 0.0)
    if EXACT:
        b_q = b_q.to(tl.float32)
    b_max = tl.full([ROWS], -1e30, tl.float32)
    b_sum = tl.zeros([ROWS], tl.float32)
    b_acc = tl.zeros([ROWS, D], tl.float32)

    before = S - T
    o_seen = before + o_t
    free = before + i_tile * ROWS // SHARE + 1  # keys that every row sees
    seen = tl.minimum(before + (i_tile * ROWS + ROWS - 1) // SHARE + 1, S)  # keys that any row sees
    stretch = tl.cdiv(tl.cdiv(seen, splits), KEYS) * KEYS
    first = i_split * stretch
    last = tl.minimum(first + stretch, seen)
    corner = tl.maximum(tl.minimum(last, free) // KEYS * KEYS, first)
    for start in range(first, corner, KEYS):
        b_score = _scores(d_k, b_q, i_b, i_g, start, D, KEYS, EXACT)
        b_p, shrink, b_max, b_sum = _soften(b_score, b_max, b_sum, scale)
        b_acc = _add(d_v, b_p, b_acc * shrink[:, None], i_b, i_g, start, D, KEYS, EXACT)
    for start in range(corner, last, KEYS):
        b_score = _scores(d_k, b_q, i_b, i_g, start, D, KEYS, EXACT)
        b_score = _masked(b_score, o_seen, start, last, KEYS)
        b_p, shrink, b_max, b_sum = _soften(b_score, b_max, b_sum, scale)
        b_acc = _add(d_v, b_p, b_acc * shrink[:, None], i_b, i_g, start, D, KEYS, EXACT)

    o_out = ((i_split * B + i_b).to(tl.int64) * T + o_t) * H + o_h
    b_total = tl.where(b_sum > 0, b_sum, 1.0)
    b_acc = b_acc / b_total[:, None]
    tl.store(p_out + o_out[:, None] * D + o_d[None, :], b_acc.to(p_out.dtype.element_ty), inside[:, None])
    LN_2: tl.constexpr = 0.6931471805599453  # type: ignore[assignment]
    b_lse = tl.where(b_sum > 0, (b_max + tl.log2(b_total)) * LN_2, -float("inf"))
    tl.store(p_lse + o_out, b_lse, inside)


@triton.jit(do_not_specialize=["rows", "T", "count"])
def _join(parts, sums, steps, sum_steps, p_out, p_lse, rows, T, count, H: tl.constexpr, D: tl.constexpr,
          ROWS: tl.constexpr, WIDE: tl.constexpr):  # fmt: skip
    """One program has some rows of [B, T, H]. Beyond `count` the tuples repeat: one kernel fits all."""
    LOG2_E: tl.constexpr = 1.4426950408889634  # type: ignore[assignment]
    o_row, o_d = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS), tl.arange(0, D)
    inside = o_row < rows
    o_b, o_t, o_h = o_row // (T * H), o_row // H % T, o_row % H
    b_max = tl.full([ROWS], -float("inf"), tl.float32)
    for i in tl.static_range(WIDE):  # type: ignore[misc]
        o_sum = o_b * sum_steps[i][0] + o_h * sum_steps[i][1] + o_t * sum_steps[i][2]
        b_max = tl.maximum(b_max, tl.load(sums[i] + o_sum, inside & (i < count), -float("inf")))
    b_max = tl.where(inside, b_max, 0.0)
    b_sum = tl.zeros([ROWS], tl.float32)
    b_acc = tl.zeros([ROWS, D], tl.float32)
    for i in tl.static_range(WIDE):  # type: ignore[misc]
        o_sum = o_b * sum_steps[i][0] + o_h * sum_steps[i][1] + o_t * sum_steps[i][2]
        b_lse = tl.load(sums[i] + o_sum, inside & (i < count), -float("inf"))
        b_share = tl.exp2((b_lse - b_max) * LOG2_E)
        taken = inside & (b_share > 0)  # a part without keys may hold anything
        o_part = o_b * steps[i][0] + o_h * steps[i][1] + o_t * steps[i][2]
        b_part = tl.load(parts[i] + o_part[:, None] + o_d[None, :], taken[:, None], 0.0).to(tl.float32)
        b_acc += b_part * b_share[:, None]
        b_sum += b_share
    b_sum = tl.where(inside, b_sum, 1.0)
    b_out = b_acc / b_sum[:, None]
    tl.store(p_out + o_row[:, None] * D + o_d[None, :], b_out.to(p_out.dtype.element_ty), inside[:, None])
    tl.store(p_lse + o_row, b_max + tl.log2(b_sum) / LOG2_E, inside)


def fits(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether `attend` takes these on a GPU, whatever the lengths."""
    return (
        q.dtype in (torch.bfloat16, torch.float16)
        and q.shape[3] in (64, 128, 256)
        and 1 < q.shape[2] <= k.shape[2]
        and all(x.stride(3) == 1 and x.dtype is q.dtype for x in (q, k, v))
        and has_room(q.device)
    )


def attend(q: Tensor, k: Tensor, v: Tensor, tiles: Tiles | None = None, splits: int | None = None) -> Tensor:
    """See `reference.causal_attention`; D is 64, 128 or 256, and not all new tokens need be queries."""
    batch, heads, new, dim = q.shape
    groups, seen = k.shape[1:3]
    assert dim in (64, 128, 256)
    assert heads % groups == 0
    assert new <= seen
    assert q.stride(3) == k.stride(3) == v.stride(3) == 1
    tiles = tiles or tiles_of(q)
    blocks = cdiv(new * (heads // groups), tiles.rows)
    programs = blocks * batch * groups
    splits = splits or splits_of(programs, seen, multiprocessors(q.device))
    parts = q.new_empty(splits, batch, new, heads, dim)
    sums = q.new_empty(splits, batch, new, heads, dtype=torch.float32)
    d_k, d_v = (TensorDescriptor(x, list(x.shape), list(x.stride()), [1, 1, tiles.keys, dim]) for x in (k, v))
    sizes: dict[str, Any] = {"H": heads, "G": groups, "D": dim, "B": batch, "ROWS": tiles.rows}
    sizes |= {"KEYS": tiles.keys, "EXACT": INTERPRETED or q.dtype is torch.float32}
    sizes |= {"num_warps": tiles.warps, "num_stages": tiles.stages}
    s_b, s_h, s_t, _ = q.stride()
    _attend[(programs * splits,)](
        q, d_k, d_v, parts, sums, new, seen, splits, blocks, dim**-0.5 * LOG2_E, s_b, s_h, s_t, **sizes
    )
    return join([x.transpose(1, 2) for x in parts], [x.transpose(1, 2) for x in sums])


def join(parts: Sequence[Tensor], sums: Sequence[Tensor]) -> Tensor:
    """What all keys give: parts [B, H, T, D] of disjoint keys, and their log-sum-exps [B, H, T] in fp32."""
    while len(parts) > 1:
        out, total = _join_some(parts[:WIDE], sums[:WIDE])
        parts, sums = [out, *parts[WIDE:]], [total, *sums[WIDE:]]
    return parts[0]


def _join_some(parts: Sequence[Tensor], sums: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    batch, heads, new, dim = parts[0].shape
    assert all(x.shape == parts[0].shape and x.stride(3) == 1 for x in parts)
    assert all(x.shape == (batch, heads, new) and x.dtype is torch.float32 for x in sums)
    out = parts[0].new_empty(batch, new, heads, dim)
    total = sums[0].new_empty(batch, new, heads)
    count, rows = len(parts), batch * new * heads
    parts, sums = ([*x, *[x[0]] * (WIDE - count)] for x in (parts, sums))
    steps, sum_steps = (tuple(x.stride()[:3] for x in each) for each in (parts, sums))
    sizes: dict[str, Any] = {"H": heads, "D": dim, "ROWS": JOINED, "WIDE": WIDE}
    _join[(cdiv(rows, JOINED),)](
        tuple(parts), tuple(sums), steps, sum_steps, out, total, rows, new, count, **sizes
    )
    return out.transpose(1, 2), total.transpose(1, 2)


def cdiv(size: int, block: int) -> int:
    return -(-size // block)


def tiles_of(q: Tensor) -> Tiles:
    if q.dtype is torch.float32:
        return EXACT_TILES
    return Tiles(stages=2 if q.shape[3] == 256 else 3)


def splits_of(programs: int, keys: int, places: int) -> int:
    """Into how many stretches of keys to cut, so that the last round of programs is nearly full."""

    def cost(splits: int) -> int:
        return cdiv(programs * splits, places) * (keys // splits + PROGRAM)

    most = min(MAX_SPLITS, max(keys // (2 * PROGRAM), 1))
    return min(range(1, most + 1), key=cost)


@cache
def has_room(device: torch.device) -> bool:
    """Whether a card's multiprocessors hold a tile."""
    return torch.cuda.get_device_properties(device).shared_memory_per_block_optin >= SHARED


@cache
def multiprocessors(device: torch.device) -> int:
    """Of an H100 or H200 where there is none."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 132
