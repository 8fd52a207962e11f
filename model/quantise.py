"""Weight-only quantisation: matrices in 8 or 4 bits, widened when they are used.

int8, int4: w = code * scale + low per group of at most 128 inputs, scale and low in fp32: 8.5 and 4.5 bits a
weight. fp8: e4m3 * scale per block of 128 x 128, as in the official FP8 checkpoints, whose values are kept.
Quantised is what they quantise: projections, MLPs and experts. The router, norms, embeddings, head, decay and
gate projections and the vision encoder stay as they are.

Shapes: R rows (outputs), C columns (inputs), G groups of a row, E experts.
"""

import math
from types import EllipsisType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .kernels import Packed
from .moe import Experts
from .vlm import VisionLanguageModel

Kind = Literal["int8", "int4", "fp8"]
BITS = {"int8": 8, "int4": 4}
FP8, LARGEST = torch.float8_e4m3fn, 448.0
Index = tuple[int | slice, ...]
GROUP, SMALLEST_GROUP = 128, 16  # a group divides C; a matrix with no such group stays as it is
PROJECTIONS = {
    *("q_proj", "k_proj", "v_proj", "o_proj", "in_proj_qkv", "in_proj_z", "out_proj"),
    *("gate_proj", "up_proj", "down_proj", "gate_up_proj"),
}


class QuantisedWeight(nn.Module):
    """A matrix [R, C] or a stack of them [E, R, C]; indexing widens what is asked for to `dtype`."""

    codes: Tensor  # [..., R, C], or [..., R, C / 2]: the row's first half in the low nibbles
    scale: Tensor  # [..., R / rows, G]
    low: Tensor | None  # as scale

    def __init__(self, shape: torch.Size, dtype: torch.dtype, **buffers: Tensor | None):
        super().__init__()
        self.shape, self.dtype = shape, dtype
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)

    def __getitem__(self, index: int | EllipsisType) -> Tensor:
        raise NotImplementedError

    @property
    def packed(self) -> Packed:
        """The same memory, as kernels take it."""
        raise NotImplementedError

    def store(self, weight: Tensor, index: Index = ()) -> bool:
        """Quantise `weight` into the part at `index`: an expert, some rows, all. False if not finite."""
        if weight.dim() == 3:  # one expert at a time: a wide copy of all would not fit
            finite = [self.store(matrix, (expert,)) for expert, matrix in enumerate(weight)]
            return all(finite)
        return self._store(weight.to(self.codes.device, torch.float32), index)

    def _store(self, weight: Tensor, index: Index) -> bool:
        raise NotImplementedError


class IntegerWeight(QuantisedWeight):
    """code * scale + low for each group of a row."""

    def __init__(self, shape: torch.Size, bits: int, dtype: torch.dtype):
        *rows, columns = shape
        groups = torch.empty(*rows, columns // group_size(columns))
        codes = torch.empty(*rows, columns * bits // 8, dtype=torch.uint8)
        super().__init__(shape, dtype, codes=codes, scale=groups, low=torch.empty_like(groups))
        self.bits = bits

    def __getitem__(self, index: int | EllipsisType) -> Tensor:
        assert self.low is not None
        codes, scale, low = self.codes[index], self.scale[index], self.low[index]
        if self.bits == 4:
            codes = torch.cat((codes & 15, codes >> 4), dim=-1)
        grouped = codes.unflatten(-1, (scale.shape[-1], -1)).to(scale.dtype)
        return torch.addcmul(low[..., None], grouped, scale[..., None]).flatten(-2).to(self.dtype)

    @property
    def packed(self) -> Packed:
        return Packed(self.codes, self.scale, self.low, (1, group_size(self.shape[-1])), 8 // self.bits)

    def _store(self, weight: Tensor, index: Index) -> bool:
        assert self.low is not None
        codes, scale, low = self.codes[index], self.scale[index], self.low[index]
        grouped = weight.unflatten(-1, (scale.shape[-1], -1))
        bottom, top = grouped.aminmax(dim=-1)
        steps = 2**self.bits - 1
        low.copy_(bottom)
        scale.copy_((top - bottom) / steps)
        ratio = (grouped - bottom[..., None]) / scale.clamp_min(1e-30)[..., None]
        exact = ratio.round().clamp_(0, steps).to(torch.uint8).flatten(-2)
        if self.bits == 4:
            first, second = exact.chunk(2, dim=-1)
            exact = first | second << 4
        codes.copy_(exact)
        return is_finite(scale)


class FP8Weight(QuantisedWeight):
    """e4m3 * scale for each block. Where R is no multiple of the block's rows, blocks are cut to a divisor of
    both; `parts` of R lie behind each other, each of which begins with a block (gate, up)."""

    def __init__(self, shape: torch.Size, dtype: torch.dtype, block: tuple[int, int], parts: int = 1):
        *stack, rows, columns = shape
        self.block, self.official = (math.gcd(rows // parts, block[0]), block[1]), block
        blocks = *stack, rows // self.block[0], math.ceil(columns / block[1])
        super().__init__(
            shape, dtype, codes=torch.empty(shape, dtype=FP8), scale=torch.empty(blocks), low=None
        )

    def __getitem__(self, index: int | EllipsisType) -> Tensor:
        codes = self.codes[index]
        grouped = codes.unflatten(-2, (-1, self.block[0])).float()
        scale = self.scale[index].repeat_interleave(self.block[1], -1)[..., : codes.shape[-1]]
        return (grouped * scale[..., None, :]).flatten(-3, -2).to(self.dtype)

    @property
    def packed(self) -> Packed:
        return Packed(self.codes, self.scale, None, self.block, 1)

    def keep(self, codes: Tensor, scale_inv: Tensor, index: Index = ()) -> bool:
        """Take codes and scales of the official layout as they are."""
        part, scale = self.codes[index], self.scale[self._blocks(index)]
        part.copy_(codes)
        cut = scale_inv.to(scale.device).float().repeat_interleave(self.official[0] // self.block[0], -2)
        scale.copy_(cut[..., : scale.shape[-2], :])
        nan = (part.view(torch.uint8) & 127 == 127).any()  # e4m3 has no infinity
        return is_finite(scale) and not nan

    def _store(self, weight: Tensor, index: Index) -> bool:
        (rows, columns), scale = self.block, self.scale[self._blocks(index)]
        padded = F.pad(weight, (0, scale.shape[-1] * columns - weight.shape[-1]))
        tiles = padded.unflatten(-1, (-1, columns)).unflatten(0, (-1, rows))
        scale.copy_(tiles.abs().amax((-3, -1)) / LARGEST)
        ratio = tiles / scale.clamp_min(1e-30)[:, None, :, None]
        self.codes[index] = ratio.flatten(0, 1).flatten(-2)[:, : weight.shape[-1]].to(FP8)
        return is_finite(scale)

    def cut(self, rows: int) -> None:
        """Into smaller blocks, of so many rows."""
        self.scale = self.scale.repeat_interleave(self.block[0] // rows, -2)
        self.block = rows, self.block[1]

    def _blocks(self, index: Index) -> Index:
        rows = self.block[0]
        return tuple(
            slice((i.start or 0) // rows, i.stop // rows) if isinstance(i, slice) else i for i in index
        )


def is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(torch.stack(tensor.aminmax())).all())


class QuantisedLinear(nn.Module):
    def __init__(self, weight: QuantisedWeight):
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight[...])


def group_size(columns: int) -> int:
    return math.gcd(columns, GROUP)


def make_quantised(
    model: VisionLanguageModel, kind: Kind, dtype: torch.dtype, block: tuple[int, int] = (128, 128)
) -> None:
    """Replace the matrices that `kind` covers by empty quantised ones, which widen to `dtype`."""
    decoders = [part for part in (model.language_model, model.mtp) if part is not None]
    modules = [module for decoder in decoders for module in decoder.modules()]
    for module in modules:
        for name in PROJECTIONS & set(dir(module)):
            old = getattr(module, name)
            matrix = old.weight if isinstance(old, nn.Linear) else old
            if kind != "fp8" and group_size(matrix.shape[-1]) < SMALLEST_GROUP:
                continue
            if kind == "fp8":
                new = FP8Weight(matrix.shape, dtype, block, parts=2 if name == "gate_up_proj" else 1)
            else:
                new = IntegerWeight(matrix.shape, BITS[kind], dtype)
            delattr(module, name)
            setattr(module, name, new if isinstance(module, Experts) else QuantisedLinear(new))
