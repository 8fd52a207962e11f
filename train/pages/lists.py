"""Blocks of many alike: buttons, cards, lists, tables with actions in their rows, carts, name and value pairs."""

from .concepts import CONCEPTS, STATUSES
from .controls import icon
from .page import Builder, Count, Menu, Shelf, Sorting, Ticks, esc


def buttons(b: Builder) -> str:
    names = b.distinct(b.words.command, b.rng.randint(1, 5))
    row = "".join(b.button(name, b.rng.choice(["btn", "btn2"])) for name in names)
    if b.chance(0.12):  # what cannot be used now is there to be seen, not to be asked for
        row += f'<button class="btn off" disabled>{esc(b.words.command())}</button>'
    return f'<div class="row block {b.rng.choice(["", "end", "wide"])}">{row}</div>'


def table(b: Builder) -> str:
    columns = b.distinct(b.noun, b.rng.randint(1, 3))
    kinds = [b.rng.choice(["price", "number", "noun", "city", "status"]) for _ in columns]
    columns = [
        "Status" if k == "status" and kinds.count(k) == 1 else c for c, k in zip(columns, kinds, strict=True)
    ]
    columns = [
        "Price" if k == "price" and kinds.count(k) == 1 else c for c, k in zip(columns, kinds, strict=True)
    ]
    make = b.rng.choice([b.words.thing, b.words.person])
    things = b.distinct(make, b.rng.randint(2, 6))
    rows = [(thing, *(_value(b, kind) for kind in kinds)) for thing in things]
    heads, order = _heads(b, ["Name", *columns])
    if order:
        rows.sort(key=lambda row: _sort_key(row[order[0]]), reverse=order[1])
    ends, ticking, linked = _row_ends(b), b.chance(0.15), b.chance(0.2)
    shelf = Shelf("row", things, [], [], [])
    opened = b.rng.randrange(len(rows)) if ends == "menu" and b.chance(0.5) else -1
    body, marks, boxes = "", [], []
    for i, row in enumerate(rows):
        name_mark, name_attribute = b.mark()
        marks.append(name_mark)
        cells = []
        for j, value in enumerate(row[1:]):
            mark, attribute = b.mark()
            cells.append(f"<td><span {attribute}>{esc(value)}</span></td>")
            b.fact(row[0], columns[j].lower(), value, heads[1][j + 1], name_mark, mark)
        tick = ""
        if ticking:
            is_on = b.chance(0.25)
            tick = f'<td><input type="checkbox" {b.add("checkbox", "", context=row[0], value="on" if is_on else "")}{" checked" if is_on else ""}></td>'
            boxes.append(b.last)
        first = b.link(row[0]) if linked else esc(row[0])
        shelf.links += [b.last] if linked else []
        end = _row_end(b, ends, row[0], i == opened)
        shelf.buttons += [b.last] if ends and ends not in ("menu", "icons") and " " not in ends else []
        body += f"<tr>{tick}<td><span {name_attribute}>{first}</span></td>{''.join(cells)}{end}</tr>"
    if boxes:
        b.widgets.append(Ticks("", boxes))
    b.counts.append(Count("rows", marks, len(rows)))
    shelf.names, shelf.marks = [row[0] for row in rows], marks
    b.widgets.append(shelf)
    tick_head, end_head = "<th></th>" if ticking else "", "<th></th>" if ends else ""
    return f'<table class="block"><tr>{tick_head}{heads[0]}{end_head}</tr>{body}</table>'


def _value(b: Builder, kind: str) -> str:
    makers = {
        "price": b.words.price,
        "number": lambda: str(b.rng.randint(0, 9999)),
        "noun": b.words.noun,
        "city": b.words.city,
        "status": lambda: b.rng.choice(STATUSES),
    }
    return makers[kind]()


def _sort_key(text: str) -> tuple[float, str]:
    digits = "".join(c for c in text if c.isdigit() or c == ".")
    return (
        float(digits) if digits and digits[0].isdigit() and len(digits) > len(text) / 2 else 0.0,
        text.lower(),
    )


def _heads(b: Builder, names: list[str]) -> tuple[tuple[str, list[int]], tuple[int, bool] | None]:
    """The heads' HTML and marks, and the column (and direction) that the table is sorted by."""
    marks, cells, order, ids = [], [], None, []
    if b.chance(0.25):
        order = (b.rng.randrange(len(names)), b.chance(0.4)) if b.chance(0.7) else None
        up, down = b.rng.choice([("▲", "▼"), ("↑", "↓")])
        for i, name in enumerate(names):
            mark, attribute = b.mark()
            arrow = (down if order[1] else up) if order and order[0] == i else ""
            cells.append(
                f"<th><a {b.add('button', name)}><span {attribute}>{esc(name)}</span> {arrow}</a></th>"
            )
            marks.append(mark)
            ids.append(b.last)
        b.widgets.append(Sorting(ids, ids[order[0]] if order else None, bool(order and order[1])))
        return ("".join(cells), marks), order
    for name in names:
        mark, attribute = b.mark()
        marks.append(mark)
        cells.append(f"<th><span {attribute}>{esc(name)}</span></th>")
    return ("".join(cells), marks), None


def _row_ends(b: Builder) -> str:
    return b.rng.choice(
        [
            "",
            "",
            "Edit",
            "Delete",
            "Edit Delete",
            "View",
            "Open",
            "icons",
            "icons",
            "menu",
            b.words.pick(["Assign", "Rename", "Copy"]),
        ]
    )


def _row_end(b: Builder, kind: str, thing: str, is_open: bool) -> str:
    if not kind:
        return ""
    if kind == "menu":
        return f"<td>{kebab(b, thing, is_open)}</td>"
    if kind == "icons":
        return f'<td style="white-space:nowrap">{icon(b, "pencil", thing)} {icon(b, "trash can", thing)}</td>'
    style = b.rng.choice(["btn2", "link"]) if " " in kind else "link"
    links = [b.link(a, "link" if style == "link" else "button", style, context=thing) for a in kind.split()]
    return f"<td>{' '.join(links)}</td>"


def kebab(b: Builder, thing: str, is_open: bool) -> str:
    """Three dots that open a menu about one row."""
    button = icon(b, "three vertical dots", thing)
    trigger, entries, ids = (
        b.last,
        b.rng.sample(["Edit", "Delete", "Rename", "Share", "Copy", "Archive", "Move"], 3),
        [],
    )
    pop = ""
    if is_open:
        rows = []
        for entry in entries:
            rows.append(f"<a {b.add('option', entry, context=thing)}>{entry}</a>")
            ids.append(b.last)
        pop = f'<div class="pop" style="right:0">{"".join(rows)}</div>'
    b.widgets.append(Menu(trigger, entries, ids))
    return f'<span style="position:relative">{button}{pop}</span>'


def cards(b: Builder) -> str:
    label = b.rng.choice([None, "cart", "cart", "cart", b.words.command()])
    name = b.rng.choice(CONCEPTS["cart"]) if label == "cart" else label
    picture, horizontal, linked, liked = b.chance(0.5), b.chance(0.35), b.chance(0.35), b.chance(0.15)
    priced, noted, made = b.chance(0.7), b.chance(0.4), []
    shelf = Shelf("product", [], [], [], [])
    for thing in b.distinct(b.words.thing, b.rng.randint(2, 6)):
        pic = (
            f'<div class="pic" style="height:{b.rng.randint(18, 60)}px;min-width:44px"></div>'
            if picture
            else ""
        )
        title_mark, title_attribute = b.mark()
        title = b.link(thing) if linked else f"<b>{esc(thing)}</b>"
        shelf.names.append(thing)
        shelf.marks.append(title_mark)
        shelf.links += [b.last] if linked else []
        note = f'<div class="small faint">{esc(b.words.sentence(2, 6))}</div>' if noted else ""
        price = ""
        if priced:
            amount, (mark, attribute) = b.words.price(), b.mark()
            price = f"<div><span {attribute}>{esc(amount)}</span></div>"
            b.fact(thing, "price", amount, title_mark, mark)
        button = b.button(name, context=thing, concept="cart" if label == "cart" else "") if name else ""
        shelf.buttons += [b.last] if name else []
        heart = icon(b, "heart", thing) if liked else ""
        inner = "row nowrap between" if horizontal else ""
        made.append(
            f'<div class="panel {inner}">{pic}<div><span {title_attribute}>{title}</span>{note}{price}</div>{heart}{button}</div>'
        )
    b.widgets.append(shelf)
    return f'<div class="{"" if horizontal else "grid"} block">{"".join(made)}</div>'


def items(b: Builder) -> str:
    linked, small = b.chance(0.7), b.chance(0.4)
    action = b.words.command() if b.chance(0.3) else None
    sign = (
        b.rng.choice(["trash can", "cross", "pencil", "star", "download"])
        if not action and b.chance(0.25)
        else None
    )
    rows, marks = [], []
    shelf = Shelf("item", [], marks, [], [])
    for thing in b.distinct(b.rng.choice([b.words.thing, b.words.place]), b.rng.randint(2, 7)):
        mark, attribute = b.mark()
        marks.append(mark)
        first = b.link(thing) if linked else esc(thing)
        shelf.names.append(thing)
        shelf.links += [b.last] if linked else []
        note = f' <span class="small faint">{esc(b.words.sentence(2, 7))}</span>' if small else ""
        end = b.button(action, "btn2", context=thing) if action else icon(b, sign, thing) if sign else ""
        shelf.buttons += [b.last] if action else []
        rows.append(
            f'<li><div class="row between nowrap"><span><span {attribute}>{first}</span>{note}</span>{end}</div></li>'
        )
    b.counts.append(Count("items in the list", marks, len(rows)))
    b.widgets.append(shelf)
    tag = b.rng.choice(["ul", "ol"])
    return f'<{tag} class="block" style="padding-left:{b.rng.choice([14, 20, 28])}px;margin-top:2px">{"".join(rows)}</{tag}>'


def facts(b: Builder) -> str:
    rows = ""
    for name in b.distinct(
        lambda: b.rng.choice([b.noun(), b.noun(), "Status", "Total", "Version", "Owner", "Due date"]),
        b.rng.randint(2, 5),
    ):
        kind = {"status": "status", "total": "price", "owner": "city"}.get(name.lower(), "")
        value = (
            b.words.person()
            if name == "Owner"
            else _value(b, kind)
            if kind
            else _value(b, b.rng.choice(["price", "number", "noun", "city"]))
        )
        (name_mark, name_attribute), (mark, attribute) = b.mark(), b.mark()
        b.fact("", name.lower(), value, name_mark, mark)
        rows += f'<div class="row between"><span class="faint" {name_attribute}>{esc(name)}</span><span {attribute}>{esc(value)}</span></div>'
    return f'<div class="block panel">{rows}</div>'


def tiles(b: Builder) -> str:
    """A dashboard's figures."""
    made = ""
    for name in b.distinct(b.words.place, b.rng.randint(2, 4)):
        (name_mark, name_attribute), (mark, attribute) = b.mark(), b.mark()
        value = b.rng.choice([str(b.rng.randint(0, 9999)), f"{b.rng.randint(1, 99)}%", b.words.price()])
        b.fact("", name.lower(), value, name_mark, mark)
        made += f'<div class="panel" style="flex:1"><div class="small faint"><span {name_attribute}>{esc(name)}</span></div><b style="font-size:1.4em" {attribute}>{esc(value)}</b></div>'
    return f'<div class="row block nowrap">{made}</div>'


def cart(b: Builder) -> str:
    remove = b.rng.choice(["Remove", "Delete", "Remove", "Drop"])
    rows, shelf = "", Shelf("item", [], [], [], [])
    for thing in b.distinct(b.words.thing, b.rng.randint(1, 4)):
        amount, (name_mark, name_attribute), (mark, attribute) = b.words.price(), b.mark(), b.mark()
        b.fact(thing, "price", amount, name_mark, mark)
        shelf.names.append(thing)
        shelf.marks.append(name_mark)
        shelf.buttons.append(len(b.elements))
        rows += (
            f'<div class="row between block nowrap"><span {name_attribute}>{esc(thing)}</span><span>{b.rng.randint(1, 3)} × '
            f"<span {attribute}>{esc(amount)}</span></span>{b.button(remove, b.rng.choice(['btn2', 'link']), context=thing)}</div>"
        )
    b.widgets.append(shelf)
    total, (mark, attribute) = b.words.price(), b.mark()
    b.fact("", "total", total, mark)
    checkout = b.button(b.rng.choice(CONCEPTS["checkout"]), concept="checkout")
    go_on = (
        b.link(b.rng.choice(["Continue shopping", "Back to shop", "Keep shopping"])) if b.chance(0.5) else ""
    )
    return f'<div class="block">{rows}<div class="row between"><b {attribute}>Total {esc(total)}</b>{go_on}{checkout}</div></div>'


def mails(b: Builder) -> str:
    """An inbox: sender, subject, and icons or words to act on each."""
    signs = b.rng.sample(["star", "trash can", "flag", "bookmark", "pencil"], b.rng.randint(1, 3))
    as_words, rows = b.chance(0.3), []
    for person in b.distinct(b.words.person, b.rng.randint(2, 5)):
        subject = b.words.sentence(2, 4).rstrip(".!?")
        (name_mark, name_attribute), (mark, attribute) = b.mark(), b.mark()
        b.fact(person, "subject", subject, name_mark, mark)
        ends = (
            " ".join(b.link(w, context=person) for w in ("Reply", "Delete"))
            if as_words
            else "".join(icon(b, s, person) for s in signs)
        )
        who = b.link(person, style="") if b.chance(0.5) else esc(person)
        bold = "font-weight:bold" if b.chance(0.3) else ""
        rows.append(
            f'<div class="row between nowrap" style="padding:3px 0;{bold}"><span><span {name_attribute}>{who}</span><br>'
            f'<span class="small faint" {attribute}>{esc(subject)}</span></span><span style="white-space:nowrap">{ends}</span></div>'
        )
    return f'<div class="block">{"".join(rows)}</div>'


def timeline(b: Builder) -> str:
    rows = "".join(
        f'<div class="row nowrap"><span class="faint small">{b.rng.randint(1, 12)}:{b.rng.randint(10, 59)}</span>'
        f"<b>{esc(b.words.person())}</b><span>{esc(b.words.sentence(2, 5))}</span>{b.link(b.words.command())}</div>"
        for _ in range(b.rng.randint(2, 4))
    )
    return f'<div class="block">{rows}</div>'


def plans(b: Builder) -> str:
    made = "".join(
        f'<div class="panel" style="text-align:center"><h2>{esc(t)}</h2><div>{esc(b.words.price())}</div>'
        f"<div class=small>{esc(b.words.sentence(3, 5))}</div>{b.button(b.words.command())}</div>"
        for t in b.distinct(b.noun, 3)
    )
    return f'<div class="grid block">{made}</div>'
