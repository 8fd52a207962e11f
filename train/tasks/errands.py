"""Errands: many controls of one page, each to be brought into a state, and perhaps a button in the end.

What is done already is what the page shows to be so, what is ahead is what it does not: any number of wishes can be
behind and any number ahead, whatever the page was drawn with.
"""

from ..pages.page import Element, Select
from .clause import Clause
from .filling import picking, toward, type_line, type_step
from .pointing import click_line, click_step
from .sight import Sight

AT_MOST = {"field": 6, "search": 1, "checkbox": 3, "switch": 3, "radio": 2, "select": 3}  # of one errand
MOST = 8  # wishes, of which a page may lack one
INTENTS = {"checkbox": ("untick", "tick"), "switch": ("switch_off", "switch_on")}
Placed = tuple[Element, Clause]


def errand(see: Sight, least: int = 3, most: int = MOST) -> list[Clause]:
    """Clauses in the order in which they are to be done, of which the first that has a step is due. Empty where the
    page offers fewer controls than `least`, but for one. A short one nearly always ends with a button."""
    wanted = see.rng.randint(least, most)
    behind = see.rng.randint(0, wanted)
    done: list[Placed] = []
    ahead: list[Placed] = []
    for element in _controls(see):
        if len(done) < behind and (clause := _behind(see, element)):
            done.append((element, clause))
        elif len(ahead) < wanted - behind and (clause := _ahead(see, element)):
            ahead.append((element, clause))
    if len(done) + len(ahead) < max(least - 1, 1):
        return []
    if see.chance(0.8):
        done, ahead = _down_the_page(see, done), _down_the_page(see, ahead)
    ahead.sort(key=lambda placed: placed[1].kind != "option")  # a list that is open is being chosen from
    clauses = [clause for _, clause in (*done, *ahead)]
    button = end_button(see) if see.chance(0.7 if wanted > 2 else 0.9) else None
    return [*clauses, button] if button else clauses


def _down_the_page(see: Sight, placed: list[Placed]) -> list[Placed]:
    return sorted(placed, key=lambda each: (see.box(each[0])[1], see.box(each[0])[0]))


def _controls(see: Sight) -> list[Element]:
    """In any order, so many of each role, each with a name that is nobody else's; of a group of radio buttons one."""
    left, groups, chosen = dict(AT_MOST), set(), []
    for element in see.rng.sample(see.elements, len(see.elements)):
        if not left.get(element.role) or not element.name or not see.named_once(element.name):
            continue
        if not see.sees(element.id) and element not in see.gone:
            continue
        group = element.context if element.role == "radio" else str(element.id)
        if group not in groups:
            left[element.role] -= 1
            groups.add(group)
            chosen.append(element)
    return chosen


def _behind(see: Sight, element: Element) -> Clause | None:
    """What the page shows of it was asked for and done, now and then before the task began."""
    name, line = see.say.cased(element.name), click_line(see, element)
    match element.role:
        case "field" | "search" if element.value:
            text = see.say.type(element.role, name, element.value)
            line = type_line(see, element, element.value)
        case "checkbox" | "switch" if element.value or see.chance(0.3):
            text = _turned(see, element, bool(element.value))
        case "radio" if element.value:
            text = see.say.say("choose", x=see.say.thing("radio", name))
        case "select":
            widget = _list_of(see, element)
            shown = widget and element.value in widget.options and not widget.entries and see.sees(element.id)
            return picking(see, widget, element.value) if widget and shown else None
        case _:
            return None
    was_so = see.sees(element.id) and not element.traits.get("hidden") and see.chance(0.06)
    return Clause(text, [] if was_so else [line], kind="settled")


def _ahead(see: Sight, element: Element) -> Clause | None:
    """What the page does not show of it, and the next step toward it: perhaps to scroll."""
    name, far = see.say.cased(element.name), toward(see, element)
    match element.role:
        case "field" | "search":
            value = see.value(element.name)
            if value == element.value or "\n" in value:
                return None
            step = far or type_step(see, element, value)
            return Clause(see.say.type(element.role, name, value), step=step, kind="form")
        case "checkbox" | "switch":
            text = _turned(see, element, not element.value)
        case "radio" if not element.value:
            text = see.say.say("choose", x=see.say.thing("radio", name))
        case "select" if widget := _list_of(see, element):
            others = [option for option in widget.options if option != element.value]
            return picking(see, widget, see.rng.choice(others)) if others else None
        case _:
            return None
    return Clause(text, step=far or click_step(see, element), kind=element.role)


def _turned(see: Sight, element: Element, on: bool) -> str:
    return see.say.say(INTENTS[element.role][on], x=see.say.thing(element.role, see.say.cased(element.name)))


def _list_of(see: Sight, element: Element) -> Select | None:
    lists = (w for w in see.scene.page.widgets if isinstance(w, Select) and w.box == element.id)
    return next(lists, None)


def end_button(see: Sight) -> Clause | None:
    """A click leaves nothing on the page: it is done when the history says so."""
    buttons = [e for e in see.elements if e.role == "button" and e.name and see.named_once(e.name)]
    buttons = [e for e in buttons if see.sees(e.id) or e in see.gone]
    if not buttons:
        return None
    element = see.rng.choice(buttons)
    name, near = see.say.cased(element.name), see.sees(element.id)
    text = see.say.press("button", see.say.thing("button", name), name)
    return Clause(
        text, step=click_step(see, element) if near else toward(see, element), told=near, kind="button"
    )
