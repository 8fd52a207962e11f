"""Videos -> patches: which frames, at which size, and the moments that the prompt tells.

Knows the numbers in `video_preprocessor_config.json`; knows nothing of files or tokens.

Shapes: P patches over all frames, C channels, T frames per patch, p patch size in px.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import InputError
from .frames import VideoSource, read_frames
from .preprocessing import ImageProcessor, fitted, smart_resize


@dataclass(frozen=True)
class Video:
    """Frames in their final size, and the second that each group of `together` of them stands for."""

    frames: tuple[Image.Image, ...]
    moments: tuple[float, ...]
    together: int

    @property
    def groups(self) -> list[tuple[Image.Image, ...]]:
        starts = range(0, len(self.frames), self.together)
        return [self.frames[start : start + self.together] for start in starts]


@dataclass(frozen=True)
class VideoProcessor(ImageProcessor):
    """The bounds in pixels hold for all frames together."""

    min_pixels: int = 4096
    max_pixels: int = 25165824
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 768

    file: ClassVar[str] = "video_preprocessor_config.json"
    refused: ClassVar[dict[str, Any]] = {
        **ImageProcessor.refused,
        "do_sample_frames": False,
        "cap_pixels_per_frame": True,
    }

    def load(self, source: "VideoSource | Video", fps: float | None = None) -> Video:
        """A video whose frames are chosen and resized.

        `fps`: of a file, how many frames a second to take; of frames that are given, how many a second they
        are. Raises InputError for what is no video or has no frames, ContextError for an aspect beyond 200.
        """
        if isinstance(source, Video):
            return source
        rate = self.fps if fps is None else fps
        if not isinstance(rate, int | float) or not 0 < rate < float("inf"):
            raise InputError(f"fps {fps} is no number of frames a second: give one above 0")
        frames, seconds = read_frames(source, rate, partial(self.choose, fps=rate), self._fit)
        return Video(tuple(frames), self._moments(seconds), self.temporal_patch_size)

    def choose(self, total: int, own_fps: float, fps: float) -> list[int]:
        """Which of `total` frames to take: evenly spread, first and last included."""
        number = min(max(int(total / own_fps * fps), self.min_frames), self.max_frames, total)
        return np.linspace(0, total - 1, number).round().astype(int).tolist()

    def patches(self, video: Video, device: Any = "cpu") -> tuple[Tensor, tuple[int, int, int]]:
        """[P, C*T*p*p] fp32, and the grid (time, height, width) in patches."""
        return torch.cat([self._cut(group, device) for group in video.groups]), self.video_grid(video)

    def video_grid(self, video: Video) -> tuple[int, int, int]:
        width, height = video.frames[0].size
        return len(video.moments), height // self.patch_size, width // self.patch_size

    def _fit(self, number: int, frame: Image.Image) -> Image.Image:
        return fitted(frame, *self.video_size(number, frame.height, frame.width))

    def video_size(self, frames: int, height: int, width: int) -> tuple[int, int]:
        """(height, width) of every frame of a video with so many of this size."""
        if not self.do_resize:
            return self.target_size(height, width)
        least, together = min(height, width), self.temporal_patch_size
        if least < self.factor:
            height, width = (int(side * (self.factor / least)) for side in (height, width))
        frames = max(frames, together)
        counted = round(frames / together) * together
        return smart_resize(height, width, self.factor, self.min_pixels, self.max_pixels, frames, counted)

    def _moments(self, seconds: Sequence[float]) -> tuple[float, ...]:
        """Of each group the mean of its first and last frame; the last of all repeats to fill its group."""
        together = self.temporal_patch_size
        filled = [*seconds, *[seconds[-1]] * (-len(seconds) % together)]
        first, last = filled[::together], filled[together - 1 :: together]
        return tuple((a + b) / 2 for a, b in zip(first, last, strict=True))


def load_video(source: VideoSource | Video, fps: float | None = None) -> Video:
    """As the published checkpoints see it; see `VideoProcessor.load`."""
    return VideoProcessor().load(source, fps)
