"""Clauses about one element: to click it, or double-click, right-click, hover over it; to turn it on or off."""

from ..pages.concepts import CONCEPTS
from ..pages.page import Element, Shelf
from ..phrasebook import CONCEPT
from .clause import Clause, Step, aim
from .references import refer
from .sight import Sight

OTHER_BUTTONS = {"double": ("double_click", "Double-click"), "right": ("right_click", "Right-click"), "hover": ("mouse_move", "Hover over")}  # fmt: skip
OPENED = ("select", "menu", "date")
SHOWS_STATE = (
    "checkbox",
    "radio",
    "switch",
    "tab",
    "page",
    "swatch",
    "star",
    "section",
    "folder",
    "day",
    "option",
    "select",
    "date",
    "menu",
    "item",
)  # a click on these can be seen
CHOSEN = ("radio", "tab", "page", "swatch")  # stay on when they are clicked again
NOT_POINTED = ("field", "search", "date", "select", "slider")


def click_step(see: Sight, element: Element) -> Step:
    return aim(click_line(see, element), see.box(element))


def click_line(see: Sight, element: Element) -> str:
    return f"{'Open' if element.role in OPENED else 'Click'} {see.line(element)}"


def press(see: Sight, element: Element, plainly: bool = False) -> Clause:
    """To click it, whatever its state."""
    if element.concept and see.chance(0.5) and (clause := by_concept(see, element)):
        return clause
    if see.chance(0.35) and removes(see, element):
        text = see.say.say("remove", c=see.say.quote(see.say.cased(element.context)))
        return Clause(text, step=click_step(see, element), kind="remove")
    if not plainly and see.chance(0.08) and element.role not in (*NOT_POINTED, "star", "swatch"):
        return with_other_button(see, element)
    is_settled = bool(element.value) and element.role in CHOSEN and see.chance(0.3)
    x = refer(see, element, plainly or is_settled)
    if see.scene.page.is_dialog and see.chance(0.4):
        x += see.rng.choice([" in the dialog", " in the dialog", " of the dialog box", " in the popup"])
    text = see.say.press(element.role, x, see.say.cased(element.name) if see.names_it(element) else "")
    if is_settled:
        line = click_line(see, element)  # which changed nothing where it was so before
        return Clause(text, past=[f"{line} (no change)" if see.chance(0.35) else line], kind="settled")
    told = element.role not in SHOWS_STATE and not see.scene.page.is_dialog
    return Clause(text, step=click_step(see, element), told=told, kind=element.role)


def removes(see: Sight, element: Element) -> bool:
    """Whether it takes away what it belongs to, and is the only one that does."""
    rivals = [e for e in see.glimpsed if e.context == element.context and _is_removal(e)]
    return bool(element.context) and _is_removal(element) and len(rivals) == 1


def _is_removal(element: Element) -> bool:
    return element.traits.get("icon") in ("cross", "trash can") or element.name in (
        "Delete",
        "Remove",
        "Drop",
    )


def with_other_button(see: Sight, element: Element) -> Clause:
    intent = see.rng.choice(list(OTHER_BUTTONS))
    verb, word = OTHER_BUTTONS[intent]
    text = see.say.say(intent, x=refer(see, element, plainly=True))
    return Clause(
        text, step=aim(f"{word} {see.line(element)}", see.box(element), verb), told=True, kind=intent
    )


def by_concept(see: Sight, element: Element) -> Clause | None:
    """By what it is for: "check out". Only where nothing else on the screen could be meant."""
    concept, widgets = element.concept, see.scene.page.widgets
    labels = {label.lower() for label in CONCEPTS[concept]}
    meant = [e for e in see.glimpsed if e.concept == concept or e.name.lower() in labels]
    if len(meant) == 1:
        text = see.say.fill(CONCEPT[concept])
        if concept == "cart" and element.context and see.chance(0.6):
            text = see.say.fill(CONCEPT["cart_of"], c=see.say.quote(see.say.cased(element.context)))
        if concept == "cart" and see.chance(0.25) and not any(isinstance(w, Shelf) for w in widgets):
            text = see.say.fill(CONCEPT["cart_nth"], o="first")
        return Clause(text, step=click_step(see, element), told=True, kind=element.role)
    if concept != "cart" or any(e.concept != "cart" for e in meant) or len(see.twins(element)) != len(meant):
        return None
    seen = [e.id for e in see.twins(element)]
    shelf = next((w.buttons for w in widgets if isinstance(w, Shelf) and element.id in w.buttons), seen)
    counts_alike = shelf[: len(seen)] == seen  # as things are listed and as they lie on the screen
    if counts_alike and (see.chance(0.5) or not see.in_context(element)):
        text = see.say.fill(CONCEPT["cart_nth"], o=see.ordinal(element))
    elif not see.in_context(element):
        return None
    else:
        text = see.say.fill(CONCEPT["cart_of"], c=see.say.quote(see.say.cased(element.context)))
    return Clause(text, step=click_step(see, element), told=True, kind=element.role)


def set_state(see: Sight, element: Element, on: bool, plainly: bool = False) -> Clause:
    """To have a box, a switch or an open part in a state: nothing is to be done where it is in that state."""
    intents = {
        "checkbox": ("tick", "untick"),
        "switch": ("switch_on", "switch_off"),
        "section": ("expand", "collapse"),
        "folder": ("expand", "collapse"),
    }[element.role]
    is_settled = bool(element.value) == on
    text = see.say.say(intents[not on], x=refer(see, element, plainly or is_settled))
    if is_settled:
        return Clause(text, past=[click_line(see, element)], kind="settled")
    return Clause(text, step=click_step(see, element), kind=element.role)
