"""Pictures by content: their names, and the visual tokens of those seen lately, within a byte budget.

Knows the picture processor and the vision encoder; knows nothing of prompts.
"""

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass

import torch

from ..errors import InputError
from ..vision.encoder import VisionFeatures
from ..vision.processor import Processor, Visual
from ..vision.still import name_of
from ..vision.video import Video
from .tower import TowerGraphs
from .vlm import VisionLanguageModel


@dataclass(frozen=True)
class Picture:
    """A picture or video of a prompt, named by its content; its grid is (time, height, width) in patches."""

    name: bytes
    visual: Visual
    grid: tuple[int, int, int]
    tokens: int

    @classmethod
    def of(cls, visual: Visual, processor: Processor) -> "Picture":
        grid = processor.grid(visual)
        return cls(_name(visual), visual, grid, math.prod(grid) // processor.images.merge_size**2)

    def key(self) -> int:
        """64 bits of the name, below zero, where no token id lies."""
        return -1 - (int.from_bytes(self.name[:8], "little") >> 1)


class PictureCache:
    """Visual tokens by the picture's name; a picture seen lately costs nothing."""

    def __init__(self, model: VisionLanguageModel, processor: Processor, budget_bytes: int):
        self.model, self.processor, self.budget_bytes = model, processor, budget_bytes
        self._encoder = TowerGraphs(model)
        self._features: OrderedDict[bytes, VisionFeatures] = OrderedDict()
        self._bytes = 0

    def __call__(self, picture: Picture) -> VisionFeatures:
        if picture.name in self._features:
            self._features.move_to_end(picture.name)
            return self._features[picture.name]
        if _name(picture.visual) != picture.name:
            raise InputError("a picture changed while its request waited: give the engine a copy of it")
        features = self._encode(picture.visual)
        self._features[picture.name] = features
        self._bytes += nbytes(features)
        while self._bytes > self.budget_bytes:
            self._bytes -= nbytes(self._features.popitem(last=False)[1])
        return features

    @torch.inference_mode()
    def _encode(self, visual: Visual) -> VisionFeatures:
        return self._encoder(*self.processor([visual], self.model.device))

    def clear(self) -> None:
        self._features.clear()
        self._bytes = 0

    def nbytes(self) -> int:
        return self._bytes


def _name(visual: Visual) -> bytes:
    if isinstance(visual, Video):
        # Of one frame, it is another thing than a picture.
        return hashlib.sha1(b"video" + name_of(*visual.frames), usedforsecurity=False).digest()
    return name_of(visual)


def nbytes(features: VisionFeatures) -> int:
    return features.tokens.nbytes + sum(tap.nbytes for tap in features.deepstack)
