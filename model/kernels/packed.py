"""Matrices in 4 or 8 bits: how numbers become codes and codes numbers. Knows tensors; knows no module.

Shapes: N rows (outputs), D columns (inputs), G groups of columns that share a scale.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Kind = Literal["int8", "int4", "fp8"]
FP8, LARGEST, GROUP = torch.float8_e4m3fn, 448.0, 128
# Numbers at once, so that nothing large is ever wide: when codes are made; when they are used, on a CPU as
# many as its cache holds, elsewhere in few launches.
NARROWED, WIDENED_IN_CACHE, WIDENED = 2**20, 2**19, 2**24

Index = int | slice | EllipsisType | Tensor | tuple[int | slice, ...]


@dataclass(frozen=True)
class Packed:
    """[..., N, D]: code * scale (+ low), where blocks of rows and columns share scale and low."""

    codes: Tensor  # [..., N, D] e4m3 or uint8; of 4 bits [..., N, D / 2], a row's first half in the low ones
    scale: Tensor  # [..., N / rows, G] fp32 with e4m3, fp16 with integers
    low: Tensor | None  # likewise, with integers, whose blocks are one row; e4m3 has a sign of its own
    block: tuple[int, int]  # rows, which divide N, and columns
    planes: int  # codes in a byte: 1 or 2
    tail: Tensor | None = None  # [n, D]: further rows, not packed

    def __getitem__(self, index: Index) -> "Packed":
        """One matrix of a stack, rows of a matrix or both. A slice is one of rows, whole blocks of them."""
        parts, rows = index if isinstance(index, tuple) else (index,), self.block[0]
        blocks = tuple(
            slice((i.start or 0) // rows, i.stop // rows) if isinstance(i, slice) else i for i in parts
        )
        low = None if self.low is None else self.low[blocks]
        return replace(self, codes=self.codes[index], scale=self.scale[blocks], low=low)

    def bands(self, numbers: int) -> Iterator[slice]:
        """Of the rows of a matrix, each of about so many numbers."""
        rows, (count, width) = self.block[0], self.codes.shape
        step = max(numbers // (rows * width * self.planes), 1) * rows
        return (slice(start, min(start + step, count)) for start in range(0, count, step))

    def widened(self, dtype: torch.dtype) -> Tensor:
        """[..., N (+ n), D]."""
        wide = (_wide_fp8(self) if self.low is None else _wide_integers(self, self.low)).to(dtype)
        return wide if self.tail is None else torch.cat((wide, self.tail.to(dtype)))


Weight = Tensor | Packed


def widened(weight: Weight, dtype: torch.dtype) -> Tensor:
    return weight.widened(dtype) if isinstance(weight, Packed) else weight


def empty(shape: torch.Size, kind: Kind, block: tuple[int, int], parts: int) -> Packed:
    """Without values, for a matrix [N, D] or a stack. Integers have groups of their own, fp8 has blocks.

    Where N is no multiple of the block's rows, blocks are cut to a divisor of both; `parts` of N lie behind
    each other, each of which begins with a block.
    """
    *stack, rows, columns = shape
    if kind == "fp8":
        cut = math.gcd(rows // parts, block[0])
        scale = torch.empty(*stack, rows // cut, math.ceil(columns / block[1]))
        return Packed(torch.empty(shape, dtype=FP8), scale, None, (cut, block[1]), 1)
    group, planes = group_size(columns), 2 if kind == "int4" else 1
    scale = torch.empty(*stack, rows, columns // group, dtype=torch.float16)
    codes = torch.empty(*stack, rows, columns // planes, dtype=torch.uint8)
    return Packed(codes, scale, torch.empty_like(scale), (1, group), planes)


def group_size(columns: int) -> int:
    """Of integers: a group divides D."""
    return math.gcd(columns, GROUP)


def put(weight: Tensor, place: Packed) -> bool:
    """Quantise weight [..., N, D] into `place`. False if not all of it is finite there."""
    if weight.dim() == 3:
        return all(put(matrix, place[i]) for i, matrix in enumerate(weight))
    finite = True
    for rows in place.bands(NARROWED):
        part, wide = place[rows], weight[rows].to(place.codes.device).float()
        codes, scale, low = to_fp8(wide, part) if part.low is None else to_integers(wide, part)
        part.codes.copy_(codes)
        part.scale.copy_(scale)
        if part.low is not None and low is not None:
            part.low.copy_(low)
        finite &= is_finite(part)
    return finite


def to_integers(weight: Tensor, like: Packed) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, scale and low of weight [N, D] in fp32: from the least to the largest of each group.

    Low is rounded down and scale up, so that the codes still reach both ends: no value is further from its
    own than half of `scale`. Groups that begin below the least fp16 get an infinite scale.
    """
    grouped = weight.unflatten(-1, (-1, like.block[1]))
    low, top = grouped.aminmax(dim=-1)
    steps, low = 2 ** (8 // like.planes) - 1, -_fp16_above(-low)
    scale = _fp16_above((top - low) / steps)
    ratio = (grouped - low[..., None]).div_(scale.float().clamp_min(1e-30)[..., None])
    codes = ratio.round_().clamp_(0, steps).to(torch.uint8).flatten(-2)
    if like.planes == 2:
        first, second = codes.chunk(2, dim=-1)
        codes = first | second << 4
    return codes, scale, low


def to_fp8(weight: Tensor, like: Packed) -> tuple[Tensor, Tensor, None]:
    """Codes and scale of weight [N, D] in fp32: the largest of each block becomes the largest of e4m3."""
    (rows, columns), dim = like.block, weight.shape[-1]
    tiles = F.pad(weight, (0, -dim % columns)).unflatten(-1, (-1, columns)).unflatten(0, (-1, rows))
    scale = tiles.abs().amax((-3, -1)) / LARGEST
    ratio = tiles / scale.clamp_min(1e-30)[:, None, :, None]
    return ratio.flatten(0, 1).flatten(-2)[:, :dim].to(FP8), scale, None


def linear(x: Tensor, weight: Packed) -> Tensor:
    """weight [N, D] times x [..., D] -> [..., N]; a band of rows is widened at a time."""
    bands = weight.bands(WIDENED_IN_CACHE if x.is_cpu else WIDENED)
    parts = [F.linear(x, weight[rows].widened(x.dtype)) for rows in bands]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def cut_blocks(scale: Tensor, times: int) -> Tensor:
    """Scales of blocks that have so many times fewer rows."""
    return scale.float().repeat_interleave(times, -2)


def dequantise(weight: Tensor, scale_inv: Tensor, block: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """weight [..., N, D] e4m3 times scale_inv [..., N / block, D / block] rounded up, computed in fp32.

    A band of block rows at a time: a wide copy of the whole weight would not fit.
    """
    rows, columns = block
    scale = scale_inv.float().repeat_interleave(columns, dim=-1)[..., : weight.shape[-1]]
    wide = torch.empty_like(weight, dtype=dtype)
    for i, band in enumerate(weight.split(rows, dim=-2)):
        wide[..., i * rows : (i + 1) * rows, :] = band.float() * scale[..., i : i + 1, :]
    return wide


def is_finite(tensor: Tensor | Packed) -> bool:
    """Of e4m3, which has no infinity, whether nothing is NaN; codes of integers always are."""
    if isinstance(tensor, Packed):
        return is_finite(tensor.scale) and is_finite(tensor.codes)
    if tensor.dtype is torch.uint8:
        return True
    if tensor.dtype is FP8:
        return not (tensor.view(torch.uint8) & 127 == 127).any()
    return bool(torch.isfinite(torch.stack(tensor.aminmax())).all())


def _fp16_above(x: Tensor) -> Tensor:
    """The least numbers of fp16 that are not below x: its bits count the distance from zero."""
    near = x.half()
    away = torch.where(x < 0, -1, 1) * (near < x)
    return (near.view(torch.int16) + away).to(torch.int16).view(torch.float16)


def _wide_integers(w: Packed, low: Tensor) -> Tensor:
    codes = torch.cat((w.codes & 15, w.codes >> 4), dim=-1) if w.planes == 2 else w.codes
    grouped = codes.unflatten(-1, (-1, w.block[1])).float()
    return torch.addcmul(low.float()[..., None], grouped, w.scale.float()[..., None]).flatten(-2)


def _wide_fp8(w: Packed) -> Tensor:
    rows, columns = w.block
    scale = w.scale.repeat_interleave(columns, -1)[..., : w.codes.shape[-1]]
    grouped = w.codes.unflatten(-2, (-1, rows)).float()
    return (grouped * scale[..., None, :]).flatten(-3, -2)
