"""Controls that forms and blocks are made of: fields, lists that drop down, boxes to tick, icons, search boxes."""

import random

from ..words import CITIES, COUNTRIES, FIELD_NAMES, SEARCH_NAMES
from .icons import ICONS, icon_svg
from .page import Builder, Choice, Select, Ticks, esc

KIN = 0.18  # of the names of fields hold that of another control of the page


def text_field(b: Builder, name: str, style: str, form: int, value: str, is_focused: bool = False) -> str:
    shown = name + b.rng.choice(["", "", ":", " *"]) if style != "inside" else ""
    kind = "password" if "password" in name.lower() and b.chance(0.7) else "text"
    placeholder = name if style == "inside" else ""
    if not placeholder and b.chance(0.2):
        hints = [f"Enter {name.lower()}", "Optional", "e.g. " + b.words.value_for(name), "..."]
        placeholder = b.rng.choice(hints)
    if style == "inside" and value:
        shown = name  # what is typed hides a placeholder, so the name stands above
    mark = b.add(
        "field",
        name,
        value=value,
        form=form,
        traits={"hidden": "dots"} if kind == "password" and value else {},
    )
    focus = ' class="focus"' if is_focused else ""
    if kind == "text" and b.chance(0.08) and style != "inline":
        b.elements[-1].traits["lines"] = "several"
        box = f'<textarea rows="2" {mark}{focus} placeholder="{esc(placeholder)}">{esc(value)}</textarea>'
    else:
        width = (
            f' style="width:{max(b.rng.randint(100, 220), 9 * len(name) + 24)}px;max-width:100%"'
            if style == "inside"
            else ""
        )
        box = f'<input type="{kind}" {mark}{focus}{width} placeholder="{esc(placeholder)}" value="{esc(value)}">'
    label = f"<label>{esc(shown)}</label>" if shown else ""
    return f'<div class="field {style}">{label}{box}</div>'


def field_name(b: Builder) -> str:
    def draw() -> str:
        r = b.rng.random()
        if b.labels and r < KIN:
            return longer(b, b.rng.choice(list(b.labels.values())))
        if r < 0.65:
            return usual_or_longer(b)
        return b.words.cased(b.words.noun() if r < 0.85 else f"{b.words.noun()} {b.words.noun()}")

    return b.label(draw)


def usual_or_longer(b: Builder) -> str:
    """A usual name, or one that only begins or ends as a usual one does: names are to be read to their end."""
    name = b.words.pick(FIELD_NAMES).strip()
    return name if b.chance(0.7) else longer(b, name)


def longer(b: Builder, name: str) -> str:
    """A name that holds another: whoever reads only a part of it takes one for the other."""
    forms = ["{n} of {w}", "{w} {n}", "Your {n}", "{n} ({w})", "{n} 2", "{w}: {n}", "{n} for {w}", "New {n}"]
    return b.words.cased(b.rng.choice(forms).format(n=name.lower(), w=b.words.noun()))


def search_name(b: Builder) -> str:
    """What a search box says of itself; half of all say what no other does."""
    if b.chance(0.5):
        return b.rng.choice(SEARCH_NAMES).strip()
    asked = [
        "Search {w}s",
        "Find {w}s",
        "Find a {w}",
        "Search in {w}",
        "Which {w}?",
        "{w} or {v}",
        "{w} search",
        "Search {w} and {v}",
        "Look up {w}",
    ]
    return b.words.cased(b.rng.choice(asked).format(w=b.words.noun(), v=b.words.noun()))


def options(b: Builder) -> tuple[str, list[str]]:
    """A name for a list, and what it offers."""
    kind, count = b.rng.random(), b.rng.randint(3, 6)
    if kind < 0.3:
        return b.label(lambda: b.rng.choice(["Country", "Nationality", "Ship to"])), b.rng.sample(
            COUNTRIES, count
        )
    if kind < 0.5:
        names = ["City", "From", "To", "Destination", "Departure"]
        return b.label(lambda: b.rng.choice(names)), b.rng.sample(CITIES, count)
    return b.label(b.noun), b.distinct(b.words.code if kind > 0.9 else b.noun, count)


def select(b: Builder, form: int = -1, is_open: bool = False) -> str:
    name, names = options(b)
    chosen = (
        b.rng.choice(names) if b.chance(0.75) else b.rng.choice(["Select...", "Choose", "—", "Please select"])
    )
    return drop_down(b, name, names, chosen, form, is_open)


def drop_down(
    b: Builder, name: str, names: list[str], chosen: str, form: int = -1, is_open: bool = False
) -> str:
    mark, box = b.add("select", name, value=chosen, form=form), b.last
    shown = "".join(
        f"<option{' selected' if o == chosen else ''}>{esc(o)}</option>"
        for o in {chosen: 0, **dict.fromkeys(names)}
    )
    entries, body = [], f"<select {mark}>{shown}</select>"
    if is_open:
        rows = "" if chosen in names else f"<a>✓ {esc(chosen)}</a>"
        for option in names:
            rows += f"<a {b.add('option', option, context=name)}>{'✓ ' if option == chosen else ''}{esc(option)}</a>"
            entries.append(b.last)
        body = _opened(b, body, rows)
    b.widgets.append(Select(box, names, entries))
    style = b.rng.choice(["", "", "stack"])
    return f'<div class="field {style}"><label>{esc(name)}</label> {body}</div>'


def _opened(b: Builder, box: str, rows: str) -> str:
    """Below the box or above it, most often as `saccade.tools` has the browser draw it, else in a library's way."""
    side = "bottom" if b.chance(0.3) else "top"
    plain = "background:#fff;color:#000;border-color:#888;border-radius:4px" if b.chance(0.6) else ""
    width = "100%" if plain else f"{b.rng.randint(90, 170)}px"
    return f'<span class="opened">{box}<div class="pop" style="left:0;{side}:100%;min-width:{width};{plain}">{rows}</div></span>'


def ticks(b: Builder, kind: str, names: list[str], is_inline: bool, group_name: str = "") -> str:
    """Boxes or radio buttons; some are on already."""
    group, rows, ids = b.rng.randint(0, 1 << 30), [], []
    is_crowded, after = b.rng.choice([0.0, 0.2, 0.4, 0.7]), b.chance(0.12)
    chosen = b.rng.randrange(len(names)) if kind == "radio" and b.chance(0.6) else None
    for i, name in enumerate(names):
        is_on = i == chosen if kind == "radio" else b.chance(is_crowded)
        box = f'<input type="{kind}" name="g{group}"{" checked" if is_on else ""}>'
        mark = b.add(kind, name, value="on" if is_on else "", context=group_name)
        rows.append(f"<label {mark}>{esc(name) + ' ' + box if after else box + esc(name)}</label>")
        ids.append(b.last)
    b.widgets.append(
        Ticks(group_name, ids)
        if kind == "checkbox"
        else Choice(group_name, ids, None if chosen is None else ids[chosen])
    )
    if is_inline:
        return f'<div class="row wide block">{"".join(rows)}</div>'
    return '<div class="block">' + "".join(f"<div>{row}</div>" for row in rows) + "</div>"


def icon(b: Builder, name: str, context: str = "", tag: str = "") -> str:
    """A button that shows nothing but an icon."""
    tag = tag or b.rng.choice(["button", "a", "span"])
    rng = random.Random(f"{b.style} {name}") if b.chance(0.85) else b.rng  # a page has one hand, mostly
    return f'<{tag} class="icon" {b.add("icon", "", context=context, traits={"icon": name})}>{icon_svg(name, rng, b.style)}</{tag}>'


def icon_names(b: Builder, count: int) -> list[str]:
    return b.rng.sample(list(ICONS), count)


def search(b: Builder, nowrap: str = "") -> str:
    name = b.label(lambda: search_name(b))
    value = b.rng.choice([b.words.thing, b.words.noun])() if b.chance(0.45) else ""
    has_label = bool(value) or b.chance(0.2)
    mark = b.add("search", name, value=value)
    box = f'<input {mark} placeholder="{"" if has_label else esc(name)}" value="{esc(value)}" style="width:{max(b.rng.randint(90, 190), 9 * len(name) + 20)}px">'
    box = f"<label>{esc(name)}</label> {box}" if has_label else box
    go = b.rng.choice(["Search", "Search", "Go", "Find"])
    end = (
        icon(b, "magnifying glass")
        if b.chance(0.2)
        else b.button(go, "btn", concept="search")
        if b.chance(0.65)
        else ""
    )
    return f'<div class="row {nowrap}">{box}{end}</div>'
