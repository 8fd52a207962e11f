"""A run as a picture story: one frame per step, the planned action drawn where it lands, a caption below.

Knows runs and pixels; opens no browser. GIF through Pillow, MP4 through OpenCV.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError
from ..tools.geometry import Geometry
from ..vision.screen import mark_action
from .run import Run, Step

BAND_PX, MARGIN_PX, BADGE_PX = 92, 20, 44
INK, PALE, GROUND = (236, 240, 247), (148, 160, 180), (17, 22, 32)
ACCENT, GOOD, BAD = (92, 156, 255), (63, 185, 118), (229, 88, 84)
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")


def export_gif(
    run: Run, path: str | Path, step_s: float = 1.6, last_s: float = 3.0, width_px: int = 960
) -> Path:
    """One frame per step; raises InputError for a run without steps."""
    path = Path(path)
    frames = [frame.quantize(128, dither=Image.Dither.NONE) for frame in _frames_of(run, width_px)]
    durations_ms = [*[int(step_s * 1000)] * (len(frames) - 1), int(last_s * 1000)]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=durations_ms, loop=0, optimize=False
    )
    return path


def export_mp4(
    run: Run, path: str | Path, step_s: float = 1.6, last_s: float = 3.0, width_px: int = 1280
) -> Path:
    """As `export_gif`; raises InputError when this OpenCV cannot write MP4."""
    import cv2

    path, fps = Path(path), 10
    frames = _frames_of(run, width_px)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, frames[0].size)
    if not writer.isOpened():
        raise InputError(f"this OpenCV cannot write {path}; export a GIF instead")
    for i, frame in enumerate(frames):
        pixels = cv2.cvtColor(np.asarray(frame), cv2.COLOR_RGB2BGR)
        for _ in range(round(fps * (last_s if i == len(frames) - 1 else step_s))):
            writer.write(pixels)
    writer.release()
    return path


def _frames_of(run: Run, width_px: int) -> list[Image.Image]:
    if not run.steps:
        raise InputError(f"the run in {run.folder} has no step to draw")
    frames = [draw_step(step, run, width_px) for step in run.steps]
    height_px = max(frame.height for frame in frames)
    return [_pad(frame, height_px) for frame in frames]


def draw_step(step: Step, run: Run, width_px: int) -> Image.Image:
    """The screenshot with its mark, scaled to `width_px`, and the caption band below."""
    screen = draw_mark(step)
    height_px = 2 * round(width_px * screen.height / screen.width / 2)
    frame = Image.new("RGB", (width_px, height_px + BAND_PX), GROUND)
    frame.paste(screen.resize((width_px, height_px), Image.Resampling.LANCZOS))
    _draw_band(frame, height_px, step, run)
    return frame


def draw_mark(step: Step) -> Image.Image:
    screenshot = step.screenshot
    if step.action is None:
        return screenshot
    arguments = step.action.arguments()
    geometry = Geometry(*screenshot.size, *screenshot.size)
    names = ("start_coordinate", "coordinate")
    points = [geometry.relative_to_image(arguments[name]) for name in names if arguments.get(name)]
    return mark_action(screenshot, points, kind="move" if arguments["action"] == "mouse_move" else "click")


def _draw_band(frame: Image.Image, top_px: int, step: Step, run: Run) -> None:
    draw = ImageDraw.Draw(frame)
    color = _color(step, run)
    _draw_progress(draw, top_px, step, run, color)
    x, y = MARGIN_PX, top_px + (BAND_PX - BADGE_PX) // 2 + 2
    draw.rounded_rectangle((x, y, x + BADGE_PX, y + BADGE_PX), 10, fill=color)
    draw.text((x + BADGE_PX // 2, y + BADGE_PX // 2), str(step.number), GROUND, _font(20), anchor="mm")
    left, room = x + BADGE_PX + 16, frame.width - x - BADGE_PX - 16 - MARGIN_PX
    title, detail = _captions(step, run)
    draw.text((left, y + 9), _fit(title, _font(19), room), INK, _font(19), anchor="lm")
    draw.text((left, y + 35), _fit(detail, _font(15), room), PALE, _font(15), anchor="lm")


def _draw_progress(draw: ImageDraw.ImageDraw, top_px: int, step: Step, run: Run, color: tuple) -> None:
    width_px = round(draw.im.size[0] * step.number / len(run.steps))
    draw.rectangle((0, top_px, draw.im.size[0], top_px + 3), fill=(38, 46, 62))
    draw.rectangle((0, top_px, width_px, top_px + 3), fill=color)


def _captions(step: Step, run: Run) -> tuple[str, str]:
    """The thought in front, the action behind it; at the end what the run came to."""
    last = step is run.steps[-1]
    detail = [step.describe(), step.outcome(), run.reason if last else ""]
    if last and run.answer:
        return run.answer, " · ".join(filter(None, detail))
    return step.thought or step.describe(), " · ".join(filter(None, detail if step.thought else detail[1:]))


def _color(step: Step, run: Run) -> tuple[int, int, int]:
    if step is run.steps[-1]:
        return GOOD if run.success else BAD
    return BAD if step.error else ACCENT


def _fit(text: str, font: ImageFont.FreeTypeFont, room_px: int) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= room_px:
        return text
    return next(cut for cut in _shorter(text) if font.getlength(cut) <= room_px)


def _shorter(text: str) -> Iterator[str]:
    yield from (f"{text[:n].rstrip()}…" for n in range(min(len(text), 400), -1, -1))


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    return ImageFont.load_default(size_px)


def _pad(frame: Image.Image, height_px: int) -> Image.Image:
    """Frames of one film share a size, whatever the viewport did."""
    padded = Image.new("RGB", (frame.width, height_px), GROUND)
    padded.paste(frame, (0, height_px - frame.height))
    return padded
