"""Weight-only quantisation: matrices as integers in groups along their input, widened when they are used.

w = code * scale + low per group of at most 128 inputs, scale and low in fp32: int8 takes 8.5 bits per weight,
int4 4.5. Quantised is what the official FP8 checkpoints quantise: projections, MLPs and experts. The router,
norms, embeddings, head, decay and gate projections and the vision encoder stay as they are.

Shapes: R rows (outputs), C columns (inputs), G groups of a row, E experts.
"""

import math
from types import EllipsisType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .moe import Experts
from .vlm import VisionLanguageModel

Kind = Literal["int8", "int4"]
BITS = {"int8": 8, "int4": 4}
GROUP, SMALLEST_GROUP = 128, 16  # a group divides C; a matrix with no such group stays as it is
PROJECTIONS = {
    *("q_proj", "k_proj", "v_proj", "o_proj", "in_proj_qkv", "in_proj_z", "out_proj"),
    *("gate_proj", "up_proj", "down_proj", "gate_up_proj"),
}


class QuantisedWeight(nn.Module):
    """A matrix [R, C] or a stack of them [E, R, C]; indexing widens what is asked for to `dtype`."""

    codes: Tensor  # uint8 [..., R, C], or [..., R, C / 2]: the row's first half in the low nibbles
    scale: Tensor  # [..., R, G]
    low: Tensor  # [..., R, G]

    def __init__(self, shape: torch.Size, bits: int, dtype: torch.dtype):
        super().__init__()
        self.shape, self.bits, self.dtype = shape, bits, dtype
        *rows, columns = shape
        groups = torch.empty(*rows, columns // group_size(columns))
        self.register_buffer("codes", torch.empty(*rows, columns * bits // 8, dtype=torch.uint8))
        self.register_buffer("scale", groups)
        self.register_buffer("low", torch.empty_like(groups))

    def __getitem__(self, index: int | EllipsisType) -> Tensor:
        codes, scale, low = self.codes[index], self.scale[index], self.low[index]
        if self.bits == 4:
            codes = torch.cat((codes & 15, codes >> 4), dim=-1)
        grouped = codes.unflatten(-1, (scale.shape[-1], -1)).to(scale.dtype)
        return torch.addcmul(low[..., None], grouped, scale[..., None]).flatten(-2).to(self.dtype)

    def store(self, weight: Tensor, index: tuple[int | slice, ...] = ()) -> None:
        """Quantise `weight` into the part of this one at `index`: an expert, some rows, or all of it."""
        codes, scale, low = self.codes[index], self.scale[index], self.low[index]
        if weight.dim() == 3:  # one expert at a time: a wide copy of all would not fit
            for expert, matrix in enumerate(weight):
                self.store(matrix, (expert,))
            return
        grouped = weight.to(codes.device, torch.float32).unflatten(-1, (scale.shape[-1], -1))
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


class QuantisedLinear(nn.Module):
    def __init__(self, weight: QuantisedWeight):
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight[...])


def group_size(columns: int) -> int:
    return math.gcd(columns, GROUP)


def make_quantised(model: VisionLanguageModel, kind: Kind, dtype: torch.dtype) -> None:
    """Replace the matrices that `kind` covers by empty quantised ones, which widen to `dtype`."""
    decoders = [part for part in (model.language_model, model.mtp) if part is not None]
    modules = [module for decoder in decoders for module in decoder.modules()]
    for module in modules:
        for name in PROJECTIONS & set(dir(module)):
            old = getattr(module, name)
            matrix = old.weight if isinstance(old, nn.Linear) else old
            if group_size(matrix.shape[-1]) < SMALLEST_GROUP:
                continue
            new = QuantisedWeight(matrix.shape, BITS[kind], dtype)
            delattr(module, name)
            setattr(module, name, new if isinstance(module, Experts) else QuantisedLinear(new))
