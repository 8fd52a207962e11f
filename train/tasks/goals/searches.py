"""Goals of getting to something: menus, trees, tabs and parts that hide it, suggestions, results, a sorted table."""

from ...pages.page import Element, Menu, Results, Sorting, Suggestions, Tree
from ...phrasebook import ORDINALS
from ..clause import OPEN_END, Clause, aim
from ..filling import type_line, type_step
from ..pointing import click_line, click_step
from ..sight import Sight

PATHS = (" > ", " > ", ">", " -> ", " / ", ", then ")


def menu(widget: Menu, see: Sight) -> Clause | None:
    """Open the menu, click the entry. What has an arrow to the side opens under the mouse. A menu within a menu goes by
    its own name or by the whole path."""
    trigger = see.element(widget.trigger)
    if trigger.id not in see.scene.glimpsed:
        return None
    at = see.rng.randrange(len(widget.entries))
    is_pointed = trigger.role == "option" or "opens" in trigger.traits
    entry = widget.entries[at]
    opened = f"Hover over {see.line(trigger)}" if is_pointed else click_line(see, trigger)
    past, path = [opened], trigger.name
    if trigger.role == "icon":
        if not see.in_context(trigger) and not see.names_it(trigger):
            return None
        text = see.say.say(
            "row_menu", t=see.say.quote(entry) if see.chance(0.5) else entry, c=see.say.quote(trigger.context)
        )
    else:
        if not see.names_it(trigger):
            return None
        if trigger.role == "option" and see.chance(0.6):
            over = next(e for e in see.elements if e.role == "menu" and e.name == trigger.context)
            path = f"{over.name}{see.rng.choice(PATHS)}{trigger.name}"
            past = [f"Hover over '{over.name}'" if "opens" in over.traits else f"Open '{over.name}'", opened]
        text = see.say.say("menu", n=see.say.cased(path), t=see.say.quote(see.say.cased(entry)))
    if widget.ids:
        element = see.element(widget.ids[at])
        return Clause(text, past, click_step(see, element), kind="menu") if see.sees(element.id) else None
    if not see.sees(trigger.id):
        return None
    step = aim(opened, see.box(trigger), "mouse_move" if is_pointed else "left_click")
    if trigger.role == "menu" and see.chance(0.2):  # what is under an entry of it shows later
        deeper = see.words.cased(see.words.noun())
        text = see.say.say("menu", n=f"{trigger.name}{see.rng.choice(PATHS)}{entry}", t=see.say.quote(deeper))
        return Clause(text, step=step, more=[f"Hover over '{entry}'", f"Click '{deeper}'"], kind="menu")
    return Clause(text, past[:-1], step, more=[f"Click '{entry}'"], told=not is_pointed, kind="menu")


def tree(widget: Tree, see: Sight) -> Clause | None:
    """A path: open the folder unless it is open, then click what is in it."""
    folders = [
        e for i in widget.nodes if (e := see.element(i)).role == "folder" and see.sees(i) and see.names_it(e)
    ]
    if not folders:
        return None
    folder = see.rng.choice(folders)
    n, at = see.say.quote(see.say.cased(folder.name)), widget.nodes.index(folder.id)
    if not folder.value:
        inner = see.rng.choice(widget.hidden[folder.id])
        if any(e.name.lower() == inner.lower() for e in see.elements):
            return None
        text = see.say.say("path", n=n, t=see.say.quote(see.say.cased(inner)))
        return Clause(text, step=click_step(see, folder), more=[f"Click '{inner}'"], kind="tree")
    children = []
    for node, depth in zip(widget.nodes[at + 1 :], widget.depth[at + 1 :], strict=True):
        if depth <= widget.depth[at]:
            break
        if depth == widget.depth[at] + 1 and see.element(node).role == "leaf":
            children.append(see.element(node))
    children = [e for e in children if see.sees(e.id) and see.names_it(e)]
    if not children:
        return None
    child = see.rng.choice(children)
    past = [f"Click {see.line(folder)}"] if see.chance(0.7) else []
    text = see.say.say("path", n=n, t=see.say.quote(see.say.cased(child.name)))
    return Clause(text, past, click_step(see, child), told=True, kind="tree")


def suggestion(widget: Suggestions, see: Sight) -> Clause | None:
    """Type the beginning, then take the proposal."""
    box = see.element(widget.box)
    if not see.sees(box.id):
        return None
    if not widget.entries:
        wanted = see.words.city()
        start = wanted[: see.rng.randint(2, 3)]
        text = _suggest_text(see, box, start, wanted)
        return Clause(text, step=type_step(see, box, start), more=[f"Click '{wanted}'"], kind="suggest")
    entries = [see.element(i) for i in widget.entries if see.sees(i) and see.names_it(see.element(i))]
    if not entries:
        return None
    entry = see.rng.choice(entries)
    text = _suggest_text(see, box, box.value, entry.name)
    return Clause(text, [type_line(see, box, box.value)], click_step(see, entry), kind="suggest")


def _suggest_text(see: Sight, box: Element, start: str, wanted: str) -> str:
    x = see.say.thing("field", see.say.cased(box.name))
    return see.say.say("suggest", p=see.say.quote(start), x=x, q=see.say.quote(wanted))


def sort(widget: Sorting, see: Sight) -> Clause | None:
    """Ascending with one click on the head, descending with a second; the arrow tells."""
    head = (
        see.element(widget.by)
        if widget.by is not None and see.chance(0.5)
        else see.element(see.rng.choice(widget.heads))
    )
    if not see.sees(head.id) or not see.names_it(head):
        return None
    is_by, down, line = head.id == widget.by, see.chance(0.35), f"Click {see.line(head)}"
    text = see.say.say("sort_down" if down else "sort", n=see.say.quote(see.say.cased(head.name)))
    if is_by and widget.descending and not down:
        return None
    if is_by and widget.descending == down:
        return Clause(text, past=[line] * (1 + down), kind="settled")
    return Clause(
        text,
        past=[line] if is_by else [],
        step=click_step(see, head),
        more=[line] if down and not is_by else [],
        kind="sort",
    )


def nth_result(widget: Results, see: Sight) -> Clause | None:
    """The nth result of all: turn to its page, then click it."""
    count = len(widget.links)
    if (
        not all(see.sees(i) for i in (*widget.links, *widget.pages))
        or sum(isinstance(w, Results) for w in see.scene.page.widgets) > 1
    ):
        return None
    at = see.rng.randrange(count) + (widget.page - 1) * count
    if see.chance(0.35):
        at = see.rng.randrange(count * len(widget.pages))
    page, place = divmod(at, count)
    nth = ORDINALS[at] if at < len(ORDINALS) and see.chance(0.7) else f"{at + 1}{_ending(at + 1)}"
    text = see.say.say("result", o=nth)
    turned = f"Click {see.called(see.element(widget.pages[widget.page - 1]))}"
    if page + 1 != widget.page:
        target = see.element(widget.pages[page])
        if not see.names_it(target):
            return None
        return Clause(text, step=click_step(see, target), more=[OPEN_END], kind="results")
    past = [turned] if widget.page > 1 else []
    return Clause(text, past, click_step(see, see.element(widget.links[place])), told=True, kind="results")


def _ending(number: int) -> str:
    return "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
