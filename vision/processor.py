"""Pictures and videos alike, each by its own rules: sizes, tokens and patches of what a prompt shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .frames import VideoSource
from .preprocessing import ImageProcessor
from .video import Video, VideoProcessor

Visual = Image.Image | Video


@dataclass(frozen=True)
class Processor:
    images: ImageProcessor = field(default_factory=ImageProcessor)
    videos: VideoProcessor = field(default_factory=VideoProcessor)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Processor":
        """A checkpoint that says nothing of videos has them cut and coloured as its pictures.

        Raises CheckpointError for files that are missing, broken or unsupported.
        """
        images = ImageProcessor.from_pretrained(folder)
        if (Path(folder) / VideoProcessor.file).is_file():
            return cls(images, VideoProcessor.from_pretrained(folder))
        shared = ("patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std", "do_resize")
        return cls(images, VideoProcessor(**{name: getattr(images, name) for name in shared}))

    def load_video(self, source: VideoSource | Video, fps: float | None = None) -> Video:
        return self.videos.load(source, fps)

    def grid(self, visual: Visual) -> tuple[int, int, int]:
        """(time, height, width) in patches."""
        if isinstance(visual, Video):
            return self.videos.video_grid(visual)
        return self.images.grid(*visual.size)

    def tokens(self, visual: Visual) -> int:
        """How many visual tokens a picture becomes, or each moment of a video."""
        _, height, width = self.grid(visual)
        return height * width // self.images.merge_size**2

    def __call__(self, visuals: Sequence[Visual], device: Any = "cpu") -> tuple[Tensor, Tensor]:
        """pixel_values [P, C*T*p*p] fp32 there and grid_thw [visuals, 3] in patches, in the order given."""
        cut = [self._patches(visual, device) for visual in visuals]
        return torch.cat([patches for patches, _ in cut]), torch.tensor([grid for _, grid in cut])

    def _patches(self, visual: Visual, device: Any) -> tuple[Tensor, tuple[int, int, int]]:
        picture = not isinstance(visual, Video)
        return self.images.patches(visual, device) if picture else self.videos.patches(visual, device)
