"""Widgets whose state can be seen: what was done shows on the page, and what is left to do follows from it."""

import calendar

from .controls import icon
from .icons import STAR
from .page import (
    Builder,
    Calendar,
    Choice,
    Menu,
    Order,
    Rating,
    Results,
    Sections,
    Slider,
    Stepper,
    Suggestions,
    Tree,
    esc,
)

MONTHS = list(calendar.month_name)[1:]
MENUS = {
    "File": ["New", "Open", "Save", "Save as", "Export", "Print", "Close"],
    "Edit": ["Undo", "Redo", "Cut", "Copy", "Paste", "Find"],
    "View": ["Zoom in", "Zoom out", "Full screen", "Grid", "Sidebar"],
    "Insert": ["Image", "Table", "Link", "Chart", "Comment"],
    "Format": ["Bold", "Italic", "Underline", "Font", "Color"],
    "Tools": ["Options", "Spelling", "Translate", "Macros"],
    "Help": ["About", "Manual", "Shortcuts", "Feedback"],
}
EXPORTS = ["PDF", "CSV", "Excel", "PNG", "Word", "Plain text", "HTML", "ZIP"]


def tabs(b: Builder) -> str:
    names = b.distinct(b.words.place, b.rng.randint(2, 5), numbered=0.25)
    on, ids, made, style = b.rng.randrange(len(names)), [], [], b.rng.choice(["tab", "tab", "seg"])
    for i, name in enumerate(names):
        made.append(b.link(name, "tab", f"{style}{' on' if i == on else ''}", value="on" if i == on else ""))
        ids.append(b.last)
    b.widgets.append(Choice("", ids, ids[on]))
    inner = ""
    if b.chance(0.6):
        links = " ".join(
            f"{esc(b.words.sentence(2, 5))} {b.link(b.words.place())}" for _ in range(b.rng.choice([0, 1, 2]))
        )
        inner = f'<div class="{b.rng.choice(["panel", ""])}">{esc(b.words.sentence())} {links}</div>'
    gap = 0 if style == "seg" else b.rng.choice([0, 2, 8])
    return f'<div class="row block" style="gap:{gap}px">{"".join(made)}</div>{inner}'


def accordion(b: Builder) -> str:
    rows, ids = [], []
    shut, opened = b.rng.choice([("▸", "▾"), ("+", "−"), ("▶", "▼")])
    make = b.rng.choice([b.words.thing, b.words.place, b.words.command])
    share, is_bar, at_right = b.rng.choice([0, 0.3, 0.6]), b.chance(0.4), b.chance(0.25)
    bar = "padding:4px 8px;background:color-mix(in srgb,currentColor 14%,transparent)" if is_bar else ""
    bar += ";display:flex;justify-content:space-between" if at_right else ""
    for name in b.distinct(make, b.rng.choice([1, 2, 2, 3, 3, 4]), numbered=0.15):
        is_open = b.chance(share)
        body = ""
        mark = b.add("section", name, value="open" if is_open else "")
        ids.append(b.last)
        if is_open:
            inner = (
                b.link(b.words.place())
                if b.chance(0.4)
                else b.button(b.words.command(), "btn2")
                if b.chance(0.5)
                else ""
            )
            body = f'<div class="small pad">{esc(b.words.sentence(4, 12))} {inner}</div>'
        sign = opened if is_open else shut
        head = f"<span>{esc(name)}</span><span>{sign}</span>" if at_right else f"{sign} {esc(name)}"
        tight = ' style="padding:0"' if is_bar else ""
        rows.append(f'<div class="panel"{tight}><div {mark} style="{bar}">{head}</div>{body}</div>')
    b.widgets.append(Sections(ids))
    return f'<div class="block">{"".join(rows)}</div>'


def chips(b: Builder) -> str:
    """Tags; some can be removed with their cross."""
    removable, made = b.chance(0.5), []
    for name in b.distinct(b.noun, b.rng.randint(3, 7)):
        if removable:
            made.append(f'<span class="chip">{esc(name)} {icon(b, "cross", name, "a")}</span>')
        else:
            made.append(b.link(name, "button", "chip"))
    return f'<div class="row block">{"".join(made)}</div>'


def pagination(b: Builder) -> str:
    current, last, ids = b.rng.randint(1, 4), b.rng.randint(4, 6), []
    previous, following = b.rng.choice([("Previous", "Next"), ("Prev", "Next"), ("Older", "Newer"), ("", "")])
    before = b.link(previous) if previous else icon(b, "left arrow")
    pages = ""
    for n in range(1, last + 1):
        is_on, style = n == current, "on" if n == current else ""
        pages += b.link(str(n), "page", f"seg {style}", value="on" if is_on else "")
        ids.append(b.last)
    after = b.link(following) if following else icon(b, "right arrow")
    b.widgets.append(Choice("page", ids, ids[current - 1]))
    return f'<div class="row wide block">{before}<span>{pages}</span>{after}</div>'


def switches(b: Builder) -> str:
    """Settings that are on or off."""
    after, ids, rows = b.chance(0.6), [], []
    for name in [b.label(b.words.place) for _ in range(b.rng.randint(1, 4))]:
        is_on = b.chance(0.45)
        mark = b.add("switch", name, value="on" if is_on else "")
        ids.append(b.last)
        knob = f'<span class="switch {"on" if is_on else ""}" {mark}></span>'
        parts = [f"<span>{esc(name)}</span>", knob]
        rows.append(
            f'<div class="row {"between" if after else ""} nowrap block">{"".join(parts if after else parts[::-1])}</div>'
        )
    return f'<div class="block">{"".join(rows)}</div>'


def stepper(b: Builder) -> str:
    name, value = (
        b.label(
            lambda: b.rng.choice(["Quantity", "Guests", "Adults", "Children", "Rooms", "Tickets", b.noun()])
        ),
        b.rng.randint(0, 9),
    )
    signs = b.chance(0.5)
    minus = (
        icon(b, "minus", name)
        if signs
        else f'<a class="icon" {b.add("icon", "", context=name, traits={"icon": "minus"})}>−</a>'
    )
    low = b.last
    plus = (
        icon(b, "plus", name)
        if signs
        else f'<a class="icon" {b.add("icon", "", context=name, traits={"icon": "plus"})}>+</a>'
    )
    b.widgets.append(Stepper(name, low, b.last, value))
    return f'<div class="row block nowrap"><span>{esc(name)}</span>{minus}<b style="min-width:20px;text-align:center">{value}</b>{plus}</div>'


def slider(b: Builder) -> str:
    name = b.label(
        lambda: b.rng.choice(
            ["Volume", "Brightness", "Zoom", "Opacity", "Speed", "Contrast", "Price limit", b.noun()]
        )
    )
    low, high, step = b.rng.choice(
        [(0, 100, 10), (0, 100, 5), (0, 10, 1), (1, 5, 1), (0, 50, 5), (0, 200, 20)]
    )
    value = b.rng.randrange(low, high + 1, step)
    width = b.rng.randint(120, 260)
    share = 100 * (value - low) / (high - low)
    mark = b.add("slider", name, value=str(value))
    b.widgets.append(Slider(name, b.last, value, low, high, step))
    track = f'<span class="track" style="width:{width}px" {mark}><span class="knob" style="left:{share:.1f}%"></span></span>'
    return (
        f'<div class="block"><span>{esc(name)}: <b>{value}</b></span><div class="row nowrap small">'
        f"<span>{low}</span>{track}<span>{high}</span></div></div>"
    )


def rating(b: Builder) -> str:
    name, value, stars, ids = (
        b.label(lambda: b.rng.choice(["Your rating", "Rating", "Quality", "Service", b.noun()])),
        b.rng.randint(0, 4),
        "",
        [],
    )
    size, color = b.rng.choice([16, 20, 24]), b.rng.choice(["#f5b301", "#e8a200", "currentColor"])
    for n in range(1, 6):
        mark = b.add("star", "", context=name, value="on" if n <= value else "", traits={"number": str(n)})
        ids.append(b.last)
        fill = color if n <= value else "none"
        stars += f'<svg viewBox="0 0 24 24" width="{size}" height="{size}" {mark}><path d="{STAR}" fill="{fill}" stroke="{color}" stroke-width="1.5" pointer-events="all"/></svg>'
    b.widgets.append(Rating(name, ids, value))
    return f'<div class="row block nowrap"><span>{esc(name)}</span><span style="white-space:nowrap">{stars}</span></div>'


def tree(b: Builder) -> str:
    """Folders within folders."""
    signs, nodes, depths, hidden, rows = b.rng.choice([("▸", "▾"), ("+", "−"), ("⊞", "⊟")]), [], [], {}, []

    def branch(depth: int) -> None:
        for name in b.distinct(b.noun, b.rng.randint(2, 3)):
            is_folder = depth < 2 and b.chance(0.6 if depth == 0 else 0.35)
            is_open = is_folder and b.chance(0.5)
            mark = b.add("folder" if is_folder else "leaf", name, value="open" if is_open else "")
            node = b.last
            nodes.append(node)
            depths.append(depth)
            sign = signs[is_open] if is_folder else "&emsp;"
            rows.append(
                f'<div style="padding-left:{14 * depth}px"><span {mark}>{sign} {esc(name)}</span></div>'
            )
            if is_open:
                branch(depth + 1)
            elif is_folder:
                hidden[node] = b.distinct(b.noun, 2)

    branch(0)
    b.widgets.append(Tree(nodes, depths, hidden))
    return f'<div class="block">{"".join(rows)}</div>'


def menu_bar(b: Builder) -> str:
    """Menus in a row, or in a column where the mouse alone opens them; one may be open, and one of its entries may
    open a menu of its own."""
    usual, made, is_column = b.chance(0.5), [], b.chance(0.3)
    make = b.rng.choice([b.words.place, b.noun])
    names = b.rng.sample(list(MENUS), b.rng.randint(2, 5)) if usual else b.distinct(make, b.rng.randint(2, 5))
    opened = b.rng.randrange(len(names)) if b.chance(0.5) else -1
    for i, name in enumerate(names):
        traits = {"opens": "under the mouse"} if is_column else {}
        mark, trigger, ids, pop = b.add("menu", name, traits=traits), b.last, [], ""
        entries = (
            b.rng.sample(MENUS[name], b.rng.randint(3, 4)) if usual else b.distinct(make, b.rng.randint(2, 4))
        )
        if i == opened:
            rows, deeper = [], b.rng.randrange(len(entries)) if b.chance(0.4) else -1
            for j, entry in enumerate(entries):
                arrow = " ▸" if j == deeper else ""
                rows.append(f"<a {b.add('option', entry, context=name)}>{esc(entry)}{arrow}</a>")
                ids.append(b.last)
            if deeper >= 0:
                rows[deeper] = (
                    f'<span style="position:relative;padding:0">{_submenu(b, ids[deeper], rows[deeper])}</span>'
                )
            beside = "left:100%;top:0" if is_column else "left:0;top:100%"
            pop = f'<div class="pop" style="{beside}">{"".join(rows)}</div>'
        b.widgets.append(Menu(trigger, entries, ids))
        made.append(
            f'<span style="position:relative"><span style="padding:1px 6px" {mark}>{esc(name)}{" ▸" * is_column}</span>{pop}</span>'
        )
    if is_column:
        rows = "".join(f'<div style="padding:2px 0">{row}</div>' for row in made)
        return f'<div class="block" style="display:inline-block;border:1px solid #8888">{rows}</div>'
    return f'<div class="row block" style="border-bottom:1px solid #8888">{"".join(made)}</div>'


def _submenu(b: Builder, trigger: int, row: str) -> str:
    entries = b.rng.sample(EXPORTS, 3) if b.chance(0.5) else b.distinct(b.noun, 3)
    ids, pop = [], ""
    if b.chance(0.5):
        rows = []
        for entry in entries:
            rows.append(f"<a {b.add('option', entry, context=b.elements[trigger].name)}>{esc(entry)}</a>")
            ids.append(b.last)
        pop = f'<div class="pop" style="left:100%;top:0">{"".join(rows)}</div>'
    b.widgets.append(Menu(trigger, entries, ids))
    return row.replace("<a ", '<a style="display:block;padding:2px 9px" ', 1) + pop


def date_field(b: Builder) -> str:
    """A field for a date, with its calendar open or closed."""
    name = b.label(
        lambda: b.rng.choice(
            [
                "Date",
                "Start date",
                "End date",
                "Departure date",
                "Arrival",
                "Birthday",
                "Deadline",
                "Check-in",
            ]
        )
    )
    year, month = b.rng.randint(2019, 2030), b.rng.randint(1, 12)
    value = (year, month, b.rng.randint(1, 28)) if b.chance(0.5) else None
    mark, box, is_open = b.add("date", name, value=date_text(value) if value else ""), b.last, b.chance(0.65)
    shown = date_text(value) if value else ""
    field = f'<label>{esc(name)}</label> <input readonly {mark} style="width:120px" placeholder="{b.rng.choice(["", "Pick a date", "yyyy-mm-dd"])}" value="{shown}">'
    if not is_open:
        b.widgets.append(Calendar(box, value))
        return f'<div class="field">{field}</div>'
    back, on = b.rng.choice([("‹", "›"), ("«", "»"), ("<", ">"), ("◀", "▶"), ("Prev", "Next")])
    arrows = []
    for sign, icon_name in ((back, "left arrow"), (on, "right arrow")):
        role = "icon" if len(sign) == 1 else "button"
        traits = {"icon": icon_name} if role == "icon" else {}
        arrows.append(
            (
                f'<a class="icon" {b.add(role, "" if role == "icon" else sign, traits=traits)}>{esc(sign)}</a>',
                b.last,
            )
        )
    head = f'<div class="row between nowrap" style="padding:2px 4px">{arrows[0][0]}<b>{MONTHS[month - 1]} {year}</b>{arrows[1][0]}</div>'
    first, length = calendar.monthrange(year, month)
    cells = (
        "".join(f'<span class="small faint">{d}</span>' for d in ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"))
        + "<i></i>" * first
    )
    days = []
    for day in range(1, length + 1):
        is_on = value == (year, month, day)
        cells += f'<a class="{"on" if is_on else ""}" {b.add("day", str(day), value="on" if is_on else "")}>{day}</a>'
        days.append(b.last)
    b.widgets.append(Calendar(box, value, year, month, arrows[0][1], arrows[1][1], days))
    style = "" if b.chance(0.5) else "position:static;display:inline-block"
    return f'<div class="field">{field}<div class="pop" style="{style}">{head}<div class="days">{cells}</div></div></div>'


def date_text(date: tuple[int, int, int]) -> str:
    return "{:04}-{:02}-{:02}".format(*date)


def suggestions(b: Builder) -> str:
    """A field that completes what is typed."""
    name = b.label(
        lambda: b.rng.choice(["City", "Country", "Airport", "Product", "Name", "Destination", "Author"])
    )
    sources = {
        "City": b.words.city,
        "Airport": b.words.city,
        "Destination": b.words.city,
        "Name": b.words.person,
        "Author": b.words.person,
    }
    wanted = b.distinct(sources.get(name, b.words.thing), 3)
    typed = wanted[0][:2] if b.chance(0.6) else ""
    mark, box, ids, pop = b.add("field", name, value=typed), b.last, [], ""
    if typed:
        entries = [w for w in wanted if w.lower().startswith(typed.lower())]
        entries += [typed + b.words.pseudo() for _ in range(b.rng.randint(1, 3))]
        rows = ""
        for entry in b.rng.sample(entries, len(entries)):
            rows += f"<a {b.add('option', entry, context=name)}>{esc(entry)}</a>"
            ids.append(b.last)
        pop = f'<div class="pop" style="min-width:110px">{rows}</div>'
    b.widgets.append(Suggestions(box, ids))
    return f'<div class="field"><label>{esc(name)}</label> <input {mark} value="{esc(typed)}">{pop}</div>'


def reorder(b: Builder) -> str:
    """A list, or columns of cards, that can be dragged."""
    ids, rows, grip = [], [], b.rng.choice(["⠿ ", "≡ ", "", "↕ "])
    for name in b.distinct(b.rng.choice([b.words.thing, b.words.command]), b.rng.randint(3, 5)):
        rows.append(
            f'<div class="panel" style="margin-bottom:2px" {b.add("item", name)}>{grip}{esc(name)}</div>'
        )
        ids.append(b.last)
    b.widgets.append(Order(ids))
    hint = (
        f'<div class="small faint">{b.rng.choice(["Drag to reorder", "Drag the rows into the right order"])}</div>'
        if b.chance(0.5)
        else ""
    )
    return f'<div class="block">{hint}{"".join(rows)}</div>'


def results(b: Builder) -> str:
    """What a search found, a few on each page."""
    count, last = b.rng.randint(2, 4), b.rng.randint(2, 4)
    page, rows, links, pages, numbers = b.rng.randint(1, last), "", [], [], ""
    address = b.chance(0.6)
    for thing in b.distinct(b.words.thing, count):
        host = (
            f'<div class="small faint">{b.words.pseudo()}.example/{b.words.pick(["shop", "news", "wiki", "blog"])}</div>'
            if address
            else ""
        )
        rows += f'<div class="block">{b.link(thing)}{host}<div class="small">{esc(b.words.sentence(4, 9))}</div></div>'
        links.append(b.last)
    for n in range(1, last + 1):
        is_on = n == page
        numbers += b.link(str(n), "page", f"seg {'on' if is_on else ''}", value="on" if is_on else "")
        pages.append(b.last)
    b.widgets.append(Results(links, page, pages))
    title = (
        f'<div class="faint">{b.rng.choice(["Results", "Search results", "Found"])} for {esc(b.words.noun())}</div>'
        if b.chance(0.6)
        else ""
    )
    return f'<div class="block">{title}{rows}<div>{numbers}</div></div>'
