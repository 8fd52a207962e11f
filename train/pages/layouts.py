"""How blocks make a page, and how often each is drawn; some blocks and layouts are for the held-out split alone."""

from collections.abc import Callable

from . import apps, drawings, forms, lists, overlays, prose, widgets
from .concepts import CONCEPTS
from .controls import icon, icon_names, search
from .page import Builder, esc

Block = Callable[[Builder], str]

BLOCKS: dict[Block, float] = {
    prose.heading: 2.5, prose.paragraph: 2, prose.foreign: 0.2, prose.alert: 0.7, prose.done: 0.5, prose.crumbs: 0.6,
    prose.comments: 0.7,
    lists.buttons: 2.5, lists.table: 2.2, lists.cards: 2.5, lists.items: 1.7, lists.facts: 1, lists.tiles: 0.5,
    lists.cart: 1, lists.mails: 0.8,
    forms.form: 4, forms.select_block: 1.2, forms.ticked: 2.6, forms.search_block: 1.2, forms.nameless: 0.6,
    widgets.tabs: 1.3, widgets.accordion: 1, widgets.chips: 0.8, widgets.pagination: 0.7, widgets.switches: 0.8,
    widgets.stepper: 0.6, widgets.slider: 0.7, widgets.rating: 0.5, widgets.tree: 0.7, widgets.menu_bar: 0.7,
    widgets.date_field: 0.9, widgets.suggestions: 0.6, widgets.reorder: 0.6,
    drawings.toolbar: 1.5, drawings.swatches: 0.5, drawings.colored_buttons: 0.6, drawings.shapes: 0.6,
    widgets.results: 0.7, apps.todo: 2, apps.bulk: 1.3, apps.kinds: 0.8, apps.record: 1.5, apps.product: 1.3,
}  # fmt: skip
HELD_OUT_BLOCKS: dict[Block, float] = {**BLOCKS, lists.timeline: 2, lists.plans: 2}
OVERLAYS: dict[Block, float] = {
    overlays.dialog: 3,
    overlays.confirmation: 2.5,
    overlays.notice: 2,
    overlays.cookies: 2.5,
}


def blocks(b: Builder, low: int, high: int) -> str:
    kinds = HELD_OUT_BLOCKS if b.held_out else BLOCKS
    chosen = b.rng.choices(list(kinds), list(kinds.values()), k=b.rng.randint(low, high))
    return "".join(block(b) for block in chosen)


def top_bar(b: Builder, searched: float = 0.4) -> str:
    """`searched`: how often it has a search box."""
    logo = f"<b>{esc(b.noun())}</b>" if b.chance(0.8) else ""
    links = b.distinct(b.words.place, b.rng.randint(1, 5))
    nav = "".join(b.link(n) for n in links)
    box = search(b, "nowrap") if b.chance(searched) else ""
    end = ""
    if b.chance(0.3 + 0.4 * (searched > 0.5)):
        name, count = b.rng.choice(CONCEPTS["open_cart"]), b.rng.randint(0, 9)
        mark = b.add("link", name, concept="open_cart")
        badge = b.rng.choice([f' <span class="badge">{count}</span>', f" ({count})", ""])
        end = f'<a class="link" {mark}>{name}{badge}</a>'
    elif b.chance(0.35):
        end = f'<span style="white-space:nowrap">{"".join(icon(b, name) for name in icon_names(b, b.rng.randint(1, 3)))}</span>'
    sticky = "position:sticky;top:0;z-index:2" if b.chance(0.3) else ""
    parts = [logo, f'<div class="row wide">{nav}</div>', box, end]
    if b.chance(0.3):
        parts[1], parts[2] = parts[2], parts[1]
    return f'<div class="bar row between" style="{sticky}">{"".join(parts)}</div>'


def column(b: Builder) -> str:
    return f'<div class="pad">{blocks(b, 2, 7)}</div>'


def few(b: Builder) -> str:
    """Hardly anything: all there is can be seen at once."""
    return f'<div class="pad">{blocks(b, 1, 2)}</div>'


def sparse(b: Builder) -> str:
    """A narrow part of an empty page, as examples, embedded pages and very old ones are."""
    width, top = b.rng.randint(160, 330), b.rng.choice([0, 0, b.rng.randint(4, 60)])
    side = b.rng.choice(["0 auto 0 0", "0 auto 0 0", "0 auto", "0 0 0 auto"])
    frame = b.rng.choice(["", "", "border:1px solid #888", "border:2px solid #000"])
    inner = f'<div class="pad">{blocks(b, 1, 3)}</div>'
    return (
        f'<div style="height:{top}px"></div><div style="width:{width}px;margin:{side};{frame}">{inner}</div>'
    )


def with_top_bar(b: Builder) -> str:
    foot = ""
    if b.chance(0.3):
        names = b.distinct(b.words.place, 4)
        foot = f'<div class="bar row small wide">{"".join(b.link(n) for n in names)}</div>'
    return f'{top_bar(b)}<div class="pad">{blocks(b, 1, 5)}</div>{foot}'


def found(b: Builder) -> str:
    """What a search or a category holds, under a bar to search in."""
    kinds = ""
    if b.chance(0.5):
        names = b.distinct(b.words.place, b.rng.randint(2, 5))
        kinds = f'<div class="row block wide">{"".join(b.link(n) for n in names)}</div>'
    title = f"<h2>{esc(b.words.cased(b.words.noun()))}</h2>" if b.chance(0.6) else ""
    things = b.rng.choice([lists.cards, lists.cards, lists.items, lists.table])(b)
    return f'{top_bar(b, 0.9)}<div class="pad">{kinds}{title}{things}{blocks(b, 0, 1)}</div>'


def with_sidebar(b: Builder, right: bool = False) -> str:
    entries = "".join(
        f'<div style="margin:3px 0">{b.link(n)}</div>'
        for n in b.distinct(b.words.place, b.rng.randint(3, 9), numbered=0.08)
    )
    side = f'<div class="side pad">{entries}</div>'
    main = f'<div class="pad" style="flex:1;min-width:0">{blocks(b, 1, 4)}</div>'
    bar = top_bar(b) if b.chance(0.4) else ""
    return f'{bar}<div style="display:flex;min-height:100%">{main + side if right else side + main}</div>'


def centred(b: Builder) -> str:
    width, top = b.rng.randint(220, 380), b.rng.randint(4, 40)
    return f'<div style="width:{width}px;max-width:100%;margin:{top}px auto" class="panel">{prose.heading(b)}{forms.form(b)}</div>'


def halves(b: Builder) -> str:
    """Two columns side by side."""
    made = "".join(f'<div style="flex:1;min-width:0">{blocks(b, 1, 3)}</div>' for _ in range(2))
    return f'<div class="pad" style="display:flex;gap:12px">{made}</div>'


def settings(b: Builder) -> str:
    """A page of switches, lists and sliders with a button to save them."""
    kinds = [
        widgets.switches,
        widgets.slider,
        forms.select_block,
        forms.ticked,
        widgets.stepper,
        widgets.date_field,
        drawings.swatches,
    ]
    inner = "".join(
        f"<h2>{esc(b.noun())}</h2>{block(b)}" for block in b.rng.choices(kinds, k=b.rng.randint(1, 3))
    )
    save = b.button(b.rng.choice(CONCEPTS["save"]), concept="save")
    return f'<div class="pad">{inner}<div class="row {b.rng.choice(["", "end"])}">{save}</div></div>'


def parted(b: Builder) -> str:
    """Parts of which one is shown, behind tabs or under headings, and hardly anything beside them."""
    parts = b.rng.choice([widgets.tabs, widgets.tabs, widgets.accordion])(b)
    head = prose.heading(b) if b.chance(0.4) else ""
    end = lists.buttons(b) if b.chance(0.3) else ""
    return f'<div class="pad">{head}{parts}{end}</div>'


def controls(b: Builder) -> str:
    """More than fits a breath: fields, boxes, lists and switches one after another, with a button at the end."""
    kinds = [forms.form, forms.form, forms.ticked, forms.select_block, widgets.switches]
    inner = "".join(block(b) for block in b.rng.choices(kinds, k=b.rng.randint(3, 5)))
    end = (
        b.button(b.rng.choice(CONCEPTS["save"]), concept="save")
        if b.chance(0.5)
        else b.button(b.words.command())
    )
    return f'<div class="pad">{prose.heading(b) if b.chance(0.4) else ""}{inner}<div class="row">{end}</div></div>'


LAYOUTS: dict[Block, float] = {
    column: 4,
    few: 2,
    sparse: 3,
    with_top_bar: 4,
    found: 2.5,
    with_sidebar: 1.8,
    centred: 1.3,
    settings: 1.2,
    parted: 1.2,
    controls: 4,
}
HELD_OUT_LAYOUTS: dict[Block, float] = {
    column: 3, few: 1, sparse: 1, with_top_bar: 3, found: 1.5, with_sidebar: 1, halves: 2, lambda b: with_sidebar(b, True): 2, centred: 1, settings: 1,
}  # fmt: skip
