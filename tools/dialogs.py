"""Questions that the browser itself asks and no screenshot shows: drawn on the picture and answered there.

JavaScript dialogs, sign-in prompts and file choosers. A drawn dialog has a message, perhaps a field or a list
to choose from, and two buttons; a click on them is as good as `accept_dialog` and `dismiss_dialog`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image, ImageDraw

from ..vision.screen import ACCENT, fit_text, font
from .geometry import Point

Kind = Literal["alert", "confirm", "prompt", "leave", "sign-in", "file"]
Box = tuple[int, int, int, int]

_WITH_FIELD = ("prompt", "sign-in", "file")
_BLOCKING = ("alert", "confirm", "prompt", "leave")
_LONGEST_LIST = 8
_INK, _PAPER, _SHADE, _LINE = (28, 30, 36), (255, 255, 255), (0, 0, 0, 110), (160, 164, 172)


@dataclass(frozen=True)
class Ask:
    """One open question. `answer(accepted, text)` tells the browser; what went wrong comes back as text."""

    kind: Kind
    message: str
    answer: Callable[[bool, str], Awaitable[str | None]]
    text: str = ""
    choices: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether the page stands still until the answer."""
        return self.kind in _BLOCKING

    @property
    def has_field(self) -> bool:
        return self.kind in _WITH_FIELD

    def typed(self, text: str) -> "Ask":
        return replace(self, text=text)

    def describe(self) -> str:
        """What the model is told beside the picture."""
        field = " (accept_dialog with the text to enter)" if self.kind in ("prompt", "sign-in") else ""
        files = f" (upload_file with one of: {', '.join(self.choices) or 'no file is allowed'})"
        return f"{self.kind}: {self.message}{files if self.kind == 'file' else field}"


@dataclass(frozen=True)
class Layout:
    """Where the parts of a drawn dialog are, in image px: (left, top, right, bottom)."""

    panel: Box
    field: Box | None
    rows: tuple[Box, ...]
    accept: Box
    dismiss: Box
    unit: int

    @classmethod
    def of(cls, ask: Ask, size: tuple[int, int]) -> "Layout":
        width, height = size
        unit = max(round(min(width / 80, height / 50)), 6)
        rows = min(len(ask.choices), _LONGEST_LIST)
        half, tall = round(min(width * 0.46, 22 * unit)), (11 + 4 * ask.has_field + 3 * rows) * unit
        left, top, right = width // 2 - half, max(height // 5 - 2 * unit, 0), width // 2 + half
        y = top + 6 * unit
        inner = left + 2 * unit, right - 2 * unit
        lines = tuple((inner[0], y + 3 * unit * i, inner[1], y + 3 * unit * (i + 1)) for i in range(rows))
        y += 3 * unit * rows
        field = (inner[0], y, inner[1], y + 3 * unit) if ask.has_field else None
        bottom = top + tall
        buttons = [
            (inner[1] - n * 9 * unit, bottom - 4 * unit, inner[1] - n * 9 * unit + 8 * unit) for n in (2, 1)
        ]
        accept, dismiss = ((x, y, x2, bottom - unit) for x, y, x2 in buttons)
        return cls((left, top, right, bottom), field, lines, accept, dismiss, unit)


def draw(image: Image.Image, ask: Ask) -> Image.Image:
    """The picture, darkened, with the dialog on it."""
    layout = Layout.of(ask, image.size)
    shaded = Image.alpha_composite(image.convert("RGBA"), Image.new("RGBA", image.size, _SHADE)).convert(
        "RGB"
    )
    pen, unit = ImageDraw.Draw(shaded), layout.unit
    pen.rounded_rectangle(layout.panel, unit, fill=_PAPER, outline=_LINE, width=1)
    left, top, right, _ = layout.panel
    lines = [(_title(ask), 1.7, top + 2 * unit), (ask.message, 1.4, top + 4.4 * unit)]
    for text, size, y in lines:
        _write(pen, text, (left + 2 * unit, y), round(size * unit), right - left - 4 * unit)
    for name, row in zip(ask.choices, layout.rows, strict=False):
        _write(
            pen, name, (row[0] + unit, (row[1] + row[3]) / 2), round(1.4 * unit), row[2] - row[0] - 2 * unit
        )
        pen.rectangle(row, outline=_LINE)
    if layout.field:
        pen.rectangle(layout.field, outline=ACCENT, width=2)
        x, y = layout.field[0] + unit, (layout.field[1] + layout.field[3]) / 2
        _write(pen, ask.text, (x, y), round(1.4 * unit), layout.field[2] - x - unit)
    for box, text, ground, ink in [
        (layout.accept, "Open" if ask.kind == "file" else "OK", ACCENT, _PAPER),
        (layout.dismiss, "Cancel", _PAPER, _INK),
    ]:
        if text == "Cancel" and ask.kind == "alert":
            continue
        pen.rounded_rectangle(box, unit // 2, fill=ground, outline=_LINE, width=1)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        pen.text(middle, text, fill=ink, font=font(round(1.4 * unit), True), anchor="mm")
    return shaded


def answer_at(ask: Ask, point: Point, size: tuple[int, int]) -> tuple[bool, str] | None:
    """What a click at an image point answers: (accepted, text); None beside the buttons."""
    layout = Layout.of(ask, size)
    for name, row in zip(ask.choices, layout.rows, strict=False):
        if _inside(point, row):
            return True, name
    if _inside(point, layout.accept):
        return True, ask.text
    return (False, "") if _inside(point, layout.dismiss) else None


def _title(ask: Ask) -> str:
    titles = {"sign-in": "Sign in (type user:password)", "file": "Choose a file", "leave": "Leave this page?"}
    return titles.get(ask.kind, "This page says")


def _write(pen: ImageDraw.ImageDraw, text: str, at: Point, size: int, room: float) -> None:
    face = font(size, text.isascii())
    pen.text(at, fit_text(text, face, room), fill=_INK, font=face, anchor="lm")


def _inside(point: Point, box: Box) -> bool:
    return box[0] <= point[0] < box[2] and box[1] <= point[1] < box[3]
