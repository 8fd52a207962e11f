"""Videos from anywhere to frames: a path, bytes, a data URL, or the frames themselves.

Knows decoders and time; knows nothing of patches or models, and never opens a network connection.
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ..errors import InputError
from .images import Source, load_image, read_bytes

VideoSource = str | os.PathLike | bytes | np.ndarray | Sequence[Source]
Choice = Callable[[int, float], Sequence[int]]  # (frames in all, per second) -> which to take, rising
Fit = Callable[[int, Image.Image], Image.Image]  # (frames taken, a frame) -> the frame in its final size


def read_frames(
    source: VideoSource, fps: float, choose: Choice, fit: Fit
) -> tuple[list[Image.Image], list[float]]:
    """Frames in RGB, fitted as soon as each is decoded, and the second at which each is shown.

    Frames may be given as pictures or as an array [T, H, W, 3], `fps` of them a second; all of them are
    taken. Raises InputError for what is no video, and for one without frames.
    """
    if isinstance(source, np.ndarray | list | tuple):
        return _given(source, fps, fit)
    if isinstance(source, str | os.PathLike) and not str(source).startswith("data:"):
        name = str(source)[:200]
        if not Path(source).is_file():
            raise InputError(f"no video at {name}: check the path, or download the video first")
        return _decoded(Path(source), name, choose, fit)
    data, name = read_bytes(source, "video")
    with tempfile.TemporaryDirectory(prefix="saccade-") as folder:  # decoders want a file
        path = Path(folder, "video")
        path.write_bytes(data)
        return _decoded(path, name, choose, fit)


def _given(source: Any, fps: float, fit: Fit) -> tuple[list[Image.Image], list[float]]:
    pictures = [load_image(frame) for frame in source]
    if not pictures:
        raise InputError("the video has no frames: give at least one")
    sizes = {picture.size for picture in pictures}
    if len(sizes) > 1:
        raise InputError(f"the video's frames differ in size {sorted(sizes)}: give frames of one size")
    return [fit(len(pictures), picture) for picture in pictures], [i / fps for i in range(len(pictures))]


def _decoded(path: Path, name: str, choose: Choice, fit: Fit) -> tuple[list[Image.Image], list[float]]:
    fps, promised = _facts(path, name)
    for total in (promised, _count(path, name)) if promised > 0 else (_count(path, name),):
        wanted = list(choose(total, fps)) if total else []
        frames = [fit(len(wanted), frame) for frame in _at(path, name, wanted)]
        if frames and len(frames) == len(wanted):  # otherwise the file promised more frames than it holds
            return frames, [index / fps for index in wanted]
    raise InputError(f"{name} has no frames that can be decoded: save it again as MP4 (H.264) or WebM")


def _facts(path: Path, name: str) -> tuple[float, int]:
    """(frames per second, how many frames the file promises, 0 or less when it does not say)."""
    capture = _opened(path, name)
    fps, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"{name} does not say how many frames a second it has: save it again as MP4 or WebM")
    return fps, int(frames) if math.isfinite(frames) else 0


def _count(path: Path, name: str) -> int:
    capture, count = _opened(path, name), 0
    while capture.grab():
        count += 1
    return count


def _at(path: Path, name: str, wanted: Sequence[int]) -> Iterator[Image.Image]:
    """The frames at these rising indices, as far as the file goes."""
    capture, at = _opened(path, name), -1
    for index in wanted:
        while at < index:
            if not capture.grab():
                return
            at += 1
        ok, pixels = capture.retrieve()
        if not ok:
            return
        yield Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def _opened(path: Path, name: str) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(f"{name} is no video that can be read: save it as MP4 (H.264) or WebM")
    return capture
