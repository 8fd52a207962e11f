"""Goals of choosing: boxes to tick, one of several, an entry of a list, stars, the word for a figure."""

from ...pages.page import Choice, Element, Rating, Select, Ticks
from ..clause import Clause, Step
from ..filling import picking
from ..pointing import click_step
from ..references import refer
from ..sight import Sight


def drop_down(widget: Select, see: Sight) -> Clause | None:
    box = see.element(widget.box)
    wanted = box.value if box.value in widget.options and see.chance(0.3) else ""
    return picking(see, widget, wanted)


def tick(widget: Ticks, see: Sight) -> Clause | None:
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
    wanted = see.rng.sample(seen, min(len(seen), see.rng.choice([1, 2, 2, 3, 3, 4, 5, 7, 10])))
    if see.chance(0.5):
        wanted.sort(key=boxes.index)
    if see.chance(0.25):  # all of them are ticked already
        wanted = [e for e in wanted if e.value] or wanted
    on = not (all(e.value for e in wanted) and see.chance(0.3)) and see.chance(0.92)
    names = [_tick_name(see, e) for e in wanted]
    said = see.say.listed(names)
    text = see.say.say("ticks", list=said) if on else see.say.say("untick", x=said)
    past, step = tick_through(see, [(e, on) for e in wanted])
    more = [f"Click {see.line(e)}" for e in wanted] if step else []
    due = [name for e, name in zip(wanted, names, strict=True) if bool(e.value) != on]
    return Clause(
        text,
        past,
        step,
        more,
        kind="ticks" if step else "settled",
        due=due[0] if step and len(names) > 1 else "",
    )


def _tick_name(see: Sight, element: Element) -> str:
    return see.say.quote(see.say.cased(element.name or element.context))


def _is_alone(see: Sight, boxes: list[Element]) -> bool:
    return not see.scrolls and all(e in boxes for e in see.elements if e.role == "checkbox")


def tick_through(see: Sight, wanted: list[tuple[Element, bool]]) -> tuple[list[str], Step | None]:
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
    past, step = tick_through(see, [(e, on) for e in boxes])
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


def choose(widget: Choice, see: Sight) -> Clause | None:
    options = [see.element(i) for i in widget.options]
    chosen = see.element(widget.chosen) if widget.chosen is not None else None
    element = chosen if chosen and see.chance(0.35) else see.rng.choice(options)
    if not see.sees(element.id) or (element.role == "page" and not see.names_it(element)):
        return None
    if element.role == "page":
        text = see.say.say("page", n=see.say.number(int(element.name)))
    elif element.role == "tab":
        text = see.say.say("open", x=refer(see, element, plainly=True), n=see.say.cased(element.name))
        if not see.names_it(element):
            return None
    else:
        text = see.say.say("choose", x=refer(see, element, plainly=True))
    if element is chosen:
        return Clause(text, past=[f"Click {see.line(element)}"], kind="settled")
    return Clause(text, step=click_step(see, element), kind="choice")


def rate(widget: Rating, see: Sight) -> Clause | None:
    wanted = widget.value if widget.value and see.chance(0.3) else see.rng.randint(1, 5)
    star = see.element(widget.stars[wanted - 1])
    if not see.sees(star.id):
        return None
    text = see.say.say(
        "rate", x=see.say.quote(widget.name), n=see.say.cased(widget.name), t=see.say.number(wanted)
    )
    if wanted == widget.value:
        return Clause(text, past=[f"Click {see.line(star)}"], kind="settled")
    return Clause(text, step=click_step(see, star), kind="rating")
