"""What is known by its look alone: icons, coloured shapes, swatches, buttons in colours."""

import math

from .colors import COLORS, ink_on, shade
from .controls import icon, icon_names
from .page import Builder, Choice, Count, esc

SHAPES = ("circle", "square", "triangle", "star", "diamond", "hexagon", "cross")
SIZES = {"small": (14, 18), "large": (34, 42)}


def toolbar(b: Builder) -> str:
    """Icons in a row; some toolbars put words beside or below them."""
    names, worded = icon_names(b, b.rng.randint(3, 8)), b.chance(0.2)
    made = ""
    for name in names:
        if worded:
            label = b.words.command()
            svg = icon(b, name).split(">", 1)[1].rsplit("</", 1)[0]
            element = b.elements[-1]
            element.role, element.name = "button", label
            made += f'<button class="icon" style="display:inline-block" data-e="{b.last}">{svg} {esc(label)}</button>'
        else:
            made += icon(b, name)
    return f'<div class="row block {b.rng.choice(["", "wide", "panel"])}">{made}</div>'


def swatches(b: Builder) -> str:
    colors, ids, made = b.rng.sample(list(COLORS), b.rng.randint(3, 7)), [], ""
    chosen = b.rng.randrange(len(colors)) if b.chance(0.6) else -1
    name = b.label(lambda: b.rng.choice(["Color", "Colour", "Background", "Text color", "Frame"]))
    for i, color in enumerate(colors):
        is_on = "on" if i == chosen else ""
        made += f'<span class="swatch {is_on}" style="background:{shade(color, b.rng)}" {b.add("swatch", "", value=is_on, context=name, traits={"color": color})}></span>'
        ids.append(b.last)
    b.widgets.append(Choice(name, ids, ids[chosen] if chosen >= 0 else None))
    return f'<div class="block"><span>{esc(name)}</span><div class="row wide">{made}</div></div>'


def colored_buttons(b: Builder) -> str:
    colors, made = b.rng.sample([c for c in COLORS if c != "white"], b.rng.randint(2, 4)), ""
    for name, color in zip(b.distinct(b.words.command, len(colors)), colors, strict=False):
        mark = b.add("button", name, traits={"color": color})
        made += f'<button class="btn" style="background:{shade(color, b.rng)};color:{ink_on(color)};border:0" {mark}>{esc(name)}</button>'
    return f'<div class="row block wide">{made}</div>'


def shapes(b: Builder) -> str:
    """Shapes on a white ground, apart from each other."""
    columns, rows = b.rng.randint(4, 6), b.rng.randint(1, 3)
    signs = [f"letter {c}" for c in "ABDEGHKMNPRSTUXZ"] + [f"number {n}" for n in range(2, 10)]
    kinds = b.rng.sample(SHAPES, b.rng.randint(1, 4)) + (b.rng.sample(signs, 2) if b.chance(0.25) else [])
    cell, sized = 50, b.chance(0.6)
    colors = b.rng.sample([c for c in COLORS if c not in ("gray", "white")], b.rng.randint(1, 5))
    places = b.rng.sample(range(columns * rows), b.rng.randint(2, min(10, columns * rows)))
    made, marks, found = "", [], []
    for place in places:
        kind, color, size = (
            b.rng.choice(kinds),
            b.rng.choice(colors),
            b.rng.choice(list(SIZES)) if sized else "",
        )
        r = b.rng.randint(*SIZES[size]) / 2 if size else 13
        room = (cell - 2 * r) / 2 - 1
        x = place % columns * cell + cell / 2 + b.rng.uniform(-room, room)
        y = place // columns * cell + cell / 2 + b.rng.uniform(-room, room)
        traits = {"shape": kind, "color": color} | ({"size": size} if size else {})
        mark = b.add("shape", "", traits=traits)
        seen, attribute = b.mark()
        marks.append(seen)
        found.append((kind, color))
        fill = shade(color, b.rng)
        if kind.startswith("letter") or kind.startswith("number"):
            made += (
                f'<text x="{x:.1f}" y="{y + 0.75 * r:.1f}" font-size="{2.1 * r:.0f}" font-weight="bold" font-family="sans-serif" '
                f'text-anchor="middle" fill="{fill}" {mark} {attribute}>{kind[-1]}</text>'
            )
        else:
            made += f'<path d="{outline(kind, x, y, r)}" fill="{fill}" stroke="#0004" {mark} {attribute}/>'
    for kind, color in sorted(set(found)):
        b.counts.append(Count(f"{color} {plural(kind)}", marks, found.count((kind, color))))
    for kind in sorted(set(kinds)):
        total = sum(k == kind for k, _ in found)
        if total:
            b.counts.append(Count(plural(kind), marks, total))
    b.counts.append(Count("shapes", marks, len(found)))
    return (
        f'<svg class="block" width="{columns * cell}" height="{rows * cell}" '
        f'style="background:#fff;border:1px solid #999;display:block">{made}</svg>'
    )


def plural(kind: str) -> str:
    return kind + ("es" if kind == "cross" else "s")


def outline(kind: str, x: float, y: float, r: float) -> str:
    """An SVG path of a shape about (x, y) that fits a circle of radius r."""
    if kind == "circle":
        return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z"
    if kind == "cross":
        a, c = 0.35 * r, 0.9 * r
        corners = [
            (-a, -c),
            (a, -c),
            (a, -a),
            (c, -a),
            (c, a),
            (a, a),
            (a, c),
            (-a, c),
            (-a, a),
            (-c, a),
            (-c, -a),
            (-a, -a),
        ]
    elif kind == "square":
        corners = [(-0.8 * r, -0.8 * r), (0.8 * r, -0.8 * r), (0.8 * r, 0.8 * r), (-0.8 * r, 0.8 * r)]
    else:
        count = {"triangle": 3, "diamond": 4, "hexagon": 6, "star": 10}[kind]
        radii = [r, r * 0.42] if kind == "star" else [r, r]
        angles = [2 * math.pi * i / count - math.pi / 2 for i in range(count)]
        corners = [(radii[i % 2] * math.cos(t), radii[i % 2] * math.sin(t)) for i, t in enumerate(angles)]
    return "M" + "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners) + "Z"
