"""Weight-only quantisation: matrices in 8 or 4 bits, widened when they are used.

int8, int4: w = code * scale + low per group of at most 128 inputs, scale and low in fp32: 8.5 and 4.5 bits a
weight. fp8: e4m3 * scale per block of 128 x 128, as in the official FP8 checkpoints, whose values are kept.
Quantised is what they quantise: projections, MLPs and experts. The router, norms, embeddings, head, decay and
gate projections and the vision encoder stay as they are.

Shapes: R rows (outputs), C columns (inputs), G groups of a row, E experts.
"""

from types import EllipsisType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .kernels import packed
from .kernels.packed import Kind, Packed
from .moe import Experts
from .vlm import VisionLanguageModel

Index = tuple[int | slice, ...]
SMALLEST_GROUP = 16  # an integer matrix with no such group stays as it is
PROJECTIONS = {
    *("q_proj", "k_proj", "v_proj", "o_proj", "in_proj_qkv", "in_proj_z", "out_proj"),
    *("gate_proj", "up_proj", "down_proj", "gate_up_proj"),
}


class QuantisedWeight(nn.Module):
    """A matrix [R, C] or a stack of them [E, R, C]; indexing widens what is asked for to `dtype`.

    `block` is that of fp8, and so are `parts` of R with blocks of their own (gate, up).
    """

    codes: Tensor  # as in `Packed`
    scale: Tensor
    low: Tensor | None

    def __init__(self, shape: torch.Size, kind: Kind, dtype: torch.dtype, block=(128, 128), parts: int = 1):
        super().__init__()
        empty = packed.empty(shape, kind, block, parts)
        self.shape, self.dtype, self.block, self.planes = shape, dtype, empty.block, empty.planes
        for name in ("codes", "scale", "low"):
            self.register_buffer(name, getattr(empty, name))

    @property
    def packed(self) -> Packed:
        """The same memory, as kernels take it."""
        return Packed(self.codes, self.scale, self.low, self.block, self.planes)

    def __getitem__(self, index: int | EllipsisType) -> Tensor:
        return self.packed[index].widened(self.dtype)

    def store(self, weight: Tensor, index: Index = ()) -> bool:
        """Quantise `weight` into the part at `index`: an expert, some rows, all. False if not finite."""
        if weight.dim() == 3:  # one expert at a time: a wide copy of all would not fit
            finite = [self.store(matrix, (expert,)) for expert, matrix in enumerate(weight)]
            return all(finite)
        to_codes = packed.to_fp8 if self.low is None else packed.to_integers
        return self._put(index, *to_codes(weight.to(self.codes.device, torch.float32), self.packed))

    def keep(self, codes: Tensor, scale_inv: Tensor, rows: int, index: Index = ()) -> bool:
        """Take e4m3 as it is, with scales for blocks of so many rows. False if not finite."""
        scale = packed.cut_blocks(scale_inv, rows // self.block[0])
        return self._put(index, codes, scale[..., : codes.shape[-2] // self.block[0], :])

    def _put(self, index: Index, codes: Tensor, scale: Tensor, low: Tensor | None = None) -> bool:
        rows = self.block[0]
        blocks = [slice((i.start or 0) // rows, i.stop // rows) if isinstance(i, slice) else i for i in index]
        self.codes[index], self.scale[tuple(blocks)] = codes, scale
        if self.low is not None and low is not None:
            self.low[tuple(blocks)] = low
        return packed.is_finite(self.scale[tuple(blocks)]) and packed.is_finite(self.codes[index])


class QuantisedLinear(nn.Module):
    def __init__(self, weight: QuantisedWeight):
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight[...])


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
            if kind != "fp8" and packed.group_size(matrix.shape[-1]) < SMALLEST_GROUP:
                continue
            new = QuantisedWeight(matrix.shape, kind, dtype, block, parts=2 if name == "gate_up_proj" else 1)
            delattr(module, name)
            setattr(module, name, new if isinstance(module, Experts) else QuantisedLinear(new))
