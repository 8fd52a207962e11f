"""How a user refers to an element: by name, icon, colour, shape, place, order, or relation to something else.

Every way gives words only if they fit no other element that can be seen.
"""

import difflib

from ..pages.colors import ALSO
from ..pages.icons import ICONS, SHARED_PURPOSES
from ..pages.page import Choice, Element, Ticks
from ..phrasebook import ICON, OF, ORDINALS, PURPOSE, SYNONYMS
from .facts import BY_PRICE, alone_in_column, extreme
from .sight import Sight, corner, plain

ROLE_WORDS = {
    "clickable": "[button|link]", "button": "button", "link": "link", "tab": "tab", "icon": "[icon|icon button|symbol]",
    "field": "[text field|field|input|textbox|text box|input field|text input]", "search": "[search box|search field|search bar]", "date": "[date field|field]",
    "select": "[dropdown|drop-down list|select box]", "checkbox": "[checkbox|box]", "radio": "[radio button|option]",
    "switch": "[switch|toggle]", "slider": "slider", "menu": "menu", "section": "section", "option": "[entry|option]",
    "folder": "folder", "leaf": "entry", "page": "[page number|page]", "item": "[item|row]", "day": "day", "shape": "shape", "swatch": "color swatch", "star": "star",
}  # fmt: skip
SHOWS_NAME = (
    "button",
    "link",
    "tab",
    "checkbox",
    "radio",
    "section",
    "menu",
    "leaf",
    "folder",
    "item",
    "option",
    "page",
)
SIGNS = {"cross": "x", "plus": "+", "minus": "-", "question mark": "?"}
SIGN = [
    "the [button|icon] [labeled|labelled|marked|with the|that shows|with] {q}",
    "the {q}",
    "the {q} [button|icon|sign]",
]
PLACES = {"top right": (1, -1), "top left": (-1, -1), "bottom right": (1, 1), "bottom left": (-1, 1)}


def refer(see: Sight, element: Element, plainly: bool = False) -> str:
    """Words for the element. `plainly`: by its name or description, with what it belongs to where that is needed."""
    ways = (
        []
        if plainly or see.chance(0.62)
        else [
            by_place,
            by_relation,
            by_order,
            by_rank,
            by_lines,
            by_kind,
            by_color,
            by_start,
            with_slip,
            by_synonym,
            by_state,
            by_any,
            by_fact,
            by_price,
        ]
    )
    see.rng.shuffle(ways)
    for way in ways[:4]:
        if words := way(see, element):
            return words
    return by_name(see, element)


def by_name(see: Sight, element: Element) -> str:
    words = _description(see, element)
    must = element.role in ("star", "swatch") and bool(element.context)
    if (
        see.names_it(element)
        and not must
        and not (element.context and see.chance(0.25) and see.in_context(element))
    ):
        return words
    if see.in_context(element) and (must or see.chance(0.75)):
        return see.say.fill(
            OF, x=words, y=words.removeprefix("the "), c=see.say.quote(see.say.cased(element.context))
        )
    return _nth(see, element, words)


def _description(see: Sight, element: Element) -> str:
    if element.name:
        return see.say.thing(element.role, see.say.cased(element.name))
    traits = element.traits
    match element.role:
        case "icon":
            return _icon(see, element)
        case "shape":
            return _shape(see, element)
        case "swatch":
            names = [traits["color"], *ALSO.get(traits["color"], [])]
            return see.say.fill(
                ["{c}", "the color {c}", "the {c} [swatch|square|one|color|colored box]"],
                c=see.rng.choice(names),
            )
        case "star":
            return see.say.fill(
                ["star {n}", "the {o} star", "star number {n}"],
                n=traits["number"],
                o=ORDINALS[int(traits["number"]) - 1],
            )
    return f"the {see.say.fill([ROLE_WORDS[element.role]])}"


def _icon(see: Sight, element: Element) -> str:
    name = element.traits["icon"]
    _, looks, purposes = ICONS[name]
    shown = {e.traits["icon"] for e in see.glimpsed if e.role == "icon"}
    words = {p.lower() for e in see.glimpsed for p in [e.name] if p}
    purposes = [
        p
        for p in purposes
        if p not in SHARED_PURPOSES and p not in words and sum(p in ICONS[i][2] for i in shown) == 1
    ]
    if purposes and see.chance(0.3):
        return see.say.fill(PURPOSE, p=see.rng.choice(purposes))
    if name in SIGNS and see.chance(0.15):
        return see.say.fill(SIGN, q=see.say.quote(SIGNS[name]))
    looks = [w for w in looks if not any(w in (i, *ICONS[i][1]) for i in shown - {name})]
    return see.say.fill(ICON, i=see.rng.choice([name, name, *looks]))


def _shape(see: Sight, element: Element) -> str:
    """As few traits as tell it from the other shapes, or all."""
    traits = element.traits
    keys = see.rng.sample(
        [k for k in ("shape", "color", "size") if k in traits],
        k=len([k for k in ("shape", "color", "size") if k in traits]),
    )
    chosen: list[str] = []
    shapes = [e for e in see.glimpsed if e.role == "shape"]
    for key in keys:
        chosen.append(key)
        if sum(all(e.traits.get(k) == traits[k] for k in chosen) for e in shapes) == 1 and see.chance(0.7):
            break
    said = {k: see.rng.choice([traits[k], *ALSO.get(traits[k], [])]) for k in chosen if k != "shape"}
    noun = traits["shape"] if "shape" in chosen else see.rng.choice(["shape", "one", "figure"])
    if said.get("size"):
        said["size"] = see.rng.choice(
            {"small": ["small", "little", "small"], "large": ["large", "big", "large"]}[traits["size"]]
        )
    return "the " + " ".join([*(said[k] for k in ("size", "color") if k in said), noun])


def _nth(see: Sight, element: Element, words: str) -> str:
    """The second 'Edit'. "Last" and the leftmost of shapes only where they are plain to see."""
    twins = see.twins(element)
    nth = (
        "last" if len(twins) > 1 and twins[-1].id == element.id and see.chance(0.4) else see.ordinal(element)
    )
    if len(twins) == 1:
        return words
    if element.name:
        q = see.say.quote(see.say.cased(element.name))
        return see.say.fill(
            ["the {o} {q}", "the {o} {q} {r}", "the {o} {r} {q}"],
            o=nth,
            q=q,
            r=see.say.fill([ROLE_WORDS[element.role]]),
        )
    if element.role == "field":
        return f"the {nth} {_role(see, element)}"
    return f"the {nth} {see.called(element).removeprefix('the ')}"


def by_place(see: Sight, element: Element) -> str | None:
    """The button at the top right: further in that corner than all its like by a good way."""
    if (see.scrolls and see.chance(0.5)) or not see.sees(element.id):
        return None
    like = [e for e in see.alike(element) if e.id != element.id]
    x, y = corner(see.box(element))
    for words, (right, down) in PLACES.items():
        if (x - 0.5) * right < 0.1 or (y - 0.5) * down < 0.1:
            continue
        others = (corner(see.box(e)) for e in like)
        if all(x * right + y * down > ox * right + oy * down + 0.12 for ox, oy in others):
            return see.say.fill(
                ["the {r} [at|on] the {p}", "the {r} in the {p} corner", "the {p} {r}"],
                r=_role(see, element),
                p=words,
            )
    return None


def by_relation(see: Sight, element: Element) -> str | None:
    """The button below 'Price': the nearest of its like in that direction, clearly, and aligned with it."""
    anchors = [e for e in see.visible if e.role in SHOWS_NAME and e.id != element.id and see.names_it(e)]
    for anchor in see.rng.sample(anchors, min(6, len(anchors))):
        for words, axis, sign in (("below", 1, 1), ("above", 1, -1), ("right of", 0, 1), ("left of", 0, -1)):
            if gap_to(see, anchor, element, axis, sign) is None:
                continue
            gaps = sorted(
                (g, e.id)
                for e in see.alike(element)
                if e.id != anchor.id and (g := gap_to(see, anchor, e, axis, sign)) is not None
            )
            if gaps[0][1] != element.id or gaps[0][0] > 60 or (len(gaps) > 1 and gaps[1][0] < gaps[0][0] + 8):
                continue
            where = see.say.fill(
                [
                    {"below": "[below|under|beneath|right below]", "above": "[above|over|right above]"}.get(
                        words, f"[to the {words}|{words}]"
                    )
                ]
            )
            return f"the {_role(see, element)} {where} {see.say.quote(see.say.cased(anchor.name))}"
    return None


def gap_to(see: Sight, anchor: Element, other: Element, axis: int, sign: int) -> float | None:
    """How far the other lies from the anchor along an axis, or None if it is not aligned with it on that side."""
    a, o = see.box(anchor), see.box(other)
    across = 1 - axis
    overlap = min(a[across] + a[across + 2], o[across] + o[across + 2]) - max(a[across], o[across])
    if overlap < 0.5 * min(a[across + 2], o[across + 2]):
        return None
    gap = o[axis] - a[axis] - a[axis + 2] if sign > 0 else a[axis] - o[axis] - o[axis + 2]
    return gap if gap > -2 else None


def by_order(see: Sight, element: Element) -> str | None:
    """The third tab: in a group that is the only one of its kind on the screen and wholly in view."""
    for widget in see.scene.page.widgets:
        ids = (
            widget.options
            if isinstance(widget, Choice)
            else widget.boxes
            if isinstance(widget, Ticks)
            else []
        )
        if (
            element.id not in ids
            or element.role in ("swatch", "page")
            or len(ids) < 2
            or not all(see.sees(i) for i in ids)
        ):
            continue
        if sum(e.role == element.role for e in see.glimpsed) != len(ids):
            return None
        rows = [e.id for e in see.reading_order if e.id in ids]
        place = rows.index(element.id)
        if place >= len(ORDINALS):
            return None
        nth = "last" if place == len(rows) - 1 and see.chance(0.5) else ORDINALS[place]
        return f"the {nth} {_role(see, element)}"
    return None


def by_rank(see: Sight, element: Element) -> str | None:
    """The third field: of all that the page has, named or not."""
    like = [e for e in see.reading_order if e.role in see.kind(element)]
    if element.role not in ("field", "select", "slider", "checkbox") or see.scrolls or not 1 < len(like) < 9:
        return None
    if any(not see.sees(e.id) or e.role != element.role for e in like):
        return None
    place = next(i for i, e in enumerate(like) if e.id == element.id)
    nth = "last" if place == len(like) - 1 and see.chance(0.4) else ORDINALS[place]
    return see.say.fill(
        ["the {o} {r}", "{r} number {p}"][: 2 if see.chance(0.3) else 1],
        o=nth,
        r=_role(see, element),
        p=str(place + 1),
    )


def by_lines(see: Sight, element: Element) -> str | None:
    """The text area: the only field of several lines."""
    if element.role != "field" or sum("lines" in e.traits for e in see.glimpsed) != 1:
        return None
    if "lines" not in element.traits:
        return None
    return see.say.fill(
        [
            "the [text area|textarea|large text box|multi-line field|big text field]",
            "the field of several lines",
        ]
    )


def by_kind(see: Sight, element: Element) -> str | None:
    """The search box: there is no other."""
    if len(see.alike(element)) > 1 or element.role in ("star", "swatch", "shape"):
        return None
    where = see.rng.choice(["", "", "", " below", " here", " on this page"])
    return f"the {see.rng.choice(['', '', 'only '])}{_role(see, element)}{where}"


def by_any(see: Sight, element: Element) -> str | None:
    """A checkbox: any will do, and so the first is taken."""
    if (
        element.role not in ("checkbox", "radio", "select", "switch", "field", "button", "slider")
        or see.scrolls
    ):
        return None
    first = next(e for e in see.reading_order if e.role in see.kind(element))
    if first.id != element.id or len(see.alike(element)) < 2:
        return None
    return see.say.fill(["[any|a|some] {r}"], r=_role(see, element))


def by_fact(see: Sight, element: Element) -> str | None:
    """The Edit link in the row whose status is Pending: no other row has that."""
    if not element.context or not see.in_context(element) or see.names_it(element):
        return None
    facts = [f for f in alone_in_column(see) if f.subject == element.context]
    if not facts:
        return None
    fact, words = see.rng.choice(facts), _description(see, element)
    where = ["where the {a} is {v}", "in the row with {a} {v}", "of the one whose {a} is {v}"]
    return f"{words} {see.say.fill(where, a=fact.attribute, v=see.say.quote(fact.value))}"


def by_price(see: Sight, element: Element) -> str | None:
    """The button of the cheapest."""
    if not element.context or not see.in_context(element) or see.names_it(element):
        return None
    for most in (False, True):
        fact = extreme(see, most)
        if fact and fact.attribute == "price" and fact.subject == element.context:
            w = see.rng.choice(BY_PRICE[most])
            return f"{_description(see, element)} " + see.say.fill(
                ["[of|for|at] the {w} [item|one|product]"], w=w
            )
    return None


def by_color(see: Sight, element: Element) -> str | None:
    """The red button, where every button has a colour of its own."""
    color = element.traits.get("color")
    if not color or element.role != "button":
        return None
    buttons = [e for e in see.glimpsed if e.role in ("button", "icon")]
    if not all("color" in e.traits for e in buttons) or sum(e.traits["color"] == color for e in buttons) != 1:
        return None
    return see.say.fill(
        ["the {c} button", "the button [that is|in] {c}", "the {c} one"],
        c=see.rng.choice([color, *ALSO.get(color, [])]),
    )


def by_start(see: Sight, element: Element) -> str | None:
    start = plain(element.name)[:3]
    if (
        element.role not in SHOWS_NAME
        or len(element.name) < 5
        or " " in element.name[:3]
        or not see.names_it(element)
    ):
        return None
    if sum(plain(e.name).startswith(start) for e in see.glimpsed) != 1:
        return None
    part = see.say.quote(element.name[:3])
    return see.say.fill(
        [
            "the {r} [that starts|starting|beginning] with {p}",
            "the {r} whose [name|text] [starts|begins] with {p}",
        ],
        r=_role(see, element),
        p=part,
    )


def with_slip(see: Sight, element: Element) -> str | None:
    """By a misspelt name that is near no other."""
    if (
        len(element.name) < 6
        or not element.name.isascii()
        or not see.names_it(element)
        or element.role not in SHOWS_NAME
    ):
        return None
    wrong = see.say.slip(element.name)
    others = (e.name.lower() for e in see.glimpsed if e.id != element.id and e.name)
    if any(difflib.SequenceMatcher(None, wrong.lower(), o).ratio() > 0.7 for o in others):
        return None
    return see.say.thing(element.role, wrong)


def by_synonym(see: Sight, element: Element) -> str | None:
    own = element.name.lower()
    for words in SYNONYMS:
        if own in words and sum(e.name.lower() in words for e in see.glimpsed) == 1:
            return see.say.thing(element.role, see.rng.choice(sorted(words - {own})).capitalize())
    return None


def by_state(see: Sight, element: Element) -> str | None:
    """The box that is not ticked: all the others are."""
    if element.role not in ("checkbox", "switch", "tab"):
        return None
    like = [e for e in see.glimpsed if e.role == element.role]
    if len(like) < 2 or sum(e.value == element.value for e in like) != 1:
        return None
    words = {
        "checkbox": [
            "the [box|checkbox|option|one] that is{n} ticked",
            "the only [box|checkbox] that is{n} ticked",
        ],
        "switch": ["the [switch|toggle|one] that is {o}", "the only switch that is {o}"],
        "tab": ["the tab that is{n} [active|selected]", "the [only|one] tab that is{n} [open|active]"],
    }[element.role]
    return see.say.fill(words, n="" if element.value else " not", o="on" if element.value else "off")


def _role(see: Sight, element: Element) -> str:
    """A word for what it is. Buttons and links may look alike; those words fit both, and both were counted."""
    return see.say.fill([ROLE_WORDS[element.role]])
