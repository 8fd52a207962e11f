"""One transform between the three coordinate systems of a step. Nothing else multiplies coordinates.

relative   integers 0..1000 over the screenshot: what the model reads and writes
css        pixels of the browser's viewport, where mouse events go (floats, from the top left)
image      pixels of the screenshot (floats; device-pixel ratio and resizing live here)

Points are continuous: pixel i covers [i, i + 1). Knows nothing of pages or browsers.
"""

from dataclasses import dataclass

Point = tuple[float, float]
RELATIVE_MAX = 1000


@dataclass(frozen=True)
class Geometry:
    """Sizes of one viewport in CSS pixels and of its screenshot in image pixels."""

    css_width: float
    css_height: float
    image_width: int
    image_height: int

    def __post_init__(self) -> None:
        assert min(self.css_width, self.css_height, self.image_width, self.image_height) > 0, self

    def relative_to_css(self, point: Point) -> Point:
        """0..1000 -> CSS px. 1000 lands in the middle of the last pixel, still inside the viewport."""
        x, y = point
        return _scale(x, RELATIVE_MAX, self.css_width), _scale(y, RELATIVE_MAX, self.css_height)

    def css_to_relative(self, point: Point) -> tuple[int, int]:
        """CSS px -> 0..1000, rounded; points outside the viewport land on its edge."""
        x, y = point
        return _relative(x, self.css_width), _relative(y, self.css_height)

    def relative_to_image(self, point: Point) -> Point:
        """0..1000 -> image px; `int()` of both numbers is a valid pixel index."""
        return self.css_to_image(self.relative_to_css(point))

    def image_to_relative(self, point: Point) -> tuple[int, int]:
        """Image px -> 0..1000, rounded; points outside the image land on its edge."""
        x, y = point
        return _relative(x, self.image_width), _relative(y, self.image_height)

    def css_to_image(self, point: Point) -> Point:
        """CSS px -> image px, not clamped."""
        x, y = point
        return x * self.image_width / self.css_width, y * self.image_height / self.css_height

    def image_to_css(self, point: Point) -> Point:
        """Image px -> CSS px, not clamped."""
        x, y = point
        return x * self.css_width / self.image_width, y * self.css_height / self.image_height


def _scale(value: float, source: float, target: float) -> float:
    return min(max(value * target / source, 0.0), max(target - 0.5, target / 2))


def _relative(value: float, size: float) -> int:
    return round(min(max(value / size, 0.0), 1.0) * RELATIVE_MAX)
