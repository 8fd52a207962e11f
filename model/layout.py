"""How matrices lie in memory: for a CPU that multiplies them by one vector at a time, column by column; for a
GPU that does, those of the same vector behind each other.

Names, shapes and values stay; only strides and places change, so checkpoints and layers notice nothing.
"""

from dataclasses import replace
from itertools import pairwise
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn

from .kernels import Packed, Weight
from .kernels.packed import cut_blocks
from .moe import Experts
from .quantise import QuantisedWeight
from .vlm import VisionLanguageModel


def for_decoding(model: VisionLanguageModel) -> None:
    """Store the language model's matrices column-major: x W^T reads whole rows of W^T, 1.5 times as fast."""
    decoders = [part for part in (model.language_model, model.mtp) if part is not None]
    for module in (module for decoder in decoders for module in decoder.modules()):
        if isinstance(module, nn.Linear | Experts):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.mT.contiguous().mT


def joined(*modules: Any) -> Weight:
    """One matrix [all outs, D] of the rows of all `weight`s, which become views of it.

    Quantised ones come first; the others are the tail.
    """
    weights = [module.weight for module in modules]
    narrow = [weight for weight in weights if isinstance(weight, QuantisedWeight)]
    wide = weights[len(narrow) :]
    assert not any(isinstance(weight, QuantisedWeight) for weight in wide)
    if not narrow:
        return _stacked(wide)
    return _packed(narrow, _stacked(wide) if wide else None)


def packed(weight: Tensor | QuantisedWeight) -> Weight:
    """What kernels take, in the same memory."""
    return weight.packed if isinstance(weight, QuantisedWeight) else weight


def _packed(weights: list[QuantisedWeight], tail: Tensor | None) -> Packed:
    parts = [weight.packed for weight in weights]
    rows, columns = gcd(*(part.block[0] for part in parts)), parts[0].block[1]
    for weight, part in zip(weights, parts, strict=True):
        if part.block[0] != rows:
            weight.scale, weight.block = cut_blocks(weight.scale, part.block[0] // rows), (rows, columns)
    codes, scale = _stacked([w.codes for w in weights]), _stacked([w.scale for w in weights])
    low = None if parts[0].low is None else _stacked([w.low for w in weights if w.low is not None])
    return replace(parts[0], codes=codes, scale=scale, low=low, block=(rows, columns), tail=tail)


def _stacked(tensors: list[Tensor]) -> Tensor:
    """One tensor of all rows; the others become views of it."""
    rows, width = [len(tensor) for tensor in tensors], tensors[0].shape[1]
    if tensors[0].is_contiguous() and all(_follows(a, b) for a, b in pairwise(tensors)):
        return tensors[0].data.as_strided((sum(rows), width), (width, 1))
    whole = torch.cat([tensor.data for tensor in tensors])
    for tensor, part in zip(tensors, whole.split(rows), strict=True):
        tensor.data = part
    return whole


def _follows(a: Tensor, b: Tensor) -> bool:
    """Whether b begins where a ends, in the same piece of memory."""
    same = a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
    return same and a.is_contiguous() and b.is_contiguous() and a.data_ptr() + a.nbytes == b.data_ptr()
