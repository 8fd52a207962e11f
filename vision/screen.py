"""Pure functions on screenshots: what changed between two, and marks that show an action.

Images are PIL images or uint8 arrays (H, W, 3). Knows numpy, OpenCV and Pillow; nothing of browsers,
models or torch. numpy and OpenCV, which take a quarter of a second, are imported on the first comparison,
or by `get_ready` in the background.
"""

import io
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageChops, ImageDraw, ImageFont

from .still import Still

if TYPE_CHECKING:
    import numpy as np

    Picture = Image.Image | np.ndarray
Point = tuple[float, float]
Box = tuple[int, int, int, int]
Kind = Literal["click", "move", "drag", "type", "scroll", "none"]

TOLERANCE = 8
"""Channel values (of 255) that differ by no more count as equal: dithering and antialiasing noise."""

ACCENT = (255, 77, 46)
_INK = (17, 20, 28)
_PAPER = (255, 255, 255)
_SUPERSAMPLE = 3
_ready = False


def get_ready() -> None:
    """Import what comparisons need; from then on pictures are decoded by OpenCV, too."""
    global _ready
    import cv2  # noqa: F401
    import numpy as np  # noqa: F401

    _ready = True


def decoded(png: bytes) -> Still:
    """The picture in a PNG, RGB, with its name, for which a journal and a model ask at the same time.

    By OpenCV, which takes half of Pillow's time, once it is imported.
    """
    if _ready:
        import cv2
        import numpy as np

        array = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
        if array is not None:
            return Still.from_array(array).named()
    image = Image.open(io.BytesIO(png))
    return Still.over(image if image.mode == "RGB" else image.convert("RGB")).named()


def changed_fraction(before: "Picture", after: "Picture", tolerance: int = TOLERANCE) -> float:
    """Share of pixels that differ, 0..1; pictures of different sizes differ entirely."""
    mask = _changed_mask(before, after, tolerance)
    return 1.0 if mask is None else _share(mask)


def changes(
    before: "Picture", after: "Picture", tolerance: int = TOLERANCE, join_px: int = 16
) -> tuple[float, list[Box]]:
    """The share of pixels that differ, and boxes (x, y, width, height) around them, largest first; gaps
    below `join_px` are joined.
    """
    mask = _changed_mask(before, after, tolerance)
    if mask is None:
        height, width = _array(after).shape[:2]
        return 1.0, [(0, 0, width, height)]
    return _share(mask), _boxes(mask, join_px)


def changed_regions(before: "Picture", after: "Picture", tolerance: int = TOLERANCE) -> list[Box]:
    return changes(before, after, tolerance)[1]


def same(before: "Picture", after: "Picture", tolerance: int = TOLERANCE) -> bool:
    """Whether not a single pixel differs by more than the tolerance."""
    return changed_fraction(before, after, tolerance) == 0.0


def moved(before: Image.Image, after: Image.Image, hidden: Sequence[Box] = ()) -> Image.Image:
    """A mask (mode "L") of the pixels that differ, but for those in the boxes `hidden`; pictures of different
    sizes differ entirely. By Pillow alone, for the time before numpy and OpenCV are there.
    """
    if before.size != after.size:
        return Image.new("L", after.size, 255)
    table = [255 * (value > TOLERANCE) for value in range(256)] * 3
    red, green, blue = ImageChops.difference(before, after).point(table).split()
    mask = joined(red, joined(green, blue))
    for x, y, width, height in hidden:
        mask.paste(0, (x, y, x + width, y + height))
    return mask


def joined(mask: Image.Image, other: Image.Image) -> Image.Image:
    """The pixels of either mask."""
    return ImageChops.lighter(mask, other)


def share(mask: Image.Image) -> float:
    """Of the pixels, how many are in a mask of mode "L"."""
    return 1 - mask.histogram()[0] / (mask.width * mask.height)


def mark_action(
    image: Image.Image,
    points: Point | Sequence[Point] | None = None,
    label: str = "",
    kind: Kind = "click",
) -> Image.Image:
    """Draw where an action goes and what it is, on a copy of the screenshot.

    `points` are image pixels: one point (ring and pointer) or a path (a drag, from its first to its last
    point). `label` becomes a caption at the bottom, or at the top when the pointer is down there.
    """
    path = _path(points)
    marked = image.convert("RGB")
    if path and kind != "none":
        marked = _draw_pointer(marked, path, _unit(image.size), ring=kind != "move")
    return _draw_caption(marked, label, path) if label else marked


def mark_regions(image: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """Outline boxes (x, y, width, height) on a copy of the screenshot."""
    marked = image.convert("RGB")
    draw = ImageDraw.Draw(marked)
    for x, y, width, height in boxes:
        draw.rounded_rectangle((x - 2, y - 2, x + width + 1, y + height + 1), 4, outline=ACCENT, width=2)
    return marked


def _changed_mask(before: "Picture", after: "Picture", tolerance: int) -> "np.ndarray | None":
    import cv2
    import numpy as np

    first, second = _array(before), _array(after)
    if first.shape != second.shape:
        return None
    height, width = first.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    rows = np.flatnonzero((first.reshape(height, -1) != second.reshape(height, -1)).any(axis=1))
    if rows.size:  # most changes are a small part of the screen
        band = slice(rows[0], rows[-1] + 1)
        close = cv2.inRange(cv2.absdiff(first[band], second[band]), (0, 0, 0), (tolerance,) * 3)
        mask[band] = cv2.bitwise_not(close)
    return mask


def _share(mask: "np.ndarray") -> float:
    import cv2

    return cv2.countNonZero(mask) / mask.size


def _boxes(mask: "np.ndarray", join_px: int) -> list[Box]:
    import cv2
    import numpy as np

    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:
        return []
    side = join_px // 2 * 2 + 1  # odd: an even kernel would shift the boxes
    changed = mask[top : top + height, left : left + width]
    padded = cv2.copyMakeBorder(changed, side, side, side, side, cv2.BORDER_CONSTANT, value=0)
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = [(int(x) + left - side, int(y) + top - side, int(w), int(h)) for x, y, w, h, _ in stats[1:]]
    return sorted(boxes, key=lambda box: -box[2] * box[3])


def _array(picture: "Picture") -> "np.ndarray":
    import numpy as np

    if isinstance(picture, np.ndarray):
        return picture
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _path(points: Point | Sequence[Point] | None) -> list[Point]:
    if points is None or len(points) == 0:
        return []
    if isinstance(points[0], int | float):
        return [(float(points[0]), float(points[1]))]  # type: ignore[arg-type]
    return [(float(x), float(y)) for x, y in points]  # type: ignore[misc]


def _unit(size: tuple[int, int]) -> float:
    """One unit of drawing in image px: marks keep their share of the picture at every scale."""
    return max(min(size[0] / 1280, size[1] / 720), 0.4)


def _draw_pointer(image: Image.Image, path: list[Point], unit: float, ring: bool) -> Image.Image:
    """Rings, a drag's line and a mouse pointer, antialiased by drawing them larger and shrinking."""
    margin = round(48 * unit)
    left, top = (round(min(values)) - margin for values in zip(*path, strict=True))
    right, bottom = (round(max(values)) + margin for values in zip(*path, strict=True))
    zoom = _SUPERSAMPLE
    layer = Image.new("RGBA", ((right - left) * zoom, (bottom - top) * zoom), (*ACCENT, 0))
    draw = ImageDraw.Draw(layer)
    spots = [((x - left) * zoom, (y - top) * zoom) for x, y in path]
    if len(spots) > 1:
        draw.line(spots, fill=(*ACCENT, 210), width=round(4 * unit * zoom), joint="curve")
        _disc(draw, spots[0], 7 * unit * zoom, (*ACCENT, 255))
    if ring:
        _disc(draw, spots[-1], 24 * unit * zoom, (*ACCENT, 56))
        _circle(draw, spots[-1], 24 * unit * zoom, (*_PAPER, 230), round(6 * unit * zoom))
        _circle(draw, spots[-1], 23 * unit * zoom, (*ACCENT, 255), round(3.5 * unit * zoom))
    _arrow(draw, spots[-1], unit * zoom)
    return _paste(image, layer.resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))


def _disc(draw: ImageDraw.ImageDraw, centre: Point, radius: float, fill: tuple) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _circle(draw: ImageDraw.ImageDraw, centre: Point, radius: float, colour: tuple, width: int) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=width)


_POINTER = ((0, 0), (0, 21.5), (4.9, 17.1), (8.3, 25), (12.1, 23.4), (8.8, 15.6), (15.4, 15.6))


def _arrow(draw: ImageDraw.ImageDraw, tip: Point, unit: float) -> None:
    """The usual mouse pointer, its tip exactly on the point."""
    outline = [(tip[0] + x * unit, tip[1] + y * unit) for x, y in _POINTER]
    draw.polygon(outline, fill=(*_INK, 255))
    draw.line([*outline, outline[0], outline[1]], fill=(*_PAPER, 255), width=round(1.8 * unit), joint="curve")


def _paste(image: Image.Image, layer: Image.Image, corner: tuple[int, int]) -> Image.Image:
    """Alpha-composite a layer that may stick out of the image."""
    canvas = Image.new("RGBA", image.size, (*ACCENT, 0))
    canvas.paste(layer, corner)
    return Image.alpha_composite(image.convert("RGBA"), canvas).convert("RGB")


def _draw_caption(image: Image.Image, label: str, path: list[Point]) -> Image.Image:
    """A rounded dark caption, centred at the bottom; at the top when the pointer would be under it."""
    unit = _unit(image.size)
    face = font(max(round(22 * unit), 11), label.isascii())
    text = fit_text(label, face, image.width * 0.86)
    pad_x, height, gap = round(20 * unit), round(46 * unit), round(20 * unit)
    width = round(face.getlength(text)) + 2 * pad_x
    zoom = _SUPERSAMPLE
    layer = Image.new("RGBA", (width * zoom, height * zoom), (*_INK, 0))
    ImageDraw.Draw(layer).rounded_rectangle(
        (0, 0, width * zoom - 1, height * zoom - 1), height * zoom * 0.36, fill=(*_INK, 224)
    )
    layer = layer.resize((width, height), Image.Resampling.LANCZOS)
    ImageDraw.Draw(layer).text((width / 2, height / 2), text, fill=(*_PAPER, 255), font=face, anchor="mm")
    at_top = bool(path) and path[-1][1] > image.height - 2.2 * height - gap
    return _paste(image, layer, ((image.width - width) // 2, gap if at_top else image.height - height - gap))


def fit_text(label: str, face: ImageFont.FreeTypeFont, width: float) -> str:
    """One line of it, cut with an ellipsis where it is wider than `width` px."""
    text = " ".join(label.split())
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


_WIDE_FONTS = ("NotoSans-Regular.ttf", "DejaVuSans.ttf", "Arial.ttf", "LiberationSans-Regular.ttf")


@lru_cache(maxsize=8)
def font(size: int, ascii_only: bool) -> ImageFont.FreeTypeFont:
    """Pillow's own font; for other scripts a font of the system, since Pillow's has few glyphs."""
    for name in () if ascii_only else _WIDE_FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, size)
    face = ImageFont.load_default(size)
    assert isinstance(face, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return face
