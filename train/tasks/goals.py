"""Clauses about widgets: what state is wanted, and the next step from the state that the page shows."""

import functools

from ..pages.page import (
    Calendar,
    Choice,
    Element,
    Menu,
    Order,
    Plane,
    Quiz,
    Rating,
    Results,
    Sections,
    Select,
    Slider,
    Sorting,
    Stepper,
    Suggestions,
    Ticks,
    Tree,
    Widget,
)
from ..pages.widgets import MONTHS
from ..phrasebook import ORDINALS
from .clause import OPEN_END, Clause, Step, aim, drag
from .filling import picking, type_line, type_step
from .pointing import click_line, click_step
from .references import refer
from .sight import Sight


@functools.singledispatch
def goal(widget: Widget, see: Sight) -> Clause | None:
    """A clause about the widget, or None where its state cannot be seen or nothing can be asked of it."""
    raise AssertionError(f"no goal for {type(widget).__name__}")


@goal.register
def _(widget: Select, see: Sight) -> Clause | None:
    box = see.element(widget.box)
    wanted = box.value if box.value in widget.options and see.chance(0.3) else ""
    return picking(see, widget, wanted)


@goal.register
def _(widget: Ticks, see: Sight) -> Clause | None:
    """Tick several: those that are ticked are done; the next is the first in the order of the task."""
    boxes = [see.element(i) for i in widget.boxes]
    seen = [e for e in boxes if see.sees(e.id)]
    if len(boxes) < 2 or len(seen) < 2 or any(not e.name and not e.context for e in boxes):
        return None
    if any(e.role == "checkbox" and e not in boxes for e in see.glimpsed) and not all(
        see.names_it(e) for e in seen
    ):
        return None
    style = see.rng.random()
    if style < 0.14 and len(seen) == len(boxes) and _is_alone(see, boxes):
        return _all_or_none(see, boxes, on=see.chance(0.7))
    if style < 0.28 and len(seen) == len(boxes) and _is_alone(see, boxes):
        return _only(see, boxes)
    wanted = see.rng.sample(seen, min(len(seen), see.rng.choice([1, 2, 2, 3, 3, 4, 5])))
    if see.chance(0.5):
        wanted.sort(key=boxes.index)
    if see.chance(0.25):  # all of them are ticked already
        wanted = [e for e in wanted if e.value] or wanted
    on = not (all(e.value for e in wanted) and see.chance(0.3)) and see.chance(0.92)
    said = see.say.listed([_tick_name(see, e) for e in wanted])
    text = see.say.say("ticks", list=said) if on else see.say.say("untick", x=said)
    past, step = _tick_through(see, [(e, on) for e in wanted])
    more = [f"Click {see.line(e)}" for e in wanted] if step else []
    return Clause(text, past, step, more, kind="ticks" if step else "settled")


def _tick_name(see: Sight, element: Element) -> str:
    return see.say.quote(see.say.cased(element.name or element.context))


def _is_alone(see: Sight, boxes: list[Element]) -> bool:
    return not see.scrolls and all(e in boxes for e in see.elements if e.role == "checkbox")


def _tick_through(see: Sight, wanted: list[tuple[Element, bool]]) -> tuple[list[str], Step | None]:
    """The lines of those that are as wanted up to the first that is not, and the step for that one. Some of those
    lines are missing where the box was as wanted before; ones further on may be as wanted too."""
    past, was_so = [], see.rng.choice([0.0, 0.0, 0.4])
    for element, on in wanted:
        if bool(element.value) == on:
            if not see.chance(was_so):
                past.append(f"Click {see.line(element)}")
            continue
        return past, click_step(see, element)
    return past, None


def _all_or_none(see: Sight, boxes: list[Element], on: bool) -> Clause:
    past, step = _tick_through(see, [(e, on) for e in boxes])
    return Clause(
        see.say.say("all_ticks" if on else "no_ticks"), past, step, kind="ticks" if step else "settled"
    )


def _only(see: Sight, boxes: list[Element]) -> Clause:
    """Only some: first in their order from the top, whatever is not as it should be."""
    chosen = see.rng.sample(boxes, see.rng.randint(1, min(3, len(boxes))))
    if see.chance(0.3):
        chosen = [e for e in boxes if e.value] or chosen
    said = see.say.listed([_tick_name(see, e) for e in sorted(chosen, key=boxes.index)])
    step = next((click_step(see, e) for e in boxes if bool(e.value) != (e in chosen)), None)
    past = [f"Click {see.line(e)}" for e in chosen if e.value and see.chance(0.5)] if step is None else []
    return Clause(see.say.say("only_ticks", list=said), past, step, kind="ticks" if step else "settled")


@goal.register
def _(widget: Choice, see: Sight) -> Clause | None:
    options = [see.element(i) for i in widget.options]
    chosen = see.element(widget.chosen) if widget.chosen is not None else None
    if options[0].role == "tab" and see.chance(0.35):
        return _through_tabs(see, options, chosen)
    element = chosen if chosen and see.chance(0.35) else see.rng.choice(options)
    if not see.sees(element.id) or (element.role == "page" and not see.names_it(element)):
        return None
    if element.role == "page":
        text = see.say.say("page", n=element.name)
    elif element.role == "tab":
        text = see.say.say("open", x=refer(see, element, plainly=True), n=see.say.cased(element.name))
        if not see.names_it(element):
            return None
    else:
        text = see.say.say("choose", x=refer(see, element, plainly=True))
    if element is chosen:
        return Clause(text, past=[f"Click {see.line(element)}"], kind="settled")
    return Clause(text, step=click_step(see, element), kind="choice")


def _through_tabs(see: Sight, tabs: list[Element], chosen: Element | None) -> Clause | None:
    """Look for something under the tabs: from the left to the right, until it is seen."""
    if not chosen or not all(see.sees(e.id) and see.names_it(e) for e in tabs):
        return None
    at = tabs.index(chosen)
    is_sweeping = at == 0 or see.chance(
        0.7
    )  # else nothing was opened yet, and the first tab is the first to open
    lines = [f"Click {see.line(e)}" for e in tabs[1 : at + 1]] if is_sweeping else []
    found = _found(see)
    if found and see.chance(0.4):
        text = see.say.say("tabs", t=see.say.quote(see.say.cased(found.name)))
        return Clause(text, lines, click_step(see, found), told=True, kind="tabs")
    name = _nowhere(see)
    if not name or (is_sweeping and at + 1 == len(tabs)):
        return None
    step = click_step(see, tabs[at + 1] if is_sweeping else tabs[0])
    return Clause(see.say.say("tabs", t=see.say.quote(name)), lines, step, more=[OPEN_END], kind="tabs")


def _found(see: Sight) -> Element | None:
    """A link or button in sight that has its name for itself."""
    named = [e for e in see.visible if e.role in ("link", "button") and see.names_it(e)]
    return see.rng.choice(named) if named else None


def _nowhere(see: Sight) -> str:
    """The name of something that is not on the page, or "" where the draw is on it."""
    name = see.words.place()
    return "" if any(e.name.lower() == name.lower() for e in see.elements) else name


@goal.register
def _(widget: Stepper, see: Sight) -> Clause | None:
    if not see.sees(widget.minus) or not see.sees(widget.plus):
        return None
    wanted = max(0, widget.value + see.rng.choice([-3, -2, -1, 0, 0, 1, 1, 2, 3, 4]))
    element = see.element(widget.plus if wanted > widget.value else widget.minus)
    text = see.say.say("step", x=see.say.quote(widget.name), n=see.say.cased(widget.name), t=str(wanted))
    # How often it was clicked does not matter: the number is there to be read.
    clicked = (
        see.element(widget.plus if see.chance(0.7) else widget.minus) if wanted == widget.value else element
    )
    line = f"Click {see.line(clicked)}"
    if wanted == widget.value:
        clicks = see.rng.choice([1, 2, 3])
        if clicked.id == widget.plus:
            clicks = min(clicks, widget.value)
        return Clause(text, past=[line] * clicks, kind="settled")
    most = widget.value if wanted > widget.value else 2  # clicks on plus show in the number
    return Clause(
        text, [line] * min(most, see.rng.choice([0, 0, 1, 2])), click_step(see, element), kind="stepper"
    )


@goal.register
def _(widget: Slider, see: Sight) -> Clause | None:
    """A click on the track, or a drag of the knob, at the place of the value."""
    track = see.element(widget.track)
    if not see.sees(track.id):
        return None
    wanted = see.rng.randrange(widget.low, widget.high + 1, widget.step)
    if see.chance(0.25):
        wanted = widget.value
    drags = see.chance(0.4)
    x = see.say.thing("slider", see.say.cased(track.name))
    text = see.say.say("slide_drag" if drags else "slide", x=x, n=see.say.cased(track.name), t=str(wanted))
    thought = f"{'Drag' if drags else 'Set'} '{track.name}' to {wanted}"
    if wanted == widget.value:
        return Clause(text, past=[thought], kind="settled")
    start, end = (_on_track(see, widget, value) for value in (widget.value, wanted))
    if not see.is_free(start, track) or not see.is_free(end, track):
        return None
    step = drag(thought, start, end) if drags else aim(thought, end)
    return Clause(text, step=step, kind="drag" if drags else "slider")


def _on_track(see: Sight, widget: Slider, value: int) -> tuple[float, float, float, float]:
    x, y, w, h = see.box(see.element(widget.track))
    place = x + w * (value - widget.low) / (widget.high - widget.low)
    left, right = max(x, place - 4), min(x + w, place + 4)
    if place - 4 < x:
        right = x + 5
    if place + 4 > x + w:
        left = x + w - 5
    return (left, y, right - left, h)


@goal.register
def _(widget: Rating, see: Sight) -> Clause | None:
    wanted = widget.value if widget.value and see.chance(0.3) else see.rng.randint(1, 5)
    star = see.element(widget.stars[wanted - 1])
    if not see.sees(star.id):
        return None
    text = see.say.say("rate", x=see.say.quote(widget.name), n=see.say.cased(widget.name), t=str(wanted))
    if wanted == widget.value:
        return Clause(text, past=[f"Click {see.line(star)}"], kind="settled")
    return Clause(text, step=click_step(see, star), kind="rating")


@goal.register
def _(widget: Calendar, see: Sight) -> Clause | None:
    """Open it, turn to the month, click the day; done when the field shows the date."""
    box = see.element(widget.box)
    if not see.sees(box.id):
        return None
    date = widget.value if widget.value and see.chance(0.25) else _some_date(widget, see)
    year, month, day = date
    said = see.rng.choice(["{y}-{m:02}-{d:02}", "{d} {n} {y}", "{n} {d}, {y}", "{n} {d} {y}"]).format(
        y=year, m=month, d=day, n=MONTHS[month - 1]
    )
    text = see.say.say(
        "date",
        x=see.say.thing("date", see.say.cased(box.name)),
        n=see.say.cased(box.name),
        t=see.say.quote(said),
    )
    opened = f"Open '{box.name}'"
    if widget.value == date:
        if widget.days:
            return None  # chosen, yet open: two next steps would be right
        return Clause(text, past=[opened, f"Click '{day}'"], kind="settled")
    if not widget.days:
        return Clause(text, step=aim(opened, see.box(box)), kind="date")
    if (year, month) == (widget.year, widget.month):
        target, thought = see.element(widget.days[day - 1]), f"Click '{day}'"
    else:
        ahead = (year, month) > (widget.year, widget.month)
        target, thought = (
            see.element(widget.following if ahead else widget.previous),
            f"Go to the {'next' if ahead else 'previous'} month",
        )
    if not see.sees(target.id):
        return None
    turned = [f"Go to the {'next' if see.chance(0.6) else 'previous'} month"] * see.rng.choice([0, 0, 1, 2])
    if thought.startswith("Go"):
        turned = [thought] * len(turned)
    return Clause(text, [opened, *turned], aim(thought, see.box(target)), kind="date")


def _some_date(widget: Calendar, see: Sight) -> tuple[int, int, int]:
    year, month = widget.year or see.rng.randint(2019, 2030), widget.month or see.rng.randint(1, 12)
    months = 12 * year + month - 1 + (see.rng.choice([0, 0, 1, -1, 2, -2, 5, -4]) if widget.days else 0)
    return months // 12, months % 12 + 1, see.rng.randint(1, 28)


@goal.register
def _(widget: Menu, see: Sight) -> Clause | None:
    """Open the menu, click the entry. Menus within menus go by their own names."""
    trigger = see.element(widget.trigger)
    if trigger.id not in see.scene.glimpsed:
        return None
    at = see.rng.randrange(len(widget.entries))
    entry, opened = widget.entries[at], click_line(see, trigger)
    if trigger.role == "icon":
        if not see.in_context(trigger) and not see.names_it(trigger):
            return None
        text = see.say.say(
            "row_menu", t=see.say.quote(entry) if see.chance(0.5) else entry, c=see.say.quote(trigger.context)
        )
    else:
        if not see.names_it(trigger):
            return None
        text = see.say.say("menu", n=see.say.cased(trigger.name), t=see.say.quote(see.say.cased(entry)))
    if widget.ids:
        element = see.element(widget.ids[at])
        return Clause(text, [opened], click_step(see, element), kind="menu") if see.sees(element.id) else None
    if not see.sees(trigger.id):
        return None
    return Clause(text, step=aim(opened, see.box(trigger)), more=[f"Click '{entry}'"], told=True, kind="menu")


@goal.register
def _(widget: Sections, see: Sight) -> Clause | None:
    """Look for something that is in one of the closed parts: open the next that was not opened, from the top."""
    heads = [see.element(i) for i in widget.heads]
    if see.scrolls or not all(see.sees(e.id) and see.names_it(e) for e in heads):
        return None
    closed, kinds = (
        [e for e in heads if not e.value],
        see.rng.choice(["sections", "panels", "headings below"]),
    )
    past, found, name = [f"Click {see.line(e)}" for e in heads if e.value], _found(see), _nowhere(see)
    if past and found and see.chance(0.4):
        text = see.say.say("find_in", t=see.say.quote(see.say.cased(found.name)), k=kinds)
        return Clause(text, past, click_step(see, found), told=True, kind="explore")
    if not closed or not name:
        return None
    text = see.say.say("find_in", t=see.say.quote(name), k=kinds)
    return Clause(text, past, click_step(see, closed[0]), more=[OPEN_END], kind="explore")


@goal.register
def _(widget: Tree, see: Sight) -> Clause | None:
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


@goal.register
def _(widget: Suggestions, see: Sight) -> Clause | None:
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
    end = entry.name[-3:]
    if (
        see.chance(0.3)
        and " " not in end
        and sum(e.name.endswith(end) for e in entries) == 1
        and len(entries) == len(widget.entries)
    ):
        x = see.say.thing("field", see.say.cased(box.name))
        text = see.say.say("suggest_ends", p=see.say.quote(box.value), q=see.say.quote(end), x=x)
    return Clause(text, [type_line(see, box, box.value)], click_step(see, entry), kind="suggest")


def _suggest_text(see: Sight, box: Element, start: str, wanted: str) -> str:
    x = see.say.thing("field", see.say.cased(box.name))
    return see.say.say("suggest", p=see.say.quote(start), x=x, q=see.say.quote(wanted))


@goal.register
def _(widget: Sorting, see: Sight) -> Clause | None:
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


@goal.register
def _(widget: Results, see: Sight) -> Clause | None:
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


@goal.register
def _(widget: Plane, see: Sight) -> Clause | None:
    area = see.element(widget.area)
    if not see.sees(area.id):
        return None
    x, y = (see.rng.randint(-widget.reach, widget.reach) for _ in range(2))
    left, top, w, h = see.box(area)
    unit = w / (2 * widget.reach)
    at = (left + (x + widget.reach) * unit, top + (widget.reach - y) * unit)
    ends = [
        (max(low, p - 0.3 * unit), min(low + size, p + 0.3 * unit))
        for p, low, size in zip(at, (left, top), (w, h), strict=True)
    ]
    box = (ends[0][0], ends[1][0], ends[0][1] - ends[0][0], ends[1][1] - ends[1][0])
    if not see.is_free(box, area):
        return None
    text = see.say.say(
        "point", t=see.rng.choice(["({x}, {y})", "({x},{y})", "x = {x}, y = {y}"]).format(x=x, y=y)
    )
    return Clause(text, step=aim(f"Click the point ({x}, {y})", box), told=True, kind="plane")


@goal.register
def _(widget: Quiz, see: Sight) -> Clause | None:
    button = see.element(widget.right)
    if (
        widget.mark not in see.scene.read
        or not see.sees(button.id)
        or any(isinstance(w, Quiz) and w is not widget for w in see.scene.page.widgets)
    ):
        return None
    if any(e.role == "shape" for e in see.glimpsed):
        return None
    return Clause(
        see.say.say("quiz", k=widget.question), step=click_step(see, button), told=True, kind="quiz"
    )


@goal.register
def _(widget: Order, see: Sight) -> Clause | None:
    """Drag one to the place of another."""
    items = [see.element(i) for i in widget.items]
    if len(items) < 3 or not all(see.sees(e.id) and see.names_it(e) for e in items):
        return None
    first, second = see.rng.sample(items, 2)
    above = items.index(second) < items.index(first)
    if abs(items.index(first) - items.index(second)) == 1 and see.chance(0.3):
        return _in_order(see, items)
    text = see.say.say(
        "drag",
        x=see.say.thing("item", see.say.cased(first.name)),
        w=see.rng.choice(["above", "before"]) if above else see.rng.choice(["below", "after"]),
        y=see.say.quote(see.say.cased(second.name)),
    )
    thought = f"Drag {see.line(first)} to {see.line(second)}"
    return Clause(text, step=drag(thought, see.box(first), see.box(second)), kind="drag")


def _in_order(see: Sight, items: list[Element]) -> Clause:
    """What is wanted is so already."""
    at = see.rng.randrange(len(items) - 1)
    first, second = items[at], items[at + 1]
    x, y = see.say.thing("item", see.say.cased(first.name)), see.say.quote(see.say.cased(second.name))
    text = see.say.say("drag", x=x, w=see.rng.choice(["directly above", "right before"]), y=y)
    return Clause(text, past=[f"Drag {see.line(first)} to {see.line(second)}"], kind="settled")
