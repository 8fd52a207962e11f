"""What a person sees on a rendered page: which elements, what each is called, and which words fit one alone."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..language import Phrases
from ..pages import HEIGHT, WIDTH
from ..pages.page import Element, Fact
from ..phrasebook import ORDINALS
from ..render import Scene
from ..words import Words
from .clause import Box

# Roles that look alike: words for one of them may fit another.
KINDS = {
    "clickable": ("button", "link", "tab", "icon", "menu", "section", "page", "option", "folder", "leaf", "item", "day"),
    "text field": ("field", "search", "date"),
    "box": ("checkbox", "radio", "switch"),
}  # fmt: skip
ALWAYS_OF = ("star", "swatch", "day")  # mean nothing without what they belong to


@dataclass
class Sight:
    scene: Scene
    rng: random.Random
    split: str
    words: Words = field(init=False)
    say: Phrases = field(init=False)

    def __post_init__(self):
        self.words = Words(self.rng, self.split)
        self.say = Phrases(self.rng, self.split == "heldout")
        page = self.scene.page
        self.elements = page.elements
        self.visible = [e for e in page.elements if self.scene.is_visible(e)]
        self.glimpsed = [e for e in page.elements if e.id in self.scene.glimpsed]
        self.gone = [] if page.is_covered else [e for e in page.elements if self.scene.is_gone(e)]

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def value(self, name: str) -> str:
        """What is to be typed into a field of this name; now and then with letters or figures doubled, or with a sign
        or capital where none is expected, so that every letter has to be copied."""
        text = self.words.value_for(name).strip() or self.words.noun()
        if self.chance(0.12):
            at = self.rng.randrange(len(text))
            text = text[: at + 1] + text[at] + text[at + 1 :]
        if self.chance(0.04):
            text += self.rng.choice(["!", "?", " 2", "-7", "_x", "00", "11", ".", "&co", "/b", "+1"])
        return text

    def distinct(self, make: Callable[[], str], count: int) -> list[str]:
        """Texts of which no two are the same, whatever their case."""
        return list({plain(text): text for text in (make() for _ in range(count))}.values())

    def element(self, id: int) -> Element:
        return self.elements[id]

    def sees(self, id: int) -> bool:
        return self.scene.is_visible(self.elements[id])

    def box(self, element: Element) -> Box:
        return self.scene.boxes[element.id]

    @cached_property
    def reading_order(self) -> list[Element]:
        """Glimpsed elements line by line; what begins within 6 px is on one line."""
        return sorted(self.glimpsed, key=lambda e: (round(self.box(e)[1] / 6), self.box(e)[0]))

    def called(self, element: Element) -> str:
        """What it shows: its name in quotes, or a description."""
        t = element.traits
        if element.name:
            return f"page {element.name}" if element.role == "page" else f"'{element.name}'"
        match element.role:
            case "icon":
                return f"the {t['icon']} icon"
            case "shape":
                return "the " + " ".join(t[k] for k in ("size", "color", "shape") if k in t)
            case "swatch":
                return f"the {t['color']} swatch"
            case "star":
                return f"star {t['number']}"
        return f"the {element.role}"

    @cached_property
    def by_call(self) -> dict[str, list[Element]]:
        """Glimpsed elements in reading order, by what they show, whatever its case. A page's number shows a
        number like any other, though "page 2" means no other."""
        found: dict[str, list[Element]] = {}
        for element in self.reading_order:
            calls = (
                {self.called(element), f"'{element.name}'"}
                if element.role == "page"
                else {self.called(element)}
            )
            for call in calls:
                found.setdefault(plain(call), []).append(element)
        return found

    def twins(self, element: Element) -> list[Element]:
        """Elements that show the same, in reading order; to a field without a name any field is its like."""
        if element.role == "field" and not element.name:
            return [e for e in self.reading_order if e.role in self.kind(element)]
        return self.by_call.get(plain(self.called(element)), [element])

    def names_it(self, element: Element) -> bool:
        """Whether what it shows is enough to tell it from all else that is seen."""
        return len(self.twins(element)) == 1

    def in_context(self, element: Element) -> bool:
        """Whether what it shows and what it belongs to are enough."""
        same = [e for e in self.twins(element) if plain(e.context) == plain(element.context)]
        return bool(element.context) and len(same) == 1

    def ordinal(self, element: Element) -> str:
        place = next(i for i, e in enumerate(self.twins(element)) if e.id == element.id)
        return ORDINALS[place] if place < len(ORDINALS) else f"{place + 1}th"

    def line(self, element: Element) -> str:
        """The one way in which thoughts name it: 'Save', 'Edit' of 'Ada', the second 'Edit'."""
        called = self.called(element)
        if element.role in ALWAYS_OF and element.context and self.in_context(element):
            return f"{called} of '{element.context}'"
        if self.names_it(element):
            return called
        if self.in_context(element):
            return f"{called} of '{element.context}'"
        return f"the {self.ordinal(element)} {called.removeprefix('the ')}"

    def kind(self, element: Element) -> tuple[str, ...]:
        return next((roles for roles in KINDS.values() if element.role in roles), (element.role,))

    def alike(self, element: Element) -> list[Element]:
        """Glimpsed elements that the same kind of word would fit, the element included."""
        roles = self.kind(element)
        return [e for e in self.glimpsed if e.role in roles]

    def named_once(self, name: str) -> bool:
        """Whether one element of the whole page, seen or not, has the name."""
        return sum(plain(e.name) == plain(name) for e in self.elements) == 1

    def is_free(self, box: Box, owner: Element) -> bool:
        """Whether no other element lies over the middle of a part of its owner."""
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
        others = (self.box(e) for e in self.glimpsed if e.id != owner.id)
        return not any(left <= x <= left + w and top <= y <= top + h for left, top, w, h in others)

    def can_read(self, fact: Fact) -> bool:
        return all(mark in self.scene.read for mark in fact.marks)

    @cached_property
    def is_whole(self) -> bool:
        """Whether the page ends well above the lower edge: there is nothing more to find."""
        rows = np.flatnonzero(self.scene.characters.any(axis=(1, 2)))
        text = (rows.max() + 1) / self.scene.characters.shape[0] if len(rows) else 0
        boxes = max((y + h for _, y, _, h in self.scene.boxes.values()), default=0) / HEIGHT
        return not self.scrolls and max(text, boxes) < 0.75

    @property
    def scrolls(self) -> bool:
        return self.scene.above > 0 or self.scene.below > 0


def plain(text: str) -> str:
    return "".join(text.lower().split())


def corner(box: Box) -> tuple[float, float]:
    """The centre, as shares of the screen."""
    return (box[0] + box[2] / 2) / WIDTH, (box[1] + box[3] / 2) / HEIGHT
