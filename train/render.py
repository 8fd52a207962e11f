"""Renders synthetic pages in Chromium and reads off the truth: pixels, element boxes, and the character in every cell.

A cell is one visual token; side by side in it are slots for letters (`shape.py`).
"""

import json
from dataclasses import dataclass

import numpy as np

from .chromium import Chromium
from .pages import HEIGHT, WIDTH, Page, document, make_page
from .pages.page import Element
from .shape import Shape

IGNORE, NOTHING = 255, 0
CUT = 0.25  # of the height of an element may be out of view
ROLES: dict[str, int] = {
    role: index
    for index, role in enumerate(
        """none button link tab field search select checkbox radio option icon switch slider star day date menu section
        folder leaf page swatch shape item""".split()
    )
}

EXTRACT = """
(async () => {
  await document.fonts.ready;
  const pages = [];
  for (const page of document.querySelectorAll('.page')) {
    page.scrollTop = Math.round(page.dataset.scroll * (page.scrollHeight - page.clientHeight));
    const box = page.getBoundingClientRect(), covered = page.querySelector('.over,.pop,[style*=sticky]');
    const at = (x, y) => x < box.x || y < box.y || x >= box.right || y >= box.bottom ? null
      : document.elementFromPoint(x, y);
    const shows = (el, x, y) => { const hit = at(x, y); return hit && el.contains(hit); };
    const elements = [], read = {};
    for (const el of page.querySelectorAll('[data-e]')) {
      const r = el.getClientRects()[0];
      if (!r) continue;
      const left = Math.max(r.left, box.left), right = Math.min(r.right, box.right);
      const top = Math.max(r.top, box.top), bottom = Math.min(r.bottom, box.bottom);
      const hit = shows(el, r.x + r.width / 2, r.y + r.height / 2);
      const spots = [[.5, .5], [.1, .5], [.9, .5], [.5, .15], [.5, .85]];
      const glimpsed = hit || right - left > 1 && bottom - top > 1 &&
        spots.some(([a, b]) => shows(el, left + a * (right - left), top + b * (bottom - top)));
      elements.push([+el.dataset.e, r.x - box.x, r.y - box.y, r.width, r.height, hit ? 1 : 0, glimpsed ? 1 : 0]);
    }
    for (const el of page.querySelectorAll('[data-f]')) {
      const rects = [...el.getClientRects()].filter(r => r.width);
      if (!rects.length || !rects.every(r => r.top >= box.top && r.bottom <= box.bottom
        && shows(el, r.left + r.width / 2, r.y + r.height / 2)
        && (el.tagName == 'path' || shows(el, r.left + 1, r.y + r.height / 2) && shows(el, r.right - 1, r.y + r.height / 2)))) continue;
      const r = el.getBoundingClientRect();
      read[el.dataset.f] = [r.x - box.x, r.y - box.y, r.width, r.height];
    }
    const chars = [], walker = document.createTreeWalker(page, NodeFilter.SHOW_TEXT), range = document.createRange();
    for (let node; (node = walker.nextNode()); ) {
      const parent = node.parentElement;
      if (/^(STYLE|OPTION|SELECT)$/.test(parent.tagName) || !node.data.trim()) continue;
      for (let i = 0; i < node.length; i++) {
        const code = node.data.charCodeAt(i);
        if (code <= 32) continue;
        range.setStart(node, i); range.setEnd(node, i + 1);
        const r = range.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
        if (!r.width || x < box.x || y < box.y || x >= box.right || y >= box.bottom) continue;
        const hit = covered && at(x, y);
        if (covered && !(hit && (parent.contains(hit) || hit.contains(parent) || parent.closest('svg')?.contains(hit)))) {
          if (hit && hit.className == 'over') chars.push(0, Math.round((x - box.x) * 8), Math.round((y - box.y) * 8));
          continue;
        }
        chars.push(code, Math.round((x - box.x) * 8), Math.round((y - box.y) * 8));
      }
    }
    const opaque = [...page.querySelectorAll('input:not([type=checkbox]):not([type=radio]),textarea,select')]
      .map(el => el.getBoundingClientRect()).map(r => [r.x - box.x, r.y - box.y, r.width, r.height]);
    pages.push({elements, read, chars, opaque, below: page.scrollHeight - page.clientHeight - page.scrollTop,
                above: page.scrollTop});
  }
  return JSON.stringify(pages);
})()
"""


@dataclass
class Scene:
    """One rendered page. Boxes are (x, y, width, height) in CSS px of the viewport."""

    page: Page
    image: np.ndarray  # [HEIGHT, WIDTH, 3] uint8 RGB
    boxes: dict[int, tuple[float, float, float, float]]
    hit: set[int]  # elements whose centre answers to a click
    glimpsed: set[int]  # elements of which anything at all can be seen
    read: dict[int, tuple[float, float, float, float]]  # marked pieces of text that are wholly visible
    characters: np.ndarray  # [rows, columns, slots] uint8: 0 nothing, 1..94 printable ASCII, 255 unknown
    roles: np.ndarray  # [rows, columns] uint8, index into ROLES
    above: float  # px scrolled away at the top
    below: float  # px left under the fold

    def is_visible(self, element: Element) -> bool:
        """Not covered, and hardly cut off by the edge of the viewport: its middle answers and its name can be read."""
        if element.id not in self.hit:
            return False
        x, y, w, h = self.boxes[element.id]
        inside = x >= 0 and x + w <= WIDTH and y >= -CUT * h and y + h <= HEIGHT + CUT * h
        return inside and w >= 4 and h >= 4

    def is_gone(self, element: Element) -> bool:
        """Wholly outside the viewport, so that only scrolling brings it back."""
        if element.id not in self.boxes:
            return False
        _, y, _, h = self.boxes[element.id]
        return y >= HEIGHT or y + h <= 0


class Renderer:
    """Renders `count` pages at a time, stacked in one tall screenshot."""

    def __init__(self, count: int, shape: Shape):
        self.count, self.shape = count, shape
        self.browser = Chromium(WIDTH, HEIGHT * count)

    def render(self, seeds: list[int], split: str = "train", is_full: bool = False) -> list[Scene]:
        assert len(seeds) == self.count
        pages = [make_page(seed, split, i, is_full) for i, seed in enumerate(seeds)]
        self.browser.show(document(pages))
        facts = json.loads(self.browser.evaluate(EXTRACT))
        tall = self.browser.screenshot()
        images = tall.reshape(self.count, HEIGHT, WIDTH, 3)
        return [
            self._scene(page, image, fact) for page, image, fact in zip(pages, images, facts, strict=True)
        ]

    def _scene(self, page: Page, image: np.ndarray, fact: dict) -> Scene:
        boxes = {int(e[0]): (e[1], e[2], e[3], e[4]) for e in fact["elements"]}
        hit = {int(e[0]) for e in fact["elements"] if e[5]}
        return Scene(
            page=page,
            image=np.ascontiguousarray(image),
            boxes=boxes,
            hit=hit,
            glimpsed={int(e[0]) for e in fact["elements"] if e[6]},
            read={int(mark): tuple(box) for mark, box in fact["read"].items()},
            characters=character_map(self.shape, fact),
            roles=role_map(self.shape, page.elements, boxes, hit),
            above=fact["above"],
            below=fact["below"],
        )

    def close(self) -> None:
        self.browser.close()


def character_map(shape: Shape, fact: dict) -> np.ndarray:
    cells = np.zeros((shape.rows, shape.columns, shape.slots), np.uint8)
    for box in fact["opaque"]:
        cells[_covered(box, shape.patch)] = IGNORE
    chars = np.array(fact["chars"], np.int64).reshape(-1, 3)
    code = chars[:, 0]
    x, y = np.minimum(chars[:, 1:] / 8, (WIDTH - 1, HEIGHT - 1)).T  # rounding may touch the edge
    label = np.where((code > 32) & (code < 127), code - 32, IGNORE)
    slot = (x % shape.patch) * shape.slots // shape.patch
    cells[(y // shape.patch).astype(int), (x // shape.patch).astype(int), slot.astype(int)] = label
    return cells


def role_map(shape: Shape, elements: list[Element], boxes: dict, hit: set[int]) -> np.ndarray:
    cells = np.zeros((shape.rows, shape.columns), np.uint8)
    for element in elements:
        if element.id in hit:
            cells[_covered(boxes[element.id], shape.patch)] = ROLES[element.role]
    return cells


def _covered(box: tuple[float, ...] | list[float], patch: int) -> tuple[slice, slice]:
    """The cells whose centre lies in the box."""
    x, y, w, h = box
    top, left = max(0, round(y / patch)), max(0, round(x / patch))
    return slice(top, max(top, round((y + h) / patch))), slice(left, max(left, round((x + w) / patch)))
