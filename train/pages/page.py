"""What a page says about itself: elements that can be acted on, widgets with a state, facts that can be read.

Knows nothing of how they look or of what users want from them.
"""

import html
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ..words import Words

WIDTH, HEIGHT = 480, 360


@dataclass
class Element:
    """Something a user can act on. `context` names the row or card it belongs to, when its own name is not enough;
    `traits` is what else can be seen: icon, color, shape, size."""

    id: int
    role: str
    name: str  # the text on it or its label; "" where it shows none
    context: str = ""
    value: str = ""  # what it holds: typed text, the chosen option, "on"
    concept: str = ""  # "cart", "checkout", ...: a meaning that tasks may name instead of the text
    form: int = -1
    traits: dict[str, str] = field(default_factory=dict)


@dataclass
class Ticks:
    """Boxes of which any number may be on (`value` of the element)."""

    name: str
    boxes: list[int]


@dataclass
class Choice:
    """Exactly one of several is on: radio buttons, tabs, pages of a list, colour swatches, parts of a switch."""

    name: str
    options: list[int]
    chosen: int | None


@dataclass
class Select:
    """A list that drops down. `entries` are there while it is open."""

    box: int
    options: list[str]
    entries: list[int]


@dataclass
class Stepper:
    name: str
    minus: int
    plus: int
    value: int


@dataclass
class Slider:
    name: str
    track: int
    value: int
    low: int
    high: int
    step: int


@dataclass
class Rating:
    name: str
    stars: list[int]
    value: int


@dataclass
class Calendar:
    """A date field and, while open, the days of one month. Dates are (year, month, day)."""

    box: int
    value: tuple[int, int, int] | None
    year: int = 0
    month: int = 0
    previous: int = -1
    following: int = -1
    days: list[int] = field(default_factory=list)  # of day 1, 2, ...; empty while closed


@dataclass
class Menu:
    """A button or a menu's name, and its entries; `ids` are there while it is open."""

    trigger: int
    entries: list[str]
    ids: list[int]


@dataclass
class Sections:
    """Headings that open and close what is under them (`value` of the element: "open")."""

    heads: list[int]


@dataclass
class Tree:
    """Folders (`value`: "open") and leaves, in order; `depth` of each. A closed folder's children are not drawn but
    known by name in `hidden`."""

    nodes: list[int]
    depth: list[int]
    hidden: dict[int, list[str]]


@dataclass
class Suggestions:
    """A text field with what it proposes for the text typed so far."""

    box: int
    entries: list[int]


@dataclass
class Sorting:
    """Heads of a table; it is sorted by one of them."""

    heads: list[int]
    by: int | None
    descending: bool


@dataclass
class Results:
    """Links found, so many on each page of the list; this is one of its pages."""

    links: list[int]
    page: int  # from 1
    pages: list[int]  # elements that lead to page 1, 2, ...


@dataclass
class Shelf:
    """Things one after another, by name: products, rows, results. `marks` are their names as text; `links` open them
    and `buttons` do something with each, where there are such."""

    kind: str  # what one of them is called: "product", "row"
    names: list[str]
    marks: list[int]
    links: list[int]
    buttons: list[int]


@dataclass
class Order:
    """Things that can be dragged to another place among their like."""

    items: list[int]


@dataclass
class Todo:
    """Things to do. Per row: its text, box, name, the sign that deletes it, the pencil; None where it has none. One
    row may be a text field (`editing`), and the mouse may be on one (`pointed`) where it alone shows its sign."""

    entry: int
    prompt: str
    add: int | None
    texts: list[str]
    ticks: list[int | None]
    names: list[int]
    ends: list[int | None]
    pencils: list[int | None]
    editing: int | None
    pointed: int | None = None
    hides: bool = False


@dataclass
class Bulk:
    """Rows to tick, and a list of what a button does with those that are."""

    boxes: list[int]
    select: int
    go: int


@dataclass
class Listing:
    """Records of a kind, by what leads to each, and what adds another."""

    noun: str
    add: int | None
    things: dict[str, int]


@dataclass
class Record:
    """One record of a kind; `thing` is what it is called when it is not new."""

    noun: str
    thing: str
    fields: list[int]
    save: int


@dataclass
class Product:
    """What can be bought: groups of variants, perhaps how many, the button, whether it is in the cart already."""

    title: str
    groups: dict[str, list[int]]
    number: Select | None
    cart: int
    is_added: bool


@dataclass
class Overlay:
    """What lies over the page, and the one right way to get rid of it; `asks` names what it wants confirmed."""

    dismiss: int
    confirm: int | None = None
    asks: str = ""
    mark: int | None = None  # of a banner that hides only what is under it


Widget = (
    Ticks | Choice | Select | Stepper | Slider | Rating | Calendar | Menu | Sections | Tree | Suggestions
    | Sorting | Order | Results | Shelf | Todo | Bulk | Listing | Record | Product
)  # fmt: skip


@dataclass
class Fact:
    """`attribute` of `subject` is `value`; `marks` are the pieces of text that must all be seen to know it."""

    subject: str  # "" where the page as a whole is meant
    attribute: str
    value: str
    marks: list[int]


@dataclass
class Count:
    """There are so many of these; all `marks` must be seen."""

    what: str
    marks: list[int]
    total: int


@dataclass
class Page:
    html: str
    elements: list[Element]
    forms: list[list[int]]  # per form: ids of its fields in order, the submit button last
    widgets: list[Widget]
    facts: list[Fact]
    counts: list[Count]
    overlay: Overlay | None
    scroll: float  # share of the way down
    is_covered: bool  # a dialog, notice or banner lies over the page
    is_dialog: bool  # and nothing but it can be acted on


@dataclass
class Builder:
    """Writes one page: draws from one random stream and keeps the record."""

    rng: random.Random
    words: Words
    held_out: bool
    style: float = 0.5  # 0..1: what icons of this page have in common
    elements: list[Element] = field(default_factory=list)
    forms: list[list[int]] = field(default_factory=list)
    widgets: list[Widget] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    overlay: Overlay | None = None
    marks: int = 0
    labels: dict[str, str] = field(default_factory=dict)  # names of controls by their letters: no two alike

    def add(self, role: str, name: str, **more) -> str:
        """Registers an element and returns the attribute that marks it in the HTML."""
        self.elements.append(Element(len(self.elements), role, name, **more))
        return f'data-e="{len(self.elements) - 1}"'

    @property
    def last(self) -> int:
        """The element added last."""
        return len(self.elements) - 1

    def mark(self) -> tuple[int, str]:
        """A piece of text whose visibility will be known, and its attribute."""
        self.marks += 1
        return self.marks - 1, f'data-f="{self.marks - 1}"'

    def fact(self, subject: str, attribute: str, value: str, *marks: int) -> None:
        self.facts.append(Fact(subject, attribute, value, list(marks)))

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def button(self, name: str, style: str = "btn", **more) -> str:
        mark, tag = self.add("button", name, **more), self.rng.choice(["button", "button", "a", "div"])
        return f'<{tag} class="{style}" {mark}>{esc(name)}</{tag}>'

    def link(self, name: str, role: str = "link", style: str = "link", **more) -> str:
        return f'<a class="{style}" {self.add(role, name, **more)}>{esc(name)}</a>'

    def distinct(self, make: Callable[[], str], n: int, numbered: float = 0.0) -> list[str]:
        """Up to n names, no two alike; in a share of the calls they differ by their number alone."""
        if self.chance(numbered):
            noun, first = self.noun(), self.rng.choice([1, 1, 1, 2, 4, 9])
            form = self.rng.choice(
                ["{} {}", "{} {}", "{} #{}", "{} #{}", "{} no. {}", "{}-{}", "{} ({})", "{1}. {0}"]
            )
            return [form.format(noun, number) for number in range(first, first + n)]
        names: dict[str, str] = {}
        for _ in range(4 * n):
            name = make()
            names.setdefault(name.lower(), name)
            if len(names) == n:
                break
        return list(names.values())

    def label(self, make: Callable[[], str]) -> str:
        """A name for a control that no other control of this page has."""
        for _ in range(20):
            name = make()
            if letters(name) not in self.labels:
                break
        else:
            name = f"{self.words.pseudo().capitalize()} {self.words.noun()}"
        self.labels[letters(name)] = name
        return name

    def noun(self) -> str:
        return self.words.cased(self.words.noun())


def letters(name: str) -> str:
    """What is left of a name when case, spaces, signs and a spelling that varies are not looked at."""
    return "".join(c for c in name.lower() if c.isalnum()).replace("colour", "color")


def esc(text: str) -> str:
    return html.escape(text, quote=True)
