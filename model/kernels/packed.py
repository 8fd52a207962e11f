"""Matrices in 4 or 8 bits, as the kernels of a decode step take them. Knows tensors; knows no module.

Shapes: N rows (outputs), D columns (inputs), G groups of columns that share a scale.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packed:
    """[..., N, D]: code * scale (+ low), where blocks of rows and columns share scale and low."""

    codes: Tensor  # [..., N, D] e4m3 or uint8; of 4 bits [..., N, D / 2], a row's first half in the low ones
    scale: Tensor  # [..., N / rows, G] fp32
    low: Tensor | None  # likewise; e4m3 has a sign of its own
    block: tuple[int, int]  # rows, which divide N, and columns
    planes: int  # codes in a byte: 1 or 2
    tail: Tensor | None = None  # [n, D]: further rows, not packed

    def __getitem__(self, index: int) -> "Packed":
        """One matrix of a stack."""
        low = None if self.low is None else self.low[index]
        return replace(self, codes=self.codes[index], scale=self.scale[index], low=low)

    def widened(self, dtype: torch.dtype) -> Tensor:
        """[..., N (+ n), D]."""
        codes = torch.cat((self.codes & 15, self.codes >> 4), dim=-1) if self.planes == 2 else self.codes
        wide = codes.float() * self._spread(self.scale, codes)
        wide = wide if self.low is None else wide + self._spread(self.low, codes)
        return (wide if self.tail is None else torch.cat((wide, self.tail.float()))).to(dtype)

    def _spread(self, values: Tensor, codes: Tensor) -> Tensor:
        rows, columns = self.block
        return values.repeat_interleave(rows, -2).repeat_interleave(columns, -1)[..., : codes.shape[-1]]


Weight = Tensor | Packed


def widened(weight: Weight, dtype: torch.dtype) -> Tensor:
    return weight.widened(dtype) if isinstance(weight, Packed) else weight
