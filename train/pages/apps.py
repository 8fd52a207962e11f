"""Blocks that applications are made of: a list of things to do, a table with actions for what is ticked, a product with
its variants, records that are listed, added and changed.
"""

from ..words import Words
from .concepts import CONCEPTS, STATUSES
from .controls import drop_down, icon, search, text_field
from .page import Builder, Bulk, Choice, Listing, Product, Record, Todo, esc

CHORES = """book bring buy call cancel check clean collect copy cut draw empty feed file fill find fix fold frame hang
iron mail measure mend move order pack paint pay pick plan plant post print read renew repair replace return ring sell
send sew sort sweep tidy translate visit wash wrap write""".split()
PROMPTS = """Add a task|New task|Add an item|New item|Add something|What comes next?|Write a note|New entry|Next step|
Add to the list|Type here and press Enter|Something to remember|Add a line|Anything else?""".replace(
    "\n", ""
).split("|")
FILTERS = ("show_all", "show_open", "show_done")
# What is done with ticked rows: the entry of the menu, and how people say it.
ACTIONS = [("Delete selected", "delete {}"), ("Delete", "delete {}"), ("Archive", "archive {}"), ("Archive selected", "archive {}"),
           ("Publish", "publish {}"), ("Mark as read", "mark {} as read"), ("Mark as paid", "mark {} as paid"), ("Export", "export {}"),
           ("Export selected", "export {}"), ("Duplicate", "duplicate {}"), ("Approve", "approve {}"), ("Reject", "reject {}"),
           ("Mark as done", "mark {} as done"), ("Hide", "hide {}"), ("Move to trash", "move {} to the trash"), ("Lock", "lock {}"),
           ("Send reminder", "send a reminder for {}"), ("Print labels", "print labels for {}"), ("Close", "close {}")]  # fmt: skip
VARIANTS = {"Size": [["S", "M", "L", "XL"], ["XS", "S", "M", "L"], ["36", "38", "40", "42"], ["Small", "Medium", "Large"]],
            "Color": [["Red", "Blue", "Green"], ["Black", "White", "Grey"], ["Sand", "Olive", "Navy", "Rust"]],
            "Weight": [["250 g", "500 g", "1 kg"]], "Material": [["Wool", "Cotton", "Linen"], ["Oak", "Pine", "Steel"]],
            "Length": [["1 m", "2 m", "5 m"]], "Storage": [["64 GB", "128 GB", "256 GB"]], "Pack": [["Single", "Pair", "Box of 6"]]}  # fmt: skip
FIELDS = ["Name|City|Year|Notes", "Title|Author|Pages|Price", "Name|Email|Phone|Company", "Title|Category|Amount|Date", "Name|Price|Stock|Color",
          "First name|Last name|Age|Team", "Title|Date|Room|Guests", "Name|Address|Postcode|City", "Label|Width|Height|Weight"]  # fmt: skip


def errand(words: Words) -> str:
    """Something that a person may want to remember: 'Paint the fence', 'Lemons and bread'."""
    r = words.rng.random()
    if r < 0.6:
        glue = words.rng.choice(["the", "the", "a", "some", "two", "my"])
        text = f"{words.pick(CHORES)} {glue} {words.noun()}"
    elif r < 0.8:
        text = words.thing()
    else:
        text = f"{words.noun()} {words.rng.choice(['and', 'for', 'with'])} {words.noun()}"
    return text[:1].upper() + text[1:] if words.rng.random() < 0.85 else text.lower()


def todo(b: Builder) -> str:
    """Things to do, with a line for new ones; some lists show the sign that deletes only under the mouse."""
    rng, size = b.rng, b.rng.choice([1, 1, 1.2, 1.5])
    texts = b.distinct(lambda: errand(b.words), rng.choice([0, 1, 2, 3, 3, 4, 5]))
    typed = errand(b.words) if b.chance(0.25) else ""
    prompt = rng.choice(PROMPTS)
    entry_mark, entry = b.add("field", "" if typed else prompt, value=typed), b.last
    box = f'<input {entry_mark} placeholder="{prompt}" value="{esc(typed)}" style="flex:1;font-size:{size}em;padding:{rng.randint(2, 10)}px">'
    add = None
    if b.chance(0.4):
        box += (
            icon(b, "plus")
            if b.chance(0.3)
            else b.button(rng.choice(["Add", "Add", "Add item", "Create", "Save"]))
        )
        add = b.last
    is_round, under_mouse, sign = (
        b.chance(0.4),
        b.chance(0.3),
        rng.choice(["cross", "cross", "trash can", "Delete", ""]),
    )
    editing = rng.randrange(len(texts)) if texts and b.chance(0.15) else None
    pointed = rng.randrange(len(texts)) if texts and b.chance(0.5) else None
    has_pencil, rows = b.chance(0.2), ""
    widget = Todo(entry, prompt, add, texts, [], [], [], [], editing)
    for i in range(len(texts)):
        rows += _todo_row(b, widget, i, is_round, sign if not under_mouse or pointed == i else "", has_pencil)
    widget.pointed = pointed if under_mouse and sign and pointed != editing else None
    widget.hides = under_mouse and bool(sign)
    b.widgets.append(widget)
    head = f"<h1>{esc(b.words.cased(b.words.noun()))}</h1>" if b.chance(0.5) else ""
    style = f"font-size:{size}em;" if b.chance(0.5) else ""
    body = (
        f'<div class="row nowrap block">{box}</div><div style="{style}">{rows}</div>{_todo_foot(b, widget)}'
    )
    return f'<div class="block {rng.choice(["", "panel"])}">{head}{body}</div>'


def _todo_row(b: Builder, w: Todo, i: int, is_round: bool, sign: str, has_pencil: bool) -> str:
    text = w.texts[i]
    if i == w.editing:
        typed = errand(b.words) if b.chance(0.4) else text
        w.names.append(len(b.elements))
        w.ticks.append(None)
        w.ends.append(None)
        w.pencils.append(None)
        return f'<div class="block"><input class="focus" {b.add("field", typed, value=typed)} value="{esc(typed)}" style="width:90%"></div>'
    is_done = b.chance(0.3)
    mark = b.add("checkbox", "", context=text, value="on" if is_done else "")
    w.ticks.append(b.last)
    circle = "display:inline-grid;place-items:center;flex:none;width:1.3em;height:1.3em;border:1px solid;border-radius:99px"
    tick = (
        f'<span {mark} style="{circle}">{"✓" if is_done else ""}</span>'
        if is_round
        else f'<input type="checkbox" {mark}{" checked" if is_done else ""}>'
    )
    style = (
        b.rng.choice(
            ["text-decoration:line-through;opacity:.55", "text-decoration:line-through", "opacity:.5"]
        )
        if is_done
        else ""
    )
    name = f'<span {b.add("item", text)} style="{style}">{esc(text)}</span>'
    w.names.append(b.last)
    ends, pencil, end = "", None, None
    if has_pencil:
        ends, pencil = icon(b, "pencil", text), b.last
    if sign:
        ends += b.link(sign, context=text) if sign == "Delete" else icon(b, sign, text)
        end = b.last
    w.pencils.append(pencil)
    w.ends.append(end)
    return f'<div class="row between nowrap" style="padding:{b.rng.choice([2, 4, 7])}px 0;border-bottom:1px solid #8884"><span class="row nowrap">{tick}{name}</span><span style="white-space:nowrap">{ends}</span></div>'


def _todo_foot(b: Builder, w: Todo) -> str:
    if b.chance(0.4):
        return ""
    left = sum(not b.elements[i].value for i in w.ticks if i is not None)
    mark, attribute = b.mark()
    b.fact("", "number of items left", str(left), mark)
    parts = [f"<span {attribute}>{left} {b.rng.choice(['items left', 'left', 'items left to do'])}</span>"]
    if b.chance(0.7):
        ids, on, made = [], b.rng.randrange(3) if b.chance(0.4) else 0, ""
        for k, concept in enumerate(FILTERS):
            made += (
                b.link(
                    b.rng.choice(CONCEPTS[concept]),
                    "tab",
                    f"seg {'on' if k == on else ''}",
                    value="on" if k == on else "",
                    concept=concept,
                )
                + " "
            )
            ids.append(b.last)
        b.widgets.append(Choice("", ids, ids[on]))
        parts.append(f"<span>{made}</span>")
    if b.chance(0.6):
        parts.append(
            b.link(
                b.rng.choice(CONCEPTS["clear_done"]),
                "button",
                b.rng.choice(["link", "btn2"]),
                concept="clear_done",
            )
        )
    return f'<div class="row between small">{"".join(parts)}</div>'


def bulk(b: Builder) -> str:
    """Rows to tick, a menu of what to do with them, a button that does it; often with a way to add another."""
    rng, noun = b.rng, b.words.noun()
    actions = [label for label, _ in rng.sample(ACTIONS, rng.randint(2, 4))]
    name = b.label(
        lambda: rng.choice(["Action", "Action", "Bulk actions", "With selected", "Do with selected"])
    )
    chosen = (
        rng.choice(actions) if b.chance(0.4) else rng.choice(["---------", "Choose", "Select action", "None"])
    )
    menu = drop_down(b, name, actions, chosen, is_open=b.chance(0.15))
    box = b.widgets[-1].box  # pyright: ignore[reportAttributeAccessIssue]
    go = b.button(rng.choice(["Go", "Go", "Apply", "Run", "OK"]), "btn2")
    go_id, ticked, boxes, things, rows = b.last, rng.choice([0, 0.3, 0.5, 0.9]), [], {}, ""
    columns = b.distinct(b.noun, rng.randint(0, 2))
    every = b.add("checkbox", "", context="all rows")
    for thing in b.distinct(b.words.thing, rng.randint(2, 6)):
        is_on = b.chance(ticked)
        mark = b.add("checkbox", "", context=thing, value="on" if is_on else "")
        boxes.append(b.last)
        link = b.link(thing)
        things[thing] = b.last
        cells = "".join(
            f"<td>{esc(rng.choice([b.noun(), str(rng.randint(1, 900)), rng.choice(STATUSES)]))}</td>"
            for _ in columns
        )
        rows += f'<tr><td><input type="checkbox" {mark}{" checked" if is_on else ""}></td><td>{link}</td>{cells}</tr>'
    b.widgets.append(Bulk(boxes, box, go_id))
    heads = "".join(f"<th>{esc(c)}</th>" for c in [noun.capitalize(), *columns])
    count = (
        f'<span class="small faint">{sum(bool(b.elements[i].value) for i in boxes)} of {len(boxes)} selected</span>'
        if b.chance(0.6)
        else ""
    )
    tools = f'<div class="row block">{menu}{go}{count}</div>'
    table = f'<table class="block"><tr><th><input type="checkbox" {every}></th>{heads}</tr>{rows}</table>'
    title = (
        f"<h2>{esc(rng.choice(['All', 'Your', 'Manage', 'Select']))} {esc(noun)}s</h2>"
        if b.chance(0.6)
        else ""
    )
    add = None
    if b.chance(0.6):
        title += f'<div class="block">{b.button(_adding(b, noun), rng.choice(["btn", "btn2"]))}</div>'
        add = b.last
    b.widgets.append(Listing(noun, add, things))
    finder = f'<div class="block">{search(b)}</div>' if b.chance(0.3) else ""
    return title + finder + (tools + table if b.chance(0.7) else table + tools)


def _adding(b: Builder, noun: str) -> str:
    text = b.rng.choice(["Add {}", "Add {}", "New {}", "Create {}", "Add a {}", "+ New {}"]).format(noun)
    return text if b.chance(0.6) else text.upper() if b.chance(0.4) else text.title()


def kinds(b: Builder) -> str:
    """What a site keeps, kind by kind, each with a way to add one."""
    rows, sign = "", b.chance(0.5)
    for noun in b.distinct(b.words.noun, b.rng.randint(2, 5)):
        title = f"{noun.capitalize()}s"
        name = b.link(title)
        plus = b.link(b.rng.choice(["Add", "New"]), context=title)
        b.widgets.append(Listing(noun, b.last, {}))
        change = b.link(b.rng.choice(["Change", "Edit", "Browse"]), context=title) if b.chance(0.6) else ""
        rows += f'<div class="row between nowrap" style="padding:{b.rng.choice([3, 6, 9])}px 0;border-bottom:1px solid #8883">{name}<span class="row nowrap">{"+ " if sign else ""}{plus}{change}</span></div>'
    head = (
        f'<div class="bar small">{esc(b.words.sentence(2, 3).rstrip(".!?").upper())}</div>'
        if b.chance(0.6)
        else ""
    )
    return f'<div class="block">{head}{rows}</div>'


def record(b: Builder) -> str:
    """One record: a new one, all empty, or one that is there and may be changed."""
    rng, noun, number = b.rng, b.words.noun(), len(b.forms)
    is_new, style = b.chance(0.5), rng.choice(["stack", "stack", "inline"])
    names = [b.label(lambda n=n: n) for n in rng.choice(FIELDS).split("|")[: rng.randint(2, 4)]]
    first = (
        errand(b.words)
        if "itle" in names[0]
        else b.words.thing()
        if names[0] == "Label"
        else b.words.value_for(names[0])
    )
    filled = len(names) if not is_new else rng.choice([0, 0, 1, 2, len(names)])
    rows, ids = "", []
    for i, name in enumerate(names):
        value = (first if i == 0 else b.words.value_for(name)) if i < filled else ""
        rows += text_field(b, name, style, number, value)
        ids.append(b.last)
    save = b.button(
        rng.choice([*CONCEPTS["save"], "Create"] if is_new else CONCEPTS["save"]), form=number, concept="save"
    )
    b.forms.append([*ids, b.last])
    b.widgets.append(Record(noun, "" if is_new else first, ids, b.last))
    others = rng.sample(
        ["Save and add another", "Save and continue", "Delete", "Cancel", "Back to the list"],
        rng.randint(0, 2),
    )
    ends = save + "".join(b.button(o, "btn2") for o in others)
    title = (
        f"{rng.choice(['Add', 'New', 'Create'])} {noun}"
        if is_new
        else rng.choice([f"Change {noun}", f"Edit {noun}", first])
    )
    return f'<div class="block"><h1>{esc(title)}</h1>{rows}<div class="row">{ends}</div></div>'


def product(b: Builder) -> str:
    """One product: its variants, how many, the cart."""
    rng, title, is_set = b.rng, b.words.thing(), b.chance(0.5)
    groups, made = {}, ""
    for name in rng.sample(list(VARIANTS), rng.choice([0, 1, 1, 2])):
        name = b.label(lambda n=name: n)
        names = rng.choice(VARIANTS.get(name, [["A", "B", "C"]]))
        chosen = rng.randrange(len(names)) if is_set or b.chance(0.5) else -1
        ids, parts = [], ""
        for i, option in enumerate(names):
            is_on = "on" if i == chosen else ""
            parts += f'<span class="seg {is_on}" {b.add("radio", option, context=name, value=is_on)}>{option}</span> '
            ids.append(b.last)
        groups[name] = ids
        b.widgets.append(Choice(name, ids, ids[chosen] if chosen >= 0 else None))
        made += f'<div class="row block"><span>{esc(name)}</span><span>{parts}</span></div>'
    number = None
    if b.chance(0.5):
        name, counts = (
            b.label(lambda: rng.choice(["Quantity", "Qty", "Amount"])),
            [str(n) for n in range(1, rng.randint(4, 7))],
        )
        made += drop_down(
            b, name, counts, rng.choice([counts[0], counts[0], rng.choice(counts)]), is_open=b.chance(0.15)
        )
        number = b.widgets[-1]
    label = rng.choice(CONCEPTS["cart"])
    cart = b.button(label, context="", concept="cart")
    cart_id, is_added = b.last, b.chance(0.2)
    b.widgets.append(Product(title, groups, number, cart_id, is_added))  # pyright: ignore[reportArgumentType]
    heart = icon(b, "heart") if b.chance(0.4) else ""
    notice = (
        f'<div class="panel block">{esc(rng.choice(["Added to your cart", "{} is in your cart now", "✓ {} was added"]).format(title))} {b.link(rng.choice(CONCEPTS["open_cart"]), concept="open_cart")}</div>'
        if is_added
        else ""
    )
    amount, (name_mark, name_attribute), (mark, attribute) = b.words.price(), b.mark(), b.mark()
    b.fact(title, "price", amount, name_mark, mark)
    words = (
        f'<p class="{rng.choice(["", "faint"])}">{esc(b.words.sentence(4, 10))}</p>' if b.chance(0.6) else ""
    )
    picture = (
        f'<div class="pic" style="height:{rng.randint(40, 120)}px;min-width:{rng.randint(60, 140)}px"></div>'
        if b.chance(0.6)
        else ""
    )
    text = f'<div><h1 {name_attribute}>{esc(title)}</h1><div><span {attribute}>{esc(amount)}</span></div>{words}{made}<div class="row">{cart}{heart}</div></div>'
    inner = (
        f'<div class="row nowrap" style="align-items:flex-start">{picture}{text}</div>'
        if b.chance(0.5)
        else picture + text
    )
    return f'<div class="block">{notice}{inner}</div>'
