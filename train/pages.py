"""General web pages, written as HTML from one random seed, with a record of every element that can be acted on.

A page is a `div.page` of 480 x 360 CSS px, so that many pages render in one screenshot. Style comes from a theme,
content from `Words`, structure from blocks; some blocks, layouts and fonts appear in the held-out split only.
"""

import html
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .words import CITIES, COUNTRIES, FIELD_NAMES, SEARCH_NAMES, Words

WIDTH, HEIGHT = 480, 360

TRAIN_FONTS = [
    "Liberation Sans",
    "Liberation Serif",
    "DejaVu Sans",
    "DejaVu Serif",
    "Roboto",
    "Open Sans",
    "Inter",
] + [
    *(
        "Noto Sans",
        "Roboto Condensed",
        "Liberation Mono",
        "DejaVu Sans Mono",
        "Fira Code",
        "sans-serif",
        "system-ui",
    ),
    *("Liberation Sans", "DejaVu Sans", "Roboto", "Open Sans", "Noto Sans", "Inter"),
]
HELD_OUT_FONTS = ["Lato", "Cantarell", "Noto Serif"]


@dataclass
class Element:
    """Something a user can act on. `context` names the row or card it belongs to, when its own name is not enough."""

    id: int
    role: str  # button link tab field search select checkbox radio option
    name: str
    context: str = ""
    value: str = ""
    concept: str = ""  # "cart", "checkout", ...: a meaning that tasks may name instead of the text
    form: int = -1


@dataclass
class Page:
    html: str
    elements: list[Element]
    forms: list[list[int]]  # per form: ids of its fields in order, the submit button last
    scroll: float  # share of the way down
    modal: bool = False


@dataclass
class Builder:
    rng: random.Random
    words: Words
    held_out: bool
    elements: list[Element] = field(default_factory=list)
    forms: list[list[int]] = field(default_factory=list)
    control: str = "native"

    def add(self, role: str, name: str, **more) -> str:
        """Registers an element and returns the attribute that marks it in the HTML."""
        self.elements.append(Element(len(self.elements), role, name, **more))
        return f'data-e="{len(self.elements) - 1}"'

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def button(self, name: str, style: str = "btn", **more) -> str:
        mark, tag = self.add("button", name, **more), self.rng.choice(["button", "button", "a", "div"])
        return f'<{tag} class="{style}" {mark}>{esc(name)}</{tag}>'

    def link(self, name: str, role: str = "link", style: str = "link", **more) -> str:
        return f'<a class="{style}" {self.add(role, name, **more)}>{esc(name)}</a>'

    def distinct(self, make: Callable[[], str], n: int) -> list[str]:
        names: dict[str, None] = {}
        for _ in range(4 * n):
            names.setdefault(make())
            if len(names) == n:
                break
        return list(names)


def esc(text: str) -> str:
    return html.escape(text, quote=True)


def make_page(seed: int, split: str, index: int) -> Page:
    rng = random.Random(seed)
    b = Builder(rng, Words(rng, split), split == "heldout")
    layout = rng.choices(*zip(*(HELD_OUT_LAYOUTS if b.held_out else LAYOUTS).items(), strict=True))[0]
    body = layout(b)
    modal = b.chance(0.08)
    if modal:
        body += _modal(b)
    scroll = 0.0 if modal or b.chance(0.6) else rng.random()
    css = _theme_css(b, f"#p{index}")
    page = f'<style>{css}</style><div class="page" id="p{index}" data-scroll="{scroll:.4f}">{body}</div>'
    return Page(page, b.elements, b.forms, scroll, modal)


DOCUMENT = (
    "<!doctype html><meta charset=utf-8><style>*{{box-sizing:border-box}}html,body{{margin:0}}"
    f".page{{{{position:relative;width:{WIDTH}px;height:{HEIGHT}px;overflow:hidden;contain:strict}}}}"
    "select{{appearance:base-select}}</style>{}"
)


def document(pages: list[Page]) -> str:
    return DOCUMENT.format("".join(page.html for page in pages))


# ---- theme


def _theme_css(b: Builder, scope: str) -> str:
    rng = b.rng
    hue, dark = rng.randint(0, 359), b.chance(0.14)
    accent = f"hsl({hue} {rng.randint(45, 95)}% {rng.randint(28, 48)}%)"
    plain = b.chance(0.5)
    ground = f"hsl({rng.randint(0, 359)} {0 if plain else rng.randint(10, 40)}% "
    back = ground + (f"{rng.randint(8, 18)}%)" if dark else f"{100 if plain else rng.randint(92, 99)}%)")
    ink = f"hsl(0 0% {rng.randint(82, 100)}%)" if dark else f"hsl({hue} 10% {rng.randint(0, 30)}%)"
    faint = "hsl(0 0% 65%)" if dark else f"hsl(0 0% {rng.randint(35, 58)}%)"
    edge = "hsl(0 0% 35%)" if dark else f"hsl(0 0% {rng.randint(65, 90)}%)"
    panel = ground + (f"{rng.randint(18, 26)}%)" if dark else f"{rng.choice([100, 97, 94])}%)")
    font = rng.choice(HELD_OUT_FONTS if b.held_out else TRAIN_FONTS)
    size = rng.choices([10, 11, 12, 13, 14, 15, 16], [1, 2, 4, 5, 5, 3, 2])[0]
    radius, gap = rng.choice([0, 2, 3, 4, 6, 8, 14]), rng.choice([3, 4, 6, 8, 10])
    return f"""{scope}{{background:{back};color:{ink};font:{size}px/{rng.choice([1.2, 1.3, 1.4, 1.5])} '{font}',sans-serif;
& h1{{font-size:{rng.choice([1.3, 1.5, 1.8])}em;margin:{gap}px 0}}& h2{{font-size:1.15em;margin:{gap}px 0}}
& p{{margin:{gap}px 0}}& .faint{{color:{faint}}}& .small{{font-size:.85em}}
& .pad{{padding:{gap + 2}px {rng.choice([6, 8, 12, 16])}px}}& .block{{margin:0 0 {gap}px}}
& .row{{display:flex;gap:{gap}px;align-items:center;flex-wrap:wrap}}& .wide{{gap:{gap + 8}px}}
& .between{{justify-content:space-between}}& .end{{justify-content:flex-end}}& .nowrap{{flex-wrap:nowrap}}
& .panel{{background:{panel};border:1px solid {edge};border-radius:{radius}px;padding:{gap + 3}px}}
& .bar{{background:{rng.choice([panel, accent, ink if not dark else panel])};border-bottom:1px solid {edge};
  padding:{rng.choice([4, 6, 8])}px 10px}}{_bar_ink(rng, scope)}
& .grid{{display:grid;gap:{gap}px;grid-template-columns:repeat({rng.choice([2, 2, 3, 3, 4])},1fr)}}
& a{{cursor:pointer}}& .link{{color:{accent if b.chance(0.7) else ink};{_link_css(rng)}}}
{_button_css(rng, accent, ink, edge, radius, dark)}{_control_css(b, accent, ink, panel, edge, radius, size)}
& table{{border-collapse:collapse;width:100%}}& td,& th{{text-align:left;padding:{rng.choice([2, 3, 4, 6])}px 6px;
  {rng.choice(["border:1px solid " + edge, "border-bottom:1px solid " + edge, ""])}}}
& .tab{{padding:4px 9px;color:{ink};{rng.choice(["border:1px solid " + edge, "border-bottom:2px solid transparent"])}}}
& .tab.on{{border-bottom:2px solid {accent};{rng.choice(["font-weight:bold", "color:" + accent, ""])}}}
& .chip{{border:1px solid {edge};border-radius:99px;padding:1px 8px;color:{ink}}}
& .pic{{background:hsl({rng.randint(0, 359)} 40% {rng.randint(50, 85)}%);border-radius:{radius}px}}
& .side{{width:{rng.randint(84, 140)}px;flex:none;border-right:1px solid {edge};background:{panel}}}
& .over{{position:absolute;inset:0;background:rgb(0 0 0/{rng.choice([0.25, 0.45, 0.6])});display:grid;place-items:center}}
& .badge{{background:{accent};color:#fff;border-radius:9px;padding:0 5px;font-size:.8em}}}}"""


def _bar_ink(rng: random.Random, scope: str) -> str:
    if rng.random() < 0.5:
        return ""
    return f"& .bar{{background:hsl({rng.randint(0, 359)} 45% {rng.randint(12, 32)}%);color:#fff;& .link,& b{{color:#fff}}}}"


def _link_css(rng: random.Random) -> str:
    return "text-decoration:" + rng.choice(["underline", "none", "none"])


def _button_css(rng: random.Random, accent: str, ink: str, edge: str, radius: int, dark: bool) -> str:
    pad = f"{rng.choice([2, 3, 4, 5, 7])}px {rng.choice([6, 8, 10, 14])}px"
    shape = (
        f"display:inline-block;font:inherit;padding:{pad};border-radius:{rng.choice([radius, radius, 99])}px;"
    )
    shape += rng.choice(["", "", "font-weight:bold;", "font-size:.9em;"])
    styles = {
        "solid": f"background:{accent};color:#fff;border:0",
        "outline": f"background:transparent;color:{accent if not dark else ink};border:1px solid currentColor",
        "grey": f"background:{'#444' if dark else '#e8e8e8'};color:{ink};border:1px solid {edge}",
        "raised": f"background:linear-gradient({'#555,#333' if dark else '#fff,#ddd'});color:{ink};border:1px solid {edge}",
        "text": f"background:none;border:0;color:{accent if not dark else ink};font-weight:bold",
    }
    first, second = rng.choice(["solid", "solid", "outline", "grey", "raised"]), rng.choice(list(styles))
    return f"& .btn{{{shape}{styles[first]}}}& .btn2{{{shape}{styles[second]}}}"


def _control_css(b: Builder, accent: str, ink: str, panel: str, edge: str, radius: int, size: int) -> str:
    rng = b.rng
    looks = {
        "boxed": f"border:1px solid {edge};background:{panel};border-radius:{radius}px",
        "line": f"border:0;border-bottom:1px solid {ink};background:transparent",
        "filled": f"border:0;background:color-mix(in srgb,{edge} 45%,transparent);border-radius:{radius}px",
        "native": "",
    }
    look = looks[rng.choice(list(looks))]
    return f"""& input:not([type=checkbox]):not([type=radio]),& textarea,& select{{font:inherit;color:{ink};
padding:{rng.choice([1, 2, 3, 5])}px {rng.choice([3, 5, 8])}px;{look};min-width:0}}
& ::placeholder{{color:color-mix(in srgb,{ink} {rng.randint(45, 70)}%,transparent)}}
& .focus{{outline:2px solid {accent}}}& textarea{{resize:none;vertical-align:top}}
& input[type=checkbox],& input[type=radio]{{width:{rng.choice([11, 13, 15])}px;height:{rng.choice([11, 13, 15])}px;
margin:0 4px 0 0;vertical-align:-2px;accent-color:{accent}}}
& .field{{margin:0 0 {rng.choice([3, 5, 8])}px}}& .stack label{{display:block}}& .stack input{{width:100%}}
& .inline{{display:flex;align-items:center;gap:6px}}& .inline label{{width:{rng.randint(70, 120)}px;flex:none;
text-align:{rng.choice(["left", "right"])}}}& .inline input{{flex:1}}"""


# ---- controls


def _text_field(b: Builder, name: str, style: str, form: int, filled: bool) -> str:
    value = b.words.value_for(name) if filled else ""
    shown = name + b.rng.choice(["", "", ":", " *"]) if style != "inside" else ""
    kind = "password" if "password" in name.lower() and b.chance(0.6) else "text"
    placeholder = name if style == "inside" else ""
    if not placeholder and b.chance(0.2):
        placeholder = b.rng.choice(
            [f"Enter {name.lower()}", "Optional", "e.g. " + b.words.value_for(name), "..."]
        )
    mark = b.add("field", name, value=value, form=form)
    focus = ' class="focus"' if b.chance(0.06) else ""
    if b.chance(0.08) and style != "inline":
        box = f'<textarea rows="2" {mark}{focus} placeholder="{esc(placeholder)}">{esc(value)}</textarea>'
    else:
        box = f'<input type="{kind}" {mark}{focus} placeholder="{esc(placeholder)}" value="{esc(value)}">'
    label = f"<label>{esc(shown)}</label>" if shown else ""
    return f'<div class="field {style}">{label}{box}</div>'


def _select(b: Builder, name: str, options: list[str], form: int) -> str:
    chosen = b.rng.choice(options)
    mark = b.add("select", name, value=chosen, form=form)
    body = "".join(f"<option{' selected' if o == chosen else ''}>{esc(o)}</option>" for o in options)
    return f'<div class="field"><label>{esc(name)}</label> <select {mark}>{body}</select></div>'


def _ticks(b: Builder, kind: str, names: list[str], inline: bool) -> str:
    group = b.rng.randint(0, 1 << 30)
    rows = []
    for name in names:
        on = " checked" if b.chance(0.25) else ""
        rows.append(
            f'<label {b.add(kind, name, value="on" if on else "")}><input type="{kind}" name="g{group}"{on}>'
            f"{esc(name)}</label>"
        )
    if inline:
        return f'<div class="row wide block">{"".join(rows)}</div>'
    return '<div class="block">' + "".join(f"<div>{row}</div>" for row in rows) + "</div>"


# ---- blocks


def _heading(b: Builder) -> str:
    title = b.words.cased(b.rng.choice([b.words.thing(), b.words.sentence(2, 5).rstrip(".!?")]))
    under = f'<p class="faint">{esc(b.words.sentence(5, 14))}</p>' if b.chance(0.5) else ""
    return f"<{b.rng.choice(['h1', 'h2'])}>{esc(title)}</h2>{under}"


def _paragraph(b: Builder) -> str:
    text = " ".join(esc(b.words.sentence()) for _ in range(b.rng.randint(1, 3)))
    if b.chance(0.5):
        text += f" {b.link(b.words.place())} {esc(b.words.sentence(2, 6))}"
    return f'<p class="{b.rng.choice(["", "faint", "small"])}">{text}</p>'


def _buttons(b: Builder) -> str:
    names = b.distinct(b.words.command, b.rng.randint(1, 5))
    return (
        f'<div class="row block {b.rng.choice(["", "end", "wide"])}">'
        + "".join(b.button(name, b.rng.choice(["btn", "btn2"])) for name in names)
        + "</div>"
    )


def _form(b: Builder) -> str:
    form, style = len(b.forms), b.rng.choices(["stack", "inline", "inside"], [4, 4, 2])[0]
    names = b.distinct(lambda: _field_name(b), b.rng.randint(1, 6))
    filled = b.rng.choice([0, 0, b.rng.randint(0, len(names))])
    start = len(b.elements)
    rows = [_text_field(b, name, style, form, i < filled) for i, name in enumerate(names)]
    fields = list(range(start, len(b.elements)))
    if b.chance(0.25):
        rows.append(_select(b, *_options(b), form))
    if b.chance(0.2):
        rows.append(_ticks(b, "checkbox", [b.words.cased(f"{b.words.pseudo()} {b.words.noun()}")], True))
    submit, concept = _submit_name(b)
    b.forms.append([*fields, len(b.elements)])
    ends = [b.button(submit, form=form, concept=concept)]
    if b.chance(0.35):
        ends.append(b.button(b.rng.choice(["Cancel", "Reset", "Back", "Clear", b.words.command()]), "btn2"))
    columns = "grid" if style != "inline" and len(names) > 2 and b.chance(0.25) else ""
    title = f"<h2>{esc(b.words.cased(b.words.thing()))}</h2>" if b.chance(0.6) else ""
    return (
        f'<div class="block {b.rng.choice(["", "panel"])}">{title}<div class="{columns}">{"".join(rows)}</div>'
        f'<div class="row {b.rng.choice(["", "end"])}">{"".join(ends)}</div></div>'
    )


def _field_name(b: Builder) -> str:
    r = b.rng.random()
    if r < 0.65:
        return b.words.pick(FIELD_NAMES).strip()
    return b.words.cased(b.words.noun() if r < 0.85 else f"{b.words.noun()} {b.words.noun()}")


def _submit_name(b: Builder) -> tuple[str, str]:
    r = b.rng.random()
    if r < 0.25:
        return b.rng.choice(["Submit", "Send", "Save", "OK", "Continue", "Next", "Done", "Go", "Apply"]), ""
    if r < 0.5:
        concept = b.rng.choice(["login", "signup", "order", "continue", "send", "save", "pay"])
        return b.rng.choice(CONCEPTS[concept]), concept
    return b.words.command(), ""


def _options(b: Builder) -> tuple[str, list[str]]:
    kind = b.rng.random()
    if kind < 0.3:
        return "Country", b.rng.sample(COUNTRIES, 5)
    if kind < 0.5:
        return b.rng.choice(["City", "From", "To", "Destination"]), b.rng.sample(CITIES, 5)
    return b.words.cased(b.words.noun()), b.distinct(lambda: b.words.cased(b.words.noun()), 5)


def _open_select(b: Builder) -> str:
    """A select whose list is open: what the screen shows after a click on it."""
    name, options = _options(b)
    chosen = b.rng.choice(options)
    rows = "".join(
        f'<div style="padding:3px 8px" {b.add("option", o, context=name)}>{"✓ " if o == chosen else "&emsp;"}{esc(o)}</div>'
        for o in options
    )
    return (
        f'<div class="block"><label>{esc(name)}</label> <select><option>{esc(chosen)}</option></select>'
        f'<div style="width:{b.rng.randint(110, 200)}px;background:Canvas;color:CanvasText;border:1px solid #888">{rows}</div></div>'
    )


def _ticked(b: Builder) -> str:
    make = b.rng.choice(
        [b.words.thing, b.words.place, lambda: b.words.cased(b.words.noun()), b.words.command]
    )
    names = b.distinct(make, b.rng.randint(2, 6))
    legend = f"<div><b>{esc(b.words.cased(b.words.noun()))}</b></div>" if b.chance(0.5) else ""
    return legend + _ticks(b, b.rng.choice(["checkbox", "radio"]), names, b.chance(0.4))


def _search(b: Builder, nowrap: str = "") -> str:
    name = b.rng.choice(SEARCH_NAMES).strip()
    value = b.words.thing() if b.chance(0.1) else ""
    mark = b.add("search", name, value=value)
    box = f'<input {mark} placeholder="{esc(name)}" value="{esc(value)}" style="width:{b.rng.randint(90, 190)}px">'
    if b.chance(0.2):
        box = f"<label>{esc(name)}</label> " + box.replace(f'placeholder="{esc(name)}"', "")
    go = (
        b.button(b.rng.choice(["Search", "Search", "Go", "Find"]), "btn", concept="search")
        if b.chance(0.65)
        else ""
    )
    return f'<div class="row {nowrap}">{box}{go}</div>'


def _search_block(b: Builder) -> str:
    return f'<div class="block">{_search(b)}</div>'


def _table(b: Builder) -> str:
    columns = b.distinct(lambda: b.words.cased(b.words.noun()), b.rng.randint(1, 3))
    actions = b.rng.choice(
        [[], ["Edit"], ["Delete"], ["Edit", "Delete"], ["View"], ["Open"], [b.words.command()]]
    )
    style = b.rng.choice(["btn", "btn2", "link"])
    rows = []
    for thing in b.distinct(lambda: b.rng.choice([b.words.thing, b.words.person])(), b.rng.randint(2, 6)):
        first = b.link(thing) if b.chance(0.2) else esc(thing)
        cells = [first] + [esc(_cell(b)) for _ in columns]
        ends = "".join(
            f" {b.link(a, style='link', context=thing) if style == 'link' else b.button(a, style, context=thing)}"
            for a in actions
        )
        rows.append(
            "<tr>" + "".join(f"<td>{c}</td>" for c in cells) + (f"<td>{ends}</td>" if ends else "") + "</tr>"
        )
    head = "".join(f"<th>{esc(c)}</th>" for c in ["Name", *columns, *([""] if actions else [])])
    return f'<table class="block"><tr>{head}</tr>{"".join(rows)}</table>'


def _cell(b: Builder) -> str:
    return b.rng.choice(
        [b.words.price, b.words.noun, lambda: str(b.rng.randint(0, 9999)), lambda: b.words.pick(CITIES)]
    )()


def _cards(b: Builder) -> str:
    label = b.rng.choice([None, "cart", "cart", "cart", b.words.command()])
    name = b.rng.choice(CONCEPTS["cart"]) if label == "cart" else label
    picture, horizontal, linked = b.chance(0.5), b.chance(0.35), b.chance(0.35)
    cards = []
    for thing in b.distinct(b.words.thing, b.rng.randint(2, 6)):
        pic = (
            f'<div class="pic" style="height:{b.rng.randint(18, 60)}px;min-width:44px"></div>'
            if picture
            else ""
        )
        title = b.link(thing) if linked else f"<b>{esc(thing)}</b>"
        button = b.button(name, context=thing, concept="cart" if label == "cart" else "") if name else ""
        note = f'<div class="small faint">{esc(b.words.sentence(2, 6))}</div>' if b.chance(0.4) else ""
        price = f"<div>{esc(b.words.price())}</div>" if b.chance(0.7) else ""
        inner = "row nowrap between" if horizontal else ""
        cards.append(f'<div class="panel {inner}">{pic}<div>{title}{note}{price}</div>{button}</div>')
    return f'<div class="{"" if horizontal else "grid"} block">{"".join(cards)}</div>'


def _items(b: Builder) -> str:
    linked, small = b.chance(0.7), b.chance(0.4)
    action = b.words.command() if b.chance(0.3) else None
    rows = []
    for thing in b.distinct(b.rng.choice([b.words.thing, b.words.place]), b.rng.randint(2, 7)):
        first = b.link(thing) if linked else esc(thing)
        note = f' <span class="small faint">{esc(b.words.sentence(2, 7))}</span>' if small else ""
        end = b.button(action, "btn2", context=thing) if action else ""
        rows.append(f'<li><div class="row between nowrap"><span>{first}{note}</span>{end}</div></li>')
    tag = b.rng.choice(["ul", "ol"])
    return f'<{tag} class="block" style="padding-left:{b.rng.choice([14, 20, 28])}px;margin-top:2px">{"".join(rows)}</{tag}>'


def _tabs(b: Builder) -> str:
    names = b.distinct(b.words.place, b.rng.randint(2, 5))
    on = b.rng.randrange(len(names))
    tabs = "".join(b.link(n, "tab", f"tab{' on' if i == on else ''}") for i, n in enumerate(names))
    return f'<div class="row block" style="gap:{b.rng.choice([0, 2, 8])}px">{tabs}</div>'


def _accordion(b: Builder) -> str:
    rows = []
    sign = b.rng.choice([("▸", "▾"), ("+", "−"), ("›", "⌄")])
    for name in b.distinct(
        b.rng.choice([b.words.thing, b.words.place, b.words.command]), b.rng.randint(2, 4)
    ):
        is_open = b.chance(0.25)
        body = f'<div class="small pad">{esc(b.words.sentence(6, 14))}</div>' if is_open else ""
        mark = b.add("button", name)
        rows.append(
            f'<div class="panel" {"" if is_open else mark}><span {mark if is_open else ""}>{sign[is_open]} {esc(name)}</span>{body}</div>'
        )
    return f'<div class="block">{"".join(rows)}</div>'


def _chips(b: Builder) -> str:
    chips = "".join(
        b.link(n, "button", "chip")
        for n in b.distinct(lambda: b.words.cased(b.words.noun()), b.rng.randint(3, 7))
    )
    return f'<div class="row block">{chips}</div>'


def _pagination(b: Builder) -> str:
    current, last = b.rng.randint(1, 4), b.rng.randint(4, 6)
    pages = "".join(
        f"<b>{n}</b>" if n == current else b.link(str(n), "link", "link") for n in range(1, last + 1)
    )
    previous, following = b.rng.choice(
        [("Previous", "Next"), ("Prev", "Next"), ("Older", "Newer"), ("«", "»")]
    )
    ends = [b.link(previous), b.link(following)] if previous != "«" else [previous, following]
    return f'<div class="row wide block">{ends[0]}{pages}{ends[1]}</div>'


def _crumbs(b: Builder) -> str:
    names = b.distinct(b.words.place, b.rng.randint(2, 4))
    sep = b.rng.choice([" / ", " › ", " > "])
    return f'<div class="small block">{sep.join(b.link(n) for n in names)}{sep}{esc(b.words.thing())}</div>'


def _alert(b: Builder) -> str:
    close = (
        b.button(b.rng.choice(["Dismiss", "Close", "Got it", "OK", "Undo"]), "btn2") if b.chance(0.6) else ""
    )
    return (
        f'<div class="panel row between block nowrap"><span>{esc(b.words.sentence(3, 9))}</span>{close}</div>'
    )


def _facts(b: Builder) -> str:
    rows = "".join(
        f'<div class="row between"><span class="faint">{esc(n)}</span><span>{esc(_cell(b))}</span></div>'
        for n in b.distinct(lambda: b.words.cased(b.words.noun()), b.rng.randint(2, 5))
    )
    return f'<div class="block panel">{rows}</div>'


def _cart(b: Builder) -> str:
    remove = b.rng.choice(["Remove", "Delete", "Remove", "Drop"])
    rows = "".join(
        f'<div class="row between block nowrap"><span>{esc(t)}</span><span>{b.rng.randint(1, 3)} × {esc(b.words.price())}</span>'
        f"{b.button(remove, b.rng.choice(['btn2', 'link']), context=t)}</div>"
        for t in b.distinct(b.words.thing, b.rng.randint(1, 4))
    )
    checkout = b.button(b.rng.choice(CONCEPTS["checkout"]), concept="checkout")
    go_on = (
        b.link(b.rng.choice(["Continue shopping", "Back to shop", "Keep shopping"])) if b.chance(0.5) else ""
    )
    return f'<div class="block">{rows}<div class="row between"><b>Total {esc(b.words.price())}</b>{go_on}{checkout}</div></div>'


def _done(b: Builder) -> str:
    """What a page says when something worked."""
    said = b.rng.choice(
        [
            "Thank you",
            "Thank you!",
            "Success",
            "All done",
            "Saved",
            "Order confirmed",
            "Message sent",
            "Added",
        ]
    )
    return f"<h1>{said}</h1><p>{esc(b.words.sentence(4, 10))}</p>{_paragraph(b)}"


def _timeline(b: Builder) -> str:
    rows = "".join(
        f'<div class="row nowrap"><span class="faint small">{b.rng.randint(1, 12)}:{b.rng.randint(10, 59)}</span>'
        f"<b>{esc(b.words.person())}</b><span>{esc(b.words.sentence(2, 5))}</span>{b.link(b.words.command())}</div>"
        for _ in range(b.rng.randint(2, 4))
    )
    return f'<div class="block">{rows}</div>'


def _plans(b: Builder) -> str:
    cards = "".join(
        f'<div class="panel" style="text-align:center"><h2>{esc(t)}</h2><div>{esc(b.words.price())}</div>'
        f"<div class=small>{esc(b.words.sentence(3, 5))}</div>{b.button(b.words.command())}</div>"
        for t in b.distinct(lambda: b.words.cased(b.words.noun()), 3)
    )
    return f'<div class="grid block">{cards}</div>'


BLOCKS: dict[Callable[[Builder], str], float] = {
    _heading: 3, _paragraph: 3, _buttons: 3, _form: 4, _open_select: 0.5, _ticked: 2, _search_block: 1.5, _table: 2,
    _cards: 3, _items: 2, _tabs: 1.5, _accordion: 1, _chips: 1, _pagination: 0.7, _crumbs: 0.7, _alert: 0.7, _facts: 1,
    _cart: 1, _done: 0.4,
}  # fmt: skip
HELD_OUT_BLOCKS = {**BLOCKS, _timeline: 2, _plans: 2}

CONCEPTS = {
    "cart": [
        "Add to cart",
        "Add to cart",
        "Add to cart",
        "Add to basket",
        "Add to bag",
        "Buy now",
        "Buy",
        "Add",
    ],
    "open_cart": ["Cart", "Cart", "Basket", "Bag", "View cart", "My cart", "Shopping cart", "Your basket"],
    "checkout": ["Checkout", "Checkout", "Check out", "Go to checkout", "Proceed to checkout"],
    "order": [
        "Place order",
        "Place order",
        "Order now",
        "Complete order",
        "Confirm order",
        "Buy now",
        "Submit order",
    ],
    "pay": ["Pay now", "Pay", "Make payment"],
    "login": ["Log in", "Login", "Sign in"],
    "signup": ["Sign up", "Register", "Create account", "Join now"],
    "continue": ["Continue", "Next", "Proceed", "Next step"],
    "search": ["Search", "Go", "Find"],
    "send": ["Send", "Send message", "Submit"],
    "save": ["Save", "Save changes", "Update"],
}


# ---- layouts


def _blocks(b: Builder, low: int, high: int) -> str:
    kinds = HELD_OUT_BLOCKS if b.held_out else BLOCKS
    chosen = b.rng.choices(list(kinds), list(kinds.values()), k=b.rng.randint(low, high))
    return "".join(block(b) for block in chosen)


def _top_bar(b: Builder) -> str:
    logo = f"<b>{esc(b.words.cased(b.words.noun()))}</b>" if b.chance(0.8) else ""
    links = b.distinct(b.words.place, b.rng.randint(1, 5))
    nav = "".join(b.link(n) for n in links)
    search = _search(b, "nowrap") if b.chance(0.4) else ""
    end = ""
    if b.chance(0.4):
        cart, count = b.rng.choice(CONCEPTS["open_cart"]), b.rng.randint(0, 9)
        mark = b.add("link", cart, concept="open_cart")
        badge = b.rng.choice([f' <span class="badge">{count}</span>', f" ({count})", ""])
        end = f'<a class="link" {mark}>{cart}{badge}</a>'
    sticky = "position:sticky;top:0;z-index:2" if b.chance(0.3) else ""
    parts = [logo, f'<div class="row wide">{nav}</div>', search, end]
    if b.chance(0.3):
        parts[1], parts[2] = parts[2], parts[1]
    return f'<div class="bar row between" style="{sticky}">{"".join(parts)}</div>'


def _column(b: Builder) -> str:
    return f'<div class="pad">{_blocks(b, 2, 7)}</div>'


def _with_top_bar(b: Builder) -> str:
    foot = ""
    if b.chance(0.3):
        foot = (
            '<div class="bar row small wide">'
            + "".join(b.link(n) for n in b.distinct(b.words.place, 4))
            + "</div>"
        )
    return f'{_top_bar(b)}<div class="pad">{_blocks(b, 1, 5)}</div>{foot}'


def _with_sidebar(b: Builder, right: bool = False) -> str:
    entries = "".join(
        f'<div style="margin:3px 0">{b.link(n)}</div>' for n in b.distinct(b.words.place, b.rng.randint(3, 9))
    )
    side = f'<div class="side pad">{entries}</div>'
    main = f'<div class="pad" style="flex:1;min-width:0">{_blocks(b, 1, 4)}</div>'
    bar = _top_bar(b) if b.chance(0.4) else ""
    return f'{bar}<div style="display:flex;min-height:100%">{main + side if right else side + main}</div>'


def _centred(b: Builder) -> str:
    width = b.rng.randint(220, 380)
    return f'<div style="width:{width}px;margin:{b.rng.randint(4, 40)}px auto" class="panel">{_heading(b)}{_form(b)}</div>'


def _two_columns(b: Builder) -> str:
    halves = "".join(f'<div style="flex:1;min-width:0">{_blocks(b, 1, 3)}</div>' for _ in range(2))
    return f'<div class="pad" style="display:flex;gap:12px">{halves}</div>'


def _modal(b: Builder) -> str:
    """A dialog over the page: what lies under it cannot be acted on."""
    b.forms.clear()
    inner = _form(b) if b.chance(0.3) else f"<p>{esc(b.words.sentence(4, 14))}</p>{_buttons(b)}"
    title = f"<h2>{esc(b.words.thing())}</h2>" if b.chance(0.7) else ""
    return f'<div class="over"><div class="panel" style="width:{b.rng.randint(200, 360)}px">{title}{inner}</div></div>'


LAYOUTS: dict[Callable[[Builder], str], float] = {
    _column: 4,
    _with_top_bar: 5,
    _with_sidebar: 2,
    _centred: 1.5,
}
HELD_OUT_LAYOUTS: dict[Callable[[Builder], str], float] = {
    _column: 3, _with_top_bar: 3, _with_sidebar: 1, _two_columns: 2, lambda b: _with_sidebar(b, True): 2, _centred: 1,
}  # fmt: skip
