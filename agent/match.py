"""Where a piece of an earlier screenshot is now: template matching at a few scales. Pixels only."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

SCALES = (1.0, 0.9, 1.1, 0.8, 1.25)
ENOUGH, CLEAR = 0.85, 0.03
FLAT = 4.0
MARGIN_PX, AROUND_PX = 6, 40

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Match:
    """The place, in image px, that corresponds to the point asked for; `score` is 0..1."""

    point: tuple[float, float]
    score: float


def crop_around(screen: Image.Image, point: tuple[float, float], box: Box | None) -> tuple[Image.Image, Box]:
    """What stood around a point: the element's box (x, y, width, height in image px), else a square."""
    x, y, width, height = box or (point[0] - AROUND_PX, point[1] - AROUND_PX, 2 * AROUND_PX, 2 * AROUND_PX)
    left, top = max(round(x) - MARGIN_PX, 0), max(round(y) - MARGIN_PX, 0)
    right = min(round(x + width) + MARGIN_PX, screen.width)
    bottom = min(round(y + height) + MARGIN_PX, screen.height)
    return screen.crop((left, top, max(right, left + 1), max(bottom, top + 1))), (left, top, right, bottom)


def find_again(
    before: Image.Image, now: Image.Image, point: tuple[float, float], box: Box | None = None
) -> Match | None:
    """None when nothing is alike enough, when two places are, or when the piece has no features."""
    piece, (left, top, _, _) = crop_around(before, point, box)
    wanted, screen = _grey(piece), _grey(now)
    if wanted.std() < FLAT:
        return None
    offset = point[0] - left, point[1] - top
    found = [match for scale in SCALES if (match := _best(wanted, screen, offset, scale))]
    best = max(found, key=lambda match: match.score, default=None)
    return best if best and best.score >= ENOUGH else None


def _best(wanted: np.ndarray, screen: np.ndarray, offset: tuple[float, float], scale: float) -> Match | None:
    piece = cv2.resize(wanted, None, fx=scale, fy=scale) if scale != 1.0 else wanted
    height, width = piece.shape
    if height > screen.shape[0] or width > screen.shape[1] or min(height, width) < 4:
        return None
    scores = cv2.matchTemplate(screen, piece, cv2.TM_CCOEFF_NORMED)
    _, score, _, (x, y) = cv2.minMaxLoc(scores)
    scores[max(y - height // 2, 0) : y + height // 2 + 1, max(x - width // 2, 0) : x + width // 2 + 1] = -1
    if scores.size and float(scores.max()) > score - CLEAR:
        return None
    return Match((x + offset[0] * scale, y + offset[1] * scale), float(score))


def _grey(image: Image.Image) -> np.ndarray:
    return cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2GRAY)
