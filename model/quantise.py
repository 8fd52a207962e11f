"""Weight-only quantisation: matrices in 8 or 4 bits, widened when they are used.

int8, int4: w = code * scale + low per group of at most 128 inputs, scale and low in fp16: 8.25 and 4.25 bits
a weight. fp8: e4m3 * scale per block of 128 x 128, as in the official FP8 checkpoints, whose values are kept.
Quantised is what they quantise: projections, MLPs and experts; with integers embedding and head as well, to
8 bits. The router, norms, decay and gate projections and the vision encoder stay as they are.

Shapes: R rows (outputs), C columns (inputs), G groups of a row, E experts.
"""

import torch
from torch import Tensor, nn

from . import kernels
from .kernels import packed
from .kernels.packed import Index, Kind, Packed
from .moe import Experts
from .vlm import VisionLanguageModel

SMALLEST_GROUP = 16  # an integer matrix with no such group stays as it is
PROJECTIONS = {
    *("q_proj", "k_proj", "v_proj", "o_proj", "in_proj_qkv", "in_proj_z", "out_proj"),
    *("gate_proj", "up_proj", "down_proj", "gate_up_proj"),
}
VOCABULARY = {"embed_tokens", "lm_head"}


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

    def __getitem__(self, index: Index) -> Tensor:
        return self.packed[index].widened(self.dtype)

    def store(self, weight: Tensor, index: Index = ()) -> bool:
        """Quantise `weight` into the part at `index`: an expert, some rows, all. False if not finite."""
        return packed.put(weight, self.packed[index])

    def keep(self, codes: Tensor, scale_inv: Tensor, rows: int, index: Index = ()) -> bool:
        """Take e4m3 as it is, with scales for blocks of so many rows. False if not finite."""
        part, scale = self.packed[index], packed.cut_blocks(scale_inv, rows // self.block[0])
        part.codes.copy_(codes)
        part.scale.copy_(scale[..., : codes.shape[-2] // self.block[0], :])
        return packed.is_finite(part)


class QuantisedLinear(nn.Module):
    def __init__(self, weight: QuantisedWeight):
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return kernels.project(x, self.weight)[0]


class QuantisedEmbedding(QuantisedLinear):
    def forward(self, ids: Tensor) -> Tensor:
        return self.weight[ids]


def make_quantised(
    model: VisionLanguageModel, kind: Kind, dtype: torch.dtype, block: tuple[int, int] = (128, 128)
) -> None:
    """Replace the matrices that `kind` covers by empty quantised ones, which widen to `dtype`."""
    decoders = [part for part in (model.language_model, model.mtp) if part is not None]
    names = PROJECTIONS if kind == "fp8" else PROJECTIONS | VOCABULARY
    for module in [model, *(module for decoder in decoders for module in decoder.modules())]:
        for name in names & set(dir(module)):
            if (old := getattr(module, name)) is None:  # the head, where the embedding is one
                continue
            matrix = old if isinstance(module, Experts) else old.weight
            if kind != "fp8" and packed.group_size(matrix.shape[-1]) < SMALLEST_GROUP:
                continue
            its_kind, parts = "int8" if name in VOCABULARY else kind, 2 if name == "gate_up_proj" else 1
            new = QuantisedWeight(matrix.shape, its_kind, dtype, block, parts)
            wrap = QuantisedEmbedding if name == "embed_tokens" else QuantisedLinear
            delattr(module, name)
            setattr(module, name, new if isinstance(module, Experts) else wrap(new))
