"""Several clauses about one page that belong together: a form field by field, what is done with what a search found.

Each clause knows what the page shows of it, as all clauses do; the first that is not done is due.
"""

from ..pages.page import Element, Sections, Select, Shelf
from .clause import Clause, key_step
from .filling import form_lines, form_step, picking, toward, type_line, type_step, wanted_in
from .goals import goal
from .pointing import click_line, click_step, press
from .references import refer
from .sight import Sight


def field_by_field(see: Sight, ids: list[int]) -> list[Clause]:
    """To fill in a form, one clause for each field in the order of the page, and perhaps to send it. Empty where a
    name fits two."""
    form = [see.element(i) for i in ids]
    *fields, submit = form
    fields = [f for f in fields if f.role in ("field", "select") and (f.role == "field" or see.chance(0.6))]
    if not fields or any(not see.named_once(f.name) for f in fields):
        return []
    kept = see.rng.choice([1.0, 1.0, 0.8])
    clauses = [_field(see, f, kept) for f in fields]
    found = [c for c in clauses if c]
    if len(found) < len(fields):
        return []
    if see.chance(0.75) and see.named_once(submit.name):
        step = click_step(see, submit) if see.sees(submit.id) else toward(see, submit)
        text = see.say.press("button", see.say.thing("button", see.say.cased(submit.name)), "")
        is_sent = see.sees(submit.id)
        return [*found, Clause(text, step=step, told=is_sent, kind="submit")] if step else found
    return found


def _field(see: Sight, element: Element, kept: float) -> Clause | None:
    wanted = wanted_in(see, element, kept)
    if element.role == "select" and see.sees(element.id):
        widgets = [w for w in see.scene.page.widgets if isinstance(w, Select) and w.box == element.id]
        return picking(see, widgets[0], wanted)
    name = see.say.cased(element.name)
    text = see.say.type("field", name, wanted)
    if element.role == "select":
        text = see.say.say("pick", q=see.say.quote(wanted), x=see.say.thing("select", name), n=name)
    if element.value == wanted:
        return Clause(text, past=form_lines(see, element, wanted), kind="settled")
    step = form_step(see, element, wanted)
    return Clause(text, step=step, kind="form") if step else None


def after_search(see: Sight) -> list[Clause]:
    """To search, and to take one of the things that are there, most often by its place. What stands in the box was
    typed; a box may also be empty again, and then only the history knows. Empty where the page has no such things."""
    boxes = [e for e in see.elements if e.role == "search"]
    if len(boxes) != 1 or not see.sees(boxes[0].id):
        return []
    box, then = boxes[0], _with_found(see)
    if not then:
        return []
    query = box.value or see.rng.choice([see.words.thing, see.words.noun, lambda: see.value("x")])().strip()
    return [*_search(see, box, query or "lamp"), *then]


def _search(see: Sight, box: Element, query: str) -> list[Clause]:
    """By Enter, or by the button where that is said. A search that was made shows its query or nothing at all."""
    buttons = [e for e in see.visible if e.concept == "search" and e.name and see.names_it(e)]
    typed, was_made = type_line(see, box, query), see.chance(0.55)
    typing = Clause(see.say.type("search", box.name, query), [typed], kind="settled")
    if not box.value and not was_made:
        typing = Clause(typing.text, step=type_step(see, box, query), kind="search")
    if len(buttons) == 1 and see.chance(0.25):
        x = see.say.thing("button", see.say.cased(buttons[0].name))
        step = click_step(see, buttons[0])
        sending = Clause(see.say.press("button", x, ""), step=step, kind="button")
        return [typing, sending if not was_made else Clause(sending.text, [step.thought], kind="settled")]
    text = see.say.say("search", t=see.say.quote(query))
    if was_made:
        return [Clause(text, [typed, "Press Enter"], kind="settled")]
    if typing.step:
        return [Clause(text, step=typing.step, more=["Press Enter"], kind="search")]
    return [Clause(text, [typed], key_step("Enter"), kind="enter")]


def _with_found(see: Sight) -> list[Clause]:
    shelves = [w for w in see.scene.page.widgets if isinstance(w, Shelf)]
    clause = goal(shelves[0], see) if len(shelves) == 1 else None
    if clause is None or see.chance(0.2):
        things = [e for w in shelves for i in (*w.links, *w.buttons) if (e := see.element(i)) and see.sees(i)]
        clause = press(see, see.rng.choice(things), plainly=True) if things else None
    return [clause] if clause else []


def unfolding(see: Sight) -> list[Clause]:
    """To open a part of the page, which is open, and to press what it holds. Empty where none holds anything."""
    found = []
    for widget in (w for w in see.scene.page.widgets if isinstance(w, Sections)):
        for head in (see.element(i) for i in widget.heads):
            held = see.elements[head.id + 1] if head.id + 1 < len(see.elements) else head
            is_held = held.role in ("button", "link") and see.sees(held.id) and see.names_it(held)
            if head.value and is_held and see.sees(head.id) and see.names_it(head):
                found.append((head, held))
    if not found:
        return []
    head, held = see.rng.choice(found)
    opening = Clause(see.say.say("expand", x=refer(see, head)), [click_line(see, head)], kind="settled")
    return [opening, press(see, held, plainly=True)]
