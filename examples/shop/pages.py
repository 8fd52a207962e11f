"""The shop's pages: templates and the catalogue in, HTML out. Knows nothing of HTTP.

`Visitor` is what a page needs to know about who is looking; `server.Session` satisfies it.
"""

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Protocol

HERE = Path(__file__).parent
TEMPLATES = {file.stem: Template(file.read_text("utf-8")) for file in (HERE / "templates").glob("*.html")}
PRODUCTS: dict[str, dict[str, Any]] = {
    item["id"]: item for item in json.loads((HERE / "catalogue.json").read_text("utf-8"))
}
CATEGORIES = {slug: slug.title() for slug in dict.fromkeys(item["category"] for item in PRODUCTS.values())}
TILES = {
    "lighting": "mushroom-lamp",
    "kitchen": "stoneware-mug",
    "textiles": "wool-blanket",
    "furniture": "lounge-chair",
    "desk": "wall-clock",
    "plants": "monstera",
}
POPULAR = (
    "stoneware-mug",
    "mushroom-lamp",
    "snake-plant",
    "wool-blanket",
    "lounge-chair",
    "brass-lamp",
    "oak-board",
    "dotted-notebook",
)
LINKS = {"/": "Shop", "/help": "Help", "/about": "About", "/contact": "Contact"}
FIELDS = {"name": "Full name", "email": "Email", "address": "Address", "city": "City"}
EXPRESS = 900


class Visitor(Protocol):
    cart: dict[str, int]
    delivery: dict[str, str]

    @property
    def count(self) -> int: ...


def home(visitor: Visitor) -> str:
    main = fill("home", tiles=tiles(), cards=cards(visitor, POPULAR))
    return layout(visitor, "Nook: well-made things for small homes", main, here="/")


def search(visitor: Visitor, query: str) -> str:
    found = find(query)
    heading = f"Results for “{escape(query)}”"
    if found:
        main = fill(
            "list", heading=heading, note=plural(len(found), "product"), chips="", cards=cards(visitor, found)
        )
    else:
        main = empty(
            "paper-lamp", f"Nothing found for “{escape(query)}”", "Try a shorter word, such as lamp or mug."
        )
    return layout(visitor, f"{query} | Nook", main, query=query)


def find(query: str) -> list[str]:
    """Products that hold every word of the query; those with a word in their name come first."""
    words = [word.rstrip("s") for word in query.lower().split()]
    texts = {
        slug: f"{item['name']} {item['category']} {item['blurb']}".lower() for slug, item in PRODUCTS.items()
    }
    found = [slug for slug, text in texts.items() if words and all(word in text for word in words)]
    return sorted(found, key=lambda slug: not any(word in PRODUCTS[slug]["name"].lower() for word in words))


def category(visitor: Visitor, slug: str) -> str:
    found = [key for key, item in PRODUCTS.items() if item["category"] == slug]
    chips = "".join(
        f'<a href="/category/{key}"{" class=here" if key == slug else ""}>{name}</a>'
        for key, name in CATEGORIES.items()
    )
    main = fill(
        "list",
        heading=CATEGORIES[slug],
        note=plural(len(found), "product"),
        chips=f'<nav class="chips" aria-label="Categories">{chips}</nav>',
        cards=cards(visitor, found),
    )
    return layout(visitor, f"{CATEGORIES[slug]} | Nook", main, here="/")


def product(visitor: Visitor, slug: str) -> str:
    item = PRODUCTS[slug]
    others = [key for key, other in PRODUCTS.items() if other["category"] == item["category"] and key != slug]
    others += [key for key in POPULAR if key not in (*others, slug)][: 4 - len(others)]
    main = fill(
        "product",
        **about(item),
        blurb=escape(item["blurb"]),
        rating=item["rating"],
        reviews=item["reviews"],
        category=item["category"],
        category_name=CATEGORIES[item["category"]],
        price=money(item["price"]),
        stars=stars(item["rating"]),
        details="".join(f"<li>{escape(line)}</li>" for line in item["details"]),
        cards=cards(visitor, others),
    )
    return layout(visitor, f"{item['name']} | Nook", main)


def cart(visitor: Visitor) -> str:
    if not visitor.cart:
        main = empty("terracotta-pot", "Your cart is empty", "Everything you add is kept here.")
        return layout(visitor, "Your cart | Nook", main, here="/cart")
    main = fill(
        "cart",
        note=plural(visitor.count, "item"),
        rows="".join(cart_row(slug, quantity) for slug, quantity in visitor.cart.items()),
        totals=total_lines(totals(visitor.cart)),
    )
    return layout(visitor, "Your cart | Nook", main, here="/cart")


def checkout(
    visitor: Visitor, values: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> str:
    values = values or visitor.delivery
    express = values.get("shipping") == "express"
    main = fill(
        "checkout",
        steps=steps(1),
        fields="".join(
            form_field(key, label, values.get(key, ""), (errors or {}).get(key))
            for key, label in FIELDS.items()
        ),
        standard="" if express else " checked",
        express=" checked" if express else "",
        summary=summary(visitor.cart),
        totals=total_lines(totals(visitor.cart, "express" if express else "standard")),
    )
    return layout(visitor, "Checkout | Nook", main, kind="plain")


def review(visitor: Visitor) -> str:
    delivery = {key: escape(value) for key, value in visitor.delivery.items()}
    main = fill(
        "review",
        steps=steps(2),
        totals=total_lines(totals(visitor.cart, delivery["shipping"])),
        summary=summary(visitor.cart),
        **{key: delivery[key] for key in FIELDS},
    )
    return layout(visitor, "Review and pay | Nook", main, kind="plain")


def order(visitor: Visitor, placed: dict[str, Any]) -> str:
    main = fill(
        "order",
        first=escape(placed["name"].split()[0]),
        summary=summary(placed["items"]),
        totals=total_lines(placed),
        **{key: escape(str(placed[key])) for key in ("number", "email", "address", "city")},
    )
    return layout(visitor, f"Order {placed['number']} | Nook", main)


def article(visitor: Visitor, name: str, sent: bool = False) -> str:
    note = "Thank you, we will write back today." if sent else "A person reads every message."
    return layout(visitor, f"{LINKS['/' + name]} | Nook", fill(name, note=note), here="/" + name)


def missing(visitor: Visitor) -> str:
    main = empty("watering-can", "This page does not exist", "The link may be old, or mistyped.")
    return layout(visitor, "Not found | Nook", main)


def totals(cart: dict[str, int], shipping: str = "standard") -> dict[str, int]:
    """Cents: the goods, the shipping and their sum."""
    goods = sum(PRODUCTS[slug]["price"] * quantity for slug, quantity in cart.items())
    cost = EXPRESS if shipping == "express" else 0
    return {"goods": goods, "postage": cost, "total": goods + cost}


def layout(
    visitor: Visitor, title: str, main: str, here: str = "", query: str = "", kind: str = "full"
) -> str:
    nav = "".join(
        f'<a href="{url}"{" class=here" if url == here else ""}>{name}</a>' for url, name in LINKS.items()
    )
    return fill(
        "layout",
        title=escape(title),
        main=main,
        nav=nav,
        query=escape(query),
        kind=kind,
        count=visitor.count,
        categories="".join(f'<a href="/category/{slug}">{name}</a>' for slug, name in CATEGORIES.items()),
    )


def fill(template: str, **values: object) -> str:
    return TEMPLATES[template].substitute(values)


def empty(picture: str, heading: str, note: str) -> str:
    return fill("empty", picture=picture, heading=heading, note=note)


def tiles() -> str:
    return "".join(tile(category, PRODUCTS[picture]) for category, picture in TILES.items())


def tile(category: str, item: dict[str, Any]) -> str:
    name = drawing(item["id"]) + CATEGORIES[category]
    return f'<a href="/category/{category}" style="--tint:{item["tint"]}">{name}</a>'


def cards(visitor: Visitor, slugs: Iterable[str]) -> str:
    return "".join(card(PRODUCTS[slug], visitor.cart.get(slug, 0)) for slug in slugs)


def card(item: dict[str, Any], in_cart: int) -> str:
    label = "Add to cart" if not in_cart else "In cart" if in_cart == 1 else f"In cart ({in_cart})"
    return fill(
        "card",
        **about(item),
        stars=stars(item["rating"]),
        rating=item["rating"],
        price=money(item["price"]),
        label=label,
        state="done" if in_cart else "",
    )


def cart_row(slug: str, quantity: int) -> str:
    item = PRODUCTS[slug]
    return fill(
        "row",
        **about(item),
        quantity=quantity,
        less=quantity - 1,
        more=quantity + 1,
        price=money(item["price"] * quantity),
    )


def about(item: dict[str, Any]) -> dict[str, str]:
    """What every picture of a product needs."""
    return {
        "id": item["id"],
        "name": escape(item["name"]),
        "tint": item["tint"],
        "drawing": drawing(item["id"]),
    }


def form_field(key: str, label: str, value: str, error: str | None) -> str:
    note = f'<p class="error">{error}</p>' if error else ""
    return f"""<div class="field{" wrong" if error else ""}"><label class="label" for="{key}">{label}</label>
<input id="{key}" name="{key}" value="{escape(value)}" autocomplete="off">{note}</div>
"""


def steps(current: int) -> str:
    items = "".join(
        f"<li{' class=here' if number == current else ''}><b>{number}</b>{name}</li>"
        for number, name in enumerate(("Delivery", "Review and pay"), 1)
    )
    return f'<ol class="steps">{items}</ol>'


def summary(cart: dict[str, int]) -> str:
    return f'<ul class="items">{"".join(map(summary_item, cart, cart.values()))}</ul>'


def summary_item(slug: str, quantity: int) -> str:
    item = PRODUCTS[slug]
    name = escape(item["name"]) + (f" x {quantity}" if quantity > 1 else "")
    return f"<li>{drawing(slug)}<span>{name}</span><b>{money(item['price'] * quantity)}</b></li>"


def total_lines(sums: dict[str, Any]) -> str:
    lines = {
        "Subtotal": money(sums["goods"]),
        "Shipping": money(sums["postage"]) if sums["postage"] else "Free",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in lines.items())
    return f'{rows}<dt class="sum">Total</dt><dd class="sum">{money(sums["total"])}</dd>'


def drawing(slug: str) -> str:
    return f'<svg aria-hidden="true"><use href="/static/pictures.svg#{slug}"/></svg>'


def stars(rating: float) -> str:
    return f'<span class="stars" style="--share:{rating / 5:.0%}" aria-hidden="true">★★★★★</span>'


def money(cents: int) -> str:
    return f"${cents // 100}" if cents % 100 == 0 else f"${cents / 100:.2f}"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
