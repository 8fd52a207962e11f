"""A run as a picture story: one frame per step, the planned action drawn where it lands, a caption below.

A last frame shows the page as it was left when no step's screenshot does. Knows runs and pixels; opens no
browser. GIF through Pillow, MP4 through OpenCV.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError
from ..tools.geometry import Geometry
from ..vision.screen import mark_action
from .calls import Call
from .run import Run, Step

Color = tuple[int, int, int]

BAND_PX, MARGIN_PX, BADGE_PX, BAR_PX = 92, 20, 44, 4
INK: Color = (236, 240, 247)
PALE: Color = (148, 160, 180)
GROUND: Color = (17, 22, 32)
TRACK: Color = (38, 46, 62)
ACCENT: Color = (92, 156, 255)
GOOD: Color = (63, 185, 118)
BAD: Color = (229, 88, 84)
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")


def export_gif(
    run: Run, path: str | Path, step_s: float = 1.6, last_s: float = 3.0, width_px: int = 960
) -> Path:
    """Raises InputError for a run without steps."""
    path = Path(path)
    frames = [frame.quantize(256, dither=Image.Dither.NONE) for frame in _frames_of(run, width_px)]
    durations_ms = [*[int(step_s * 1000)] * (len(frames) - 1), int(last_s * 1000)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations_ms, loop=0)
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


@dataclass(frozen=True)
class Caption:
    """The band below a picture. `badge` is a step's number, or a sign: "+" a tick, "-" a cross."""

    badge: str
    title: str
    detail: str
    color: Color
    progress: float


def draw_step(step: Step, run: Run, width_px: int) -> Image.Image:
    return _compose(draw_mark(step), _caption(step, run), width_px)


def draw_mark(step: Step) -> Image.Image:
    """The step's screenshot with the action drawn where it lands."""
    return draw_action(step.screenshot, step.action) if step.action else step.screenshot


def draw_action(screenshot: Image.Image, action: Call) -> Image.Image:
    """A copy of the screenshot with the action drawn where it lands."""
    arguments = action.arguments()
    geometry = Geometry(*screenshot.size, *screenshot.size)
    names = ("start_coordinate", "coordinate")
    points = [geometry.relative_to_image(arguments[name]) for name in names if arguments.get(name)]
    return mark_action(screenshot, points, kind="move" if arguments["action"] == "mouse_move" else "click")


def _frames_of(run: Run, width_px: int) -> list[Image.Image]:
    """Frames of one film share a size, whatever the viewport did."""
    if not run.steps:
        raise InputError(f"the run in {run.folder} has no step to draw")
    frames = [draw_step(step, run, width_px) for step in run.steps]
    if run.final_path is not None:
        with Image.open(run.final_path) as final:
            frames.append(_compose(final.convert("RGB"), _end_caption(run), width_px))
    height_px = max(frame.height for frame in frames)
    return [_pad(frame, height_px) for frame in frames]


def _caption(step: Step, run: Run) -> Caption:
    """The thought in front, the action behind it."""
    if step is run.steps[-1] and run.final_path is None:
        return _end_caption(run)
    facts = [step.describe(), step.outcome()] if step.thought else [step.outcome()]
    color = BAD if step.error else ACCENT
    progress = step.number / (len(run.steps) + (run.final_path is not None))
    return Caption(str(step.number), step.said() or step.describe(), _join(facts), color, progress)


def _end_caption(run: Run) -> Caption:
    """The answer, else the last thought; behind it what the run came to."""
    last = run.steps[-1]
    title = run.answer or last.thought or last.describe()
    if run.final_path is not None:
        title = run.answer or "Done"
    detail = _join([run.reason, f"{len(run.steps)} steps", f"{run.seconds:.1f} s"])
    return Caption("+" if run.success else "-", title, detail, GOOD if run.success else BAD, 1.0)


def _compose(screen: Image.Image, caption: Caption, width_px: int) -> Image.Image:
    """The picture scaled to `width_px`, its band below; both even, as video wants it."""
    height_px = 2 * round(width_px * screen.height / screen.width / 2)
    frame = Image.new("RGB", (width_px, height_px + BAND_PX), GROUND)
    frame.paste(screen.resize((width_px, height_px), Image.Resampling.LANCZOS))
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, height_px, width_px, height_px + BAR_PX - 1), fill=TRACK)
    draw.rectangle((0, height_px, width_px * caption.progress, height_px + BAR_PX - 1), fill=caption.color)
    top_px = height_px + (BAND_PX + BAR_PX - BADGE_PX) // 2
    _draw_badge(draw, (MARGIN_PX, top_px), caption)
    _draw_lines(draw, (MARGIN_PX + BADGE_PX + 16, top_px), width_px, caption)
    return frame


def _draw_badge(draw: ImageDraw.ImageDraw, corner: tuple[int, int], caption: Caption) -> None:
    x, y = corner
    draw.rounded_rectangle((x, y, x + BADGE_PX, y + BADGE_PX), 10, fill=caption.color)
    if caption.badge == "+":
        draw.line([(x + 12, y + 23), (x + 19, y + 30), (x + 32, y + 15)], GROUND, 4, joint="curve")
    elif caption.badge == "-":
        draw.line([(x + 14, y + 14), (x + 30, y + 30)], GROUND, 4)
        draw.line([(x + 14, y + 30), (x + 30, y + 14)], GROUND, 4)
    else:
        centre = (x + BADGE_PX / 2, y + BADGE_PX / 2)
        draw.text(centre, caption.badge, GROUND, _font(20), anchor="mm")


def _draw_lines(draw: ImageDraw.ImageDraw, corner: tuple[int, int], width_px: int, caption: Caption) -> None:
    x, y = corner
    room_px = width_px - x - MARGIN_PX
    for text, size, color, down in [(caption.title, 19, INK, 9), (caption.detail, 15, PALE, 35)]:
        draw.text((x, y + down), _fit(text, _font(size), room_px), color, _font(size), anchor="lm")


def _join(facts: list[str]) -> str:
    return " · ".join(fact for fact in facts if fact)


def _fit(text: str, font: ImageFont.FreeTypeFont, room_px: int) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= room_px:
        return text
    return next((cut for cut in _shorter(text) if font.getlength(cut) <= room_px), "")


def _shorter(text: str) -> Iterator[str]:
    yield from (f"{text[:n].rstrip()}…" for n in range(min(len(text), 400), -1, -1))


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _pad(frame: Image.Image, height_px: int) -> Image.Image:
    padded = Image.new("RGB", (frame.width, height_px), GROUND)
    padded.paste(frame, (0, height_px - frame.height))
    return padded
