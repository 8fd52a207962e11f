"""Goals in applications: things to do, actions on ticked rows, records, a product's variants."""

import itertools

from ...pages.apps import ACTIONS, errand
from ...pages.page import Bulk, Choice, Element, Listing, Product, Record, Select, Todo
from ..clause import OPEN_END, Clause, aim, key_step
from ..filling import toward, type_step
from ..pointing import click_line, click_step
from ..sight import Sight, plain
from .choices import tick_through


def todo(widget: Todo, see: Sight) -> Clause | None:
    rows = [i for i, id in enumerate(widget.names) if see.sees(id)]
    return see.rng.choice([_add, _add, _mark, _mark, _strike, _strike, _reword])(widget, see, rows)


def _add(w: Todo, see: Sight, rows: list[int]) -> Clause | None:
    """Those that stand at the end of the list, or in the line for new ones, have been added or typed."""
    entry, submit = see.element(w.entry), w.add is not None
    if not see.sees(entry.id) or (w.add is not None and not see.sees(w.add)):
        return None
    at_end = [w.texts[i] for i in rows if i != w.editing] if len(rows) == len(w.texts) else []
    there = at_end[len(at_end) - see.rng.choice([0, 0, 1, 2, 3]) :] if see.chance(0.6) else []
    new = see.distinct(lambda: errand(see.words), see.rng.choice([0, 1, 1, 1, 2, 3]))
    new = [t for t in new if all(plain(t) != plain(s) for s in (*w.texts, entry.value))]
    if entry.value and see.chance(0.7):
        new = [entry.value, *new]
    wanted = there + new
    if not wanted:
        return None
    say = see.say.listed([see.say.quote(t) for t in wanted])
    text = see.say.say("add_to_list" if len(wanted) == 1 else "add_all", t=say)
    end = click_line(see, see.element(w.add)) if w.add is not None else "Press Enter"
    lines = [[f"Type '{t}' into '{w.prompt}'", end] for t in wanted]
    past = [line for pair in lines[: len(there)] for line in pair]
    if not new:
        return Clause(text, past, kind="settled")
    more = [line for pair in lines[len(there) + 1 :] for line in pair]
    if entry.value == new[0]:
        step = click_step(see, see.element(w.add)) if submit else key_step("Enter")  # pyright: ignore
        return Clause(text, [*past, lines[len(there)][0]], step, more, kind="todo")
    return Clause(text, past, type_step(see, entry, new[0]), [end, *more], kind="todo")


def _mark(w: Todo, see: Sight, rows: list[int]) -> Clause | None:
    """As done, or as not done again."""
    ids = [i for k in rows if (i := w.ticks[k]) is not None and see.sees(i)]
    boxes = [see.element(i) for i in ids]
    if not boxes:
        return None
    on = see.chance(0.85)
    if on and len(boxes) == len(w.texts) and len(boxes) > 1 and see.chance(0.15):
        text, wanted = see.say.say("all_done"), boxes
    else:
        wanted = see.rng.sample(boxes, min(len(boxes), see.rng.choice([1, 1, 2, 3])))
        said = see.say.listed([see.say.quote(see.say.cased(e.context)) for e in wanted])
        text = see.say.say("mark_done" if on else "mark_open", t=said)
    past, step = tick_through(see, [(e, on) for e in wanted])
    return Clause(
        text, past, step, [f"Click {see.line(e)}" for e in wanted], kind="todo" if step else "settled"
    )


def _strike(w: Todo, see: Sight, rows: list[int]) -> Clause | None:
    """Deleting: the sign may only show while the mouse is over the row."""
    if see.chance(0.2) and len(rows) == len(w.texts):
        gone = errand(see.words)
        if any(plain(gone) == plain(t) for t in w.texts):
            return None
        text = see.say.say("remove", c=see.say.quote(see.say.cased(gone)))
        past = [f"Hover over '{gone}'"] if w.hides else []
        return Clause(text, [*past, f"Click the cross icon of '{gone}'"], kind="settled")
    rows = [k for k in rows if k != w.editing]
    if not rows:
        return None
    k = w.pointed if w.pointed in rows and see.chance(0.5) else see.rng.choice(rows)
    name, end = see.element(w.names[k]), w.ends[k]
    text = see.say.say("remove", c=see.say.quote(see.say.cased(name.name)))
    hovered = f"Hover over {see.line(name)}"
    if end is not None and see.sees(end):
        return Clause(text, [hovered] if w.hides else [], click_step(see, see.element(end)), kind="remove")
    if not w.hides or not see.names_it(name):
        return None
    return Clause(text, step=aim(hovered, see.box(name), "mouse_move"), more=[OPEN_END], kind="hover")


def _reword(w: Todo, see: Sight, rows: list[int]) -> Clause | None:
    """Change the text of a row: with its pencil or a double click, then over the old text, then Enter."""
    if not rows:
        return None
    k = w.editing if w.editing in rows and see.chance(0.8) else see.rng.choice(rows)
    assert k is not None
    row, old = see.element(w.names[k]), w.texts[k]
    begin = f"Double-click '{old}'" if w.pencils[k] is None else f"Click the pencil icon of '{old}'"
    if k == w.editing:
        new = row.value if row.value != old else errand(see.words)
        text = _reworded(see, old, new)
        if row.value != old:
            return Clause(text, [begin, f"Type '{new}' into '{old}'"], key_step("Enter"), kind="todo")
        return Clause(text, [begin], type_step(see, row, new), ["Press Enter"], kind="todo")
    if see.chance(0.25):
        before = errand(see.words)
        if any(plain(before) == plain(t) for t in w.texts):
            return None
        past = [f"Double-click '{before}'", f"Type '{old}' into '{before}'", "Press Enter"]
        return Clause(_reworded(see, before, old), past, kind="settled")
    text, pencil = _reworded(see, old, errand(see.words)), w.pencils[k]
    if pencil is not None:
        return (
            Clause(text, step=click_step(see, see.element(pencil)), more=[OPEN_END], kind="todo")
            if see.sees(pencil)
            else None
        )
    if not see.names_it(row):
        return None
    return Clause(
        text,
        step=aim(f"Double-click {see.line(row)}", see.box(row), "double_click"),
        more=[OPEN_END],
        kind="double",
    )


def _reworded(see: Sight, old: str, new: str) -> str:
    return see.say.say("reword", t=see.say.quote(old), v=see.say.quote(new))


def bulk(widget: Bulk, see: Sight) -> Clause | None:
    """Tick the rows and no others, choose the action, press the button."""
    boxes = [see.element(i) for i in widget.boxes]
    select, go = see.element(widget.select), see.element(widget.go)
    menu = next(w for w in see.scene.page.widgets if isinstance(w, Select) and w.box == select.id)
    seen = [e for e in boxes if see.sees(e.id)]
    if not seen:
        return None
    ticked = [e for e in boxes if e.value]
    wanted = (
        ticked if ticked and see.chance(0.5) else see.rng.sample(seen, min(len(seen), see.rng.randint(1, 3)))
    )
    label = select.value if select.value in menu.options and see.chance(0.7) else see.rng.choice(menu.options)
    said = see.say.listed([see.say.quote(see.say.cased(e.context)) for e in wanted])
    act = dict(ACTIONS)[label].format(said)
    text = see.say.say("bulk", a=act, n=see.say.quote(label), t=said)
    past = [f"Click the checkbox of '{e.context}'" for e in itertools.takewhile(lambda e: e.value, wanted)]
    extra = next((e for e in boxes if e.value and e not in wanted), None)
    target = next((e for e in wanted if not e.value), extra)
    if target:
        if menu.entries:
            return None
        return _toward_or(see, text, past, target)
    past += [f"Open '{select.name}'", f"Click '{label}'"] if select.value == label else []
    if select.value == label:
        return None if menu.entries else _toward_or(see, text, past, go, told=True)
    if menu.entries:
        entry = see.element(menu.entries[menu.options.index(label)])
        return (
            Clause(text, [*past, f"Open '{select.name}'"], click_step(see, entry), [OPEN_END], kind="bulk")
            if see.sees(entry.id)
            else None
        )
    return _toward_or(see, text, past, select)


def _toward_or(see: Sight, text: str, past: list[str], target: Element, told: bool = False) -> Clause | None:
    """To click it, or to scroll to where it is."""
    if see.sees(target.id):
        return Clause(text, past, click_step(see, target), [] if told else [OPEN_END], told=told, kind="bulk")
    scrolling = toward(see, target)
    return scrolling and Clause(text, past, scrolling, [OPEN_END], kind="scroll")


# ---- records


def listing(widget: Listing, see: Sight) -> Clause | None:
    """Another record begins with the button that adds one; a change of one, with opening it."""
    things = [t for t, i in widget.things.items() if see.sees(i) and see.names_it(see.element(i))]
    if things and see.chance(0.5):
        thing = see.rng.choice(things)
        name, value = _pair(see)
        text = see.say.say("correct", n=name, t=see.say.quote(value), c=see.say.quote(see.say.cased(thing)))
        return Clause(
            text, step=click_step(see, see.element(widget.things[thing])), more=[OPEN_END], kind="listing"
        )
    if widget.add is None or not see.sees(widget.add):
        return None
    pairs = [_pair(see) for _ in range(see.rng.choice([0, 1, 1, 2, 3]))]
    text = _creation(see, widget.noun, pairs)
    return Clause(text, step=click_step(see, see.element(widget.add)), more=[OPEN_END], kind="listing")


def _pair(see: Sight) -> tuple[str, str]:
    name = see.rng.choice(
        [
            "name",
            "title",
            "city",
            "price",
            "year",
            "color",
            "email",
            "phone",
            "notes",
            "size",
            "owner",
            "date",
        ]
    )
    return name, see.value(name)


def _creation(see: Sight, noun: str, pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return see.say.say("create", n=noun)
    if see.chance(0.45):
        (_, first), *rest = pairs
        text = see.say.say("create_named", n=noun, t=see.say.quote(first) if see.chance(0.6) else first)
        return f"{text}, {see.say.listed(see.say.pairs(rest))}" if rest else text
    return see.say.say("create_with", n=noun, p=see.say.listed(see.say.pairs(pairs)))


def record(widget: Record, see: Sight) -> Clause | None:
    """A new record: its fields in order, then save. One that is there: only what is to change."""
    fields = [see.element(i) for i in widget.fields]
    if not all(see.named_once(f.name) for f in fields):
        return None
    if not widget.thing:
        return _new_record(widget, see, fields)
    element = see.rng.choice(fields)
    is_right = see.chance(0.35)
    value = element.value if is_right else see.value(element.name)
    if value == element.value and not is_right:
        return None
    name = element.name.lower()
    text = see.say.say(
        "correct", n=name, t=see.say.quote(value), c=see.say.quote(see.say.cased(widget.thing))
    )
    past = [f"Click '{widget.thing}'"] if see.chance(0.8) else []
    if is_right:
        return _saving(see, widget, text, [*past, f"Type '{value}' into '{element.name}'"])
    if not see.sees(element.id):
        scrolling = toward(see, element)
        return scrolling and Clause(text, past, scrolling, [OPEN_END], kind="scroll")
    return Clause(text, past, type_step(see, element, value), [OPEN_END], kind="record")


def _new_record(widget: Record, see: Sight, fields: list[Element]) -> Clause | None:
    fields = fields[: see.rng.randint(1, len(fields))]
    if any(not f.name for f in fields):
        return None
    wanted = [f.value or see.value(f.name) for f in fields]
    text = _creation(see, widget.noun, [(f.name.lower(), t) for f, t in zip(fields, wanted, strict=True)])
    past = [f"Click '{see.rng.choice(['Add', 'New', 'Create'])} {widget.noun}'"]
    for element, value in zip(fields, wanted, strict=True):
        if element.value == value:
            past.append(f"Type '{value}' into '{element.name}'")
        elif see.sees(element.id):
            return Clause(text, past, type_step(see, element, value), [OPEN_END], kind="record")
        else:
            scrolling = toward(see, element)
            return scrolling and Clause(text, past, scrolling, [OPEN_END], kind="scroll")
    return _saving(see, widget, text, past)


def _saving(see: Sight, widget: Record, text: str, past: list[str]) -> Clause | None:
    save = see.element(widget.save)
    step = click_step(see, save) if see.sees(save.id) else toward(see, save)
    return step and Clause(
        text, past, step, [] if step.box else [OPEN_END], told=bool(step.box), kind="record"
    )


# ---- products


def product(widget: Product, see: Sight) -> Clause | None:
    """The variants that are asked for, the number, then into the cart."""
    choices = {w.name: w for w in see.scene.page.widgets if isinstance(w, Choice)}
    as_it_is = widget.is_added or see.chance(0.5)
    wanted: list[tuple[Element | Select, str]] = []
    said: list[str] = []
    for name, ids in widget.groups.items():
        on = choices[name].chosen
        if on is None or see.chance(0.7):
            id = on if on is not None and as_it_is else see.rng.choice(ids)
            option = see.element(id)
            wanted.append((option, option.name))
            said.append(
                see.say.fill(
                    ["{n} {o}", "{o}", "{o} as {n}", "in {o}", "{n}: {o}"],
                    n=name.lower(),
                    o=see.say.quote(option.name) if see.chance(0.3) else option.name,
                )
            )
    number = widget.number
    if number and see.chance(0.7):
        box = see.element(number.box)
        count = box.value if as_it_is else see.rng.choice(number.options)
        wanted.append((number, count))
        said.append(
            see.say.fill(["{t} of [it|them]", "quantity {t}", "{t} pieces"], t=see.say.number(int(count)))
        )
    if not said:
        return None
    c = (
        see.say.quote(see.say.cased(widget.title))
        if see.chance(0.5)
        else see.rng.choice(["it", "it", "this", "the product"])
    )
    text = see.say.say("buy", c=c, p=see.say.listed(said))
    past: list[str] = []
    for target, value in wanted:
        if isinstance(target, Select):
            box = see.element(target.box)
            if target.entries:
                entry = see.element(target.entries[target.options.index(value)])
                return (
                    Clause(
                        text,
                        [*past, f"Open '{box.name}'"],
                        click_step(see, entry),
                        [OPEN_END],
                        kind="product",
                    )
                    if see.sees(entry.id)
                    else None
                )
            if box.value != value:
                return _toward_or(see, text, past, box)
            past += [f"Open '{box.name}'", f"Click '{value}'"] if see.chance(0.6) else []
        elif not target.value:
            return _toward_or(see, text, past, target)
        else:
            past += [f"Click '{target.name}'"] if see.chance(0.6) else []
    cart = see.element(widget.cart)
    if widget.is_added:
        return Clause(text, [*past, click_line(see, cart)], kind="settled") if see.sees(cart.id) else None
    return _toward_or(see, text, past, cart, told=True)
