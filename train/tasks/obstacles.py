"""What stands between the user and what they want: things out of sight, dialogs, banners, things that are not there."""

import re

from ..pages.page import Choice, Element, Sections
from .clause import OPEN_END, Clause, Step, scroll_step
from .pointing import click_line, click_step
from .sight import Sight


def asked(see: Sight) -> Clause | None:
    """A dialog asks whether something is really meant."""
    overlay = see.scene.page.overlay
    if not overlay or overlay.confirm is None or not see.sees(overlay.confirm):
        return None
    yes = see.chance(0.75)
    text = see.say.say("confirm" if yes else "refuse", a=overlay.asks)
    verb, thing = overlay.asks.split(" ", 1)
    past = [f"Click '{verb.capitalize()}' of '{thing}'"] if yes and see.chance(0.7) else []
    button = see.element(overlay.confirm if yes else overlay.dismiss)
    return Clause(text, past, click_step(see, button), kind="confirm")


def in_the_way(see: Sight) -> Clause | None:
    """A notice or banner is to be closed: because it is said, or because it hides what is wanted."""
    overlay = see.scene.page.overlay
    if not overlay or overlay.confirm is not None or not see.sees(overlay.dismiss):
        return None
    close = see.element(overlay.dismiss)
    is_banner = overlay.mark is not None
    if see.chance(0.25):
        return Clause(
            see.say.say("cookies" if is_banner else "dismiss"), step=click_step(see, close), kind="dismiss"
        )
    hidden = [
        e
        for e in see.elements
        if e.id not in see.scene.glimpsed and e.name and see.named_once(e.name) and is_under(see, e)
    ]
    if not hidden:
        return None
    element = see.rng.choice(hidden)
    return Clause(_wish(see, element), step=click_step(see, close), more=[OPEN_END], kind="dismiss")


def is_under(see: Sight, element: Element) -> bool:
    """Whether the overlay is what hides it: a dialog dims the whole page, a banner only what is under it."""
    overlay = see.scene.page.overlay
    if overlay is None or element.id not in see.scene.boxes or see.scene.is_gone(element):
        return False
    if overlay.mark is None:
        return True
    banner, (x, y, w, h) = see.scene.read.get(overlay.mark), see.box(element)
    return (
        banner is not None
        and banner[0] <= x + w / 2 <= banner[0] + banner[2]
        and banner[1] <= y + h / 2 <= banner[1] + banner[3]
    )


def _wish(see: Sight, element: Element) -> str:
    name = see.say.cased(element.name)
    if element.role in ("field", "search"):
        return see.say.type(element.role, name, see.words.value_for(element.name) or see.words.noun())
    return see.say.press(element.role, see.say.thing(element.role, name), name)


def out_of_sight(see: Sight) -> Clause | None:
    """The target is scrolled away."""
    gone = [e for e in see.gone if e.name and see.named_once(e.name)]
    if not gone:
        return None
    element = see.rng.choice(gone)
    step = scroll_step(down=see.box(element)[1] > 0)
    return Clause(_wish(see, element), step=step, more=[OPEN_END], kind="scroll")


def behind(see: Sight) -> Clause | None:
    """What is in one of the tabs or under one of the headings: clicked where it is seen; else the next of them is
    opened, from the first to the last."""
    rows: list[tuple[str, list[int], int]] = []
    for widget in see.scene.page.widgets:
        if isinstance(widget, Choice) and see.element(widget.options[0]).role == "tab" and widget.chosen:
            rows.append(("tabs", widget.options, widget.options.index(widget.chosen)))
        if isinstance(widget, Sections):
            opened = [n for n, id in enumerate(widget.heads) if see.element(id).value]
            if len(opened) < 2:
                rows.append(("sections", widget.heads, opened[0] if opened else -1))
    if len(rows) != 1 or see.scrolls or not all(see.sees(id) for id in rows[0][1]):
        return None
    kind, ids, at = rows[0]
    heads = [see.element(id) for id in ids]
    past = [click_line(see, head) for head in heads[kind == "tabs" : at + 1]]
    seen = [e for e in see.visible if e.role == "link" and e.name and see.names_it(e)]
    if seen and see.chance(0.35):
        element = see.rng.choice(seen)
        text = see.say.say(f"behind_{kind}", x=see.say.thing("link", see.say.cased(element.name)))
        return Clause(text, past, click_step(see, element), told=True, kind="behind")
    name = see.rng.choice([see.words.place, see.words.noun, see.words.code])()
    if at + 1 == len(heads) or any(_is_near(name, e.name) for e in see.elements):
        return None
    text = see.say.say(f"behind_{kind}", x=see.say.thing("link", see.say.cased(name)))
    return Clause(text, past, click_step(see, heads[at + 1]), [OPEN_END], kind="behind")


HIDING = ("Sections", "Tree", "Menu", "Choice", "Suggestions")


def missing(see: Sight) -> tuple[Clause, list[str]] | None:
    """What is asked for is nowhere: look below, unless the page plainly ends; back up from the end; then ask."""
    page = see.scene.page
    if (
        page.is_covered
        or any(type(w).__name__ in HIDING for w in page.widgets)
        or any(e.role == "search" for e in see.elements)
    ):
        return None
    role = see.rng.choice(["button", "button", "link", "field", "checkbox"])
    name = {"button": see.words.command, "field": see.words.noun, "checkbox": see.words.thing}.get(
        role, see.words.place
    )()
    if any(_is_near(name, e.name) or _is_near(name, e.context) for e in see.elements):
        return None
    wish = _wish(see, Element(-1, role, name))
    if said := re.search(re.escape(name), wish, re.IGNORECASE):  # nothing else says in which letters
        name = said[0]
    question = f"There is no '{name}' on this page. What should I do?"
    asking = Step(f"There is no '{name}'", {"action": "ask_user", "text": question})
    if see.scrolls:
        lines, down = _toured(see)
        step = asking if down is None else scroll_step(down)
        return Clause(wish, step=step, kind="ask" if down is None else "scroll"), lines
    lines = ["Scroll down (no change)"] if see.chance(0.5) else []
    if not lines and not see.is_whole:
        return Clause(wish, step=scroll_step(down=True), kind="scroll"), []
    return Clause(wish, step=asking, kind="ask"), lines


def _toured(see: Sight) -> tuple[list[str], bool | None]:
    """How far a look through the page may have come, by where it stands: lines, and whether to go on downward; None
    when all was seen."""
    there, back = see.rng.randint(1, 3), see.chance(0.5)
    downward, end = ["Scroll down"] * there, ["Scroll down (no change)"]
    if see.scene.above == 0:
        if not back:
            return [], True
        upward = ["Scroll up"] * there + ["Scroll up (no change)"] * see.chance(0.5)
        return [*downward, *end, *upward], None
    if see.scene.below == 0:
        return downward + end * back, not back
    if back:
        return [*downward, "Scroll down", *end, "Scroll up"], False
    return downward, True


def _is_near(name: str, other: str) -> bool:
    """Whether they share a word."""
    return bool(set(name.lower().split()) & set(other.lower().split()))
