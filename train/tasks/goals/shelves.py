"""Goals about things in a row that are told by their place alone: what they are called, only the page says."""

from ...pages.page import Bulk, Order, Results, Shelf, Todo
from ...phrasebook import CONCEPT, OF, ORDINALS
from ..clause import Clause, Step
from ..pointing import click_step
from ..sight import Sight

ALIKE = (Shelf, Results, Todo, Bulk, Order)  # of which "the first item" might mean any


def by_place(widget: Shelf, see: Sight) -> Clause | None:
    """To open the first, to press the button of the last."""
    at = _drawn(widget, see)
    if at is None:
        return None
    nth = _ordinal(see, at, len(widget.names))
    for way in see.rng.sample([_button, _link], 2):
        if clause := way(widget, see, at, nth):
            return clause
    return None


def naming(see: Sight) -> Clause | None:
    """To say what the third is called."""
    widget = next((w for w in see.scene.page.widgets if isinstance(w, Shelf)), None)
    at = _drawn(widget, see) if widget else None
    if widget is None or at is None:
        return None
    kind, nth = _called(widget, see), _ordinal(see, at, len(widget.names))
    step = Step(f"The {nth} {kind}: {widget.names[at]}", {"action": "answer", "text": widget.names[at]})
    return Clause(see.say.say("name_nth", x=f"the {nth} {kind}"), step=step, told=True, kind="read")


def _drawn(widget: Shelf, see: Sight) -> int | None:
    """Which one; none where another list could be meant, or where the list begins out of sight."""
    if sum(isinstance(w, ALIKE) for w in see.scene.page.widgets) > 1 or len(widget.names) < 2:
        return None
    seen = [i for i, mark in enumerate(widget.marks) if mark in see.scene.read]
    return see.rng.choice([0, *seen]) if 0 in seen else None


def _ordinal(see: Sight, at: int, count: int) -> str:
    return "last" if at == count - 1 and see.chance(0.5) else ORDINALS[at]


def _called(widget: Shelf, see: Sight) -> str:
    return see.rng.choice([widget.kind, "item", "one", "result", "entry"])


def _button(widget: Shelf, see: Sight, at: int, nth: str) -> Clause | None:
    if not widget.buttons or not see.sees(widget.buttons[at]):
        return None
    button = see.element(widget.buttons[at])
    rivals = [e for e in see.elements if e.name == button.name and e.id not in widget.buttons]
    if rivals or any(e.concept == "cart" and e.id not in widget.buttons for e in see.elements):
        return None
    if button.concept == "cart":
        text = see.say.fill(CONCEPT["cart_nth"], o=nth)
    else:
        x = see.say.thing("button", see.say.cased(button.name))
        text = see.say.press(
            "button",
            see.say.fill(OF, x=x, y=x.removeprefix("the "), c=f"the {nth} {widget.kind}"),
            "",
        )
    return Clause(text, step=click_step(see, button), told=True, kind="nth")


def _link(widget: Shelf, see: Sight, at: int, nth: str) -> Clause | None:
    if not widget.links or not see.sees(widget.links[at]):
        return None
    x = f"the {nth} {_called(widget, see)}"
    return Clause(
        see.say.say("nth", x=x), step=click_step(see, see.element(widget.links[at])), told=True, kind="nth"
    )
