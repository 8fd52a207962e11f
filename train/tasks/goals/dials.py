"""Goals of reaching a value or a place: steppers, sliders, dates, another order."""

from ...pages.page import Calendar, Element, Order, Slider, Stepper
from ...pages.widgets import MONTHS
from ..clause import Clause, aim, drag
from ..pointing import click_step
from ..sight import Sight


def step_to(widget: Stepper, see: Sight) -> Clause | None:
    if not see.sees(widget.minus) or not see.sees(widget.plus):
        return None
    wanted = max(0, widget.value + see.rng.choice([-3, -2, -1, 0, 0, 1, 1, 2, 3, 4]))
    element = see.element(widget.plus if wanted > widget.value else widget.minus)
    text = see.say.say(
        "step", x=see.say.quote(widget.name), n=see.say.cased(widget.name), t=see.say.number(wanted)
    )
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


def slide(widget: Slider, see: Sight) -> Clause | None:
    """A click on the track, or a drag of the knob, at the place of the value."""
    track = see.element(widget.track)
    if not see.sees(track.id):
        return None
    wanted = see.rng.randrange(widget.low, widget.high + 1, widget.step)
    if see.chance(0.25):
        wanted = widget.value
    drags = see.chance(0.4)
    x = see.say.thing("slider", see.say.cased(track.name))
    text = see.say.say(
        "slide_drag" if drags else "slide", x=x, n=see.say.cased(track.name), t=see.say.number(wanted)
    )
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


def pick_date(widget: Calendar, see: Sight) -> Clause | None:
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


def reorder(widget: Order, see: Sight) -> Clause | None:
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
