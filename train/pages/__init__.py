"""General web pages, written as HTML from one random seed, with a record of everything that can be acted on or read.

A page is a `div.page` of 480 x 360 CSS px, so that many pages render in one screenshot. Style comes from a theme,
content from `Words`, structure from layouts and blocks; some blocks, layouts and fonts appear in the held-out split
only.
"""

import random

from ..words import Words
from . import prose
from .layouts import HELD_OUT_LAYOUTS, LAYOUTS, OVERLAYS, controls
from .page import HEIGHT, WIDTH, Builder, Page
from .theme import draw_theme, theme_css

DOCUMENT = (
    "<!doctype html><meta charset=utf-8><style>*{{box-sizing:border-box}}html,body{{margin:0}}"
    f".page{{{{position:relative;width:{WIDTH}px;height:{HEIGHT}px;overflow:hidden;contain:strict}}}}"
    "select{{appearance:base-select}}</style>{}"
)


def make_page(seed: int, split: str, index: int, is_full: bool = False) -> Page:
    """`index` tells pages of one document apart. `is_full`: of controls, with nothing over them."""
    rng = random.Random(seed)
    b = Builder(rng, Words(rng, split), split == "heldout", rng.random())
    theme = draw_theme(b)
    layouts = HELD_OUT_LAYOUTS if b.held_out else LAYOUTS
    layout = controls if is_full else rng.choices(list(layouts), list(layouts.values()))[0]
    body = layout(b)
    while not b.elements:
        body += layout(b)
    if b.chance(0.15):
        spoken = prose.mention(b)
        body = spoken + body if b.chance(0.7) else body + spoken
    over = (
        rng.choices(list(OVERLAYS), list(OVERLAYS.values()))[0](b)
        if b.chance(0.0 if is_full else 0.1)
        else ""
    )
    scroll = 0.0 if over or b.chance(0.6) else rng.random()
    css = theme_css(theme, b, f"#p{index}")
    inner = f'<div style="zoom:{theme.zoom}">{body}</div>' if theme.zoom != 1 else body
    page = (
        f'<style>{css}</style><div class="page" id="p{index}" data-scroll="{scroll:.4f}">{over}{inner}</div>'
    )
    return Page(
        page,
        b.elements,
        b.forms,
        b.widgets,
        b.facts,
        b.counts,
        b.overlay,
        scroll,
        bool(over),
        'class="over"' in over,
    )


def document(pages: list[Page]) -> str:
    return DOCUMENT.format("".join(page.html for page in pages))
