"""Pictures -> patches: resize, normalise, cut, in the order of the official processor.

Knows numpy and the numbers in `preprocessor_config.json`; knows nothing of tokens.

Shapes: P patches over all pictures, C channels, T frames per patch, p patch size in px.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import CheckpointError, ContextError
from .images import Source, load_image

MAX_ASPECT = 200


@dataclass(frozen=True)
class ImageProcessor:
    patch_size: int = 16
    temporal_patch_size: int = 2
    merge_size: int = 2
    min_pixels: int = 65536
    max_pixels: int = 16777216
    image_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    image_std: tuple[float, ...] = (0.5, 0.5, 0.5)
    do_resize: bool = True

    file: ClassVar[str] = "preprocessor_config.json"
    refused: ClassVar[dict[str, Any]] = dict.fromkeys(("do_rescale", "do_normalize", "do_convert_rgb"), False)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read the checkpoint's file; raises CheckpointError: missing, broken or unsupported."""
        path = Path(folder) / cls.file
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return cls.from_dict(raw)
        except FileNotFoundError:
            raise CheckpointError(f"no {cls.file} in {path.parent}: download it again") from None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}): download the file again") from None

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        for key, value in cls.refused.items():
            if raw.get(key) is value:
                raise CheckpointError(f"{cls.file}: {key} {json.dumps(value)} is not supported: leave it out")
        if raw.get("resample", Image.Resampling.BICUBIC) != Image.Resampling.BICUBIC:
            raise CheckpointError(f"{cls.file}: resample {raw['resample']} is not supported: use 3")
        size = raw.get("size") or {}
        limits = {
            "min_pixels": raw.get("min_pixels") or size.get("shortest_edge") or size.get("min_pixels"),
            "max_pixels": raw.get("max_pixels") or size.get("longest_edge") or size.get("max_pixels"),
        }
        colours = {key: tuple(raw[key]) for key in ("image_mean", "image_std") if raw.get(key)}
        given = {field.name: raw[field.name] for field in fields(cls) if raw.get(field.name) is not None}
        return cls(**{**given, **colours, **{key: value for key, value in limits.items() if value}})

    @property
    def factor(self) -> int:
        """The side in px of what one visual token covers; resized pictures are multiples of it."""
        return self.patch_size * self.merge_size

    def __call__(self, images: Sequence[Source]) -> tuple[Tensor, Tensor]:
        """pixel_values [P, C*T*p*p] fp32 and grid_thw [images, 3] in patches.

        Raises InputError for what is no picture and ContextError for an aspect beyond 200.
        """
        cut = [self.patches(load_image(image)) for image in images]
        return torch.cat([patches for patches, _ in cut]), torch.tensor([grid for _, grid in cut])

    def grid(self, width: int, height: int) -> tuple[int, int, int]:
        """(time, height, width) in patches of a picture of this size in px."""
        height, width = self.target_size(height, width)
        return 1, height // self.patch_size, width // self.patch_size

    def tokens(self, width: int, height: int) -> int:
        """How many visual tokens a picture of this size in px becomes."""
        return math.prod(self.grid(width, height)) // self.merge_size**2

    def target_size(self, height: int, width: int) -> tuple[int, int]:
        if self.do_resize:
            return smart_resize(height, width, self.factor, self.min_pixels, self.max_pixels)
        if height % self.factor or width % self.factor:
            raise ContextError(
                f"the picture is {width} x {height} px, but without resizing both sides must be multiples of "
                f"{self.factor}: resize it, or set do_resize to true"
            )
        return height, width

    def patches(self, image: Image.Image, device: Any = "cpu") -> tuple[Tensor, tuple[int, int, int]]:
        """[P, C*T*p*p] fp32 of an RGB picture, and its grid (time, height, width) in patches."""
        height, width = self.target_size(image.height, image.width)
        return self._cut([fitted(image, height, width)], device), self.grid(image.width, image.height)

    def _cut(self, frames: Sequence[Image.Image], device: Any) -> Tensor:
        """The patches [P, C*T*p*p] of at most T frames; the last one is repeated to make T."""
        pixels = torch.stack([torch.from_numpy(np.array(frame)).to(device) for frame in frames])
        mean, std = torch.tensor((self.image_mean, self.image_std), device=device).view(2, -1, 1, 1)
        normal = (pixels.permute(0, 3, 1, 2) / 255 - mean) / std
        normal = torch.cat((normal, normal[-1:].expand(self.temporal_patch_size - len(frames), -1, -1, -1)))
        return _in_merge_order(normal, self.patch_size, self.merge_size)


def fitted(image: Image.Image, height: int, width: int) -> Image.Image:
    same = (width, height) == image.size
    return image if same else image.resize((width, height), Image.Resampling.BICUBIC)


@lru_cache(maxsize=1024)  # a conversation asks for its pictures' sizes again with every step
def smart_resize(
    height: int, width: int, factor: int, min_pixels: int, max_pixels: int, frames: int = 1, counted: int = 1
) -> tuple[int, int]:
    """(height, width) nearest to the given size: multiples of `factor`, area within the bounds, aspect kept.

    Rounds half to even, as the official processor does. The area of a video is that of all its `frames`; the
    bounds look at `counted` of them, which fill whole patches. Raises ContextError for an aspect beyond 200.
    """
    if max(height, width) > MAX_ASPECT * min(height, width):
        raise ContextError(
            f"the picture is {width} x {height} px: crop it to an aspect of at most {MAX_ASPECT}"
        )
    rounded = round(height / factor) * factor, round(width / factor) * factor
    if counted * math.prod(rounded) > max_pixels:
        shrink = math.sqrt(frames * height * width / max_pixels)
        height, width = (max(factor, math.floor(side / shrink / factor) * factor) for side in (height, width))
        return height, width
    if counted * math.prod(rounded) < min_pixels:
        grow = math.sqrt(min_pixels / (frames * height * width))
        height, width = (math.ceil(side * grow / factor) * factor for side in (height, width))
        return height, width
    return rounded


def _in_merge_order(pixels: Tensor, patch: int, merge: int) -> Tensor:
    """[T, C, height, width] -> [P, C*T*p*p], patches in the order (block row, block column, row, column)."""
    blocks = pixels.unflatten(3, (-1, merge, patch)).unflatten(2, (-1, merge, patch))
    return blocks.permute(2, 5, 3, 6, 1, 0, 4, 7).flatten(4).flatten(0, 3)
